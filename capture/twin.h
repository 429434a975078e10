/* Packets that the mirror shows twice: in and out of a router, in two VLANs, received and sent.  Private to capture/. */
#ifndef SQUALL_CAPTURE_TWIN_H
#define SQUALL_CAPTURE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "capture/packet.h"

#define TWIN_SLOTS 8192u /* power of two: with two pictures each, 100 ms of a busy link, and still in the core's own cache */
#define TWIN_WITHIN 100000u /* microseconds: below every sender's least retransmission timeout (RFC 6298: 1 s, in practice 200 ms) */
#define TWIN_UNMARKED_WITHIN 1000u /* microseconds: below a fast retransmission's round trip on all but a local network */

struct twins {
    uint64_t seen, again;
    struct twin_slot {
        struct twin_picture {
            uint64_t sum;    /* of the flow, direction, numbers, length and flags; without ip_id, of the checksum too */
            uint32_t micros; /* of its time: wraps in 71 minutes, and no two packets that far apart have all else in common */
            uint8_t ttl;
        } newer, older; /* with one place alone, which pictures drive each other out would depend on the seed far too often */
    } slots[TWIN_SLOTS];
};

struct twins *twin_new(void); /* NULL: out of memory */
void twin_free(struct twins *t);

/* What stands for the packet; 0: it is of a kind that is not looked for.  flow_hash: stands for the two endpoints and the tunnel. */
static inline uint64_t twin_sum(const struct packet *p, uint32_t flow_hash)
{
    bool bare = p->length == 0 && !(p->flags & (PACKET_SYN | PACKET_FIN | PACKET_RST));
    if (bare && p->ip_id == 0)
        return 0; /* duplicate acknowledgements look the same and are meant */
    uint32_t own = (uint32_t)p->from.port << 16 | (p->ip_id ? p->ip_id : p->checksum);
    uint32_t size = p->length ^ (uint32_t)(p->ip_id == 0) << 25 ^ (uint32_t)p->flags << 26; /* no packet is as long as that */
    uint64_t from = (uint64_t)(flow_hash ^ own) << 32 | p->seq, to = (uint64_t)p->ack << 32 | size;
    return hash_fold(from ^ hash_secret[0], to ^ hash_secret[1]);
}

/* Some time before twin_seen(): the table is larger than the nearest cache, and where it is looked at follows no order. */
static inline void twin_prefetch(const struct twins *t, uint64_t sum)
{
    __builtin_prefetch(&t->slots[sum % TWIN_SLOTS], 1);
}

/* Was it seen just before? */
static inline bool twin_seen(struct twins *t, const struct packet *p, uint64_t sum, int64_t now)
{
    if (sum == 0)
        return false;
    struct twin_slot *slot = &t->slots[sum % TWIN_SLOTS];
    struct twin_picture this = {sum, (uint32_t)((uint64_t)now / 1000), p->ttl};
    t->seen++;
    if (slot->newer.sum != sum && slot->older.sum != sum) {
        slot->older = slot->newer;
        slot->newer = this;
        return false;
    }
    struct twin_picture *last = slot->newer.sum == sum ? &slot->newer : &slot->older;
    bool marked = p->ip_id != 0 || last->ttl != p->ttl;
    if (this.micros - last->micros <= (marked ? TWIN_WITHIN : TWIN_UNMARKED_WITHIN)) {
        t->again++;
        return true;
    }
    *last = this;
    return false;
}

double twin_copies(const struct twins *t); /* packets over distinct packets; 1.0 before the first */

#endif
