/* In: answered MAIL, RCPT and content.  Out: one struct transaction for each MAIL, when its fate is known; to the sink. */
#include "smtpdissect/session.h"

#define RECIPIENT_USUAL 34 /* bytes: struct kept_recipient and its address */

static struct envelope *envelope_new(struct smtp *s, int64_t mail_time)
{
    struct envelope *e = pool_get(s->d->envelopes);
    if (e)
        *e = (struct envelope){.mail_time = mail_time};
    return e;
}

static void envelope_free(struct smtp *s, struct envelope *e)
{
    text_clear(s->d->stock, &e->text);
    pool_put(s->d->envelopes, e);
}

void envelope_doubt(struct smtp *s)
{
    if (s->envelope)
        s->envelope->uncertain = true;
}

void envelope_mail(struct smtp *s, struct span path, uint16_t code, bool touched, int64_t mail_time, int64_t now)
{
    if (code >= 300)
        return;                      /* refused: no transaction begins, and one that was open stays (RFC 5321, 4.1.4) */
    envelope_close(s, NULL, 0, now); /* the server took a new one: the old one is gone */
    struct envelope *e = envelope_new(s, mail_time);
    if (!e)
        return;
    uint8_t *p = path.n ? text_more(s->d->stock, &e->text, path.n, RECIPIENT_USUAL, UINT32_MAX / 2) : NULL;
    if (p)
        memcpy(p, path.p, path.n);
    e->path_length = e->answered_at = e->text.n;
    e->null_reverse_path = path.n == 0;
    e->uncertain = touched || code == 0;
    s->envelope = e;
}

void envelope_rcpt(struct smtp *s, struct span address, uint16_t code, int64_t now)
{
    if (code >= 300)
        s->d->counters.rejected_recipients++;
    if (!s->envelope) {
        if (code >= 300)
            return; /* refused with the MAIL before it */
        s->envelope = envelope_new(s, now);
        if (!s->envelope)
            return;
        s->envelope->uncertain = true; /* its MAIL was not seen */
    }
    struct envelope *e = s->envelope;
    if (code == 0)
        e->uncertain = true;
    struct kept_recipient r = {.code = code, .length = (uint32_t)address.n};
    bool good = code >= 200 && code < 300;
    e->accepted += good;
    uint8_t *p = e->count < s->d->settings.recipients ? text_more(s->d->stock, &e->text, sizeof r + address.n, 0, UINT32_MAX / 2) : NULL;
    if (!p) {
        e->dropped++;
        s->d->counters.recipients_dropped++;
        return;
    }
    memcpy(p, &r, sizeof r);
    if (address.n)
        memcpy(p + sizeof r, address.p, address.n);
    e->count++;
}

/* The recipients as the record has them; LMTP's final replies are their own. */
static void list_recipients(struct smtp *s, const struct envelope *e, struct transaction *t)
{
    struct recipient *list = arena_get(s->d->arena, e->count * sizeof *list);
    if (!list || e->count == 0)
        return;
    uint32_t at = e->path_length;
    for (uint32_t i = 0; i < e->count; i++) {
        struct kept_recipient r;
        memcpy(&r, e->text.p + at, sizeof r);
        at += (uint32_t)sizeof r;
        struct span address = span_of(e->text.p + at, r.length);
        bool good = r.code >= 200 && r.code < 300;
        list[i] = (struct recipient){address, address_hash(address), r.code, good ? (s->lmtp ? r.final_code : t->code) : 0};
        at += r.length;
    }
    t->recipients = list;
    t->recipient_count = e->count;
}

static void read_content(struct smtp *s, struct content *c, struct transaction *t)
{
    struct span kept = text_span(&c->kept);
    t->bytes = c->bytes;
    t->gap_bytes = c->gap_bytes;
    t->data_end = c->end;
    if (c->header_end)
        header_unpack(s->d->arena, span_head(kept, c->packed), c->header_end, &t->header);
    else
        header_parse(s->d->arena, kept, false, &t->header);
    t->body_fingerprint = content_fingerprint(c);
    if (t->null_reverse_path && c->report) {
        report_parse(s->d->arena, span_from(kept, c->packed), &t->header, &t->report);
        s->d->counters.reports += t->report.present;
    }
}

static uint64_t accepted_in(const struct transaction *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->recipient_count; i++) {
        const struct recipient *r = &t->recipients[i];
        n += r->code >= 200 && r->code < 300 && (!t->lmtp || (r->final_code >= 200 && r->final_code < 300));
    }
    return n;
}

/* The code that says what became of the mail: the first 2xx, else the last refusal. */
static uint16_t lmtp_code(const struct transaction *t)
{
    for (size_t i = 0; i < t->recipient_count; i++)
        if (t->recipients[i].final_code / 100 == 2)
            return t->recipients[i].final_code;
    return t->code;
}

void envelope_close(struct smtp *s, struct content *c, uint16_t code, int64_t now)
{
    struct envelope *e = s->envelope;
    struct smtp_counters *counters = &s->d->counters;
    if (!e)
        return; /* content without an envelope is no mail transaction */
    s->envelope = NULL;
    struct span given = names_get(s, NAME_GIVEN);
    struct transaction t = {.connection = s->connection,
        .ordinal = ++s->transactions,
        .client = s->side[CLIENT],
        .server = s->side[SERVER],
        .helo = given.n ? given : names_get(s, NAME_HELO),
        .greeting = names_get(s, NAME_GREETING),
        .user = names_get(s, NAME_USER),
        .lmtp = s->lmtp,
        .tls = (enum tls)s->tls,
        .mail_time = e->mail_time,
        .data_end = TIME_UNKNOWN,
        .end = now,
        .reverse_path = span_head(text_span(&e->text), e->path_length),
        .null_reverse_path = e->null_reverse_path,
        .recipients_dropped = e->dropped,
        .code = code || c ? code : e->code,
        .uncertain = e->uncertain};
    t.header.date = TIME_UNKNOWN;
    list_recipients(s, e, &t);
    if (c)
        read_content(s, c, &t);
    bool good = c && code >= 200 && code < 300;
    uint64_t accepted = accepted_in(&t);
    if (s->lmtp && c) {
        good = accepted > 0;
        t.code = lmtp_code(&t);
    }
    if (good && c->header_cut && c->gap_bytes && t.header.message_id.n == 0)
        t.uncertain = true; /* the id went with the hole */
    if (s->dialect_lost && accepted > 1)
        t.uncertain = true; /* in LMTP the first reply would speak for the first recipient only */
    t.message = good && !t.uncertain && accepted > 0;
    counters->transactions++;
    counters->messages += t.message;
    counters->recipients += t.message ? accepted : 0;
    counters->uncertain += t.uncertain;
    s->d->sink.transaction(s->d->sink.user, &t);
    envelope_free(s, e);
    arena_reset(s->d->arena);
}
