/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define WAYS 8

struct head { /* before each record */
    uint64_t key;
    int64_t used; /* when last taken; 0 with key 0: empty */
};

struct cells {
    size_t stride, record; /* bytes from one head to the next; of a record */
    uint32_t sets;
    uint8_t *memory;
};

struct cells *cells_new(size_t record, uint32_t count)
{
    struct cells *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->record = record;
    c->stride = sizeof(struct head) + (record + sizeof(struct head) - 1) / sizeof(struct head) * sizeof(struct head);
    c->sets = count / WAYS ? count / WAYS : 1;
    c->memory = memory_map(c->stride * WAYS * c->sets);
    if (c->memory)
        return c;
    free(c);
    return NULL;
}

void cells_free(struct cells *c)
{
    if (!c)
        return;
    memory_unmap(c->memory, c->stride * WAYS * c->sets);
    free(c);
}

static struct head *head_at(const struct cells *c, uint64_t key, uint32_t way)
{
    return (struct head *)(void *)(c->memory + ((size_t)memory_place(key, c->sets) * WAYS + way) * c->stride);
}

void *cells_find(const struct cells *c, uint64_t key)
{
    for (uint32_t i = 0; i < WAYS; i++) {
        struct head *h = head_at(c, key, i);
        if (h->key == key && h->used != 0)
            return h + 1;
    }
    return NULL;
}

void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh)
{
    struct head *coldest = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        struct head *h = head_at(c, key, i);
        if (h->key == key && h->used != 0) {
            h->used = now ? now : 1;
            *fresh = false;
            return h + 1;
        }
        if (!coldest || h->used < coldest->used)
            coldest = h;
    }
    memset(coldest, 0, c->stride);
    coldest->key = key;
    coldest->used = now ? now : 1;
    *fresh = true;
    return coldest + 1;
}
