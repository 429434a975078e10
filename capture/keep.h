/* The evidence ring: the most recent frames of mail connections, found again by connection.  Only what the sink calls clear is kept of
 * their payload; message content and passwords never enter it: their bytes are a filler of the same length, so that sequence numbers and
 * sizes stay true. Private to capture/; track.c fills it, capture_evidence() reads it. */
#ifndef SQUALL_CAPTURE_KEEP_H
#define SQUALL_CAPTURE_KEEP_H

#include <stdio.h>

#include "capture/capture.h"
#include "capture/packet.h"

#define KEEP_FILLER 'x'

struct keep;
struct keep *keep_new(size_t bytes); /* NULL: out of memory */
void keep_free(struct keep *k);

/* A packet is in hand: until keep_end(), keep_bytes() may judge its bytes. */
void keep_begin(struct keep *k, const struct packet *p);
/* `bytes`, which begin at sequence number seq, have been delivered; these parts of them are clear.  They are of the packet in hand, or
 * of one that came early and was delivered only now. */
void keep_bytes(
    struct keep *k, uint64_t connection, enum side from, uint32_t seq, struct span bytes, const struct span clear[], size_t count);
/* The packet in hand goes into the ring when it is `wanted`, and is nobody's business after it. */
void keep_end(struct keep *k, uint64_t connection, enum side from, bool wanted);
/* All of it at once, of a packet whose payload, all of it, has been delivered: these parts are clear. */
void keep_whole(struct keep *k, const struct packet *p, uint64_t connection, enum side from, const struct span clear[], size_t count);

/* Frames of these connections, oldest first, as a pcapng section; the first of each with its comment.  Returns how many frames. */
size_t keep_write(const struct keep *k, const struct evidence_wish *wishes, size_t count, struct span comment, FILE *to);

#endif
