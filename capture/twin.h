/* Packets that the mirror shows twice: in and out of a router, in two VLANs, received and sent.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TWIN_H
#define SQUALL_CAPTURE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/packet.h"

struct twins;
struct twins *twin_new(void); /* NULL: out of memory */
void twin_free(struct twins *t);
/* What stands for the packet; 0: it is of a kind that is not looked for.  Fetches what twin_seen() will need.  flow_hash: stands for the
 * two endpoints and the tunnel. */
uint64_t twin_sum(const struct twins *t, const struct packet *p, uint32_t flow_hash);
bool twin_seen(struct twins *t, const struct packet *p, uint64_t sum, int64_t now); /* just before */
double twin_copies(const struct twins *t); /* packets over distinct packets; 1.0 before the first */

#endif
