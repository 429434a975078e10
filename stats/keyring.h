/* The keys that pseudonyms and sealed alarms are made with: STATE_DIRECTORY/keys/SECOND.key, 32 random bytes each, readable by their owner
 * alone.  One for each period, by the time given; with a key, all that was sealed with it is gone, wherever copies of it lie. */
#ifndef SQUALL_STATS_KEYRING_H
#define SQUALL_STATS_KEYRING_H

#include "base/clock.h"
#include "base/log.h"

#define KEY_BYTES 32

struct key {
    int64_t made; /* seconds since the epoch: its name */
    uint8_t bytes[KEY_BYTES];
};

/* The key of the period in which `now` (ns) falls; made, with the directory, when there is none.  False: *why. */
bool keyring_current(const char *state_directory, int64_t now, int64_t rotation, struct key *key, struct reason *why);
bool keyring_find(const char *state_directory, int64_t made, struct key *key); /* false: there is none, or it may not be read */
bool keyring_destroy(const char *state_directory, int64_t before, struct reason *why); /* all made before that time (ns) */

#endif
