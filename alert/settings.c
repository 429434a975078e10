/* In: squall.conf.  Out: the alert sections' settings, checked as a whole (alert_settings_check), to alert.c and the channels' kinds. */
#include "alert/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/maintenance.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))
#define ROUTE(type, least, beat)                                                                                                           \
    {NULL, "enabled", SETTING_BOOL, offsetof(type, route.enabled), "true", 0, 0, "Use this channel."},                                     \
        {NULL, "severity", SETTING_TEXT, offsetof(type, route.severity), least, 0, 0,                                                      \
            "Least severity it is told of: notice, warning, minor, major, critical."},                                                     \
        {NULL, "kinds", SETTING_TEXTS, offsetof(type, route.kinds), "", 0, 0, "Kinds of storm it is told of; empty: all."},                \
    {                                                                                                                                      \
        NULL, "heartbeat", SETTING_BOOL, offsetof(type, route.heartbeat), beat, 0, 0, "Send it the heartbeat of section alerts too."       \
    }
#define TEXT(type, field, fallback, doc)                                                                                                   \
    {                                                                                                                                      \
        NULL, #field, SETTING_TEXT, offsetof(type, field), fallback, 0, 0, doc                                                             \
    }
#define TIMEOUT(type, fallback)                                                                                                            \
    {                                                                                                                                      \
        NULL, "timeout", SETTING_SECONDS, offsetof(type, timeout), fallback, 0.1, 300, "Longest wait for the receiver, seconds."           \
    }
#define CA(type) TEXT(type, ca, "", "File of certificates to trust; empty: the system's.")

static const struct setting common_list[] = {
    {"alerts", "budget", SETTING_COUNT, offsetof(struct alert_settings, budget), "5", 2, 100,
        "Notices an incident a channel; the raise and the clear always belong to it, and a rise in severity is always told."},
    {"alerts", "interval", SETTING_SECONDS, offsetof(struct alert_settings, interval), "1 min", 0, 86400,
        "Least time from a notice to the first update of the same incident; the next ones wait five times longer each, seconds."},
    {"alerts", "heartbeat", SETTING_SECONDS, offsetof(struct alert_settings, heartbeat), "5 min", 0, 86400,
        "A sign of life on every channel that takes it; 0: none, seconds."},
    {"alerts", "keep", SETTING_SECONDS, offsetof(struct alert_settings, keep), "7 d", 60, 31536000,
        "How long a notice is kept for a receiver that does not take it, seconds."},
    {"alerts", "retry", SETTING_SECONDS, offsetof(struct alert_settings, retry), "1 min", 1, 3600,
        "Longest pause before a receiver is tried again, seconds."},
    {"alerts", "maintenance", SETTING_TEXTS, offsetof(struct alert_settings, maintenance), "", 0, 0,
        "Windows without new alarms, UTC: \"Sun 02:00-04:00\", \"daily 03:00-03:30\", \"2026-12-01T22:00:00Z/2026-12-02T04:00:00Z\"."},
    {"alerts", "enterprise", SETTING_TEXT, offsetof(struct alert_settings, enterprise), "1.3.6.1.4.1.32473", 0, 0,
        "The arc that SQUALL-MIB stands under."},
    {"alerts", "engine_id", SETTING_TEXT, offsetof(struct alert_settings, engine_id), "", 0, 0,
        "SNMP engine id of this sensor in hex; empty: one is made at the first start; `squall test-alert` prints it."},
    {"alerts", "sensor", SETTING_TEXT, offsetof(struct alert_settings, sensor), "", 0, 0,
        "This sensor's name in notices; empty: the host's."},
    {"alerts", "dashboard", SETTING_TEXT, offsetof(struct alert_settings, dashboard), "", 0, 0,
        "URL by which those who are told reach the dashboard, for links to the report; empty: the address it listens at."},
};
static const struct setting agentx_list[] = {
    {"agentx", "enabled", SETTING_BOOL, offsetof(struct alert_settings, agentx), "false", 0, 0, "Serve the MIB as a subagent of snmpd."},
    {"agentx", "socket", SETTING_TEXT, offsetof(struct alert_settings, agentx_socket), "/var/agentx/master", 0, 0,
        "Where snmpd's master listens: a path, or tcp:HOST:PORT."},
};
static const struct setting snmp_list[] = {
    TEXT(struct snmp_settings, address, "", "Receiver of traps or informs, HOST:PORT; the port may be left out: 162."),
    TEXT(struct snmp_settings, version, "2c", "2c or 3."),
    TEXT(struct snmp_settings, community, "public", "Community of version 2c."),
    {NULL, "inform", SETTING_BOOL, offsetof(struct snmp_settings, inform), "true", 0, 0,
        "Informs, which the receiver answers; false: traps, which may be lost unseen."},
    TEXT(struct snmp_settings, user, "", "User of version 3."),
    TEXT(struct snmp_settings, auth, "SHA-256", "SHA, SHA-224, SHA-256, SHA-384, SHA-512 or none."),
    TEXT(struct snmp_settings, auth_password, "", "At least 8 characters."),
    TEXT(struct snmp_settings, priv, "AES", "AES, AES-192, AES-256 or none."),
    TEXT(struct snmp_settings, priv_password, "", "At least 8 characters."),
    TIMEOUT(struct snmp_settings, "2"),
    ROUTE(struct snmp_settings, "warning", "true"),
};
static const struct setting syslog_list[] = {
    TEXT(struct syslog_settings, address, "", "tls:HOST:PORT, tcp:HOST:PORT or udp:HOST:PORT; a port left out is 6514, 601 or 514."),
    CA(struct syslog_settings),
    TEXT(struct syslog_settings, certificate, "", "Our own certificate, where the receiver wants one: a PEM file."),
    TEXT(struct syslog_settings, key, "", "Its key: a PEM file."),
    TEXT(struct syslog_settings, name, "", "Name that the receiver's certificate must bear; empty: the address's host."),
    {NULL, "facility", SETTING_COUNT, offsetof(struct syslog_settings, facility), "3", 0, 23, "Facility of RFC 5424; 3 is daemon."},
    TIMEOUT(struct syslog_settings, "5"),
    ROUTE(struct syslog_settings, "notice", "true"),
};
static const struct setting webhook_list[] = {
    TEXT(struct webhook_settings, url, "", "Where the alarm is POSTed as JSON."),
    TEXT(struct webhook_settings, secret, "", "Key of the HMAC-SHA256 in X-Squall-Signature; empty: unsigned."),
    CA(struct webhook_settings),
    TIMEOUT(struct webhook_settings, "5"),
    ROUTE(struct webhook_settings, "warning", "false"),
};
static const struct setting alertmanager_list[] = {
    TEXT(struct alertmanager_settings, url, "", "Base URL of Alertmanager, http://HOST:9093."),
    CA(struct alertmanager_settings),
    TIMEOUT(struct alertmanager_settings, "5"),
    {NULL, "refresh", SETTING_SECONDS, offsetof(struct alertmanager_settings, refresh), "1 min", 1, 3600,
        "An alarm that lasts is told again this often, and would end by itself after four times as long, seconds."},
    ROUTE(struct alertmanager_settings, "warning", "false"),
};
static const struct setting exec_list[] = {
    {NULL, "command", SETTING_TEXTS, offsetof(struct exec_settings, command), "", 0, 0,
        "Program and arguments, no shell; the alarm is JSON on its standard input; it must end with 0."},
    TIMEOUT(struct exec_settings, "10"),
    ROUTE(struct exec_settings, "warning", "false"),
};
static const struct setting mail_list[] = {
    TEXT(struct mail_settings, smarthost, "", "HOST:PORT of a mail server that no storm can reach; the port may be left out: 25."),
    TEXT(struct mail_settings, from, "", "Sender's address."),
    {NULL, "to", SETTING_TEXTS, offsetof(struct mail_settings, to), "", 0, 0, "Addresses to tell."},
    {NULL, "tls", SETTING_BOOL, offsetof(struct mail_settings, tls), "false", 0, 0,
        "Demand TLS and a certificate that holds: STARTTLS, or on port 465 from the first byte."},
    TEXT(struct mail_settings, user, "", "Name to log in with, where the mail server wants one; only with tls."),
    TEXT(struct mail_settings, password, "", "Its password."),
    CA(struct mail_settings),
    TIMEOUT(struct mail_settings, "30"),
    ROUTE(struct mail_settings, "major", "false"),
};

static void *section_add(struct route *next, size_t *count, size_t most, const char *kind, const char *title)
{
    if (*count == most)
        return NULL;
    ++*count;
    char clean[64];
    snprintf(next->name, sizeof next->name, "%s %s", kind, log_clean(span_text(title), clean, sizeof clean));
    return next;
}

/* One add() a kind: the config reader hands on nothing but the settings and the title. */
#define ADD(kind)                                                                                                                          \
    static void *kind##_add(void *values, const char *title)                                                                               \
    {                                                                                                                                      \
        struct alert_settings *s = values;                                                                                                 \
        size_t most = COUNT_OF(s->kind), at = s->kind##_count < most ? s->kind##_count : 0;                                                \
        return section_add(&s->kind[at].route, &s->kind##_count, most, #kind, title);                                                      \
    }
ADD(snmp)
ADD(syslog)
ADD(webhook)
ADD(alertmanager)
ADD(exec)
ADD(mail)

size_t alert_setting_groups(struct alert_settings *s, struct setting_group *groups)
{
#define GROUP(kind, about)                                                                                                                 \
    {                                                                                                                                      \
        about, kind##_list, COUNT_OF(kind##_list), s, #kind, kind##_add                                                                    \
    }
    const struct setting_group all[] = {
        {"Alerts: what holds for every channel", common_list, COUNT_OF(common_list), s, NULL, NULL},
        {"SNMP subagent", agentx_list, COUNT_OF(agentx_list), s, NULL, NULL},
        GROUP(snmp, "SNMP traps and informs"),
        GROUP(syslog, "Syslog"),
        GROUP(webhook, "Webhooks"),
        GROUP(alertmanager, "Prometheus Alertmanager"),
        GROUP(exec, "Commands"),
        GROUP(mail, "Mail: only by a server that cannot be part of a storm"),
    };
#undef GROUP
    _Static_assert(COUNT_OF(all) <= ALERT_GROUPS, "ALERT_GROUPS is too small");
    memcpy(groups, all, sizeof all);
    return COUNT_OF(all);
}

struct alert_settings *alert_settings_new(void)
{
    return calloc(1, sizeof(struct alert_settings));
}

static void wipe_text(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text)); /* some are passwords */
    free(*text);
    *text = NULL;
}

static void values_free(const struct setting *list, size_t count, void *values)
{
    for (size_t i = 0; i < count; i++) {
        void *field = (char *)values + list[i].offset;
        if (list[i].type == SETTING_TEXT)
            wipe_text(field);
        else if (list[i].type == SETTING_TEXTS)
            for (struct text_list *texts = field; texts->count; texts->count--)
                free(texts->text[texts->count - 1]);
    }
}

void alert_settings_free(struct alert_settings *s)
{
    if (!s)
        return;
    values_free(common_list, COUNT_OF(common_list), s);
    values_free(agentx_list, COUNT_OF(agentx_list), s);
#define FREE(kind)                                                                                                                         \
    for (size_t i = 0; i < s->kind##_count; i++)                                                                                           \
        values_free(kind##_list, COUNT_OF(kind##_list), &s->kind[i]);
    FREE(snmp)
    FREE(syslog)
    FREE(webhook)
    FREE(alertmanager)
    FREE(exec)
    FREE(mail)
#undef FREE
    free(s);
}

void alert_sensor_name(const struct alert_settings *s, char *to, size_t size)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    span_copy(span_text(s->sensor ? s->sensor : host), to, size);
}

bool alert_address_split(const char *text, const char *fallback_port, char host[256], char port[8])
{
    const char *colon, *end;
    if (!text)
        return false;
    if (*text == '[') {
        end = strchr(++text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        colon = end[1] ? end + 1 : NULL;
    } else {
        colon = strrchr(text, ':');
        if (colon && strchr(text, ':') != colon)
            return false; /* IPv6 wants brackets: where would its port begin? */
        end = colon ? colon : text + strlen(text);
    }
    size_t n = (size_t)(end - text);
    const char *number = colon ? colon + 1 : fallback_port;
    char *after = NULL;
    long value = strtol(number, &after, 10);
    if (n == 0 || n > 255 || *number < '0' || *number > '9' || *after || value < 1 || value > 65535)
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    snprintf(port, 8, "%ld", value);
    return true;
}

size_t alert_engine_id_parse(const char *text, uint8_t id[32])
{
    size_t n = 0;
    if (!text)
        return 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    for (; *text; n++) {
        char digits[3] = {text[0], text[1], '\0'};
        if (n == 32 || !isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
            return 0;
        id[n] = (uint8_t)strtoul(digits, NULL, 16);
        text += 2;
        text += *text == ':';
    }
    return n < 5 ? 0 : n;
}

size_t alert_arc_parse(const char *text, unsigned long arc[ARC_MOST])
{
    size_t n = 0;
    if (!text)
        return 0;
    text += *text == '.';
    for (;; text++) {
        char *end = NULL;
        if (n == ARC_MOST || *text < '0' || *text > '9')
            return 0;
        arc[n++] = strtoul(text, &end, 10);
        if (arc[n - 1] > UINT32_MAX)
            return 0;
        if (!*end)
            return n < 6 ? 0 : n;
        if (*end != '.')
            return 0;
        text = end;
    }
}

/* ---- the check of the whole ---- */

static bool wrong(struct reason *why, const struct route *r, const char *name, const char *what, const char *todo)
{
    char kind[16];
    const char *title = strchr(r->name, ' ') + 1;
    span_copy(span_of(r->name, (size_t)(title - r->name - 1)), kind, sizeof kind);
    return config_wrong(why, kind, title, name, "%s; %s", what, todo);
}

static bool kind_known(const char *text)
{
    for (int k = 0; k < KIND_COUNT; k++)
        if (strcmp(text, storm_kind_text((enum storm_kind)k)) == 0)
            return true;
    return false;
}

static bool route_check(const struct route *r, struct reason *why)
{
    enum storm_severity severity;
    char what[128];
    if (!storm_severity_parse(span_text(r->severity), &severity)) {
        snprintf(what, sizeof what, "\"%.40s\" is none", r->severity ? r->severity : "");
        return wrong(why, r, "severity", what, "take notice, warning, minor, major or critical");
    }
    for (size_t i = 0; i < r->kinds.count; i++)
        if (!kind_known(r->kinds.text[i])) {
            snprintf(what, sizeof what, "\"%.40s\" is none", r->kinds.text[i]);
            return wrong(why, r, "kinds", what, "take names of sections such as reinjection or bounce-storm");
        }
    return true;
}

static bool one_of(const char *text, const char *const words[])
{
    for (; text && *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool long_enough(const char *password)
{
    return password && strlen(password) >= 8;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool snmp_check(const struct alert_settings *s, size_t at, struct reason *why)
{
    static const char *const auths[] = {"SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "none", NULL};
    static const char *const privs[] = {"AES", "AES-192", "AES-256", "none", NULL};
    const struct snmp_settings *o = &s->snmp[at];
    char host[256], port[8];
    if (!alert_address_split(o->address, "162", host, port))
        return wrong(why, &o->route, "address", "no HOST:PORT", "write it as \"127.0.0.1:162\" or \"[::1]:162\"");
    if (same_text(o->version, "2c"))
        return o->community || wrong(why, &o->route, "community", "is empty", "set it");
    if (!same_text(o->version, "3"))
        return wrong(why, &o->route, "version", "neither \"2c\" nor \"3\"", "take one of them");
    if (!o->user)
        return wrong(why, &o->route, "user", "is empty", "version 3 needs one");
    if (!one_of(o->auth, auths))
        return wrong(why, &o->route, "auth", "no such algorithm", "take SHA-256");
    if (!one_of(o->priv, privs))
        return wrong(why, &o->route, "priv", "no such algorithm", "take AES");
    bool auth = !same_text(o->auth, "none"), priv = !same_text(o->priv, "none");
    if (auth && !long_enough(o->auth_password))
        return wrong(why, &o->route, "auth_password", "less than 8 characters", "RFC 3414 wants 8 at least");
    if (priv && !long_enough(o->priv_password))
        return wrong(why, &o->route, "priv_password", "less than 8 characters", "RFC 3414 wants 8 at least");
    if (priv && !auth)
        return wrong(why, &o->route, "auth", "priv without auth", "SNMPv3 has no such level; set auth");
    for (size_t i = 0; i < at; i++) {
        const struct snmp_settings *p = &s->snmp[i];
        if (same_text(p->version, "3") && same_text(p->user, o->user) &&
            !(same_text(p->auth, o->auth) && same_text(p->auth_password, o->auth_password) && same_text(p->priv, o->priv) &&
                same_text(p->priv_password, o->priv_password)))
            return wrong(why, &o->route, "user", "the user has other passwords in another section", "give this one another name");
    }
    return true;
}

static bool url_check(const struct route *r, const char *url, struct reason *why)
{
    return (url && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)) ||
           wrong(why, r, "url", "no http:// or https:// URL", "write the whole URL");
}

static bool syslog_check(const struct syslog_settings *o, struct reason *why)
{
    char host[256], port[8];
    const char *a = o->address ? o->address : "";
    if ((strncmp(a, "tls:", 4) != 0 && strncmp(a, "tcp:", 4) != 0 && strncmp(a, "udp:", 4) != 0) ||
        !alert_address_split(a + 4, "514", host, port))
        return wrong(why, &o->route, "address", "no tls:HOST:PORT, tcp:HOST:PORT or udp:HOST:PORT", "write it as \"tls:loghost:6514\"");
    return !o->certificate == !o->key || wrong(why, &o->route, "certificate", "only one of certificate and key is set", "set both or none");
}

static bool mail_address(const char *text)
{
    const char *at = text ? strrchr(text, '@') : NULL;
    return at && at > text && at[1] && !strpbrk(text, " \t\r\n<>,");
}

static bool mail_check(const struct mail_settings *o, struct reason *why)
{
    char host[256], port[8];
    if (!alert_address_split(o->smarthost, "25", host, port))
        return wrong(why, &o->route, "smarthost", "no HOST:PORT", "write it as \"192.0.2.25:25\"");
    if (!mail_address(o->from))
        return wrong(why, &o->route, "from", "no address", "write it as \"squall@example.org\"");
    if (!o->user != !o->password)
        return wrong(why, &o->route, o->user ? "user" : "password", "only one of user and password is set", "set both or none");
    if (o->password && !o->tls)
        return wrong(why, &o->route, "password", "would be sent in clear", "set tls = true");
    for (size_t i = 0; i < o->to.count; i++)
        if (!mail_address(o->to.text[i]))
            return wrong(why, &o->route, "to", "one is no address", "write them as {\"noc@example.org\"}");
    return o->to.count > 0 || wrong(why, &o->route, "to", "is empty", "name who is to be told");
}

static bool common_check(const struct alert_settings *s, struct reason *why)
{
    unsigned long arc[ARC_MOST];
    uint8_t id[32];
    if (!alert_arc_parse(s->enterprise, arc))
        return config_wrong(why, "alerts", "", "enterprise", "\"%s\" is no arc; write it as 1.3.6.1.4.1.NUMBER",
            s->enterprise ? s->enterprise : "");
    if (s->engine_id && !alert_engine_id_parse(s->engine_id, id))
        return config_wrong(why, "alerts", "", "engine_id", "\"%s\" is none; write 5 to 32 octets in hex", s->engine_id);
    if (s->dashboard && strncmp(s->dashboard, "http://", 7) != 0 && strncmp(s->dashboard, "https://", 8) != 0)
        return config_wrong(why, "alerts", "", "dashboard", "no http:// or https:// URL; write it as https://HOST:PORT");
    for (size_t i = 0; i < s->maintenance.count; i++)
        if (!maintenance_parse(s->maintenance.text[i], &(struct maintenance){.days = 0}))
            return config_wrong(why, "alerts", "", "maintenance",
                "\"%s\" is no window; write \"Sun 02:00-04:00\", \"daily 03:00-03:30\" or FROM/UNTIL",
                s->maintenance.text[i]);
    return true;
}

bool alert_settings_check(const struct alert_settings *s, struct reason *why)
{
    if (!common_check(s, why))
        return false;
    for (size_t i = 0; i < s->snmp_count; i++)
        if (s->snmp[i].route.enabled && (!route_check(&s->snmp[i].route, why) || !snmp_check(s, i, why)))
            return false;
    for (size_t i = 0; i < s->syslog_count; i++)
        if (s->syslog[i].route.enabled && (!route_check(&s->syslog[i].route, why) || !syslog_check(&s->syslog[i], why)))
            return false;
    for (size_t i = 0; i < s->webhook_count; i++)
        if (s->webhook[i].route.enabled &&
            (!route_check(&s->webhook[i].route, why) || !url_check(&s->webhook[i].route, s->webhook[i].url, why)))
            return false;
    for (size_t i = 0; i < s->alertmanager_count; i++)
        if (s->alertmanager[i].route.enabled &&
            (!route_check(&s->alertmanager[i].route, why) || !url_check(&s->alertmanager[i].route, s->alertmanager[i].url, why)))
            return false;
    for (size_t i = 0; i < s->exec_count; i++)
        if (s->exec[i].route.enabled &&
            (!route_check(&s->exec[i].route, why) ||
                (s->exec[i].command.count == 0 && !wrong(why, &s->exec[i].route, "command", "is empty", "name a program"))))
            return false;
    for (size_t i = 0; i < s->mail_count; i++)
        if (s->mail[i].route.enabled && (!route_check(&s->mail[i].route, why) || !mail_check(&s->mail[i], why)))
            return false;
    return true;
}
