/* In: an IP packet, from link.c or out of a tunnel.  Out: the TCP segment in it; a tunnel's content to tunnel.c; a fragment to fragment.c,
 * and the datagram that is whole with it back here.  Lengths are believed when they are possible; checksums are not looked at, as mirrors
 * show what a card was still to fill in. */
#include "capture/bytes.h"
#include "capture/decode.h"
#include "capture/layer.h"

enum protocol {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_IPV4 = 4,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_GRE = 47,
    PROTOCOL_AH = 51,
    PROTOCOL_DESTINATION = 60,
    PROTOCOL_ETHERIP = 97,
    PROTOCOL_MOBILITY = 135,
    PROTOCOL_MPLS = 137,
    PROTOCOL_HIP = 139,
    PROTOCOL_SHIM6 = 140,
    PROTOCOL_ETHERNET = 143,
};

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20, EXTENSIONS_MOST = 16 };

static bool broken(struct decoder *d)
{
    return layer_odd(d, &d->counters->bad_ip);
}

static bool not_tcp(struct decoder *d)
{
    d->counters->not_tcp++;
    return false;
}

/* Options that were cut off leave a segment without payload, whose length is still known. */
static bool ip_tcp(struct decoder *d, struct layer l)
{
    if (l.captured < TCP_HEADER)
        return layer_odd(d, &d->counters->bad_tcp);
    size_t header = (size_t)(l.p[12] >> 4) * 4;
    if (header < TCP_HEADER || header > l.length)
        return layer_odd(d, &d->counters->bad_tcp);
    size_t there = header < l.captured ? header : l.captured;
    decode_tcp_fields(d->out, l.p, there, l.captured - there, l.length - header);
    return true;
}

static bool ip_protocol(struct decoder *d, struct layer l, uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP:
        return ip_tcp(d, l);
    case PROTOCOL_UDP: {
        bool tunnel = false;
        bool tcp = tunnel_udp(d, l, &tunnel);
        return tunnel ? tcp : not_tcp(d);
    }
    case PROTOCOL_GRE:
        return tunnel_gre(d, l);
    case PROTOCOL_IPV4:
    case PROTOCOL_IPV6:
        d->tunnelled = true;
        return ip_layer(d, l);
    case PROTOCOL_ETHERIP: /* RFC 3378: version 3, twelve zero bits */
        d->tunnelled = true;
        return layer_skip(&l, 2) ? link_ethernet(d, l) : broken(d);
    case PROTOCOL_ETHERNET:
        d->tunnelled = true;
        return link_ethernet(d, l);
    case PROTOCOL_MPLS:
        d->tunnelled = true;
        return link_mpls(d, l);
    default:
        return not_tcp(d);
    }
}

/* Cuts the layer to what its header says, so that padding goes, and notes when not all of that was captured. */
static void set_length(struct decoder *d, struct layer *l, size_t total)
{
    l->length = total;
    if (l->captured > total)
        l->captured = total;
    d->cut |= l->captured < total;
}

/* Whether datagrams of this protocol may lead to TCP; of others, fragments are not kept. */
static bool worth_gathering(uint8_t protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP:
    case PROTOCOL_UDP:
    case PROTOCOL_GRE:
    case PROTOCOL_IPV4:
    case PROTOCOL_IPV6:
    case PROTOCOL_AH:
    case PROTOCOL_ETHERIP:
    case PROTOCOL_ETHERNET:
    case PROTOCOL_MPLS:
    case PROTOCOL_DESTINATION:
    case PROTOCOL_ROUTING:
        return true;
    default:
        return false;
    }
}

/* The fragment's place and bytes are set, out has its addresses.  When a datagram is whole with it, goes on with that, behind the
 * fragment's own IP header. */
static bool gather(struct decoder *d, struct fragment *f, const uint8_t *header)
{
    d->counters->fragments++;
    if (!worth_gathering(f->protocol))
        return not_tcp(d);
    f->from = d->out->from.address;
    f->to = d->out->to.address;
    f->tunnel = d->out->tunnel;
    f->time = d->out->time;
    size_t size = f->v6 ? IPV6_HEADER : IPV4_HEADER;
    uint8_t kept[IPV6_HEADER]; /* of a fragment inside a tunnel it may lie where the next whole datagram goes */
    memcpy(kept, header, size);
    struct span whole;
    uint8_t protocol, *room;
    if (!fragment_add(d->fragments, f, &whole, &protocol, &room))
        return false;
    uint8_t *ip = room + FRAGMENT_HEADROOM - size;
    memcpy(ip, kept, size);
    if (f->v6) {
        put_be16(ip + 4, (uint16_t)whole.n);
        ip[6] = protocol;
    } else {
        ip[0] = 0x45;
        put_be16(ip + 2, (uint16_t)(size + whole.n));
        put_be16(ip + 6, 0);
    }
    return ip_layer(d, (struct layer){ip, size + whole.n, size + whole.n});
}

/* An authentication header (RFC 4302) hides nothing: past it. */
static bool skip_authentication(struct layer *l, uint8_t *protocol)
{
    while (*protocol == PROTOCOL_AH) {
        if (l->captured < 8)
            return false;
        size_t n = ((size_t)l->p[1] + 2) * 4;
        *protocol = l->p[0];
        if (!layer_skip(l, n))
            return false;
    }
    return true;
}

static bool ip_v4(struct decoder *d, struct layer l)
{
    const uint8_t *ip = l.p;
    if (l.captured < IPV4_HEADER)
        return broken(d);
    size_t header = (size_t)(ip[0] & 15) * 4, total = be16(ip + 2);
    if (total == 0) { /* the sending card was to cut this up (TSO), and would have filled it in */
        d->counters->unsized++;
        total = l.length;
    }
    if (header < IPV4_HEADER || header > l.captured || header > total)
        return broken(d);
    set_length(d, &l, total);
    decode_ip4_fields(d->out, ip, l.captured);
    layer_skip(&l, header);
    uint16_t place = be16(ip + 6);
    if (place & 0x3fff) {
        struct fragment f = {
            .id = be16(ip + 4),
            .protocol = ip[9],
            .more = place & 0x2000,
            .offset = (place & 0x1fffu) * 8,
            .length = (uint32_t)l.length,
            .bytes = span_of(l.p, l.captured),
        };
        return gather(d, &f, ip);
    }
    uint8_t protocol = ip[9];
    return skip_authentication(&l, &protocol) ? ip_protocol(d, l, protocol) : broken(d);
}

/* Where a routing header leads in the end is the address TCP's checksum has: the flow's (RFC 8200 8.1; types 0, 2 and 4). */
static void follow_route(struct decoder *d, const uint8_t *route, size_t n)
{
    if (route[3] == 0 || n < 24) /* segments left */
        return;
    if (route[2] == 0)
        d->out->to.address = address_v6(route + 8 + ((n - 8) / 16 - 1) * 16);
    else if (route[2] == 2 || route[2] == 4)
        d->out->to.address = address_v6(route + 8);
}

static bool ip_v6(struct decoder *d, struct layer l)
{
    const uint8_t *ip = l.p;
    if (l.captured < IPV6_HEADER)
        return broken(d);
    size_t payload = be16(ip + 4); /* 0: a jumbogram, or left to the card */
    if (payload || l.length == IPV6_HEADER)
        set_length(d, &l, IPV6_HEADER + payload);
    d->out->ip = span_of(ip, l.captured);
    d->out->ip_id = 0;
    d->out->ttl = ip[7];
    d->out->from.address = address_v6(ip + 8);
    d->out->to.address = address_v6(ip + 24);
    layer_skip(&l, IPV6_HEADER);

    uint8_t next = ip[6];
    for (int i = 0; i < EXTENSIONS_MOST; i++) {
        size_t n;
        switch (next) {
        case PROTOCOL_HOP_BY_HOP:
        case PROTOCOL_ROUTING:
        case PROTOCOL_DESTINATION:
        case PROTOCOL_MOBILITY:
        case PROTOCOL_HIP:
        case PROTOCOL_SHIM6:
            if (l.captured < 8 || (n = ((size_t)l.p[1] + 1) * 8) > l.captured)
                return broken(d);
            if (next == PROTOCOL_ROUTING)
                follow_route(d, l.p, n);
            break;
        case PROTOCOL_FRAGMENT:
            if (l.captured < (n = 8))
                return broken(d);
            uint16_t place = be16(l.p + 2);
            if ((place & 0xfff9) == 0) /* the only one (RFC 6946) */
                break;
            struct fragment f = {
                .id = be32(l.p + 4),
                .protocol = l.p[0],
                .v6 = true,
                .more = place & 1,
                .offset = place & 0xfff8u,
                .length = (uint32_t)(l.length - n),
                .bytes = span_of(l.p + n, l.captured - n),
            };
            return gather(d, &f, ip);
        case PROTOCOL_AH:
            if (!skip_authentication(&l, &next))
                return broken(d);
            continue;
        default:
            return ip_protocol(d, l, next);
        }
        next = l.p[0];
        layer_skip(&l, n);
    }
    return layer_odd(d, &d->counters->too_deep);
}

bool ip_layer(struct decoder *d, struct layer l)
{
    if (!layer_deeper(d))
        return false;
    if (l.captured == 0)
        return broken(d);
    switch (l.p[0] >> 4) {
    case 4:
        return ip_v4(d, l);
    case 6:
        return ip_v6(d, l);
    default:
        return broken(d);
    }
}
