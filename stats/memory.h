/* Large tables: address space taken once, pages only when they are first written; in huge pages where the system has them, for places are
 * by hash, and most of the time would go into misses of cache and TLB. */
#ifndef SQUALL_STATS_MEMORY_H
#define SQUALL_STATS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define MEMORY_HUGE ((size_t)2 << 20) /* bytes of a huge page; a table that fills less than one is better off with small ones */

static inline void *memory_reserve(size_t bytes) /* zeroed, in small pages; NULL: refused */
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static inline void memory_hugely(void *p, size_t bytes) /* a wish, for the pages that are not there yet */
{
    madvise(p, bytes, MADV_HUGEPAGE);
}

static inline void *memory_map(size_t bytes) /* in huge ones */
{
    void *p = memory_reserve(bytes);
    if (p)
        memory_hugely(p, bytes);
    return p;
}

static inline void memory_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes);
}

/* A place in a table of `size` for a hash, whatever the size (Lemire 2019, "Fast random integer generation in an interval"). */
static inline uint32_t memory_place(uint64_t hash, uint32_t size)
{
    return (uint32_t)(((hash >> 32) * size) >> 32);
}

/* Pages that hold next to nothing cost time as well, so a table of sets begins small and doubles as it fills, up to `most` sets.  With
 * twice the sets what stood in set s stands in 2s or 2s + 1: it doubles in place, from the last set down. */
static inline uint32_t memory_begin(uint32_t most)
{
    while (most > 64 && most % 2 == 0)
        most /= 2;
    return most;
}

#endif
