/* In: the start of a message's body, as it comes. Out: a hash of its text that survives what servers do on the way: folding, 8-bit text
 * made quoted-printable and back, other MIME boundaries. Only letters and digits count, lowered; MIME boundaries, part headers and soft
 * line breaks are passed over. */
#include "base/hash.h"
#include "smtpdissect/fingerprint.h"

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

struct kept { /* what counts, of the lines at hand; first what was left of the lines before */
    uint8_t p[FINGERPRINT_BLOCK + SIGNIFICANT_MOST];
    size_t n, most;
};

static inline uint8_t *keep_byte(uint8_t *to, uint8_t c) /* no branch: what counts follows no pattern */
{
    *to = counts_as[c];
    return to + (counts_as[c] != 0);
}

/* Keeps what counts of `text`, while there is room. */
static void keep(struct kept *k, struct span text)
{
    while (text.n && k->n < k->most) {
        struct span part = span_head(text, k->most - k->n); /* there is room for all of it */
        const uint8_t *from = part.p, *end = part.p + part.n;
        uint8_t *to = k->p + k->n;
        for (; end - from >= 4; from += 4) {
            to = keep_byte(to, from[0]);
            to = keep_byte(to, from[1]);
            to = keep_byte(to, from[2]);
            to = keep_byte(to, from[3]);
        }
        for (; from < end; from++)
            to = keep_byte(to, *from);
        k->n = (size_t)(to - k->p);
        text = span_from(text, part.n);
    }
}

/* The same with quoted-printable undone (RFC 2045, 6.7). */
static void keep_line(struct kept *k, struct span line)
{
    const uint8_t *mark;
    while (line.n && k->n < k->most && (mark = memchr(line.p, '=', line.n))) {
        size_t at = (size_t)(mark - line.p), taken = 1;
        keep(k, span_head(line, at));
        line = span_from(line, at);
        if (line.n > 2 && hex(line.p[1]) >= 0 && hex(line.p[2]) >= 0) {
            uint8_t c = (uint8_t)((unsigned)hex(line.p[1]) << 4 | (unsigned)hex(line.p[2]));
            keep(k, span_of(&c, 1));
            taken = 3;
        }
        line = span_from(line, taken);
    }
    keep(k, line);
}

bool fingerprint_full(const struct fingerprint *f)
{
    return f->count == SIGNIFICANT_MOST;
}

void fingerprint_add(struct fingerprint *f, struct span lines)
{
    size_t left = f->count % FINGERPRINT_BLOCK, at = 0;
    struct kept k;
    memcpy(k.p, f->last.block, sizeof f->last.block);
    k.n = left;
    k.most = left + SIGNIFICANT_MOST - f->count;
    while (lines.n && k.n < k.most) {
        const uint8_t *lf = memchr(lines.p, '\n', lines.n);
        struct span line = span_head(lines, lf ? (size_t)(lf - lines.p) : lines.n);
        lines = span_from(lines, line.n + 1);
        line = span_trim(line);
        if (line.n > 2 && line.p[0] == '-' && line.p[1] == '-') {
            f->in_part_header = true;
            continue;
        }
        if (line.n == 0)
            f->in_part_header = false;
        if (!f->in_part_header && !part_header(line))
            keep_line(&k, line);
    }
    f->count = (uint16_t)(f->count + k.n - left);
    for (; k.n - at >= FINGERPRINT_BLOCK; at += FINGERPRINT_BLOCK) {
        memcpy(f->last.block, k.p + at, FINGERPRINT_BLOCK);
        f->last.sum = hash_bytes(&f->last, sizeof f->last);
    }
    memcpy(f->last.block, k.p + at, k.n - at);
}

uint64_t fingerprint_end(const struct fingerprint *f)
{
    if (f->count < SIGNIFICANT_LEAST)
        return 0;
    return hash_pair(f->last.sum, hash_bytes(f->last.block, f->count % FINGERPRINT_BLOCK));
}

uint64_t fingerprint_of(struct span body)
{
    struct fingerprint f = {0};
    fingerprint_add(&f, body);
    return fingerprint_end(&f);
}
