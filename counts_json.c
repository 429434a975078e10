/* In: the sensor's counters and its table of messages.  Out: JSON, to `read --json` and to the dashboard's status. */
#include "counts_json.h"

static json_t *moment(int64_t t)
{
    char to[TIME_TEXT];
    clock_text(t, to);
    return to[0] ? json_string(to) : json_null();
}

static json_t *text_or_null(const char *s)
{
    return s[0] ? json_string(s) : json_null();
}

json_t *counts_capture(const struct sensor_view *view, const char *const *paths, size_t path_count)
{
    const struct capture_counters *c = &view->capture;
    int64_t first = view->first, last = view->now;
    json_t *files = json_array();
    for (size_t i = 0; i < path_count; i++) {
        char clean[1024];
        json_array_append_new(files, json_string(log_clean(span_text(paths[i]), clean, sizeof clean)));
    }
    json_t *object = json_pack("{s:o, s:I, s:I, s:o, s:o, s:f}", "files", files, "packets", (json_int_t)c->packets, "bytes",
        (json_int_t)c->bytes, "first", moment(first), "last", first == TIME_UNKNOWN ? json_null() : moment(last), "duration",
        first == TIME_UNKNOWN ? 0.0 : (double)(last - first) / (double)NS_PER_SECOND);
#define X(name, doc)                                           \
    if (!json_object_get(object, #name))                       \
        json_object_set_new(object, #name, json_integer((json_int_t)c->name));
    CAPTURE_COUNTERS(X)
#undef X
    json_object_set_new(object, "mirror_copies", json_real(view->mirror_copies));
    return object;
}

json_t *counts_smtp(const struct sensor_view *view, const struct stats_counters *s)
{
    const struct smtp_counters *d = &view->smtp;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sessions", (json_int_t)d->sessions, "starttls_sessions",
        (json_int_t)d->starttls_sessions, "tls_sessions", (json_int_t)d->tls_sessions, "transactions", (json_int_t)s->transactions,
        "messages", (json_int_t)s->messages, "recipients", (json_int_t)s->recipients, "rejected_recipients",
        (json_int_t)s->rejected_recipients, "message_ids", (json_int_t)s->message_ids, "uncertain", (json_int_t)s->uncertain, "twins",
        (json_int_t)s->twins);
}

json_t *counts_messages(const struct message_row *rows, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct message_row *m = &rows[i];
        json_array_append_new(list,
            json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "message_id", text_or_null(m->message_id), "from",
                text_or_null(m->from), "subject", text_or_null(m->subject), "audience", (json_int_t)m->audience, "copies",
                (json_int_t)m->copies, "deliveries", (json_int_t)m->deliveries, "recipients", (json_int_t)m->recipients, "redeliveries",
                (json_int_t)m->redeliveries, "sources", (json_int_t)m->sources, "first", moment(m->first), "last", moment(m->last)));
    }
    return list;
}

json_t *counts_hosts(const struct host_row *rows, size_t count)
{
    json_t *list = json_array();
    char address[ADDRESS_TEXT];
    for (size_t i = 0; i < count; i++) {
        const struct host_row *h = &rows[i];
        json_array_append_new(list,
            json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "address", address_text(h->address, address), "name",
                text_or_null(h->name), "messages", (json_int_t)h->messages_out, "deliveries", (json_int_t)h->recipients_out,
                "redeliveries", (json_int_t)h->redeliveries, "messages_in", (json_int_t)h->messages_in, "recipients_in",
                (json_int_t)h->recipients_in, "first", moment(h->first), "last", moment(h->last)));
    }
    return list;
}

json_t *counts_watched(const struct amplifier_row *rows, size_t count)
{
    json_t *list = json_array();
    char address[ADDRESS_TEXT];
    for (size_t i = 0; i < count; i++) {
        const struct amplifier_row *a = &rows[i];
        json_array_append_new(list,
            json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "address", address_text(a->address, address), "name",
                text_or_null(a->name), "domain", text_or_null(a->domain), "mails", (json_int_t)a->mails, "recipients",
                (json_int_t)a->recipients, "first", moment(a->first), "last", moment(a->last), "message_id", text_or_null(a->message_id),
                "received", text_or_null(a->line)));
    }
    return list;
}

static void take_text(const json_t *object, const char *name, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    log_clean(span_text(text), to, size);
}

static bool take_moment(const json_t *object, const char *name, int64_t *t)
{
    return clock_parse(span_text(json_string_value(json_object_get(object, name))), t);
}

bool counts_watched_parse(const json_t *one, struct amplifier_row *row)
{
    json_int_t mails = json_integer_value(json_object_get(one, "mails")), people = json_integer_value(json_object_get(one, "recipients"));
    *row = (struct amplifier_row){.mails = (uint64_t)mails, .recipients = (uint64_t)people};
    take_text(one, "name", row->name, sizeof row->name);
    take_text(one, "domain", row->domain, sizeof row->domain);
    take_text(one, "message_id", row->message_id, sizeof row->message_id);
    take_text(one, "received", row->line, sizeof row->line);
    return mails > 0 && people >= 0 && address_parse(span_text(json_string_value(json_object_get(one, "address"))), &row->address) &&
           take_moment(one, "first", &row->first) && take_moment(one, "last", &row->last);
}
