/* In: who the two sides say they are, as their lines come.  Out: the same, to each record.  All in one text, each name after a byte of
 * length, for there may be a million idle sessions. */
#include "smtpdissect/session.h"

#define NAME_MOST 255u

struct span names_get(const struct smtp *s, enum name which)
{
    const uint8_t *p = s->names.p;
    if (!p)
        return span_of(NULL, 0);
    for (int i = 0; i < (int)which; i++)
        p += 1 + *p;
    return span_of(p + 1, *p);
}

void names_set(struct smtp *s, enum name which, struct span name)
{
    struct text fresh = {NULL, 0, 0};
    uint8_t all[NAMES * (1 + NAME_MOST)];
    size_t n = 0, total = 0;
    for (int i = 0; i < NAMES; i++) {
        struct span one = i == (int)which ? span_head(name, NAME_MOST) : names_get(s, (enum name)i);
        all[n++] = (uint8_t)one.n;
        if (one.n)
            memcpy(all + n, one.p, one.n);
        n += one.n;
        total += one.n;
    }
    if (total && text_add(s->d->stock, &fresh, span_of(all, n), sizeof all) < n)
        return; /* no memory: the names stay as they were */
    text_clear(s->d->stock, &s->names);
    s->names = fresh;
}
