/* In: keys (hashes).  Out: the record of each, to the detectors that remember something by address, pair or thread. */
#include "stats/cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stats/memory.h"

#define WAYS      8
#define ALIGNMENT 16

struct head { /* of a record, apart from it: those of a set stand together, the empty ones last */
    uint64_t key;
    int64_t used;      /* when last taken; 0: empty */
    union {
        uint64_t word; /* the record itself, where it is not larger than this: one miss of the cache less */
        uint32_t slot; /* else where it is */
    };
};

struct cells {
    size_t record;         /* bytes */
    uint32_t sets, most;   /* now; at the end */
    uint32_t count;        /* records in use: the first ones, in the order in which they were first taken */
    struct head *heads;    /* WAYS for each set */
    uint8_t *records;      /* NULL: they are inside the heads */
};

_Static_assert(sizeof(struct head) * WAYS % 64 == 0, "a set begins with a line of the cache");

struct cells *cells_new(size_t record, uint32_t count)
{
    struct cells *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    bool inside = record <= sizeof c->heads->word;
    c->record = inside ? sizeof c->heads->word : (record + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    c->most = count / WAYS ? count / WAYS : 1;
    c->sets = memory_begin(c->most);
    c->heads = memory_reserve(sizeof *c->heads * WAYS * c->most);
    if (!inside)
        c->records = memory_reserve(c->record * WAYS * c->most);
    if (c->heads && (inside || c->records))
        return c;
    cells_free(c);
    return NULL;
}

void cells_free(struct cells *c)
{
    if (!c)
        return;
    memory_unmap(c->heads, sizeof *c->heads * WAYS * c->most);
    memory_unmap(c->records, c->record * WAYS * c->most);
    free(c);
}

static void *record_of(const struct cells *c, struct head *h)
{
    return c->records ? c->records + (size_t)h->slot * c->record : (void *)&h->word;
}

static struct head *set_of(const struct cells *c, uint64_t key)
{
    return &c->heads[(size_t)memory_place(key, c->sets) * WAYS];
}

static struct head *head_of(const struct cells *c, uint64_t key) /* NULL: not there */
{
    struct head *set = set_of(c, key);
    for (uint32_t i = 0; i < WAYS && set[i].used != 0; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

void *cells_find(const struct cells *c, uint64_t key)
{
    struct head *h = head_of(c, key);
    return h ? record_of(c, h) : NULL;
}

void cells_expect(const struct cells *c, uint64_t key)
{
    const char *set = (const char *)set_of(c, key);
    __builtin_prefetch(set, 1);
    __builtin_prefetch(set + 64, 1);
}

static void grow(struct cells *c)
{
    uint32_t sets = 2 * c->sets;
    for (uint32_t set = c->sets; set-- > 0;) {
        struct head from[WAYS], *old = &c->heads[(size_t)set * WAYS], *to[2];
        memcpy(from, old, sizeof from);
        memset(old, 0, sizeof from);
        to[0] = &c->heads[(size_t)set * 2 * WAYS];
        to[1] = to[0] + WAYS;
        for (uint32_t i = 0; i < WAYS && from[i].used != 0; i++)
            *to[memory_place(from[i].key, sets) & 1]++ = from[i];
    }
    c->sets = sets;
    if (sizeof *c->heads * WAYS * sets >= MEMORY_HUGE)
        memory_hugely(c->heads, sizeof *c->heads * WAYS * c->most);
    if (c->records && c->record * c->count >= MEMORY_HUGE)
        memory_hugely(c->records, c->record * WAYS * c->most);
}

/* A head for a key that has none: an empty one, else the one that was used longest ago, with its record. */
static __attribute__((noinline)) struct head *head_take(struct cells *c, uint64_t key)
{
    for (;; grow(c)) {
        struct head *set = set_of(c, key), *oldest = set;
        uint32_t used = 0;
        for (; used < WAYS && set[used].used != 0; used++)
            oldest = set[used].used < oldest->used ? &set[used] : oldest;
        if (c->sets < c->most && (used == WAYS || c->count > c->sets * (WAYS / 2)))
            continue;
        if (used < WAYS) {
            oldest = &set[used];
            oldest->slot = c->count++; /* a record that is inside is made zero when this returns */
        }
        oldest->key = key;
        return oldest;
    }
}

void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh)
{
    struct head *h = head_of(c, key);
    *fresh = h == NULL;
    if (!h)
        h = head_take(c, key);
    h->used = now ? now : 1;
    void *record = record_of(c, h);
    if (*fresh)
        memset(record, 0, c->record);
    return record;
}

const void *cells_each(const struct cells *c, const void *after)
{
    assert(c->records);
    size_t i = after ? (size_t)((const uint8_t *)after - c->records) / c->record + 1 : 0;
    return i < c->count ? c->records + i * c->record : NULL;
}
