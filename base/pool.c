/* Slabs of equal objects and a list of the free ones, threaded through the objects themselves.  Each slab is twice the one before, up to
 * the size of a huge page: small pools stay small, large ones cost few page faults and few misses of the TLB. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FIRST_SLAB ((size_t)64 << 10) /* bytes */
#define HUGE_SLAB  ((size_t)2 << 20)  /* from here on all have this size, but for a pool of larger objects: one a slab */

struct slab {
    struct slab *next;
    alignas(max_align_t) unsigned char room[];
};

struct vacant {
    struct vacant *next;
};

struct pool {
    struct slab *slabs;
    struct vacant *vacant;
    size_t object, slab, most;     /* bytes; of the next slab, in bytes; objects */
    size_t fresh;                  /* never used objects left in the newest slab */
    size_t made, used;             /* objects */
};

struct pool *pool_new(size_t object_size, size_t most)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    const size_t align = alignof(max_align_t);
    if (object_size < sizeof(struct vacant))
        object_size = sizeof(struct vacant);
    p->object = (object_size + align - 1) / align * align;
    p->slab = FIRST_SLAB;
    p->most = most;
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (struct slab *s = p->slabs, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(p);
}

static struct slab *slab_new(size_t bytes)
{
    if (bytes != HUGE_SLAB)
        return malloc(bytes);
    struct slab *s = aligned_alloc(HUGE_SLAB, HUGE_SLAB);
    if (s)
        madvise(s, HUGE_SLAB, MADV_HUGEPAGE); /* a wish */
    return s;
}

static void *fresh_object(struct pool *p)
{
    if (p->fresh == 0) {
        size_t left = p->most - p->made, bytes = p->slab, n = (bytes - sizeof(struct slab)) / p->object;
        if (n == 0 || n > left) {
            n = left && n == 0 ? 1 : left;
            bytes = sizeof(struct slab) + n * p->object;
        }
        struct slab *s = n ? slab_new(bytes) : NULL;
        if (!s)
            return NULL;
        if (p->slab < HUGE_SLAB)
            p->slab *= 2;
        s->next = p->slabs;
        p->slabs = s;
        p->fresh = n;
        p->made += n;
    }
    return p->slabs->room + --p->fresh * p->object;
}

void *pool_get(struct pool *p)
{
    void *object = p->vacant;
    if (object)
        p->vacant = p->vacant->next;
    else
        object = fresh_object(p);
    if (object)
        p->used++;
    return object;
}

void pool_put(struct pool *p, void *object)
{
    if (!object)
        return;
    struct vacant *v = object;
    v->next = p->vacant;
    p->vacant = v;
    p->used--;
}

size_t pool_used(const struct pool *p)
{
    return p->used;
}
