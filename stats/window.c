/* In: keys (hashes) as they are seen, with the time.  Out: how often each was seen in the span that ends now, to the detectors that
 * count "n in ten minutes".
 *
 * A key has a ring of sixteen slices of the span, in any of the eight places of its set; when all are taken the one
 * with the smallest count makes room, so a key that is seen often survives a flood of keys seen once (the idea of HeavyGuardian, Yang
 * et al. 2018). */
#include "stats/window.h"

#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define SLICES 16
#define WAYS   8

struct set { /* keys and totals together: a key that is not there costs two lines of the cache */
    uint64_t key[WAYS];
    uint32_t total[WAYS];
    uint32_t slice[WAYS]; /* number of the newest slice since the epoch, cut to 32 bits */
    uint32_t count[WAYS][SLICES];
};

struct window {
    int64_t slice_length;
    uint32_t sets;
    struct set *set;
};

struct window *window_new(int64_t span, uint32_t keys)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->slice_length = span / SLICES > 0 ? span / SLICES : 1;
    w->sets = keys / WAYS ? keys / WAYS : 1;
    w->set = memory_map(sizeof *w->set * w->sets);
    if (w->set)
        return w;
    free(w);
    return NULL;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    memory_unmap(w->set, sizeof *w->set * w->sets);
    free(w);
}

static uint32_t slice_of(const struct window *w, int64_t now)
{
    return (uint32_t)(now / w->slice_length);
}

/* What is left of a key's total when `slice` is the newest. */
static uint32_t total_at(const struct set *s, int way, uint32_t slice)
{
    int32_t steps = (int32_t)(slice - s->slice[way]);
    if (steps >= SLICES)
        return 0;
    uint32_t total = s->total[way];
    for (int32_t i = 1; i <= steps; i++)
        total -= s->count[way][(s->slice[way] + (uint32_t)i) % SLICES];
    return total;
}

/* Forgets the slices that have left the span.  A time before the newest slice (packets out of order) changes nothing. */
static void turn(struct set *s, int way, uint32_t slice)
{
    int32_t steps = (int32_t)(slice - s->slice[way]);
    if (steps <= 0)
        return;
    s->total[way] = total_at(s, way, slice);
    for (int32_t i = 1; i <= steps && i <= SLICES; i++)
        s->count[way][(s->slice[way] + (uint32_t)i) % SLICES] = 0;
    s->slice[way] = slice;
}

static struct set *set_of(const struct window *w, uint64_t key)
{
    return &w->set[memory_place(key, w->sets)];
}

static int way_of(const struct set *s, uint64_t key)
{
    for (int i = 0; i < WAYS; i++)
        if (s->key[i] == key)
            return i;
    return -1;
}

/* The way with the smallest count, emptied. */
static int make_room(struct set *s, uint32_t slice)
{
    int least = 0;
    uint32_t smallest = UINT32_MAX;
    for (int i = 0; i < WAYS && smallest > 0; i++) {
        uint32_t total = s->total[i] <= 1 && s->slice[i] == slice ? s->total[i] : total_at(s, i, slice);
        if (total < smallest) {
            smallest = total;
            least = i;
        }
    }
    memset(s->count[least], 0, sizeof s->count[least]);
    s->total[least] = 0;
    s->slice[least] = slice;
    return least;
}

uint32_t window_add(struct window *w, uint64_t key, uint32_t n, int64_t now)
{
    uint32_t slice = slice_of(w, now);
    struct set *s = set_of(w, key);
    int way = way_of(s, key);
    if (way < 0) {
        way = make_room(s, slice);
        s->key[way] = key;
    }
    turn(s, way, slice);
    uint32_t added = n < UINT32_MAX - s->total[way] ? n : UINT32_MAX - s->total[way];
    s->count[way][s->slice[way] % SLICES] += added;
    return s->total[way] += added;
}

uint32_t window_count(const struct window *w, uint64_t key, int64_t now)
{
    const struct set *s = set_of(w, key);
    int way = way_of(s, key);
    uint32_t slice = slice_of(w, now);
    return way < 0 ? 0 : total_at(s, way, slice);
}
