/* The short form: mails to few people that have only been passed on as they came.  Most mails never become more than this; 64 bytes a
 * delivery, index and all, so that a connector's next round, hours later, still finds them.  Any other copy makes a full record of them. */
#ifndef SQUALL_STATS_GLIMPSE_H
#define SQUALL_STATS_GLIMPSE_H

#include "stats/roster.h"

struct glimpse {         /* a delivery */
    uint64_t key;        /* 0: taken out */
    uint64_t recipient;
    uint64_t connection;
    int64_t data_end;    /* ns */
    uint32_t client, server; /* roster numbers */
    uint32_t bytes;      /* of content, at most 4 GiB */
    uint32_t end_after;  /* us from data_end to the final reply, saturating */
    uint16_t mail_before; /* ms from MAIL to data_end, saturating */
    uint16_t stamps;     /* a few bits of From, Date and Subject: enough to see that a later mail is another one under the same id */
    uint16_t chain;      /* of key_chain() */
    uint8_t hops, audience;
};

#define GLIMPSE_COST 64 /* bytes, the share of the index included */
#define GLIMPSE_MOST 8  /* of one key */

struct glimpses;
struct glimpses *glimpses_new(uint32_t most); /* NULL: out of memory */
void glimpses_free(struct glimpses *g);
void glimpse_expect(const struct glimpses *g, uint64_t key); /* fetches its place in the index into the cache */
/* Those of one key, in order of arrival; how many.  Good until the next add or drop. */
size_t glimpse_all(const struct glimpses *g, uint64_t key, const struct glimpse *found[GLIMPSE_MOST]);
void glimpse_add(struct glimpses *g, const struct glimpse *one);  /* there is room, and fewer than GLIMPSE_MOST of its key */
void glimpse_drop(struct glimpses *g, const struct glimpse *one); /* its roster numbers are the caller's to release */
const struct glimpse *glimpse_oldest(struct glimpses *g);                   /* NULL: none */
uint32_t glimpses_room(struct glimpses *g); /* for so many more */
uint32_t glimpses_count(const struct glimpses *g);

#endif
