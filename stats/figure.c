/* In: counts, times, header text as it stood on the wire.  Out: short texts for people, the same on every machine (no locale). */
#include "stats/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

char *figure_count(uint64_t n, char to[FIGURE_TEXT])
{
    char digits[FIGURE_TEXT];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[i];
    }
    to[at] = '\0';
    return to;
}

char *figure_bytes(uint64_t bytes, char to[FIGURE_TEXT])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double n = (double)bytes;
    size_t unit = 0;
    for (; n >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        n /= 1000;
    snprintf(to, FIGURE_TEXT, unit && n < 99.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return to;
}

char *figure_measure(double d, char to[FIGURE_TEXT])
{
    snprintf(to, FIGURE_TEXT, !isfinite(d) ? "?" : fabs(d) < 999.95 ? "%.1f" : "%.4g", d);
    return to;
}

char *figure_seconds(double seconds, char to[FIGURE_TEXT])
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        snprintf(to, FIGURE_TEXT, "?");
        return to;
    }
    int64_t s = llround(seconds);
    if (seconds < 10 && seconds > 0)
        snprintf(to, FIGURE_TEXT, "%.2g s", seconds);
    else if (s < 120)
        snprintf(to, FIGURE_TEXT, "%lld s", (long long)s);
    else if (s < 7200)
        snprintf(to, FIGURE_TEXT, s % 60 ? "%lld min %lld s" : "%lld min", (long long)(s / 60), (long long)(s % 60));
    else
        snprintf(to, FIGURE_TEXT, s % 3600 / 60 ? "%lld h %lld min" : "%lld h", (long long)(s / 3600), (long long)(s % 3600 / 60));
    return to;
}

char *figure_time(int64_t t, char to[FIGURE_TEXT])
{
    char text[TIME_TEXT];
    clock_text(t, text);
    snprintf(to, FIGURE_TEXT, text[0] ? "%.10s %.8s UTC" : "?", text, text + 11);
    return to;
}

char *figure_clock(int64_t t, char to[FIGURE_TEXT])
{
    char text[TIME_TEXT];
    clock_text(t, text);
    snprintf(to, FIGURE_TEXT, text[0] ? "%.12s" : "?", text + 11);
    return to;
}

/* ---- RFC 2047 ---- */

enum charset { CHARSET_UNKNOWN, CHARSET_UTF8, CHARSET_LATIN1, CHARSET_LATIN9, CHARSET_WINDOWS };

static enum charset charset_of(struct span name)
{
    static const struct {
        const char *name;
        enum charset charset;
    } known[] = {{"utf-8", CHARSET_UTF8}, {"utf8", CHARSET_UTF8}, {"us-ascii", CHARSET_UTF8}, {"iso-8859-1", CHARSET_LATIN1},
        {"latin1", CHARSET_LATIN1}, {"iso-8859-15", CHARSET_LATIN9}, {"windows-1252", CHARSET_WINDOWS}, {"cp1252", CHARSET_WINDOWS}};
    const uint8_t *language = name.n ? memchr(name.p, '*', name.n) : NULL; /* RFC 2231, section 5 */
    if (language)
        name = span_head(name, (size_t)(language - name.p));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_equal_nocase(name, span_text(known[i].name)))
            return known[i].charset;
    return CHARSET_UNKNOWN;
}

struct output { /* bytes gathered before they are cleaned; what finds no room is dropped */
    uint8_t *p;
    size_t n, size;
};

static void put(struct output *o, uint8_t byte)
{
    if (o->n < o->size)
        o->p[o->n++] = byte;
}

static void put_code(struct output *o, uint32_t code) /* below 0x10000 */
{
    if (code < 0x80) {
        put(o, (uint8_t)code);
    } else if (code < 0x800) {
        put(o, (uint8_t)(0xc0 | code >> 6));
        put(o, (uint8_t)(0x80 | (code & 0x3f)));
    } else {
        put(o, (uint8_t)(0xe0 | code >> 12));
        put(o, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        put(o, (uint8_t)(0x80 | (code & 0x3f)));
    }
}

static void put_byte(struct output *o, uint8_t byte, enum charset charset)
{
    static const uint16_t windows[32] = {0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
        0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
        0x0153, 0xfffd, 0x017e, 0x0178};
    static const struct {
        uint8_t byte;
        uint16_t code;
    } latin9[] = {
        {0xa4, 0x20ac}, {0xa6, 0x0160}, {0xa8, 0x0161}, {0xb4, 0x017d}, {0xb8, 0x017e}, {0xbc, 0x0152}, {0xbd, 0x0153}, {0xbe, 0x0178}};
    uint32_t code = byte;
    if (charset == CHARSET_UTF8) {
        put(o, byte);
        return;
    }
    if (charset == CHARSET_WINDOWS && byte >= 0x80 && byte < 0xa0)
        code = windows[byte - 0x80];
    for (size_t i = 0; charset == CHARSET_LATIN9 && i < sizeof latin9 / sizeof *latin9; i++)
        if (latin9[i].byte == byte)
            code = latin9[i].code;
    put_code(o, code);
}

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int sextet_of(uint8_t c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

static void decode_q(struct span s, enum charset charset, struct output *o)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '=' && i + 2 < s.n ? digit_of(s.p[i + 1]) : -1, low = high >= 0 ? digit_of(s.p[i + 2]) : -1;
        int byte = low >= 0 ? high << 4 | low : s.p[i] == '_' ? ' ' : s.p[i];
        put_byte(o, (uint8_t)byte, charset);
        i += low >= 0 ? 2 : 0;
    }
}

static void decode_b(struct span s, enum charset charset, struct output *o)
{
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < s.n; i++) {
        int sextet = sextet_of(s.p[i]);
        if (sextet < 0)
            continue;
        bits = bits << 6 | (uint32_t)sextet;
        have += 6;
        if (have >= 8) {
            have -= 8;
            put_byte(o, (uint8_t)(bits >> have), charset);
        }
    }
}

/* Decodes the encoded word at the start of s; returns its length, 0 when there is none. */
static size_t decode_word(struct span s, struct output *o)
{
    size_t mark[3] = {0}, marks = 0, i = 2;
    if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
        return 0;
    for (; i < s.n && s.p[i] > ' ' && marks < 3; i++)
        if (s.p[i] == '?')
            mark[marks++] = i;
    if (marks < 3 || mark[2] + 1 >= s.n || s.p[mark[2] + 1] != '=')
        return 0;
    enum charset charset = charset_of(span_of(s.p + 2, mark[0] - 2));
    struct span text = span_of(s.p + mark[1] + 1, mark[2] - mark[1] - 1);
    uint8_t encoding = mark[1] == mark[0] + 2 ? (uint8_t)(s.p[mark[0] + 1] | 0x20) : 0;
    if (charset == CHARSET_UNKNOWN || (encoding != 'q' && encoding != 'b'))
        return 0;
    if (encoding == 'q')
        decode_q(text, charset, o);
    else
        decode_b(text, charset, o);
    return mark[2] + 2;
}

static size_t blanks(struct span s)
{
    size_t n = 0;
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n++;
    return n;
}

char *figure_header(struct span text, char *to, size_t size)
{
    uint8_t bytes[2048];
    struct output o = {bytes, 0, sizeof bytes};
    bool after_word = false;
    while (text.n) {
        size_t gap = after_word ? blanks(text) : 0,
               word = decode_word(span_from(text, gap), &o); /* white space between two words is none (6.2) */
        after_word = word > 0;
        if (!word)
            put(&o, text.p[0]);
        text = span_from(text, word ? gap + word : 1);
    }
    return log_clean(span_of(bytes, o.n), to, size);
}
