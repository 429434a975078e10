/* In: packets.  Out, to track.c: is it a second picture of one that has been seen?
 *
 * A sender numbers its IPv4 packets, so a retransmission has another identification and a twin the same.  Where there is no number (IPv6,
 * or 0 with "don't fragment"), the TCP checksum covers the timestamp option, which a retransmission renews; and a router between the two
 * pictures takes one from the TTL.  A copy with no mark at all is a twin only when it comes sooner than any sender would retransmit.
 * Nothing but counters hangs on it: the stream takes bytes once in any case. */
#include "capture/twin.h"

#include <stdlib.h>

struct twins *twin_new(void)
{
    return calloc(1, sizeof(struct twins));
}

void twin_free(struct twins *t)
{
    free(t);
}

double twin_copies(const struct twins *t)
{
    return t->seen ? (double)t->seen / (double)(t->seen - t->again) : 1.0;
}
