/* A slab is 16 KiB, begins at a multiple of its size, and so is found from each of its objects.  Its free objects are threaded through
 * themselves; slabs with room stand in a ring for each size.  Slabs are cut from regions, each twice the one before, up to the size of a
 * huge page: what is small stays small, what is large costs few page faults and few misses of the TLB.  What came back last goes out
 * first, without a look at its slab: a few objects of each size are at hand. */
#include "base/slabs.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLAB         ((size_t)16 << 10)
#define FIRST_REGION ((size_t)64 << 10)
#define LAST_REGION  ((size_t)2 << 20)
#define AT_HAND      16u /* objects of a size */
enum { SIZES = 8 + 4 + 3 }; /* by 16 to 128, by 32 to 256, by 64 to 448 */

/* Of so many sixteens of bytes, less one: the size, as a number and in bytes. */
static const uint8_t class_by_16[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14};
static const uint16_t size_of_class[SIZES] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448};
static_assert(sizeof class_by_16 * 16 == SLABS_MOST, "each size has its class");

struct vacant {
    struct vacant *next;
};

struct slab {
    struct slab *next, *before; /* with room, of this size; next alone: empty, of no size */
    struct vacant *vacant;
    uint16_t used, fresh, most; /* objects out, never out, that it holds */
    alignas(64) unsigned char room[]; /* a cache line: an object of some lines touches no more than those */
};

struct region {
    struct region *next;
    void *start;
};

struct slabs {
    struct {
        unsigned n;
        void *object[AT_HAND];
    } at_hand[SIZES];
    struct slab *with_room[SIZES];
    struct slab *empty;
    unsigned char *cut; /* of the newest region: the next slab */
    size_t left;        /* bytes of it */
    size_t next;        /* bytes of the region to come */
    struct region *regions;
};

struct slabs *slabs_new(void)
{
    struct slabs *s = calloc(1, sizeof *s);
    if (s)
        s->next = FIRST_REGION;
    return s;
}

void slabs_free(struct slabs *s)
{
    if (!s)
        return;
    for (struct region *r = s->regions, *next; r; r = next) {
        next = r->next;
        free(r->start);
        free(r);
    }
    free(s);
}

static unsigned class_of(size_t n)
{
    return class_by_16[(n - 1) / 16];
}

size_t slabs_size(size_t n)
{
    return size_of_class[class_of(n)];
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

static bool region_new(struct slabs *s)
{
    struct region *r = malloc(sizeof *r);
    void *start = r ? aligned_alloc(s->next < LAST_REGION ? SLAB : LAST_REGION, s->next) : NULL;
    if (!start) {
        free(r);
        return false;
    }
    if (s->next == LAST_REGION)
        madvise(start, LAST_REGION, MADV_HUGEPAGE); /* a wish */
    *r = (struct region){s->regions, start};
    s->regions = r;
    s->cut = start;
    s->left = s->next;
    if (s->next < LAST_REGION)
        s->next *= 2;
    return true;
}

static struct slab *slab_new(struct slabs *s, size_t size)
{
    struct slab *slab = s->empty;
    if (slab) {
        s->empty = slab->next;
    } else {
        if (s->left == 0 && !region_new(s))
            return NULL;
        slab = (struct slab *)(void *)s->cut;
        s->cut += SLAB;
        s->left -= SLAB;
    }
    uint16_t most = (uint16_t)((SLAB - sizeof *slab) / size);
    *slab = (struct slab){.fresh = most, .most = most};
    return slab;
}

/* ---- objects -------------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void *take(struct slabs *s, unsigned class) /* seldom: its registers are not saved each time */
{
    struct slab **ring = &s->with_room[class], *slab = *ring;
    if (!slab) {
        slab = slab_new(s, size_of_class[class]);
        if (!slab)
            return NULL;
        link_before(ring, slab);
    }
    void *object = slab->vacant;
    if (object)
        slab->vacant = slab->vacant->next;
    else
        object = slab->room + (slab->most - slab->fresh--) * (size_t)size_of_class[class];
    if (++slab->used == slab->most)
        unlink_slab(ring, slab);
    return object;
}

static __attribute__((noinline)) void give(struct slabs *s, void *p, unsigned class)
{
    struct slab *slab = (struct slab *)(void *)((unsigned char *)p - ((uintptr_t)p & (SLAB - 1)));
    struct slab **ring = &s->with_room[class];
    struct vacant *v = p;
    v->next = slab->vacant;
    slab->vacant = v;
    if (slab->used-- == slab->most)
        link_before(ring, slab);
    if (slab->used == 0 && slab->next != slab) { /* not the only one with room */
        unlink_slab(ring, slab);
        slab->next = s->empty;
        s->empty = slab;
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
