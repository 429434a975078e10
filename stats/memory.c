/* In: sizes.  Out: memory, to the ledger for its records and to the tables of the detectors.
 *
 * Regions of the size of a huge page, cut into blocks; a table takes a run of blocks, what is small shares one, a slab, with others of
 * about its size: of each doubling eight sizes, so that a sixteenth is lost.  Empty slabs are blocks again.  What is larger than a region
 * has one of its own.  The first region is in small pages: who sees little mail takes little memory.  Regions stay until the end, but for
 * those of one large thing; who asks for memory has the bounds. */
#include "stats/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCKS  64u                        /* of a region: a bit each */
#define UNIT    ((size_t)16)               /* bytes */
#define SMALL   (MEMORY_BLOCK / 8)         /* bytes at most of what stands in a slab */
#define CLASSES 48u                        /* sizes of these, up to SMALL */

_Static_assert(BLOCKS * MEMORY_BLOCK == MEMORY_HUGE, "a region is a huge page");

struct vacant {
    struct vacant *next;
};

struct slab { /* at the beginning of its block */
    struct slab *next, *before; /* those of its class with room, in a ring */
    struct vacant *vacant;
    uint32_t used, fresh, most; /* objects out, never out, that it holds */
    alignas(64) unsigned char room[]; /* so that what is a multiple of the cache's lines begins with one */
};

struct region {
    struct region *next;
    unsigned char *start;
    size_t bytes;
    uint64_t taken, touched; /* blocks: in use; ever in use, and so no longer zero */
};

struct memory {
    struct region *first, *newest;
    struct slab *with_room[CLASSES];
};

/* ---- address space -------------------------------------------------------------------------------------------------------------- */

static size_t whole(size_t bytes) /* huge pages */
{
    return (bytes + MEMORY_HUGE - 1) & ~(MEMORY_HUGE - 1);
}

void *memory_reserve(size_t bytes)
{
    bytes = whole(bytes);
    unsigned char *p = mmap(NULL, bytes + MEMORY_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t past = (uintptr_t)p & (MEMORY_HUGE - 1), before = past ? MEMORY_HUGE - past : 0; /* not every kernel aligns it of itself */
    if (before)
        munmap(p, before);
    munmap(p + before + bytes, MEMORY_HUGE - before);
    return p + before;
}

void memory_hugely(void *p, size_t bytes)
{
    madvise(p, whole(bytes), MADV_HUGEPAGE);
}

void *memory_map(size_t bytes)
{
    void *p = memory_reserve(bytes);
    if (p)
        memory_hugely(p, bytes);
    return p;
}

void memory_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, whole(bytes));
}

/* ---- regions and their blocks --------------------------------------------------------------------------------------------------- */

struct memory *memory_new(void)
{
    return calloc(1, sizeof(struct memory));
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    for (struct region *r = m->first, *next; r; r = next) {
        next = r->next;
        memory_unmap(r->start, r->bytes);
        free(r);
    }
    free(m);
}

static struct region *region_new(struct memory *m, size_t bytes)
{
    struct region *r = malloc(sizeof *r);
    void *start = r ? memory_reserve(bytes) : NULL;
    if (!start) {
        free(r);
        return NULL;
    }
    if (m->first)
        memory_hugely(start, bytes);
    *r = (struct region){.start = start, .bytes = bytes};
    *(m->first ? &m->newest->next : &m->first) = r;
    m->newest = r;
    return r;
}

static uint64_t run(size_t count) /* of blocks, from the first on */
{
    return count == BLOCKS ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* Where so many blocks, one behind the other, are free: a bit for each place at which they may begin. */
static uint64_t places_for(const struct region *r, size_t count)
{
    uint64_t begin = ~r->taken;
    for (size_t i = 1; i < count && begin; i++)
        begin &= begin >> 1;
    return begin;
}

static void *blocks_get(struct memory *m, size_t count, bool zeroed)
{
    struct region *r = m->first;
    uint64_t begin = 0;
    while (r && (begin = places_for(r, count)) == 0)
        r = r->next;
    if (!r) {
        r = region_new(m, MEMORY_HUGE);
        begin = 1;
    }
    if (!r)
        return NULL;
    unsigned at = (unsigned)__builtin_ctzll(begin);
    uint64_t mine = run(count) << at;
    unsigned char *p = r->start + at * MEMORY_BLOCK;
    if (zeroed && r->touched & mine)
        memset(p, 0, count * MEMORY_BLOCK);
    r->taken |= mine;
    r->touched |= mine;
    return p;
}

static void blocks_put(struct memory *m, void *p, size_t count)
{
    unsigned char *at = p, *start = at - ((uintptr_t)p & (MEMORY_HUGE - 1));
    struct region *r = m->first;
    while (r && r->start != start)
        r = r->next;
    assert(r);
    uint64_t mine = run(count) << (size_t)(at - start) / MEMORY_BLOCK;
    assert((r->taken & mine) == mine);
    r->taken &= ~mine;
}

/* What is larger than a region. */
static void *large_get(struct memory *m, size_t n)
{
    struct region *r = region_new(m, whole(n));
    if (!r)
        return NULL;
    r->taken = UINT64_MAX;
    return r->start;
}

static void large_put(struct memory *m, const void *p)
{
    struct region *before = NULL, *r = m->first;
    for (; r && r->start != p; r = r->next)
        before = r;
    assert(r);
    *(before ? &before->next : &m->first) = r->next;
    if (m->newest == r)
        m->newest = before;
    memory_unmap(r->start, r->bytes);
    free(r);
}

/* ---- slabs ---------------------------------------------------------------------------------------------------------------------- */

static unsigned class_of(size_t n)
{
    unsigned units = (unsigned)((n - 1) / UNIT);
    unsigned shift = units < 16 ? 0 : 28 - (unsigned)__builtin_clz(units);
    return shift * 8 + (units >> shift);
}

static size_t size_of(unsigned class)
{
    unsigned shift = class < 16 ? 0 : class / 8 - 1;
    return (size_t)(class - shift * 8 + 1) << shift << 4;
}

static void link_before(struct slab **ring, struct slab *slab) /* the last to be filled */
{
    if (!*ring) {
        slab->next = slab->before = slab;
        *ring = slab;
        return;
    }
    slab->next = *ring;
    slab->before = (*ring)->before;
    slab->next->before = slab->before->next = slab;
}

static void unlink_slab(struct slab **ring, struct slab *slab)
{
    slab->next->before = slab->before;
    slab->before->next = slab->next;
    if (*ring == slab)
        *ring = slab->next == slab ? NULL : slab->next;
}

static void *small_get(struct memory *m, size_t n)
{
    unsigned class = class_of(n);
    struct slab **ring = &m->with_room[class], *slab = *ring;
    size_t size = size_of(class);
    if (!slab) {
        slab = blocks_get(m, 1, false);
        if (!slab)
            return NULL;
        uint32_t most = (uint32_t)((MEMORY_BLOCK - sizeof *slab) / size);
        *slab = (struct slab){.fresh = most, .most = most};
        link_before(ring, slab);
    }
    void *object = slab->vacant;
    if (object)
        slab->vacant = slab->vacant->next;
    else
        object = slab->room + (slab->most - slab->fresh--) * size;
    if (++slab->used == slab->most)
        unlink_slab(ring, slab);
    return object;
}

static void small_put(struct memory *m, void *p, size_t n)
{
    struct slab *slab = (struct slab *)(void *)((unsigned char *)p - ((uintptr_t)p & (MEMORY_BLOCK - 1)));
    struct slab **ring = &m->with_room[class_of(n)];
    struct vacant *v = p;
    v->next = slab->vacant;
    slab->vacant = v;
    if (slab->used-- == slab->most)
        link_before(ring, slab);
    if (slab->used == 0 && slab->next != slab) { /* not the only one with room */
        unlink_slab(ring, slab);
        blocks_put(m, slab, 1);
    }
}

/* ---- the door ------------------------------------------------------------------------------------------------------------------- */

static size_t blocks_of(size_t n)
{
    return (n + MEMORY_BLOCK - 1) / MEMORY_BLOCK;
}

void *memory_get(struct memory *m, size_t n)
{
    assert(n >= 1);
    return n <= SMALL ? small_get(m, n) : n <= MEMORY_HUGE ? blocks_get(m, blocks_of(n), false) : large_get(m, n);
}

void *memory_zeroed(struct memory *m, size_t n)
{
    if (n > SMALL)
        return n <= MEMORY_HUGE ? blocks_get(m, blocks_of(n), true) : large_get(m, n);
    void *p = memory_get(m, n);
    return p ? memset(p, 0, n) : NULL;
}

void memory_put(struct memory *m, void *p, size_t n)
{
    if (!p)
        return;
    if (n <= SMALL)
        small_put(m, p, n);
    else if (n <= MEMORY_HUGE)
        blocks_put(m, p, blocks_of(n));
    else
        large_put(m, p);
}
