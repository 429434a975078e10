/* Regions: a chain of blocks, each twice the one before up to 1 MiB; arena_reset keeps the first. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK ((size_t)4 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)
#define KEPT_BLOCK ((size_t)256 << 10) /* a block larger than this goes back to the system at reset */

struct block {
    struct block *before;
    size_t size, used; /* bytes of room[] */
    alignas(max_align_t) unsigned char room[];
};

struct arena {
    struct block *last;
    size_t most, held; /* bytes: the bound, and what all blocks hold */
};

struct arena *arena_new(size_t most)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a)
        a->most = most;
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->last, *before; b; b = before) {
        before = b->before;
        free(b);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    struct block *kept = NULL;
    for (struct block *b = a->last, *before; b; b = before) {
        before = b->before;
        if (!kept && b->size <= KEPT_BLOCK)
            kept = b;
        else
            free(b);
    }
    a->last = kept;
    a->held = 0;
    if (kept) {
        kept->before = NULL;
        kept->used = 0;
        a->held = kept->size;
    }
}

static struct block *block_add(struct arena *a, size_t least)
{
    size_t size = a->last ? a->last->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < least)
        size = least;
    if (size > a->most - a->held)
        size = least; /* near the bound: exactly what is asked */
    if (size > a->most - a->held)
        return NULL;
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct block){.before = a->last, .size = size};
    a->last = b;
    a->held += size;
    return b;
}

void *arena_get(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    if (n > a->most)
        return NULL;
    n = (n + align - 1) / align * align;
    struct block *b = a->last;
    if (!b || n > b->size - b->used)
        b = block_add(a, n);
    if (!b)
        return NULL;
    void *p = b->room + b->used;
    b->used += n;
    return p;
}

struct span arena_copy(struct arena *a, struct span s)
{
    void *p = s.n ? arena_get(a, s.n) : NULL;
    if (!p)
        return (struct span){NULL, 0};
    memcpy(p, s.p, s.n);
    return span_of(p, s.n);
}
