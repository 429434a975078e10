/* The memory of stats/: tables that grow and records of any size, close together in huge pages where the system has them, for places are by
 * hash, and most of the time would go into page faults and misses of cache and TLB.  Private to stats/. */
#ifndef SQUALL_STATS_MEMORY_H
#define SQUALL_STATS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory;
struct memory *memory_new(void);       /* NULL: out of memory */
void memory_free(struct memory *m);    /* and all that was got from it */
/* n at least 1; aligned to 16, from 4 KiB on to 32 KiB, not cleared; NULL: out of memory. */
void *memory_get(struct memory *m, size_t n);
void *memory_zeroed(struct memory *m, size_t n); /* the same, cleared */
void memory_put(struct memory *m, void *p, size_t n); /* n as it was got; p may be NULL */

/* A place in a table of `size` for a hash, whatever the size (Lemire 2019, "Fast random integer generation in an interval"). */
static inline uint32_t memory_place(uint64_t hash, uint32_t size)
{
    return (uint32_t)(((hash >> 32) * size) >> 32);
}

/* Pages that hold next to nothing cost time as well, so a table of sets begins small and doubles as it fills, up to `most` sets.  With
 * twice the sets what stood in set s stands in 2s or 2s + 1. */
static inline uint32_t memory_begin(uint32_t most)
{
    while (most > 128 && most % 2 == 0)
        most /= 2;
    return most;
}

#endif
