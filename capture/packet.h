/* What decode makes of a frame: one TCP segment, freed of link layer, tags, tunnels and fragments.  Flat and borrowed: every pointer is
 * into the frame, or into the decoder's buffer when IP fragments were put together; valid until the next frame is decoded or read. */
#ifndef SQUALL_CAPTURE_PACKET_H
#define SQUALL_CAPTURE_PACKET_H

#include <stdint.h>

#include "base/endpoint.h"
#include "base/span.h"
#include "capture/frame.h"

enum packet_flag { PACKET_FIN = 0x01, PACKET_SYN = 0x02, PACKET_RST = 0x04, PACKET_PSH = 0x08, PACKET_ACK = 0x10, PACKET_URG = 0x20 };

struct packet {
    int64_t time;               /* the frame's */
    const struct frame *frame;  /* as given to decode_frame(): for the evidence ring (of fragments: the last to come) */
    struct span ip;             /* innermost IP header on, without padding: for nDPI */
    struct span tcp;            /* TCP header with its options */
    struct span payload;        /* TCP payload as far as captured */
    uint32_t length;            /* TCP payload bytes that were sent; more than payload.n: the rest was cut off and is a gap */
    uint32_t seq, ack;          /* host order; ack means something only with PACKET_ACK */
    uint32_t tunnel;            /* innermost VNI or GRE key, 0: none.  Mirror transports (ERSPAN, TZSP) leave it alone: each of their
                                   sessions may carry one direction of the same connection */
    uint16_t ip_id;             /* IPv4 identification; IPv6: 0 */
    uint16_t checksum;          /* TCP's, never verified: tells copies of a packet apart from retransmissions */
    uint8_t flags;              /* enum packet_flag */
    uint8_t ttl;                /* or hop limit */
    struct endpoint from, to;
};

#endif
