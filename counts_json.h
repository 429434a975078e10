/* What the sensor has counted, as JSON in the words of `read --json`: new references. */
#ifndef SQUALL_COUNTS_JSON_H
#define SQUALL_COUNTS_JSON_H

#include <jansson.h>

#include "sensor.h"

json_t *counts_capture(const struct sensor_view *view, const char *const *paths, size_t path_count);
json_t *counts_smtp(const struct sensor_view *view, const struct stats_counters *s);
json_t *counts_messages(const struct message_row *rows, size_t count);
json_t *counts_hosts(const struct host_row *rows, size_t count);
json_t *counts_watched(const struct amplifier_row *rows, size_t count);
bool counts_watched_parse(const json_t *one, struct amplifier_row *row); /* a row of these; false: it is none */

#endif
