/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocks.h"

#define ALIGNMENT 16

_Static_assert(sizeof(struct cells_head) * CELLS_WAYS % 64 == 0, "a set begins with a line of the cache");

static size_t heads_bytes(uint32_t sets)
{
    return sizeof(struct cells_head) * CELLS_WAYS * sets;
}

static uint32_t blocks_most(const struct cells *c)
{
    return c->a_block ? (c->most * CELLS_WAYS + c->a_block - 1) / c->a_block : 0;
}

struct cells *cells_new(struct memory *m, size_t record, uint32_t count)
{
    struct cells *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    bool inside = record <= sizeof c->heads->word;
    c->memory = m;
    c->record = inside ? sizeof c->heads->word : (record + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    c->a_block = inside ? 0 : (uint32_t)(BLOCK_BYTES / c->record);
    assert(inside || c->a_block > 0);
    c->most = count / CELLS_WAYS ? count / CELLS_WAYS : 1;
    c->sets = memory_begin(c->most);
    c->heads = memory_zeroed(m, heads_bytes(c->sets));
    if (!inside) {
        c->blocks = calloc(blocks_most(c), sizeof *c->blocks);
        c->spare = memory_get(m, c->record);
    }
    if (c->heads && (inside || (c->blocks && c->spare)))
        return c;
    cells_free(c);
    return NULL;
}

void cells_free(struct cells *c)
{
    if (!c)
        return;
    memory_put(c->memory, c->heads, heads_bytes(c->sets));
    for (uint32_t i = 0; c->blocks && i < blocks_most(c); i++)
        memory_put(c->memory, c->blocks[i], BLOCK_BYTES);
    memory_put(c->memory, c->spare, c->record);
    free(c->blocks);
    free(c);
}

static __attribute__((noinline)) bool grow(struct cells *c) /* false: out of memory */
{
    uint32_t sets = 2 * c->sets;
    struct cells_head *wider = memory_zeroed(c->memory, heads_bytes(sets));
    if (!wider)
        return false;
    for (uint32_t set = 0; set < c->sets; set++) {
        const struct cells_head *h = &c->heads[(size_t)set * CELLS_WAYS], *end = h + CELLS_WAYS;
        struct cells_head *to[2] = {&wider[(size_t)set * 2 * CELLS_WAYS], &wider[((size_t)set * 2 + 1) * CELLS_WAYS]};
        for (; h < end && h->used != 0; h++)
            *to[memory_place(h->key, sets) & 1]++ = *h;
    }
    memory_put(c->memory, c->heads, heads_bytes(c->sets));
    c->heads = wider;
    c->sets = sets;
    return true;
}

/* The one of a full set that was used longest ago. */
static __attribute__((noinline)) struct cells_head *oldest_of(struct cells_head *set)
{
    struct cells_head *oldest = set;
    for (int i = 1; i < CELLS_WAYS; i++)
        oldest = set[i].used < oldest->used ? &set[i] : oldest;
    return oldest;
}

void cells_near(const struct cells *c, uint64_t key, size_t bytes)
{
    struct cells_head *set = cells_set(c, key), *h = cells_head(c, key);
    if (!h && set[CELLS_WAYS - 1].used != 0) {
        h = oldest_of(set);
        bytes = c->record; /* it will be cleared */
    }
    for (size_t at = 0; h && c->a_block && at < bytes; at += 64)
        __builtin_prefetch((const char *)h->record + at, 1);
}

/* One that nobody has had; NULL: out of memory. */
static void *record_new(struct cells *c)
{
    uint8_t **block = &c->blocks[c->count / c->a_block];
    if (!*block)
        *block = memory_zeroed(c->memory, BLOCK_BYTES);
    return *block ? *block + (c->count % c->a_block) * c->record : NULL;
}

void *cells_add(struct cells *c, uint64_t key, int64_t now)
{
    struct cells_head *h, *end;
    do {
        h = cells_set(c, key);
        end = h + CELLS_WAYS;
        while (h < end && h->used != 0)
            h++;
    } while (c->sets < c->most && (h == end || c->count > c->sets * (CELLS_WAYS / 2)) && grow(c));
    bool full = h == end;
    if (full)
        h = oldest_of(end - CELLS_WAYS);
    void *record = !c->a_block ? &h->word : full ? h->record : record_new(c);
    if (!record)
        return memset(c->spare, 0, c->record);
    if (full || !c->a_block)
        memset(record, 0, c->record);
    if (c->a_block)
        h->record = record;
    h->key = key;
    h->used = now ? now : 1;
    c->count += !full;
    return record;
}

const void *cells_at(const struct cells *c, uint32_t i)
{
    assert(c->a_block);
    return i < c->count ? c->blocks[i / c->a_block] + (i % c->a_block) * c->record : NULL;
}
