/* The past, kept in round-robin files under STATE_DIRECTORY/rrd.  One thread owns them and librrd; the callers leave what is new in a
 * bounded queue, and what they ask for, and go on.  Private to web/. */
#ifndef SQUALL_WEB_TREND_H
#define SQUALL_WEB_TREND_H

#include <jansson.h>

#include "stats/rates.h"
#include "stats/storm.h"
#include "web/traffic.h"

struct trend;
/* `cache`: the address of rrdcached, or NULL; `alarms`: files kept of alarms.  NULL: out of memory. */
struct trend *trend_start(const char *state_directory, const char *cache, size_t alarms);
void trend_stop(struct trend *t); /* writes what waits, answers what was asked; no call but trend_free() after it; NULL does nothing */
void trend_free(struct trend *t);

void trend_rates(struct trend *t, const struct rates *r);
void trend_storm(struct trend *t, const struct storm *s);
/* How far a message has come, between two changes of its alarm; of messages without one nothing is kept. */
void trend_message(struct trend *t, const char *message_id, uint64_t deliveries, uint64_t redeliveries, uint64_t recipients);

enum trend_answer { TREND_GOOD, TREND_NOTHING, TREND_FAILED }; /* NOTHING: no such alarm, or nothing kept of that time */
struct trend_question {
    int64_t from, to; /* seconds since the epoch */
    /* a picture, of all traffic or of `alarm`: arguments of robin_draw() */
    char alarm[STORM_ID_SIZE];
    char *const *arguments; /* NULL: rows are asked for */
    int count;
    /* rows of all traffic */
    int64_t step;
    size_t most;
    void (*ready)(void *user); /* from trend's thread, once; the question may be freed by it */
    void *user;

    enum trend_answer answer;
    char *image; /* malloc, as rows: the asker's */
    size_t size;
    struct traffic_row *rows;
    size_t row_count;
    struct reason why;
    struct trend_question *next;
};
bool trend_has_room(struct trend *t); /* for one more question; to be asked by one thread only */
void trend_ask(struct trend *t, struct trend_question *q); /* when it has; q stands still until ready() */

struct trend_health {
    char trouble[STORM_TEXT_SIZE]; /* "": none */
    uint64_t skipped, lost; /* seconds whose time went back; notes of alarms for which there was no place */
};
void trend_health(struct trend *t, struct trend_health *h);

#endif
