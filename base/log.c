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

/* A byte over 0x7f, below 0x20, or DEL is among the sixteen. */
static inline bool any_odd(struct span_words w)
{
#ifdef __SSE2__
    __m128i x = _mm_set_epi64x((long long)w.b, (long long)w.a); /* compared as signed: what is over 0x7f is below 0 */
    return _mm_movemask_epi8(_mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(0x1f)), _mm_cmplt_epi8(x, _mm_set1_epi8(0x7f)))) != 0xffff;
#else
    const uint64_t each = UINT64_C(0x0101010101010101);
    return (w.a | (w.a - each * 0x20) | (w.a + each) | w.b | (w.b - each * 0x20) | (w.b + each)) & each * 0x80;
#endif
}

bool log_is_clean(struct span s)
{
    struct span_words w;
    if (s.n <= sizeof w) {
        w = span_words_short(s.p, s.n);
        if (s.n < 8) { /* blanks where there is nothing */
            const uint64_t blanks = UINT64_C(0x2020202020202020);
            w.a |= s.n >= 4 ? w.b << 32 : s.n ? blanks << 24 : blanks;
            w.b = blanks;
        }
        return !any_odd(w);
    }
    for (size_t i = 0; i + sizeof w < s.n; i += sizeof w)
        if (any_odd(span_words_at(s.p + i)))
            return false;
    return !any_odd(span_words_at(s.p + s.n - sizeof w)); /* the rest together with bytes that were looked at */
}

char *log_clean(struct span s, char *to, size_t size)
{
    size_t at = 0;
    struct span plain = span_head(s, size - 1);
    if (plain.n && log_is_clean(plain)) { /* as nearly all of it is */
        memcpy(to, plain.p, plain.n);
        at = plain.n;
        s = span_from(s, at);
    }
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
