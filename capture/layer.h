/* What decode.c, link.c, ip.c, tunnel.c and fragment.c share: the layer at hand, and the decoder on its way through one frame.  Each
 * function below takes its own header off and hands what is inside to the next; true: it ended in a TCP segment. */
#ifndef SQUALL_CAPTURE_LAYER_H
#define SQUALL_CAPTURE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/counters.h"
#include "capture/fragment.h"
#include "capture/packet.h"

struct layer {
    const uint8_t *p;
    size_t captured; /* bytes at p */
    size_t length;   /* bytes there were on the wire, by the innermost header that says so; never less than captured */
};

#define LAYER_DEPTH_MOST 16 /* Ethernet, PPP and IP headers inside one another: eight tunnels; bounds recursion */

struct decoder {
    struct capture_counters *counters;
    struct fragments *fragments;
    struct packet *out;
    unsigned depth;
    bool tagged, tunnelled, cut; /* this frame was */
};

/* Takes n bytes off the front; false: they are not there. */
static inline bool layer_skip(struct layer *l, size_t n)
{
    if (n > l->captured)
        return false;
    l->p += n;
    l->captured -= n;
    l->length -= n;
    return true;
}

/* The frame leads nowhere, for the reason that `counter` counts; returns false. */
static inline bool layer_odd(struct decoder *d, uint64_t *counter)
{
    ++*counter;
    d->counters->undecodable++;
    return false;
}

static inline bool layer_deeper(struct decoder *d)
{
    return ++d->depth <= LAYER_DEPTH_MOST || layer_odd(d, &d->counters->too_deep);
}

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_BRIDGED = 0x6558, /* transparent Ethernet bridging: in GRE and GENEVE */
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_PPP = 0x880b,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_UPSTREAM = 0x8848,
    ETHERTYPE_PPPOE = 0x8864,
    ETHERTYPE_SERVICE_VLAN = 0x88a8, /* 802.1ad */
    ETHERTYPE_ERSPAN2 = 0x88be,      /* and type I */
    ETHERTYPE_ERSPAN3 = 0x22eb,
    ETHERTYPE_QINQ_OLD1 = 0x9100, /* QinQ before 802.1ad */
    ETHERTYPE_QINQ_OLD2 = 0x9200,
    ETHERTYPE_QINQ_OLD3 = 0x9300,
};

bool link_layer(struct decoder *d, struct layer l, uint32_t link);
bool link_ethernet(struct decoder *d, struct layer l);
bool link_ethertype(struct decoder *d, struct layer l, uint16_t type);
bool link_mpls(struct decoder *d, struct layer l);
bool link_ppp(struct decoder *d, struct layer l);

bool ip_layer(struct decoder *d, struct layer l); /* the version is in the first byte */

/* What follows an IP header as protocol 47, and as 17 when its port is a tunnel's; *tunnel: it was one, the result counts. */
bool tunnel_gre(struct decoder *d, struct layer l);
bool tunnel_udp(struct decoder *d, struct layer l, bool *tunnel);

#endif
