/* `squall test-alert`: one test notice on every channel of the configuration, and which of them confirmed it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "alert/alert.h"
#include "squall.h"
#include "watch/sandbox.h"

static const char help[] =
    "Usage: squall test-alert [-c FILE]\n\n"
    "Sends one test notice on every channel of FILE and says which receivers confirmed it (inform answered, 2xx, connection took it)\n"
    "and which can only be hoped for (traps, UDP).\n"
    "Exit status: 0 done; 64 usage; 69 a channel failed, or there is none; 78 configuration.\n";

int command_test_alert(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static struct settings settings;
    const char *config = NULL;
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:h", options, NULL)) != -1;)
        switch (o) {
        case 'c': config = optarg; break;
        case 'h': fputs(help, stdout); return 0;
        default: return option_error("test-alert", o, argv);
        }
    if (optind < argc)
        return usage_error("test-alert", "unexpected \"%s\"", argv[optind]);
    int status = settings_load(&settings, config);
    if (status)
        return status;
    struct reason why; /* as whom `watch` sends: the same keys can be read, and what is written belongs to it */
    if (!sandbox_drop_privileges(settings.process.user, false, &why)) {
        fprintf(stderr, "squall: %s\n", why.text);
        return EX_CONFIG;
    }
    bool good = alert_test(settings.alert, settings.history.directory, stdout);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "squall: standard output: cannot write: %s\n", strerror(errno));
        return EX_IOERR;
    }
    return good ? 0 : EX_UNAVAILABLE;
}
