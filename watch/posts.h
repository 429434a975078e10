/* What the processes of `squall watch` tell each other, over channels (base/channel.h).  The sensor never waits for the desk: what does not
 * fit is dropped, except storms: those are all told again as soon as the desk listens, and it finds out what is news. */
#ifndef SQUALL_WATCH_POSTS_H
#define SQUALL_WATCH_POSTS_H

#include "stats/counters.h"
#include "worker.h"

enum post {
    /* sensor to desk */
    POST_HELLO = 1, /* struct hello: a channel between them has just been made */
    POST_STORM,     /* JSON: storm_json_bare() of a storm as it is now */
    POST_NUMBERS,   /* JSON: the same of one of which nothing is news but its numbers */
    POST_REPORT,    /* struct sensor_report, each second of packet time */
    POST_MESSAGES,  /* JSON, every two seconds: what GET /api/v1/messages serves */
    POST_HOSTS,     /* struct host_row, ALERT_HOSTS at most: the mail servers seen, every few seconds */
    POST_ANSWER,    /* JSON: {"asked": number of the question, ...}, or with "error": text */
    POST_CAPSULE,   /* struct capsule_head, then a section of pcapng: evidence of an alarm */
    POST_GOODBYE,   /* empty: everything has been told */
    /* desk to sensor */
    POST_RESTORE, /* storm_json() of one open storm of the history; before the start only */
    POST_WATCHED, /* JSON: watched hosts of an earlier run, rows as in POST_MESSAGES; before the start only */
    POST_START,   /* empty: everything restored, begin */
    POST_ASK,     /* JSON: {"asked": N, "what": "acknowledge"|"trace", ...} */
    /* monitor to either */
    POST_PEER,     /* empty, with a descriptor: the other one was started (again), this is the channel to it */
    POST_PING,     /* empty */
    POST_SETTINGS, /* to the sensor: struct stats_settings, after SIGHUP */
    /* either to monitor */
    POST_READY, /* empty: what was to be opened is open */
    POST_PONG,  /* empty: answer to each ping */
};

struct hello {
    bool fresh; /* the sensor has just begun, and waits for POST_START */
    bool nameless; /* its evidence names nobody, whatever `privacy` says by now */
};
struct sensor_report {
    struct sensor_view view;
    struct stats_counters stats;
    uint32_t workers;
    uint64_t memory; /* bytes of it that were resident at the most */
};
struct capsule_head {
    char alarm[32];
};

#define POST_MOST ((size_t)16 << 20)       /* bytes of one post */
#define POSTS_QUEUED ((size_t)64 << 20)    /* bytes on their way to the other process */
#define CONTROL_QUEUED ((size_t)1 << 20)   /* between monitor and child */

#endif
