/* In: a transaction that the dissector has closed.  Out: the same in one piece of memory, for another thread; there, read: struct
 * transaction. */
#include "smtpdissect/unread.h"

#include "smtpdissect/flat.h"
#include "smtpdissect/session.h"

/* The texts, in the order in which they stand behind the struct; no text needs to be aligned. */
#define TEXTS(X) X(helo) X(greeting) X(user) X(reverse_path) X(recipients) X(header)

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t unread_flat_size(const struct unread *u)
{
    size_t n = padded(sizeof *u) + (u->report ? report_flat_size(u->report) : 0);
#define X(text) n += u->text.n;
    TEXTS(X)
#undef X
    return padded(n);
}

static uint8_t *put(uint8_t *at, struct span *s)
{
    if (s->n)
        memcpy(at, s->p, s->n);
    s->p = at;
    return at + s->n;
}

const struct unread *unread_flatten(const struct unread *u, void *to)
{
    struct unread *copy = to;
    uint8_t *at = (uint8_t *)to + padded(sizeof *u);
    *copy = *u;
    if (u->report) {
        copy->report = report_flatten(u->report, at);
        at += report_flat_size(u->report);
    }
#define X(text) at = put(at, &copy->text);
    TEXTS(X)
#undef X
    return copy;
}

/* LMTP's final replies are each recipient's own. */
static void read_recipients(const struct unread *u, struct arena *a, struct transaction *t)
{
    struct recipient *list = u->recipient_count ? arena_get(a, u->recipient_count * sizeof *list) : NULL;
    struct span rest = u->recipients;
    struct kept_recipient r;
    uint32_t n = 0;
    for (; list && n < u->recipient_count && rest.n >= sizeof r; n++) {
        memcpy(&r, rest.p, sizeof r);
        struct span address = span_head(span_from(rest, sizeof r), r.length);
        uint16_t final = !recipient_accepted(&r) ? 0 : u->lmtp ? r.final_code : u->code;
        list[n] = (struct recipient){address, address_hash(address), r.code, final};
        rest = span_from(rest, sizeof r + r.length);
    }
    t->recipients = list;
    t->recipient_count = n;
}

void unread_read(const struct unread *u, struct arena *a, struct transaction *t)
{
    *t = (struct transaction){.connection = u->connection,
        .ordinal = u->ordinal,
        .client = u->client,
        .server = u->server,
        .helo = u->helo,
        .greeting = u->greeting,
        .user = u->user,
        .lmtp = u->lmtp,
        .tls = (enum tls)u->tls,
        .mail_time = u->mail_time,
        .data_end = u->data_end,
        .end = u->end,
        .reverse_path = u->reverse_path,
        .null_reverse_path = u->null_reverse_path,
        .recipients_dropped = u->recipients_dropped,
        .code = u->code,
        .bytes = u->bytes,
        .body_fingerprint = u->body_fingerprint,
        .gap_bytes = u->gap_bytes,
        .uncertain = u->uncertain,
        .message = u->message};
    read_recipients(u, a, t);
    header_unpack(a, u->header, u->header_bytes, u->header_complete, &t->header);
    if (u->report)
        t->report = *u->report;
    else
        t->report.quoted.date = TIME_UNKNOWN;
}

/* Addresses, hops and recipients of one record: 24 to 40 bytes for each that the bounds let in. */
size_t unread_arena(const struct smtp_settings *settings)
{
    return ((size_t)settings->recipients + (size_t)settings->header_bytes) * 64;
}
