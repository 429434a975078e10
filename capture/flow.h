/* The flow table: one record a TCP connection, found by the packet's endpoints and tunnel; and the wheel that says whose time has come.
 * The VLAN is no part of the key: a mirror of two VLANs shows one connection twice.  Private to capture/. */
#ifndef SQUALL_CAPTURE_FLOW_H
#define SQUALL_CAPTURE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/endpoint.h"
#include "base/hash.h"
#include "capture/packet.h"

enum flow_mode {
    FLOW_NEW,       /* no payload yet: nobody has been asked */
    FLOW_UNDECIDED, /* session is a struct detection: SMTP or not? */
    FLOW_HANDED,    /* session is the sink's */
    FLOW_IGNORED,   /* nobody wants it; its end is still watched */
    FLOW_DONE,      /* ended; late packets find it and start no new connection */
};

/* Of one side: shift left by the side. */
enum flow_flag {
    FLOW_BASE = 1 << 0,    /* the side was seen: next[] means something */
    FLOW_ACKED = 1 << 2,   /* acked[] means something */
    FLOW_SYN = 1 << 4,     /* its SYN was seen */
    FLOW_FIN = 1 << 6,     /* fin[] means something */
    FLOW_SHUT = 1 << 8,    /* everything up to its FIN was delivered */
    FLOW_PAYLOAD = 1 << 10, /* payload or a gap was delivered */
    FLOW_CERTAIN = 1 << 12, /* (of the flow) a SYN told who the client is */
    FLOW_CLAIMED = 1 << 13, /* (of the flow) isn_claimed means something */
    FLOW_SILENT = 1 << 14,  /* (of the flow) it ended by being silent too long */
    FLOW_RETIRED = 1 << 15, /* (of the flow) see flow_retire() */
};

struct hold;
/* Two cache lines: a packet in order touches the first for the key and the sequence, the second for who receives. */
struct flow {
    struct endpoint side[2];
    uint32_t tunnel;
    uint32_t next[2];      /* sequence number of the side's next byte to be delivered; before FLOW_BASE, the lowest acknowledged */
    uint32_t acked[2];     /* highest acknowledgement of the side's bytes: what the other one has */
    uint16_t flags;        /* enum flow_flag */
    uint8_t mode;          /* enum flow_mode */
    uint8_t clear;         /* the sink's memory of what may be kept as evidence */
    uint32_t hash;

    int64_t last;          /* ns, last packet */
    void *session;         /* by mode */
    struct hold *hold;     /* what came early; NULL nearly always */
    uint64_t number;       /* connection number */
    int64_t opened;        /* ns, first packet */
    uint32_t fin[2];       /* sequence number of the side's FIN */
    uint32_t isn;          /* of the client, when its SYN was seen */
    uint32_t isn_claimed;  /* of a SYN that would start a new connection here, once something else confirms it */
    uint32_t due_next, due_prev; /* the wheel's */
};

struct flow_table;
struct flow_table *flow_table_new(size_t most); /* flows at once; NULL: out of memory */
void flow_table_free(struct flow_table *t);

static inline uint64_t flow_hash_endpoint(const struct endpoint *e)
{
    uint64_t words[2];
    memcpy(words, e->address.b, sizeof words);
    return hash_fold(words[1] ^ hash_secret[0], (words[0] + e->port * hash_secret[1]) ^ hash_secret[2]);
}

static inline uint32_t flow_hash(const struct packet *p) /* the same for both directions */
{
    return (uint32_t)hash_fold(flow_hash_endpoint(&p->from) + flow_hash_endpoint(&p->to), hash_secret[0] ^ p->tunnel);
}

/* Where the records are: the table's own, for what is asked of it with every packet and therefore stands here. */
struct flow_index {
    struct flow_slot {
        uint32_t hash, flow; /* flow 0: vacant */
    } *slots;
    struct flow *flows; /* [0] is never used */
    uint32_t mask;      /* slots - 1 */
};
const struct flow_index *flow_table_index(const struct flow_table *t);

/* On large tables cache misses are most of the cost, so what a packet will need is fetched while those before it are worked on. */
static inline void flow_prefetch(const struct flow_index *x, uint32_t hash) /* the table's line */
{
    __builtin_prefetch(&x->slots[hash & x->mask]);
}
/* A little later: where the record most probably is, and fetches it; NULL: it is not known. */
static inline struct flow *flow_likely(const struct flow_index *x, uint32_t hash)
{
    uint32_t i = hash & x->mask;
    while (x->slots[i].hash != hash && x->slots[i].flow != 0)
        i = (i + 1) & x->mask;
    if (x->slots[i].flow == 0)
        return NULL;
    struct flow *f = &x->flows[x->slots[i].flow];
    __builtin_prefetch(f, 1);
    __builtin_prefetch(&f->last, 1);
    return f;
}
static inline void flow_prefetch_session(const struct flow *f) /* later still: what is behind it */
{
    if (f->mode != FLOW_HANDED)
        return;
    __builtin_prefetch(f->session, 1);
    __builtin_prefetch((const char *)f->session + 64, 1);
    __builtin_prefetch((const char *)f->session + 128, 1);
}
/* Is p of this connection, and did this side send it?  Of either side when nothing tells the two apart. */
static inline bool flow_sent(const struct flow *f, const struct packet *p, enum side from)
{
    const struct endpoint *sender = &f->side[from], *receiver = &f->side[side_other(from)];
    return endpoint_equal(sender, &p->from) && endpoint_equal(receiver, &p->to) && f->tunnel == p->tunnel && f->number != 0;
}
/* Is p of this connection?  *from: which side sent it. */
static inline bool flow_has(const struct flow *f, const struct packet *p, enum side *from)
{
    *from = flow_sent(f, p, CLIENT) ? CLIENT : SERVER;
    return *from == CLIENT || flow_sent(f, p, SERVER);
}
/* NULL: not known.  *from: which side sent p. */
struct flow *flow_find(const struct flow_table *t, const struct packet *p, uint32_t hash, enum side *from);
/* A new one with p's sender as `from`, else cleared; not yet on the wheel.  The caller numbers it before the next is added.  NULL: the
 * table is full. */
struct flow *flow_add(struct flow_table *t, const struct packet *p, uint32_t hash, enum side from);
void flow_remove(struct flow_table *t, struct flow *f); /* also from the wheel; f is gone */
void flow_swap(struct flow *f);                         /* client becomes server; f has no hold */
void flow_renew(struct flow *f);                        /* as flow_add() left it, where it stands on the wheel apart */

/* The wheel, in full seconds of packet time.  A flow stands on it once; what has been told to wait longer than it can hold comes early. */
void flow_due(struct flow_table *t, struct flow *f, int64_t when);
/* Takes off the wheel the next flow that is due at `now`; NULL: none.  The caller ends it or sets it due again, later. */
struct flow *flow_take_due(struct flow_table *t, int64_t now);
/* Off the wheel: an ended flow that is remembered until its room is needed.  False: enough of them are. */
bool flow_retire(struct flow_table *t, struct flow *f);
/* Takes a retired flow, *when INT64_MAX, or else off the wheel the one that is due first, *when that is; NULL: there is none. */
struct flow *flow_take_first(struct flow_table *t, int64_t *when);

static inline int32_t distance(uint32_t to, uint32_t from) /* of sequence numbers; negative: `to` is before */
{
    return (int32_t)(to - from);
}

void flow_forget(struct flow_table *t); /* all of them; none has a hold */

/* Every flow in order of its connection number; *count of them.  The array is the caller's to free; NULL: none, or out of memory. */
struct flow **flow_all(struct flow_table *t, size_t *count);

#endif
