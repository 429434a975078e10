/* In: notices of one alertmanager section.  Out: alerts to Alertmanager's v2 API.  An alert ends by itself when it is not told again: so those of open storms
 * are told again every `refresh`, with an end four times as far off, and a clear tells the end itself. */
#include "alert/webpost.h"

#include <jansson.h>
#include <stdlib.h>

#define OPEN_MOST 256

struct alert_open { /* a storm that lasts */
    char id[STORM_ID_SIZE];
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
    curl_easy_cleanup(a->curl);
    free(a);
}

static json_t *moment(int64_t t)
{
    char text[TIME_TEXT];
    return json_string(clock_text(t, text));
}

static const char *alert_name(const struct notice *n)
{
    return n->type == NOTICE_HEARTBEAT ? "SquallHeartbeat" : n->type == NOTICE_TEST ? "SquallTest" : n->type == NOTICE_TROUBLE ? "SquallSensorTrouble" : "SquallStorm";
}

/* Labels name the alert and never change while it lasts, so severity, which does, is an annotation; the routing label is the one of the raise. */
static json_t *alert_of(const struct notice *n)
{
    bool storm = notice_of_storm(n->type);
    char counts[128];
    json_t *labels = json_pack("{s:s, s:s, s:s, s:s}", "alertname", alert_name(n), "sensor", n->sensor, storm ? "alarm" : "part", storm ? n->id : n->part,
        "kind", storm ? storm_kind_text(n->kind) : notice_type_text(n->type));
    snprintf(counts, sizeof counts, "%llu copies, %llu deliveries, %llu again", (unsigned long long)n->copies, (unsigned long long)n->deliveries,
        (unsigned long long)n->redeliveries);
    json_t *annotations = json_pack("{s:s, s:s, s:s, s:s, s:s}", "summary", n->why, "severity", storm_severity_text(n->severity), "counts",
        storm ? counts : "", "message_id", n->message_id, "report", n->url);
    int64_t start = storm && n->raised != TIME_UNKNOWN ? n->raised : n->time;
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
    int64_t now = clock_now(), lasts = 4 * a->settings->refresh;
    bool over = n->type == NOTICE_CLEARED || (n->type == NOTICE_TROUBLE && !n->failing);
    /* an end before the start is no alert: a storm of a capture read again may have cleared in an hour of its own */
    json_object_set_new(alert, "endsAt", moment(over ? now : now + lasts));
    json_array_append(list, alert);
    enum delivery d = post(a, list, stop, why);
    json_decref(list);
    if (d == DELIVERY_CONFIRMED && (n->type == NOTICE_RAISED || n->type == NOTICE_UPDATED))
        keep(a, n->id, json_incref(alert));
    else if (d == DELIVERY_CONFIRMED && n->type == NOTICE_CLEARED && find(a, n->id) < a->open_count)
        forget(a, find(a, n->id));
    json_decref(alert);
    return d;
}

static enum delivery alertmanager_refresh(void *receiver, int64_t now, const atomic_bool *stop, struct reason *why)
{
    struct alertmanager *a = receiver;
    if (a->open_count == 0 || now - a->refreshed < a->settings->refresh)
        return DELIVERY_HOPED;
    a->refreshed = now;
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

const struct courier_kind alertmanager_kind = {"alertmanager", alertmanager_open, alertmanager_close, alertmanager_send, alertmanager_confirms, alertmanager_know,
    alertmanager_refresh};
