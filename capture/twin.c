/* In: packets.  Out, to track.c: is it a second picture of one that has been seen?
 *
 * A sender numbers its IPv4 packets, so a retransmission has another identification and a twin the same.  Where there is no number (IPv6, or
 * 0 with "don't fragment"), the TCP checksum covers the timestamp option, which a retransmission renews; and a router between the two pictures
 * takes one from the TTL.  A copy with no mark at all is a twin only when it comes sooner than any sender would retransmit.  Nothing but
 * counters hangs on it: the stream takes bytes once in any case. */
#include "capture/twin.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

#define REMEMBERED 16384u                       /* power of two; packets, the later one drives the earlier out */
#define TWIN_WITHIN (NS_PER_SECOND / 10)        /* below every sender's least retransmission timeout (RFC 6298: 1 s, in practice 200 ms) */
#define UNMARKED_WITHIN (NS_PER_SECOND / 1000)  /* below a fast retransmission's round trip on all but a local network */

struct picture {
    uint64_t sum;
    int64_t time;
    uint16_t checksum;
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

bool twin_seen(struct twins *t, const struct packet *p, uint32_t flow_hash, int64_t now)
{
    bool bare = p->length == 0 && !(p->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST));
    if (bare && p->ip_id == 0)
        return false; /* duplicate acknowledgements look the same and are meant */
    struct {
        uint32_t flow, seq, ack, length;
        uint16_t ip_id, window, port, flags;
    } key = {flow_hash, p->seq, p->ack, p->length, p->ip_id, p->window, p->from.port, p->flags};
    static_assert(sizeof key == 4 * 4 + 4 * 2, "no padding is hashed");
    uint64_t sum = hash_bytes(&key, sizeof key);
    struct picture *last = &t->last[sum % REMEMBERED];
    t->seen++;
    int64_t within = p->ip_id != 0 || (last->checksum == p->checksum && last->ttl != p->ttl) ? TWIN_WITHIN : UNMARKED_WITHIN;
    bool again = last->sum == sum && llabs(now - last->time) <= within && (p->ip_id != 0 || last->checksum == p->checksum);
    if (again)
        t->again++;
    else
        *last = (struct picture){sum, now, p->checksum, p->ttl};
    return again;
}

double twin_copies(const struct twins *t)
{
    return t->seen ? (double)t->seen / (double)(t->seen - t->again) : 1.0;
}
