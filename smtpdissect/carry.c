/* In: bytes that cannot be dealt with yet: a line without its end, or what may be commands or content.  Out: the same, when the rest has
 * come.  Few sessions hold any at a time, so none has room of its own for it; all of it may be a password. */
#include "smtpdissect/session.h"

size_t carry_add(struct smtp *s, enum carried which, struct span bytes, size_t most)
{
    if (bytes.n == 0)
        return 0;
    if (!s->carry) {
        s->carry = slabs_get(s->d->slabs, sizeof *s->carry);
        if (!s->carry)
            return 0;
        *s->carry = (struct carry){0};
    }
    return text_add_secret(s->d->stock, &s->carry->text[which], bytes, most);
}

struct text carry_take(struct smtp *s, enum carried which)
{
    struct text taken = {NULL, 0, 0};
    if (!s->carry)
        return taken;
    taken = s->carry->text[which];
    s->carry->text[which] = (struct text){NULL, 0, 0};
    for (int i = 0; i < CARRIED; i++)
        if (s->carry->text[i].p)
            return taken;
    slabs_put(s->d->slabs, s->carry, sizeof *s->carry);
    s->carry = NULL;
    return taken;
}

void carry_drop(struct smtp *s, enum carried which)
{
    struct text dropped = carry_take(s, which);
    text_wipe(s->d->stock, &dropped);
}
