/* In: short forms from the ledger (stats/ledger.c). Out: the same back, by key or oldest first. A ring in order of arrival, so that the
 * oldest is at its tail without a list; an index of ring places by key. Places taken out of the middle stay empty until the tail passes
 * them; pages behind the tail go back to the system.
 *
 * The index is of lines of the cache, twelve places each with eight bits of the key: a look for a mail that is not there costs one line,
 * and none of the ring (the idea of F14, Bronson and Shi 2019). What finds its line full stands in the next, and those passed count it: a
 * search ends at a line that was never passed. */
#include "stats/glimpse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/pages.h"
#include "stats/memory.h"

#define PAGES  ((uint64_t)1 << 20) /* bytes given back at a time */
#define PLACES 12 /* a line */
#define LOAD   8  /* of them taken when the ring is full */
#define BEGIN  4096 /* lines; the index doubles as it fills: pages that hold next to nothing cost time as well */
#define AHEAD  8  /* of the oldest */

struct line {
    uint8_t tag[PLACES];   /* of the key; 0: empty */
    uint32_t passed;       /* how many stand further on because this one was full */
    uint32_t slot[PLACES]; /* place in the ring */
};

struct glimpses {
    struct glimpse *ring;
    struct line *index;
    uint32_t size, count;
    uint32_t lines, most; /* of the index, now; at the end */
    uint64_t head, tail;   /* running numbers: next to be written, oldest */
    uint32_t head_at, tail_at; /* their places in the ring */
};

_Static_assert(sizeof(struct line) == 64 && sizeof(struct glimpse) + sizeof(struct line) / LOAD == GLIMPSE_COST, "64 bytes each");

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
    g->most = g->size / LOAD + 1;
    g->lines = g->most < BEGIN ? g->most : BEGIN;
    g->ring = pages_map(ring_bytes(g));
    g->index = pages_map(g->most * sizeof *g->index);
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
    pages_unmap(g->ring, ring_bytes(g));
    pages_unmap(g->index, g->most * sizeof *g->index);
    free(g);
}

static uint32_t home(const struct glimpses *g, uint64_t key)
{
    return memory_place(key, g->lines);
}

static uint32_t after(const struct glimpses *g, uint32_t at)
{
    return at + 1 < g->lines ? at + 1 : 0;
}

static uint8_t tag_of(uint64_t key) /* of bits that say nothing of its home */
{
    return (uint8_t)key ? (uint8_t)key : 1;
}

#ifdef __SSE2__
/* The places of a line that hold the tag, a bit each. */
static uint32_t matches(const struct line *l, uint8_t tag)
{
    __m128i tags = _mm_load_si128((const __m128i *)(const void *)l->tag); /* and `passed`, which does not count */
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag))) & ((1u << PLACES) - 1);
}
#else
static uint32_t matches(const struct line *l, uint8_t tag)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < PLACES; i++)
        found |= (uint32_t)(l->tag[i] == tag) << i;
    return found;
}
#endif

/* Does a come before b?  Both are in the ring. */
static bool earlier(const struct glimpses *g, const struct glimpse *a, const struct glimpse *b)
{
    uint32_t x = (uint32_t)(a - g->ring), y = (uint32_t)(b - g->ring);
    return (x < g->tail_at) == (y < g->tail_at) ? x < y : x > y; /* before the tail stands what has gone round */
}

void glimpse_expect(const struct glimpses *g, uint64_t key)
{
    __builtin_prefetch(&g->index[home(g, key)]);
}

size_t glimpse_all(const struct glimpses *g, uint64_t key, const struct glimpse *found[GLIMPSE_MOST])
{
    size_t n = 0;
    for (uint32_t at = home(g, key);; at = after(g, at)) {
        const struct line *l = &g->index[at];
        for (uint32_t may = matches(l, tag_of(key)); may; may &= may - 1) {
            const struct glimpse *one = &g->ring[l->slot[__builtin_ctz(may)]];
            if (one->key != key)
                continue;
            assert(n < GLIMPSE_MOST);
            size_t to = n++;
            for (; to > 0 && earlier(g, one, found[to - 1]); to--) /* they stand in the line as there was room */
                found[to] = found[to - 1];
            found[to] = one;
        }
        if (l->passed == 0)
            return n;
    }
}

static uint32_t next(const struct glimpses *g, uint32_t slot)
{
    return slot + 1 < g->size ? slot + 1 : 0;
}

/* The tail moves over places that are empty by now. */
static void tail_settle(struct glimpses *g)
{
    while (g->tail < g->head && g->ring[g->tail_at].key == 0) {
        g->tail++;
        g->tail_at = next(g, g->tail_at);
        uint64_t passed = g->tail_at * sizeof *g->ring;
        bool others = g->head - g->tail + PAGES / sizeof *g->ring + 2 > g->size; /* the head is about to come round into them, or has */
        if (passed % PAGES < sizeof *g->ring && passed >= PAGES && !others)
            madvise((char *)g->ring + (passed / PAGES - 1) * PAGES, PAGES, MADV_DONTNEED);
    }
}

uint32_t glimpses_room(struct glimpses *g)
{
    tail_settle(g);
    return g->size - (uint32_t)(g->head - g->tail);
}

static void index_put(struct glimpses *g, uint64_t key, uint32_t slot)
{
    struct line *l = &g->index[home(g, key)];
    uint32_t empty;
    for (; (empty = matches(l, 0)) == 0; l = &g->index[after(g, (uint32_t)(l - g->index))])
        l->passed++;
    uint32_t place = (uint32_t)__builtin_ctz(empty);
    l->tag[place] = tag_of(key);
    l->slot[place] = slot;
}

static void index_grow(struct glimpses *g)
{
    g->lines = g->lines < g->most / 2 ? 2 * g->lines : g->most;
    memset(g->index, 0, g->lines * sizeof *g->index);
    uint32_t slot = g->tail_at;
    for (uint64_t n = g->head - g->tail; n > 0; n--, slot = next(g, slot))
        if (g->ring[slot].key)
            index_put(g, g->ring[slot].key, slot);
}

void glimpse_add(struct glimpses *g, const struct glimpse *one)
{
    assert(one->key && g->head - g->tail < g->size);
    if (g->lines < g->most && g->count >= g->lines * LOAD)
        index_grow(g);
    uint32_t slot = g->head_at;
    g->head++;
    g->head_at = next(g, slot);
    g->ring[slot] = *one;
    index_put(g, one->key, slot);
    g->count++;
}

/* Its place in the line; PLACES: it is not in this one. */
static uint32_t place_of(const struct line *l, uint8_t tag, uint32_t slot)
{
    for (uint32_t may = matches(l, tag); may; may &= may - 1)
        if (l->slot[__builtin_ctz(may)] == slot)
            return (uint32_t)__builtin_ctz(may);
    return PLACES;
}

void glimpse_drop(struct glimpses *g, const struct glimpse *one)
{
    uint32_t slot = (uint32_t)(one - g->ring), at = home(g, one->key), place;
    for (; (place = place_of(&g->index[at], tag_of(one->key), slot)) == PLACES; at = after(g, at))
        g->index[at].passed--;
    g->index[at].tag[place] = 0;
    g->ring[slot].key = 0;
    g->count--;
    tail_settle(g);
}

const struct glimpse *glimpse_oldest(struct glimpses *g)
{
    tail_settle(g);
    uint64_t ahead = (uint64_t)g->tail_at + AHEAD; /* where many are given up, one after the other, the next ones' lines are on their way */
    if (ahead < g->size)
        __builtin_prefetch(&g->index[home(g, g->ring[ahead].key)], 1);
    return g->tail < g->head ? &g->ring[g->tail_at] : NULL;
}

uint32_t glimpses_count(const struct glimpses *g)
{
    return g->count;
}
