/* `squall watch`: what is to be watched, from the command line and the configuration; then the monitor runs it (watch/processes.h). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "squall.h"
#include "watch/processes.h"

static const char help[] =
    "Usage: squall watch [-c FILE] [-i IFACE]... [-r FILE [--speed N] [--stay]] [--tty]\n\n"
    "Watches mirror ports and tells each storm on standard output: raised, updated, cleared.\n\n"
    "  -c FILE      configuration (default: built-in defaults); SIGHUP reads it again\n"
    "  -i IFACE     an interface to watch; may be given several times (default: the interface sections of FILE)\n"
    "  -r FILE      replay a capture through the same path instead\n"
    "      --speed N  times real speed (default 1; 0: as fast as it goes)\n"
    "      --stay     after the replay the dashboard stays until ctrl-C\n"
    "      --tty      shows how things stand on the terminal, instead of a line for each change\n\n"
    "Needs CAP_NET_RAW for -i.  Alarms are kept in state_directory; -r without -c keeps them in a fresh temporary one.\n"
    "Exit status: 0 stopped; 64 usage; 65, 66 the capture; 69 no such interface; 77 not permitted; 78 configuration.\n";

static int parse_arguments(struct plan *p, int argc, char **argv)
{
    enum { OPT_SPEED = 256, OPT_STAY, OPT_TTY, OPT_HELP };
    static const struct option options[] = {{"speed", required_argument, NULL, OPT_SPEED}, {"stay", no_argument, NULL, OPT_STAY},
                                            {"tty", no_argument, NULL, OPT_TTY}, {"help", no_argument, NULL, OPT_HELP},
                                            {NULL, 0, NULL, 0}};
    char *end;
    p->speed = 1;
    bool speed_given = false;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:i:r:h", options, NULL)) != -1;)
        switch (o) {
        case 'c':
            p->config = optarg;
            break;
        case 'i':
            if (p->interface_count == INTERFACES_MOST)
                return usage_error("watch", "more than %d interfaces", INTERFACES_MOST);
            p->interfaces[p->interface_count++] = optarg;
            break;
        case 'r':
            p->replay = optarg;
            break;
        case OPT_SPEED:
            speed_given = true;
            p->speed = strtod(optarg, &end);
            if (end == optarg || *end || !(p->speed >= 0 && p->speed <= 1e6))
                return usage_error("watch", "--speed: \"%s\" is not a number from 0 to 1000000", optarg);
            break;
        case OPT_TTY:
            if (!isatty(STDOUT_FILENO))
                return usage_error("watch", "--tty: standard output is not a terminal");
            p->tty = true;
            break;
        case OPT_STAY:
            p->stay = true;
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
    if (p->replay && p->interface_count)
        return usage_error("watch", "-r and -i exclude each other");
    if ((speed_given || p->stay) && !p->replay)
        return usage_error("watch", "%s goes with -r", speed_given ? "--speed" : "--stay");
    return 0;
}

/* A replay that nobody configured has its state where it can do no harm. */
static int fresh_state(struct plan *p)
{
    char fresh[] = "/tmp/squall-XXXXXX";
    if (!mkdtemp(fresh)) {
        fprintf(stderr, "squall: /tmp: cannot make a directory for the history: %s\n", strerror(errno));
        return EX_CANTCREAT;
    }
    free(p->settings->history.directory);
    p->settings->history.directory = strdup(fresh);
    log_line(LOG_LEVEL_NOTICE, "alarms are kept in %s", fresh);
    return 0;
}

/* The dashboard's socket, opened while we may; a replay that nobody configured does without when its usual port is taken. */
static int open_listener(struct plan *p)
{
    struct reason why;
    int status = 0;
    p->listener = -1;
    if (!p->settings->web.listen)
        return 0;
    p->listener = web_listen(&p->settings->web, &why, &status);
    if (p->listener >= 0)
        return 0;
    if (status == EX_UNAVAILABLE && p->replay && !p->config) {
        log_line(LOG_LEVEL_WARNING, "%s; this replay has no dashboard", why.text);
        return 0;
    }
    fprintf(stderr, "squall: %s\n", why.text);
    return status;
}

int command_watch(int argc, char **argv)
{
    static struct settings settings;
    static struct plan plan = {.settings = &settings};
    int status = parse_arguments(&plan, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    status = settings_load(&settings, plan.config);
    if (status)
        return status;
    for (size_t i = 0; !plan.replay && !plan.interface_count && i < settings.interface_count; i++)
        plan.interfaces[i] = settings.interfaces[i].name;
    if (!plan.replay && !plan.interface_count && settings.interface_count == 0)
        return usage_error("watch", "nothing to watch: give -i IFACE, -r FILE, or an interface section in -c FILE");
    if (!plan.replay && !plan.interface_count)
        plan.interface_count = settings.interface_count;
    log_open(getenv("JOURNAL_STREAM") != NULL, LOG_LEVEL_INFO);
    if (plan.replay && !plan.config)
        status = fresh_state(&plan);
    if (!status)
        status = open_listener(&plan);
    return status ? status : monitor_run(&plan);
}
