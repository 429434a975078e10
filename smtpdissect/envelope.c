/* In: answered MAIL, RCPT and content.  Out: one struct unread for each MAIL, when its fate is known; to the sink. */
#include "smtpdissect/session.h"
#include "smtpdissect/unread.h"

#define RECIPIENT_USUAL 32 /* bytes: struct kept_recipient and its address */

/* With room for `n` bytes behind it; NULL: no memory. */
static struct envelope *envelope_new(struct smtp *s, int64_t mail_time, size_t n)
{
    if (!text_more(s->d->stock, &s->envelope, sizeof(struct envelope), n, UINT32_MAX / 2))
        return NULL;
    struct envelope *e = envelope_of(s);
    *e = (struct envelope){.mail_time = mail_time, .answered_at = sizeof *e};
    return e;
}

void envelope_doubt(struct smtp *s)
{
    if (s->envelope.p)
        envelope_of(s)->uncertain = true;
}

void envelope_mail(struct smtp *s, struct span path, uint16_t code, bool touched, int64_t mail_time, size_t ahead, int64_t now)
{
    if (code >= 300)
        return; /* refused: no transaction begins, and one that was open stays (RFC 5321, 4.1.4) */
    if (s->envelope.p)
        envelope_close(s, NULL, 0, now); /* the server took a new one: the old one is gone */
    struct envelope *e = envelope_new(s, mail_time, path.n + (ahead ? ahead : RECIPIENT_USUAL));
    if (!e)
        return;
    uint8_t *to = path.n ? text_more(s->d->stock, &s->envelope, path.n, 0, UINT32_MAX / 2) : NULL; /* there is room: nothing moves */
    if (to)
        memcpy(to, path.p, path.n);
    e->path_length = to ? (uint32_t)path.n : 0;
    e->answered_at = s->envelope.n;
    e->null_reverse_path = path.n == 0;
    e->uncertain = touched || code == 0;
}

void envelope_rcpt(struct smtp *s, struct span address, uint16_t code, int64_t now)
{
    if (code >= 300)
        s->d->counters.rejected_recipients++;
    struct envelope *e = envelope_of(s);
    if (!e) {
        if (code >= 300)
            return; /* refused with the MAIL before it */
        e = envelope_new(s, now, RECIPIENT_USUAL);
        if (!e)
            return;
        e->uncertain = true; /* its MAIL was not seen */
    }
    if (code == 0)
        e->uncertain = true;
    struct kept_recipient r = {.code = code, .length = (uint16_t)address.n};
    e->accepted += code_good(code);
    bool kept = e->count < s->d->settings.recipients;
    uint8_t *p = kept ? text_more(s->d->stock, &s->envelope, sizeof r + address.n, 0, UINT32_MAX / 2) : NULL;
    if (!p) {
        e->dropped++;
        s->d->counters.recipients_dropped++;
        return;
    }
    memcpy(p, &r, sizeof r);
    if (address.n)
        memcpy(p + sizeof r, address.p, address.n);
    envelope_of(s)->count++; /* it may have moved */
}

/* How many of the recipients that are kept have the mail.  LMTP answers each by itself: the first 2xx says what became of the mail, else
 * the last refusal. */
static uint64_t accepted_in(const struct smtp *s, const struct envelope *e, struct span recipients, uint16_t *code)
{
    uint64_t n = 0;
    struct kept_recipient r;
    if (!s->lmtp && e->dropped == 0)
        return e->accepted;
    for (uint32_t i = 0, at = 0; i < e->count && at < recipients.n; i++, at += (uint32_t)sizeof r + r.length) {
        memcpy(&r, recipients.p + at, sizeof r);
        bool good = recipient_accepted(&r) && (!s->lmtp || code_good(r.final_code));
        if (good && s->lmtp && n == 0)
            *code = r.final_code;
        n += good;
    }
    return n;
}

/* What a bounce says; NULL: it is none. */
static const struct report *read_report(struct smtp *s, const struct unread *u, struct span text)
{
    struct header top;
    struct report *report = arena_get(s->d->arena, sizeof *report);
    if (!report)
        return NULL;
    header_unpack(s->d->arena, u->header, u->header_bytes, u->header_complete, &top);
    report_parse(s->d->arena, text, &top, report);
    s->d->counters.reports += report->present;
    return report->present ? report : NULL;
}

static void read_content(struct smtp *s, const struct content *c, struct unread *u)
{
    struct span kept = text_span(&c->kept);
    u->bytes = c->bytes;
    u->gap_bytes = c->gap_bytes;
    u->data_end = c->end;
    u->body_fingerprint = content_fingerprint(c);
    u->header_complete = c->header_end != 0;
    u->header_bytes = c->header_end ? c->header_end : kept.n;
    u->header = span_head(kept, c->packed);
    if (!c->header_end) {
        uint8_t *to = arena_get(s->d->arena, kept.n);
        u->header = span_of(to, to ? header_pack(kept, to) : 0);
    }
    if (u->null_reverse_path && c->report)
        u->report = read_report(s, u, span_from(kept, c->packed));
}

static bool has_message_id(struct smtp *s, const struct unread *u)
{
    struct header h;
    header_unpack(s->d->arena, u->header, u->header_bytes, u->header_complete, &h);
    return h.message_id.n != 0;
}

static void hand_on(struct dissector *d, const struct unread *u)
{
    if (d->sink.unread) {
        d->sink.unread(d->sink.user, u);
        return;
    }
    struct transaction t = {.report.present = false};
    void *flat = arena_get(d->arena, unread_flat_most(u));
    if (!flat)
        return;
    unread_flatten(u, flat);
    unread_read(flat, d->arena, &t);
    d->sink.transaction(d->sink.user, &t);
}

void envelope_close(struct smtp *s, struct content *c, uint16_t code, int64_t now)
{
    struct text closed = s->envelope;
    const struct envelope *e = envelope_of(s);
    struct smtp_counters *counters = &s->d->counters;
    if (!e)
        return; /* content without an envelope is no mail transaction */
    s->envelope = (struct text){NULL, 0, 0};
    struct span name[NAMES], text = span_from(text_span(&closed), sizeof *e);
    names_all(s, name);
    struct unread u = {.connection = s->connection, /* each field by name: what is left out has the whole cleared first */
        .ordinal = ++s->transactions,
        .client = s->side[CLIENT],
        .server = s->side[SERVER],
        .helo = name[name[NAME_GIVEN].n ? NAME_GIVEN : NAME_HELO],
        .greeting = name[NAME_GREETING],
        .user = name[NAME_USER],
        .lmtp = s->lmtp,
        .tls = s->tls,
        .mail_time = e->mail_time,
        .data_end = TIME_UNKNOWN,
        .end = now,
        .reverse_path = span_head(text, e->path_length),
        .null_reverse_path = e->null_reverse_path,
        .recipients = span_from(text, e->path_length),
        .recipient_count = e->count,
        .recipients_dropped = e->dropped,
        .code = code || c ? code : e->code,
        .uncertain = e->uncertain,
        .bytes = 0,
        .gap_bytes = 0,
        .body_fingerprint = 0,
        .header = {NULL, 0},
        .header_bytes = 0,
        .report = NULL,
        .header_complete = false,
        .message = false};
    if (c)
        read_content(s, c, &u);
    uint64_t accepted = accepted_in(s, e, u.recipients, c ? &u.code : &code);
    bool good = c && (s->lmtp ? accepted > 0 : code_good(code));
    if (good && c->header_cut && c->gap_bytes && !has_message_id(s, &u))
        u.uncertain = true; /* the id went with the hole */
    if (s->dialect_lost && accepted > 1)
        u.uncertain = true; /* in LMTP the first reply would speak for the first recipient only */
    u.message = good && !u.uncertain && accepted > 0;
    counters->transactions++;
    counters->messages += u.message;
    counters->recipients += u.message ? accepted : 0;
    counters->uncertain += u.uncertain;
    hand_on(s->d, &u);
    text_clear(s->d->stock, &closed);
    arena_reset(s->d->arena);
}
