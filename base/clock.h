/* Time is int64_t nanoseconds since the epoch, UTC, and comes from the packets.  Only squall.c and timers of `watch` read a clock. */
#ifndef SQUALL_BASE_CLOCK_H
#define SQUALL_BASE_CLOCK_H

#include <stdint.h>

#include "base/span.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define TIME_UNKNOWN INT64_MIN
#define TIME_TEXT 31 /* bytes, with the NUL */

int64_t clock_now(void);       /* CLOCK_REALTIME */
int64_t clock_monotonic(void); /* CLOCK_MONOTONIC: for durations of our own work only */
/* RFC 3339 UTC with nanoseconds, "2026-11-24T03:27:01.123456789Z"; returns `to`. TIME_UNKNOWN gives "". */
char *clock_text(int64_t t, char to[TIME_TEXT]);
/* RFC 3339 text back to time; false: it is not such text. */
bool clock_parse(struct span text, int64_t *t);
/* RFC 5322 date-time (3.3, with the obsolete zones of 4.3), as in Date: and at the end of Received:; TIME_UNKNOWN: not a date. */
int64_t clock_parse_mail_date(struct span text);

#endif
