/* The tables that the dashboard shows, made of stats every two seconds, or less often when that takes long. */
#ifndef SQUALL_WATCH_ROWS_H
#define SQUALL_WATCH_ROWS_H

#include <jansson.h>

#include "stats/stats.h"

struct rows;
struct rows *rows_new(void); /* NULL: out of memory */
void rows_free(struct rows *r);
bool rows_due(const struct rows *r);
/* {"messages": [...] by redeliveries, "by_rate": [...] by deliveries in the last minute, "hosts": [...], "watched": [...]}: a new
 * reference. */
json_t *rows_json(struct rows *r, struct stats *stats);

#endif
