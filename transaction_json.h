/* A transaction as one JSON object: the lines of `squall read --transactions`, and the hops of a message trace. */
#ifndef SQUALL_TRANSACTION_JSON_H
#define SQUALL_TRANSACTION_JSON_H

#include <jansson.h>

#include "stats/trace.h"

json_t *transaction_json(const struct transaction *t, bool twin); /* a new reference; NULL: out of memory */

#define TRACE_HOPS 1000
/* {"hops": [...], "found": N, "since": T}: of the transactions with the id, or else with the address (the other NULL), the earliest, or
 * else the latest, TRACE_HOPS in the order of time; how many there are; from when on the ring has all.  Each with "redeliveries", and of
 * its recipients the first hundred. */
json_t *transaction_trace(const struct trace *r, const char *message_id, const char *address);

#endif
