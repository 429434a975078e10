/* The short form: mails seen once, to one recipient, with a small audience. Most mails never become more than this; 64 bytes each, index
 * and all, so that a connector's next round, hours later, still finds them. A second copy takes the short form out and makes a full
 * record of it. */
#ifndef SQUALL_STATS_GLIMPSE_H
#define SQUALL_STATS_GLIMPSE_H

#include "stats/roster.h"

struct glimpse {
    uint64_t key;        /* 0: taken out */
    uint64_t recipient;
    uint64_t connection;
    int64_t data_end;    /* ns */
    uint32_t client, server; /* roster numbers */
    uint32_t bytes;      /* of content, at most 4 GiB */
    uint32_t end_after;  /* us from data_end to the final reply, saturating */
    uint16_t mail_before; /* ms from MAIL to data_end, saturating */
    uint16_t stamps;     /* a few bits of From, Date and Subject: enough to see that a later mail is another one under the same id */
    uint16_t chain;      /* of the fold of the Received lines */
    uint8_t hops, audience;
};

#define GLIMPSE_COST 64 /* bytes a mail, its share of the index included */

struct glimpses;
struct glimpses *glimpses_new(uint32_t most); /* NULL: out of memory */
void glimpses_free(struct glimpses *g);
const struct glimpse *glimpse_find(const struct glimpses *g, uint64_t key); /* good until the next add or drop; NULL: none */
void glimpse_add(struct glimpses *g, const struct glimpse *one);            /* its key is not there yet, and there is room */
/* If it is there; its roster numbers are the caller's to release. */
void glimpse_drop(struct glimpses *g, uint64_t key);
const struct glimpse *glimpse_oldest(struct glimpses *g);                   /* NULL: none */
bool glimpses_full(struct glimpses *g);
uint32_t glimpses_count(const struct glimpses *g);

#endif
