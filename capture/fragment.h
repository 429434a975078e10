/* IP datagrams put together from their fragments, in bounded memory. */
#ifndef SQUALL_CAPTURE_FRAGMENT_H
#define SQUALL_CAPTURE_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/span.h"
#include "capture/counters.h"

#define FRAGMENT_HEADROOM 40 /* bytes free before a datagram put together: an IP header may be written there */

struct fragment {
    struct address from, to;
    uint32_t id;
    uint32_t tunnel;
    uint8_t protocol; /* of IPv6: the fragment header's next header */
    bool v6;
    bool more;        /* not the last */
    uint32_t offset;  /* bytes */
    uint32_t length;  /* bytes the fragment has by its header; bytes.n when captured whole */
    struct span bytes;
    int64_t time;
};

struct fragments;
struct fragments *fragments_new(size_t datagrams, struct capture_counters *counters); /* NULL: out of memory */
void fragments_free(struct fragments *f);
void fragments_finish(struct fragments *f); /* gives up those that are not whole */
/* True: with this fragment a datagram is whole: *datagram is its payload, *protocol what it is, valid until the next call; the
 * FRAGMENT_HEADROOM bytes before it may be written to through *room. */
bool fragment_add(struct fragments *f, const struct fragment *piece, struct span *datagram, uint8_t *protocol, uint8_t **room);

#endif
