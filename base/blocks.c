/* In: sizes.  Out: runs of blocks.
 *
 * A region has the size of a huge page and begins at a multiple of it, and so is found from each of its blocks; the first block is its own.
 * The very first region is in small pages: who needs little takes little.  Regions stay until the end.  What is larger than a region has
 * pages of its own, which go back to the system. */
#include "base/blocks.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

#define BLOCKS 64u /* of a region: a bit each */
#define OWN    UINT64_C(1) /* the bit of the first, where the struct stands */
#define RUN_MOST (BLOCKS - 1)

_Static_assert(BLOCKS * BLOCK_BYTES == PAGES_HUGE, "a region is a huge page");

struct region {
    struct region *older;         /* of all */
    struct region *next, *before; /* of those with a free block, in a ring */
    uint64_t taken, touched;      /* blocks: in use; ever in use, and so no longer zero */
};

struct large {
    struct large *next;
    void *start;
    size_t bytes;
};

struct blocks {
    struct region *newest, *with_room;
    struct large *large;
};

struct blocks *blocks_new(void)
{
    return calloc(1, sizeof(struct blocks));
}

void blocks_free(struct blocks *b)
{
    if (!b)
        return;
    for (struct region *r = b->newest, *older; r; r = older) {
        older = r->older;
        pages_unmap(r, PAGES_HUGE);
    }
    for (struct large *l = b->large, *next; l; l = next) {
        next = l->next;
        pages_unmap(l->start, l->bytes);
        free(l);
    }
    free(b);
}

/* ---- regions -------------------------------------------------------------------------------------------------------------------- */

static void link_region(struct blocks *b, struct region *r) /* the first to be looked at */
{
    struct region *next = b->with_room ? b->with_room : r;
    r->next = next;
    r->before = b->with_room ? next->before : r;
    r->before->next = next->before = r;
    b->with_room = r;
}

static void unlink_region(struct blocks *b, struct region *r)
{
    r->next->before = r->before;
    r->before->next = r->next;
    if (b->with_room == r)
        b->with_room = r->next == r ? NULL : r->next;
}

static struct region *region_new(struct blocks *b)
{
    struct region *r = pages_reserve(PAGES_HUGE);
    if (!r)
        return NULL;
    if (b->newest)
        pages_hugely(r, PAGES_HUGE);
    *r = (struct region){.older = b->newest, .taken = OWN, .touched = OWN};
    b->newest = r;
    link_region(b, r);
    return r;
}

static uint64_t run(size_t count) /* of blocks, from the first on */
{
    return (UINT64_C(1) << count) - 1;
}

/* Where so many blocks, one behind the other, are free: a bit for each place at which they may begin. */
static uint64_t places_for(const struct region *r, size_t count)
{
    uint64_t begin = ~r->taken;
    for (size_t i = 1; i < count && begin; i++)
        begin &= begin >> 1;
    return begin;
}

static struct region *region_for(struct blocks *b, size_t count)
{
    struct region *r = b->with_room;
    if (r)
        do {
            if (places_for(r, count))
                return r;
            r = r->next;
        } while (r != b->with_room);
    return region_new(b);
}

/* ---- runs ----------------------------------------------------------------------------------------------------------------------- */

static size_t blocks_of(size_t n)
{
    return (n + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static void *run_get(struct blocks *b, size_t count, bool zeroed)
{
    struct region *r = region_for(b, count);
    if (!r)
        return NULL;
    unsigned at = (unsigned)__builtin_ctzll(places_for(r, count));
    uint64_t mine = run(count) << at;
    void *p = (unsigned char *)r + at * BLOCK_BYTES;
    if (zeroed && r->touched & mine)
        memset(p, 0, count * BLOCK_BYTES);
    r->taken |= mine;
    r->touched |= mine;
    if (r->taken == UINT64_MAX)
        unlink_region(b, r);
    return p;
}

static void run_put(struct blocks *b, void *p, size_t count)
{
    size_t past = (uintptr_t)p & (PAGES_HUGE - 1);
    struct region *r = (struct region *)(void *)((unsigned char *)p - past);
    uint64_t mine = run(count) << past / BLOCK_BYTES;
    assert((r->taken & mine) == mine);
    if (r->taken == UINT64_MAX)
        link_region(b, r);
    r->taken &= ~mine;
}

static void *large_get(struct blocks *b, size_t n)
{
    struct large *l = malloc(sizeof *l);
    void *start = l ? pages_map(n) : NULL;
    if (!start) {
        free(l);
        return NULL;
    }
    *l = (struct large){b->large, start, n};
    b->large = l;
    return start;
}

static void large_put(struct blocks *b, const void *p)
{
    struct large **at = &b->large;
    while (*at && (*at)->start != p)
        at = &(*at)->next;
    struct large *l = *at;
    assert(l);
    *at = l->next;
    pages_unmap(l->start, l->bytes);
    free(l);
}

void *blocks_get(struct blocks *b, size_t n, bool zeroed)
{
    size_t count = blocks_of(n);
    assert(count >= 1);
    return count <= RUN_MOST ? run_get(b, count, zeroed) : large_get(b, n);
}

void blocks_put(struct blocks *b, void *p, size_t n)
{
    size_t count = blocks_of(n);
    if (count <= RUN_MOST)
        run_put(b, p, count);
    else
        large_put(b, p);
}
