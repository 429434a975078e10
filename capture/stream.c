/* In: the segments of a connection as they were captured.  Out: each side's bytes in order, its gaps, and the end, to track.c. */
#include "capture/stream.h"

#include <assert.h>
#include <stdlib.h>

#include "capture/hold.h"

#define WINDOW (1 << 30)       /* RFC 7323: nothing in flight is farther away */
#define JUMP_MOST (16 << 20)   /* bytes past all that is delivered or acknowledged that one segment is believed */
#define RESET_WINDOW (1 << 20) /* a reset is believed this far ahead */
#define UNPROVEN_ONE_SIDED 5   /* times `reorder`: the other direction is not mirrored, nothing will ever acknowledge */
#define UNPROVEN 50            /* times `reorder`: the sender may still retransmit */

struct streams *stream_new(size_t bytes, int64_t reorder, const struct stream_receiver *receiver, struct capture_counters *counters)
{
    struct streams *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct streams){.store = hold_new(bytes), .reorder = reorder, .next_look = INT64_MIN, .receiver = receiver, .counters = counters};
    if (!s->store) {
        stream_free(s);
        return NULL;
    }
    return s;
}

void stream_free(struct streams *s)
{
    if (!s)
        return;
    hold_free(s->store);
    free(s);
}

void stream_drop(struct streams *s, struct flow *f)
{
    hold_drop(s->store, f);
}

/* ---- delivery */

static void tell_gap(struct streams *s, struct flow *f, enum side from, uint32_t n, int64_t now)
{
    f->next[from] += n;
    f->flags |= (uint16_t)(FLOW_PAYLOAD << from);
    s->receiver->gap(s->receiver->user, f, from, n, now);
}

/* The first n bytes of a segment, which stand next in line. */
static void deliver_head(struct streams *s, struct flow *f, enum side from, struct segment *g, uint32_t n, int64_t now)
{
    struct span head = span_head(g->bytes, n);
    if (head.n)
        stream_deliver(s, f, from, head, now);
    if (head.n < n)
        tell_gap(s, f, from, n - (uint32_t)head.n, now);
    segment_cut(g, n);
}

/* A connection whose first packets may still come, in another order. */
static bool young(const struct streams *s, const struct flow *f, int64_t now)
{
    return now - f->opened < s->reorder;
}

/* May bytes that stand next in their side's line be delivered, given what their segment acknowledges?  Not before the other side has
 * said it (one not seen by now says nothing): unless what the other side said itself waits for these very bytes and came first.  Then this
 * is a retransmission of them; the acknowledgement is younger than the bytes. */
static bool may_follow(const struct streams *s, const struct flow *f, enum side from, uint32_t ack, bool has_ack, uint32_t order,
    int64_t now)
{
    enum side other = side_other(from);
    int32_t missing = distance(ack, f->next[other]);
    if (!has_ack || missing <= 0 || missing > WINDOW || f->flags & FLOW_SHUT << other)
        return true;
    if (!(f->flags & FLOW_BASE << other))
        return !(f->flags & FLOW_ACKED << other) || !young(s, f, now);
    const struct piece *waits = f->hold ? f->hold->line[other].first : NULL;
    return waits && waits->seq == f->next[other] && waits->has_ack && distance(waits->ack, f->next[from]) > 0 &&
           distance(order, waits->order) > 0;
}

/* Puts an early segment aside.  False: no room; g is what is left of it. */
static bool put_aside(struct streams *s, struct flow *f, enum side from, struct segment *g, int64_t now)
{
    struct hold *h = hold_of(s->store, f);
    bool any, differs;
    if (!h || !hold_segment(s->store, h, from, g, now, &any, &differs))
        return false;
    s->counters->reordered += any;
    s->counters->retransmissions += !any;
    s->counters->overlap_differs += differs;
    return true;
}

/* ---- what becomes deliverable */

static void deliver_first(struct streams *s, struct flow *f, enum side from, int64_t now)
{
    const struct piece *p = f->hold->line[from].first;
    if (p->captured)
        stream_deliver(s, f, from, span_of(p->bytes, p->n), now);
    else
        tell_gap(s, f, from, p->n, now);
    hold_drop_first(s->store, f->hold, from);
}

static bool deliver_line(struct streams *s, struct flow *f, enum side from, int64_t now)
{
    struct hold *h = f->hold;
    bool any = false;
    for (struct piece *p; (p = h->line[from].first); any = true) {
        if (p->seq != f->next[from] || !may_follow(s, f, from, p->ack, p->has_ack, p->order, now))
            break;
        deliver_first(s, f, from, now);
    }
    return any;
}

/* A side that has said all it said before its FIN is shut; its FIN takes one sequence number, and nothing comes after it. */
static bool shut(struct streams *s, struct flow *f)
{
    bool any = false;
    for (enum side side = CLIENT; side <= SERVER; side++) {
        if ((f->flags & (FLOW_FIN | FLOW_SHUT) << side) != FLOW_FIN << side || distance(f->next[side], f->fin[side]) < 0)
            continue;
        f->flags |= (uint16_t)(FLOW_SHUT << side);
        f->next[side] += f->next[side] == f->fin[side];
        if (f->hold)
            hold_clear(s->store, f->hold, side);
        any = true;
    }
    return any;
}

static void deliver_lines(struct streams *s, struct flow *f, int64_t now)
{
    bool more = true;
    while (more) {
        more = deliver_line(s, f, CLIENT, now);
        more |= deliver_line(s, f, SERVER, now);
        more |= shut(s, f);
    }
}

/* How long the first held piece of a side may wait. */
static int64_t patience(const struct streams *s, const struct flow *f, enum side from, const struct piece *first)
{
    if (first->seq == f->next[from]) /* it waits for what it acknowledges */
        return s->reorder;
    if (f->flags & FLOW_ACKED << from && distance(f->acked[from], f->next[from]) > 0)
        return s->reorder;
    return s->reorder * (f->flags & FLOW_BASE << side_other(from) ? UNPROVEN : UNPROVEN_ONE_SIDED);
}

/* Gives up the hole that the longest waiting side waits for, if its time has come (or `at_once`).  False: it has not. */
static bool give_up(struct streams *s, struct flow *f, bool at_once, int64_t now)
{
    struct hold *h = f->hold;
    const struct piece *oldest = NULL;
    enum side from = CLIENT;
    for (enum side side = CLIENT; side <= SERVER; side++) {
        const struct piece *p = h->line[side].first;
        if (!p || (!at_once && now - p->came < patience(s, f, side, p)) || (oldest && distance(p->order, oldest->order) > 0))
            continue;
        oldest = p;
        from = side;
    }
    if (!oldest)
        return false;
    if (oldest->seq != f->next[from]) {
        tell_gap(s, f, from, oldest->seq - f->next[from], now);
        return true;
    }
    enum side other = side_other(from);
    if (!(f->flags & FLOW_BASE << other)) {
        deliver_first(s, f, from, now);
        return true;
    }
    const struct piece *beyond = h->line[other].first;
    uint32_t until = oldest->ack;
    if (beyond && distance(beyond->seq, until) < 0)
        until = beyond->seq;
    assert(distance(until, f->next[other]) > 0); /* else deliver_lines() would have delivered one of the two */
    tell_gap(s, f, other, until - f->next[other], now);
    return true;
}

static void over(struct streams *s, struct flow *f, enum end how, int64_t now)
{
    stream_drop(s, f);
    s->receiver->over(s->receiver->user, f, how, now);
}

/* Delivers what can be, gives up what must be, and ends the connection when nothing more can come. */
static void settle(struct streams *s, struct flow *f, int64_t now)
{
    bool reset = false;
    if (f->hold) {
        do
            deliver_lines(s, f, now);
        while (give_up(s, f, false, now));
        reset = f->hold->reset && now >= f->hold->reset;
        if (!f->hold->pieces && !f->hold->reset)
            stream_drop(s, f);
    } else {
        shut(s, f);
    }
    bool closed = (f->flags & 3u * FLOW_SHUT) == 3u * FLOW_SHUT;
    if (reset)
        stream_flush(s, f, now);
    if (reset || closed)
        over(s, f, f->flags & 3u * FLOW_SHUT ? END_CLOSED : END_RESET, now);
}

static void flush_held(struct streams *s, struct flow *f, int64_t now)
{
    if (!f->hold)
        return;
    do
        deliver_lines(s, f, now);
    while (give_up(s, f, true, now));
}

void stream_flush(struct streams *s, struct flow *f, int64_t now)
{
    flush_held(s, f, now);
    stream_drop(s, f);
    for (enum side side = CLIENT; side <= SERVER; side++) {
        if (!(f->flags & FLOW_BASE << side) || f->flags & FLOW_SHUT << side)
            continue;
        int32_t missing = 0;
        if (f->flags & FLOW_FIN << side)
            missing = distance(f->fin[side], f->next[side]);
        else if (f->flags & FLOW_ACKED << side && distance(f->acked[side], f->next[side]) > 1) /* a single one is the FIN */
            missing = distance(f->acked[side], f->next[side]);
        if (missing > 0)
            tell_gap(s, f, side, (uint32_t)missing, now);
    }
}

void stream_look(struct streams *s, int64_t now)
{
    s->next_look = now + s->reorder / 4;
    for (struct hold *h = hold_first(s->store), *next; h; h = next) {
        next = h->next;
        settle(s, h->flow, now);
    }
}

/* ---- one segment */

/* Where a side begins: its SYN tells, or else its first segment; and what the other one had acknowledged before. */
static void learn_base(const struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now)
{
    uint32_t first = p->seq + (p->flags & PACKET_SYN ? 1 : 0);
    if (!(f->flags & FLOW_BASE << from)) {
        uint32_t known = young(s, f, now) ? f->next[from] : f->acked[from];
        int32_t beyond = distance(first, known);
        f->flags |= (uint16_t)(FLOW_BASE << from);
        f->next[from] = f->flags & FLOW_ACKED << from && beyond > 0 && beyond < JUMP_MOST ? known : first;
    } else if (!(f->flags & (FLOW_PAYLOAD | FLOW_SYN) << from) && (p->length > 1 || p->flags & PACKET_SYN) &&
               distance(f->next[from], first) > 0 && distance(f->next[from], first) < JUMP_MOST) {
        f->next[from] = first; /* an earlier segment, seen later; a single byte is a keep-alive probe */
    }
    if (p->flags & PACKET_SYN)
        f->flags |= (uint16_t)(FLOW_SYN << from);
}

static bool believable(const struct flow *f, enum side from, uint32_t seq)
{
    uint32_t reached = f->next[from];
    if (!(f->flags & FLOW_BASE << side_other(from)))
        return distance(seq, reached) <= WINDOW; /* nobody acknowledges */
    if (f->flags & FLOW_ACKED << from && distance(f->acked[from], reached) > 0)
        reached = f->acked[from];
    return distance(seq, reached) <= JUMP_MOST;
}

/* What a segment acknowledges, if it stands near where its sender is: a firewall that renumbers shows the connection in two numberings. */
static void learn_ack(struct flow *f, enum side from, const struct packet *p)
{
    enum side other = side_other(from);
    if (!(p->flags & PACKET_ACK) || (f->flags & FLOW_BASE << other && distance(p->ack, f->next[other]) > WINDOW))
        return;
    if (f->flags & FLOW_BASE << from && (distance(p->seq, f->next[from]) < -JUMP_MOST || !believable(f, from, p->seq)))
        return;
    bool first = !(f->flags & FLOW_ACKED << other);
    if (!(f->flags & FLOW_BASE << other) && (first || distance(p->ack, f->next[other]) < 0))
        f->next[other] = p->ack;
    if (first || distance(p->ack, f->acked[other]) > 0)
        f->acked[other] = p->ack;
    f->flags |= (uint16_t)(FLOW_ACKED << other);
}

/* No room to hold a segment: its connection pays, with a hole. */
static void make_way(struct streams *s, struct flow *f, enum side from, struct segment *g, int64_t now)
{
    const struct piece *first = f->hold ? f->hold->line[from].first : NULL;
    if (first && distance(first->seq, g->seq) <= 0) {
        deliver_lines(s, f, now);
        give_up(s, f, true, now);
        deliver_lines(s, f, now);
    } else {
        if (g->seq != f->next[from])
            tell_gap(s, f, from, g->seq - f->next[from], now);
        deliver_head(s, f, from, g, first && first->seq - g->seq < g->n ? first->seq - g->seq : g->n, now);
    }
    int32_t passed = distance(f->next[from], g->seq);
    if (f->flags & FLOW_SHUT << from)
        g->n = 0;
    else if (passed > 0)
        segment_cut(g, (uint32_t)passed < g->n ? (uint32_t)passed : g->n);
}

static void place(struct streams *s, struct flow *f, enum side from, struct segment g, int64_t now)
{
    int32_t early = distance(g.seq, f->next[from]);
    if (early < 0) {
        uint32_t old = (uint32_t)-early < g.n ? (uint32_t)-early : g.n;
        if (!(early == -1 && g.n == 1)) /* a keep-alive probe */
            s->counters->retransmissions++;
        segment_cut(&g, old);
    } else if (!believable(f, from, g.seq)) {
        return;
    }
    const struct piece *first = f->hold ? f->hold->line[from].first : NULL;
    if (g.n && g.seq == f->next[from] && may_follow(s, f, from, g.ack, g.has_ack, f->hold ? f->hold->order + 1 : 0, now)) {
        uint32_t room = first && first->seq - g.seq < g.n ? first->seq - g.seq : g.n;
        deliver_head(s, f, from, &g, room, now);
    }
    while (g.n && !put_aside(s, f, from, &g, now)) {
        s->counters->reassembly_full++;
        make_way(s, f, from, &g, now);
    }
}

/* A reset counts when it stands where its sender is; and after what it may have overtaken, such as the other side's last words. */
static void reset(struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now)
{
    int32_t ahead = f->flags & FLOW_BASE << from ? distance(p->seq, f->next[from]) : 0;
    bool refused = p->flags & PACKET_ACK && p->seq == 0 && !(f->flags & FLOW_PAYLOAD << from); /* answers a SYN: has no number of its own */
    if (!refused && (ahead < -1 || ahead > RESET_WINDOW))
        return;
    bool follows = f->flags & 3u * FLOW_PAYLOAD || ahead > 0 || f->hold;
    if (!refused && follows && hold_of(s->store, f)) {
        if (!f->hold->reset)
            f->hold->reset = now + s->reorder;
        return;
    }
    stream_flush(s, f, now);
    over(s, f, f->flags & 3u * FLOW_SHUT ? END_CLOSED : END_RESET, now);
}

void stream_any(struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now)
{
    if (!(p->flags & PACKET_RST))
        learn_base(s, f, from, p, now);
    learn_ack(f, from, p);
    struct segment g = {.seq = p->seq + (p->flags & PACKET_SYN ? 1 : 0), .n = p->length, .bytes = p->payload, .ack = p->ack,
                        .has_ack = p->flags & PACKET_ACK};
    if (p->flags & PACKET_FIN && !(f->flags & FLOW_FIN << from) && distance(g.seq + g.n, f->next[from]) >= 0 &&
        believable(f, from, g.seq + g.n)) {
        f->flags |= (uint16_t)(FLOW_FIN << from);
        f->fin[from] = g.seq + g.n;
    }
    if (p->flags & PACKET_RST) { /* what a reset carries is a word of its sender's kernel, not of the stream */
        reset(s, f, from, p, now);
        return;
    }
    if (f->mode == FLOW_IGNORED) {
        stream_drop(s, f);
        if (distance(g.seq + g.n, f->next[from]) > 0)
            f->next[from] = g.seq + g.n;
    } else if (g.n && !(f->flags & FLOW_SHUT << from)) {
        place(s, f, from, g, now);
    }
    if (f->hold || f->flags & 3u * FLOW_FIN)
        settle(s, f, now);
}
