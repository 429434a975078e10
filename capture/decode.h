/* From a frame to a TCP segment.  Knows link layers, tags, tunnels, IP and its fragments.  Everything odd is a counter. */
#ifndef SQUALL_CAPTURE_DECODE_H
#define SQUALL_CAPTURE_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "capture/bytes.h"
#include "capture/counters.h"
#include "capture/packet.h"

struct decoder;
/* fragments: IP datagrams put together at once.  The counters are the caller's and outlive the decoder.  NULL: out of memory. */
struct decoder *decode_new(size_t fragments, struct capture_counters *counters);
void decode_free(struct decoder *d);
void decode_finish(struct decoder *d); /* the capture is over: datagrams still being put together are lost, and counted */

/* A TCP header of 20 bytes or more, its payload's true length known, into the packet. */
static inline void decode_tcp_fields(struct packet *out, const uint8_t *tcp, size_t header, size_t captured, size_t length)
{
    uint32_t ports = be32(tcp);
    out->tcp = span_of(tcp, header);
    out->payload = span_of(tcp + header, captured);
    out->length = (uint32_t)length;
    out->from.port = (uint16_t)(ports >> 16);
    out->to.port = (uint16_t)ports;
    out->seq = be32(tcp + 4);
    out->ack = be32(tcp + 8);
    out->flags = tcp[13] & 0x3f;
    out->checksum = be16(tcp + 16);
}

static inline void decode_ip4_fields(struct packet *out, const uint8_t *ip, size_t captured)
{
    out->ip = span_of(ip, captured);
    out->ip_id = be16(ip + 4);
    out->ttl = ip[8];
    out->from.address = address_v4(ip + 12);
    out->to.address = address_v4(ip + 16);
}

/* The straight way: an untagged whole frame of Ethernet, IPv4 without options and TCP, to be inlined.  False: it is another. */
static inline bool decode_plain(const struct frame *f, struct packet *out)
{
    enum { ETHERNET = 14, IPV4 = 20, TCP = 20 };
    if (f->link != LINK_ETHERNET || f->captured < ETHERNET + IPV4 + TCP)
        return false;
    const uint8_t *ip = f->p + ETHERNET, *tcp = ip + IPV4;
    if (be32(f->p + 12) >> 8 != 0x080045 || (be32(ip + 6) & 0x3fff00ff) != 6) /* Ethernet's type, version; fragment, protocol */
        return false;
    uint32_t total = be16(ip + 2), header = (tcp[12] & 0xf0u) >> 2;
    uint32_t rest = total - (IPV4 + TCP), options = header - TCP; /* less than none is more than there can be */
    if (rest > f->captured - (ETHERNET + IPV4 + TCP) || options > rest)
        return false;
    out->time = f->time;
    out->frame = f;
    out->tunnel = 0;
    decode_ip4_fields(out, ip, total);
    decode_tcp_fields(out, tcp, header, rest - options, rest - options);
    return true;
}

/* All others: the whole of decode.c, link.c, tunnel.c and fragment.c. */
bool decode_any(struct decoder *d, const struct frame *f, struct packet *out);

/* True: *out is a TCP segment.  False: nothing for the flow table (not TCP, a fragment of more to come, broken); counted. */
static inline bool decode_frame(struct decoder *d, const struct frame *f, struct packet *out)
{
    return decode_plain(f, out) || decode_any(d, f, out);
}

#endif
