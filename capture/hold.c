/* In: early segments, from stream.c.  Out, to it: pieces in order of their sequence numbers, each byte once. */
#include "capture/hold.h"

#include <stdlib.h>

#include "base/pool.h"

#define HELD_MOST 2048u   /* pieces of one connection: more than a mail server's window */
#define SEARCH_MOST 512u  /* pieces looked at to find a segment's place; only an attack needs more */

struct hold_store {
    struct pool *pieces, *holds;
    struct hold *first;
};

struct hold_store *hold_new(size_t bytes)
{
    struct hold_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    size_t most = bytes / sizeof(struct piece);
    s->pieces = pool_new(sizeof(struct piece), most);
    s->holds = pool_new(sizeof(struct hold), most);
    if (!s->pieces || !s->holds) {
        hold_free(s);
        return NULL;
    }
    return s;
}

void hold_free(struct hold_store *s)
{
    if (!s)
        return;
    pool_free(s->pieces);
    pool_free(s->holds);
    free(s);
}

struct hold *hold_first(const struct hold_store *s)
{
    return s->first;
}

struct hold *hold_of(struct hold_store *s, struct flow *f)
{
    if (f->hold)
        return f->hold;
    struct hold *h = pool_get(s->holds);
    if (!h)
        return NULL;
    *h = (struct hold){.flow = f, .next = s->first};
    if (s->first)
        s->first->prev = h;
    s->first = h;
    f->hold = h;
    return h;
}

void hold_drop_first(struct hold_store *s, struct hold *h, enum side side)
{
    struct line *l = &h->line[side];
    struct piece *p = l->first;
    l->first = p->next;
    if (l->hint == p)
        l->hint = NULL;
    if (!l->first)
        l->last = NULL;
    h->pieces--;
    if (p->captured)
        explicit_bzero(p->bytes, p->n); /* it may have been a password */
    pool_put(s->pieces, p);
}

void hold_clear(struct hold_store *s, struct hold *h, enum side side)
{
    while (h->line[side].first)
        hold_drop_first(s, h, side);
}

void hold_drop(struct hold_store *s, struct flow *f)
{
    struct hold *h = f->hold;
    if (!h)
        return;
    for (enum side side = CLIENT; side <= SERVER; side++)
        hold_clear(s, h, side);
    if (h->next)
        h->next->prev = h->prev;
    if (h->prev)
        h->prev->next = h->next;
    else
        s->first = h->next;
    pool_put(s->holds, h);
    f->hold = NULL;
}

/* The last piece that begins at or before seq; NULL: none.  False: too far to look. */
static bool find_place(const struct line *l, uint32_t seq, struct piece **before)
{
    *before = NULL;
    if (!l->first || distance(l->first->seq, seq) > 0)
        return true;
    struct piece *p = l->first;
    if (distance(l->last->seq, seq) <= 0)
        p = l->last;
    else if (l->hint && distance(l->hint->seq, seq) <= 0)
        p = l->hint;
    for (unsigned looked = 0; p->next && distance(p->next->seq, seq) <= 0; p = p->next)
        if (++looked > SEARCH_MOST)
            return false;
    *before = p;
    return true;
}

/* Bytes that are held already: the first copy stands. */
static bool other_bytes(const struct piece *held, const struct segment *g, uint32_t n)
{
    uint32_t at = g->seq - held->seq, same = n < g->bytes.n ? n : (uint32_t)g->bytes.n;
    return held->captured && same && memcmp(held->bytes + at, g->bytes.p, same) != 0;
}

/* The first n bytes of a segment, or as many as a piece takes, behind `before`.  NULL: no room. */
static struct piece *put_behind(struct hold_store *s, struct hold *h, enum side from, struct piece *before, struct segment *g, uint32_t n,
                                int64_t now)
{
    struct piece *p = h->pieces < HELD_MOST ? pool_get(s->pieces) : NULL;
    if (!p)
        return NULL;
    p->captured = g->bytes.n > 0;
    if (p->captured) {
        n = n < g->bytes.n ? n : (uint32_t)g->bytes.n;
        n = n < PIECE_BYTES ? n : PIECE_BYTES;
        memcpy(p->bytes, g->bytes.p, n);
    }
    p->came = now;
    p->seq = g->seq;
    p->n = n;
    p->ack = g->ack;
    p->has_ack = g->has_ack;
    p->order = h->order;
    struct line *l = &h->line[from];
    p->next = before ? before->next : l->first;
    if (before)
        before->next = p;
    else
        l->first = p;
    if (!p->next)
        l->last = p;
    l->hint = p;
    h->pieces++;
    segment_cut(g, n);
    return p;
}

bool hold_segment(struct hold_store *s, struct hold *h, enum side from, struct segment *g, int64_t now, bool *any, bool *differs)
{
    struct piece *before;
    *any = *differs = false;
    if (!find_place(&h->line[from], g->seq, &before))
        return false;
    h->order++;
    while (g->n) {
        if (before && distance(before->seq + before->n, g->seq) > 0) {
            uint32_t known = before->seq + before->n - g->seq;
            known = known < g->n ? known : g->n;
            *differs |= other_bytes(before, g, known);
            segment_cut(g, known);
            continue;
        }
        struct piece *after = before ? before->next : h->line[from].first;
        uint32_t room = after && after->seq - g->seq < g->n ? after->seq - g->seq : g->n;
        if (room == 0) {
            before = after;
            continue;
        }
        before = put_behind(s, h, from, before, g, room, now);
        if (!before)
            return false;
        *any = true;
    }
    return true;
}
