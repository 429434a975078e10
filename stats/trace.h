/* Message trace: the latest transactions, whole, in one bounded ring; found again by Message-ID or by an address on them.  No body, no
 * password: a transaction holds neither.  One thread keeps and asks. */
#ifndef SQUALL_STATS_TRACE_H
#define SQUALL_STATS_TRACE_H

#include "stats/stats.h"

struct trace;
struct trace *trace_new(int64_t bytes); /* of the ring, beside a hundredth of it for the index; NULL: out of memory */
void trace_free(struct trace *r);
void trace_keep(struct trace *r, const struct transaction *t, struct noted noted); /* stats_last(); a NULL ring keeps nothing */

/* Called for each transaction in the order of time; t is borrowed.  False: enough. */
typedef bool trace_visitor(void *user, const struct transaction *t, struct noted noted);
/* The earliest `most` that carry the id, or the same mail under an id that a server put in its place; returns how many there are. */
size_t trace_by_message_id(const struct trace *r, struct span message_id, trace_visitor *visit, void *user, size_t most);
/* The latest `most` with the address as reverse-path, recipient, From, in To or Cc, user, or as what a bounce is about; returns how many
 * there are. */
size_t trace_by_address(const struct trace *r, struct span address, trace_visitor *visit, void *user, size_t most);

struct trace_state {
    uint64_t kept, left_out; /* in the ring; too large for it, since the start */
    int64_t since;           /* end of the oldest kept; TIME_UNKNOWN: none */
};
struct trace_state trace_state(const struct trace *r);

#endif
