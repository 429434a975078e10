/* In: notices of one alertmanager section.  Out: alerts to Alertmanager's v2 API.  An alert ends by itself when it is not told again: so
 * those of open storms are told again every `refresh`, with an end four times as far off, and a clear tells the end itself. */
#include "alert/webpost.h"

#include <jansson.h>
#include <stdlib.h>

#define OPEN_MOST 256

struct alert_open { /* a storm, or a trouble, that lasts */
    char id[NOTICE_PART_SIZE];
    json_t *alert; /* without its end */
};

struct alertmanager {
    const struct alertmanager_settings *settings;
    CURL *curl;
    char url[1024];
    struct alert_open open[OPEN_MOST];
    size_t open_count;
    int64_t refreshed;
};

static void *alertmanager_open(const void *section, struct reason *why)
{
    struct alertmanager *a = calloc(1, sizeof *a);
    if (!a || !(a->curl = webpost_open(why))) {
        free(a);
        return NULL;
    }
    a->settings = section;
    const char *base = a->settings->url;
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    snprintf(a->url, sizeof a->url, "%.*s/api/v2/alerts", (int)n, base);
    return a;
}

static void alertmanager_close(void *receiver)
{
    struct alertmanager *a = receiver;
    for (size_t i = 0; i < a->open_count; i++)
        json_decref(a->open[i].alert);
    webpost_lib.easy_cleanup(a->curl);
    free(a);
}

static json_t *moment(int64_t t)
{
    char text[TIME_TEXT];
    return json_string(clock_text(t, text));
}

static const char *alert_name(const struct notice *n)
{
    return n->type == NOTICE_HEARTBEAT ? "SquallHeartbeat"
           : n->type == NOTICE_TEST    ? "SquallTest"
           : n->type == NOTICE_TROUBLE ? "SquallSensorTrouble"
                                       : "SquallStorm";
}

static const char *key_of(const struct notice *n)
{
    return notice_of_storm(n->type) ? n->id : n->part;
}

/* Labels name the alert: when the severity changes, which routes go by, the alert of the old one ends. */
static json_t *alert_of(const struct notice *n)
{
    bool storm = notice_of_storm(n->type);
    char counts[128];
    json_t *labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", "alertname", alert_name(n), "severity", storm_severity_text(n->severity),
        "sensor", n->sensor, storm ? "alarm" : "part", key_of(n), "kind", storm ? storm_kind_text(n->kind) : notice_type_text(n->type));
    snprintf(counts, sizeof counts, "%llu copies, %llu deliveries, %llu again", (unsigned long long)n->copies,
        (unsigned long long)n->deliveries, (unsigned long long)n->redeliveries);
    json_t *annotations =
        json_pack("{s:s, s:s, s:s, s:s}", "summary", n->why, "counts", storm ? counts : "", "message_id", n->message_id, "report", n->url);
    int64_t start = storm && n->raised != TIME_UNKNOWN ? n->raised : n->time, now = clock_now();
    start = start < now ? start : now; /* a start after its end would be refused */
    json_t *o = json_pack("{s:o, s:o, s:o}", "labels", labels, "annotations", annotations, "startsAt", moment(start));
    if (o && n->url[0])
        json_object_set_new(o, "generatorURL", json_string(n->url));
    return o;
}

static size_t find(const struct alertmanager *a, const char *id)
{
    size_t i = 0;
    while (i < a->open_count && strcmp(a->open[i].id, id) != 0)
        i++;
    return i;
}

static void forget(struct alertmanager *a, size_t at)
{
    json_decref(a->open[at].alert);
    a->open[at] = a->open[--a->open_count];
}

/* Keeps the alert of an open storm; takes the reference. */
static void keep(struct alertmanager *a, const char *id, json_t *alert)
{
    size_t at = find(a, id);
    if (at < a->open_count)
        forget(a, at);
    if (a->open_count == OPEN_MOST)
        forget(a, 0);
    span_copy(span_text(id), a->open[a->open_count].id, sizeof a->open[0].id);
    a->open[a->open_count++].alert = alert;
}

static void alertmanager_know(void *receiver, const struct notice *n)
{
    json_t *alert = alert_of(n);
    if (alert)
        keep(receiver, n->id, alert);
}

static enum delivery post(struct alertmanager *a, json_t *alerts, const atomic_bool *stop, struct reason *why)
{
    char *body = json_dumps(alerts, JSON_COMPACT);
    enum delivery d = DELIVERY_FAILED;
    if (body)
        d = webpost_send(a->curl, a->url, a->settings->ca, a->settings->timeout, NULL, body, strlen(body), stop, why);
    else
        reason_say(why, "out of memory");
    free(body);
    return d;
}

static void append_ending(json_t *list, json_t *alert, int64_t end)
{
    json_object_set_new(alert, "endsAt", moment(end));
    json_array_append(list, alert);
}

/* Of a storm, or of a part in trouble: what lasts is told again; what ends is told with the labels under which it began. */
static enum delivery alertmanager_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    struct alertmanager *a = receiver;
    json_t *alert = alert_of(n), *list = json_array();
    if (!alert || !list) {
        json_decref(alert);
        json_decref(list);
        reason_say(why, "out of memory");
        return DELIVERY_FAILED;
    }
    const char *key = key_of(n);
    size_t at = find(a, key);
    int64_t now = clock_now();
    bool over = n->type == NOTICE_CLEARED || (n->type == NOTICE_TROUBLE && !n->failing), known = at < a->open_count;
    bool same = known && json_equal(json_object_get(a->open[at].alert, "labels"), json_object_get(alert, "labels"));
    if (known && (over || !same))
        append_ending(list, a->open[at].alert, now);
    if (!over || !known)
        append_ending(list, alert, over ? now : now + 4 * a->settings->refresh);
    enum delivery d = post(a, list, stop, why);
    json_decref(list);
    if (d == DELIVERY_CONFIRMED && over && known)
        forget(a, at);
    else if (d == DELIVERY_CONFIRMED && !over && (notice_of_storm(n->type) || n->type == NOTICE_TROUBLE))
        keep(a, key, json_incref(alert));
    json_decref(alert);
    return d;
}

static enum delivery alertmanager_refresh(void *receiver, int64_t now, const atomic_bool *stop, struct reason *why)
{
    struct alertmanager *a = receiver;
    if (a->open_count == 0 || now - a->refreshed < a->settings->refresh)
        return DELIVERY_HOPED;
    a->refreshed = now; /* also when it fails: the next notice is not kept waiting by it */
    json_t *list = json_array();
    for (size_t i = 0; list && i < a->open_count; i++) {
        json_object_set_new(a->open[i].alert, "endsAt", moment(now + 4 * a->settings->refresh));
        json_array_append(list, a->open[i].alert);
    }
    enum delivery d = post(a, list, stop, why);
    json_decref(list);
    return d;
}

static bool alertmanager_confirms(const void *section)
{
    (void)section;
    return true;
}

const struct courier_kind alertmanager_kind = {"alertmanager", alertmanager_open, alertmanager_close, alertmanager_send,
    alertmanager_confirms, alertmanager_know, alertmanager_refresh};
