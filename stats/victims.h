/* Who is hit by a flood, and by whom: the counting that bounce storms and mail bombs have in common.  Private to stats/. */
#ifndef SQUALL_STATS_VICTIMS_H
#define SQUALL_STATS_VICTIMS_H

#include "stats/detect.h"

struct victims;
/* Alarms of `kind` at `minor` and `major` deliveries to one victim in `window` ns.  NULL: out of memory. */
struct victims *victims_new(
    struct memory *memory, struct incidents *incidents, enum storm_kind kind, int64_t window, int64_t minor, int64_t major);
void victims_free(struct victims *v);
void victims_expect(const struct victims *v, uint64_t key); /* fetches into the cache what victims_hit() will look at */
/* One delivery more for the victim `key` (a hash).  Returns how many there were in the window. */
uint32_t victims_hit(struct victims *v, uint64_t key, const struct observation *o);
/* The storm of this victim, raised or about to be: opened, or brought up to date with o.  `first`: the delivery's recipient has not
 * been hit before. NULL: too few hits, or no room. */
struct storm *victims_storm(struct victims *v, uint64_t key, uint32_t hits, const struct observation *o, bool first);

#endif
