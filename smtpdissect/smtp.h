/* The dissector's door. In: the bytes of both directions of a connection in any cut, gaps, end (RFC 5321, 1870, 1985, 2034, 2920, 3030,
 * 3207, 3461, 4954, 6531, LMTP 2033). Out: one transaction record for each mail transaction, one session record at the end. A passive
 * reader can neither ask again nor refuse: every call consumes all it is given and returns nothing. */
#ifndef SQUALL_SMTPDISSECT_SMTP_H
#define SQUALL_SMTPDISSECT_SMTP_H

#include "base/config.h"
#include "smtpdissect/counters.h"
#include "smtpdissect/transaction.h"

struct session_record { /* what one connection was, told when it ends; also for TLS, where nothing else is seen */
    uint64_t connection;
    struct endpoint client, server;
    struct span helo, greeting;
    bool smtp;          /* an SMTP dialogue was recognised (a greeting, or a client verb) */
    enum tls tls;       /* STARTTLS only when accepted and TLS followed */
    int64_t begin, end; /* ns */
    uint32_t transactions;
    uint64_t bytes[2];     /* payload by side, gaps included */
    uint64_t tls_bytes[2]; /* of TLS application data by side */
    bool one_sided;        /* only one side had payload */
};

struct unread; /* unread.h */
struct smtp_sink {
    void (*transaction)(void *user, const struct transaction *t);
    void (*unread)(void *user, const struct unread *u); /* in its place, where it is to be read by another thread; else NULL */
    void (*session)(void *user, const struct session_record *s);
    void *user;
};

struct smtp_settings {
    int64_t header_bytes; /* of one message header parsed; 1 MiB and more */
    int64_t recipients;   /* of one transaction kept with their replies */
    int64_t text_bytes;   /* of lines, envelopes and headers under way, all sessions */
    int64_t sessions;     /* at once */
};
extern const struct setting smtp_settings_list[];
extern const size_t smtp_settings_count;

struct dissector; /* the sessions of one capture worker: pools, counters */
struct dissector *dissector_new(const struct smtp_settings *settings, const struct smtp_sink *sink); /* NULL: out of memory */
void dissector_free(struct dissector *d);
const struct smtp_counters *dissector_counters(const struct dissector *d);

struct smtp; /* one connection */
/* client_certain as in struct connection: when false the first bytes may show that the sides are swapped; records are then the right
 * way round. */
struct smtp *smtp_open(
    struct dissector *d, uint64_t connection, const struct endpoint side[2], bool client_certain, int64_t now); /* NULL: bound reached */
void smtp_push(struct smtp *s, enum side from, struct span bytes, int64_t now);
void smtp_gap(struct smtp *s, enum side from, uint64_t n, int64_t now);
void smtp_end(struct smtp *s, int64_t now); /* frees s */

#endif
