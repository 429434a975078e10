/* Packets to connections: finds the flow, decides what becomes of it, lets time pass.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TRACK_H
#define SQUALL_CAPTURE_TRACK_H

#include "capture/capture.h"
#include "capture/packet.h"

struct keep;
struct tracker;
/* settings, sink and counters are the caller's and outlive it.  NULL: out of memory. */
struct tracker *track_new(const struct capture_settings *settings, const struct capture_sink *sink, struct capture_counters *counters);
void track_free(struct tracker *t);

void track_time(struct tracker *t, int64_t time); /* of every packet, before anything else is done with it */
/* Three looks ahead, each a few packets before the next, the last a few before track_packet(). */
uint32_t track_hash(const struct tracker *t, const struct packet *p); /* for the others; fetches the flow table's line */
void track_fetch_flow(const struct tracker *t, uint32_t hash);
void track_fetch_session(const struct tracker *t, uint32_t hash);
void track_packet(struct tracker *t, const struct packet *p, uint32_t hash);
void track_finish(struct tracker *t, int64_t now); /* ends every connection, in order of their numbers */

int64_t track_first(const struct tracker *t); /* ns; TIME_UNKNOWN before the first packet */
int64_t track_now(const struct tracker *t);
double track_copies(const struct tracker *t);
const struct keep *track_keep(const struct tracker *t); /* NULL: no evidence is kept */

#endif
