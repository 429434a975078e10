/* The message key: by what two transactions are known to carry the same mail.  See key.c for how keys are made and joined. */
#ifndef SQUALL_STATS_KEY_H
#define SQUALL_STATS_KEY_H

#include "smtpdissect/transaction.h"

#define KEY_WIDE 20 /* addresses in To and Cc from which on join_wide is made */

struct key { /* of one transaction; every part is a hash, made here once for all who ask; 0: there is none */
    uint64_t id;          /* canonical Message-ID */
    uint64_t fingerprint; /* From, Date, Subject and body start */
    uint64_t join;        /* From, Date, body, thread root, audience and the oldest Received line: equal where a server rewrote the id */
    uint64_t join_wide;   /* without the line, with Subject: of mails with an audience so large that it will do */
    uint64_t join_origin; /* the same for a copy that has no Received line yet, made from whoever sent it */
    uint64_t root;        /* canonical id of the thread root: References, In-Reply-To */
    uint64_t thread;      /* that, else the mail's own id */
    uint64_t answers;     /* In-Reply-To */
    uint64_t sender;      /* the address in From, else the reverse-path */
    uint64_t subject;     /* as it stands, never 0 */
    uint64_t chain;       /* all Received lines, never 0 */
    uint64_t client, server; /* hash_bytes() of their addresses */
    uint64_t nameless;    /* what the mail is filed under when its id says nothing: fingerprint, else this transaction alone */
    bool by_id;           /* there is an id, and not one of those known to say nothing */
};

void key_make(struct key *k, const struct transaction *t);
static inline struct key key_of(const struct transaction *t)
{
    struct key k;
    key_make(&k, t);
    return k;
}
uint64_t key_chain(const struct hop *hops, size_t count); /* of so many Received lines, never 0 */
uint64_t key_id(struct span message_id); /* hash of a Message-ID, brackets or not, domain case folded; 0: empty */
/* The id is one that software puts on all its mails ("systemmessage"), not one a mail has for itself. */
bool key_is_constant(struct span message_id);

#endif
