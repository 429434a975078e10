/* Hostile dialogues.  The input is a list of records: a byte that says which side speaks (or that bytes are lost), a byte of length, then
 * so many bytes.  It is told as it stands and again in pieces of one byte: the same must come of both, and nothing may crash, leak or read
 * what is not there. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/hash.h"
#include "smtpdissect/unread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum { /* of all that was told */
    uint64_t hash;
    unsigned transactions, sessions;
};

static void add(struct sum *s, struct span text)
{
    if (text.n)
        assert(text.p);
    s->hash = hash_pair(s->hash, hash_bytes(text.n ? text.p : (const uint8_t *)"", text.n));
}

static void add_number(struct sum *s, uint64_t n)
{
    s->hash = hash_pair(s->hash, n);
}

static void add_header(struct sum *s, const struct header *h)
{
    const struct span texts[] = {h->message_id, h->from, h->from_address, h->sender, h->subject, h->in_reply_to, h->references_root,
        h->auto_submitted, h->precedence, h->list_id, h->x_been_there, h->x_loop, h->mailer, h->content_type};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add(s, texts[i]);
    for (size_t i = 0; i < h->audience_count; i++)
        add_number(s, h->audience[i].address ^ h->audience[i].domain);
    for (size_t i = 0; i < h->hop_count; i++) {
        const struct hop *p = &h->hops[i];
        add(s, p->from);
        add(s, p->by);
        add(s, p->with);
        add(s, p->id);
        add(s, p->with_note);
        add_number(s, p->hash ^ (uint64_t)p->date);
    }
    for (size_t i = 0; i < h->delivered_to_count; i++)
        add_number(s, h->delivered_to[i]);
    add_number(s, h->bytes << 1 | h->complete);
}

static void on_transaction(void *user, const struct transaction *t)
{
    struct sum *s = user;
    uint64_t accepted = 0;
    s->transactions++;
    assert(t->ordinal == s->transactions);
    assert(!t->message || (!t->uncertain && t->code / 100 == 2));
    for (size_t i = 0; i < t->recipient_count; i++) {
        add(s, t->recipients[i].address);
        add_number(s, (uint64_t)t->recipients[i].code << 16 | t->recipients[i].final_code);
        accepted += t->recipients[i].code / 100 == 2;
    }
    assert(!t->message || accepted > 0);
    add(s, t->helo);
    add(s, t->greeting);
    add(s, t->user);
    add(s, t->reverse_path);
    add_header(s, &t->header);
    add(s, t->report.reporting_host);
    for (size_t i = 0; i < t->report.final_recipient_count; i++)
        add(s, t->report.final_recipient[i]);
    if (t->report.present)
        add_header(s, &t->report.quoted);
    add_number(s, t->bytes ^ t->gap_bytes << 32);
    add_number(s, (uint64_t)t->code << 8 | (uint64_t)t->uncertain << 2 | (uint64_t)t->message << 1 | t->lmtp);
    add_number(s, t->body_fingerprint);
}

/* As it reaches the stats thread: in memory that is just large enough, without the dissector's own. */
static void on_unread(void *user, const struct unread *u)
{
    static struct arena *arena;
    if (!arena)
        arena = arena_new((size_t)256 << 20);
    void *to = malloc(unread_flat_most(u));
    assert(arena && to);
    size_t n = unread_flatten(u, to);
    free(to);
    void *flat = malloc(n);
    assert(flat);
    unread_flatten(u, flat);
    static struct transaction t;
    unread_read(flat, arena, &t);
    on_transaction(user, &t);
    arena_reset(arena);
    free(flat);
}

static void on_session(void *user, const struct session_record *r)
{
    struct sum *s = user;
    assert(++s->sessions == 1 && r->transactions == s->transactions);
    add(s, r->helo);
    add(s, r->greeting);
    add_number(s, (uint64_t)r->tls << 2 | (uint64_t)r->smtp << 1 | r->one_sided);
    add_number(s, r->bytes[CLIENT] ^ r->bytes[SERVER] << 32);
    add_number(s, r->tls_bytes[CLIENT] ^ r->tls_bytes[SERVER] << 32);
}

/* Each piece in memory of its own, which is gone after the call. */
static void push(struct smtp *s, enum side from, const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert(copy);
    memcpy(copy, p, n);
    smtp_push(s, from, span_of(copy, n), 1);
    free(copy);
}

static struct sum tell(struct dissector *d, struct sum *sum, bool certain, const uint8_t *p, size_t n, bool bytewise)
{
    const struct endpoint side[2] = {{.port = 40000}, {.port = 25}};
    *sum = (struct sum){0};
    struct smtp *s = smtp_open(d, 1, side, certain, 0);
    while (s && n >= 2) {
        enum side from = p[0] & 1 ? SERVER : CLIENT;
        bool lost = (p[0] & 0x1e) == 0x1e;
        size_t length = p[1];
        p += 2;
        n -= 2;
        if (lost) {
            smtp_gap(s, from, length + 1, 1);
            continue;
        }
        length = length < n ? length : n;
        for (size_t i = 0; bytewise && i < length; i++)
            push(s, from, p + i, 1);
        if (!bytewise)
            push(s, from, p, length);
        p += length;
        n -= length;
    }
    if (s)
        smtp_end(s, 2);
    return *sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dissector *d;
    static struct sum sum;
    if (!d) {
        static struct smtp_settings settings;
        const struct setting_group group = {.list = smtp_settings_list, .count = smtp_settings_count, .values = &settings};
        const struct smtp_sink sink = {.unread = on_unread, .session = on_session, .user = &sum};
        config_defaults(&group, 1);
        d = dissector_new(&settings, &sink);
        assert(d);
    }
    if (size < 1)
        return 0;
    struct sum whole = tell(d, &sum, data[0] & 1, data + 1, size - 1, false), pieces = tell(d, &sum, data[0] & 1, data + 1, size - 1, true);
    assert(whole.hash == pieces.hash);
    return 0;
}
