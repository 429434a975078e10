/* In: a storm and how it changed, or something to tell about ourselves.  Out: a notice, to the store and from there to each channel.  The
 * body is the alarm object of `read --json` with "change", "notice", "sensor" and "report_url" added; the store keeps the body alone, the
 * rest is read from it. */
#include "alert/notice.h"

#include <math.h>
#include <stdlib.h>

#include "stats/storm_json.h"

const char *notice_type_text(enum notice_type t)
{
    static const char *const texts[] = {
#define X(name, text, mib) text,
        NOTICE_TYPES(X)
#undef X
    };
    return texts[t];
}

const char *notice_type_mib(enum notice_type t)
{
    static const char *const texts[] = {
#define X(name, text, mib) mib,
        NOTICE_TYPES(X)
#undef X
    };
    return texts[t];
}

bool notice_of_storm(enum notice_type t)
{
    return t <= NOTICE_CLEARED;
}

static void clean(const char *from, char *to, size_t size)
{
    log_clean(span_text(from), to, size);
}

/* Who is to be named first: hosts stand in the order of their redeliveries. */
static const struct storm_host *first_reinjector(const struct storm *s)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER)
            return &s->hosts[i];
    return NULL;
}

void notice_flat(struct notice *n, const struct storm *s, const char *report_base)
{
    clean(s->id, n->id, sizeof n->id);
    n->kind = s->kind;
    n->severity = s->severity;
    n->raised = s->raised;
    n->time = s->cleared != TIME_UNKNOWN ? s->cleared : s->updated;
    clean(s->message_id, n->message_id, sizeof n->message_id);
    clean(s->subject, n->subject, sizeof n->subject);
    clean(s->from, n->from, sizeof n->from);
    clean(s->victim, n->victim, sizeof n->victim);
    clean(s->why, n->why, sizeof n->why);
    const struct storm_host *h = first_reinjector(s);
    if (h) {
        n->reinjector = h->address;
        clean(h->name, n->reinjector_name, sizeof n->reinjector_name);
    }
    n->copies = s->copies;
    n->deliveries = s->deliveries;
    n->redeliveries = s->redeliveries;
    n->recipients = s->recipients;
    n->reproduction = s->reproduction;
    if (report_base && *report_base)
        snprintf(n->url, sizeof n->url, "%s/alarms/%s", report_base, n->id);
}

static json_t *text_or_null(const char *s)
{
    return *s ? json_string(s) : json_null();
}

/* Writes the body from `o` (whose reference it takes) and what every notice bears; false: out of memory. */
static bool notice_body(struct notice *n, json_t *o)
{
    bool good = o && json_object_set_new(o, "change", json_string(notice_type_text(n->type))) == 0 &&
                json_object_set_new(o, "notice", json_integer((json_int_t)n->number)) == 0 &&
                json_object_set_new(o, "sensor", text_or_null(n->sensor)) == 0 &&
                json_object_set_new(o, "report_url", text_or_null(n->url)) == 0;
    n->body = good ? json_dumps(o, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    n->body_size = n->body ? strlen(n->body) : 0;
    json_decref(o);
    return n->body != NULL;
}

static struct notice *notice_new(enum notice_type t, uint64_t number, const char *sensor)
{
    struct notice *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->type = t;
    n->number = number;
    n->reproduction = (double)NAN;
    n->raised = TIME_UNKNOWN;
    clean(sensor, n->sensor, sizeof n->sensor);
    return n;
}

struct notice *notice_new_storm(enum notice_type t, uint64_t number, const struct storm *s, const char *sensor, const char *report_base)
{
    struct notice *n = notice_new(t, number, sensor);
    if (!n)
        return NULL;
    notice_flat(n, s, report_base);
    if (notice_body(n, storm_json(s)))
        return n;
    notice_free(n);
    return NULL;
}

struct notice *notice_new_own(enum notice_type t, uint64_t number, int64_t time, const char *sensor, enum storm_severity severity,
    const char *part, bool failing, const char *why)
{
    struct notice *n = notice_new(t, number, sensor);
    char when[TIME_TEXT];
    if (!n)
        return NULL;
    n->time = time;
    n->severity = severity;
    n->failing = failing;
    clean(part, n->part, sizeof n->part);
    clean(why, n->why, sizeof n->why);
    json_t *o = json_pack("{s:s, s:s, s:o, s:b, s:s}", "time", clock_text(time, when), "severity", storm_severity_text(severity), "part",
        text_or_null(n->part), "failing", (int)failing, "why", n->why);
    if (notice_body(n, o))
        return n;
    notice_free(n);
    return NULL;
}

static const char *string_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static bool type_parse(const char *text, enum notice_type *t)
{
    for (int i = 0; i < NOTICE_TYPE_COUNT; i++)
        if (strcmp(text, notice_type_text((enum notice_type)i)) == 0) {
            *t = (enum notice_type)i;
            return true;
        }
    return false;
}

/* What stands in a body besides the storm itself. */
static bool own_parse(struct notice *n, const json_t *o)
{
    clean(string_of(o, "part"), n->part, sizeof n->part);
    clean(string_of(o, "why"), n->why, sizeof n->why);
    n->failing = json_is_true(json_object_get(o, "failing"));
    return clock_parse(span_text(string_of(o, "time")), &n->time) &&
           storm_severity_parse(span_text(string_of(o, "severity")), &n->severity);
}

static bool storm_parse(struct notice *n, const json_t *o, struct reason *why)
{
    struct storm *s = storm_json_parse(o, why);
    if (!s)
        return false;
    notice_flat(n, s, NULL);
    storm_json_free(s);
    return true;
}

struct notice *notice_parse(const char *body, size_t size, struct reason *why)
{
    json_t *o = json_loadb(body, size, 0, NULL);
    enum notice_type t;
    struct notice *n = NULL;
    if (!o || !type_parse(string_of(o, "change"), &t) || !(n = notice_new(t, 0, string_of(o, "sensor")))) {
        reason_say(why, "a kept notice cannot be read");
        json_decref(o);
        return NULL;
    }
    n->number = (uint64_t)json_integer_value(json_object_get(o, "notice"));
    bool good = notice_of_storm(t) ? storm_parse(n, o, why) : own_parse(n, o) || reason_say(why, "a kept notice has no time or severity");
    clean(string_of(o, "report_url"), n->url, sizeof n->url);
    json_decref(o);
    n->body = good ? malloc(size + 1) : NULL;
    if (!n->body) {
        notice_free(n);
        return NULL;
    }
    memcpy(n->body, body, size);
    n->body[size] = '\0';
    n->body_size = size;
    return n;
}

void notice_free(struct notice *n)
{
    if (!n)
        return;
    free(n->body);
    free(n);
}
