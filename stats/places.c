/* In: tags and indexes, from message.c.  Out: the indexes again, by tag. */
#include "stats/places.h"

#include <stdlib.h>

#define ROOM_LEAST 4

bool places_make(struct places *p, size_t entries)
{
    struct places made = {.room = ROOM_LEAST};
    while (made.room < UINT32_MAX / 8 && entries * 4 > (size_t)made.room * 3)
        made.room *= 2;
    made.entry = calloc(made.room, sizeof *made.entry);
    if (!made.entry)
        return false;
    *p = made;
    return true;
}

void places_free(struct places *p)
{
    free(p->entry);
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

static __attribute__((noinline)) bool widen(struct places *p)
{
    struct places wider;
    if (!places_make(&wider, p->room))
        return false;
    for (uint32_t i = 0; i < p->room; i++)
        if (p->entry[i].value)
            set(&wider, p->entry[i].tag, p->entry[i].value);
    free(p->entry);
    *p = wider;
    return true;
}

bool places_put(struct places *p, uint32_t tag, uint32_t value)
{
    if ((p->count + 1) * 4 > p->room * 3 && !widen(p))
        return false;
    set(p, tag, value);
    return true;
}
