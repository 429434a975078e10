/* `squall alarms` and `squall report`: what the history of a sensor holds. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "squall.h"
#include "stats/report.h"
#include "stats/reveal.h"
#include "stats/storm_json.h"
#include "storm_text.h"

static const char alarms_help[] = "Usage: squall alarms [-c FILE] [--json] [--reveals]\n\n"
                                  "Lists the alarms in the history (state_directory of FILE), oldest first;\n"
                                  "with --reveals, who has looked at which alarm in clear, and why.\n"
                                  "Exit status: 0 done; 64 usage; 66 no history; 77 not permitted; 78 configuration.\n";
static const char report_help[] = "Usage: squall report [-c FILE] [--html|--json] [--reveal REASON] ALARM\n\n"
                                  "The incident report of one alarm in the history: text, one self-contained printable page, or JSON.\n"
                                  "--reveal shows what the setting `privacy` hides; the reason and your name go into the log of reveals.\n"
                                  "`squall alarms` lists the ALARMs.\n"
                                  "Exit status: 0 done; 64 usage; 66 no history or no such alarm; 77 not permitted; 78 configuration.\n";

struct asking {
    const char *config, *alarm, *reveal; /* reveal: the reason; NULL: as the history shows it */
    bool json, html, reveals;
    struct settings settings;
    struct privacy *privacy; /* masks what the history still has in clear */
};

static int parse_arguments(struct asking *a, const char *command, int argc, char **argv)
{
    enum { OPT_JSON = 256, OPT_HTML, OPT_REVEAL, OPT_REVEALS, OPT_HELP };
    static const struct option for_alarms[] = {{"json", no_argument, NULL, OPT_JSON}, {"reveals", no_argument, NULL, OPT_REVEALS},
                               {"help", no_argument, NULL, OPT_HELP}, {NULL, 0, NULL, 0}},
                               for_report[] = {{"json", no_argument, NULL, OPT_JSON}, {"html", no_argument, NULL, OPT_HTML},
                                   {"reveal", required_argument, NULL, OPT_REVEAL}, {"help", no_argument, NULL, OPT_HELP},
                                   {NULL, 0, NULL, 0}};
    bool report = strcmp(command, "report") == 0;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:h", report ? for_report : for_alarms, NULL)) != -1;)
        switch (o) {
        case 'c':
            a->config = optarg;
            break;
        case OPT_JSON:
            a->json = true;
            break;
        case OPT_HTML:
            a->html = true;
            break;
        case OPT_REVEAL:
            a->reveal = optarg;
            break;
        case OPT_REVEALS:
            a->reveals = true;
            break;
        case 'h':
        case OPT_HELP:
            fputs(report ? report_help : alarms_help, stdout);
            return -1;
        default:
            return option_error(command, o, argv);
        }
    if (a->json && a->html)
        return usage_error(command, "--html and --json exclude each other");
    if (argc - optind != (report ? 1 : 0))
        return usage_error(
            command, report ? "report takes one ALARM; `squall alarms` lists them" : "unexpected \"%s\"", report ? "" : argv[optind]);
    a->alarm = report ? argv[optind] : NULL;
    return 0;
}

/* The history that -c FILE (or the defaults) point to; NULL after saying why. */
static struct history *open_history(struct asking *a, int *status)
{
    struct reason why;
    *status = settings_load(&a->settings, a->config);
    if (*status)
        return NULL;
    struct privacy_settings shown = a->settings.privacy;
    static char domain[] = "domain";
    if (privacy_wanted(&shown) != PRIVACY_CLEAR)
        shown.privacy = domain; /* needs no key; what watch masked stays as it is */
    a->privacy = privacy_new(&shown, a->settings.history.directory);
    struct history *h = a->privacy ? history_open_reading(a->settings.history.directory, &why, status) : NULL;
    if (!a->privacy)
        *status = EX_OSERR;
    if (!h)
        fprintf(stderr, "squall: %s\n", a->privacy ? why.text : "out of memory");
    return h;
}

static void close_history(struct asking *a, struct history *h)
{
    history_close(h);
    privacy_free(a->privacy);
}

static bool flushed(void)
{
    if (fflush(stdout) == 0)
        return true;
    if (errno != EPIPE) /* `| head` has seen enough */
        fprintf(stderr, "squall: standard output: cannot write: %s; is the disk full?\n", strerror(errno));
    return false;
}

static bool list_line(void *user, const struct storm *kept)
{
    const struct asking *a = user;
    char raised[TIME_TEXT], cleared[TIME_TEXT];
    struct storm *s = privacy_storm(a->privacy, kept);
    if (!s)
        return false;
    printf("%-24s %-8s %-12s %-20s %.19sZ", s->id, storm_severity_text(s->peak_severity), storm_state_text(s->state),
        storm_kind_text(s->kind), clock_text(s->raised, raised));
    if (s->cleared != TIME_UNKNOWN)
        printf(" to %.19sZ", clock_text(s->cleared, cleared));
    printf("  %s\n", s->subject[0] ? s->subject : s->victim[0] ? s->victim : s->message_id);
    storm_json_free(s);
    return true;
}

struct listing {
    const struct asking *asking;
    json_t *list;
};

static bool list_json(void *user, const struct storm *kept)
{
    const struct listing *l = user;
    struct storm *s = privacy_storm(l->asking->privacy, kept);
    bool good = s && json_array_append_new(l->list, storm_json(s)) == 0;
    storm_json_free(s);
    return good;
}

static bool reveal_line(void *user, const struct reveal *r)
{
    char when[TIME_TEXT];
    (void)user;
    printf("%.19sZ  %-24s %s (%s): %s\n", clock_text(r->time, when), r->alarm, r->who, r->from, r->reason);
    return true;
}

static bool reveal_json(void *user, const struct reveal *r)
{
    char when[TIME_TEXT];
    const struct listing *l = user;
    return json_array_append_new(l->list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "time", clock_text(r->time, when), "alarm", r->alarm,
                                              "who", r->who, "from", r->from, "reason", r->reason)) == 0;
}

int command_alarms(int argc, char **argv)
{
    static struct asking a;
    int status = parse_arguments(&a, "alarms", argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    struct history *h = open_history(&a, &status);
    if (!h)
        return status;
    struct reason why;
    struct listing l = {&a, a.json ? json_array() : NULL};
    bool good = a.reveals ? reveal_all(a.settings.history.directory, NULL, a.json ? reveal_json : reveal_line, &l, &why)
                : a.json  ? history_all(h, list_json, &l, &why)
                          : history_all(h, list_line, &a, &why);
    if (!good) {
        fprintf(stderr, "squall: %s\n", why.text);
        status = EX_DATAERR;
    }
    if (a.json) {
        json_dumpf(l.list, stdout, JSON_INDENT(2) | STORM_JSON_FLAGS);
        putchar('\n');
        json_decref(l.list);
    }
    close_history(&a, h);
    return flushed() ? status : EX_IOERR;
}

/* Who asks: the login behind sudo, else the user. */
static const char *who_asks(void)
{
    const char *behind = getenv("SUDO_USER");
    const struct passwd *user = getpwuid(getuid());
    return behind && *behind ? behind : user ? user->pw_name : "?";
}

/* As the history shows it, or in clear. */
static struct storm *load(const struct asking *a, struct history *h, struct reason *why)
{
    if (a->reveal) {
        struct reveal r = {.time = clock_now()};
        span_copy(span_text(a->alarm), r.alarm, sizeof r.alarm);
        span_copy(span_text(who_asks()), r.who, sizeof r.who);
        span_copy(span_text("squall report"), r.from, sizeof r.from);
        span_copy(span_text(a->reveal), r.reason, sizeof r.reason);
        return reveal_storm(a->settings.history.directory, &r, why);
    }
    struct storm *kept = history_load(h, a->alarm, why), *s = kept ? privacy_storm(a->privacy, kept) : NULL;
    if (kept && !s)
        reason_say(why, "out of memory");
    storm_json_free(kept);
    return s;
}

int command_report(int argc, char **argv)
{
    static struct asking a;
    int status = parse_arguments(&a, "report", argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    struct history *h = open_history(&a, &status);
    if (!h)
        return status;
    struct reason why;
    struct storm *s = load(&a, h, &why);
    close_history(&a, h);
    if (!s) {
        fprintf(stderr, "squall: %s\n", why.text);
        return EX_NOINPUT;
    }
    bool good = report_write(s, a.html ? REPORT_HTML : a.json ? REPORT_JSON : REPORT_TEXT, stdout);
    storm_json_free(s);
    return flushed() && good ? status : EX_IOERR;
}
