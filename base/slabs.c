/* A slab is a block (base/blocks.h), and so is found from each of its objects.  Its free objects are threaded through themselves; slabs
 * with room stand in a ring for each size.  What came back last goes out first, without a look at its slab: a few objects of each size are
 * at hand. */
#include "base/slabs.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/blocks.h"

#define UNIT    ((size_t)16) /* bytes */
#define AT_HAND 16u          /* objects of a size */
enum { SIZES = 48 };         /* by 16 to 256, and from there of each doubling eight: a sixteenth is lost on average */

struct vacant {
    struct vacant *next;
};

struct slab {
    struct slab *next, *before; /* with room, of this size */
    struct vacant *vacant;
    uint16_t used, fresh, most; /* objects out, never out, that it holds */
    alignas(64) unsigned char room[]; /* a cache line: an object of some lines touches no more than those */
};

struct slabs {
    struct {
        unsigned n;
        void *object[AT_HAND];
    } at_hand[SIZES];
    struct slab *with_room[SIZES];
    struct blocks *blocks;
};

struct slabs *slabs_new(struct blocks *blocks)
{
    struct slabs *s = calloc(1, sizeof *s);
    if (s)
        s->blocks = blocks;
    return s;
}

void slabs_free(struct slabs *s)
{
    free(s);
}

static unsigned class_of(size_t n)
{
    unsigned units = (unsigned)((n - 1) / UNIT), shift = units < 16 ? 0 : 28 - (unsigned)__builtin_clz(units);
    return shift * 8 + (units >> shift);
}

static size_t size_of(unsigned class)
{
    unsigned shift = class < 16 ? 0 : class / 8 - 1;
    return (size_t)(class - shift * 8 + 1) << shift << 4;
}

size_t slabs_size(size_t n)
{
    return size_of(class_of(n));
}

/* ---- slabs with room ------------------------------------------------------------------------------------------------------------ */

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

static struct slab *slab_new(struct slabs *s, size_t size)
{
    struct slab *slab = blocks_get(s->blocks, BLOCK_BYTES, false);
    if (!slab)
        return NULL;
    uint16_t most = (uint16_t)((BLOCK_BYTES - sizeof *slab) / size);
    *slab = (struct slab){.fresh = most, .most = most};
    return slab;
}

/* ---- objects -------------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void *take(struct slabs *s, unsigned class) /* seldom: its registers are not saved each time */
{
    struct slab **ring = &s->with_room[class], *slab = *ring;
    if (!slab) {
        slab = slab_new(s, size_of(class));
        if (!slab)
            return NULL;
        link_before(ring, slab);
    }
    void *object = slab->vacant;
    if (object)
        slab->vacant = slab->vacant->next;
    else
        object = slab->room + (slab->most - slab->fresh--) * size_of(class);
    if (++slab->used == slab->most)
        unlink_slab(ring, slab);
    return object;
}

static __attribute__((noinline)) void give(struct slabs *s, void *p, unsigned class)
{
    struct slab *slab = (struct slab *)(void *)((unsigned char *)p - ((uintptr_t)p & (BLOCK_BYTES - 1)));
    struct slab **ring = &s->with_room[class];
    struct vacant *v = p;
    v->next = slab->vacant;
    slab->vacant = v;
    if (slab->used-- == slab->most)
        link_before(ring, slab);
    if (slab->used == 0 && slab->next != slab) { /* not the only one with room */
        unlink_slab(ring, slab);
        blocks_put(s->blocks, slab, BLOCK_BYTES);
    }
}

void *slabs_get(struct slabs *s, size_t n)
{
    assert(n >= 1 && n <= SLABS_MOST);
    unsigned class = class_of(n), at_hand = s->at_hand[class].n;
    if (at_hand == 0)
        return take(s, class);
    s->at_hand[class].n = --at_hand;
    return s->at_hand[class].object[at_hand];
}

void slabs_put(struct slabs *s, void *p, size_t n)
{
    if (!p)
        return;
    unsigned class = class_of(n), at_hand = s->at_hand[class].n;
    if (at_hand == AT_HAND) {
        give(s, p, class);
        return;
    }
    s->at_hand[class].object[at_hand] = p;
    s->at_hand[class].n = at_hand + 1;
}
