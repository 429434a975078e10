/* Reassembly of the two directions of a TCP connection.  What may be delivered at once is never copied; what came early waits in a pool
 * that all connections share.  Private to capture/.
 *
 * Order.  Of one side: by sequence number.  Across the sides: a segment waits until what it acknowledges has been delivered, so that a
 * reply never comes before its command, however the capture shuffled the two.
 * Holes.  A hole is lost for good when the other side's acknowledgement has passed it and `reorder` has gone by; without such proof
 * (nothing acknowledges yet, or that direction is not mirrored) it is waited for much longer.  Then it is a gap of its exact size. */
#ifndef SQUALL_CAPTURE_STREAM_H
#define SQUALL_CAPTURE_STREAM_H

#include "capture/capture.h"
#include "capture/flow.h"

struct stream_receiver {
    void (*bytes)(void *user, struct flow *f, enum side from, struct span bytes, int64_t now);
    void (*gap)(void *user, struct flow *f, enum side from, uint64_t n, int64_t now);
    /* Nothing more can come of f: END_CLOSED or END_RESET.  The last thing done with f; stream_drop() has been called. */
    void (*over)(void *user, struct flow *f, enum end how, int64_t now);
    void *user;
};

struct hold_store;
struct streams {
    struct hold_store *store;
    int64_t reorder, next_look;
    const struct stream_receiver *receiver;
    struct capture_counters *counters;
};
/* bytes: held early, of all flows.  The counters are the caller's and outlive it.  NULL: out of memory. */
struct streams *stream_new(size_t bytes, int64_t reorder, const struct stream_receiver *receiver, struct capture_counters *counters);
void stream_free(struct streams *s);

/* The whole of stream.c; callers use stream_segment() and stream_tick(). */
void stream_any(struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now);
void stream_look(struct streams *s, int64_t now);

static inline void stream_deliver(struct streams *s, struct flow *f, enum side from, struct span bytes, int64_t now)
{
    f->next[from] += (uint32_t)bytes.n;
    f->flags |= (uint16_t)(FLOW_PAYLOAD << from);
    s->receiver->bytes(s->receiver->user, f, from, bytes, now);
}

/* Nearly every segment: both sides are known, it is the next of its side, and acknowledges nothing that has not been delivered; and no
 * other connection between the two may begin with it. */
static inline bool stream_in_step(const struct flow *f, enum side from, const struct packet *p)
{
    return (p->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST | PACKET_ACK)) == PACKET_ACK && p->seq == f->next[from] &&
           (f->flags & (3u * (FLOW_BASE | FLOW_FIN) | FLOW_CLAIMED)) == 3u * FLOW_BASE &&
           distance(p->ack, f->next[side_other(from)]) <= 0 && p->payload.n == p->length && !f->hold;
}

/* What stream_any() would do with a segment that is in step, its bytes apart, is here to be inlined, and much sooner done. */
static inline void stream_step(struct flow *f, enum side from, const struct packet *p)
{
    enum side other = side_other(from);
    if (!(f->flags & FLOW_ACKED << other) || distance(p->ack, f->acked[other]) > 0)
        f->acked[other] = p->ack;
    f->flags |= (uint16_t)((FLOW_ACKED << other) | (p->length && f->mode != FLOW_IGNORED ? FLOW_PAYLOAD << from : 0));
    f->next[from] += p->length;
}

static inline void stream_segment(struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now)
{
    if (!stream_in_step(f, from, p)) {
        stream_any(s, f, from, p, now);
        return;
    }
    stream_step(f, from, p);
    if (f->mode != FLOW_IGNORED && p->length)
        s->receiver->bytes(s->receiver->user, f, from, p->payload, now);
}

/* Holes of all flows whose time has come.  Cheap; call it with every packet. */
static inline void stream_tick(struct streams *s, int64_t now)
{
    if ((uint64_t)s->next_look - (uint64_t)now - 1 >= (uint64_t)s->reorder) /* it is due; or the clock was set back */
        stream_look(s, now);
}

/* f ends: what is held is delivered, what is known to be missing is told. */
void stream_flush(struct streams *s, struct flow *f, int64_t now);
void stream_drop(struct streams *s, struct flow *f); /* forgets what is held */

#endif
