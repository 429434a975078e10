/* The alert room's door.  In: storm changes.  Out: traps and informs, AgentX tables, syslog, webhook, Alertmanager, exec, mail.  Each
 * channel has its own thread and bounded queue; a slow or dead receiver delays nobody else.  Its threads
 * never touch the path of a packet. */
#ifndef SQUALL_ALERT_H
#define SQUALL_ALERT_H

#include <stdio.h>

#include "base/config.h"
#include "stats/stats.h"

#define ALERT_CHANNELS 32
struct alert_settings; /* alert/settings.h: an array a section kind (snmp, syslog, webhook, alertmanager, exec, mail), and the common rules
                        */
/* Adds the groups of every alert section to `groups` (room for ALERT_GROUPS); returns how many.  The struct is the caller's, zeroed. */
#define ALERT_GROUPS 12
size_t alert_setting_groups(struct alert_settings *settings, struct setting_group *groups);
struct alert_settings *alert_settings_new(void);
void alert_settings_free(struct alert_settings *s);
/* What no single value shows: missing addresses, short passwords, unknown kinds.  False: *why, "FILE:LINE: snmp \"noc\": address: ...". */
bool alert_settings_check(const struct alert_settings *s, struct reason *why);

struct alert_sink {                                                                  /* called from a channel's thread */
    void (*trouble)(void *user, const char *channel, bool failing, const char *why); /* a channel fails, or works again */
    void *user;
};
struct alert;
/* state_directory: engine boots, undelivered notices.  report_base: URL before "/alarms/ID", unless the settings have one.  NULL: *why,
 * "FILE:LINE: snmp "noc": address: ...".  Settings and sink stay the caller's and must outlive it. */
struct alert *alert_new(const struct alert_settings *settings, const char *state_directory, const char *report_base,
    const struct alert_sink *sink, struct reason *why);
void alert_storm(struct alert *a, const struct storm *s, const char *change); /* "raised", "updated", "cleared"; copies, never blocks */
void alert_tick(struct alert *a, int64_t now);                                /* about once a second: heartbeats, retries */
/* A part of the sensor, "history", "evidence", "capture eth1", fails or works again: told on every channel as sensorTrouble.  May be called
 * as often as one likes, each second too: only a change is told, and a part that comes and goes not more often than once in five minutes.
 * That it works is to be said too: it may have failed when the sensor stopped. */
void alert_trouble(struct alert *a, const char *part, bool failing, const char *why);

/* What the AgentX subagent serves besides the active alarms; pushed as often as it changes, every few seconds at most. */
struct alert_counter {
    char name[40]; /* "capture_packets", "smtp_messages": as /metrics names it, without squall_ and _total */
    uint64_t value;
};
/* The hosts become rows of MTA-MIB's mtaGroupTable, redeliveries its mtaGroupLoopsDetected.  No subagent is configured: does nothing. */
#define ALERT_HOSTS 1000 /* more than these are left out */
void alert_agent_update(
    struct alert *a, const struct alert_counter *counters, size_t counter_count, const struct host_row *hosts, size_t host_count);

void alert_free(struct alert *a); /* gives each channel at most two seconds; what is not confirmed is kept for the next start */

struct alert_health { /* of one channel, for the page, /metrics and the sensorTrouble trap */
    char name[80];    /* "snmp noc" */
    bool confirmed;   /* its kind tells whether a notice arrived (inform, 2xx, ...); else it can only be hoped for */
    bool failing;
    uint64_t sent, delivered, failed, suppressed, dropped;
    uint32_t queued;
    int64_t last_ok;             /* TIME_UNKNOWN: never */
    char error[STORM_TEXT_SIZE]; /* the last one; "": none */
};
size_t alert_health(struct alert *a, struct alert_health *health, size_t most);
/* Sends one test notice on each channel and says on `to` which confirmed it, and which can only be hoped for; false: one failed, or there
 * is none.  May run beside the sensor. */
bool alert_test(const struct alert_settings *settings, const char *state_directory, FILE *to);

#endif
