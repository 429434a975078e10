/* In: sizes.  Out: memory, to the ledger for its records and to the tables of the detectors: the small from slabs, the rest in blocks. */
#include "stats/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/blocks.h"
#include "base/slabs.h"

struct memory {
    struct blocks *blocks;
    struct slabs *slabs;
};

struct memory *memory_new(void)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->blocks = blocks_new();
    m->slabs = slabs_new(m->blocks);
    if (m->blocks && m->slabs)
        return m;
    memory_free(m);
    return NULL;
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    slabs_free(m->slabs);
    blocks_free(m->blocks);
    free(m);
}

void *memory_get(struct memory *m, size_t n)
{
    return n <= SLABS_MOST ? slabs_get(m->slabs, n) : blocks_get(m->blocks, n, false);
}

void *memory_zeroed(struct memory *m, size_t n)
{
    if (n > SLABS_MOST)
        return blocks_get(m->blocks, n, true);
    void *p = slabs_get(m->slabs, n);
    return p ? memset(p, 0, n) : NULL;
}

void memory_put(struct memory *m, void *p, size_t n)
{
    if (n <= SLABS_MOST)
        slabs_put(m->slabs, p, n);
    else if (p)
        blocks_put(m->blocks, p, n);
}
