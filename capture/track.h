/* Packets to connections: finds the flow, decides what becomes of it, lets time pass.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TRACK_H
#define SQUALL_CAPTURE_TRACK_H

#include "capture/capture.h"
#include "capture/flow.h"
#include "capture/packet.h"

struct keep;
struct tracker;
/* settings, sink and counters are the caller's and outlive it.  NULL: out of memory. */
struct tracker *track_new(const struct capture_settings *settings, const struct capture_sink *sink, struct capture_counters *counters);
void track_free(struct tracker *t);

void track_time(struct tracker *t, int64_t time); /* passes without a packet */

/* A frame, decoded. */
struct tracked {
    struct packet packet; /* when it is of TCP; its time in any case */
    uint32_t captured;    /* bytes of the frame */
    bool tcp;
    uint32_t hash;        /* track_look()'s */
    struct flow *likely;  /* track_packets()'s, with what follows */
    uint64_t twin;
};
const struct flow_index *track_index(const struct tracker *t);
static inline void track_look(const struct flow_index *x, struct tracked *p) /* some time before track_packets(), so that it is at hand */
{
    p->hash = flow_hash(&p->packet);
    flow_prefetch(x, p->hash);
}
/* One after the other: time passes, and what is of TCP goes to its connection. */
void track_packets(struct tracker *t, struct tracked *packets, size_t n);
void track_finish(struct tracker *t, int64_t now); /* ends every connection, in order of their numbers */

int64_t track_first(const struct tracker *t); /* ns; TIME_UNKNOWN before the first packet */
int64_t track_now(const struct tracker *t);
double track_copies(const struct tracker *t);
const struct keep *track_keep(const struct tracker *t); /* NULL: no evidence is kept */

#endif
