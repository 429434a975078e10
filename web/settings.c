/* In: squall.conf.  Out: where the pages are served and to whom, to listen.c and server.c. */
#include "web/web.h"

#define SET(name, type, field, fallback, least, most, doc)                                       \
    {                                                                                            \
        "web", name, type, offsetof(struct web_settings, field), fallback, least, most, doc      \
    }

const struct setting web_settings_list[] = {
    {NULL, "listen", SETTING_TEXT, offsetof(struct web_settings, listen), "127.0.0.1:8025", 0, 0,
        "Where the dashboard is served, ADDRESS:PORT; \"\": nowhere. Outside this machine only with certificate, key and password."},
    SET("certificate", SETTING_TEXT, certificate, "", 0, 0,
        "The server's certificate chain for TLS: a PEM file."),
    SET("key", SETTING_TEXT, key, "", 0, 0,
        "Its key: a PEM file."),
    SET("password", SETTING_TEXT, password, "", 0, 0,
        "What visitors must know, as crypt(5) hash, from `mkpasswd -m yescrypt`; any user name goes with it."),
    SET("host_names", SETTING_TEXTS, host_names, "", 0, 0,
        "Names by which browsers reach the dashboard, besides this machine's, localhost and addresses."),
    SET("connections", SETTING_COUNT, connections, "64", 4, 10000,
        "Connections at once."),
    SET("connections_per_address", SETTING_COUNT, connections_per_address, "32", 2, 10000,
        "Of them from one address."),
    SET("event_clients", SETTING_COUNT, event_clients, "16", 1, 1000,
        "Pages that follow live at once; further ones ask every few seconds."),
    {"rrd", "enabled", SETTING_BOOL, offsetof(struct web_settings, graphs), "true", 0, 0,
        "Keep the counts of each second for two years, and each alarm's course, in round-robin files, and draw them; at most 132 MiB."},
    {"rrd", "rrdcached", SETTING_TEXT, offsetof(struct web_settings, rrdcached), "", 0, 0,
        "Address of an rrdcached that writes them, as unix:/run/rrdcached.sock; empty: written directly."},
    {"rrd", "alarms", SETTING_COUNT, offsetof(struct web_settings, graph_alarms), "200", 1, 100000,
        "Alarms whose course is kept, 300 kB each, the oldest cleared first to go; one that the history forgets goes at once."},
};
const size_t web_settings_count = sizeof web_settings_list / sizeof web_settings_list[0];
