/* In: a record that belongs to the dissector. Out: the same record, whole, in memory of the caller's choice. One walk serves both the
 * measuring (to is NULL) and the copying, so that they cannot disagree. */
#include "smtpdissect/flat.h"

struct room {
    uint8_t *to; /* NULL: measuring */
    size_t used;
};

/* A copy of n bytes at p; NULL when measuring. */
static void *put(struct room *r, const void *p, size_t n)
{
    uint8_t *at = r->to ? r->to + r->used : NULL;
    if (at && n)
        memcpy(at, p, n);
    r->used += (n + 7) & ~(size_t)7;
    return at;
}

static void put_span(struct room *r, struct span *s)
{
    s->p = put(r, s->p, s->n);
}

static void put_header(struct room *r, struct header *h)
{
    struct span *spans[] = {&h->message_id, &h->from, &h->from_address, &h->sender, &h->subject, &h->in_reply_to, &h->references_root,
        &h->auto_submitted, &h->precedence, &h->list_id, &h->x_been_there, &h->x_loop, &h->mailer, &h->content_type};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        put_span(r, spans[i]);
    h->audience = put(r, h->audience, h->audience_count * sizeof *h->audience);
    h->delivered_to = put(r, h->delivered_to, h->delivered_to_count * sizeof *h->delivered_to);
    const struct hop *from = h->hops;
    struct hop *hops = put(r, from, h->hop_count * sizeof *from);
    for (size_t i = 0; i < h->hop_count; i++) {
        struct hop measured = from[i], *hop = hops ? &hops[i] : &measured;
        put_span(r, &hop->from);
        put_span(r, &hop->by);
        put_span(r, &hop->with);
        put_span(r, &hop->id);
        put_span(r, &hop->with_note);
    }
    h->hops = hops;
}

static void put_recipients(struct room *r, struct transaction *t)
{
    const struct recipient *from = t->recipients;
    struct recipient *recipients = put(r, from, t->recipient_count * sizeof *from);
    for (size_t i = 0; i < t->recipient_count; i++) {
        struct recipient measured = from[i];
        put_span(r, recipients ? &recipients[i].address : &measured.address);
    }
    t->recipients = recipients;
}

static void put_report(struct room *r, struct report *report)
{
    const struct span *from = report->final_recipient;
    put_span(r, &report->reporting_host);
    struct span *failed = put(r, from, report->final_recipient_count * sizeof *from);
    for (size_t i = 0; i < report->final_recipient_count; i++) {
        struct span measured = from[i];
        put_span(r, failed ? &failed[i] : &measured);
    }
    report->final_recipient = failed;
    report->final_recipient_hash =
        put(r, report->final_recipient_hash, report->final_recipient_count * sizeof *report->final_recipient_hash);
    put_header(r, &report->quoted);
}

static size_t walk_transaction(const struct transaction *t, void *to)
{
    struct room r = {to, 0};
    struct transaction measured = *t, *copy = put(&r, t, sizeof *t);
    if (!copy)
        copy = &measured;
    put_span(&r, &copy->helo);
    put_span(&r, &copy->greeting);
    put_span(&r, &copy->user);
    put_span(&r, &copy->reverse_path);
    put_recipients(&r, copy);
    put_header(&r, &copy->header);
    if (copy->report.present)
        put_report(&r, &copy->report);
    return r.used;
}

size_t transaction_flat_size(const struct transaction *t)
{
    return walk_transaction(t, NULL);
}

const struct transaction *transaction_flatten(const struct transaction *t, void *to)
{
    walk_transaction(t, to);
    return to;
}

static size_t walk_report(const struct report *report, void *to)
{
    struct room r = {to, 0};
    struct report measured = *report, *copy = put(&r, report, sizeof *report);
    put_report(&r, copy ? copy : &measured);
    return r.used;
}

size_t report_flat_size(const struct report *r)
{
    return walk_report(r, NULL);
}

const struct report *report_flatten(const struct report *r, void *to)
{
    walk_report(r, to);
    return to;
}

static size_t walk_session(const struct session_record *s, void *to)
{
    struct room r = {to, 0};
    struct session_record measured = *s, *copy = put(&r, s, sizeof *s);
    if (!copy)
        copy = &measured;
    put_span(&r, &copy->helo);
    put_span(&r, &copy->greeting);
    return r.used;
}

size_t session_flat_size(const struct session_record *s)
{
    return walk_session(s, NULL);
}

const struct session_record *session_flatten(const struct session_record *s, void *to)
{
    walk_session(s, to);
    return to;
}
