/* What was published, as text ready to serve.  The sensor writes, web's thread reads; one mutex, held only to copy.  Private to web/. */
#ifndef SQUALL_WEB_BOARD_H
#define SQUALL_WEB_BOARD_H

#include "web/web.h"

#define BOARD_ALARMS 1024 /* the latest; the history has the others */

struct board;
struct board *board_new(void); /* NULL: out of memory */
void board_free(struct board *b);
void board_put_rates(struct board *b, const struct rates *r);
void board_put_alarm(struct board *b, const struct storm *s, json_t *storm); /* borrows the reference */
void board_put_status(struct board *b, json_t *status);                      /* takes it, as the next does */
void board_put_messages(struct board *b, json_t *messages);
void board_put_sensor(struct board *b, bool alive, const char *why);
void board_put_counters(struct board *b, const struct web_counter *counters, size_t count);

json_t *board_status(struct board *b);   /* a new object */
json_t *board_messages(struct board *b); /* as posts.h says; a new object */
/* Alarms by the time they were raised, of one state or of all (-1): a new array. */
json_t *board_alarms(struct board *b, int state);
json_t *board_alarm(struct board *b, const char *id); /* a new object; NULL: not on the board */
void board_active(struct board *b, uint32_t active[SEVERITY_CRITICAL + 1]);
size_t board_counters(struct board *b, struct web_counter counters[WEB_COUNTERS]);
int64_t board_latest(struct board *b); /* the last second that was published; 0: none yet */
struct board_mark {
    int64_t raised; /* ns */
    enum storm_severity severity;
};
/* Alarms above notice raised in [from, to), ns: at most `most`, of any order. */
size_t board_marks(struct board *b, int64_t from, int64_t to, struct board_mark *marks, size_t most);
/* Mean rates a second from `from` on, before `to` (ns), in steps of `step` seconds: a new array of objects, oldest first. */
json_t *board_rates(struct board *b, int64_t from, int64_t to, int64_t step);

#endif
