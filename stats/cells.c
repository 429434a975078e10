/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16

_Static_assert(sizeof(struct cells_head) * CELLS_WAYS % 64 == 0, "a set begins with a line of the cache");

struct cells *cells_new(size_t record, uint32_t count)
{
    struct cells *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    bool inside = record <= sizeof c->heads->word;
    c->record = inside ? sizeof c->heads->word : (record + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    c->most = count / CELLS_WAYS ? count / CELLS_WAYS : 1;
    c->sets = memory_begin(c->most);
    c->heads = memory_reserve(sizeof *c->heads * CELLS_WAYS * c->most);
    if (!inside)
        c->records = memory_reserve(c->record * CELLS_WAYS * c->most);
    if (c->heads && (inside || c->records))
        return c;
    cells_free(c);
    return NULL;
}

void cells_free(struct cells *c)
{
    if (!c)
        return;
    memory_unmap(c->heads, sizeof *c->heads * CELLS_WAYS * c->most);
    memory_unmap(c->records, c->record * CELLS_WAYS * c->most);
    free(c);
}

static __attribute__((noinline)) void grow(struct cells *c)
{
    uint32_t sets = 2 * c->sets;
    for (uint32_t set = c->sets; set-- > 0;) {
        struct cells_head *h = &c->heads[(size_t)set * CELLS_WAYS], *end = h + CELLS_WAYS, *to[2];
        to[0] = &c->heads[(size_t)set * 2 * CELLS_WAYS];
        to[1] = to[0] + CELLS_WAYS;
        for (; h < end && h->used != 0; h++) { /* set 0 moves within itself, to the front */
            struct cells_head one = *h;
            h->used = 0;
            *to[memory_place(one.key, sets) & 1]++ = one;
        }
    }
    c->sets = sets;
    if (sizeof *c->heads * CELLS_WAYS * sets >= MEMORY_HUGE)
        memory_hugely(c->heads, sizeof *c->heads * CELLS_WAYS * c->most);
    if (c->records && c->record * c->count >= MEMORY_HUGE)
        memory_hugely(c->records, c->record * CELLS_WAYS * c->most);
}

/* The one of a full set that was used longest ago. */
static __attribute__((noinline)) struct cells_head *oldest_of(struct cells_head *set)
{
    struct cells_head *oldest = set;
    for (int i = 1; i < CELLS_WAYS; i++)
        oldest = set[i].used < oldest->used ? &set[i] : oldest;
    return oldest;
}

void *cells_add(struct cells *c, uint64_t key, int64_t now)
{
    struct cells_head *h, *end;
    for (;; grow(c)) {
        h = cells_set(c, key);
        end = h + CELLS_WAYS;
        while (h < end && h->used != 0)
            h++;
        if (c->sets == c->most || (h < end && c->count <= c->sets * (CELLS_WAYS / 2)))
            break;
    }
    bool full = h == end;
    if (full)
        h = oldest_of(end - CELLS_WAYS);
    h->key = key;
    h->used = now ? now : 1;
    if (!c->records) {
        c->count += !full;
        h->word = 0;
        return &h->word;
    }
    if (!full)
        h->slot = c->count++; /* one that nobody has written to is zero already */
    void *record = cells_record(c, h);
    if (full)
        memset(record, 0, c->record);
    return record;
}

const void *cells_each(const struct cells *c, const void *after)
{
    assert(c->records);
    size_t i = after ? (size_t)((const uint8_t *)after - c->records) / c->record + 1 : 0;
    return i < c->count ? c->records + i * c->record : NULL;
}
