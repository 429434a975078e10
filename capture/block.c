/* In: a block of the kernel's ring, from tap.c.  Out: its frames.  The kernel wrote the headers and is trusted to have done so; each is
 * looked at all the same before it is followed. */
#include "capture/block.h"

#include <linux/if_packet.h>
#include <string.h>

#include "base/clock.h"

#define HEADERS (sizeof(struct tpacket3_hdr) + sizeof(struct sockaddr_ll)) /* before each frame, and then a gap */
#define ALIGN 8u                                                           /* of headers, as the kernel lays them */
#define MACS 12u                                                           /* both addresses: a VLAN tag follows them */
#define TAG 4u
#define LINE 64u
#define AHEAD 4096u /* bytes fetched before they are looked at: header after header there is nothing to do but wait for the next */
#define VLAN 0x8100

void block_begin(struct block *b, uint8_t *p, size_t size, uint32_t link)
{
    const struct tpacket_hdr_v1 *h = &((const struct tpacket_block_desc *)(const void *)p)->hdr.bh1;
    *b = (struct block){.p = p, .size = h->blk_len < size ? h->blk_len : size, .at = h->offset_to_first_pkt, .left = h->num_pkts,
        .link = link, .ethernet = link == LINK_ETHERNET};
}

/* The tag goes back between the addresses and the type, into the gap before the frame. */
static void put_tag(struct frame *f, uint8_t *p, const struct tpacket3_hdr *h)
{
    uint16_t type = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : VLAN, tag = (uint16_t)h->hv1.tp_vlan_tci;
    memmove(p - TAG, p, MACS);
    p += MACS - TAG;
    p[0] = (uint8_t)(type >> 8);
    p[1] = (uint8_t)type;
    p[2] = (uint8_t)(tag >> 8);
    p[3] = (uint8_t)tag;
    f->p -= TAG;
    f->captured += TAG;
    f->length += TAG;
}

static bool tagged(const struct block *b, const struct tpacket3_hdr *h)
{
    return b->ethernet && (h->tp_status & TP_STATUS_VLAN_VALID || h->hv1.tp_vlan_tci) && h->tp_snaplen >= MACS &&
           h->tp_mac >= HEADERS + TAG;
}

/* The frame at hand, and on to the next.  False: its header makes no sense. */
static inline bool take(struct block *b, struct frame *f)
{
    if (b->at % ALIGN || b->at >= b->size || b->size - b->at < HEADERS)
        return false;
    size_t room = b->size - b->at;
    uint8_t *p = b->p + b->at;
    const struct tpacket3_hdr *h = (const void *)p;
    if (h->tp_mac < HEADERS || h->tp_mac > room || h->tp_snaplen > room - h->tp_mac || h->tp_snaplen > FRAME_MOST - TAG)
        return false;
    *f = (struct frame){
        .p = p + h->tp_mac,
        .captured = h->tp_snaplen,
        .length = h->tp_len < h->tp_snaplen ? h->tp_snaplen : h->tp_len,
        .time = (int64_t)h->tp_sec * NS_PER_SECOND + h->tp_nsec,
        .link = b->link,
    };
    for (size_t line = 0; line < h->tp_mac + (size_t)h->tp_snaplen; line += LINE)
        __builtin_prefetch(p + AHEAD + line);
    if (tagged(b, h))
        put_tag(f, p + h->tp_mac, h);
    b->at += h->tp_next_offset < HEADERS ? b->size : h->tp_next_offset; /* the last one's is 0 */
    b->left--;
    return true;
}

size_t block_read(struct block *b, struct frame *frames, size_t most, uint64_t *lost)
{
    size_t n = 0;
    while (b->left && n < most) {
        if (!take(b, &frames[n])) {
            *lost += b->left;
            b->left = 0;
            break;
        }
        n++;
    }
    return n;
}
