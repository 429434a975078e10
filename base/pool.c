/* Slabs of equal objects and a list of the free ones, threaded through the objects themselves. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdlib.h>

#define SLAB_BYTES ((size_t)1 << 20) /* about; at least 16 objects */

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
    size_t object, per_slab, most; /* bytes; objects; objects */
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
    p->per_slab = SLAB_BYTES / p->object > 16 ? SLAB_BYTES / p->object : 16;
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

static void *fresh_object(struct pool *p)
{
    if (p->fresh == 0) {
        size_t n = p->most - p->made < p->per_slab ? p->most - p->made : p->per_slab;
        struct slab *s = n ? malloc(sizeof *s + n * p->object) : NULL;
        if (!s)
            return NULL;
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
