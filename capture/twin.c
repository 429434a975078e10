/* In: packets.  Out, to track.c: is it a second picture of one that has been seen?
 *
 * A sender numbers its IPv4 packets, so a retransmission has another identification and a twin the same.  Where there is no number (IPv6,
 * or 0 with "don't fragment"), the TCP checksum covers the timestamp option, which a retransmission renews; and a router between the two
 * pictures takes one from the TTL.  A copy with no mark at all is a twin only when it comes sooner than any sender would retransmit.
 * Nothing but counters hangs on it: the stream takes bytes once in any case. */
#include "capture/twin.h"

#include <stdlib.h>

#include "base/hash.h"

#define REMEMBERED 4096u       /* power of two; packets, the later one drives the earlier out; small, to stay in the cache */
#define TWIN_WITHIN 100000u    /* microseconds: below every sender's least retransmission timeout (RFC 6298: 1 s, in practice 200 ms) */
#define UNMARKED_WITHIN 1000u  /* microseconds: below a fast retransmission's round trip on all but a local network */

struct picture {
    uint64_t sum;    /* of the flow, direction, numbers, length and flags; without ip_id, of the checksum too */
    uint32_t micros; /* of its time: wraps in 71 minutes, and no two packets that far apart have all else in common */
    uint8_t ttl;
};

struct twins {
    uint64_t seen, again;
    struct picture last[REMEMBERED];
};

struct twins *twin_new(void)
{
    return calloc(1, sizeof(struct twins));
}

void twin_free(struct twins *t)
{
    free(t);
}

uint64_t twin_sum(const struct twins *t, const struct packet *p, uint32_t flow_hash)
{
    bool bare = p->length == 0 && !(p->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST));
    if (bare && p->ip_id == 0)
        return 0; /* duplicate acknowledgements look the same and are meant */
    uint64_t from = (uint64_t)flow_hash << 32 | p->seq, to = (uint64_t)p->ack << 32 | p->length;
    uint64_t numbers = hash_fold(from ^ hash_secret[0], to ^ hash_secret[1]);
    uint64_t rest = (uint64_t)p->from.port << 48 | (uint64_t)p->flags << 32 | (p->ip_id ? (uint64_t)p->ip_id << 16 : p->checksum);
    uint64_t sum = hash_fold(numbers ^ rest, hash_secret[2]);
    __builtin_prefetch(&t->last[sum % REMEMBERED], 1);
    return sum;
}

bool twin_seen(struct twins *t, const struct packet *p, uint64_t sum, int64_t now)
{
    if (sum == 0)
        return false;
    struct picture *last = &t->last[sum % REMEMBERED];
    struct picture this = {sum, (uint32_t)((uint64_t)now / 1000), p->ttl};
    t->seen++;
    bool marked = p->ip_id != 0 || last->ttl != this.ttl;
    bool again = last->sum == this.sum && this.micros - last->micros <= (marked ? TWIN_WITHIN : UNMARKED_WITHIN);
    if (again)
        t->again++;
    else
        *last = this;
    return again;
}

double twin_copies(const struct twins *t)
{
    return t->seen ? (double)t->seen / (double)(t->seen - t->again) : 1.0;
}
