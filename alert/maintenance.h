/* A maintenance window: while it lasts nobody is told of a new alarm. */
#ifndef SQUALL_ALERT_MAINTENANCE_H
#define SQUALL_ALERT_MAINTENANCE_H

#include "base/clock.h"

struct maintenance {
    unsigned days;       /* bit 0: Sunday; 0: once, from `from` to `until` */
    int64_t from, until; /* ns: of the day, past midnight when until <= from; or since the epoch */
};

/* "Sun 02:00-04:00", "daily 03:00-03:30", "2026-12-01T22:00:00Z/2026-12-02T04:00:00Z"; false: none of these. */
bool maintenance_parse(const char *text, struct maintenance *w);
bool maintenance_open(const struct maintenance *w, int64_t now);

#endif
