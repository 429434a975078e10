/* In: keys (hashes) as they are seen, with the time.  Out: how often each was seen in the span that ends now, to the detectors that
 * count "n in ten minutes".
 *
 * A key stands in any of the eight places of its set, the empty ones last; when all are taken the one with the smallest count makes room,
 * so a key that is seen often survives a flood of keys seen once (the idea of HeavyGuardian, Yang et al. 2018). Its span has sixteen
 * slices; a ring with a count for each is needed only by a key that was seen in more than one of them. */
#include "stats/window.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/pages.h"
#include "stats/memory.h"

#define SLICES 16
#define WAYS   8
#define KEY_0  UINT64_C(0x9e3779b97f4a7c15) /* stands for key 0, which says that a place is empty */

struct way { /* all but the rings: what there is to say of a key stands in one line of the cache, and no page of rings is touched */
    uint64_t key;    /* 0: empty, as are those behind it in its set */
    uint32_t newest; /* number of its newest slice since the epoch, cut to 32 bits */
    uint32_t total : 31, spread : 1; /* 0: all in the newest slice, and the ring says nothing */
};

struct ring {
    uint32_t count[SLICES];
};

struct window {
    struct memory *memory;
    int64_t slice_length;
    int64_t slice_begin;  /* of the slice last asked for, so that most times need no division */
    uint32_t slice;
    uint32_t sets, most; /* now; at the end */
    uint32_t taken;      /* ways that are not empty */
    struct way *way;     /* WAYS for each set */
    struct ring *ring;   /* one for each of them, in address space for all that there may be */
};

static size_t ways_bytes(uint32_t sets)
{
    return sizeof(struct way) * WAYS * sets;
}

struct window *window_new(struct memory *m, int64_t span, uint32_t keys)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->memory = m;
    w->slice_length = span / SLICES > 0 ? span / SLICES : 1;
    w->most = keys / WAYS ? keys / WAYS : 1;
    w->sets = memory_begin(w->most);
    w->way = memory_zeroed(m, ways_bytes(w->sets));
    w->ring = pages_reserve(sizeof *w->ring * WAYS * w->most);
    if (w->way && w->ring)
        return w;
    window_free(w);
    return NULL;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    memory_put(w->memory, w->way, ways_bytes(w->sets));
    pages_unmap(w->ring, sizeof *w->ring * WAYS * w->most);
    free(w);
}

static uint32_t slice_of(struct window *w, int64_t now)
{
    if (now < w->slice_begin || now - w->slice_begin >= w->slice_length) {
        int64_t slice = now / w->slice_length;
        w->slice = (uint32_t)slice;
        w->slice_begin = slice * w->slice_length;
    }
    return w->slice;
}

static struct way *set_of(const struct window *w, uint64_t key)
{
    return &w->way[(size_t)memory_place(key, w->sets) * WAYS];
}

static struct ring *ring_of(const struct window *w, const struct way *way)
{
    return &w->ring[way - w->way];
}

static struct way *way_of(const struct window *w, uint64_t key) /* NULL: not there */
{
    struct way *set = set_of(w, key);
    for (uint32_t i = 0; i < WAYS && set[i].key; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* What is left of a key's total when `slice` is the newest. */
static uint32_t total_at(const struct window *w, const struct way *way, uint32_t slice)
{
    int32_t steps = (int32_t)(slice - way->newest);
    if (steps >= SLICES)
        return 0;
    uint32_t total = way->total;
    const struct ring *r = ring_of(w, way);
    for (int32_t i = 1; way->spread && i <= steps; i++)
        total -= r->count[(way->newest + (uint32_t)i) % SLICES];
    return total;
}

/* Forgets the slices that have left the span.  A time before the newest slice (packets out of order) changes nothing. */
static void turn(struct window *w, struct way *way, uint32_t slice)
{
    uint32_t before = way->newest;
    int32_t steps = (int32_t)(slice - before);
    if (steps <= 0)
        return;
    uint32_t left = total_at(w, way, slice);
    struct ring *r = ring_of(w, way);
    if (left && !way->spread) {
        *r = (struct ring){0};
        r->count[before % SLICES] = left;
    }
    for (int32_t i = 1; i <= steps && left; i++)
        r->count[(before + (uint32_t)i) % SLICES] = 0;
    way->newest = slice;
    way->total = left & WINDOW_MOST;
    way->spread = left > 0;
}

static __attribute__((noinline)) bool grow(struct window *w) /* false: out of memory */
{
    uint32_t sets = 2 * w->sets;
    struct way *wider = memory_zeroed(w->memory, ways_bytes(sets));
    if (!wider)
        return false;
    for (uint32_t set = w->sets; set-- > 0;) { /* rings move up in place, set 0 within itself, to the front */
        const struct way *way = &w->way[(size_t)set * WAYS], *end = way + WAYS;
        struct way *to[2] = {&wider[(size_t)set * 2 * WAYS], &wider[((size_t)set * 2 + 1) * WAYS]};
        for (; way < end && way->key; way++) {
            struct way *next = to[memory_place(way->key, sets) & 1]++;
            if (way->spread && next - wider != way - w->way)
                w->ring[next - wider] = *ring_of(w, way);
            *next = *way;
        }
    }
    memory_put(w->memory, w->way, ways_bytes(w->sets));
    w->way = wider;
    w->sets = sets;
    if (sizeof *w->ring * WAYS * sets >= PAGES_HUGE)
        pages_hugely(w->ring, sizeof *w->ring * WAYS * w->most);
    return true;
}

/* The one with the smallest count of a set that has none without. */
static __attribute__((noinline)) struct way *least(const struct window *w, struct way *set, uint32_t slice)
{
    struct way *way = set;
    uint32_t smallest = UINT32_MAX;
    for (uint32_t i = 0; i < WAYS && smallest > 1; i++) {
        uint32_t total = set[i].spread ? total_at(w, &set[i], slice) : set[i].total;
        if (total < smallest) {
            smallest = total;
            way = &set[i];
        }
    }
    return way;
}

static bool is_free(const struct way *way, uint32_t slice) /* empty, or its counts have all left the span */
{
    return way->total == 0 || (int32_t)(slice - way->newest) >= SLICES;
}

/* There is a place for a key that has none, and the table is not so full that it should grow first. */
static bool has_room(const struct window *w, const struct way *place)
{
    return place && (place->key || w->taken <= w->sets * (WAYS / 2) || w->sets == w->most);
}

static uint32_t begin(struct window *w, struct way *place, uint64_t key, uint32_t slice, uint32_t n)
{
    w->taken += place->key == 0;
    *place = (struct way){.key = key, .newest = slice, .total = (n < WINDOW_MOST ? n : WINDOW_MOST) & WINDOW_MOST};
    return place->total;
}

/* The cases that are not the rule stand apart: the rule then has no registers to save. */
static __attribute__((noinline)) uint32_t add_grown(struct window *w, uint64_t key, uint32_t slice, uint32_t n)
{
    struct way *way, *end;
    do {
        way = set_of(w, key);
        end = way + WAYS;
        while (way < end && !is_free(way, slice))
            way++;
    } while (!has_room(w, way < end ? way : NULL) && w->sets < w->most && grow(w));
    return begin(w, way < end ? way : least(w, end - WAYS, slice), key, slice, n);
}

static uint32_t add(struct window *w, struct way *way, uint32_t n)
{
    uint32_t total = way->total, added = n < WINDOW_MOST - total ? n : WINDOW_MOST - total;
    if (way->spread)
        ring_of(w, way)->count[way->newest % SLICES] += added;
    way->total = (total + added) & WINDOW_MOST;
    return total + added;
}

static __attribute__((noinline)) uint32_t add_later(struct window *w, struct way *way, uint32_t slice, uint32_t n)
{
    turn(w, way, slice);
    return add(w, way, n);
}

void window_expect(const struct window *w, uint64_t key)
{
    const struct way *set = set_of(w, key);
    __builtin_prefetch(set, 1);
    __builtin_prefetch(set + WAYS / 2, 1);
}

uint32_t window_add(struct window *w, uint64_t key, uint32_t n, int64_t now)
{
    key = key ? key : KEY_0;
    uint32_t slice = slice_of(w, now);
    struct way *way = way_of(w, key);
    if (way)
        return way->newest == slice ? add(w, way, n) : add_later(w, way, slice, n);
    struct way *set = set_of(w, key), *end = set + WAYS;
    for (way = set; way < end && !is_free(way, slice);)
        way++;
    return way < end && has_room(w, way) ? begin(w, way, key, slice, n) : add_grown(w, key, slice, n);
}

uint32_t window_count(struct window *w, uint64_t key, int64_t now)
{
    const struct way *way = way_of(w, key ? key : KEY_0);
    return way ? total_at(w, way, slice_of(w, now)) : 0;
}
