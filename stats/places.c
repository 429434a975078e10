/* In: tags and indexes, from message.c.  Out: the indexes again, by tag. */
#include "stats/places.h"

#include "stats/memory.h"

#define ROOM_LEAST 4

bool places_make(struct places *p, struct memory *m, size_t entries)
{
    struct places made = {.room = ROOM_LEAST};
    while (made.room < UINT32_MAX / 8 && entries * 4 > (size_t)made.room * 3)
        made.room *= 2;
    made.entry = memory_zeroed(m, places_bytes(&made));
    if (!made.entry)
        return false;
    *p = made;
    return true;
}

void places_free(struct places *p, struct memory *m)
{
    memory_put(m, p->entry, places_bytes(p));
    *p = (struct places){.entry = NULL};
}

static void set(struct places *p, uint32_t tag, uint32_t value)
{
    uint32_t at = tag;
    while (p->entry[at & (p->room - 1)].value)
        at++;
    p->entry[at & (p->room - 1)] = (struct place){tag, value};
    p->count++;
}

static __attribute__((noinline)) bool widen(struct places *p, struct memory *m)
{
    struct places wider;
    if (!places_make(&wider, m, p->room))
        return false;
    for (uint32_t i = 0; i < p->room; i++)
        if (p->entry[i].value)
            set(&wider, p->entry[i].tag, p->entry[i].value);
    places_free(p, m);
    *p = wider;
    return true;
}

bool places_put(struct places *p, struct memory *m, uint32_t tag, uint32_t value)
{
    if ((p->count + 1) * 4 > p->room * 3 && !widen(p, m))
        return false;
    set(p, tag, value);
    return true;
}
