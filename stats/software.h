/* What a re-injector runs and which of its settings to change, by its own marks.  A mark explains, it never accuses.  Private to stats/. */
#ifndef SQUALL_STATS_SOFTWARE_H
#define SQUALL_STATS_SOFTWARE_H

#include "stats/chain.h"

/* Of the host that wrote the lines of `v` (NULL: no line) on a copy with this header.  Writes "" when nothing is known; returns `to`. */
char *software_text(const struct chain *c, const struct visit *v, const struct header *header, char *to, size_t size);

#endif
