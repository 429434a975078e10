/* Storms on disk: one SQLite database, DIRECTORY/history.db, written by one process, read by any.  What was stored a second ago survives
 * kill -9. Bounded in bytes and in days; cleared alarms go first, oldest first; an open one never. */
#ifndef SQUALL_STATS_HISTORY_H
#define SQUALL_STATS_HISTORY_H

#include "base/config.h"
#include "base/log.h"
#include "stats/storm.h"

struct history_settings {
    char *directory; /* state_directory */
    int64_t bytes;   /* of the database; its log adds at most 8 MiB while it is written */
    int64_t keep;    /* ns after the all-clear */
};
extern const struct setting history_settings_list[];
extern const size_t history_settings_count;

struct history;
/* For writing; makes the directory (0700) and the database when there is none.  NULL: *why, and *status the sysexits code
 * (INTERFACES.md). */
struct history *history_open(const struct history_settings *settings, struct reason *why, int *status);
/* For reading, while another process may be writing; writes nothing.  NULL as above. */
struct history *history_open_reading(const char *directory, struct reason *why, int *status);
void history_close(struct history *h); /* commits; NULL does nothing */

/* Stores the storm as it is now, in place of what was known of it.  It is on disk after the next history_tick().  False: *why; what was
 * there before stands. */
bool history_store(struct history *h, const struct storm *s, int64_t now, struct reason *why);
/* The same, with the storm in clear, sealed (privacy.h); empty: none, and none that was there before stays. */
bool history_store_sealed(struct history *h, const struct storm *s, struct span sealed, int64_t now, struct reason *why);
/* Call it once a second: commits, and now and then forgets what is too old. */
bool history_tick(struct history *h, int64_t now, struct reason *why);

/* Commits, and leaves nothing in the files of what was deleted or replaced. */
bool history_settle(struct history *h, struct reason *why);

/* What was sealed for the alarm, malloc()ed.  False: *why, also when there is nothing. */
bool history_sealed(struct history *h, const char *id, uint8_t **sealed, size_t *n, struct reason *why);
bool history_has(struct history *h, const char *id); /* false: there is no such alarm, for certain */
/* The alarm, to be freed with storm_json_free(); NULL: *why, which also says when there is no such alarm. */
struct storm *history_load(struct history *h, const char *id, struct reason *why);
/* Every alarm, or every open one (not cleared), by the time it was raised.  `visit` borrows the storm for the call; false stops.
 * False: *why; an alarm that cannot be read is told there and the others are still visited. */
typedef bool history_visitor(void *user, const struct storm *s);
bool history_all(struct history *h, history_visitor *visit, void *user, struct reason *why);
bool history_open_storms(struct history *h, history_visitor *visit, void *user, struct reason *why);

#endif
