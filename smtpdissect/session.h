/* One connection inside the dissector, and what its files share.  Private to smtpdissect/.
 *
 * The client's bytes run through modes (lines, content, chunks, TLS); each command becomes a struct command that waits in a queue for its
 * reply.  All that changes the envelope happens when the reply comes: the server's answer decides, in the order it gave it. */
#ifndef SQUALL_SMTPDISSECT_SESSION_H
#define SQUALL_SMTPDISSECT_SESSION_H

#include <assert.h>

#include "base/arena.h"
#include "smtpdissect/content.h"
#include "smtpdissect/smtp.h"
#include "smtpdissect/text.h"

#define LINE_MOST          4096u        /* bytes of a line kept; RFC 5321 asks 512, RFC 4954 12288 of which the first part matters */
#define HELD_MOST          (16u << 10)  /* client bytes held while it is not known whether they are commands or content */
#define PENDING_MOST       (4u << 20)   /* bytes of commands waiting for replies: 50,000 RCPT in one burst */
#define PROBE_BYTES        4            /* "220 ", "EHLO" */
#define GREETING_UNDER_WAY 1            /* struct smtp's multi_code while a multi-line greeting comes in */

#define WORD(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24) /* four letters as a number */

enum verb {
    VERB_OTHER,
    VERB_GREETING,
    VERB_HELO,
    VERB_EHLO,
    VERB_LHLO,
    VERB_MAIL,
    VERB_RCPT,
    VERB_DATA,
    VERB_BDAT,
    VERB_RSET,
    VERB_AUTH,
    VERB_SASL,
    VERB_STARTTLS,
    VERB_QUIT,
    VERB_XCLIENT,
    VERB_XFORWARD,
    VERB_FINAL
};

struct __attribute__((packed)) command { /* that waits for its reply, as it stands in the queue */
    uint16_t length; /* bytes that follow: of VERB_MAIL its time, of VERB_BDAT and VERB_FINAL a struct content *; then the argument */
    uint8_t verb;
    bool last;    /* BDAT ... LAST */
    bool touched; /* loss or disorder: its transaction is uncertain */
};

struct envelope { /* as the server has it; behind it the reverse-path, then struct kept_recipient and its address, one after another */
    int64_t mail_time;
    uint32_t path_length; /* of the reverse-path */
    uint32_t count, accepted, dropped;
    uint32_t answered, answered_at; /* LMTP: accepted recipients with a final reply; the next of them stands at or after this byte */
    uint16_t code;                  /* with which its DATA was refused, 0: was not */
    bool null_reverse_path, uncertain;
};

struct kept_recipient {
    uint16_t code, final_code;
    uint16_t length; /* no line is longer */
};

static inline bool code_good(uint16_t code)
{
    return code >= 200 && code < 300;
}

static inline bool recipient_accepted(const struct kept_recipient *r)
{
    return code_good(r->code);
}

enum mode { MODE_LINES, MODE_DATA_WAIT, MODE_CONTENT, MODE_CHUNK, MODE_TLS };

struct tls_reader {
    struct record_reader {
        uint8_t head[5];
        uint8_t have;
        uint32_t left; /* of the record at hand */
    } record[2];
    uint64_t bytes[2]; /* of application data, by side */
};

enum carried { /* of a side the part of a line that has come; of the client what may be commands or content */
    CARRIED_CLIENT_LINE = CLIENT,
    CARRIED_SERVER_LINE = SERVER,
    CARRIED_HELD,
    CARRIED
};

struct carry {
    struct text text[CARRIED];
};

enum name {
    NAME_HELO,
    NAME_GREETING,
    NAME_USER,  /* of AUTH */
    NAME_GIVEN, /* the client's client, by XCLIENT or XFORWARD */
    NAMES
};

struct smtp { /* three cache lines: every packet needs the first, a step of the dialogue the second, a whole mail the third */
    struct dissector *d;
    int64_t last;
    uint64_t bytes[2];
    bool spoke[2]; /* had any payload */
    bool overlong[2];
    uint8_t mode, scan; /* enum mode; state of the search for the end of data */
    uint8_t tls;        /* enum tls */
    bool certain : 1, swapped : 1, recognised : 1, lmtp : 1, greeting_due : 1;
    bool server_since : 1; /* the server has spoken since the client last did: the client's next bytes begin a flight */
    bool fresh : 1;        /* the client's flight has begun, and none of its commands is whole yet */
    bool dialect_lost : 1; /* a hole where HELO, EHLO or LHLO may have been: one reply a mail, or one a recipient? */
    bool unsure : 1;       /* replies cannot be paired: something was lost; until the next flight that begins with an anchor */
    bool sasl : 1;         /* 334 was seen: the client's next line is no command */
    bool starttls : 1;     /* 220 to STARTTLS was seen: are the next bytes TLS? */
    bool chunk_last : 1;
    bool bounce : 1;     /* the last MAIL had an empty path */
    bool candidate : 1;  /* an end of data with bare line feeds was seen; what followed it is held */
    bool smuggled : 1;   /* and then the true end: what is held is a command and more, if the server took the first and answers that too */
    uint16_t multi_code; /* of a multi-line reply under way */
    uint32_t pending_at; /* the oldest waiting command begins here */
    struct text pending; /* commands waiting; empty, it is kept while a mail is open */

    struct content *content; /* the client is sending it, or has sent part in chunks */
    struct text envelope;    /* of the mail that is open: envelope_of() */
    struct carry *carry;     /* NULL: nothing is carried */
    struct text names;       /* names.c */
    uint64_t chunk_left;
    uint8_t probe[PROBE_BYTES], probe_count, probe_from; /* first bytes that do not yet say who speaks, or whether it is TLS */
    uint8_t auth_step, auth_mechanism;

    uint64_t connection;
    struct endpoint side[2];
    uint32_t transactions;
    int64_t opened;
    struct tls_reader *tls_reader;
};
static_assert(sizeof(struct smtp) == 192, "three cache lines");

struct dissector {
    struct smtp_settings settings;
    struct smtp_sink sink;
    struct smtp_counters counters;
    struct blocks *blocks;
    struct slabs *slabs; /* sessions, envelopes, contents, small texts */
    struct stock *stock;
    size_t sessions, contents; /* how many there are */
    struct arena *arena; /* of the record being handed on */
};

/* session.c: the modes */
static inline void session_lines_begin(struct smtp *s)
{
    s->mode = MODE_LINES;
}
void session_content_begin(struct smtp *s, int64_t now); /* after 354 */
void content_ended_unseen(struct smtp *s, int64_t now);  /* the server answers content whose end was lost, or had bare line feeds */
/* The server answers what stood between two ends of data: to it they were commands. */
void session_smuggled(struct smtp *s, int64_t now);
void session_content_drop(struct smtp *s); /* chunks of a message that the client will not finish */
void session_push_client(struct smtp *s, struct span bytes, int64_t now);
void command_chunk_done(struct smtp *s, int64_t now); /* all bytes of the BDAT chunk are in */
void session_tls_begin(struct smtp *s, enum tls tls);
static inline void session_recognised(struct smtp *s)
{
    if (!s->recognised)
        s->d->counters.sessions++;
    s->recognised = true;
}
/* The first n of `bytes`, a line or what there is of it, when it does not simply stand there; returns what is left.  Only a line split
 * between calls is copied. */
struct span session_part(struct smtp *s, enum side from, struct span bytes, size_t n, int64_t now);
/* command.c: a line of the client, without its line feed; carriage returns may stand at its end */
struct span command_lines(struct smtp *s, struct span bytes, int64_t now); /* until the mode is another; returns what is left */
void command_line(struct smtp *s, struct span line, int64_t now);
enum verb command_verb(struct span line);
void command_wait_content(struct smtp *s, enum verb verb, struct content *content, bool last, int64_t now); /* BDAT, end of data */
/* reply.c: the same of the server */
void reply_lines(struct smtp *s, struct span bytes, int64_t now);
void reply_line(struct smtp *s, struct span line, int64_t now);
void reply_unfinished(struct smtp *s, int64_t now); /* a multi-line reply under way is taken as whole */
static inline bool pending_none(const struct smtp *s)
{
    return s->pending_at >= s->pending.n;
}
static inline struct command *pending_first(const struct smtp *s) /* NULL: none */
{
    return pending_none(s) ? NULL : (struct command *)(s->pending.p + s->pending_at);
}
void pending_give_up(struct smtp *s, int64_t now); /* every waiting command: its reply is lost */
/* envelope.c */
static inline struct envelope *envelope_of(const struct smtp *s) /* good until a recipient is added; NULL: no mail is open */
{
    return (struct envelope *)(void *)s->envelope.p;
}
/* ahead: bytes of what waits behind MAIL, for its recipients are about as long. */
void envelope_mail(struct smtp *s, struct span path, uint16_t code, bool touched, int64_t mail_time, size_t ahead, int64_t now);
void envelope_rcpt(struct smtp *s, struct span address, uint16_t code, int64_t now);
void envelope_close(
    struct smtp *s, struct content *c, uint16_t code, int64_t now); /* hands the transaction on; nothing when there is none */
void envelope_doubt(struct smtp *s);                                /* the open one is uncertain */
/* header.c, address.c, received.c: what stands in the content; all memory from the arena */
void header_parse(struct arena *a, struct span text, bool complete, struct header *h);
/* The same in two steps: a header made smaller, to be kept (`to` has room for as many bytes; returns how many there are), and what
 * header_parse() would have said of it; `bytes` it had on the wire. */
size_t header_pack(struct span text, uint8_t *to);
void header_unpack(struct arena *a, struct span packed, size_t bytes, bool complete, struct header *h);
struct span address_of_path(struct span argument); /* of MAIL FROM:<...> and RCPT TO:<...> arguments, without <> and source route */
uint64_t address_hash(struct span address);
uint64_t address_domain_hash(struct span address);
/* Calls found() for each address of a To, Cc or From field. */
void address_list(struct span field, void (*found)(void *user, struct span address, struct span display), void *user);
/* A Received line, folded or not; the hop's text lies in the arena. */
void received_parse(struct arena *a, struct span line, struct hop *hop);
/* tls.c; a reader may be NULL */
void tls_push(struct tls_reader *t, enum side from, struct span bytes);
void tls_gap(struct tls_reader *t, enum side from, uint64_t n);
/* carry.c */
static inline struct span carry_span(const struct smtp *s, enum carried which)
{
    return s->carry ? text_span(&s->carry->text[which]) : span_of(NULL, 0);
}
size_t carry_add(struct smtp *s, enum carried which, struct span bytes, size_t most); /* as text_add_secret() */
struct text carry_take(struct smtp *s, enum carried which);                           /* the caller's to wipe */
void carry_drop(struct smtp *s, enum carried which);                                  /* wiped */
/* names.c */
void names_all(const struct smtp *s, struct span all[NAMES]);
struct span names_get(const struct smtp *s, enum name which);
void names_set(struct smtp *s, enum name which, struct span name); /* 255 bytes of it are kept */
/* auth.c */
void auth_begin(struct smtp *s, struct span argument);
void auth_line(struct smtp *s, struct span line);
void auth_line_lost(struct smtp *s); /* a gap: what comes next may be the password, and is never taken for the user */

#endif
