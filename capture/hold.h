/* What came early: pieces of a connection's two directions, waiting for what goes before them.  Pieces and holds come from pools that all
 * connections share.  For stream.c; onset.c asks for a reset. */
#ifndef SQUALL_CAPTURE_HOLD_H
#define SQUALL_CAPTURE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/flow.h"

#define PIECE_BYTES 2000 /* so that a piece with its head is 2 KiB and takes an Ethernet frame */

struct piece {
    struct piece *next;
    int64_t came;    /* ns */
    uint32_t seq, n; /* n may exceed PIECE_BYTES when nothing was captured of it */
    uint32_t ack;
    uint32_t order;  /* of arrival, within its hold */
    bool has_ack;
    bool captured;   /* false: the snap length cut it off */
    uint8_t bytes[PIECE_BYTES];
};

struct line { /* pieces of a side: ascending, disjoint, none before the flow's next[] */
    struct piece *first, *last;
    struct piece *hint; /* the last one put in: the next usually goes behind it */
};

struct hold { /* of one flow */
    struct hold *next, *prev; /* of all in use */
    struct flow *flow;
    struct line line[2];
    uint32_t pieces, order;
    int64_t reset; /* ns: a reset came before what it follows, and stands at this time; 0: none */
};

struct segment { /* what is left to be placed of a packet's payload */
    uint32_t seq, n;   /* n: as sent */
    struct span bytes; /* as captured; less than n: the tail was cut off */
    uint32_t ack;
    bool has_ack;
};

struct hold_store;
struct hold_store *hold_new(size_t bytes); /* of all pieces; NULL: out of memory */
void hold_free(struct hold_store *s);
struct hold *hold_first(const struct hold_store *s); /* of those in use */

struct hold *hold_of(struct hold_store *s, struct flow *f); /* the flow's, made if need be; NULL: no room */
void hold_drop(struct hold_store *s, struct flow *f);       /* with all its pieces */
void hold_drop_first(struct hold_store *s, struct hold *h, enum side side);
void hold_clear(struct hold_store *s, struct hold *h, enum side side);

/* Holds what is new of an early segment; the first copy of a byte stands.  False: no room, or too far to look for its place; *g is what
 * is left.  *any: something was new.  *differs: something was not, and had other bytes. */
bool hold_segment(struct hold_store *s, struct hold *h, enum side from, struct segment *g, int64_t now, bool *any, bool *differs);

static inline void segment_cut(struct segment *g, uint32_t n) /* the first n bytes are placed */
{
    g->seq += n;
    g->n -= n;
    g->bytes = span_from(g->bytes, n);
}

#endif
