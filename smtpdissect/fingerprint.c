/* In: the start of a message's body. Out: a hash of its text that survives what servers do on the way: folding, 8-bit text made
 * quoted-printable and back, other MIME boundaries. Only letters and digits count, lowered; MIME boundaries, part headers and soft line
 * breaks are passed over. */
#include "base/hash.h"
#include "smtpdissect/session.h"

#define SIGNIFICANT_LEAST 40 /* letters and digits; below it too many mails are alike */
#define SIGNIFICANT_MOST  256

/* A line like "Content-Type: text/plain" of a part's header. */
static bool part_header(struct span line)
{
    uint8_t first = line.n ? line.p[0] | 0x20 : 0;
    return (first == 'c' && span_starts_nocase(line, "content-")) || (first == 'm' && span_starts_nocase(line, "mime-version:"));
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a byte counts as: letters lowered, digits, and all of a text that is not ASCII; 0: not at all. */
#define FOUR(c)    (c), (c) + 1, (c) + 2, (c) + 3
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)
#define DIGITS     FOUR('0'), FOUR('4'), '8', '9'
#define LETTERS    SIXTEEN('a'), FOUR('q'), FOUR('u'), 'y', 'z'
#define HIGH(c)    SIXTEEN(c), SIXTEEN((c) + 16), SIXTEEN((c) + 32), SIXTEEN((c) + 48)
static const uint8_t counts_as[256] = {['0'] = DIGITS, ['A'] = LETTERS, ['a'] = LETTERS, [0x80] = HIGH(0x80), [0xc0] = HIGH(0xc0)};

/* Adds what counts of `text` to the n bytes kept, while there is room; returns how many there are then.  No branch a byte: what counts
 * follows no pattern. */
static size_t keep(uint8_t kept[SIGNIFICANT_MOST], size_t n, struct span text)
{
    while (text.n && n < SIGNIFICANT_MOST) {
        struct span part = span_head(text, SIGNIFICANT_MOST - n); /* there is room for all of it */
        for (size_t i = 0; i < part.n; i++) {
            uint8_t c = counts_as[part.p[i]];
            kept[n] = c;
            n += c != 0;
        }
        text = span_from(text, part.n);
    }
    return n;
}

/* The same with quoted-printable undone (RFC 2045, 6.7). */
static size_t keep_line(uint8_t kept[SIGNIFICANT_MOST], size_t n, struct span line)
{
    const uint8_t *mark;
    while (line.n && n < SIGNIFICANT_MOST && (mark = memchr(line.p, '=', line.n))) {
        size_t at = (size_t)(mark - line.p);
        n = keep(kept, n, span_head(line, at));
        line = span_from(line, at);
        size_t taken = 1;
        if (line.n > 2 && hex(line.p[1]) >= 0 && hex(line.p[2]) >= 0) {
            uint8_t c = (uint8_t)(hex(line.p[1]) << 4 | hex(line.p[2]));
            n = keep(kept, n, span_of(&c, 1));
            taken = 3;
        }
        line = span_from(line, taken);
    }
    return keep(kept, n, line);
}

uint64_t fingerprint_of(struct span body)
{
    uint8_t kept[SIGNIFICANT_MOST];
    size_t n = 0;
    bool in_part_header = false;
    while (body.n && n < sizeof kept) {
        const uint8_t *lf = memchr(body.p, '\n', body.n);
        struct span line = span_head(body, lf ? (size_t)(lf - body.p) : body.n);
        body = span_from(body, line.n + 1);
        line = span_trim(line);
        if (line.n > 2 && line.p[0] == '-' && line.p[1] == '-') {
            in_part_header = true;
            continue;
        }
        if (line.n == 0)
            in_part_header = false;
        if (!in_part_header && !part_header(line))
            n = keep_line(kept, n, line);
    }
    return n < SIGNIFICANT_LEAST ? 0 : hash_bytes(kept, n);
}
