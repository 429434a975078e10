/* What each detector is given and what it looks like.  stats.c runs them in a fixed order over every transaction.  Private to stats/. */
#ifndef SQUALL_STATS_DETECT_H
#define SQUALL_STATS_DETECT_H

#include "stats/incident.h"
#include "stats/key.h"

struct message; /* stats/ledger.h: the record of one message key */
struct copy;
struct delivery;
struct ledger;
struct memory;  /* stats/memory.h */

enum trait { /* of a transaction: by these stats.c knows, in a glance, which detectors it is nothing for */
    TRAIT_MESSAGE = 1 << 0, /* a mail, accepted: all that follow say this too */
    TRAIT_BOUNCE = 1 << 1,  /* its reverse-path is empty */
    TRAIT_PLAIN = 1 << 2,   /* or is not */
    TRAIT_ANSWER = 1 << 3,  /* it names the root of a thread */
    TRAIT_PEOPLE = 1 << 4,  /* To and Cc hold two addresses or more */
    TRAIT_SINGLE = 1 << 5,  /* one recipient was accepted */
    TRAIT_RECORD = 1 << 6,  /* the ledger has a full record of it: message is not NULL */
    TRAITS_ALL = (1 << 7) - 1,
};

struct observation { /* a transaction, twins left out, with what the ledger made of it */
    const struct transaction *t;
    const struct key *k;     /* what of t is hashed, made once */
    uint64_t key;            /* of the message, after joins; 0 when t is no message */
    uint64_t thread;         /* of the thread root; 0: none */
    uint32_t deliveries;     /* recipients accepted, when t is a message */
    uint32_t redeliveries;   /* of them, to recipients who had it at that server */
    struct message *message; /* NULL: no message, or seen once and kept in short form */
    const struct copy *copy; /* this transaction in message's list; NULL: no message, short form, or over the bound */
    const struct delivery *made; /* each accepted recipient and what the ledger made of it; NULL with message NULL */
    uint32_t made_count;
    bool first;              /* copy of the message */
    int64_t now;             /* t->end */
};

struct detector {
    /* What it keeps is of `memory`, which outlives it.  NULL: out of memory. */
    void *(*make)(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory);
    void (*drop)(void *self);
    uint32_t traits; /* observe() is called for transactions that have all of these */
    /* Fetches into the cache what observe() of the same message will look at first; only t, k, thread and now are set.  May be NULL, as all
     * that follow. */
    void (*expect)(void *self, const struct observation *o);
    void (*near)(void *self, const struct observation *o); /* then, when that has come, what it leads to */
    void (*observe)(void *self, const struct observation *o);
    void (*session)(void *self, const struct session_record *r);
    void (*mirror)(void *self, const struct mirror_view *m, int64_t now);
    void (*tick)(void *self, int64_t now);                               /* once a second of packet time */
};

/* What several detectors do, once: detect.c.
 * Which mail the storm is about: its id, Subject and From. */
void detect_describe(struct storm *s, const struct transaction *t);
/* The client (or server) of the transaction among the storm's hosts, with this copy counted as sent (or taken).  NULL: no room. */
struct storm_host *detect_client(struct storm *s, const struct observation *o);
struct storm_host *detect_server(struct storm *s, const struct observation *o);
/* The transaction is evidence against (or for) h, which may be NULL. */
void detect_evidence(struct storm_host *h, const struct transaction *t, const char *said, ...) __attribute__((format(printf, 3, 4)));
/* The host is at fault in an open storm: what it sends needs no second explanation. */
bool detect_blamed(const struct incidents *all, struct address host);
struct span detect_domain(struct span address); /* what stands after its last @; empty: none */

extern const struct detector route_detector;     /* reinjection, forwarding-loop, list-loop: one rule book, one incident a message */
extern const struct detector elsewhere_detector; /* reinjection-elsewhere */
extern const struct detector autoreply_detector, bounce_detector, replyall_detector, resend_detector, burst_detector, mailbomb_detector,
    encrypted_detector, exposure_detector, census_detector, mirror_detector;

#endif
