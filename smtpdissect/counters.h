/* Everything smtpdissect/ counts, declared once. */
#ifndef SQUALL_SMTPDISSECT_COUNTERS_H
#define SQUALL_SMTPDISSECT_COUNTERS_H

#include <stdint.h>

#define SMTP_COUNTERS(X)                                                                                                                   \
    X(connections, "connections handed to the dissector")                                                                                  \
    X(sessions, "connections on which an SMTP dialogue was recognised")                                                                    \
    X(starttls_sessions, "sessions with STARTTLS accepted and TLS following")                                                              \
    X(tls_sessions, "connections that were TLS from the first byte")                                                                       \
    X(transactions, "mail transactions, whatever became of them")                                                                          \
    X(messages, "transactions whose data got a final 2xx (twins included)")                                                                \
    X(recipients, "recipients accepted in messages (twins included)")                                                                      \
    X(rejected_recipients, "RCPT commands refused")                                                                                        \
    X(uncertain, "transactions broken by loss or disorder")                                                                                \
    X(replies_unpaired, "server replies with no command they could answer")                                                                \
    X(lines_too_long, "command or reply lines over the bound, read to their end")                                                          \
    X(headers_cut, "message headers over the bound")                                                                                       \
    X(recipients_dropped, "recipients over the bound of a transaction")                                                                    \
    X(reports, "bounces read")

struct smtp_counters {
#define X(name, doc) uint64_t name;
    SMTP_COUNTERS(X)
#undef X
};

#endif
