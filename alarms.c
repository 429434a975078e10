/* `squall alarms` and `squall report`: what the history of a sensor holds. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "squall.h"
#include "stats/report.h"
#include "stats/storm_json.h"
#include "storm_text.h"

static const char alarms_help[] = "Usage: squall alarms [-c FILE] [--json]\n\n"
                                  "Lists the alarms in the history (state_directory of FILE), oldest first.\n"
                                  "Exit status: 0 done; 64 usage; 66 no history; 77 not permitted; 78 configuration.\n";
static const char report_help[] = "Usage: squall report [-c FILE] [--html|--json] ALARM\n\n"
                                  "The incident report of one alarm in the history: text, one self-contained printable page, or JSON.\n"
                                  "`squall alarms` lists the ALARMs.\n"
                                  "Exit status: 0 done; 64 usage; 66 no history or no such alarm; 77 not permitted; 78 configuration.\n";

struct asking {
    const char *config, *alarm;
    bool json, html;
};

static int parse_arguments(struct asking *a, const char *command, int argc, char **argv)
{
    enum { OPT_JSON = 256, OPT_HTML, OPT_HELP };
    static const struct option options[] = {{"json", no_argument, NULL, OPT_JSON}, {"html", no_argument, NULL, OPT_HTML},
        {"help", no_argument, NULL, OPT_HELP}, {NULL, 0, NULL, 0}};
    bool report = strcmp(command, "report") == 0;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:h", options, NULL)) != -1;)
        switch (o) {
        case 'c':
            a->config = optarg;
            break;
        case OPT_JSON:
            a->json = true;
            break;
        case OPT_HTML:
            if (!report)
                return usage_error(command, "unknown option \"--html\"");
            a->html = true;
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
static struct history *open_history(const struct asking *a, int *status)
{
    static struct settings settings;
    struct reason why;
    *status = settings_load(&settings, a->config);
    if (*status)
        return NULL;
    struct history *h = history_open_reading(settings.history.directory, &why, status);
    if (!h)
        fprintf(stderr, "squall: %s\n", why.text);
    return h;
}

static bool flushed(void)
{
    if (fflush(stdout) == 0)
        return true;
    if (errno != EPIPE) /* `| head` has seen enough */
        fprintf(stderr, "squall: standard output: cannot write: %s; is the disk full?\n", strerror(errno));
    return false;
}

static bool list_line(void *user, const struct storm *s)
{
    char raised[TIME_TEXT], cleared[TIME_TEXT];
    (void)user;
    printf("%-24s %-8s %-12s %-20s %.19sZ", s->id, storm_severity_text(s->peak_severity), storm_state_text(s->state),
        storm_kind_text(s->kind), clock_text(s->raised, raised));
    if (s->cleared != TIME_UNKNOWN)
        printf(" to %.19sZ", clock_text(s->cleared, cleared));
    printf("  %s\n", s->subject[0] ? s->subject : s->victim[0] ? s->victim : s->message_id);
    return true;
}

static bool list_json(void *user, const struct storm *s)
{
    return json_array_append_new(user, storm_json(s)) == 0;
}

int command_alarms(int argc, char **argv)
{
    struct asking a = {.config = NULL};
    int status = parse_arguments(&a, "alarms", argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    struct history *h = open_history(&a, &status);
    if (!h)
        return status;
    struct reason why;
    json_t *list = a.json ? json_array() : NULL;
    if (!history_all(h, a.json ? list_json : list_line, list, &why)) {
        fprintf(stderr, "squall: %s\n", why.text);
        status = EX_DATAERR;
    }
    if (a.json) {
        json_dumpf(list, stdout, JSON_INDENT(2) | STORM_JSON_FLAGS);
        putchar('\n');
        json_decref(list);
    }
    history_close(h);
    return flushed() ? status : EX_IOERR;
}

int command_report(int argc, char **argv)
{
    struct asking a = {.config = NULL};
    int status = parse_arguments(&a, "report", argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    struct history *h = open_history(&a, &status);
    if (!h)
        return status;
    struct reason why;
    struct storm *s = history_load(h, a.alarm, &why);
    history_close(h);
    if (!s) {
        fprintf(stderr, "squall: %s\n", why.text);
        return EX_NOINPUT;
    }
    bool good = report_write(s, a.html ? REPORT_HTML : a.json ? REPORT_JSON : REPORT_TEXT, stdout);
    storm_json_free(s);
    return flushed() && good ? status : EX_IOERR;
}
