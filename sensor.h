/* The one data path, wired: capture -> smtpdissect -> stats.  `squall read` and `squall watch` run the same sensor. */
#ifndef SQUALL_SENSOR_H
#define SQUALL_SENSOR_H

#include "capture/capture.h"
#include "smtpdissect/smtp.h"
#include "stats/history.h"
#include "stats/settings.h"
#include "stats/stats.h"
#include "web/web.h"

#define INTERFACES_MOST 8
struct settings { /* everything squall.conf can say */
    struct capture_settings capture;
    struct smtp_settings smtp;
    struct stats_settings stats;
    struct history_settings history;
    struct web_settings web;
    struct alert_settings *alert; /* alert/alert.h; made by settings_groups() */
    struct interface_settings interfaces[INTERFACES_MOST]; /* the file's interface sections */
    size_t interface_count;
};
/* The settings' tables, for config_read() and config_sample(). */
const struct setting_group *settings_groups(struct settings *s, size_t *count);

/* The section of that name, else one with the defaults; never NULL, good until the next call. */
const struct interface_settings *settings_interface(const struct settings *s, const char *name);

struct sensor_hooks { /* each may be NULL */
    void (*transaction)(void *user, const struct transaction *t, bool twin);
    void (*storm)(void *user, const struct storm *s, enum storm_change change);
    void (*tick)(void *user, int64_t now); /* each second of packet time */
    void *user;
};

struct sensor {
    struct capture *capture;
    struct dissector *dissector;
    struct stats *stats;
    struct sensor_hooks hooks;
};
/* False: out of memory; sensor_close() is right either way. */
bool sensor_open(struct sensor *s, const struct settings *settings, const struct sensor_hooks *hooks);
void sensor_finish(struct sensor *s); /* ends every flow and tells what is still open */
void sensor_close(struct sensor *s);

#endif
