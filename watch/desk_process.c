/* The process that talks to people.  In: what the sensor tells: storms, counts, evidence.  Out: a line on standard output a change, the
 * history, the alert channels, the dashboard; all of it masked as `privacy` says.  It may die and be started again at any time: the sensor
 * tells every storm anew, and what was stored is not told twice. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/alert.h"
#include "base/channel.h"
#include "counts_json.h"
#include "evidence.h"
#include "squall.h"
#include "stats/storm_json.h"
#include "watch/known.h"
#include "watch/managers.h"
#include "watch/posts.h"
#include "watch/processes.h"
#include "watch/questions.h"
#include "watch/sandbox.h"
#include "watch/screen.h"
#include "watch/tellings.h"

#define LAST_WORDS (4 * NS_PER_SECOND)
#define MENDED_AFTER (60 * NS_PER_SECOND) /* without a failure: a full disk takes the next small write */
#define STATUS_EVERY (60 * NS_PER_SECOND) /* of packet time, between two lines that say all is well */

struct desk {
    const struct plan *plan;
    struct channel *control, *sensor; /* sensor NULL: none at the moment */
    struct history *history;
    struct privacy *privacy;
    struct evidence *evidence; /* NULL: none is kept */
    struct alert *alert;
    struct web *web;           /* NULL: no dashboard */
    struct questions *questions;
    struct known *known;
    struct tellings *tellings;
    struct screen *screen;     /* NULL: changes are lines on standard output */
    struct sensor_report report; /* the last one */
    int64_t history_failed, evidence_failed; /* the last time, monotonic ns; 0: they stand */
    bool sensor_over;          /* it has said goodbye */
    bool evidence_names;       /* people, whom nobody is to see any more */
    int64_t now;               /* packet time of the sensor's last report */
    int64_t ticked;            /* monotonic */
    bool total_known;          /* false: this desk has met a sensor that was running before it */
    struct rates total;        /* of all seconds so far, as of the sensor's last report */
    int64_t status_told;       /* packet time */
    uint64_t deliveries_told;
};

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

/* ---- trouble of our own --------------------------------------------------------------------------------------------------------- */

static void part_failed(struct desk *d, const char *part, int64_t *failed, const struct reason *why)
{
    if (!*failed)
        log_line(LOG_LEVEL_WARNING, "%s; alarms go on, the %s has a hole", why->text, part);
    *failed = clock_monotonic();
    alert_trouble(d->alert, part, true, why->text);
}

/* Each second: what has failed and does so no longer is told to work again. */
static void part_mended(struct desk *d, const char *part, int64_t *failed)
{
    if (*failed && clock_monotonic() - *failed < MENDED_AFTER)
        return;
    if (*failed)
        log_line(LOG_LEVEL_NOTICE, "the %s is kept again", part);
    *failed = 0;
    alert_trouble(d->alert, part, false, "");
}

/* From a channel's thread; log_line() is one write. */
static void channel_changed(void *user, const char *channel, bool failing, const char *why)
{
    (void)user;
    if (failing)
        log_line(LOG_LEVEL_WARNING, "%s: alerts do not arrive: %s; they are kept and sent when it works again", channel, why);
    else
        log_line(LOG_LEVEL_NOTICE, "%s: alerts arrive again", channel);
}

static void sensor_alive(struct desk *d, bool alive, const char *why)
{
    if (d->web)
        web_sensor(d->web, alive, why);
    screen_sensor(d->screen, alive ? "" : why);
    alert_trouble(d->alert, "sensor", !alive, why);
}

/* ---- from the sensor ------------------------------------------------------------------------------------------------------------ */

static void store(struct desk *d, const struct storm *clear, const struct storm *s)
{
    struct reason why;
    if (!privacy_store(d->privacy, d->history, clear, s, s->updated, &why))
        part_failed(d, "history", &d->history_failed, &why);
}

/* The channels first and the history next, and on disk at once: should we die here, alert/ and the history know what was told. */
static void tell_people(struct desk *d, const struct storm *clear, const struct storm *s, enum news news)
{
    char when[TIME_TEXT];
    struct reason why;
    alert_storm(d->alert, s, news_text(news));
    store(d, clear, s);
    if (news != NEWS_UPDATED && !history_tick(d->history, s->updated, &why))
        part_failed(d, "history", &d->history_failed, &why);
    if (!d->screen)
        printf("%.19sZ %s %s %s %s: %s\n", clock_text(s->updated, when), news_text(news), storm_severity_text(s->severity),
            storm_kind_text(s->kind), s->id, s->why);
    fflush(stdout);
    screen_storm(d->screen, s);
    if (d->web)
        web_storm(d->web, s, news_text(news));
}

/* The storm in clear stops here: what others see, keep and are sent is masked. */
static void storm_told(struct desk *d, const json_t *object, struct span text, bool numbers_only)
{
    struct reason why = {"out of memory"};
    struct storm *clear = storm_json_parse(object, &why), *s = clear ? privacy_storm(d->privacy, clear) : NULL;
    if (!s)
        log_line(LOG_LEVEL_WARNING, "a change of an alarm could not be told: %s", why.text);
    if (s && numbers_only) {
        store(d, clear, s);
        screen_storm(d->screen, s);
        if (d->web)
            web_storm(d->web, s, news_text(NEWS_UPDATED));
    }
    for (enum news news; s && !numbers_only && (news = tellings_news(d->tellings, s, text, d->history)) != NEWS_NONE;) {
        tell_people(d, clear, s, news);
        if (news != NEWS_RAISED)
            break;
    }
    storm_json_free(s);
    storm_json_free(clear);
}

static void rates_told(struct desk *d, const struct sensor_report *r)
{
    const struct capture_counters *c = &r->view.capture;
    const struct smtp_counters *m = &r->view.smtp;
    struct rates total = {
        .messages = r->stats.messages, .deliveries = r->stats.recipients, .redeliveries = r->stats.redeliveries,
        .recipients = m->recipients, .rejects = m->rejected_recipients, .sessions = m->sessions + m->tls_sessions,
        .tls_sessions = m->starttls_sessions + m->tls_sessions, .packets = c->packets, .bytes = c->bytes,
        .drops = c->kernel_drops + c->interface_drops,
    };
    if (!d->total_known) { /* what was counted in an earlier desk's time is not of this second */
        d->total = total;
        d->total_known = true;
        d->deliveries_told = r->stats.recipients;
    }
    struct rates second = {.time = r->view.now};
#define X(name, doc) second.name = total.name - d->total.name;
    RATES(X)
#undef X
    tellings_open(d->tellings, second.alarms);
    d->total = total;
    screen_report(d->screen, r, &second);
    if (d->web)
        web_rates(d->web, &second);
}

static void counters_told(struct desk *d, const struct sensor_report *r)
{
    const struct web_counter counters[] = {
#define X(name, doc) {"capture_" #name, doc, r->view.capture.name},
        CAPTURE_COUNTERS(X)
#undef X
#define X(name, doc) {"smtp_" #name, doc, r->view.smtp.name},
        SMTP_COUNTERS(X)
#undef X
#define X(name, doc) {"stats_" #name, doc, r->stats.name},
        STATS_COUNTERS(X)
#undef X
        {"sensor_records_lost", "records lost between capture and stats, which was behind", r->view.records_lost},
        {"sensor_evidence_passed_over", "connections wanted as evidence and passed over, for too many were at once",
            r->view.evidence_passed_over},
    };
    _Static_assert(sizeof counters / sizeof counters[0] <= WEB_COUNTERS, "web.h keeps room for all");
    if (d->web)
        web_counters(d->web, counters, sizeof counters / sizeof counters[0]);
}

static void all_is_well(struct desk *d, const struct sensor_report *r)
{
    int64_t now = r->view.now;
    if (d->status_told == 0)
        d->status_told = now;
    if (now - d->status_told < STATUS_EVERY)
        return;
    const struct capture_counters *c = &r->view.capture;
    log_line(LOG_LEVEL_INFO, "%llu deliveries in the last minute; %llu messages, %llu packets, %llu dropped since the start",
        (unsigned long long)(r->stats.recipients - d->deliveries_told), (unsigned long long)r->stats.messages,
        (unsigned long long)c->packets, (unsigned long long)(c->kernel_drops + c->interface_drops));
    d->status_told = now;
    d->deliveries_told = r->stats.recipients;
}

static void report_told(struct desk *d, const struct sensor_report *r)
{
    int64_t lag = d->plan->replay ? 0 : clock_now() - r->view.now;
    d->now = r->view.now;
    d->report = *r;
    counters_told(d, r);
    rates_told(d, r);
    if (!d->screen)
        all_is_well(d, r);
    if (!d->web)
        return;
    json_t *status = json_pack("{s:o, s:o, s:i, s:I, s:I, s:I, s:f}", "capture", counts_capture(&r->view, NULL, 0), "smtp",
        counts_smtp(&r->view, &r->stats), "workers", (int)r->workers, "records_lost", (json_int_t)r->view.records_lost,
        "evidence_passed_over", (json_int_t)r->view.evidence_passed_over, "memory", (json_int_t)r->memory, "lag_seconds",
        lag > 0 ? (double)lag / (double)NS_PER_SECOND : 0.0);
    web_status(d->web, status);
}

/* Takes the reference, as the next does: an object belongs to one thread at a time. */
static void messages_told(struct desk *d, json_t *tables)
{
    static const char *const all[] = {"messages", "by_rate", "hosts", "watched"}; /* by_rate has the rows of messages, as copies */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        privacy_rows(d->privacy, json_object_get(tables, all[i]));
    known_told(d->known, json_object_get(tables, "watched"));
    if (d->web)
        web_messages(d->web, tables);
    else
        json_decref(tables);
}

static void hosts_told(struct desk *d, struct span body)
{
    const struct sensor_report *r = &d->report;
    static struct host_row hosts[ALERT_HOSTS];
    if (body.n % sizeof hosts[0] != 0 || body.n > sizeof hosts)
        return;
    memcpy(hosts, body.p, body.n); /* a post lies anywhere, and a struct does not */
    managers_tell(d->alert, &r->view.capture, &r->view.smtp, &r->stats, hosts, body.n / sizeof hosts[0]);
}

static void answered(struct desk *d, json_t *answer)
{
    size_t i;
    json_t *hop;
    json_array_foreach(json_object_get(answer, "hops"), i, hop) {
        privacy_transaction(d->privacy, hop);
    }
    questions_answer(d->questions, answer);
}

static void capsule_told(struct desk *d, struct span body)
{
    struct reason why;
    struct capsule_head head;
    if (!d->evidence || d->evidence_names || body.n < sizeof head)
        return;
    memcpy(&head, body.p, sizeof head);
    head.alarm[sizeof head.alarm - 1] = '\0';
    if (!evidence_add(d->evidence, head.alarm, span_from(body, sizeof head), &why))
        part_failed(d, "evidence", &d->evidence_failed, &why);
}

static bool send_open_storm(void *user, const struct storm *s)
{
    struct desk *d = user;
    struct reason why;
    /* in clear when that can be had: stats knows a storm again by its addresses too */
    struct storm *clear = privacy_unseal(d->plan->settings->history.directory, d->history, s->id, &why);
    json_t *object = storm_json_bare(clear ? clear : s);
    char *text = object ? json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    if (text)
        channel_send(d->sensor, POST_RESTORE, span_text(text), -1);
    free(text);
    json_decref(object);
    storm_json_free(clear);
    return true;
}

static void hello(struct desk *d, const struct hello *h)
{
    struct reason why;
    d->evidence_names = !h->nameless && privacy_wanted(&d->plan->settings->privacy) != PRIVACY_CLEAR;
    if (d->evidence_names)
        log_line(LOG_LEVEL_WARNING, "privacy was clear when the sensor began: its evidence names people and is not kept; restart squall");
    d->total_known = h->fresh;
    if (h->fresh) {
        d->total = (struct rates){0};
        d->deliveries_told = 0;
        if (!history_open_storms(d->history, send_open_storm, d, &why))
            part_failed(d, "history", &d->history_failed, &why);
        char *watched = known_text(d->known);
        if (watched)
            channel_send(d->sensor, POST_WATCHED, span_text(watched), -1);
        free(watched);
    }
    channel_send(d->sensor, POST_START, span_of(NULL, 0), -1);
    sensor_alive(d, true, "");
}

static void sensor_said(void *user, uint32_t type, struct span body, int fd)
{
    struct desk *d = user;
    bool is_json = type == POST_STORM || type == POST_NUMBERS || type == POST_MESSAGES || type == POST_ANSWER;
    json_t *object = is_json ? json_loadb((const char *)body.p, body.n, 0, NULL) : NULL;
    if (fd >= 0)
        close(fd);
    if (type == POST_HELLO && body.n == sizeof(struct hello))
        hello(d, (const void *)body.p);
    else if (type == POST_REPORT && body.n == sizeof(struct sensor_report)) {
        struct sensor_report report;
        memcpy(&report, body.p, sizeof report);
        report_told(d, &report);
    } else if (type == POST_HOSTS)
        hosts_told(d, body);
    else if (type == POST_CAPSULE)
        capsule_told(d, body);
    else if (type == POST_GOODBYE)
        d->sensor_over = true;
    else if (type == POST_STORM && object)
        storm_told(d, object, body, false);
    else if (type == POST_NUMBERS && object)
        storm_told(d, object, body, true);
    else if (type == POST_MESSAGES && object)
        messages_told(d, object);
    else if (type == POST_ANSWER && object)
        answered(d, object);
    if (type != POST_MESSAGES && type != POST_ANSWER)
        json_decref(object);
}

/* ---- the pages ask -------------------------------------------------------------------------------------------------------------- */

static bool acknowledge(void *user, const char *id, const char *who, struct reason *why)
{
    struct desk *d = user;
    json_t *answer = questions_ask(d->questions, json_pack("{s:s, s:s, s:s}", "what", "acknowledge", "id", id, "who", who), why);
    const char *error = json_string_value(json_object_get(answer, "error"));
    bool good = answer && !error;
    if (error)
        reason_say(why, "%s", error);
    json_decref(answer);
    return good;
}

static json_t *trace(void *user, const char *message_id, const char *address, struct reason *why)
{
    struct desk *d = user;
    json_t *answer = questions_ask(
        d->questions, json_pack("{s:s, s:s*, s:s*}", "what", "trace", "message_id", message_id, "address", address), why);
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (!error)
        return answer;
    reason_say(why, "%s", error);
    json_decref(answer);
    return NULL;
}

static int capsule(void *user, const char *id, struct reason *why)
{
    struct desk *d = user;
    char path[4096 + STORM_ID_SIZE + 32];
    snprintf(path, sizeof path, "%s/evidence/%s.pcapng", d->plan->settings->history.directory, id);
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

/* ---- the process ---------------------------------------------------------------------------------------------------------------- */

static bool known_storm(void *user, const struct storm *s)
{
    struct desk *d = user;
    tellings_known(d->tellings, s);
    screen_storm(d->screen, s);
    if (d->web)
        web_storm(d->web, s, news_text(NEWS_UPDATED));
    return true;
}

static bool prepare(struct desk *d, struct reason *why, int *status)
{
    const struct settings *set = d->plan->settings;
    const char *directory = set->history.directory;
    char text[4096];
    if (!sandbox_drop_privileges(set->process.user, false, why))
        return *status = EX_CONFIG, false;
    d->history = history_open(&set->history, why, status);
    if (!d->history)
        return false;
    *status = EX_OSERR;
    reason_say(why, "out of memory at the start");
    d->tellings = tellings_new();
    d->screen = d->plan->tty ? screen_new() : NULL;
    d->questions = questions_new();
    d->known = known_new(directory);
    d->privacy = privacy_new(&set->privacy, directory);
    if ((d->plan->tty && !d->screen) || !d->tellings || !d->questions || !d->known || !d->privacy ||
        !privacy_adopt(d->privacy, d->history, why))
        return false;
    snprintf(text, sizeof text, "%s/evidence", directory);
    d->evidence = set->capture.ring_bytes ? evidence_new(text, false, why) : NULL;
    *status = EX_CONFIG;
    static struct alert_sink sink = {.trouble = channel_changed};
    if (set->web.listen)
        snprintf(text, sizeof text, "%s://%s", set->web.certificate ? "https" : "http", set->web.listen);
    d->alert = alert_new(set->alert, directory, set->web.listen ? text : "", &sink, why);
    if (!d->alert)
        return false;
    if (set->capture.ring_bytes && !d->evidence)
        part_failed(d, "evidence", &d->evidence_failed, why);
    struct web_desk asked = {.acknowledge = acknowledge, .trace = trace, .capsule = capsule, .channels = channels,
        .no_addresses = privacy_wanted(&set->privacy) != PRIVACY_CLEAR, .user = d};
    d->web = d->plan->listener >= 0 ? web_start(&set->web, d->plan->listener, directory, &asked, why) : NULL;
    if (d->plan->listener >= 0 && !d->web)
        return false;
    if (!history_open_storms(d->history, known_storm, d, why))
        part_failed(d, "history", &d->history_failed, why);
    return true;
}

static void monitor_said(void *user, uint32_t type, struct span body, int fd)
{
    struct desk *d = user;
    (void)body;
    if (type == POST_PING)
        channel_send(d->control, POST_PONG, span_of(NULL, 0), -1);
    if (type == POST_PEER && fd >= 0) {
        channel_free(d->sensor);
        d->sensor = channel_new(fd, POST_MOST, POSTS_QUEUED);
        d->sensor_over = false;
    } else if (fd >= 0) {
        close(fd);
    }
}

static void ask_sensor(struct desk *d)
{
    json_t *question = questions_next(d->questions);
    char *text = question && d->sensor ? json_dumps(question, JSON_COMPACT) : NULL;
    if (text)
        channel_send(d->sensor, POST_ASK, span_text(text), -1);
    free(text);
    json_decref(question);
}

static void hear_sensor(struct desk *d)
{
    if (!d->sensor || (channel_receive(d->sensor, sensor_said, d) && channel_flush(d->sensor)))
        return;
    channel_free(d->sensor);
    d->sensor = NULL;
    if (d->sensor_over && d->plan->replay) /* the page goes on showing what it was */
        screen_sensor(d->screen, "the replay has ended");
    else if (d->sensor_over)
        sensor_alive(d, false, "the sensor was stopped");
    else
        sensor_alive(d, false, "the sensor ended; nothing is seen until it has been started again");
}

static void second_passed(struct desk *d)
{
    struct reason why;
    int64_t now = clock_monotonic();
    if (now - d->ticked < NS_PER_SECOND)
        return;
    d->ticked = now;
    screen_draw(d->screen);
    alert_tick(d->alert, clock_now());
    part_mended(d, "history", &d->history_failed);
    part_mended(d, "evidence", &d->evidence_failed);
    if (d->now && (!history_tick(d->history, d->now, &why) || !privacy_tick(d->privacy, d->now, &why)))
        part_failed(d, "history", &d->history_failed, &why);
}

/* False: the sensor had nothing to say, not even a part of it. */
static bool listen_once(struct desk *d)
{
    struct pollfd wait[3] = {{.fd = channel_descriptor(d->control), .events = POLLIN},
                             {.fd = questions_descriptor(d->questions), .events = POLLIN},
                             {.fd = d->sensor ? channel_descriptor(d->sensor) : -1, .events = POLLIN}};
    if (d->sensor && channel_wants_write(d->sensor))
        wait[2].events |= POLLOUT;
    poll(wait, 3, 200);
    if (!channel_receive(d->control, monitor_said, d) || !channel_flush(d->control))
        stopping = 1; /* no monitor: it was killed, and the sensor ends as well */
    hear_sensor(d);
    ask_sensor(d);
    second_passed(d);
    return wait[2].revents & (POLLIN | POLLHUP);
}

int desk_process(const struct plan *plan, int control, int peer)
{
    static struct desk d;
    struct reason why = {""};
    int status = 0;
    d = (struct desk){.plan = plan, .control = channel_new(control, POST_MOST, CONTROL_QUEUED)};
    struct sigaction on_stop = {.sa_handler = stop};
    sigaction(SIGTERM, &on_stop, NULL);
    if (!d.control || !prepare(&d, &why, &status)) {
        fprintf(stderr, "squall: %s\n", why.text);
        return status ? status : EX_OSERR;
    }
    if (peer >= 0)
        d.sensor = channel_new(peer, POST_MOST, POSTS_QUEUED);
    if (d.web)
        log_line(LOG_LEVEL_NOTICE, "dashboard: %s://%s/", plan->settings->web.certificate ? "https" : "http", plan->settings->web.listen);
    channel_send(d.control, POST_READY, span_of(NULL, 0), -1);
    while (!stopping)
        listen_once(&d);
    /* to the end of what the sensor said last; one that goes on, for the desk alone is replaced, is not heard for ever */
    for (int64_t end = clock_monotonic() + LAST_WORDS; d.sensor && clock_monotonic() < end && listen_once(&d);)
        continue;
    web_stop(d.web);
    alert_free(d.alert);
    evidence_free(d.evidence);
    history_close(d.history);
    privacy_free(d.privacy);
    tellings_free(d.tellings);
    screen_free(d.screen);
    questions_free(d.questions);
    known_free(d.known);
    channel_free(d.sensor);
    channel_free(d.control);
    return 0;
}
