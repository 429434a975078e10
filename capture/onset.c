/* In: a packet, and what is known of a connection between its endpoints.  Out, to track.c: is it of this connection, or does it begin
 * another, and who is the client? */
#include "capture/onset.h"

#include "base/clock.h"
#include "capture/hold.h"

#define LATE_SYN (1u << 20)     /* bytes of a connection that may be captured before its SYN */
#define LATE_COPY (NS_PER_SECOND / 5) /* no copy of a SYN comes so long after all else */
#define RENUMBERED (64 << 20)   /* bytes: a segment so far from an ended connection's last is of another one */

static bool opens(const struct packet *p) /* the client's SYN */
{
    return (p->flags & (PACKET_SYN | PACKET_ACK | PACKET_RST)) == PACKET_SYN;
}

static bool answers(const struct packet *p) /* the server's SYN */
{
    return (p->flags & (PACKET_SYN | PACKET_ACK | PACKET_RST)) == (PACKET_SYN | PACKET_ACK);
}

enum side onset_sender(const struct packet *p, bool from_mail, bool to_mail)
{
    if (opens(p) || answers(p))
        return opens(p) ? CLIENT : SERVER;
    if (from_mail != to_mail)
        return from_mail ? SERVER : CLIENT;
    if (p->payload.n >= 4) {
        const uint8_t *c = p->payload.p;
        if (c[0] >= '2' && c[0] <= '5' && c[1] >= '0' && c[1] <= '9' && c[2] >= '0' && c[2] <= '9' && (c[3] == ' ' || c[3] == '-'))
            return SERVER;
        if (span_starts_nocase(p->payload, "EHLO") || span_starts_nocase(p->payload, "HELO") || span_starts_nocase(p->payload, "LHLO"))
            return CLIENT;
    }
    return p->from.port < p->to.port ? SERVER : CLIENT;
}

void onset_learn(struct flow *f, enum side *from, const struct packet *p)
{
    if (!opens(p) && !answers(p))
        return;
    if (*from != (opens(p) ? CLIENT : SERVER)) {
        if (f->flags & FLOW_CERTAIN || f->hold || f->mode != FLOW_NEW)
            return;
        flow_swap(f);
        *from = side_other(*from);
    }
    if (!(f->flags & FLOW_CERTAIN))
        f->isn = opens(p) ? p->seq : p->ack - 1;
    f->flags |= FLOW_CERTAIN;
}

/* A SYN may belong to a connection that was first seen without it: it was captured late. */
static bool fits(const struct flow *f, enum side client, uint32_t isn)
{
    if (f->flags & FLOW_BASE << client)
        return f->next[client] - (isn + 1) < LATE_SYN;
    return !(f->flags & FLOW_ACKED << client) || f->acked[client] - (isn + 1) < LATE_SYN;
}

/* Of a connection that has ended: late packets and repeated bytes are nothing new, however late. */
static enum onset after_end(const struct flow *f, enum side from, const struct packet *p)
{
    if (p->length == 0 || p->flags & PACKET_RST || !(f->flags & FLOW_BASE << from))
        return ONSET_NONE;
    int32_t ahead = distance(p->seq + p->length, f->next[from]);
    if (ahead < -RENUMBERED || ahead > RENUMBERED)
        return ONSET_UNSEEN;
    return ahead > 0 && f->flags & FLOW_SILENT ? ONSET_REVIVED : ONSET_NONE;
}

/* Over a connection that lives, a SYN alone proves nothing, it may be forged or stray (RFC 5961, 4): it claims, and what the new connection
 * would say next confirms.  A SYN's answer that fits nothing claims nothing. */
enum onset onset_of(struct flow *f, enum side from, const struct packet *p)
{
    bool done = f->mode == FLOW_DONE;
    if (!opens(p) && !answers(p)) {
        if (done)
            return after_end(f, from, p);
        return f->flags & FLOW_CLAIMED && p->seq == f->isn_claimed + 1 && !(p->flags & PACKET_RST) ? ONSET_CLAIMED : ONSET_NONE;
    }
    uint32_t isn = opens(p) ? p->seq : p->ack - 1;
    if (done && opens(p) && f->flags & 3u * FLOW_PAYLOAD && p->time - f->last > LATE_COPY)
        return ONSET_SYN; /* whatever its number */
    if (f->flags & FLOW_CERTAIN ? isn == f->isn : fits(f, opens(p) ? from : side_other(from), isn))
        return ONSET_NONE;
    if (done || (f->flags & FLOW_CLAIMED && f->isn_claimed == isn))
        return ONSET_SYN;
    if (!opens(p))
        return ONSET_NONE;
    bool dying = f->flags & 3u * FLOW_FIN || (f->hold && f->hold->reset);
    if (!(f->flags & 3u * FLOW_PAYLOAD) || dying || p->length)
        return ONSET_SYN;
    f->isn_claimed = isn;
    f->flags |= FLOW_CLAIMED;
    return ONSET_NONE;
}

void onset_renew(struct flow *f, enum side *from, const struct packet *p, enum onset how, enum side sender)
{
    uint32_t claimed = f->isn_claimed, isn = f->isn;
    bool certain = f->flags & FLOW_CERTAIN;
    flow_renew(f);
    if (how == ONSET_REVIVED)
        sender = *from;
    else if (how == ONSET_CLAIMED)
        sender = CLIENT;
    if (*from != sender) {
        flow_swap(f);
        *from = sender;
    }
    if (how == ONSET_CLAIMED || (how == ONSET_REVIVED && certain)) {
        f->flags |= FLOW_CERTAIN;
        f->isn = how == ONSET_CLAIMED ? claimed : isn;
    }
    onset_learn(f, from, p);
}
