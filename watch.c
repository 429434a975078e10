/* `squall watch`: runs the sensor on interfaces, or on capture files at a watchable speed; tells each storm as it is raised, updated and
 * cleared, one line each, and keeps it in the history.  Ends cleanly on SIGINT and SIGTERM. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/alert.h"
#include "desk.h"
#include "evidence.h"
#include "managers.h"
#include "squall.h"
#include "stats/storm_json.h"

#define MENDED_AFTER (60 * NS_PER_SECOND) /* without a failure: a full disk takes the next small write */
#define STATUS_EVERY (60 * NS_PER_SECOND) /* of packet time, between two lines that say all is well */

struct watching {
    const char *config;
    const char *interfaces[INTERFACES_MOST];
    size_t interface_count;
    const char *replay;
    double speed; /* packet seconds a second; 0: as fast as it goes */

    struct sensor *sensor;
    struct trace *trace; /* NULL: none is kept */
    struct history *history;
    struct privacy *privacy;
    const char *directory;    /* of the state */
    int64_t history_failed, evidence_failed; /* the last time, monotonic ns; 0: they stand */
    struct evidence *evidence;
    struct alert *alert;
    struct desk *desk;  /* NULL: no dashboard */
    int64_t alert_ticked, managers_told; /* monotonic ns */
    int64_t status_told;      /* packet time */
    uint64_t deliveries_told;
};

static struct sensor *stop_target; /* what the signal handler stops */

static const char help[] =
    "Usage: squall watch [-c FILE] [-i IFACE]... [-r FILE [--speed N]]\n\n"
    "Watches mirror ports and tells each storm on standard output: raised, updated, cleared.\n\n"
    "  -c FILE      configuration (default: built-in defaults)\n"
    "  -i IFACE     an interface to watch; may be given several times (default: the interface sections of FILE)\n"
    "  -r FILE      replay a capture through the same path instead\n"
    "      --speed N  times real speed (default 1; 0: as fast as it goes)\n\n"
    "Needs CAP_NET_RAW for -i.  Alarms are kept in state_directory; -r without -c keeps them in a fresh temporary one.\n"
    "Exit status: 0 stopped; 64 usage; 65, 66 the capture; 69 no such interface, or it is gone; 77 not permitted; 78 configuration.\n";

static void stop(int signal_number)
{
    (void)signal_number;
    if (stop_target)
        sensor_stop(stop_target);
}

static void part_failed(struct watching *w, const char *part, int64_t *failed, const struct reason *why)
{
    if (!*failed)
        log_line(LOG_LEVEL_WARNING, "%s; alarms go on, the %s has a hole", why->text, part);
    *failed = clock_monotonic();
    alert_trouble(w->alert, part, true, why->text);
}

/* Each second: what has failed and does so no longer is told to work again. */
static void part_mended(struct watching *w, const char *part, int64_t *failed)
{
    if (*failed && clock_monotonic() - *failed < MENDED_AFTER)
        return;
    if (*failed)
        log_line(LOG_LEVEL_NOTICE, "the %s is kept again", part);
    *failed = 0;
    alert_trouble(w->alert, part, false, "");
}

static void history_trouble(struct watching *w, const struct reason *why)
{
    part_failed(w, "history", &w->history_failed, why);
}

/* The storm in clear stops here: what others see, keep and are sent is masked. */
static void storm_changed(void *user, const struct storm *clear, enum storm_change change)
{
    struct watching *w = user;
    static const char *const words[] = {[STORM_RAISED] = "raised", [STORM_UPDATED] = "updated", [STORM_CLEARED] = "cleared"};
    char when[TIME_TEXT];
    struct reason why;
    struct storm *s = privacy_storm(w->privacy, clear);
    if (!s) {
        log_line(LOG_LEVEL_WARNING, "alarm %s: out of memory; nobody is told of its change", clear->id);
        return;
    }
    printf("%.19sZ %s %s %s %s: %s\n", clock_text(s->updated, when), words[change], storm_severity_text(s->severity),
        storm_kind_text(s->kind), s->id, s->why);
    fflush(stdout);
    if (w->history && !privacy_store(w->privacy, w->history, clear, s, s->updated, &why))
        history_trouble(w, &why);
    alert_storm(w->alert, s, words[change]);
    desk_storm(w->desk, s, words[change]);
    storm_json_free(s);
}

static void transaction_done(void *user, const struct transaction *t, bool twin)
{
    struct watching *w = user;
    (void)twin; /* stands in what was noted */
    trace_keep(w->trace, t, stats_last(sensor_stats(w->sensor)));
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

/* What is due between packets, whether any come or not. */
static void attend(void *user)
{
    struct watching *w = user;
    desk_poll(w->desk, w->sensor, w->trace);
    int64_t now = clock_monotonic();
    if (now - w->alert_ticked < NS_PER_SECOND)
        return;
    w->alert_ticked = now;
    part_mended(w, "history", &w->history_failed);
    part_mended(w, "evidence", &w->evidence_failed);
    alert_tick(w->alert, clock_now());
}

static void evidence_cut(void *user, const char *alarm, struct span section)
{
    struct watching *w = user;
    struct reason why;
    if (w->evidence && !evidence_add(w->evidence, alarm, section, &why))
        part_failed(w, "evidence", &w->evidence_failed, &why);
}

static void tell_managers(struct watching *w)
{
    static struct host_row hosts[ALERT_HOSTS];
    const struct sensor_view *view = sensor_view(w->sensor);
    const struct stats *stats = sensor_stats(w->sensor);
    if (w->managers_told && clock_monotonic() - w->managers_told < MANAGERS_EVERY)
        return;
    w->managers_told = clock_monotonic();
    managers_tell(w->alert, &view->capture, &view->smtp, stats_counters(stats), hosts, stats_hosts(stats, hosts, ALERT_HOSTS));
}

/* In clear when that can be had: stats knows a storm again by its addresses too. */
static bool resume(void *user, const struct storm *s)
{
    struct watching *w = user;
    struct reason why;
    struct storm *clear = privacy_unseal(w->directory, w->history, s->id, &why);
    if (stats_resume(sensor_stats(w->sensor), clear ? clear : s))
        log_line(LOG_LEVEL_NOTICE, "%s %s was open when squall stopped and goes on", storm_kind_text(s->kind), s->id);
    storm_json_free(clear);
    return true;
}

static void second_passed(void *user, int64_t now)
{
    struct watching *w = user;
    struct reason why;
    if (w->history && (!history_tick(w->history, now, &why) || !privacy_tick(w->privacy, now, &why)))
        history_trouble(w, &why);
    attend(w);
    tell_managers(w);
    desk_second(w->desk, w->sensor, now, !w->replay);
    if (w->status_told == 0)
        w->status_told = now;
    if (now - w->status_told >= STATUS_EVERY) {
        const struct stats_counters *s = stats_counters(sensor_stats(w->sensor));
        const struct capture_counters *c = &sensor_view(w->sensor)->capture;
        log_line(LOG_LEVEL_INFO, "%llu deliveries in the last minute; %llu messages, %llu packets, %llu dropped since the start",
                 (unsigned long long)(s->recipients - w->deliveries_told), (unsigned long long)s->messages, (unsigned long long)c->packets,
                 (unsigned long long)(c->kernel_drops + c->interface_drops));
        w->status_told = now;
        w->deliveries_told = s->recipients;
    }
}

static int parse_arguments(struct watching *w, int argc, char **argv)
{
    enum { OPT_SPEED = 256, OPT_HELP };
    static const struct option options[] = {
        {"speed", required_argument, NULL, OPT_SPEED}, {"help", no_argument, NULL, OPT_HELP}, {NULL, 0, NULL, 0}};
    char *end;
    w->speed = 1;
    bool speed_given = false;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:i:r:h", options, NULL)) != -1;)
        switch (o) {
        case 'c':
            w->config = optarg;
            break;
        case 'i':
            if (w->interface_count == INTERFACES_MOST)
                return usage_error("watch", "more than %d interfaces", INTERFACES_MOST);
            w->interfaces[w->interface_count++] = optarg;
            break;
        case 'r':
            w->replay = optarg;
            break;
        case OPT_SPEED:
            speed_given = true;
            w->speed = strtod(optarg, &end);
            if (end == optarg || *end || !(w->speed >= 0 && w->speed <= 1e6))
                return usage_error("watch", "--speed: \"%s\" is not a number from 0 to 1000000", optarg);
            break;
        case 'h':
        case OPT_HELP:
            fputs(help, stdout);
            return -1;
        default:
            return option_error("watch", o, argv);
        }
    if (optind < argc)
        return usage_error("watch", "unexpected \"%s\"", argv[optind]);
    if (w->replay && w->interface_count)
        return usage_error("watch", "-r and -i exclude each other");
    if (speed_given && !w->replay)
        return usage_error("watch", "--speed goes with -r");
    return 0;
}

static bool keep_history(struct watching *w, struct settings *settings, int *status)
{
    if (w->replay && !w->config) {
        char fresh[] = "/tmp/squall-XXXXXX";
        if (!mkdtemp(fresh)) {
            fprintf(stderr, "squall: /tmp: cannot make a directory for the history: %s\n", strerror(errno));
            *status = EX_CANTCREAT;
            return false;
        }
        free(settings->history.directory);
        settings->history.directory = strdup(fresh);
        log_line(LOG_LEVEL_NOTICE, "alarms are kept in %s", fresh);
    }
    struct reason why;
    w->history = history_open(&settings->history, &why, status);
    if (!w->history) {
        fprintf(stderr, "squall: %s\n", why.text);
        return false;
    }
    w->directory = settings->history.directory;
    w->privacy = privacy_new(&settings->privacy, w->directory);
    if (!w->privacy || !privacy_adopt(w->privacy, w->history, &why)) {
        fprintf(stderr, "squall: %s\n", w->privacy ? why.text : "out of memory");
        *status = EX_OSERR;
        return false;
    }
    char directory[4096];
    snprintf(directory, sizeof directory, "%s/evidence", settings->history.directory);
    w->evidence = settings->capture.ring_bytes ? evidence_new(directory, false, &why) : NULL;
    if (settings->capture.ring_bytes && !w->evidence)
        log_line(LOG_LEVEL_WARNING, "%s; alarms go on, their packets are not kept", why.text);
    return true;
}

/* The dashboard, unless none is wanted.  A replay that nobody configured does without when its usual port is taken. */
static int open_desk(struct watching *w, const struct settings *settings)
{
    struct reason why;
    int status = 0;
    if (!settings->web.listen)
        return 0;
    int listener = web_listen(&settings->web, &why, &status);
    if (listener < 0 && status == EX_UNAVAILABLE && w->replay && !w->config) {
        log_line(LOG_LEVEL_WARNING, "%s; this replay has no dashboard", why.text);
        return 0;
    }
    if (listener >= 0 && (w->desk = desk_new(settings, listener, w->alert, w->privacy, &why))) {
        log_line(LOG_LEVEL_NOTICE, "dashboard: %s://%s/", settings->web.certificate ? "https" : "http", settings->web.listen);
        return 0;
    }
    fprintf(stderr, "squall: %s\n", why.text);
    return listener < 0 ? status : EX_CONFIG;
}

/* Opens what is to be watched; 0, or the status after saying why not. */
static int open_input(struct watching *w, const struct settings *settings)
{
    struct reason why = {""};
    int status = 0;
    struct interface_settings interfaces[INTERFACES_MOST];
    for (size_t i = 0; i < w->interface_count; i++)
        interfaces[i] = *settings_interface(settings, w->interfaces[i]);
    if (!(w->replay ? sensor_files(w->sensor, &w->replay, 1, &why, &status)
                    : sensor_interfaces(w->sensor, interfaces, w->interface_count, &why, &status))) {
        fprintf(stderr, "squall: %s\n", why.text);
        return status;
    }
    if (!w->replay)
        log_line(LOG_LEVEL_NOTICE, "watching %zu interface%s; stop with ctrl-C", w->interface_count, w->interface_count == 1 ? "" : "s");
    return 0;
}

int command_watch(int argc, char **argv)
{
    static struct watching w;
    static struct settings settings;
    int status = parse_arguments(&w, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    status = settings_load(&settings, w.config);
    if (status)
        return status;
    for (size_t i = 0; !w.replay && !w.interface_count && i < settings.interface_count; i++)
        w.interfaces[i] = settings.interfaces[i].name;
    if (!w.replay && !w.interface_count && settings.interface_count == 0)
        return usage_error("watch", "nothing to watch: give -i IFACE, -r FILE, or an interface section in -c FILE");
    if (!w.replay && !w.interface_count)
        w.interface_count = settings.interface_count;
    log_open(getenv("JOURNAL_STREAM") != NULL, LOG_LEVEL_INFO);
    if (!keep_history(&w, &settings, &status))
        goto close;
    struct sensor_hooks hooks = {
        .transaction = transaction_done, .storm = storm_changed, .tick = second_passed, .capsule = evidence_cut, .attend = attend, .descriptor = -1, .user = &w};
    struct sensor_settings how = {.settings = &settings, .files = w.replay != NULL, .workers = 1, .evidence = true, .speed = w.speed};
    struct alert_sink channels = {.trouble = channel_changed, .user = &w};
    struct reason why;
    char pages[256] = "";
    if (settings.web.listen)
        snprintf(pages, sizeof pages, "%s://%s", settings.web.certificate ? "https" : "http", settings.web.listen);
    w.alert = alert_new(settings.alert, settings.history.directory, pages, &channels, &why);
    if (!w.alert) {
        fprintf(stderr, "squall: %s\n", why.text);
        status = EX_CONFIG;
        goto close;
    }
    status = open_desk(&w, &settings);
    if (status)
        goto close;
    w.trace = settings.stats.trace_bytes ? trace_new(settings.stats.trace_bytes) : NULL;
    w.sensor = sensor_new(&how, &hooks);
    if (!w.sensor || (settings.stats.trace_bytes && !w.trace)) {
        fputs("squall: out of memory at the start; lower the bounds in squall.conf\n", stderr);
        status = EX_OSERR;
        goto close;
    }
    if (!history_open_storms(w.history, resume, &w, &why))
        history_trouble(&w, &why);
    status = open_input(&w, &settings);
    if (status)
        goto close;
    stop_target = w.sensor;
    struct sigaction on_stop = {.sa_handler = stop};
    sigaction(SIGINT, &on_stop, NULL);
    sigaction(SIGTERM, &on_stop, NULL);
    if (!sensor_start(w.sensor, &why)) {
        status = EX_OSERR;
        fprintf(stderr, "squall: %s\n", why.text);
    } else if (!sensor_run(w.sensor, &why, &status)) {
        fprintf(stderr, "squall: %s\n", why.text);
    }
    stop_target = NULL;
close:
    desk_free(w.desk);
    alert_free(w.alert);
    evidence_free(w.evidence);
    sensor_free(w.sensor);
    trace_free(w.trace);
    history_close(w.history);
    privacy_free(w.privacy);
    return status;
}
