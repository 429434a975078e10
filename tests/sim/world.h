/* A random mail world: one mail to many, some of whose servers are POP connectors that re-inject it; around it lists, aliases, relays and
 * office mail that are in order.  Nothing here looks at stats/: the world runs by itself, the transactions a mirror would have shown are
 * kept with the truth about who re-injected. */
#ifndef SQUALL_TESTS_SIM_WORLD_H
#define SQUALL_TESTS_SIM_WORLD_H

#include "smtpdissect/transaction.h"

#define WORLD_CONNECTORS 32
#define WORLD_ROUNDS 8

struct world_plan {
    uint64_t seed;
    uint32_t recipients;     /* of the mail that storms, all in To: */
    uint32_t connectors;     /* 0: no storm at all */
    bool smarthost;          /* connectors send through their provider's relay */
    bool smarthost_hidden;   /* and the mirror does not show their way to it */
    bool origin_hidden;      /* the mirror does not show what the origin sends (it sits elsewhere, or started late) */
    bool forged;             /* the mail came to the origin with Received lines that name innocents */
    bool new_ids;            /* half of the connectors give each copy a Message-ID of their own */
    bool two_relays;         /* the origin's mail crosses a gateway, and the mirror shows both links */
    double loss;             /* share of transactions the mirror lost: half are never seen, half are uncertain */
};

struct world {
    struct transaction *transactions; /* by end */
    size_t transaction_count;
    struct address origin;
    struct address reinjectors[WORLD_CONNECTORS]; /* those of whom the mirror showed, or a header names, at least one re-injected copy */
    size_t reinjector_count;
    uint64_t round_deliveries[WORLD_ROUNDS];      /* of the storming mail, by round of polls; 0: the origin's own */
    int64_t round_first[WORLD_ROUNDS];            /* end of the first transaction of each */
    int64_t round_last[WORLD_ROUNDS];
    uint32_t cut_short;                           /* the round in which the operator pulled the plug; 0: he did not */
    int64_t period;                               /* between polls, ns */
    struct store *store;                          /* the memory of all of it */
};

bool world_make(struct world *w, const struct world_plan *plan); /* false: out of memory */
void world_free(struct world *w);

#endif
