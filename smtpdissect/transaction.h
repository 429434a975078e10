/* The record that everything turns on: one SMTP mail transaction (RFC 5321, 3.3) as it was seen.  All spans and arrays belong to the
 * dissector and are valid during the transaction() call only.  A span of 0 bytes: unknown or absent. */
#ifndef SQUALL_SMTPDISSECT_TRANSACTION_H
#define SQUALL_SMTPDISSECT_TRANSACTION_H

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/span.h"

struct recipient {
    struct span address; /* of RCPT TO, without <> and source route, as written */
    uint64_t hash;       /* hash_nocase of the address with quoting undone */
    uint16_t code;       /* reply to RCPT; 0: never seen */
    uint16_t final_code; /* reply to the data: LMTP one each, else the transaction's; 0: never seen */
};

struct hop {                     /* one Received field (RFC 5321, 4.4) */
    struct span from;            /* what the sender called itself (HELO) */
    struct address from_address; /* the address the receiver saw; all zero: not said */
    struct span by, with, id;
    struct span with_note; /* comment after "with": "fetchmail-6.4.37" */
    int64_t date;          /* ns, TIME_UNKNOWN */
    uint64_t hash;         /* of the unfolded field; equal in two copies when both passed this very hop */
};

struct audience_address { /* one address of To or Cc */
    uint64_t address;     /* hash, as in struct recipient */
    uint64_t domain;      /* hash_nocase of the domain */
};

enum tls { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

/* Marks of re-injecting software in the header; a mark explains, it never accuses (DETECTION.md). */
enum mark {
    MARK_MSPOP3CONNECTOR = 1 << 0,     /* "mspop3connector." before an address in To, Cc or an accepted RCPT */
    MARK_IMB_RECIPIENT = 1 << 1,       /* display name "IMB Recipient N" */
    MARK_CDO_EXCHANGE_2000 = 1 << 2,   /* X-Mailer: Microsoft CDO for Exchange 2000 */
    MARK_UNLISTED_RECIPIENTS = 1 << 3, /* "unlisted-recipients:; (no To-header on input)" */
};

struct header {             /* of the message itself: the top header, first occurrence of each field */
    struct span message_id; /* without <>, domain case as written; "systemmessage" and the like as they stand */
    struct span from;       /* the field's value, unfolded, RFC 2047 left encoded */
    struct span from_address;
    uint64_t from_hash;                       /* of the address; 0: none */
    struct span sender, subject, in_reply_to; /* in_reply_to: first id, without <> */
    struct span references_root;              /* first id of References, else in_reply_to */
    int64_t date;                             /* ns, TIME_UNKNOWN */
    struct span auto_submitted, precedence, list_id, mailer, content_type;
    struct span x_been_there, x_loop; /* all of them, a line each: every list on the way leaves its own */
    uint32_t marks;                   /* enum mark */
    const struct audience_address *audience;
    size_t audience_count;  /* addresses in To and Cc, all of them */
    const struct hop *hops; /* the Received chain, oldest first */
    size_t hop_count;
    const uint64_t *delivered_to; /* hashes of Delivered-To addresses, oldest first */
    size_t delivered_to_count;
    bool complete;  /* the empty line after the header was seen, nothing missing before it */
    uint64_t bytes; /* of the header */
};

struct report { /* of a bounce: multipart/report (RFC 3464), Exim's, qmail's and other plain forms */
    bool present;
    struct span reporting_host;         /* Reporting-MTA, else who the text says it is */
    const struct span *final_recipient; /* failed addresses */
    const uint64_t *final_recipient_hash;
    size_t final_recipient_count;
    struct header quoted; /* of the mail it quotes; quoted.message_id empty: it quotes none */
};

struct transaction {
    uint64_t connection; /* number of its connection */
    uint32_t ordinal;    /* of the transaction on the connection, from 1 */
    struct endpoint client, server;
    struct span helo;     /* client's HELO, EHLO or LHLO name; under XCLIENT/XFORWARD: the name given there */
    struct span greeting; /* the name in the server's 220 */
    struct span user;     /* AUTH user; never a password */
    bool lmtp;
    enum tls tls;
    int64_t mail_time;                  /* MAIL command */
    int64_t data_end;                   /* end of data on the wire: from here on the server has the mail; TIME_UNKNOWN: never */
    int64_t end;                        /* final reply, or when it was given up */
    struct span reverse_path;           /* of MAIL FROM, without <>; may be empty: */
    bool null_reverse_path;             /* MAIL FROM:<> */
    const struct recipient *recipients; /* in order of RCPT */
    size_t recipient_count;
    size_t recipients_dropped; /* beyond the bound, counted only */
    uint16_t code;             /* final reply; 0: none seen */
    uint64_t bytes;            /* of content on the wire, dots and gaps included */
    struct header header;
    uint64_t body_fingerprint; /* of the start of the text, white space and case aside; 0: too short, or not seen */
    struct report report;
    uint64_t gap_bytes; /* of content lost on the mirror */
    bool uncertain;     /* loss or disorder touched the envelope, the id or the reply: counted nowhere else */
    bool message;       /* not uncertain, and its data got a final 2xx */
};

#endif
