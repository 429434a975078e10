/* In: who the two sides say they are, as their lines come.  Out: the same, to each record.  All in one text, each name after a byte of
 * length, for there may be a million idle sessions. */
#include "smtpdissect/session.h"

#define NAME_MOST 255u

void names_all(const struct smtp *s, struct span all[NAMES])
{
    const uint8_t *p = s->names.p;
    for (int i = 0; i < NAMES; i++) {
        all[i] = p ? span_of(p + 1, *p) : span_of(NULL, 0);
        p = p ? p + 1 + *p : NULL;
    }
}

struct span names_get(const struct smtp *s, enum name which)
{
    struct span all[NAMES];
    names_all(s, all);
    return all[which];
}

void names_set(struct smtp *s, enum name which, struct span name)
{
    struct text fresh = {NULL, 0, 0};
    struct span all[NAMES];
    uint8_t row[NAMES * (1 + NAME_MOST)];
    size_t n = 0;
    names_all(s, all);
    all[which] = span_head(name, NAME_MOST);
    for (int i = 0; i < NAMES; i++) {
        row[n++] = (uint8_t)all[i].n;
        if (all[i].n)
            memcpy(row + n, all[i].p, all[i].n);
        n += all[i].n;
    }
    if (n > NAMES && text_add(s->d->stock, &fresh, span_of(row, n), sizeof row) < n)
        return; /* no memory: the names stay as they were */
    text_clear(s->d->stock, &s->names);
    s->names = fresh;
}
