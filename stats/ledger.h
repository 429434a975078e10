/* The ledger: what became of each mail, by message key.  A mail to few, with a small audience, seen once or passed on by relays as it came,
 * costs 64 bytes a delivery (short form, no struct message); every other has a full record.  Private to stats/; the records are read-only
 * to all but ledger.c.  Pointers into a record (copies, nodes, hosts, texts) are good until the next ledger_deliver(). */
#ifndef SQUALL_STATS_LEDGER_H
#define SQUALL_STATS_LEDGER_H

#include "smtpdissect/transaction.h"
#include "stats/hll.h"
#include "stats/key.h"

/* Bounds of one message's record; about 3 MiB when a storm fills them all.  Past a bound the counters go on, the lists do not. */
#define LEDGER_COPIES 8192       /* the earliest */
#define LEDGER_NODES 16384       /* distinct Received lines */
#define LEDGER_PEOPLE 24576      /* addresses known one by one (audience and recipients); more recipients are estimated */
#define LEDGER_PAIRS 12288       /* recipients at servers known one by one; of redeliveries to others only the number is estimated */
#define LEDGER_HOSTS 1024
#define LEDGER_RECIPIENTS 32768  /* recipient hashes kept with their copies */
#define LEDGER_TEXTS 262144      /* bytes */
#define LEDGER_TEXT_SIZE 256     /* one text, with its NUL; controls and broken UTF-8 replaced */
#define LEDGER_AUDIENCE_FULL 8   /* a mail with so large an audience has a full record from its first copy on */
#define LEDGER_HOPS_FULL 8       /* as has one that has come through so many hops */
#define LEDGER_SHORT 4           /* or goes to more recipients than this at once */

/* One Received line, as all copies of a message that passed this very hop share it.  Nodes make a tree: its root (index 0) is the message
 * before any hop, a copy's chain is the path to its `tail`, a node with several children is where one became many. */
struct chain_node {
    uint64_t hash;               /* of the line; 0: a hop of a copy kept in short form, of which only the number is known */
    uint32_t parent, depth;      /* depth 1: the oldest line */
    uint32_t children;
    uint32_t copies;             /* whose chain ends here */
    uint32_t from, by, with, note; /* texts */
    struct address from_address; /* all zero: not said */
    int64_t date;                /* TIME_UNKNOWN: none */
};

struct copy { /* one accepted transaction, in order of its final reply */
    uint64_t connection;
    int64_t mail_time, data_end, end; /* as in struct transaction */
    struct address client, server;
    uint32_t helo, greeting;     /* texts; short form: none */
    uint32_t tail;               /* node of the newest Received line; 0: the copy has no Received line */
    uint32_t hops;
    uint32_t marks;              /* enum mark */
    uint32_t delivered_to;       /* number of Delivered-To fields */
    uint32_t recipients_at;      /* in message->recipients; as many as were kept */
    uint32_t recipients_kept;
    uint32_t deliveries;
    uint32_t redeliveries;       /* charged to this copy, by the rule of the longer chain */
    uint64_t bytes;
};

struct message_host { /* a host on the wire and this message */
    struct address address;
    uint32_t helo;               /* text: the name it gave as client, else greeted with as server */
    uint32_t copies_in, copies_out;
    uint64_t in, out;            /* recipients it accepted as server; recipients it sent to as client (deliveries) */
    uint64_t out_taken;          /* of out: recipients it had itself accepted the message for, by then */
    uint64_t out_audience;       /* of the rest: recipients who stand in To or Cc */
    uint64_t out_others;         /* and those who do not */
    uint64_t redeliveries;       /* charged to it as client */
    int64_t first_in, first_out, last_out; /* end of data; TIME_UNKNOWN: never */
    uint32_t least_hops_out;     /* shortest chain it sent */
};

struct message { /* the record of one key */
    uint64_t key;
    uint64_t thread;             /* of the thread root; 0: none */
    uint64_t fingerprint;        /* of the first copy kept in full: From, Date, Subject and body start; 0: too little to go by */
    uint32_t id, from, subject;  /* texts; message_text() */
    uint64_t from_hash;
    int64_t date;                /* of the Date field */
    uint32_t ids;                /* distinct Message-IDs joined in this record */
    uint64_t audience;           /* addresses in To and Cc of the first copy */
    uint64_t copies, bytes;
    uint64_t most_copies;        /* that one recipient got at one server */
    uint64_t sources;            /* distinct clients */
    uint32_t short_first;        /* so many of the first copies were in short form: no texts; hops often by number only */
    bool pinned;                 /* of a storm: never evicted */

    struct copy *copy_list;      /* copy_count of them, the earliest */
    uint32_t copy_count;
    struct chain_node *nodes;    /* [0] is the root */
    uint32_t node_count;
    struct message_host *hosts;
    uint32_t host_count;
    uint64_t *recipients;        /* hashes, by copy */
    uint32_t recipient_count;

    int64_t first, last;         /* final replies */
    uint64_t deliveries, redeliveries;
    struct record *own;          /* ledger.c's: tables, texts, links */
};

struct delivery { /* what the ledger made of one accepted recipient */
    uint64_t recipient;
    bool in_audience;
    bool had_it;                 /* a delivery of the message to it at this server was there before */
    bool taken;                  /* the client had itself accepted the message for it */
    uint8_t chains;              /* distinct chains of the copies it got here, this one included; 3: three or more */
    uint32_t copies;             /* it got at this server, this one included; 1 where the bound hides others */
    struct address charged;      /* the client whose copy is the redelivery: the longer chain, whichever came first; all zero: none */
};

struct ledger_entry { /* what became of one transaction */
    struct message *message;         /* NULL: kept in short form, or no room */
    const struct copy *copy;         /* this transaction's; NULL: short form, or over the bound */
    const struct delivery *made;     /* one a recipient accepted, in order; good until the next ledger_deliver(); NULL in short form */
    uint32_t made_count;
    uint64_t key;                    /* of the message, after joins */
    uint32_t deliveries, redeliveries;
    bool new_id;                     /* the Message-ID was not known before */
    bool first;                      /* nor any copy of the mail */
};

struct ledger;
struct memory; /* stats/memory.h */
/* `budget`: bytes of all records, beside a sixteenth for their names; *evicted counts those forgotten for want of room. `remember`: ns
 * after which a mail without a new copy is forgotten though there be room.  What it keeps is of `memory`.  NULL: out of memory. */
struct ledger *ledger_new(struct memory *memory, int64_t budget, int64_t remember, uint64_t *evicted);
void ledger_free(struct ledger *l); /* its records go with the memory */
void ledger_tick(struct ledger *l, int64_t now);
void ledger_expect(const struct ledger *l, const struct key *k); /* fetches into the cache what ledger_deliver() will look at first, */
void ledger_near(const struct ledger *l, const struct key *k);   /* and when that has come, what it leads to */
/* t->message, no twin. */
struct ledger_entry ledger_deliver(struct ledger *l, const struct transaction *t, const struct key *k);

struct message *ledger_find(const struct ledger *l, uint64_t key);    /* the full record, also by a joined key; NULL: none */
/* The server (all zero: any) accepted a copy of the mail, in full or short form; *client gave it the first one. */
bool ledger_took(const struct ledger *l, uint64_t key, struct address server, struct address *client);
void ledger_pin(struct ledger *l, struct message *m, bool pinned);    /* a storm's record is never evicted */
size_t ledger_full(const struct ledger *l);                           /* records */
size_t ledger_short(const struct ledger *l);
size_t ledger_bytes(const struct ledger *l);                          /* of both */
/* Full records in no certain order, the one after `after`; after NULL: the first. */
struct message *ledger_each(const struct ledger *l, const struct message *after);

const char *message_text(const struct message *m, uint32_t text);     /* "" for 0 */
uint64_t message_recipients(const struct message *m);                 /* distinct; exact to LEDGER_PEOPLE, the rest with HLL_ERROR */
bool message_recipients_exact(const struct message *m);
/* Exact to LEDGER_PAIRS; beyond it as many as there are for certain: deliveries less distinct pairs, these taken three standard errors
 * (5 %) too high. */
uint64_t message_redeliveries(const struct message *m);
bool message_in_audience(const struct message *m, uint64_t recipient);
uint32_t message_copies_at(const struct message *m, uint64_t recipient, struct address server); /* deliveries to it there */
struct message_host *message_host(const struct message *m, struct address host); /* NULL: not seen on the wire with this message */
/* The node of `copy`'s line number `depth` (1: oldest); 0: it has no such line. */
uint32_t message_hop(const struct message *m, const struct copy *copy, uint32_t depth);
/* How many lines two copies have in common, from the oldest on. */
uint32_t message_common(const struct message *m, const struct copy *a, const struct copy *b);

#endif
