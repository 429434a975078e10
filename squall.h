/* The commands of squall(1).  Each takes its own arguments and returns the exit status (sysexits(3); doc/squall.1 lists them). */
#ifndef SQUALL_SQUALL_H
#define SQUALL_SQUALL_H

#include <sysexits.h>

#include "sensor.h"

#define EXIT_STORM 1 /* `read --fail-on` was met */

int command_read(int argc, char **argv);
int command_watch(int argc, char **argv);
int command_alarms(int argc, char **argv);
int command_report(int argc, char **argv);
int command_test_alert(int argc, char **argv);
int command_check_config(int argc, char **argv);

/* "squall: ...; see squall COMMAND --help" on stderr; returns EX_USAGE. */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What getopt_long() (with ':' first and opterr 0) did not take: ':' a value is missing, else the option is unknown.  Returns EX_USAGE. */
int option_error(const char *command, int got, char **argv);
/* The configuration of -c FILE, or the defaults when path is NULL.  Returns 0, or EX_CONFIG after saying why. */
int settings_load(struct settings *s, const char *path);

#endif
