/* Bytes that grow: a line split between packets, the header of a message, commands waiting for their replies. The memory comes from the
 * dissector's stock and goes back to it, so that a session holds none between its mails. */
#ifndef SQUALL_SMTPDISSECT_TEXT_H
#define SQUALL_SMTPDISSECT_TEXT_H

#include "base/slabs.h"
#include "base/span.h"

struct stock; /* emptied texts of usual sizes, for the next that needs one */
struct stock *stock_new(struct slabs *slabs, size_t most); /* the small come from `slabs`; bytes of all together; NULL: out of memory */
void stock_free(struct stock *s);

struct text {
    uint8_t *p;
    uint32_t n, size; /* bytes used, bytes there */
};

/* Appends as much of `s` as keeps n at most `most`; returns how much that was. */
size_t text_add(struct stock *stock, struct text *t, struct span s, size_t most);
/* The same for what may be a password: when the text moves, what it leaves behind is overwritten. */
size_t text_add_secret(struct stock *stock, struct text *t, struct span s, size_t most);
bool text_grow(struct stock *stock, struct text *t, size_t n, size_t ahead, size_t most); /* text_more()'s: room for n more */
void text_clear(struct stock *stock, struct text *t); /* gives the memory back */
void text_wipe(struct stock *stock, struct text *t);  /* the same, overwritten first: there was a password */
void text_drop_head(struct text *t, size_t n);        /* removes the first n bytes */

/* n bytes more at the end, at least one, for the caller to fill; for what comes in many pieces: it grows by doubling, and begins with room
 * for `ahead` bytes more.  NULL: no memory, or over `most`. */
static inline uint8_t *text_more(struct stock *stock, struct text *t, size_t n, size_t ahead, size_t most)
{
    if (n > t->size - t->n && !text_grow(stock, t, n, ahead, most))
        return NULL;
    uint8_t *p = t->p + t->n;
    t->n += (uint32_t)n;
    return p;
}

static inline struct span text_word(struct span s) /* up to the first blank or control byte */
{
    size_t n = 0;
    while (n < s.n && s.p[n] > ' ')
        n++;
    return span_head(s, n);
}

static inline struct span text_span(const struct text *t)
{
    return span_of(t->p, t->n);
}

#endif
