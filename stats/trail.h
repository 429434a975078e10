/* The trail of one mail that shows a sign of a storm: its hosts, what its copies share, its rounds.  Private to stats/: route.c's. */
#ifndef SQUALL_STATS_TRAIL_H
#define SQUALL_STATS_TRAIL_H

#include "stats/ledger.h"
#include "stats/reproduction.h"
#include "stats/roles.h"

#define TRAIL_LANES 4096 /* pairs of client and server; further ones are not told apart */
#define TRAIL_PEAK  10   /* s */

struct passage { /* one copy on its way from client to server */
    struct address client, server;
    struct span helo, greeting;
    uint64_t connection;
    int64_t mail_time, end;
    uint32_t deliveries;
    uint32_t delivered_to; /* Delivered-To fields */
    const struct delivery *made; /* what the ledger made of its recipients */
    uint32_t made_count;
    const struct header *header; /* NULL: a copy of before the trail was opened */
};

struct lane {
    struct address client, server; /* client all zero: empty */
    uint64_t copies, deliveries, redeliveries;
    int64_t first;
};

#define TRAIL_SHARES 16 /* hosts on one circle */
struct share {          /* of a host in mails that go round the same circle; the first one is of all hosts */
    struct address address;
    uint64_t copies, deliveries, redeliveries, in;
};

struct trail {
    uint64_t key;
    struct roles roles;
    struct trunk trunk;
    char first_name[ROLES_NAME]; /* of the oldest host, by the chains' word */
    struct address first_address;
    struct address first_giver;  /* from which that host had it, by its line; all zero: not said */
    struct feeder before;        /* the host that gave it the mail and wrote no line; all zero: none */
    struct address starter;      /* the client of the first copy */
    char starter_name[ROLES_NAME];
    uint32_t starter_delivered_to; /* fields it bore */
    bool weighed;                /* whether the starter may be the origin, by To:, Cc: and From: */
    uint64_t spine[CHAIN_LINES]; /* the longest chain: its lines */
    uint32_t spine_count;
    bool branched;                           /* a copy went another way than the spine */
    struct reproduction *injections, *turns; /* rounds through mailboxes; round a loop.  NULL: none yet */
    struct address turning_point;            /* the host whose passes are the turns */
    bool turns_seen_out;                     /* by what it sends; else by what it takes in */
    uint32_t returns;                        /* to one server, the most; counted when they are certain */
    uint64_t domains;                        /* of the audience */
    struct lane *lane;                       /* open addressing */
    uint32_t lane_room, lane_count;
    uint32_t in_second[TRAIL_PEAK]; /* deliveries */
    int64_t second;
    double peak;         /* deliveries a second over the busiest TRAIL_PEAK */
    bool changed;        /* something that a verdict rests on */
    bool fresh;          /* copies that were not yet told */
    uint64_t foretold;   /* deliveries of the next round, as last told; 0: nothing */
    int64_t foretold_at; /* and when it comes */
    int64_t settled;     /* latest event of the last round told of when it was over */
    int64_t touched;
    bool pinned;             /* in the ledger */
    uint64_t circle;         /* the hosts that a loop goes through; 0: no loop */
    uint64_t leader;         /* the mail whose incident tells of this one too, as it goes round the same circle; 0: it has its own */
    uint64_t led, led_bytes; /* mails that it leads, and their bytes */
    struct share share[TRAIL_SHARES]; /* their copies */
    uint32_t share_count;
    struct trail *next; /* route.c's: of its bucket; by last copy */
    struct trail *newer, *older;
};

/* With the copies that the ledger knows already, all but the latest `but`.  NULL: out of memory. */
struct trail *trail_new(const struct message *m, uint32_t but, const struct stats_settings *settings);
void trail_free(struct trail *l);
void trail_follow(
    struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct stats_settings *settings);
/* The wire knows the visit's name and the address that the next line gives it as two hosts: one of the lines lies. */
bool trail_refutes(const struct message *m, const struct visit *v);
/* Keeps a piece of evidence against `by`, with the line that matters; NULL: none. */
void trail_evidence(struct party *by, const struct passage *p, const struct hop *line, const char *said);
/* Adds to the share of a host in the mails that `l` leads. */
void trail_share(struct trail *l, struct address host, const struct share *more);
uint64_t trail_circle(const struct trail *l, const struct message *m); /* 0: nobody is at fault */
void trail_audience(struct trail *l, const struct header *h);          /* counts its domains */

#endif
