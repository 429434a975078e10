/* What is kept of an alarm beside its row in the history goes when the row has gone: its evidence, and who has revealed it. */
#ifndef SQUALL_STATS_RETENTION_H
#define SQUALL_STATS_RETENTION_H

#include "stats/history.h"

/* Removes evidence of alarms that the history no longer has, and lines of reveals.log older than `keep` (ns).  False: *why. */
bool retention_sweep(struct history *h, const char *state_directory, int64_t keep, int64_t now, struct reason *why);

#endif
