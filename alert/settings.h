/* squall.conf's alert sections, as the room reads them.  Every text is malloc'd and the struct's own; NULL: empty. */
#ifndef SQUALL_ALERT_SETTINGS_H
#define SQUALL_ALERT_SETTINGS_H

#include "alert/alert.h"

#define SNMP_MOST         8 /* sections of a kind; together ALERT_CHANNELS */
#define SYSLOG_MOST       5
#define WEBHOOK_MOST      5
#define ALERTMANAGER_MOST 4
#define EXEC_MOST         5
#define MAIL_MOST         5

struct route {     /* first in every section's struct: who is told what */
    char name[80]; /* "snmp noc" */
    bool enabled, heartbeat;
    char *severity;         /* the least */
    struct text_list kinds; /* empty: all */
};

struct snmp_settings {
    struct route route;
    char *address, *version, *community, *user, *auth, *auth_password, *priv, *priv_password;
    bool inform;
    int64_t timeout;
};

struct syslog_settings {
    struct route route;
    char *address, *ca, *certificate, *key, *name;
    int64_t facility, timeout;
};

struct webhook_settings {
    struct route route;
    char *url, *secret, *ca;
    int64_t timeout;
};

struct alertmanager_settings {
    struct route route;
    char *url, *ca;
    int64_t timeout, refresh;
};

struct exec_settings {
    struct route route;
    struct text_list command;
    int64_t timeout;
};

struct mail_settings {
    struct route route;
    char *smarthost, *from, *user, *password, *ca;
    struct text_list to;
    bool tls;
    int64_t timeout;
};

struct alert_settings {
    int64_t budget, interval, heartbeat, keep, retry;
    struct text_list maintenance;
    char *enterprise, *engine_id, *sensor, *dashboard;
    bool agentx;
    char *agentx_socket;
    struct snmp_settings snmp[SNMP_MOST];
    struct syslog_settings syslog[SYSLOG_MOST];
    struct webhook_settings webhook[WEBHOOK_MOST];
    struct alertmanager_settings alertmanager[ALERTMANAGER_MOST];
    struct exec_settings exec[EXEC_MOST];
    struct mail_settings mail[MAIL_MOST];
    size_t snmp_count, syslog_count, webhook_count, alertmanager_count, exec_count, mail_count;
};

/* This sensor's name: the setting, or the host's. */
void alert_sensor_name(const struct alert_settings *s, char *to, size_t size);
/* "host:port", "[::1]:port"; `port` NULL in text: the fallback.  False: no such thing. */
bool alert_address_split(const char *text, const char *fallback_port, char host[256], char port[8]);
/* Hex, with or without colons; returns the octets, 0: it is no engine id (RFC 3411: 5 to 32 octets). */
size_t alert_engine_id_parse(const char *text, uint8_t id[32]);
/* Dotted decimal arc; returns the sub-identifiers, 0: it is none or too long. */
#define ARC_MOST 24
size_t alert_arc_parse(const char *text, unsigned long arc[ARC_MOST]);

#endif
