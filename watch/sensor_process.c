/* The process that touches hostile bytes.  In: packets; the desk's questions.  Out, to the desk: storms as they change, counts each second,
 * evidence, answers.  It opens the capture, gives up its rights, lets the desk restore what was open, and runs.  Without a desk it goes on
 * all the same, and tells every storm anew to the next one. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/channel.h"
#include "counts_json.h"
#include "squall.h"
#include "stats/storm_json.h"
#include "transaction_json.h"
#include "watch/managers.h"
#include "watch/posts.h"
#include "watch/processes.h"
#include "watch/rows.h"
#include "watch/sandbox.h"

#define START_WAIT (10 * NS_PER_SECOND)  /* for a desk that restores; then it begins without */
#define NUMBERED 256                     /* storms, the latest, of which the growth is told */
#define FAREWELL (5 * NS_PER_SECOND)     /* for the desk to take what was told last */

struct numbers { /* of a storm, as told */
    int64_t raised;
    uint64_t copies, deliveries;
};

struct observer {
    const struct plan *plan;
    struct sensor *sensor;
    struct trace *trace;   /* NULL: none is kept */
    struct rows *rows;     /* the tables that the desk shows */
    struct channel *control, *desk; /* desk NULL: there is none at the moment */
    int readable;          /* epoll: either has something to say */
    bool started;          /* POST_START has come, or was waited for in vain */
    size_t untold;         /* storms from this one on are to be told anew; SIZE_MAX: none */
    struct numbers numbers[NUMBERED];
    uint64_t evidence_lost;
    int64_t hosts_told;    /* monotonic ns */
};

static struct sensor *stop_target;
static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
    if (stop_target)
        sensor_stop(stop_target);
}

/* ---- to the desk ---------------------------------------------------------------------------------------------------------------- */

static bool tell(struct observer *o, enum post what, struct span body)
{
    return o->desk && channel_send(o->desk, what, body, -1);
}

static bool tell_json(struct observer *o, enum post what, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    bool good = text && tell(o, what, span_text(text));
    free(text);
    json_decref(object);
    return good;
}

static void tell_untold(struct observer *o)
{
    const struct stats *stats = sensor_stats(o->sensor);
    for (; o->untold < stats_storm_count(stats); o->untold++)
        if (!tell_json(o, POST_STORM, storm_json_bare(stats_storm(stats, o->untold))))
            return;
    o->untold = SIZE_MAX;
}

static void storm_changed(void *user, const struct storm *s, enum storm_change change)
{
    struct observer *o = user;
    (void)change; /* the desk sees that for itself: it knows what it has told people */
    if (!o->desk || !tell_json(o, POST_STORM, storm_json_bare(s)))
        o->untold = 0; /* also when some were being told anew: this one may be among those that were */
}

/* Numbers grow faster than news comes: every two seconds the pages and the history get those of the storms that grew. */
static void tell_numbers(struct observer *o)
{
    const struct stats *stats = sensor_stats(o->sensor);
    size_t n = stats_storm_count(stats), from = n > NUMBERED ? n - NUMBERED : 0;
    for (size_t i = from; i < n; i++) {
        const struct storm *s = stats_storm(stats, i);
        struct numbers *last = &o->numbers[i % NUMBERED], now = {.raised = s->raised, .copies = s->copies, .deliveries = s->deliveries};
        if (s->state == STATE_CLEARED || memcmp(last, &now, sizeof now) == 0)
            continue;
        if (!tell_json(o, POST_NUMBERS, storm_json_bare(s)))
            return;
        *last = now;
    }
}

static void evidence_cut(void *user, const char *alarm, struct span section)
{
    struct observer *o = user;
    struct capsule_head head = {""};
    span_copy(span_text(alarm), head.alarm, sizeof head.alarm);
    uint8_t *whole = malloc(sizeof head + section.n);
    if (whole) {
        memcpy(whole, &head, sizeof head);
        memcpy(whole + sizeof head, section.p, section.n);
    }
    if ((!whole || !tell(o, POST_CAPSULE, span_of(whole, sizeof head + section.n))) && o->evidence_lost++ == 0)
        log_line(LOG_LEVEL_WARNING, "alarm %s: some of its packets could not be handed over to be kept; alarms go on", alarm);
    free(whole);
}

static void transaction_done(void *user, const struct transaction *t, bool twin)
{
    struct observer *o = user;
    (void)twin; /* stats_last() has it too */
    if (o->trace)
        trace_keep(o->trace, t, stats_last(sensor_stats(o->sensor)));
}

static void second_passed(void *user, int64_t now)
{
    struct observer *o = user;
    struct sensor_report report = {
        .view = *sensor_view(o->sensor), .stats = *stats_counters(sensor_stats(o->sensor)), .workers = sensor_workers(o->sensor)};
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        report.memory = (uint64_t)used.ru_maxrss * 1024;
    report.view.now = now;
    if (!o->desk || channel_wants_write(o->desk)) /* it has enough to read: the next report holds this one's counts too */
        return;
    tell(o, POST_REPORT, span_of(&report, sizeof report));
    if (clock_monotonic() - o->hosts_told >= MANAGERS_EVERY) {
        static struct host_row hosts[ALERT_HOSTS];
        o->hosts_told = clock_monotonic();
        tell(o, POST_HOSTS, span_of(hosts, stats_hosts(sensor_stats(o->sensor), hosts, ALERT_HOSTS) * sizeof hosts[0]));
    }
    if (rows_due(o->rows)) {
        tell_json(o, POST_MESSAGES, rows_json(o->rows, sensor_stats(o->sensor)));
        tell_numbers(o);
    }
}

/* ---- from desk and monitor ------------------------------------------------------------------------------------------------------ */

static void restore(struct observer *o, const json_t *object)
{
    struct reason why;
    struct storm *s = o->started ? NULL : storm_json_parse(object, &why);
    if (s && stats_resume(sensor_stats(o->sensor), s))
        log_line(LOG_LEVEL_NOTICE, "%s %s was open when squall stopped and goes on", storm_kind_text(s->kind), s->id);
    storm_json_free(s);
}

static void know(struct observer *o, const json_t *rows)
{
    for (size_t i = 0; !o->started && i < json_array_size(rows); i++) {
        struct amplifier_row row;
        if (counts_watched_parse(json_array_get(rows, i), &row))
            stats_know(sensor_stats(o->sensor), &row);
    }
}

static json_t *answer_to(struct observer *o, const json_t *question)
{
    const char *what = "", *id = "", *who = "", *message_id = NULL, *address = NULL;
    json_unpack((json_t *)(uintptr_t)question, "{s:s, s?s, s?s, s?s, s?s}", "what", &what, "id", &id, "who", &who, "message_id",
        &message_id, "address", &address);
    if (strcmp(what, "acknowledge") == 0)
        return stats_acknowledge(sensor_stats(o->sensor), id, who, sensor_view(o->sensor)->now)
                   ? json_object()
                   : json_pack("{s:s}", "error", "no such open alarm");
    if (strcmp(what, "trace") == 0 && (message_id || address))
        return o->trace ? transaction_trace(o->trace, message_id, address)
                        : json_pack("{s:s}", "error", "no message traces are kept: memory of section trace is 0");
    return json_pack("{s:s}", "error", "no such question");
}

static void answer(struct observer *o, const json_t *question)
{
    json_t *reply = answer_to(o, question), *number = json_object_get(question, "asked");
    if (reply && number)
        json_object_set(reply, "asked", number);
    tell_json(o, POST_ANSWER, reply);
}

static void desk_said(void *user, uint32_t type, struct span body, int fd)
{
    struct observer *o = user;
    if (fd >= 0)
        close(fd);
    json_t *object = body.n ? json_loadb((const char *)body.p, body.n, 0, NULL) : NULL;
    if (type == POST_START)
        o->started = true;
    else if (type == POST_RESTORE && object)
        restore(o, object);
    else if (type == POST_WATCHED && object)
        know(o, object);
    else if (type == POST_ASK && object)
        answer(o, object);
    json_decref(object);
}

static void meet_desk(struct observer *o, int fd)
{
    channel_free(o->desk);
    o->desk = channel_new(fd, POST_MOST, POSTS_QUEUED);
    struct epoll_event readable = {.events = EPOLLIN};
    struct hello hello = {.fresh = !o->started, .nameless = privacy_wanted(&o->plan->settings->privacy) != PRIVACY_CLEAR};
    if (!o->desk || epoll_ctl(o->readable, EPOLL_CTL_ADD, fd, &readable) != 0)
        log_line(LOG_LEVEL_ERROR, "no memory to talk to the desk");
    tell(o, POST_HELLO, span_of(&hello, sizeof hello));
    o->untold = 0;
}

static void monitor_said(void *user, uint32_t type, struct span body, int fd)
{
    struct observer *o = user;
    if (type == POST_PING)
        channel_send(o->control, POST_PONG, span_of(NULL, 0), -1);
    else if (type == POST_SETTINGS && body.n == sizeof(struct stats_settings)) {
        struct stats_settings settings;
        memcpy(&settings, body.p, sizeof settings); /* a post lies anywhere, and a struct does not */
        stats_configure(sensor_stats(o->sensor), &settings);
    } else if (type == POST_PEER && fd >= 0) {
        meet_desk(o, fd);
        fd = -1;
    }
    if (fd >= 0)
        close(fd);
}

static void attend(void *user)
{
    struct observer *o = user;
    if (o->desk && !(channel_receive(o->desk, desk_said, o) && channel_flush(o->desk))) {
        channel_free(o->desk); /* gone: the monitor brings another */
        o->desk = NULL;
    }
    if (o->untold != SIZE_MAX && o->desk && !channel_wants_write(o->desk))
        tell_untold(o);
    if (!channel_receive(o->control, monitor_said, o) || !channel_flush(o->control))
        stop(SIGTERM); /* no monitor: nobody to watch for */
}

/* ---- the process ---------------------------------------------------------------------------------------------------------------- */

static bool open_input(struct observer *o, struct reason *why, int *status)
{
    const struct plan *p = o->plan;
    struct interface_settings interfaces[INTERFACES_MOST];
    if (p->replay)
        return sensor_files(o->sensor, &p->replay, 1, why, status);
    for (size_t i = 0; i < p->interface_count; i++)
        interfaces[i] = *settings_interface(p->settings, p->interfaces[i]);
    return sensor_interfaces(o->sensor, interfaces, p->interface_count, why, status);
}

static bool prepare(struct observer *o, int control, int peer, struct reason *why, int *status)
{
    const struct settings *set = o->plan->settings;
    struct sensor_hooks hooks = {.transaction = transaction_done, .storm = storm_changed, .tick = second_passed, .capsule = evidence_cut,
        .attend = attend, .user = o};
    struct sensor_settings how = {.settings = set, .files = o->plan->replay != NULL, .workers = 1, .evidence = true,
        .nameless = privacy_wanted(&set->privacy) != PRIVACY_CLEAR, .speed = o->plan->speed};
    if (!how.files)
        how.workers = settings_workers(set);
    struct epoll_event readable = {.events = EPOLLIN};
    o->readable = hooks.descriptor = epoll_create1(EPOLL_CLOEXEC);
    *status = EX_OSERR;
    reason_say(why, "out of memory at the start; lower the bounds in squall.conf");
    o->control = channel_new(control, POST_MOST, CONTROL_QUEUED);
    o->sensor = sensor_new(&how, &hooks);
    o->rows = rows_new();
    o->trace = set->stats.trace_bytes ? trace_new(set->stats.trace_bytes) : NULL;
    if (!o->control || !o->sensor || !o->rows || epoll_ctl(o->readable, EPOLL_CTL_ADD, control, &readable) != 0 ||
        (set->stats.trace_bytes && !o->trace))
        return false;
    if (!open_input(o, why, status) || !sandbox_drop_privileges(set->process.user, true, why))
        return false;
    *status = 0;
    channel_send(o->control, POST_READY, span_of(NULL, 0), -1);
    if (peer >= 0)
        meet_desk(o, peer);
    return true;
}

/* The desk first says what was open. */
static void wait_for_start(struct observer *o)
{
    int64_t until = clock_monotonic() + START_WAIT;
    while (!o->started && !stopping && clock_monotonic() < until) {
        poll(&(struct pollfd){.fd = o->readable, .events = POLLIN}, 1, 100);
        attend(o);
    }
    if (!o->started && !stopping)
        log_line(LOG_LEVEL_WARNING, "no desk so far: alarms are counted, and told when there is one");
    o->started = true;
}

/* What was told last must reach the desk before the channel closes. */
static void say_goodbye(struct observer *o)
{
    int64_t until = clock_monotonic() + FAREWELL;
    bool said = false;
    while (o->desk && clock_monotonic() < until) {
        if (o->untold == SIZE_MAX && !said)
            said = tell(o, POST_GOODBYE, span_of(NULL, 0));
        if (said && !channel_wants_write(o->desk))
            return;
        poll(&(struct pollfd){.fd = channel_descriptor(o->desk), .events = POLLOUT}, 1, 100);
        attend(o);
    }
}

int sensor_process(const struct plan *plan, int control, int peer)
{
    static struct observer o;
    struct reason why = {""};
    int status = 0;
    o = (struct observer){.plan = plan, .untold = SIZE_MAX};
    struct sigaction on_stop = {.sa_handler = stop};
    sigaction(SIGTERM, &on_stop, NULL);
    if (!prepare(&o, control, peer, &why, &status)) {
        fprintf(stderr, "squall: %s\n", why.text);
        return status;
    }
    wait_for_start(&o);
    if (!sensor_start(o.sensor, &why) || (plan->settings->process.sandbox && !sandbox_enter(&why))) {
        fprintf(stderr, "squall: %s\n", why.text);
        return EX_OSERR; /* ends the workers with it */
    }
    if (!plan->replay)
        log_line(LOG_LEVEL_NOTICE, "watching %zu interface%s with %u worker%s; stop with ctrl-C", plan->interface_count,
            plan->interface_count == 1 ? "" : "s", sensor_workers(o.sensor), sensor_workers(o.sensor) == 1 ? "" : "s");
    stop_target = o.sensor;
    if (stopping)
        sensor_stop(o.sensor);
    bool whole = sensor_run(o.sensor, &why, &status);
    stop_target = NULL;
    second_passed(&o, sensor_view(o.sensor)->now);
    if (!whole)
        fprintf(stderr, "squall: %s\n", why.text);
    say_goodbye(&o);
    sensor_free(o.sensor);
    trace_free(o.trace);
    rows_free(o.rows);
    channel_free(o.desk);
    channel_free(o.control);
    return status;
}
