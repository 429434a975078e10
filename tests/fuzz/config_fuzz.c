/* Hostile configuration: any bytes as squall.conf, read over the settings of all rooms.  A refusal must name the file and a line; what was
 * accepted must lie within the bounds of its table. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "capture/capture.h"
#include "smtpdissect/smtp.h"
#include "stats/settings.h"
#include "stats/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct capture_settings capture;
static struct smtp_settings smtp;
static struct stats_settings stats;

static bool in_bounds(const struct setting *s, const void *values)
{
    double unit = s->type == SETTING_SECONDS ? (double)NS_PER_SECOND : 1;
    const void *field = (const char *)values + s->offset;
    if (s->least == s->most)
        return true;
    switch (s->type) {
    case SETTING_COUNT:
    case SETTING_SIZE:
    case SETTING_SECONDS: return (double)*(const int64_t *)field >= s->least * unit && (double)*(const int64_t *)field <= s->most * unit;
    case SETTING_RATIO: return *(const double *)field >= s->least && *(const double *)field <= s->most;
    default: return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct setting_group groups[] = {
        {.about = "Capture", .list = capture_settings_list, .count = capture_settings_count, .values = &capture},
        {.about = "SMTP", .list = smtp_settings_list, .count = smtp_settings_count, .values = &smtp},
        {.about = "Storms", .list = stats_settings_list, .count = stats_settings_count, .values = &stats},
    };
    enum { GROUPS = sizeof groups / sizeof groups[0] };
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("squall.conf", MFD_CLOEXEC);
        assert(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    struct reason why = {""};
    config_defaults(groups, GROUPS);
    if (!config_read(path, groups, GROUPS, &why)) {
        assert(strncmp(why.text, path, strlen(path)) == 0);
        return 0;
    }
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            assert(in_bounds(&groups[g].list[i], groups[g].values));
    return 0;
}
