/* What the operator reads: one line on stderr an event, "<N>" before it under systemd (sd-daemon(3)).  Never called a packet.
 * Text that came from the wire goes through log_clean() first. */
#ifndef SQUALL_BASE_LOG_H
#define SQUALL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
}; /* syslog's numbers */

void log_open(bool systemd_prefix, enum log_level most_verbose);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wire text made printable: control bytes and broken UTF-8 become '?', at most size-1 bytes; returns `to`. */
char *log_clean(struct span s, char *to, size_t size);
bool log_is_clean(struct span s); /* it is printable ASCII throughout, and log_clean() leaves it alone */

/* Where a failing function puts its reason: "what failed: why; what to do", no program name, no newline. */
#define REASON_SIZE 512
struct reason {
    char text[REASON_SIZE];
};
/* Writes the reason and returns false, so that `return reason_say(...)` reads as a failure.  `why` may be NULL. */
bool reason_say(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
