/* The rooms' tables of settings, gathered into one configuration. */
#include <assert.h>
#include <unistd.h>

#include "alert/alert.h"
#include "base/hash.h"
#include "sensor.h"

static const struct setting process_list[] = {
    {NULL, "user", SETTING_TEXT, offsetof(struct process_settings, user), "", 0, 0,
     "Whom the processes of `watch` become when started as root; empty: the sensor nobody, the desk stays root, without root's rights."},
    {NULL, "workers", SETTING_COUNT, offsetof(struct process_settings, workers), "0", 0, WORKERS_MOST,
     "Threads that capture, each with its share of the connections; 0: one less than processors, at most 4."},
    {NULL, "sandbox", SETTING_BOOL, offsetof(struct process_settings, sandbox), "true", 0, 0,
     "Whether the sensor gives up files, sockets and programs once it runs (seccomp)."},
};

unsigned settings_workers(const struct settings *s)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (s->process.workers)
        return (unsigned)s->process.workers;
    return processors > 5 ? 4 : processors > 2 ? (unsigned)processors - 1 : 1;
}

static void *interface_add(void *values, const char *title)
{
    struct settings *s = values;
    if (s->interface_count == INTERFACES_MOST)
        return NULL;
    struct interface_settings *i = &s->interfaces[s->interface_count++];
    span_copy(span_text(title), i->name, sizeof i->name);
    return i;
}

const struct setting_group *settings_groups(struct settings *s, size_t *count)
{
    static struct setting_group groups[8 + ALERT_GROUPS];
    if (!s->alert)
        s->alert = alert_settings_new();
    assert(s->alert);
    groups[0] =
        (struct setting_group){"Mirror ports to watch", interface_settings_list, interface_settings_count, s, "interface", interface_add};
    groups[1] = (struct setting_group){"The history of alarms", history_settings_list, history_settings_count, &s->history, NULL, NULL};
    groups[2] = (struct setting_group){"Capture", capture_settings_list, capture_settings_count, &s->capture, NULL, NULL};
    groups[3] = (struct setting_group){"Reading SMTP", smtp_settings_list, smtp_settings_count, &s->smtp, NULL, NULL};
    groups[4] =
        (struct setting_group){"Storms: thresholds, a section a kind", stats_settings_list, stats_settings_count, &s->stats, NULL, NULL};
    groups[5] = (struct setting_group){"The dashboard", web_settings_list, web_settings_count, &s->web, NULL, NULL};
    groups[6] = (struct setting_group){"Personal data", privacy_settings_list, privacy_settings_count, &s->privacy, NULL, NULL};
    groups[7] = (struct setting_group){
        "The processes of watch", process_list, sizeof process_list / sizeof process_list[0], &s->process, NULL, NULL};
    *count = 8 + alert_setting_groups(s->alert, groups + 8);
    return groups;
}

const struct interface_settings *settings_interface(const struct settings *s, const char *name)
{
    static struct interface_settings fresh;
    for (size_t i = 0; i < s->interface_count; i++)
        if (strcmp(s->interfaces[i].name, name) == 0)
            return &s->interfaces[i];
    const struct setting_group one = {"", interface_settings_list, interface_settings_count, &fresh, NULL, NULL};
    config_defaults(&one, 1);
    span_copy(span_text(name), fresh.name, sizeof fresh.name);
    return &fresh;
}
