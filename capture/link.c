/* In: a frame, or the Ethernet, PPP or MPLS inside a tunnel.  Out: the IP packet in it, to ip.c, freed of tags and labels. */
#include "capture/bytes.h"
#include "capture/layer.h"

bool link_known(uint32_t link)
{
    switch (link) {
    case LINK_NULL:
    case LINK_ETHERNET:
    case LINK_PPP:
    case LINK_RAW_12:
    case LINK_RAW_14:
    case LINK_PPP_HDLC:
    case LINK_PPP_ETHER:
    case LINK_RAW:
    case LINK_CISCO_HDLC:
    case LINK_LOOP:
    case LINK_LINUX_SLL:
    case LINK_IPV4:
    case LINK_IPV6:
    case LINK_LINUX_SLL2:
        return true;
    default:
        return false;
    }
}

static bool broken(struct decoder *d)
{
    return layer_odd(d, &d->counters->bad_link);
}

static bool not_ip(struct decoder *d)
{
    d->counters->not_ip++;
    return false;
}

/* 802.2 behind a length instead of a type: only SNAP with an Ethernet type can carry IP. */
static bool link_llc(struct decoder *d, struct layer l)
{
    static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0};
    if (l.captured < 8 || memcmp(l.p, snap, sizeof snap) != 0)
        return not_ip(d);
    uint16_t type = be16(l.p + 6);
    layer_skip(&l, 8);
    return link_ethertype(d, l, type);
}

/* RFC 2516: version, type, code, session, length; then PPP. */
static bool link_pppoe(struct decoder *d, struct layer l)
{
    if (l.captured < 6 || l.p[0] != 0x11 || l.p[1] != 0)
        return broken(d);
    layer_skip(&l, 6);
    return link_ppp(d, l);
}

bool link_ethertype(struct decoder *d, struct layer l, uint16_t type)
{
    for (;;) {
        switch (type) {
        case ETHERTYPE_IPV4:
        case ETHERTYPE_IPV6:
            return ip_layer(d, l);
        case ETHERTYPE_VLAN:
        case ETHERTYPE_SERVICE_VLAN:
        case ETHERTYPE_QINQ_OLD1:
        case ETHERTYPE_QINQ_OLD2:
        case ETHERTYPE_QINQ_OLD3:
            d->tagged = true;
            if (l.captured < 4)
                return broken(d);
            type = be16(l.p + 2);
            layer_skip(&l, 4);
            continue;
        case ETHERTYPE_MPLS:
        case ETHERTYPE_MPLS_UPSTREAM:
            return link_mpls(d, l);
        case ETHERTYPE_PPPOE:
            return link_pppoe(d, l);
        default:
            return type < 0x600 ? link_llc(d, l) : not_ip(d);
        }
    }
}

bool link_ethernet(struct decoder *d, struct layer l)
{
    if (!layer_deeper(d))
        return false;
    if (l.captured < 14)
        return broken(d);
    uint16_t type = be16(l.p + 12);
    layer_skip(&l, 14);
    return link_ethertype(d, l, type);
}

/* Label stacks do not say what they carry: an IP version, or a pseudowire of Ethernet with its control word of 0 (RFC 4385) or without. */
bool link_mpls(struct decoder *d, struct layer l)
{
    bool bottom;
    do {
        if (l.captured < 4)
            return broken(d);
        bottom = l.p[2] & 1;
        layer_skip(&l, 4);
    } while (!bottom);
    if (l.captured < 4)
        return broken(d);
    switch (l.p[0] >> 4) {
    case 4:
    case 6:
        return ip_layer(d, l);
    case 0:
        layer_skip(&l, 4);
        return link_ethernet(d, l);
    default:
        return link_ethernet(d, l);
    }
}

/* RFC 1661, with or without the address and control bytes of RFC 1662, the protocol in two bytes or compressed to one. */
bool link_ppp(struct decoder *d, struct layer l)
{
    if (!layer_deeper(d))
        return false;
    if (l.captured >= 2 && l.p[0] == 0xff && l.p[1] == 3)
        layer_skip(&l, 2);
    if (l.captured < 2)
        return broken(d);
    bool compressed = l.p[0] & 1;
    uint16_t protocol = compressed ? l.p[0] : be16(l.p);
    layer_skip(&l, compressed ? 1 : 2);
    switch (protocol) {
    case 0x0021:
    case 0x0057:
        return ip_layer(d, l);
    case 0x0281:
    case 0x0283:
        return link_mpls(d, l);
    default:
        return not_ip(d);
    }
}

/* Cisco's HDLC: address, control, Ethernet type.  Files of link type 50 hold this or PPP. */
static bool link_hdlc(struct decoder *d, struct layer l)
{
    if (l.captured >= 1 && l.p[0] == 0xff)
        return link_ppp(d, l);
    if (l.captured < 4)
        return broken(d);
    uint16_t type = be16(l.p + 2);
    layer_skip(&l, 4);
    return link_ethertype(d, l, type);
}

/* BSD loopback: an address family in the byte order of some machine (NULL) or of the network (LOOP).  2 is IPv4 everywhere; IPv6 is 10 on
 * Linux, 24, 28 or 30 on the BSDs. */
static bool link_loopback(struct decoder *d, struct layer l)
{
    if (l.captured < 4)
        return broken(d);
    uint32_t family = be32(l.p);
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    layer_skip(&l, 4);
    if (family == 2 || family == 10 || family == 24 || family == 28 || family == 30)
        return ip_layer(d, l);
    return not_ip(d);
}

/* Linux cooked: the Ethernet type stands at `type_at` of a header of `header` bytes. */
static bool link_cooked(struct decoder *d, struct layer l, size_t type_at, size_t header)
{
    if (l.captured < header)
        return broken(d);
    uint16_t type = be16(l.p + type_at);
    layer_skip(&l, header);
    return link_ethertype(d, l, type);
}

bool link_layer(struct decoder *d, struct layer l, uint32_t link)
{
    switch (link) {
    case LINK_ETHERNET:
        return link_ethernet(d, l);
    case LINK_LINUX_SLL:
        return link_cooked(d, l, 14, 16);
    case LINK_LINUX_SLL2:
        return link_cooked(d, l, 0, 20);
    case LINK_NULL:
    case LINK_LOOP:
        return link_loopback(d, l);
    case LINK_PPP:
        return link_ppp(d, l);
    case LINK_PPP_HDLC:
    case LINK_CISCO_HDLC:
        return link_hdlc(d, l);
    case LINK_PPP_ETHER:
        return link_pppoe(d, l);
    case LINK_RAW:
    case LINK_RAW_12:
    case LINK_RAW_14:
    case LINK_IPV4:
    case LINK_IPV6:
        return ip_layer(d, l);
    default:
        return broken(d);
    }
}
