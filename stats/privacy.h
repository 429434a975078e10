/* Who wrote to whom, and about what, is nobody's business but the one's who ends the storm.  stats/ counts in the clear and in memory; all
 * that leaves it for a disk, a screen or a receiver passes here first, and is masked as the setting `privacy` says (storm.h).  The clear
 * storm is kept beside the masked one, sealed, for reveal.h.  One thread. */
#ifndef SQUALL_STATS_PRIVACY_H
#define SQUALL_STATS_PRIVACY_H

#include <jansson.h>

#include "base/config.h"
#include "stats/history.h"

struct privacy_settings {
    char *privacy;    /* a word of STORM_PRIVACY */
    int64_t rotation; /* ns; of the keys */
    int64_t reveal;   /* ns; how long the clear text is kept, sealed; 0: not at all */
};
extern const struct setting privacy_settings_list[];
extern const size_t privacy_settings_count;
bool privacy_settings_check(const struct privacy_settings *s, struct reason *why); /* false: *why, "FILE:LINE: privacy: ..." */
enum storm_privacy privacy_wanted(const struct privacy_settings *s);

struct privacy;
struct privacy *privacy_new(const struct privacy_settings *settings, const char *state_directory); /* NULL: out of memory */
void privacy_free(struct privacy *p); /* NULL does nothing */

/* A masked copy, to be freed with storm_json_free(); of a masked one just a copy.  NULL: out of memory. */
struct storm *privacy_storm(struct privacy *p, const struct storm *s);
/* Changed in place: rows of the tables of messages, hosts, watched hosts; an object as of `read --transactions`. */
void privacy_rows(struct privacy *p, json_t *rows);
void privacy_transaction(struct privacy *p, json_t *transaction);

/* Stores `masked` (privacy_storm() of `clear`), and `clear` sealed beside it.  False: *why, as history_store(). */
bool privacy_store(
    struct privacy *p, struct history *h, const struct storm *clear, const struct storm *masked, int64_t now, struct reason *why);
/* At the start: masks what the history still holds in clear, of a time when the setting was another.  False: *why. */
bool privacy_adopt(struct privacy *p, struct history *h, struct reason *why);
/* The clear storm behind a masked one of the history; NULL: *why says in one line why it cannot be had. */
struct storm *privacy_unseal(const char *state_directory, struct history *h, const char *id, struct reason *why);
/* Once a second: destroys keys that are too old.  False: *why. */
bool privacy_tick(struct privacy *p, int64_t now, struct reason *why);

#endif
