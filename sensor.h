/* The one data path, wired: workers (capture -> smtpdissect), each in a thread, feed the stats thread.  `squall read` and `squall watch`
 * run the same sensor. */
#ifndef SQUALL_SENSOR_H
#define SQUALL_SENSOR_H

#include "capture/capture.h"
#include "smtpdissect/smtp.h"
#include "stats/privacy.h"
#include "stats/settings.h"
#include "stats/stats.h"
#include "web/web.h"
#include "worker.h"

#define INTERFACES_MOST 8
struct process_settings { /* of `watch` */
    char *user;      /* that its processes become when started as root; NULL: they stay, but the sensor becomes nobody */
    int64_t workers; /* 0: by the number of processors */
    bool sandbox;
};
struct settings { /* everything squall.conf can say */
    struct process_settings process;
    struct capture_settings capture;
    struct smtp_settings smtp;
    struct stats_settings stats;
    struct history_settings history;
    struct privacy_settings privacy; /* of `watch`; `read` shows all */
    struct web_settings web;
    struct alert_settings *alert; /* alert/alert.h; made by settings_groups() */
    struct interface_settings interfaces[INTERFACES_MOST]; /* the file's interface sections */
    size_t interface_count;
};
/* The settings' tables, for config_read() and config_sample(). */
const struct setting_group *settings_groups(struct settings *s, size_t *count);

unsigned settings_workers(const struct settings *s); /* how many capture workers an interface gets */

/* The section of that name, else one with the defaults; never NULL, good until the next call. */
const struct interface_settings *settings_interface(const struct settings *s, const char *name);

struct sensor_hooks { /* of the stats thread, which is the one that calls sensor_run(); each may be NULL */
    void (*transaction)(void *user, const struct transaction *t, bool twin);
    void (*storm)(void *user, const struct storm *s, enum storm_change change);
    void (*tick)(void *user, int64_t now); /* each second of packet time */
    void (*capsule)(void *user, const char *alarm, struct span section); /* evidence: packets of an alarm, to be added to its pcapng */
    void (*attend)(void *user); /* between records: when `descriptor` is readable, and ten times a second */
    int descriptor;             /* for poll(2), -1: none */
    void *user;
};

struct sensor_settings {
    const struct settings *settings;
    bool files;         /* to be read, by one worker; else interfaces */
    unsigned workers;
    bool evidence;      /* keep the packets that prove a storm */
    bool nameless;      /* but nothing in them that names people */
    double speed;       /* files: packet seconds a second; 0: as fast as it goes */
};

struct sensor;
struct sensor *sensor_new(const struct sensor_settings *settings, const struct sensor_hooks *hooks); /* NULL: out of memory */
void sensor_free(struct sensor *s);                                                                  /* NULL does nothing */
/* What is to be read; nothing is opened later.  False: *why, *status. */
bool sensor_files(struct sensor *s, const char *const paths[], size_t count, struct reason *why, int *status);
bool sensor_interfaces(struct sensor *s, const struct interface_settings *interfaces, size_t count, struct reason *why, int *status);
/* Starts the workers' threads.  False: *why; exit, some may run. */
bool sensor_start(struct sensor *s, struct reason *why);
/* Runs until the files end, an interface is gone, or sensor_stop().  False: *why and *status; what came before was counted. */
bool sensor_run(struct sensor *s, struct reason *why, int *status);
void sensor_stop(struct sensor *s); /* async-signal-safe */

struct stats *sensor_stats(struct sensor *s);
const struct sensor_view *sensor_view(const struct sensor *s); /* all workers together, as of the last tick; final after sensor_run() */
unsigned sensor_workers(const struct sensor *s);

#endif
