/* Texts sealed for later: AES-256-GCM, compressed inside, bound to the alarm they belong to.  Who has the key of the period opens them. */
#ifndef SQUALL_STATS_SEAL_H
#define SQUALL_STATS_SEAL_H

#include "stats/keyring.h"

/* A key of its own for each use. */
void key_derive(const struct key *key, const char *use, uint8_t to[KEY_BYTES]);
/* The sealed bytes are malloc()ed.  False: out of memory, or no random numbers. */
bool seal_make(const struct key *key, const char *alarm, struct span text, uint8_t **sealed, size_t *n);
/* The text, malloc()ed and NUL-terminated; NULL: *why (its key was destroyed, it was changed). */
char *seal_open(const char *state_directory, const char *alarm, struct span sealed, struct reason *why);

#endif
