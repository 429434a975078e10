/* Hosts that route by header, known before any storm: what the page of amplifiers shows.  Private to stats/; stats_census() is the door. */
#ifndef SQUALL_STATS_CENSUS_H
#define SQUALL_STATS_CENSUS_H

#include "stats/detect.h"

/* The `most` amplifiers seen most often; returns how many were written.  `self` is what census_detector.make() gave. */
size_t census_rows(const void *self, struct amplifier_row *rows, size_t most);

/* A row of an earlier run; one that is there already stays. */
void census_know(void *self, const struct amplifier_row *row);

#endif
