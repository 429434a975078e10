/* Packets that the mirror shows twice: in and out of a router, in two VLANs, received and sent.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TWIN_H
#define SQUALL_CAPTURE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/packet.h"

struct twins;
struct twins *twin_new(void); /* NULL: out of memory */
void twin_free(struct twins *t);
/* Has this packet been seen just before?  flow_hash: stands for the two endpoints and the tunnel. */
bool twin_seen(struct twins *t, const struct packet *p, uint32_t flow_hash, int64_t now);
double twin_copies(const struct twins *t); /* packets over distinct packets; 1.0 before the first */

#endif
