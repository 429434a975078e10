/* A bounded table of equal records by key; where there is no room the record of the set that was used longest ago makes it.  Private
 * to stats/. */
#ifndef SQUALL_STATS_CELLS_H
#define SQUALL_STATS_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cells;
struct cells *cells_new(size_t record, uint32_t count); /* bytes a record, records; NULL: out of memory */
void cells_free(struct cells *c);
void *cells_find(const struct cells *c, uint64_t key); /* NULL: not there */
void cells_expect(const struct cells *c, uint64_t key); /* fetches its place into the cache */
/* Finds the record, or gives a zeroed one for the key (*fresh).  Good until the next cells_take(). */
void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh);
/* In no certain order, records of more than eight bytes; after NULL: the first; NULL: no more. */
const void *cells_each(const struct cells *c, const void *after);

#endif
