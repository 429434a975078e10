/* A transaction as the dissector closes it: counted and judged, but its recipients and its header still text.  It crosses so from a capture
 * worker's thread to the stats thread, flat in one piece of memory, and is read there: the worker has the packets to keep up with. */
#ifndef SQUALL_SMTPDISSECT_UNREAD_H
#define SQUALL_SMTPDISSECT_UNREAD_H

#include "base/arena.h"
#include "smtpdissect/smtp.h"

struct unread { /* what is not explained here: as in struct transaction */
    uint64_t connection;
    struct endpoint client, server;
    int64_t mail_time, data_end, end;
    uint64_t bytes, gap_bytes, body_fingerprint;
    struct span helo, greeting, user, reverse_path;
    struct span recipients; /* as envelope.c keeps them; so many: */
    uint32_t recipient_count, recipients_dropped;
    struct span header;     /* as header_pack() keeps it */
    uint64_t header_bytes;
    const struct report *report; /* NULL: no bounce */
    uint32_t ordinal;
    uint16_t code;
    uint8_t tls; /* enum tls */
    bool lmtp, null_reverse_path, header_complete, uncertain, message;
};

size_t unread_flat_most(const struct unread *u); /* bytes, or fewer, that unread_flatten() writes */
/* `to` is aligned to 8, and what is written there stays there; returns how many bytes that are. */
size_t unread_flatten(const struct unread *u, void *to);
/* What was flattened says; good as long as that memory and the arena's.  `t` is cleared, or has been read into before. */
void unread_read(const void *flat, struct arena *a, struct transaction *t);
size_t unread_arena(const struct smtp_settings *settings); /* bytes that the arena must be allowed to hold */

#endif
