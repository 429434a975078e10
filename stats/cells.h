/* A bounded table of equal records by key; where there is no room the record of the set that was used longest ago makes it.  Private
 * to stats/. */
#ifndef SQUALL_STATS_CELLS_H
#define SQUALL_STATS_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/memory.h"

#define CELLS_WAYS 8

struct cells_head { /* of a record, apart from it: those of a set stand together, the empty ones last */
    uint64_t key;
    int64_t used;      /* when last taken; 0: empty */
    union {
        uint64_t word; /* the record itself, where it is not larger than this: one miss of the cache less */
        void *record;  /* else where it is */
    };
};

struct cells { /* stands here for the inline functions alone: each mail looks into several of these tables */
    struct memory *memory;
    size_t record;            /* bytes */
    uint32_t sets, most;      /* now; at the end */
    uint32_t count;           /* records in use */
    uint32_t a_block;         /* records in a block of memory; 0: they are inside the heads */
    struct cells_head *heads; /* CELLS_WAYS for each set */
    uint8_t **blocks;         /* of records, in the order in which they were first taken */
    void *spare;              /* a record that is nobody's, for a moment without memory */
};

struct cells *cells_new(struct memory *m, size_t record, uint32_t count); /* bytes a record, records; NULL: out of memory */
void cells_free(struct cells *c);

static inline struct cells_head *cells_set(const struct cells *c, uint64_t key)
{
    return &c->heads[(size_t)memory_place(key, c->sets) * CELLS_WAYS];
}

static inline void *cells_record(const struct cells *c, struct cells_head *h)
{
    return c->a_block ? h->record : (void *)&h->word;
}

static inline struct cells_head *cells_head(const struct cells *c, uint64_t key) /* NULL: not there */
{
    struct cells_head *h = cells_set(c, key);
    for (struct cells_head *end = h + CELLS_WAYS; h < end && h->used != 0; h++)
        if (h->key == key)
            return h;
    return NULL;
}

static inline void *cells_find(const struct cells *c, uint64_t key) /* NULL: not there */
{
    struct cells_head *h = cells_head(c, key);
    return h ? cells_record(c, h) : NULL;
}

static inline void cells_expect(const struct cells *c, uint64_t key) /* fetches its place into the cache */
{
    const char *set = (const char *)cells_set(c, key);
    __builtin_prefetch(set, 1);
    __builtin_prefetch(set + 64, 1);
    __builtin_prefetch(set + 128, 1);
}

/* When its place has come: fetches so much of the record, or else the one that will make room for it. */
void cells_near(const struct cells *c, uint64_t key, size_t bytes);

void *cells_add(struct cells *c, uint64_t key, int64_t now); /* zeroed, for a key that has none; there is always one */

/* Finds the record, or gives a zeroed one for the key (*fresh).  Good until the next cells_take(). */
static inline void *cells_take(struct cells *c, uint64_t key, int64_t now, bool *fresh)
{
    struct cells_head *h = cells_head(c, key);
    *fresh = h == NULL;
    if (!h)
        return cells_add(c, key, now);
    h->used = now ? now : 1;
    return cells_record(c, h);
}

/* The i-th, in no certain order, of records of more than eight bytes; NULL: there are not so many. */
const void *cells_at(const struct cells *c, uint32_t i);

#endif
