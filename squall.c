/* In: the command line.  Out: one command is run.  Everything a command does stands in the file of its name. */
#include "squall.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/alert.h"
#include "base/hash.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *about;
} commands[] = {
    {"read", command_read, "read [-c FILE] [--json] [--transactions OUT] [--evidence DIR] [--fail-on SEVERITY] FILE...",
        "analyse captures, print what happened"},
    {"watch", command_watch, "watch [-c FILE] [-i IFACE]... [-r FILE [--speed N] [--stay]] [--tty]",
        "capture, count and alarm until stopped"},
    {"report", command_report, "report [-c FILE] [--html|--json] [--reveal REASON] ALARM",
        "the incident report of an alarm in the history"},
    {"alarms", command_alarms, "alarms [-c FILE] [--json] [--reveals]", "alarms in the history"},
    {"test-alert", command_test_alert, "test-alert [-c FILE]", "send a test notice on every channel; says which confirmed it"},
    {"check-config", command_check_config, "check-config FILE | --sample", "say what is wrong with a configuration, or \"ok\""},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
    fputs("Squall watches SMTP on a mirror port, catches mail storms and names the machine that re-sends.\n\nUsage:\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  squall %s\n        %s\n", commands[i].usage, commands[i].about);
    fputs("  squall --version\n\n`squall COMMAND --help` says more; squall(1) says everything.\n", to);
}

int usage_error(const char *command, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "squall: %s; see squall%s%s --help\n", text, command ? " " : "", command ? command : "");
    return EX_USAGE;
}

int option_error(const char *command, int got, char **argv)
{
    return usage_error(command, got == ':' ? "%s wants a value" : "unknown option \"%s\"", argv[optind - 1]);
}

int settings_load(struct settings *s, const char *path)
{
    size_t count;
    const struct setting_group *groups = settings_groups(s, &count);
    struct reason why;
    if (!path) {
        config_defaults(groups, count);
        return 0;
    }
    if (config_read(path, groups, count, &why) && alert_settings_check(s->alert, &why) && privacy_settings_check(&s->privacy, &why))
        return 0;
    fprintf(stderr, "squall: %s\n", why.text);
    return EX_CONFIG;
}

int main(int argc, char **argv)
{
    setenv("TZ", "UTC0", 1); /* every time we write is UTC; librrd labels its axes with local time */
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, told once at the end */
    if (argc < 2) {
        print_usage(stderr);
        return EX_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("squall " SQUALL_VERSION);
        return 0;
    }
    hash_seed_random();
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return usage_error(NULL, "no command \"%s\"", name);
}
