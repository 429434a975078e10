/* In: a transaction record.  Out: its JSON object with the names of INTERFACES.md, null where unknown; to `squall read --transactions` and
 * to the pages' message traces. */
#include "transaction_json.h"

#include <stdlib.h>

#include "base/log.h"
#include "smtpdissect/flat.h"

#define LONGEST_TEXT 1024 /* bytes of one text of the wire shown; longer ones are cut */
#define TRACE_RECIPIENTS 100         /* of one hop */
#define TRACE_BYTES (5 * 1024 * 1024) /* of records in one answer: it is made between two mails, and as JSON fits into one post */

static json_t *text(struct span s)
{
    char clean[LONGEST_TEXT];
    return s.n ? json_string(log_clean(s, clean, sizeof clean)) : json_null();
}

static json_t *moment(int64_t t)
{
    char to[TIME_TEXT];
    clock_text(t, to);
    return to[0] ? json_string(to) : json_null();
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *address(struct address a)
{
    char to[ADDRESS_TEXT];
    return address_known(a) ? json_string(address_text(a, to)) : json_null();
}

static json_t *code(uint16_t c)
{
    return c ? json_integer(c) : json_null();
}

static json_t *received(const struct header *h)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < h->hop_count; i++) {
        const struct hop *hop = &h->hops[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "from", text(hop->from), "from_address", address(hop->from_address), "by",
                      text(hop->by), "with", text(hop->with), "id", text(hop->id), "date", moment(hop->date)));
    }
    return list;
}

/* LMTP answers each recipient again after the data; that answer is the one that counts. */
static json_t *recipients(const struct transaction *t, size_t most)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < t->recipient_count && i < most; i++) {
        const struct recipient *r = &t->recipients[i];
        json_t *one = json_pack("{s:o, s:o}", "address", text(r->address), "code", code(r->code));
        if (one && t->lmtp)
            json_object_set_new(one, "final_code", code(r->final_code));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *report(const struct report *r)
{
    if (!r->present)
        return json_null();
    json_t *failed = json_array();
    for (size_t i = 0; failed && i < r->final_recipient_count; i++)
        json_array_append_new(failed, text(r->final_recipient[i]));
    return json_pack("{s:o, s:o, s:o, s:o}", "reporting_host", text(r->reporting_host), "final_recipients", failed, "quoted_message_id",
                     text(r->quoted.message_id), "quoted_received", received(&r->quoted));
}

static const char *tls_text(enum tls tls)
{
    return tls == TLS_STARTTLS ? "starttls" : tls == TLS_IMPLICIT ? "implicit" : "none";
}

static json_t *object_of(const struct transaction *t, bool twin, size_t most_recipients)
{
    const struct header *h = &t->header;
    json_t *client = json_pack("{s:o, s:i, s:o, s:o}", "address", address(t->client.address), "port", t->client.port, "name", text(t->helo),
        "user", text(t->user));
    json_t *server = json_pack("{s:o, s:i, s:o}", "address", address(t->server.address), "port", t->server.port, "name", text(t->greeting));
    json_t *from = t->null_reverse_path ? json_string("") : text(t->reverse_path);
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", moment(t->mail_time), "end", moment(t->end), "client",
        client, "server", server, "from", from, "recipients", recipients(t, most_recipients), "code", code(t->code), "bytes",
        count(t->bytes));
    json_t *header = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "message_id", text(h->message_id), "subject",
        text(h->subject), "header_from", text(h->from), "audience", count(h->audience_count), "received", received(h), "references_root",
        text(h->references_root), "in_reply_to", text(h->in_reply_to), "auto_submitted", text(h->auto_submitted), "list_id",
        text(h->list_id), "mailer", text(h->mailer));
    json_t *rest = json_pack("{s:o, s:s, s:b, s:b, s:b, s:I, s:b}", "report", report(&t->report), "tls", tls_text(t->tls), "twin", twin,
        "uncertain", t->uncertain, "message", t->message, "gap_bytes", (json_int_t)t->gap_bytes, "lmtp", t->lmtp);
    if (!object || !header || !rest || json_object_update(object, header) != 0 || json_object_update(object, rest) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(header);
    json_decref(rest);
    return object;
}

json_t *transaction_json(const struct transaction *t, bool twin)
{
    return object_of(t, twin, SIZE_MAX);
}

struct answer {
    json_t *hops;
    size_t bytes;
};

static bool add_hop(void *user, const struct transaction *t, struct noted noted)
{
    struct answer *a = user;
    json_t *hop = object_of(t, noted.twin, TRACE_RECIPIENTS);
    if (!hop)
        return false;
    json_object_set_new(hop, "redeliveries", count(noted.redeliveries));
    size_t shown = t->recipient_count < TRACE_RECIPIENTS ? t->recipient_count : TRACE_RECIPIENTS;
    json_object_set_new(hop, "recipients_more", count(t->recipient_count - shown + t->recipients_dropped));
    json_array_append_new(a->hops, hop);
    a->bytes += transaction_flat_size(t) - t->header.audience_count * sizeof *t->header.audience;
    return a->bytes < TRACE_BYTES;
}

json_t *transaction_trace(const struct trace *r, const char *message_id, const char *address)
{
    struct answer a = {.hops = json_array()};
    size_t found = message_id ? trace_by_message_id(r, span_text(message_id), add_hop, &a, TRACE_HOPS)
                              : trace_by_address(r, span_text(address), add_hop, &a, TRACE_HOPS);
    return json_pack("{s:o, s:o, s:o}", "hops", a.hops, "found", count(found), "since", moment(trace_state(r).since));
}
