/* In: keys (hashes) as they are seen, with the time.  Out: how often each was seen in the span that ends now, to the detectors that
 * count "n in ten minutes".
 *
 * A cell is a ring of sixteen slices of the span.  A key may stand in any of the eight cells of its set; when all are taken the one
 * with the smallest count makes room, so a key that is seen often survives a flood of keys seen once (the idea of HeavyGuardian, Yang
 * et al. 2018). */
#include "stats/window.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define SLICES 16
#define WAYS   8

struct cell {
    uint64_t key;
    uint32_t slice; /* number of the newest slice since the epoch, cut to 32 bits */
    uint32_t total;
    uint16_t count[SLICES]; /* stops at its most */
};

struct window {
    int64_t slice_length;
    uint32_t sets;
    struct cell *cells;
};

struct window *window_new(int64_t span, uint32_t keys)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->slice_length = span / SLICES > 0 ? span / SLICES : 1;
    w->sets = keys / WAYS ? keys / WAYS : 1;
    w->cells = memory_map(sizeof(struct cell) * WAYS * w->sets);
    if (w->cells)
        return w;
    free(w);
    return NULL;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    memory_unmap(w->cells, sizeof(struct cell) * WAYS * w->sets);
    free(w);
}

static uint32_t slice_of(const struct window *w, int64_t now)
{
    return (uint32_t)(now / w->slice_length);
}

/* Forgets the slices that have left the span.  A time before the newest slice (packets out of order) changes nothing. */
static void turn(struct cell *c, uint32_t slice)
{
    int32_t steps = (int32_t)(slice - c->slice);
    if (steps <= 0)
        return;
    if (steps >= SLICES) {
        memset(c->count, 0, sizeof c->count);
        c->total = 0;
    } else {
        for (uint32_t s = c->slice + 1; s != slice + 1; s++) {
            c->total -= c->count[s % SLICES];
            c->count[s % SLICES] = 0;
        }
    }
    c->slice = slice;
}

static struct cell *set_of(const struct window *w, uint64_t key)
{
    return &w->cells[(size_t)memory_place(key, w->sets) * WAYS];
}

uint32_t window_add(struct window *w, uint64_t key, uint32_t n, int64_t now)
{
    uint32_t slice = slice_of(w, now);
    struct cell *set = set_of(w, key), *c = NULL, *least = &set[0];
    for (int i = 0; i < WAYS && !c; i++) {
        if (set[i].key == key)
            c = &set[i];
        else if (set[i].total > 0)
            turn(&set[i], slice);
        if (set[i].total < least->total)
            least = &set[i];
    }
    if (!c) {
        c = least;
        memset(c, 0, sizeof *c);
        c->key = key;
        c->slice = slice;
    }
    turn(c, slice);
    uint16_t *newest = &c->count[c->slice % SLICES];
    uint32_t room = (uint32_t)(UINT16_MAX - *newest), added = n < room ? n : room;
    *newest = (uint16_t)(*newest + added);
    c->total += added;
    return c->total;
}

uint32_t window_count(const struct window *w, uint64_t key, int64_t now)
{
    const struct cell *set = set_of(w, key);
    for (int i = 0; i < WAYS; i++)
        if (set[i].key == key) {
            struct cell seen = set[i];
            turn(&seen, slice_of(w, now));
            return seen.total;
        }
    return 0;
}
