/* Lines on stderr, and the cleaning of wire text before it may stand in one. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static bool prefix_wanted;
static enum log_level verbosity = LOG_LEVEL_INFO;

void log_open(bool systemd_prefix, enum log_level most_verbose)
{
    prefix_wanted = systemd_prefix;
    verbosity = most_verbose;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > verbosity)
        return;
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (prefix_wanted)
        fprintf(stderr, "<%d>squall: %s\n", level, line);
    else
        fprintf(stderr, "squall: %s\n", line);
}

/* Length of the well-formed UTF-8 sequence of a printable character at p (RFC 3629; C1 controls and bidirectional overrides are not); 0:
 * none. */
static size_t printable_length(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f;
    size_t length = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t code = p[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    bool control = code < 0xa0 || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return overlong || surrogate || control || code > 0x10ffff ? 0 : length;
}

/* A byte over 0x7f, below 0x20, or DEL is among the eight. */
static bool any_odd(uint64_t x)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    return (x | (x - each * 0x20) | (x + each)) & each * 0x80;
}

/* How many of the first `most` bytes are printable ASCII for sure, in steps of eight. */
static size_t plain_run(const uint8_t *p, size_t most)
{
    uint64_t x = 0;
    size_t n = 0;
    if (most < sizeof x) {
        for (; n < most; n++)
            x = x << 8 | p[n];
        for (; n < sizeof x; n++)
            x = x << 8 | ' ';
        return any_odd(x) ? 0 : most;
    }
    for (; n + sizeof x <= most; n += sizeof x) {
        memcpy(&x, p + n, sizeof x);
        if (any_odd(x))
            return n;
    }
    memcpy(&x, p + most - sizeof x, sizeof x); /* the rest together with bytes that were looked at */
    return any_odd(x) ? n : most;
}

bool log_is_clean(struct span s)
{
    return plain_run(s.p, s.n) == s.n;
}

char *log_clean(struct span s, char *to, size_t size)
{
    size_t at = plain_run(s.p, s.n < size ? s.n : size - 1);
    if (at)
        memcpy(to, s.p, at);
    s = span_from(s, at);
    while (s.n) {
        size_t n = printable_length(s.p, s.n);
        if (at + (n ? n : 1) >= size)
            break;
        if (n)
            memcpy(to + at, s.p, n);
        else
            to[at] = '?';
        at += n ? n : 1;
        s = span_from(s, n ? n : 1);
    }
    to[at] = '\0';
    return to;
}

bool reason_say(struct reason *why, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return false;
}
