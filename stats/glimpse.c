/* In: short forms from the ledger (stats/ledger.c). Out: the same back, by key or oldest first. A ring in order of arrival, so that the
 * oldest is at its tail without a list; an index of ring places by key. Places taken out of the middle stay empty until the tail passes
 * them; pages behind the tail go back to the system. */
#include "stats/glimpse.h"

#include <assert.h>
#include <stdlib.h>

#include "stats/memory.h"

#define PAGES ((uint64_t)1 << 20) /* bytes given back at a time */

struct glimpses {
    struct glimpse *ring;
    uint32_t *index;       /* place in the ring + 1; 0: empty; open addressing, linear */
    uint32_t size, index_size, count;
    uint64_t head, tail;   /* running numbers: next to be written, oldest */
};

_Static_assert(sizeof(struct glimpse) == 56, "with four thirds of an index word, under 64 bytes");

static size_t ring_bytes(const struct glimpses *g)
{
    return (g->size * sizeof *g->ring + PAGES - 1) / PAGES * PAGES;
}

struct glimpses *glimpses_new(uint32_t most)
{
    struct glimpses *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->size = most ? most : 1;
    g->index_size = g->size + g->size / 3 + 1;
    g->ring = memory_map(ring_bytes(g));
    g->index = memory_map(g->index_size * sizeof *g->index);
    if (!g->ring || !g->index) {
        glimpses_free(g);
        return NULL;
    }
    return g;
}

void glimpses_free(struct glimpses *g)
{
    if (!g)
        return;
    memory_unmap(g->ring, ring_bytes(g));
    memory_unmap(g->index, g->index_size * sizeof *g->index);
    free(g);
}

static uint32_t after(const struct glimpses *g, uint32_t at)
{
    return at + 1 < g->index_size ? at + 1 : 0;
}

static uint32_t distance(const struct glimpses *g, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + g->index_size - from;
}

/* Does a come before b?  Both are in the ring. */
static bool earlier(const struct glimpses *g, const struct glimpse *a, const struct glimpse *b)
{
    uint32_t tail = (uint32_t)(g->tail % g->size), x = (uint32_t)(a - g->ring), y = (uint32_t)(b - g->ring);
    return (x < tail) == (y < tail) ? x < y : x > y; /* before the tail stands what has gone round */
}

void glimpse_expect(const struct glimpses *g, uint64_t key)
{
    __builtin_prefetch(&g->index[memory_place(key, g->index_size)]);
}

size_t glimpse_all(const struct glimpses *g, uint64_t key, const struct glimpse *found[GLIMPSE_MOST])
{
    size_t n = 0;
    for (uint32_t at = memory_place(key, g->index_size); g->index[at]; at = after(g, at)) {
        const struct glimpse *one = &g->ring[g->index[at] - 1];
        if (one->key != key)
            continue;
        assert(n < GLIMPSE_MOST);
        size_t to = n++;
        for (; to > 0 && earlier(g, one, found[to - 1]); to--) /* deletions may have turned their order in the index */
            found[to] = found[to - 1];
        found[to] = one;
    }
    return n;
}

/* The tail moves over places that are empty by now. */
static void tail_settle(struct glimpses *g)
{
    while (g->tail < g->head && g->ring[g->tail % g->size].key == 0) {
        g->tail++;
        uint64_t passed = (g->tail % g->size) * sizeof *g->ring;
        bool others = g->head - g->tail + PAGES / sizeof *g->ring + 2 > g->size; /* the head is about to come round into them, or has */
        if (passed % PAGES < sizeof *g->ring && passed >= PAGES && !others)
            madvise((char *)g->ring + (passed / PAGES - 1) * PAGES, PAGES, MADV_DONTNEED);
    }
}

bool glimpses_full(struct glimpses *g)
{
    tail_settle(g);
    return g->head - g->tail == g->size;
}

void glimpse_add(struct glimpses *g, const struct glimpse *one)
{
    assert(one->key && g->head - g->tail < g->size);
    uint32_t at = memory_place(one->key, g->index_size);
    while (g->index[at])
        at = after(g, at);
    uint32_t slot = (uint32_t)(g->head++ % g->size);
    g->ring[slot] = *one;
    g->index[at] = slot + 1;
    g->count++;
}

void glimpse_drop(struct glimpses *g, const struct glimpse *one)
{
    uint32_t slot = (uint32_t)(one - g->ring), gap = memory_place(one->key, g->index_size);
    while (g->index[gap] != slot + 1)
        gap = after(g, gap);
    for (uint32_t at = after(g, gap); g->index[at]; at = after(g, at)) { /* Knuth, 6.4, algorithm R */
        uint32_t from_home = distance(g, memory_place(g->ring[g->index[at] - 1].key, g->index_size), at);
        if (from_home >= distance(g, gap, at)) {
            g->index[gap] = g->index[at];
            gap = at;
        }
    }
    g->index[gap] = 0;
    g->ring[slot].key = 0;
    g->count--;
    tail_settle(g);
}

const struct glimpse *glimpse_oldest(struct glimpses *g)
{
    tail_settle(g);
    return g->tail < g->head ? &g->ring[g->tail % g->size] : NULL;
}

uint32_t glimpses_count(const struct glimpses *g)
{
    return g->count;
}
