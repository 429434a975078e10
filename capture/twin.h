/* Packets that the mirror shows twice: in and out of a router, in two VLANs, received and sent.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TWIN_H
#define SQUALL_CAPTURE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "capture/packet.h"

#define TWIN_PICTURES 4096u /* power of two; the later one drives the earlier out; few, to stay in the cache */
#define TWIN_WITHIN 100000u /* microseconds: below every sender's least retransmission timeout (RFC 6298: 1 s, in practice 200 ms) */
#define TWIN_UNMARKED_WITHIN 1000u /* microseconds: below a fast retransmission's round trip on all but a local network */

struct twins {
    uint64_t seen, again;
    struct twin_picture {
        uint64_t sum;    /* of the flow, direction, numbers, length and flags; without ip_id, of the checksum too */
        uint32_t micros; /* of its time: wraps in 71 minutes, and no two packets that far apart have all else in common */
        uint8_t ttl;
    } last[TWIN_PICTURES];
};

struct twins *twin_new(void); /* NULL: out of memory */
void twin_free(struct twins *t);

/* What stands for the packet; 0: it is of a kind that is not looked for.  Fetches what twin_seen() will need.  flow_hash: stands for the
 * two endpoints and the tunnel. */
static inline uint64_t twin_sum(const struct twins *t, const struct packet *p, uint32_t flow_hash)
{
    bool bare = p->length == 0 && !(p->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST));
    if (bare && p->ip_id == 0)
        return 0; /* duplicate acknowledgements look the same and are meant */
    uint32_t own = (uint32_t)p->from.port << 16 | (p->ip_id ? p->ip_id : p->checksum);
    uint32_t size = p->length ^ (uint32_t)(p->ip_id == 0) << 25 ^ (uint32_t)p->flags << 26; /* no packet is as long as that */
    uint64_t from = (uint64_t)(flow_hash ^ own) << 32 | p->seq, to = (uint64_t)p->ack << 32 | size;
    uint64_t sum = hash_fold(from ^ hash_secret[0], to ^ hash_secret[1]);
    __builtin_prefetch(&t->last[sum % TWIN_PICTURES], 1);
    return sum;
}

/* Was it seen just before? */
static inline bool twin_seen(struct twins *t, const struct packet *p, uint64_t sum, int64_t now)
{
    if (sum == 0)
        return false;
    struct twin_picture *last = &t->last[sum % TWIN_PICTURES];
    uint32_t micros = (uint32_t)((uint64_t)now / 1000);
    t->seen++;
    if (last->sum == sum) {
        bool marked = p->ip_id != 0 || last->ttl != p->ttl;
        if (micros - last->micros <= (marked ? TWIN_WITHIN : TWIN_UNMARKED_WITHIN)) {
            t->again++;
            return true;
        }
    }
    *last = (struct twin_picture){sum, micros, p->ttl};
    return false;
}

double twin_copies(const struct twins *t); /* packets over distinct packets; 1.0 before the first */

#endif
