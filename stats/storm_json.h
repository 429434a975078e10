/* A storm as the JSON object that INTERFACES.md calls an alarm, and back.  The history keeps storms in this form, so a report made again
 * from the history is the same to the byte.  Nothing is invented on the way: what is unknown is null. */
#ifndef SQUALL_STATS_STORM_JSON_H
#define SQUALL_STATS_STORM_JSON_H

#include <jansson.h>

#include "base/log.h"
#include "stats/storm.h"

/* For json_dump*: numbers keep their digits through a round trip, names keep their order. */
#define STORM_JSON_FLAGS JSON_REAL_PRECISION(9)

json_t *storm_json(const struct storm *s);      /* a new reference, with the cure; NULL: out of memory */
json_t *storm_json_bare(const struct storm *s); /* the same without what can be made from the rest: for the history */
/* From either object; names it does not know are passed over.  NULL: *why.  The caller frees it with storm_json_free(). */
struct storm *storm_json_parse(const json_t *object, struct reason *why);
void storm_json_free(struct storm *s);

#endif
