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
        if (in_part_header || part_header(line))
            continue;
        for (size_t i = 0; i < line.n && n < sizeof kept; i++) {
            uint8_t c = line.p[i];
            if (c == '=' && i + 2 < line.n && hex(line.p[i + 1]) >= 0 && hex(line.p[i + 2]) >= 0) { /* quoted-printable (RFC 2045, 6.7) */
                c = (uint8_t)(hex(line.p[i + 1]) << 4 | hex(line.p[i + 2]));
                i += 2;
            }
            uint8_t low = c | 0x20;
            bool letter = low >= 'a' && low <= 'z', counts = letter | (c >= 0x80) | (c >= '0' && c <= '9');
            kept[n] = letter ? low : c; /* no branch: what counts follows no pattern */
            n += counts;
        }
    }
    return n < SIGNIFICANT_LEAST ? 0 : hash_bytes(kept, n);
}
