/* In: a struct storm, or its JSON object read from the history.  Out: the other of the two; to squall.c (--json), the history, the report.
 * Texts came from the wire: they leave as valid UTF-8 without controls.  Objects from the history are checked as if they were hostile:
 * every bound of storm.h holds afterwards. */
#include "stats/storm_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/cure.h"

#define LONGEST_TEXT (2 * STORM_TEXT_SIZE)

/* ---- a storm to JSON: each helper gives a new reference or NULL, which json_pack passes on as its own failure ---- */

static json_t *text(const char *s)
{
    char clean[LONGEST_TEXT];
    log_clean(span_text(s), clean, sizeof clean);
    return clean[0] ? json_string(clean) : json_null();
}

static json_t *moment(int64_t t)
{
    char to[TIME_TEXT];
    clock_text(t, to);
    return to[0] ? json_string(to) : json_null();
}

static json_t *address(struct address a)
{
    char to[ADDRESS_TEXT];
    return address_known(a) ? json_string(address_text(a, to)) : json_null();
}

static json_t *count(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *measure(double d)
{
    return isfinite(d) ? json_real(d) : json_null();
}

static json_t *index_of_host(int32_t i)
{
    return i < 0 ? json_null() : json_integer(i);
}

/* Appends `item` and gives its reference away; a NULL item spoils the whole list. */
static bool append(json_t *list, json_t *item)
{
    return item && json_array_append_new(list, item) == 0;
}

static json_t *evidence_json(const struct storm_evidence *e)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "time", moment(e->time), "connection",
        e->connection ? count(e->connection) : json_null(), "client", address(e->client), "server", address(e->server), "said",
        text(e->said), "received", text(e->received));
}

static json_t *host_json(const struct storm_host *h)
{
    json_t *evidence = json_array();
    bool whole = evidence != NULL;
    for (uint32_t i = 0; whole && i < h->evidence_count; i++)
        whole = append(evidence, evidence_json(&h->evidence[i]));
    if (!whole) {
        json_decref(evidence);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", address(h->address), "name", text(h->name),
        "role", storm_role_text(h->role), "on_wire", (int)h->on_wire, "copies", count(h->copies), "deliveries", count(h->deliveries),
        "redeliveries", count(h->redeliveries), "recipients_in", count(h->recipients_in), "first", moment(h->first), "last",
        moment(h->last), "software", text(h->software), "evidence", evidence);
}

static json_t *edge_json(const struct storm_edge *e)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "from", index_of_host(e->from), "to", index_of_host(e->to), "copies",
        count(e->copies), "deliveries", count(e->deliveries), "redeliveries", count(e->redeliveries), "on_wire", (int)e->on_wire, "first",
        moment(e->first));
}

static json_t *event_json(const struct storm_event *e)
{
    return json_pack("{s:o, s:o}", "time", moment(e->time), "what", text(e->what));
}

static json_t *lists_json(const struct storm *s)
{
    json_t *hosts = json_array(), *edges = json_array(), *events = json_array();
    bool whole = hosts && edges && events;
    for (uint32_t i = 0; whole && i < s->host_count; i++)
        whole = append(hosts, host_json(&s->hosts[i]));
    for (uint32_t i = 0; whole && i < s->edge_count; i++)
        whole = append(edges, edge_json(&s->edges[i]));
    for (uint32_t i = 0; whole && i < s->event_count; i++)
        whole = append(events, event_json(&s->events[i]));
    if (whole)
        return json_pack(
            "{s:o, s:I, s:o, s:o}", "hosts", hosts, "hosts_more", (json_int_t)s->hosts_more, "edges", edges, "timeline", events);
    json_decref(hosts);
    json_decref(edges);
    json_decref(events);
    return NULL;
}

static json_t *forecast_json(const struct storm *s)
{
    if (s->forecast_at == TIME_UNKNOWN)
        return json_null();
    return json_pack("{s:o, s:o}", "at", moment(s->forecast_at), "deliveries", count(s->forecast_deliveries));
}

static json_t *blast_json(const struct storm *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "recipients", count(s->recipients), "most_copies_a_recipient",
        count(s->most_copies_a_recipient), "audience", count(s->audience), "audience_domains", count(s->audience_domains), "bytes",
        count(s->bytes), "peak_rate", measure(s->peak_rate));
}

json_t *storm_json_bare(const struct storm *s)
{
    json_t *o = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", text(s->id), "kind",
        storm_kind_text(s->kind), "severity", storm_severity_text(s->severity), "peak_severity", storm_severity_text(s->peak_severity),
        "state", storm_state_text(s->state), "privacy", storm_privacy_text(s->privacy), "message_id", text(s->message_id),
        "thread", text(s->thread), "subject", text(s->subject), "from", text(s->from), "victim", text(s->victim),
        "first_seen", moment(s->first_seen), "raised", moment(s->raised), "updated", moment(s->updated), "cleared", moment(s->cleared));
    json_t *numbers = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "copies", count(s->copies), "deliveries",
        count(s->deliveries), "redeliveries", count(s->redeliveries), "recipients", count(s->recipients), "blast_radius", blast_json(s),
        "reproduction", measure(s->reproduction), "reproduction_reckoned", s->reproduction_reckoned, "generation_seconds",
        measure(s->generation), "forecast", forecast_json(s), "generations_left",
        s->generations_left < 0 ? json_null() : json_integer(s->generations_left), "why", text(s->why), "acquittal",
        text(s->acquittal));
    json_t *lists = lists_json(s);
    if (!o || !numbers || !lists || json_object_update(o, numbers) != 0 || json_object_update(o, lists) != 0) {
        json_decref(o);
        o = NULL;
    }
    json_decref(numbers);
    json_decref(lists);
    return o;
}

static json_t *remedy_json(const struct storm *s, enum cure_target target)
{
    char *file = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&file, &n);
    if (!to)
        return NULL;
    bool some = cure_write(s, target, to);
    json_t *o = fclose(to) == 0 ? some ? json_stringn(file, n) : json_null() : NULL;
    free(file);
    return o;
}

static json_t *cure_json(const struct storm *s)
{
    json_t *o = json_pack("{s:s}", "advice", cure_advice(s));
    for (int t = 0; o && t < CURE_TARGET_COUNT; t++)
        if (json_object_set_new(o, cure_word((enum cure_target)t), remedy_json(s, (enum cure_target)t)) != 0) {
            json_decref(o);
            o = NULL;
        }
    return o;
}

json_t *storm_json(const struct storm *s)
{
    json_t *o = storm_json_bare(s);
    if (o && json_object_set_new(o, "cure", cure_json(s)) != 0) {
        json_decref(o);
        o = NULL;
    }
    return o;
}

/* ---- and back ---- */

static void take_text(const json_t *o, const char *name, char *to, size_t size)
{
    const json_t *v = json_object_get(o, name);
    log_clean(span_of(json_string_value(v), json_string_length(v)), to, size);
}

static int64_t take_moment(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    int64_t t;
    return json_is_string(v) && clock_parse(span_of(json_string_value(v), json_string_length(v)), &t) ? t : TIME_UNKNOWN;
}

static struct address take_address(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    struct address a = {{0}};
    if (json_is_string(v) && !address_parse(span_of(json_string_value(v), json_string_length(v)), &a))
        a = (struct address){{0}};
    return a;
}

static uint64_t take_count(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

static double take_measure(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static int32_t take_host_index(const json_t *o, const char *name, uint32_t hosts)
{
    const json_t *v = json_object_get(o, name);
    json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    return i >= 0 && i < (json_int_t)hosts ? (int32_t)i : -1;
}

/* Which of the `count` words of an enum stands there; -1: none of them. */
static int take_word(const json_t *o, const char *name, const char *const words[], size_t words_count)
{
    const char *v = json_string_value(json_object_get(o, name));
    for (size_t i = 0; v && i < words_count; i++)
        if (strcmp(v, words[i]) == 0)
            return (int)i;
    return -1;
}

#define WORD(name, word, ...) word,
static const char *const KINDS[] = {STORM_KINDS(WORD)}, *const SEVERITIES[] = {STORM_SEVERITIES(WORD)},
                         *const STATES[] = {STORM_STATES(WORD)}, *const ROLES[] = {STORM_ROLES(WORD)},
                         *const PRIVACY[] = {STORM_PRIVACY(WORD)};
#undef WORD
#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static size_t take_length(const json_t *o, const char *name, size_t most)
{
    size_t n = json_array_size(json_object_get(o, name));
    return n < most ? n : most;
}

static void evidence_parse(const json_t *o, struct storm_evidence *e)
{
    e->time = take_moment(o, "time");
    e->connection = take_count(o, "connection");
    e->client = take_address(o, "client");
    e->server = take_address(o, "server");
    take_text(o, "said", e->said, sizeof e->said);
    take_text(o, "received", e->received, sizeof e->received);
}

static bool host_parse(const json_t *o, struct storm_host *h)
{
    int role = take_word(o, "role", ROLES, COUNT_OF(ROLES));
    if (role < 0)
        return false;
    h->address = take_address(o, "address");
    take_text(o, "name", h->name, sizeof h->name);
    h->role = (enum storm_role)role;
    h->on_wire = json_is_true(json_object_get(o, "on_wire"));
    h->copies = take_count(o, "copies");
    h->deliveries = take_count(o, "deliveries");
    h->redeliveries = take_count(o, "redeliveries");
    h->recipients_in = take_count(o, "recipients_in");
    h->first = take_moment(o, "first");
    h->last = take_moment(o, "last");
    take_text(o, "software", h->software, sizeof h->software);
    h->evidence_count = (uint32_t)take_length(o, "evidence", STORM_EVIDENCE);
    for (uint32_t i = 0; i < h->evidence_count; i++)
        evidence_parse(json_array_get(json_object_get(o, "evidence"), i), &h->evidence[i]);
    return true;
}

static void edge_parse(const json_t *o, struct storm_edge *e, uint32_t hosts)
{
    e->from = take_host_index(o, "from", hosts);
    e->to = take_host_index(o, "to", hosts);
    e->copies = take_count(o, "copies");
    e->deliveries = take_count(o, "deliveries");
    e->redeliveries = take_count(o, "redeliveries");
    e->on_wire = json_is_true(json_object_get(o, "on_wire"));
    e->first = take_moment(o, "first");
}

static bool lists_parse(const json_t *o, struct storm *s, struct reason *why)
{
    s->host_count = (uint32_t)take_length(o, "hosts", STORM_HOSTS);
    s->edge_count = (uint32_t)take_length(o, "edges", STORM_EDGES);
    s->event_count = (uint32_t)take_length(o, "timeline", STORM_EVENTS);
    s->hosts = calloc((size_t)s->host_count + 1, sizeof *s->hosts); /* one more: calloc(0) may give NULL */
    s->edges = calloc((size_t)s->edge_count + 1, sizeof *s->edges);
    s->events = calloc((size_t)s->event_count + 1, sizeof *s->events);
    if (!s->hosts || !s->edges || !s->events)
        return reason_say(why, "alarm %s: out of memory", s->id);
    for (uint32_t i = 0; i < s->host_count; i++)
        if (!host_parse(json_array_get(json_object_get(o, "hosts"), i), &s->hosts[i]))
            return reason_say(why, "alarm %s: host %u has no known role", s->id, i + 1);
    for (uint32_t i = 0; i < s->edge_count; i++)
        edge_parse(json_array_get(json_object_get(o, "edges"), i), &s->edges[i], s->host_count);
    for (uint32_t i = 0; i < s->event_count; i++) {
        const json_t *event = json_array_get(json_object_get(o, "timeline"), i);
        s->events[i].time = take_moment(event, "time");
        take_text(event, "what", s->events[i].what, sizeof s->events[i].what);
    }
    return true;
}

static void numbers_parse(const json_t *o, struct storm *s)
{
    const json_t *blast = json_object_get(o, "blast_radius"), *forecast = json_object_get(o, "forecast"),
                 *left = json_object_get(o, "generations_left");
    s->copies = take_count(o, "copies");
    s->deliveries = take_count(o, "deliveries");
    s->redeliveries = take_count(o, "redeliveries");
    s->recipients = take_count(o, "recipients");
    s->bytes = take_count(blast, "bytes");
    s->audience = take_count(blast, "audience");
    s->audience_domains = take_count(blast, "audience_domains");
    s->most_copies_a_recipient = take_count(blast, "most_copies_a_recipient");
    s->peak_rate = take_measure(blast, "peak_rate");
    s->reproduction = take_measure(o, "reproduction");
    s->reproduction_reckoned = json_is_true(json_object_get(o, "reproduction_reckoned"));
    s->generation = take_measure(o, "generation_seconds");
    s->forecast_at = take_moment(forecast, "at");
    s->forecast_deliveries = take_count(forecast, "deliveries");
    json_int_t generations = json_is_integer(left) ? json_integer_value(left) : -1;
    s->generations_left = generations >= 0 && generations <= INT32_MAX ? (int32_t)generations : -1;
}

struct storm *storm_json_parse(const json_t *o, struct reason *why)
{
    struct storm *s = calloc(1, sizeof *s);
    if (!s) {
        reason_say(why, "an alarm: out of memory");
        return NULL;
    }
    int kind = take_word(o, "kind", KINDS, COUNT_OF(KINDS)), severity = take_word(o, "severity", SEVERITIES, COUNT_OF(SEVERITIES)),
        peak = take_word(o, "peak_severity", SEVERITIES, COUNT_OF(SEVERITIES)), state = take_word(o, "state", STATES, COUNT_OF(STATES));
    take_text(o, "id", s->id, sizeof s->id);
    if (!s->id[0] || kind < 0 || severity < 0 || peak < 0 || state < 0) {
        reason_say(why, "alarm %s: its kind, severity or state is none that this version knows", s->id[0] ? s->id : "without id");
        storm_json_free(s);
        return NULL;
    }
    s->kind = (enum storm_kind)kind;
    s->severity = (enum storm_severity)severity;
    s->peak_severity = (enum storm_severity)peak;
    s->state = (enum storm_state)state;
    int privacy = take_word(o, "privacy", PRIVACY, COUNT_OF(PRIVACY));
    s->privacy = privacy < 0 ? PRIVACY_CLEAR : (enum storm_privacy)privacy; /* older ones do not say */
    take_text(o, "message_id", s->message_id, sizeof s->message_id);
    take_text(o, "thread", s->thread, sizeof s->thread);
    take_text(o, "subject", s->subject, sizeof s->subject);
    take_text(o, "from", s->from, sizeof s->from);
    take_text(o, "victim", s->victim, sizeof s->victim);
    s->first_seen = take_moment(o, "first_seen");
    s->raised = take_moment(o, "raised");
    s->updated = take_moment(o, "updated");
    s->cleared = take_moment(o, "cleared");
    take_text(o, "why", s->why, sizeof s->why);
    take_text(o, "acquittal", s->acquittal, sizeof s->acquittal);
    numbers_parse(o, s);
    if (!lists_parse(o, s, why)) {
        storm_json_free(s);
        return NULL;
    }
    return s;
}

void storm_json_free(struct storm *s)
{
    if (!s)
        return;
    free(s->hosts);
    free(s->edges);
    free(s->events);
    free(s);
}
