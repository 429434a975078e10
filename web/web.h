/* The web room's door.  In: what the sensor publishes (rates, storms, status), the history, the health of the alert channels.  Out: HTTP:
 * dashboard, JSON API, live events, reports, /metrics.  Its threads never touch the path of a packet. */
#ifndef SQUALL_WEB_H
#define SQUALL_WEB_H

#include <jansson.h>

#include "base/config.h"
#include "stats/history.h"
#include "stats/rates.h"
#include "stats/storm.h"

struct web_settings {
    char *listen;             /* "127.0.0.1:8025", "[::1]:8025"; NULL: no pages */
    char *certificate, *key;  /* PEM files; both or neither */
    char *password;           /* crypt(3) hash; outside loopback it must be set, and TLS too */
    struct text_list host_names; /* further names the Host header may have */
    bool graphs;              /* keep the past in round-robin files under the state directory */
    char *rrdcached;          /* "unix:/run/rrdcached.sock"; NULL: written directly */
    int64_t graph_alarms;     /* files kept of alarms */
    int64_t connections, connections_per_address, event_clients;
};
extern const struct setting web_settings_list[];
extern const size_t web_settings_count;

struct web_desk { /* what the pages may ask of the desk, from web's thread; each returns false with *why */
    bool (*acknowledge)(void *user, const char *id, const char *who, struct reason *why);
    json_t *(*trace)(
        void *user, const char *message_id, const char *address, struct reason *why); /* waits at most 2 s for the sensor; new reference;
                                                                                         NULL: traces are not to be had */
    int (*capsule)(void *user, const char *id, struct reason *why);  /* a descriptor with the pcapng, at its start; -1 */
    json_t *(*channels)(void *user); /* health of the alert channels: [{"name", "failing", ...}], new reference */
    bool no_addresses; /* the setting `privacy`: a trace is not to be asked for by somebody's address */
    void *user;
};

/* Opens the socket (status 69 when the address is taken, 78 when it must not be) before privileges go; then web_start() serves from its own
 * thread. */
int web_listen(const struct web_settings *settings, struct reason *why, int *status); /* the descriptor; -1 */
struct web;
struct web *web_start(
    const struct web_settings *settings, int listener, const char *state_directory, const struct web_desk *desk, struct reason *why);
void web_stop(struct web *w); /* NULL does nothing; closes the listener */
struct web_counter { /* a line of /metrics */
    const char *name, *doc; /* "capture_packets"; both outlive the room */
    uint64_t value;
};
#define WEB_COUNTERS 128
/* What was published; each copies and returns at once. */
void web_counters(struct web *w, const struct web_counter *counters, size_t count); /* the first WEB_COUNTERS */
void web_rates(struct web *w, const struct rates *r);
void web_storm(struct web *w, const struct storm *s, const char *change);
void web_status(struct web *w, json_t *status);     /* takes the reference */
void web_messages(struct web *w, json_t *messages); /* takes the reference */
void web_sensor(struct web *w, bool alive, const char *why); /* the sensor stopped, was restarted */

#endif
