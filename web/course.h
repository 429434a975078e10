/* The course of each alarm: a small file DIRECTORY/alarm-ID.rrd while the history knows it.  Owned by trend.c's thread.
 * Private to web/. */
#ifndef SQUALL_WEB_COURSE_H
#define SQUALL_WEB_COURSE_H

#include "stats/storm.h"
#include "web/robin.h"

#define COURSE_LIVE 256 /* alarms followed at once: those beyond have no graph */

struct course_mark { /* where an alarm has come to */
    char id[STORM_ID_SIZE];
    bool open;
    int64_t first_seen; /* ns */
    uint64_t deliveries, redeliveries, recipients, hosts; /* hosts at fault */
    uint64_t message; /* hash of its Message-ID; 0: none */
};
void course_mark_from(const struct storm *s, struct course_mark *m);
uint64_t course_message(const char *message_id);

struct course {
    struct course_mark now, put;
    int64_t second; /* of put; 0: nothing put yet */
    int64_t heard;  /* second in which `now` was last told, changed or not */
    bool fresh;     /* told since the last second */
    bool refused;   /* no file for it */
};
struct courses {
    char directory[4096];
    const char *cache; /* of robin.h; the caller's */
    size_t files;      /* kept at most */
    struct course live[COURSE_LIVE];
    size_t count;
};
void courses_init(struct courses *c, const char *directory, const char *cache, size_t files);
void courses_take(struct courses *c, const struct course_mark *m);
/* A second has passed: what was told in it is put.  False: *why; it is tried again when something is told. */
bool courses_second(struct courses *c, int64_t second, struct reason *why);
bool courses_path(const struct courses *c, const char *id, char path[ROBIN_PATH]); /* false: there is no such file */
/* Removes the files of alarms that the history in that directory no longer knows. */
void courses_forget(struct courses *c, const char *history);

#endif
