/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define WAYS      8
#define ALIGNMENT 16

struct heads { /* of the records of a set, apart from them: looking costs two lines of the cache */
    uint64_t key[WAYS];
    int64_t used[WAYS]; /* when last taken; 0: empty */
};

struct cells {
    size_t record, zeroed; /* bytes */
    uint32_t sets;
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
    c->sets = count / WAYS ? count / WAYS : 1;
    c->heads = memory_map(sizeof *c->heads * c->sets);
    c->records = memory_map(c->record * WAYS * c->sets);
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
    memory_unmap(c->heads, sizeof *c->heads * c->sets);
    memory_unmap(c->records, c->record * WAYS * c->sets);
    free(c);
}

static void *record_at(const struct cells *c, uint32_t set, uint32_t way)
{
    return c->records + ((size_t)set * WAYS + way) * c->record;
}

void *cells_find(const struct cells *c, uint64_t key)
{
    uint32_t set = memory_place(key, c->sets);
    const struct heads *h = &c->heads[set];
    for (uint32_t i = 0; i < WAYS; i++)
        if (h->key[i] == key && h->used[i] != 0)
            return record_at(c, set, i);
    return NULL;
}

void cells_expect(const struct cells *c, uint64_t key)
{
    const struct heads *h = &c->heads[memory_place(key, c->sets)];
    __builtin_prefetch(h->key);
    __builtin_prefetch(h->used, 1);
}

void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh)
{
    uint32_t set = memory_place(key, c->sets), way = 0;
    struct heads *h = &c->heads[set];
    while (way < WAYS && (h->key[way] != key || h->used[way] == 0))
        way++;
    *fresh = way == WAYS;
    if (*fresh) {
        way = 0;
        for (uint32_t i = 1; i < WAYS; i++)
            way = h->used[i] < h->used[way] ? i : way;
        memset(record_at(c, set, way), 0, c->zeroed);
    }
    h->key[way] = key;
    h->used[way] = now ? now : 1;
    return record_at(c, set, way);
}

const void *cells_each(const struct cells *c, const void *after)
{
    size_t i = after ? (size_t)((const uint8_t *)after - c->records) / c->record + 1 : 0;
    for (; i < (size_t)c->sets * WAYS; i++)
        if (c->heads[i / WAYS].used[i % WAYS] != 0)
            return c->records + i * c->record;
    return NULL;
}
