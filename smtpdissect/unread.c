/* In: a transaction that the dissector has closed.  Out: the same, flat, for another thread; there, read: struct transaction.
 *
 * There may be a million of them a second, and hundreds of thousands wait in the ring where mails end all at once: the flat form is small.
 * What stands behind its head, back to back, the head says:
 *
 *     | head | fingerprint, gap_bytes: those that there are | report | addresses | helo greeting user reverse-path recipients header |
 *              8 bytes each                                   if any   4 or 16 bytes   the texts, as long as the head says
 *
 * Nobody but unread_flatten() writes it. */
#include "smtpdissect/unread.h"

#include <assert.h>

#include "smtpdissect/flat.h"
#include "smtpdissect/session.h"

struct head { /* names as in struct unread; of a text its bytes */
    uint64_t connection;
    int64_t mail_time, data_end, end;
    uint64_t bytes;
    uint32_t ordinal, recipient_count, recipients_dropped;
    uint32_t reverse_path, recipients, header, header_bytes;
    uint16_t client_port, server_port, code;
    uint8_t helo, greeting, user, tls;
    bool lmtp : 1, null_reverse_path : 1, header_complete : 1, uncertain : 1, message : 1;
    bool body_fingerprint : 1, gap_bytes : 1, report : 1; /* is there, or else 0 */
    bool client_v4 : 1, server_v4 : 1;
};

static_assert(sizeof(struct head) == 80, "no padding, and the report behind it is aligned");

#define V4_AT 12 /* bytes of an address before the IPv4 one in it */

/* ---- writing -------------------------------------------------------------------------------------------------------------------- */

size_t unread_flat_most(const struct unread *u)
{
    return sizeof(struct head) + sizeof u->body_fingerprint + sizeof u->gap_bytes + (u->report ? report_flat_size(u->report) : 0) +
           2 * sizeof(struct address) + u->helo.n + u->greeting.n + u->user.n + u->reverse_path.n + u->recipients.n + u->header.n;
}

static uint8_t *put(uint8_t *at, const void *p, size_t n)
{
    if (n)
        memcpy(at, p, n);
    return at + n;
}

static uint8_t *put_number(uint8_t *at, uint64_t n)
{
    return n ? put(at, &n, sizeof n) : at;
}

static uint8_t *put_address(uint8_t *at, const struct address *a, bool v4)
{
    return v4 ? put(at, a->b + V4_AT, sizeof a->b - V4_AT) : put(at, a->b, sizeof a->b);
}

static uint8_t *put_text(uint8_t *at, struct span s)
{
    return put(at, s.p, s.n);
}

size_t unread_flatten(const struct unread *u, void *to)
{
    bool client_v4 = address_is_v4(u->client.address), server_v4 = address_is_v4(u->server.address);
    assert(u->helo.n <= UINT8_MAX && u->greeting.n <= UINT8_MAX && u->user.n <= UINT8_MAX); /* names.c */
    *(struct head *)to = (struct head){.connection = u->connection,
        .mail_time = u->mail_time,
        .data_end = u->data_end,
        .end = u->end,
        .bytes = u->bytes,
        .ordinal = u->ordinal,
        .recipient_count = u->recipient_count,
        .recipients_dropped = u->recipients_dropped,
        .reverse_path = (uint32_t)u->reverse_path.n,
        .recipients = (uint32_t)u->recipients.n,
        .header = (uint32_t)u->header.n,
        .header_bytes = (uint32_t)u->header_bytes,
        .client_port = u->client.port,
        .server_port = u->server.port,
        .code = u->code,
        .helo = (uint8_t)u->helo.n,
        .greeting = (uint8_t)u->greeting.n,
        .user = (uint8_t)u->user.n,
        .tls = u->tls,
        .lmtp = u->lmtp,
        .null_reverse_path = u->null_reverse_path,
        .header_complete = u->header_complete,
        .uncertain = u->uncertain,
        .message = u->message,
        .body_fingerprint = u->body_fingerprint != 0,
        .gap_bytes = u->gap_bytes != 0,
        .report = u->report != NULL,
        .client_v4 = client_v4,
        .server_v4 = server_v4};
    uint8_t *at = (uint8_t *)to + sizeof(struct head);
    at = put_number(at, u->body_fingerprint);
    at = put_number(at, u->gap_bytes);
    if (u->report) {
        report_flatten(u->report, at);
        at += report_flat_size(u->report);
    }
    at = put_address(at, &u->client.address, client_v4);
    at = put_address(at, &u->server.address, server_v4);
    at = put_text(at, u->helo);
    at = put_text(at, u->greeting);
    at = put_text(at, u->user);
    at = put_text(at, u->reverse_path);
    at = put_text(at, u->recipients);
    at = put_text(at, u->header);
    return (size_t)(at - (uint8_t *)to);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

/* The bytes at *at, which moves on behind them. */
static const uint8_t *take(const uint8_t **at, size_t n)
{
    const uint8_t *p = *at;
    *at += n;
    return p;
}

static uint64_t take_number(const uint8_t **at, bool there)
{
    uint64_t n = 0;
    if (there)
        memcpy(&n, take(at, sizeof n), sizeof n);
    return n;
}

static struct endpoint take_endpoint(const uint8_t **at, bool v4, uint16_t port)
{
    const uint8_t *p = take(at, sizeof(struct address) - (v4 ? V4_AT : 0));
    return (struct endpoint){v4 ? address_v4(p) : address_v6(p), port};
}

static struct span take_text(const uint8_t **at, size_t n)
{
    return span_of(take(at, n), n);
}

/* LMTP's final replies are each recipient's own. */
static void read_recipients(const struct head *h, struct span texts, struct arena *a, struct transaction *t)
{
    struct recipient *list = h->recipient_count ? arena_get(a, h->recipient_count * sizeof *list) : NULL;
    struct kept_recipient r;
    uint32_t n = 0;
    for (; list && n < h->recipient_count && texts.n >= sizeof r; n++) {
        memcpy(&r, texts.p, sizeof r);
        struct span address = span_head(span_from(texts, sizeof r), r.length);
        uint16_t final = !recipient_accepted(&r) ? 0 : h->lmtp ? r.final_code : h->code;
        list[n] = (struct recipient){address, address_hash(address), r.code, final};
        texts = span_from(texts, sizeof r + r.length);
    }
    t->recipients = list;
    t->recipient_count = n;
}

void unread_read(const void *flat, struct arena *a, struct transaction *t)
{
    const struct head *h = flat;
    const uint8_t *at = (const uint8_t *)(h + 1);
    t->connection = h->connection;
    t->ordinal = h->ordinal;
    t->lmtp = h->lmtp;
    t->tls = (enum tls)h->tls;
    t->mail_time = h->mail_time;
    t->data_end = h->data_end;
    t->end = h->end;
    t->null_reverse_path = h->null_reverse_path;
    t->recipients_dropped = h->recipients_dropped;
    t->code = h->code;
    t->bytes = h->bytes;
    t->uncertain = h->uncertain;
    t->message = h->message;
    t->body_fingerprint = take_number(&at, h->body_fingerprint);
    t->gap_bytes = take_number(&at, h->gap_bytes);
    if (h->report) {
        t->report = *(const struct report *)(const void *)at;
        take(&at, report_flat_size(&t->report));
    } else if (t->report.present) {
        t->report = (struct report){.present = false};
    }
    t->client = take_endpoint(&at, h->client_v4, h->client_port);
    t->server = take_endpoint(&at, h->server_v4, h->server_port);
    t->helo = take_text(&at, h->helo);
    t->greeting = take_text(&at, h->greeting);
    t->user = take_text(&at, h->user);
    t->reverse_path = take_text(&at, h->reverse_path);
    read_recipients(h, take_text(&at, h->recipients), a, t);
    header_unpack(a, take_text(&at, h->header), h->header_bytes, h->header_complete, &t->header);
}

/* Addresses, hops and recipients of one record: 24 to 40 bytes for each that the bounds let in. */
size_t unread_arena(const struct smtp_settings *settings)
{
    return ((size_t)settings->recipients + (size_t)settings->header_bytes) * 64;
}
