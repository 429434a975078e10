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

struct streams;
/* bytes: held early, of all flows.  The counters are the caller's and outlive it.  NULL: out of memory. */
struct streams *stream_new(size_t bytes, int64_t reorder, const struct stream_receiver *receiver, struct capture_counters *counters);
void stream_free(struct streams *s);

void stream_segment(struct streams *s, struct flow *f, enum side from, const struct packet *p, int64_t now);
/* Holes of all flows whose time has come.  Cheap; call it with every packet. */
void stream_tick(struct streams *s, int64_t now);
/* f ends: what is held is delivered, what is known to be missing is told. */
void stream_flush(struct streams *s, struct flow *f, int64_t now);
void stream_drop(struct streams *s, struct flow *f); /* forgets what is held */

#endif
