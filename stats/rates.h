/* What is published once a second: how much went by in that second, and how things stand.  Flat, no pointers: crosses process borders as it
 * is. */
#ifndef SQUALL_STATS_RATES_H
#define SQUALL_STATS_RATES_H

#include <stdint.h>

#define RATES(X)                                                                     \
    X(messages, "messages")                                                          \
    X(deliveries, "recipients accepted in messages")                                 \
    X(redeliveries, "deliveries to recipients who had the mail")                     \
    X(recipients, "recipients accepted in messages, twins included")                 \
    X(rejects, "RCPT commands refused")                                              \
    X(sessions, "SMTP sessions ended")                                               \
    X(tls_sessions, "of them under TLS")                                             \
    X(packets, "packets read")                                                       \
    X(bytes, "bytes of packets read")                                                \
    X(drops, "packets dropped by kernel or card")

struct rates {
    int64_t time;            /* the second that ended, ns */
#define X(name, doc) uint64_t name;
    RATES(X)
#undef X
    uint32_t alarms[5];      /* active ones by enum storm_severity */
};

#endif
