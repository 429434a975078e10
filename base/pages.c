/* In: sizes.  Out: address space, to tables and to base/blocks. */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

static size_t whole(size_t bytes) /* huge pages */
{
    return (bytes + PAGES_HUGE - 1) & ~(PAGES_HUGE - 1);
}

void *pages_reserve(size_t bytes)
{
    bytes = whole(bytes);
    unsigned char *p = mmap(NULL, bytes + PAGES_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t past = (uintptr_t)p & (PAGES_HUGE - 1), before = past ? PAGES_HUGE - past : 0; /* not every kernel aligns it of itself */
    if (before)
        munmap(p, before);
    munmap(p + before + bytes, PAGES_HUGE - before);
    return p + before;
}

void pages_hugely(void *p, size_t bytes)
{
    madvise(p, whole(bytes), MADV_HUGEPAGE);
}

void *pages_map(size_t bytes)
{
    void *p = pages_reserve(bytes);
    if (p)
        pages_hugely(p, bytes);
    return p;
}

void pages_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, whole(bytes));
}
