/* How often in the last so many minutes: sliding counters by key, in fixed memory.  Private to stats/. */
#ifndef SQUALL_STATS_WINDOW_H
#define SQUALL_STATS_WINDOW_H

#include <stdint.h>

#define WINDOW_MOST INT32_MAX /* a count stops there */

struct memory; /* stats/memory.h */
struct window;
/* Counts over `span` ns, to a sixteenth of it too few, never too many.  Room for `keys`; where there are more, those with the smallest
 * counts are forgotten first, and start from nothing.  NULL: out of memory. */
struct window *window_new(struct memory *m, int64_t span, uint32_t keys);
void window_free(struct window *w);
void window_expect(const struct window *w, uint64_t key); /* fetches its place into the cache */
uint32_t window_add(struct window *w, uint64_t key, uint32_t n, int64_t now); /* returns the count of the key in the span, n included */
uint32_t window_count(struct window *w, uint64_t key, int64_t now);

#endif
