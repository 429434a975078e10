/* The hosts of one mail that may be to blame: what each took in, put out and sent again, how the mail came to it, and by the conservation
 * law whether it is at fault.  Private to stats/. */
#ifndef SQUALL_STATS_ROLES_H
#define SQUALL_STATS_ROLES_H

#include "stats/chain.h"
#include "stats/ledger.h"
#include "stats/settings.h"
#include "stats/storm.h"

#define ROLES_PARTIES  512  /* a storm; further ones are not told apart */
#define ROLES_WATCHED  256  /* a mail that is none, or not yet */
#define ROLES_DOMAINS  5    /* more than the likes of one company have */
#define ROLES_MEMBERS  8192 /* audience members that one host reached and that are told apart */
#define ROLES_EVIDENCE 4    /* pieces a host */
#define ROLES_FEEDERS  4    /* a host */
#define ROLES_NAME     128

struct members {    /* a set of addresses */
    uint64_t *slot; /* 0: empty */
    uint32_t room, count;
};

struct feeder { /* the host whose mailbox fed a re-injector, by the chain's word */
    struct address address;
    char name[ROLES_NAME];
};

struct party {              /* a host: a client on the wire, or one that only chains name */
    struct address address; /* all zero: only a name is known */
    struct address other;   /* of the same host, in another network; all zero: none */
    char name[ROLES_NAME];
    uint64_t name_hash;
    bool on_wire;
    bool sends;                 /* it was a client on the wire */
    struct party *acts_for;     /* whose work its latest copy was: its own, or that of the host it relays for */
    enum arrival arrival;       /* the worst that its copies have shown */
    bool fetched;               /* its own lines say that it fetched the mail */
    bool own_people;            /* ARRIVAL_ANEW: people of its own domain stand in To: and Cc: */
    bool foreign;               /* it sent first, but another house's mail, and people of its own stand in To: and Cc: */
    uint64_t redeliveries;      /* laid to its charge, whoever carried them */
    struct members sent, again; /* audience members it sent to; those of them who had it */
    struct members domains;     /* of those, while it is open whether it sends to more than its own people */
    uint32_t thirds; /* third copies of one audience member at one server, each by a chain of its own; not at the origin's own server: */
    uint32_t thirds_home;
    uint32_t twice;                 /* how often, at most, it stands in one chain as the one who put the copy back on its way */
    uint32_t returns;               /* times the mail has come back to it, as server, by its longest chain */
    bool on_cycle;                  /* it stands between two passes of one server */
    bool list;                      /* it runs a list whose marks stand on the mail */
    uint64_t copies;                /* it put out */
    int64_t first, last;            /* final replies to them */
    char software[STORM_TEXT_SIZE]; /* what its marks show it runs, and the setting to change; "": no marks */
    struct feeder behind;           /* the author's own server, of another house, that gave it the mail, by its word; all zero: none */
    struct feeder feeder[ROLES_FEEDERS];
    uint32_t feeder_count;
    struct members own; /* people of To: and Cc: in its own domain, and in those that the first `own_feeders` of these take mail for */
    uint32_t own_feeders;
    bool own_known;
    struct storm_evidence *evidence; /* ROLES_EVIDENCE; NULL: none yet */
    uint32_t evidence_count;
};

struct roles {
    struct party **party; /* in order of appearance; a party's place is its own while *r lives */
    uint32_t count, room;
    bool storm;           /* as many as ROLES_PARTIES */
    uint32_t thirds_anew; /* third copies by hosts at which the mail begins anew */
    struct members hit; /* audience members who got a redelivery, but for those at the origin's own server */
};
void roles_free(struct roles *r);
/* Finds by address, else (address unknown, or one of another network) by name; adds when there is none.  NULL: no room. */
struct party *roles_party(struct roles *r, struct address address, struct span name, bool on_wire);
struct party *roles_sender(struct roles *r, struct address address, struct span name); /* a client on the wire */
struct party *roles_find(const struct roles *r, struct address address); /* NULL: none */
bool members_add(struct members *m, uint64_t address);                   /* false: it was there, or there is no room */
bool members_have(const struct members *m, uint64_t address);
void party_feeder(struct party *p, struct address address, struct span name);

struct verdict {               /* of the conservation law on one mail */
    uint32_t guilty;           /* re-injectors */
    uint64_t redeliveries;     /* of all of them */
    uint32_t reached;          /* most audience members that one of them sent to again */
    const struct party *worst; /* with most redeliveries; NULL: none */
    bool suspected, second, third, twice, lone;
    bool home; /* third copies, but all at the origin's own server: bounces may tell more */
};
bool roles_reinjects(const struct roles *r, const struct party *p, const struct message *m, const struct party *origin,
    const struct stats_settings *s);
struct verdict roles_judge(const struct roles *r, const struct message *m, const struct party *origin, const struct stats_settings *s);
/* On the way round a loop and more than a relay on it: it made another recipient of the one it took in (or all hosts of the loop are
 * relays). */
bool roles_loops(const struct roles *r, const struct party *p, const struct message *m);
/* It sent first, yet as a re-injector would, and another has begun the mail anew as well: the sensor came too late to see who did begin. */
bool roles_doubts(const struct roles *r, const struct party *p);
/* Nothing came in, the shortest chain went out.  NULL: no such host on this wire. */
const struct party *roles_origin(const struct roles *r, const struct message *m);
enum storm_role roles_bystander(const struct message *m, const struct party *p); /* of one neither guilty nor the origin */

#endif
