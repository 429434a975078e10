/* The letter to the postmaster of a host at fault: what his server does, by which evidence, what it seems to run and which setting to
 * change. Calm, plain text (UTF-8, lines of at most 72 characters but for what is quoted), to be signed by a person. */
#ifndef SQUALL_STATS_LETTER_H
#define SQUALL_STATS_LETTER_H

#include <stdio.h>

#include "stats/storm.h"

/* Is there something to write to this host's postmaster about? */
bool letter_wanted(const struct storm *s, const struct storm_host *h);
void letter_write(const struct storm *s, const struct storm_host *h, FILE *to); /* only when letter_wanted() */

#endif
