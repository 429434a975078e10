/* In: the sensor's storms, and its counters once a second; questions of the web room's thread.  Out: what the pages show, copied; each
 * question answered in the sensor's own thread, which never waits for the web's. */
#include "desk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "counts_json.h"
#include "transaction_json.h"
#include "web/web.h"

#define ROWS           100
#define HOSTS          20
#define MESSAGES_EVERY (2 * NS_PER_SECOND) /* and never more than a hundredth of the time is spent on looking for them */
#define LONGEST_TEXT   1024
#define WAIT           2                   /* seconds that a page waits for the sensor */

struct question { /* of a page, on its way */
    enum { IDLE, ASKED, ANSWERED } state;
    uint64_t number;
    enum { ACKNOWLEDGE, TRACE_ID, TRACE_ADDRESS } what;
    char text[LONGEST_TEXT], who[STORM_TEXT_SIZE]; /* the alarm's id, the Message-ID or the address; who acknowledges */
    bool good;
    json_t *trace;
};

struct earlier { /* how many deliveries a message had when the minute began */
    uint64_t hash, deliveries;
};

struct desk {
    struct web *web;
    struct alert *alert;
    struct privacy *privacy;
    char evidence[4096];
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct question question;
    struct rates total; /* of all seconds so far */
    struct message_row rows[ROWS];
    struct host_row hosts[HOSTS];
    struct amplifier_row watched[ROWS];
    struct earlier earlier[ROWS];
    size_t earlier_count;
    int64_t minute_began, messages_due; /* monotonic ns */
};

/* ---- web's thread asks ------------------------------------------------------------------------------------------------------------ */

/* Puts the question and waits for its answer; false: *why. */
static bool ask(struct desk *d, struct question *q, struct reason *why)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT;
    pthread_mutex_lock(&d->lock);
    q->state = ASKED;
    q->number = d->question.number + 1;
    d->question = *q;
    while (d->question.state == ASKED && pthread_cond_timedwait(&d->answered, &d->lock, &until) == 0)
        continue;
    *q = d->question;
    d->question.state = IDLE;
    pthread_mutex_unlock(&d->lock);
    return q->state == ANSWERED || reason_say(why, "the sensor does not answer; try again");
}

static bool acknowledge(void *user, const char *id, const char *who, struct reason *why)
{
    struct question q = {.what = ACKNOWLEDGE};
    span_copy(span_text(id), q.text, sizeof q.text);
    span_copy(span_text(who), q.who, sizeof q.who);
    return ask(user, &q, why) && (q.good || reason_say(why, "no such open alarm"));
}

static json_t *trace(void *user, const char *message_id, const char *address, struct reason *why)
{
    struct question q = {.what = message_id ? TRACE_ID : TRACE_ADDRESS};
    span_copy(span_text(message_id ? message_id : address), q.text, sizeof q.text);
    if (!ask(user, &q, why))
        return NULL;
    if (!q.trace)
        reason_say(why, "no message traces are kept: memory of section trace is 0");
    return q.trace;
}

static int capsule(void *user, const char *id, struct reason *why)
{
    struct desk *d = user;
    char path[sizeof d->evidence + STORM_ID_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s.pcapng", d->evidence, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        reason_say(why, errno == ENOENT ? "no packets were kept for this alarm" : "the evidence cannot be read: %s", strerror(errno));
    return fd;
}

static json_t *channels(void *user)
{
    struct desk *d = user;
    struct alert_health health[ALERT_CHANNELS];
    char when[TIME_TEXT];
    size_t n = alert_health(d->alert, health, ALERT_CHANNELS);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct alert_health *h = &health[i];
        json_array_append_new(list,
            json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s*, s:s*}", "name", h->name, "failing", h->failing, "confirmed",
                h->confirmed, "sent", (json_int_t)h->sent, "delivered", (json_int_t)h->delivered, "failed", (json_int_t)h->failed,
                "suppressed", (json_int_t)h->suppressed, "dropped", (json_int_t)h->dropped, "queued", (json_int_t)h->queued, "last_ok",
                h->last_ok == TIME_UNKNOWN ? NULL : clock_text(h->last_ok, when), "error", h->error[0] ? h->error : NULL));
    }
    return list;
}

/* ---- the sensor's thread answers and publishes ------------------------------------------------------------------------------------ */

void desk_poll(struct desk *d, struct sensor *s, const struct trace *kept)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    struct question q = d->question;
    pthread_mutex_unlock(&d->lock);
    if (q.state != ASKED)
        return;
    if (q.what == ACKNOWLEDGE)
        q.good = stats_acknowledge(sensor_stats(s), q.text, q.who, sensor_view(s)->now); /* tells desk_storm() on its way */
    else if (kept)
        q.trace = transaction_trace(kept, q.what == TRACE_ID ? q.text : NULL, q.text);
    json_t *hop;
    size_t i;
    json_array_foreach(json_object_get(q.trace, "hops"), i, hop)
        privacy_transaction(d->privacy, hop);
    pthread_mutex_lock(&d->lock);
    bool waited_for = d->question.state == ASKED && d->question.number == q.number;
    if (waited_for) {
        q.state = ANSWERED;
        d->question = q;
        pthread_cond_signal(&d->answered);
    }
    pthread_mutex_unlock(&d->lock);
    if (!waited_for)
        json_decref(q.trace);
}

void desk_storm(struct desk *d, const struct storm *s, const char *change)
{
    if (d)
        web_storm(d->web, s, change);
}

static void publish_rates(struct desk *d, struct sensor *s, int64_t now)
{
    const struct capture_counters *c = &sensor_view(s)->capture;
    const struct smtp_counters *m = &sensor_view(s)->smtp;
    const struct stats_counters *t = stats_counters(sensor_stats(s));
    struct rates total = {
        .messages = t->messages, .deliveries = t->recipients, .redeliveries = t->redeliveries, .recipients = m->recipients,
        .rejects = m->rejected_recipients, .sessions = m->sessions + m->tls_sessions,
        .tls_sessions = m->starttls_sessions + m->tls_sessions, .packets = c->packets, .bytes = c->bytes,
        .drops = c->kernel_drops + c->interface_drops,
    };
    struct rates second = {.time = now};
#define X(name, doc) second.name = total.name - d->total.name;
    RATES(X)
#undef X
    for (size_t i = 0; i < stats_storm_count(sensor_stats(s)); i++) {
        const struct storm *storm = stats_storm(sensor_stats(s), i);
        if (storm->state != STATE_CLEARED)
            second.alarms[storm->severity]++;
    }
    d->total = total;
    web_rates(d->web, &second);
}

static void publish_counters(struct desk *d, struct sensor *s)
{
    const struct capture_counters *c = &sensor_view(s)->capture;
    const struct smtp_counters *m = &sensor_view(s)->smtp;
    const struct stats_counters *t = stats_counters(sensor_stats(s));
    const struct web_counter counters[] = {
#define X(name, doc) {"capture_" #name, doc, c->name},
        CAPTURE_COUNTERS(X)
#undef X
#define X(name, doc) {"smtp_" #name, doc, m->name},
        SMTP_COUNTERS(X)
#undef X
#define X(name, doc) {"stats_" #name, doc, t->name},
        STATS_COUNTERS(X)
#undef X
    };
    _Static_assert(sizeof counters / sizeof counters[0] <= WEB_COUNTERS, "web.h keeps room for all");
    web_counters(d->web, counters, sizeof counters / sizeof counters[0]);
}

static uint64_t row_hash(const struct message_row *m)
{
    return hash_pair(hash_bytes(m->message_id, strlen(m->message_id)), (uint64_t)m->first);
}

/* Orders the rows by their deliveries since the minute began; a message not seen then had none. */
static void order_by_rate(struct desk *d, size_t n, size_t order[ROWS])
{
    uint64_t recent[ROWS];
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = row_hash(&d->rows[i]);
        recent[i] = d->rows[i].deliveries;
        for (size_t e = 0; e < d->earlier_count; e++)
            if (d->earlier[e].hash == hash)
                recent[i] = d->rows[i].deliveries - d->earlier[e].deliveries;
        size_t at = i;
        for (; at > 0 && recent[order[at - 1]] < recent[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void publish_messages(struct desk *d, struct sensor *s)
{
    int64_t begin = clock_monotonic();
    if (begin < d->messages_due)
        return;
    size_t n = stats_top(sensor_stats(s), d->rows, ROWS), order[ROWS];
    json_t *rows = counts_messages(d->rows, n), *by_rate = json_array();
    order_by_rate(d, n, order);
    privacy_messages(d->privacy, rows);
    for (size_t i = 0; i < n; i++)
        json_array_append(by_rate, json_array_get(rows, order[i]));
    web_messages(d->web, json_pack("{s:o, s:o, s:o, s:o}", "messages", rows, "by_rate", by_rate, "hosts",
                             counts_hosts(d->hosts, stats_hosts(sensor_stats(s), d->hosts, HOSTS)), "watched",
                             counts_watched(d->watched, stats_census(sensor_stats(s), d->watched, ROWS))));
    if (begin - d->minute_began >= 60 * NS_PER_SECOND) {
        d->minute_began = begin;
        d->earlier_count = n;
        for (size_t i = 0; i < n; i++)
            d->earlier[i] = (struct earlier){row_hash(&d->rows[i]), d->rows[i].deliveries};
    }
    int64_t rest = 100 * (clock_monotonic() - begin);
    d->messages_due = begin + (rest > MESSAGES_EVERY ? rest : MESSAGES_EVERY);
}

void desk_second(struct desk *d, struct sensor *s, int64_t now, bool live)
{
    if (!d)
        return;
    int64_t lag = live ? clock_now() - sensor_view(s)->now : 0;
    publish_rates(d, s, now);
    publish_counters(d, s);
    web_status(d->web, json_pack("{s:o, s:o, s:f}", "capture", counts_capture(sensor_view(s), NULL, 0), "smtp", counts_smtp(sensor_view(s), stats_counters(sensor_stats(s))), "lag_seconds",
                           lag > 0 ? (double)lag / (double)NS_PER_SECOND : 0.0));
    publish_messages(d, s);
}

struct desk *desk_new(const struct settings *settings, int listener, struct alert *alert, struct privacy *privacy, struct reason *why)
{
    struct desk *d = calloc(1, sizeof *d);
    if (!d) {
        close(listener);
        reason_say(why, "web: out of memory");
        return NULL;
    }
    struct web_desk asked = {.acknowledge = acknowledge, .trace = trace, .capsule = capsule, .channels = channels,
        .no_addresses = privacy_wanted(&settings->privacy) != PRIVACY_CLEAR, .user = d};
    d->alert = alert;
    d->privacy = privacy;
    d->minute_began = clock_monotonic();
    snprintf(d->evidence, sizeof d->evidence, "%s/evidence", settings->history.directory);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->answered, NULL);
    d->web = web_start(&settings->web, listener, settings->history.directory, &asked, why);
    if (d->web)
        return d;
    desk_free(d);
    return NULL;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    web_stop(d->web);
    pthread_cond_destroy(&d->answered);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
