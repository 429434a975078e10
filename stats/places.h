/* Where things with a hash stand in some array: a table from tags to indexes, open addressing.  Who compares what stands there with what he
 * looks for needs only a few bits of the hash here.  A table that has not been made is empty.  Private to stats/. */
#ifndef SQUALL_STATS_PLACES_H
#define SQUALL_STATS_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct places {
    struct place {
        uint32_t tag, value; /* 0: empty */
    } *entry;
    uint32_t room, count;    /* room: a power of two; 0: not made */
};

static inline uint32_t places_tag(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

struct memory; /* stats/memory.h */
bool places_make(struct places *p, struct memory *m, size_t entries); /* for so many; false: out of memory, and *p not made */
void places_free(struct places *p, struct memory *m);
bool places_put(struct places *p, struct memory *m, uint32_t tag, uint32_t value); /* of a table that is made; false: out of memory */
static inline size_t places_bytes(const struct places *p)
{
    return p->room * sizeof *p->entry;
}

/* The values under `tag`, one after the other from *at = tag on; 0: no more. */
static inline uint32_t places_next(const struct places *p, uint32_t tag, uint32_t *at)
{
    while (p->room) {
        const struct place *e = &p->entry[(*at)++ & (p->room - 1)];
        if (e->value == 0 || e->tag == tag)
            return e->value;
    }
    return 0;
}

#endif
