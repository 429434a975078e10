/* `squall check-config FILE`: says what is wrong with a configuration, with file and line, or "ok"; --sample prints one with them all. */
#include <stdio.h>
#include <string.h>

#include "squall.h"

int command_check_config(int argc, char **argv)
{
    if (argc != 2)
        return usage_error("check-config", "check-config takes one file");
    if (strcmp(argv[1], "--help") == 0) {
        puts("Usage: squall check-config FILE\n       squall check-config --sample\n\n"
             "Reads FILE as squall.conf and prints \"ok\", or FILE:LINE and what is wrong (exit status 78).\n"
             "--sample prints a configuration with every setting, its unit and its default.");
        return 0;
    }
    static struct settings s;
    if (strcmp(argv[1], "--sample") == 0) {
        size_t count;
        const struct setting_group *groups = settings_groups(&s, &count);
        config_sample(groups, count, stdout);
        return 0;
    }
    if (argv[1][0] == '-' && argv[1][1])
        return usage_error("check-config", "unknown option \"%s\"", argv[1]);
    int status = settings_load(&s, argv[1]);
    if (status == 0)
        puts("ok");
    return status;
}
