/* The full record of one mail: how ledger.c makes it and puts copies into it.  What may be read of it stands in ledger.h. */
#ifndef SQUALL_STATS_MESSAGE_H
#define SQUALL_STATS_MESSAGE_H

#include "stats/glimpse.h"
#include "stats/ledger.h"
#include "stats/places.h"

struct pair { /* a recipient at a server */
    uint64_t recipient_at;   /* hash of both; 0: empty */
    uint32_t last;           /* number of the copy that came last */
    uint16_t count;          /* deliveries, saturating */
    uint16_t chain[2];       /* of the first two that differ */
    uint16_t holder_copy;    /* whose delivery is the one that is no redelivery: the shortest chain so far; NO_COPY: over the bound */
    uint16_t holder_host;    /* its client; NO_HOST: over the bound */
    uint8_t holder_hops, chains;
};

struct record { /* what a list of the busiest mails asks of all of them stands from the end of m on, in two lines of the cache */
    struct message m;                /* first: a message is its record */
    struct record *newer, *older;    /* by last copy; of the pinned ones: by time of pinning */
    struct hll *pairs_beyond;        /* pairs past the bound of theirs; NULL: none yet */
    uint64_t deliveries_beyond;      /* to those */
    uint64_t subject_hash;
    uint64_t *aliases;               /* under which the ledger finds it */
    uint32_t alias_count, alias_room;
    uint64_t *people;                /* set of addresses; the two low bits say what they are */
    uint32_t people_count, people_room, recipients_known;
    struct pair *pairs;              /* NULL, and no places, while there is one copy */
    uint32_t pair_count, pair_room;
    struct places children;          /* nodes by parent and line */
    struct places words;             /* texts by what they say */
    struct places addresses;         /* hosts by address */
    char *texts;
    uint32_t texts_used, texts_room;
    uint32_t copy_room, node_room, host_room, recipient_room;
    struct hll *beyond;              /* recipients past the bound of people; NULL: none yet */
    uint32_t bytes, own_bytes;       /* all of this; the piece of memory in which it began */
    struct memory *memory;           /* of which all of it is */
};

/* With room for the transaction and so many deliveries before it; NULL: out of memory. */
struct record *message_new(struct memory *memory, uint64_t key, const struct transaction *t, const struct key *k, size_t earlier);
void message_free(struct record *r); /* before its memory goes; not needed if that goes as well */
/* A copy that was in short form: its deliveries, which differ in the recipient only; `next` is the transaction that ends the short form. */
void message_recall(struct record *r, const struct glimpse *const deliveries[], size_t count, struct address client,
                    struct address server, const struct transaction *next);
/* Puts an accepted transaction into the record.  made[] has room for each recipient; *e gets copy, made, deliveries, redeliveries. */
void message_add(struct record *r, const struct transaction *t, const struct key *k, struct delivery *made, struct ledger_entry *e);
bool message_alias(struct record *r, uint64_t alias);                  /* notes it; false: over the bound or out of memory */

static inline bool recipient_accepted(const struct transaction *t, const struct recipient *r)
{
    return t->message && r->code / 100 == 2 && r->final_code / 100 == 2;
}

#endif
