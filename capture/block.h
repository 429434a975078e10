/* A block of a packet socket's ring (TPACKET_V3): frames one behind the other, each behind a header that tells where the next is.  They are
 * handed out where they lie. */
#ifndef SQUALL_CAPTURE_BLOCK_H
#define SQUALL_CAPTURE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/frame.h"

struct block { /* being read */
    uint8_t *p;
    size_t size; /* that the kernel has filled */
    size_t at;   /* of the next frame's header */
    uint32_t left;
    uint32_t link;
    bool ethernet; /* a VLAN tag that the card took off is put back */
};

/* p: a block of `size` bytes that the kernel has given over, aligned as it has them. */
void block_begin(struct block *b, uint8_t *p, size_t size, uint32_t link);
/* The next frames, at most so many; 0: there are no more.  Adds to *lost those of which the headers make no sense, which no kernel should
 * do. */
size_t block_read(struct block *b, struct frame *frames, size_t most, uint64_t *lost);

#endif
