/* A frame as a source delivers it: borrowed bytes, how many there were on the wire, when, and which link layer they begin with. */
#ifndef SQUALL_CAPTURE_FRAME_H
#define SQUALL_CAPTURE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* LINKTYPE_ numbers of pcap files, the ones decode knows. */
enum link_type {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_PPP = 9,
    LINK_RAW_12 = 12, /* raw IP, as Linux numbers it live */
    LINK_RAW_14 = 14, /* raw IP, as OpenBSD numbers it live */
    LINK_PPP_HDLC = 50,
    LINK_PPP_ETHER = 51, /* PPPoE without its Ethernet header */
    LINK_RAW = 101,
    LINK_CISCO_HDLC = 104,
    LINK_LOOP = 108,
    LINK_LINUX_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_LINUX_SLL2 = 276,
};

#define FRAME_MOST 262144u             /* bytes captured of one frame, at most: libpcap's MAXIMUM_SNAPLEN */
#define FRAME_TIME_MOST (INT64_MAX / 2) /* no frame is later, so that sums of times cannot overflow */

struct frame {
    const uint8_t *p;
    uint32_t captured; /* bytes at p; may be 0 */
    uint32_t length;   /* bytes on the wire, never less than captured */
    int64_t time;      /* ns, 0 .. FRAME_TIME_MOST; may step back from one frame to the next */
    uint32_t link;     /* enum link_type, or a number that decode counts as undecodable */
};

bool link_known(uint32_t link);

#endif
