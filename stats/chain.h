/* A Received chain read as a way through hosts: who had the mail, one after the other, and how it came to each.  Private to stats/. */
#ifndef SQUALL_STATS_CHAIN_H
#define SQUALL_STATS_CHAIN_H

#include "smtpdissect/transaction.h"

#define CHAIN_LINES 256 /* the newest ones are read: five times the commonest hop limit */
#define CHAIN_TRUNK 8   /* visits of the part that all copies share; origins have fewer hosts */

enum arrival {       /* how the mail came to a host, by the chain's word */
    ARRIVAL_START,   /* the oldest host there is */
    ARRIVAL_SMTP,    /* the host before gave it by SMTP */
    ARRIVAL_ODD,     /* neither is certain */
    ARRIVAL_ANEW,    /* its chain begins at a stranger, who never had it by SMTP, though another had sent it before */
    ARRIVAL_MAILBOX, /* out of a mailbox that the host before had filled */
};

struct visit {              /* lines that one host wrote, one after the other */
    struct span name;       /* as it calls itself after "by"; empty: it does not */
    uint64_t name_hash;     /* 0: no name */
    struct address address; /* from which the next host had the mail, by that host's word; all zero: not said */
    uint64_t path;          /* of all lines before: the very copy that came in */
    uint64_t entry;         /* of these and the visit's first line: one arrival of one copy */
    uint32_t first, last;   /* lines */
    enum arrival arrival;
    bool fetched;   /* a line of it says POP3, IMAP or a program that fetches */
    bool delivered; /* its last line is a final delivery (LMTP) */
    bool missing;   /* out of a mailbox, though its first line says by SMTP: the line of the host that gave it is not there */
};

struct chain {
    const struct hop *hops; /* hop_count of them, oldest first: the caller's */
    uint32_t hop_count;
    uint32_t count;
    struct visit visit[CHAIN_LINES];
};

/* The spans in *c are those of `hops`. */
void chain_read(struct chain *c, const struct hop *hops, size_t count);
uint64_t chain_end(const struct chain *c, uint32_t k); /* of all lines up to the last one of visit k */

struct trunk { /* what all copies have in common, from the oldest host on */
    bool known;
    bool bare; /* the first sender writes no line */
    uint32_t count;
    struct {
        uint64_t name, end; /* the host; all lines up to its last one */
    } visit[CHAIN_TRUNK];
};
void trunk_join(struct trunk *t, const struct chain *c); /* one more copy; one without a chain says nothing */

/* The visit, after the trunk, to which the mail last came out of a mailbox: who put this copy back on its way; -1: nobody did. */
int chain_injection(const struct chain *c, const struct trunk *t);
/* How often the mail has been at the host of this name and address, and in *latest when last; hosts that share a name but not the address
 * (as the next hop saw it) are others, unless `same_name_is_same`. */
uint32_t chain_passes(const struct chain *c, struct span name, struct address address, bool same_name_is_same, uint32_t *latest);
bool chain_same_organisation(struct span a, struct span b); /* host names under one registered domain */
struct span chain_organisation(struct span name);           /* that domain; empty: the name has none */
/* The host that the oldest line had the mail from, which wrote no line of its own: the author's, or known for it because the oldest line is
 * of the mailbox's host.  NULL: there is none. */
const struct hop *chain_before(const struct chain *c, struct span author_domain);
bool chain_fetched(const struct hop *h);                    /* this line says that its host fetched the mail from a mailbox */
uint32_t chain_hop_limit(const struct chain *c);            /* the least of its servers that tell theirs; 0: none does */
/* "from A [1.2.3.4] by B with POP3 (fetchmail-6.4.37)": as much as helps to find the line.  Returns `to`. */
char *chain_line(const struct hop *h, char *to, size_t size);

#endif
