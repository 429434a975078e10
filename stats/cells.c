/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define WAYS      8
#define ALIGNMENT 16

struct heads { /* of the records of a set, apart from them: looking costs two lines of the cache */
    uint64_t key[WAYS];
    int64_t used[WAYS];   /* when last taken; 0: empty */
    uint32_t slot[WAYS];  /* of the record */
};

struct cells {
    size_t record, zeroed; /* bytes */
    uint32_t sets, most;   /* now; at the end */
    uint32_t count;        /* records in use: the first ones, in the order in which they were first taken */
    struct heads *heads;
    uint8_t *records;
};

struct cells *cells_new(size_t record, uint32_t count)
{
    struct cells *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->record = (record + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    c->zeroed = record;
    c->most = count / WAYS ? count / WAYS : 1;
    c->sets = memory_begin(c->most);
    c->heads = memory_map(sizeof *c->heads * c->most);
    c->records = memory_map(c->record * WAYS * c->most);
    if (c->heads && c->records)
        return c;
    cells_free(c);
    return NULL;
}

void cells_zero(struct cells *c, size_t first)
{
    c->zeroed = first;
}

void cells_free(struct cells *c)
{
    if (!c)
        return;
    memory_unmap(c->heads, sizeof *c->heads * c->most);
    memory_unmap(c->records, c->record * WAYS * c->most);
    free(c);
}

static void *record_at(const struct cells *c, uint32_t slot)
{
    return c->records + (size_t)slot * c->record;
}

void *cells_find(const struct cells *c, uint64_t key)
{
    uint32_t set = memory_place(key, c->sets);
    const struct heads *h = &c->heads[set];
    for (uint32_t i = 0; i < WAYS; i++)
        if (h->key[i] == key && h->used[i] != 0)
            return record_at(c, h->slot[i]);
    return NULL;
}

void cells_expect(const struct cells *c, uint64_t key)
{
    const struct heads *h = &c->heads[memory_place(key, c->sets)];
    __builtin_prefetch(h->key);
    __builtin_prefetch(h->used, 1);
}

static void grow(struct cells *c)
{
    uint32_t sets = 2 * c->sets;
    for (uint32_t set = c->sets; set-- > 0;) {
        const struct heads from = c->heads[set];
        c->heads[set] = (struct heads){.used = {0}};
        for (uint32_t i = 0; i < WAYS; i++)
            if (from.used[i] != 0) {
                struct heads *to = &c->heads[memory_place(from.key[i], sets)];
                to->key[i] = from.key[i];
                to->used[i] = from.used[i];
                to->slot[i] = from.slot[i];
            }
    }
    c->sets = sets;
}

static uint32_t oldest(const struct heads *h)
{
    uint32_t way = 0;
    for (uint32_t i = 1; i < WAYS; i++)
        way = h->used[i] < h->used[way] ? i : way;
    return way;
}

void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh)
{
    struct heads *h = &c->heads[memory_place(key, c->sets)];
    uint32_t way = 0;
    while (way < WAYS && (h->key[way] != key || h->used[way] == 0))
        way++;
    *fresh = way == WAYS;
    if (*fresh) {
        while (way = oldest(h), c->sets < c->most && (h->used[way] != 0 || c->count > c->sets * (WAYS / 2))) {
            grow(c);
            h = &c->heads[memory_place(key, c->sets)];
        }
        if (h->used[way] == 0)
            h->slot[way] = c->count++;
        memset(record_at(c, h->slot[way]), 0, c->zeroed);
    }
    h->key[way] = key;
    h->used[way] = now ? now : 1;
    return record_at(c, h->slot[way]);
}

const void *cells_each(const struct cells *c, const void *after)
{
    size_t i = after ? (size_t)((const uint8_t *)after - c->records) / c->record + 1 : 0;
    return i < c->count ? c->records + i * c->record : NULL;
}
