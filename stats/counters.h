/* Everything stats/ counts, declared once. */
#ifndef SQUALL_STATS_COUNTERS_H
#define SQUALL_STATS_COUNTERS_H

#include <stdint.h>

#define STATS_COUNTERS(X)                                                                   \
    X(transactions, "transactions, twins left out")                                         \
    X(messages, "messages: transactions with a final 2xx, twins left out")                  \
    X(recipients, "deliveries: recipients accepted in messages, twins left out")            \
    X(rejected_recipients, "RCPT refused, twins left out")                                  \
    X(message_ids, "distinct Message-IDs among messages")                                   \
    X(uncertain, "transactions broken by loss")                                             \
    X(twins, "transactions that the mirror showed a second time")                           \
    X(redeliveries, "deliveries of a mail to a recipient who had it at that server")        \
    X(keys_evicted, "messages forgotten for want of room, coldest first")                   \
    X(storms_raised, "alarms raised, notices left out")

struct stats_counters {
#define X(name, doc) uint64_t name;
    STATS_COUNTERS(X)
#undef X
};

#endif
