/* In: keys (hashes) as they are seen, with the time.  Out: how often each was seen in the span that ends now, to the detectors that
 * count "n in ten minutes".
 *
 * A key stands in any of the eight places of its set; when all are taken the one with the smallest count makes room, so a key that is
 * seen often survives a flood of keys seen once (the idea of HeavyGuardian, Yang et al. 2018). Its span has sixteen slices; a ring with a
 * count for each is needed only by a key that was seen in more than one of them. */
#include "stats/window.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define SLICES 16
#define WAYS   8

struct set { /* all but the rings: a key seen once costs two lines of the cache, and no page of rings */
    uint64_t key[WAYS];
    struct {
        uint32_t newest; /* number of its newest slice since the epoch, cut to 32 bits */
        uint32_t total : 31, spread : 1; /* 0: all in the newest slice, and the ring says nothing */
    } way[WAYS];
};

struct ring {
    uint32_t count[SLICES];
};

struct window {
    int64_t slice_length;
    int64_t slice_begin;  /* of the slice last asked for, so that most times need no division */
    uint32_t slice;
    uint32_t sets, most; /* now; at the end */
    uint32_t taken;      /* ways ever used */
    struct set *set;
    struct ring *ring; /* WAYS for each set */
};

struct window *window_new(int64_t span, uint32_t keys)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->slice_length = span / SLICES > 0 ? span / SLICES : 1;
    w->most = keys / WAYS ? keys / WAYS : 1;
    w->sets = memory_begin(w->most);
    w->set = memory_map(sizeof *w->set * w->most);
    w->ring = memory_map(sizeof *w->ring * WAYS * w->most);
    if (w->set && w->ring)
        return w;
    window_free(w);
    return NULL;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    memory_unmap(w->set, sizeof *w->set * w->most);
    memory_unmap(w->ring, sizeof *w->ring * WAYS * w->most);
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

static uint32_t set_of(const struct window *w, uint64_t key)
{
    return memory_place(key, w->sets);
}

static struct ring *ring_of(const struct window *w, uint32_t set, int way)
{
    return &w->ring[(size_t)set * WAYS + (size_t)way];
}

static int way_of(const struct set *s, uint64_t key)
{
    for (int i = 0; i < WAYS; i++)
        if (s->key[i] == key)
            return i;
    return -1;
}

/* What a ring still counts, of `total`, so many slices later. */
static uint32_t ring_left(const struct ring *r, uint32_t total, uint32_t newest, int32_t steps)
{
    for (int32_t i = 1; i <= steps; i++)
        total -= r->count[(newest + (uint32_t)i) % SLICES];
    return total;
}

/* What is left of a key's total when `slice` is the newest. */
static inline uint32_t total_at(const struct window *w, uint32_t set, int way, uint32_t slice)
{
    const struct set *s = &w->set[set];
    int32_t steps = (int32_t)(slice - s->way[way].newest);
    if (steps >= SLICES)
        return 0;
    uint32_t total = s->way[way].total;
    return steps <= 0 || !s->way[way].spread ? total : ring_left(ring_of(w, set, way), total, s->way[way].newest, steps);
}

/* Forgets the slices that have left the span.  A time before the newest slice (packets out of order) changes nothing. */
static void turn(struct window *w, uint32_t set, int way, uint32_t slice)
{
    struct set *s = &w->set[set];
    uint32_t before = s->way[way].newest;
    int32_t steps = (int32_t)(slice - before);
    if (steps <= 0)
        return;
    uint32_t left = total_at(w, set, way, slice);
    struct ring *r = ring_of(w, set, way);
    if (left && !s->way[way].spread) {
        *r = (struct ring){0};
        r->count[before % SLICES] = left;
    }
    for (int32_t i = 1; i <= steps && left; i++)
        r->count[(before + (uint32_t)i) % SLICES] = 0;
    s->way[way].newest = slice;
    s->way[way].total = left & WINDOW_MOST;
    s->way[way].spread = left > 0;
}

static bool unused(const struct set *s, int way)
{
    return s->key[way] == 0 && s->way[way].total == 0;
}

static void grow(struct window *w)
{
    uint32_t sets = 2 * w->sets;
    for (uint32_t set = w->sets; set-- > 0;) {
        const struct set from = w->set[set];
        memset(&w->set[set], 0, sizeof from);
        for (int i = 0; i < WAYS; i++) {
            uint32_t to = memory_place(from.key[i], sets);
            if (unused(&from, i))
                continue;
            w->set[to].key[i] = from.key[i];
            w->set[to].way[i] = from.way[i];
            if (to != set && from.way[i].spread)
                *ring_of(w, to, i) = *ring_of(w, set, i);
        }
    }
    w->sets = sets;
}

static bool full(const struct set *s)
{
    for (int i = 0; i < WAYS; i++)
        if (unused(s, i))
            return false;
    return true;
}

/* The way with the smallest count, emptied. */
static int make_room(struct window *w, uint32_t set, uint32_t slice)
{
    struct set *s = &w->set[set];
    int least = 0;
    uint32_t smallest = UINT32_MAX;
    for (int i = 0; i < WAYS && smallest > 0; i++) {
        uint32_t total = total_at(w, set, i, slice);
        if (total < smallest) {
            smallest = total;
            least = i;
        }
    }
    w->taken += unused(s, least);
    s->way[least].newest = slice;
    s->way[least].total = 0;
    s->way[least].spread = false;
    return least;
}

void window_expect(const struct window *w, uint64_t key)
{
    const char *s = (const char *)&w->set[set_of(w, key)];
    __builtin_prefetch(s, 1);
    __builtin_prefetch(s + 64, 1);
}

uint32_t window_add(struct window *w, uint64_t key, uint32_t n, int64_t now)
{
    uint32_t slice = slice_of(w, now), set = set_of(w, key);
    struct set *s = &w->set[set];
    int way = way_of(s, key);
    if (way < 0) {
        while (w->sets < w->most && (w->taken > w->sets * (WAYS / 2) || full(s))) {
            grow(w);
            set = set_of(w, key);
            s = &w->set[set];
        }
        way = make_room(w, set, slice);
        s->key[way] = key;
    }
    if (s->way[way].newest != slice)
        turn(w, set, way, slice);
    uint32_t total = s->way[way].total, added = n < WINDOW_MOST - total ? n : WINDOW_MOST - total;
    if (s->way[way].spread)
        ring_of(w, set, way)->count[s->way[way].newest % SLICES] += added;
    s->way[way].total = (total + added) & WINDOW_MOST;
    return total + added;
}

uint32_t window_count(struct window *w, uint64_t key, int64_t now)
{
    uint32_t set = set_of(w, key);
    int way = way_of(&w->set[set], key);
    return way < 0 ? 0 : total_at(w, set, way, slice_of(w, now));
}
