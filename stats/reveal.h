/* Who has looked at an alarm in clear: the log of it, STATE_DIRECTORY/reveals.log, and the door to the clear text, which nobody passes
 * without a line in that log.  Any process and thread may call; the lines of several do not mix. */
#ifndef SQUALL_STATS_REVEAL_H
#define SQUALL_STATS_REVEAL_H

#include "base/log.h"
#include "stats/storm.h"

struct reveal {
    int64_t time;
    char alarm[STORM_ID_SIZE], who[STORM_TEXT_SIZE], from[STORM_TEXT_SIZE]; /* from: an address, or "squall report" */
    char reason[STORM_TEXT_SIZE];
};

/* The alarm in clear, after the line was written: to be freed with storm_json_free().  A reason is demanded.  NULL: *why. */
struct storm *reveal_storm(const char *state_directory, const struct reveal *asked, struct reason *why);
/* Oldest first; of one alarm, or (NULL) of all.  `visit` returns false to stop.  False: *why. */
typedef bool reveal_visitor(void *user, const struct reveal *r);
bool reveal_all(const char *state_directory, const char *alarm, reveal_visitor *visit, void *user, struct reason *why);
bool reveal_forget(const char *state_directory, int64_t before, struct reason *why); /* lines of before that time go */

#endif
