/* In: what an IP header carries as GRE, or as UDP on a tunnel's port.  Out: the Ethernet frame or IP packet inside, to link.c and ip.c. */
#include "capture/bytes.h"
#include "capture/layer.h"

enum { PORT_VXLAN = 4789, PORT_VXLAN_LINUX = 8472, PORT_GENEVE = 6081, PORT_TZSP = 37008 };

static bool broken(struct decoder *d)
{
    return layer_odd(d, &d->counters->bad_tunnel);
}

static uint32_t be24(const uint8_t *p)
{
    return be32(p) >> 8;
}

/* Type II: version 1, VLAN, session, index.  Type I has no header of its own; GRE then has no sequence number. */
static bool tunnel_erspan2(struct decoder *d, struct layer l, bool sequence)
{
    if (!sequence)
        return link_ethernet(d, l);
    if (l.captured < 8 || l.p[0] >> 4 != 1)
        return broken(d);
    layer_skip(&l, 8);
    return link_ethernet(d, l);
}

/* Type III: version 2; the last bit says whether a platform's 8 bytes follow, the frame type whether it is Ethernet or bare IP. */
static bool tunnel_erspan3(struct decoder *d, struct layer l)
{
    if (l.captured < 12 || l.p[0] >> 4 != 2)
        return broken(d);
    unsigned frame_type = l.p[10] >> 2 & 31;
    size_t header = l.p[11] & 1 ? 20 : 12;
    if (!layer_skip(&l, header))
        return broken(d);
    return frame_type == 2 ? ip_layer(d, l) : link_ethernet(d, l);
}

/* RFC 2784 and 2890 (checksum, key, sequence number), RFC 1701's source route passed over, and version 1, which is PPTP's (RFC 2637). */
bool tunnel_gre(struct decoder *d, struct layer l)
{
    enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, ACKNOWLEDGE = 0x0080, VERSION = 0x0007 };
    if (l.captured < 4)
        return broken(d);
    uint16_t flags = be16(l.p), type = be16(l.p + 2);
    bool pptp = (flags & VERSION) == 1;
    if ((flags & VERSION) > 1)
        return broken(d);
    layer_skip(&l, 4);
    d->tunnelled = true;
    if (!pptp && (flags & (CHECKSUM | ROUTING)) && !layer_skip(&l, 4))
        return broken(d);
    if (flags & KEY) {
        if (l.captured < 4)
            return broken(d);
        if (!pptp) /* PPTP's holds a length and a call number, another in each direction */
            d->out->tunnel = be32(l.p);
        layer_skip(&l, 4);
    }
    if ((flags & SEQUENCE) && !layer_skip(&l, 4))
        return broken(d);
    if (pptp && (flags & ACKNOWLEDGE) && !layer_skip(&l, 4))
        return broken(d);
    if (!pptp && (flags & ROUTING)) {
        size_t n;
        do { /* entries, the last of length 0 */
            if (l.captured < 4)
                return broken(d);
            n = l.p[3];
        } while (layer_skip(&l, 4 + n) && n);
        if (n)
            return broken(d);
    }
    switch (type) {
    case ETHERTYPE_BRIDGED:
        d->out->tunnel &= ~(uint32_t)0xff; /* NVGRE's flow id (RFC 7637): another in each direction */
        return link_ethernet(d, l);
    case ETHERTYPE_ERSPAN2:
        return tunnel_erspan2(d, l, flags & SEQUENCE);
    case ETHERTYPE_ERSPAN3:
        return tunnel_erspan3(d, l);
    case ETHERTYPE_PPP:
        return l.captured ? link_ppp(d, l) : link_ethertype(d, l, type); /* PPTP acknowledges with an empty packet */
    default:
        return link_ethertype(d, l, type);
    }
}

/* RFC 7348; false where the bit that every VXLAN packet has is not set: then it only shares the port. */
static bool tunnel_vxlan(struct decoder *d, struct layer l, bool *tunnel)
{
    if (l.captured < 8 || !(l.p[0] & 0x08))
        return false;
    *tunnel = d->tunnelled = true;
    d->out->tunnel = be24(l.p + 4);
    layer_skip(&l, 8);
    return link_ethernet(d, l);
}

/* RFC 8926: version 0, length of the options in words, the type of what is inside, VNI. */
static bool tunnel_geneve(struct decoder *d, struct layer l, bool *tunnel)
{
    if (l.captured < 8 || l.p[0] >> 6 != 0)
        return false;
    *tunnel = d->tunnelled = true;
    uint16_t type = be16(l.p + 2);
    d->out->tunnel = be24(l.p + 4);
    if (!layer_skip(&l, 8 + (size_t)(l.p[0] & 0x3f) * 4))
        return broken(d);
    return type == ETHERTYPE_BRIDGED ? link_ethernet(d, l) : link_ethertype(d, l, type);
}

/* TaZmen Sniffer Protocol, as RouterOS mirrors: version 1, type, what is inside, then tags up to the end tag. */
static bool tunnel_tzsp(struct decoder *d, struct layer l, bool *tunnel)
{
    enum { RECEIVED = 0, TO_SEND = 1, ETHERNET = 1, TAG_PADDING = 0, TAG_END = 1 };
    if (l.captured < 5 || l.p[0] != 1 || (l.p[1] != RECEIVED && l.p[1] != TO_SEND) || be16(l.p + 2) != ETHERNET)
        return false;
    *tunnel = d->tunnelled = true;
    layer_skip(&l, 4);
    for (;;) {
        if (l.captured == 0)
            return broken(d);
        uint8_t tag = l.p[0];
        if (tag == TAG_PADDING || tag == TAG_END) {
            layer_skip(&l, 1);
            if (tag == TAG_END)
                return link_ethernet(d, l);
        } else if (l.captured < 2 || !layer_skip(&l, 2 + (size_t)l.p[1])) {
            return broken(d);
        }
    }
}

bool tunnel_udp(struct decoder *d, struct layer l, bool *tunnel)
{
    enum { UDP_HEADER = 8 };
    if (l.captured < UDP_HEADER)
        return false;
    uint16_t to = be16(l.p + 2);
    layer_skip(&l, UDP_HEADER);
    switch (to) {
    case PORT_VXLAN:
    case PORT_VXLAN_LINUX:
        return tunnel_vxlan(d, l, tunnel);
    case PORT_GENEVE:
        return tunnel_geneve(d, l, tunnel);
    case PORT_TZSP:
        return tunnel_tzsp(d, l, tunnel);
    default:
        return false;
    }
}
