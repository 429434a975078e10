/* The desk: what people see of the sensor while it runs.  Feeds the web room from the sensor's hooks, and brings its questions back to the
 * sensor's thread. */
#ifndef SQUALL_DESK_H
#define SQUALL_DESK_H

#include "alert/alert.h"
#include "sensor.h"
#include "stats/trace.h"

struct desk;
/* Serves from `listener` (which it takes).  NULL: *why. */
struct desk *desk_new(const struct settings *settings, int listener, struct alert *alert, struct privacy *privacy, struct reason *why);
void desk_free(struct desk *d); /* before the alert room ends; NULL does nothing, here and below */
void desk_storm(struct desk *d, const struct storm *s, const char *change); /* masked (privacy.h) */
void desk_second(struct desk *d, struct sensor *s, int64_t now, bool live); /* each second of packet time */
/* Some times a second, between packets: what the pages asked for.  `kept` NULL: no traces. */
void desk_poll(struct desk *d, struct sensor *s, const struct trace *kept);

#endif
