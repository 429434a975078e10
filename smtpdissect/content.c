/* In: the bytes of message content. Out: where it ends; what of its header matters, kept until the reply; the fingerprint of its body; of a
 * bounce the start of the body; nothing else of it. */
#include "smtpdissect/fields.h"
#include "smtpdissect/find.h"
#include "smtpdissect/session.h"

/* ---- the end of data --------------------------------------------------------------------------------------------------------- */

/* States between bytes. The end of data is CR LF "." CR LF (RFC 5321, 4.1.1.4); with any other line end in it, some servers take it for
 * the end and some do not: it is a candidate, and the server's reply decides. */
enum scan { MID_LINE, AFTER_CR, STRICT_START, BARE_START, STRICT_DOT, BARE_DOT, STRICT_DOT_CR, BARE_DOT_CR };

static enum scan step(enum scan state, uint8_t c, enum content_end *end)
{
    *end = CONTENT_GOES_ON;
    switch (c) {
    case '\n':
        if (state == STRICT_DOT_CR)
            *end = CONTENT_END;
        else if (state >= STRICT_DOT)
            *end = CONTENT_CANDIDATE;
        return state == AFTER_CR || state == STRICT_DOT_CR || state == BARE_DOT_CR ? STRICT_START : BARE_START;
    case '\r': return state == STRICT_DOT ? STRICT_DOT_CR : state == BARE_DOT ? BARE_DOT_CR : AFTER_CR;
    case '.': return state == STRICT_START ? STRICT_DOT : state == BARE_START ? BARE_DOT : MID_LINE;
    default: return MID_LINE;
    }
}

size_t content_scan(uint8_t *state, struct span bytes, enum content_end *end)
{
    const uint8_t *p = bytes.p, *stop = bytes.p + bytes.n;
    enum scan now = (enum scan) * state;
    *end = CONTENT_GOES_ON;
    while (p < stop) {
        if (now == MID_LINE) {
            const uint8_t *dot = memchr(p, '.', (size_t)(stop - p)); /* base64 has none: that costs a third of the search below */
            const uint8_t *from = !dot ? stop : dot > p ? dot - 1 : p;
            const uint8_t *found = from + find_pair(span_of(from, (size_t)(stop - from)), '\n', '.', '.');
            const uint8_t *last = found < stop ? found : stop - 1;
            if (last > p) { /* straight to the last byte that matters; what stands before it says what it is */
                now = last[-1] == '\r' ? AFTER_CR : last[-1] == '\n' ? BARE_START : MID_LINE;
                if (now == BARE_START && last - 1 > p && last[-2] == '\r')
                    now = STRICT_START;
                p = last;
            }
        }
        now = step(now, *p++, end);
        if (*end != CONTENT_GOES_ON)
            break;
    }
    *state = (uint8_t)now;
    return (size_t)(p - bytes.p);
}

/* ---- what is kept ------------------------------------------------------------------------------------------------------------ */

#define SEGMENT_USUAL      1460 /* bytes: of Ethernet */
#define CONTENTS_A_SESSION 2    /* on average; a queue of chunks may hold more */

enum { LINE_MIDDLE, LINE_BEGIN, LINE_BEGIN_CR }; /* of the header: where the next byte stands in its line; after a CR that begins it */

struct content *content_new(struct smtp *s, bool report)
{
    struct dissector *d = s->d;
    struct content *c = d->contents < (size_t)d->settings.sessions * CONTENTS_A_SESSION ? slabs_get(d->slabs, sizeof *c) : NULL;
    if (!c)
        return NULL;
    d->contents++;
    *c = (struct content){.end = TIME_UNKNOWN, .references = 1, .report = report, .line = LINE_BEGIN};
    return c;
}

/* Nothing more of the body matters. */
static void settle(struct smtp *s, struct content *c, uint64_t fingerprint)
{
    if (c->settled)
        return;
    slabs_put(s->d->slabs, c->reading, sizeof *c->reading);
    c->fingerprint = fingerprint;
    c->settled = true;
}

void content_release(struct smtp *s, struct content *c)
{
    if (!c || --c->references)
        return;
    text_clear(s->d->stock, &c->kept);
    settle(s, c, 0);
    slabs_put(s->d->slabs, c, sizeof *c);
    s->d->contents--;
}

/* Where in its line the byte after these of the header stands. */
static uint8_t line_after(uint8_t line, struct span bytes)
{
    uint8_t last = bytes.p[bytes.n - 1];
    bool begun = bytes.n > 1 ? bytes.p[bytes.n - 2] == '\n' : line == LINE_BEGIN; /* before the last byte */
    return last == '\n' ? LINE_BEGIN : last == '\r' && begun ? LINE_BEGIN_CR : LINE_MIDDLE;
}

/* How many of the bytes, at least one, are of the header, with the empty line that ends it; *ended: that line is whole. */
static size_t scan_header(uint8_t line, struct span bytes, bool *ended)
{
    *ended = true;
    if (line != LINE_MIDDLE) {
        size_t n = line == LINE_BEGIN && bytes.p[0] == '\r';
        if (n < bytes.n && bytes.p[n] == '\n')
            return n + 1;
    }
    for (size_t at = 0; (at += find_pair(span_from(bytes, at), '\n', '\n', '\r')) < bytes.n; at++) {
        size_t last = at + (bytes.p[at + 1] == '\r' ? 2 : 1);
        if (last < bytes.n && bytes.p[last] == '\n')
            return last + 1;
    }
    *ended = false;
    return bytes.n;
}

/* If the header that begins the text is whole, keeps what of it matters.  False: no memory. */
static bool pack_header(struct smtp *s, struct content *c, struct span text)
{
    struct text packed = {NULL, 0, 0};
    size_t end = 0;
    uint8_t usual[SEGMENT_USUAL + FIELD_WORD];
    bool fits = text.n <= SEGMENT_USUAL;
    uint8_t *to = fits ? usual : arena_get(s->d->arena, text.n + FIELD_WORD);
    size_t n = to ? fields_pack(text, to, &end) : 0;
    bool good = to && (end == 0 || text_add(s->d->stock, &packed, span_of(to, n), n) == n);
    if (!fits)
        arena_reset(s->d->arena);
    if (!good || end == 0)
        return good;
    c->header_end = (uint32_t)end;
    c->packed = (uint32_t)n;
    text_clear(s->d->stock, &c->kept);
    c->kept = packed;
    return true;
}

/* Takes the header's part of the bytes; false: the header goes on, or was cut. */
static bool take_header(struct smtp *s, struct content *c, struct span *bytes)
{
    size_t most = (size_t)s->d->settings.header_bytes;
    bool first = c->kept.n == 0, good = !first || pack_header(s, c, span_head(*bytes, most));
    if (c->header_end) {
        *bytes = span_from(*bytes, c->header_end);
        return true;
    }
    if (good) { /* it is in pieces */
        bool ended = false;
        size_t n = first && bytes->n <= most ? bytes->n : scan_header(c->line, *bytes, &ended);
        struct span part = span_head(*bytes, n);
        good = text_add(s->d->stock, &c->kept, part, most) == n && (!ended || pack_header(s, c, text_span(&c->kept)));
        c->line = line_after(c->line, part);
        *bytes = span_from(*bytes, n);
    }
    if (!good) {
        c->header_cut = true;
        s->d->counters.headers_cut++;
    }
    return c->header_end != 0;
}

/* Gives the fingerprint the body's start; one that needs more is kept. */
static void take_body(struct smtp *s, struct content *c, struct span bytes, bool last)
{
    bytes = span_head(bytes, BODY_READ - c->body_seen);
    c->body_seen = (uint16_t)(c->body_seen + bytes.n);
    if (c->settled || bytes.n == 0)
        return;
    struct fingerprint begun, *f = c->reading;
    if (!f && last && bytes.n < FINGERPRINT_LEAST) {
        settle(s, c, 0);
        return;
    }
    if (!f) {
        begun = (struct fingerprint){.count = 0};
        f = &begun;
    }
    fingerprint_add(f, bytes);
    if (last || fingerprint_full(f) || c->body_seen == BODY_READ) {
        settle(s, c, fingerprint_end(f));
    } else if (f == &begun) {
        c->reading = slabs_get(s->d->slabs, sizeof begun);
        c->body_cut = c->reading == NULL;
        if (c->reading)
            *c->reading = begun;
    }
}

void content_take(struct smtp *s, struct content *c, struct span bytes, bool last)
{
    c->bytes += bytes.n;
    if (c->header_cut || c->body_cut || bytes.n == 0)
        return;
    if (!c->header_end && !take_header(s, c, &bytes))
        return;
    if (c->report)
        text_add(s->d->stock, &c->kept, bytes, c->packed + REPORT_KEPT);
    else if (c->body_seen < BODY_READ)
        take_body(s, c, bytes, last);
}

void content_gap(struct content *c, uint64_t n)
{
    c->bytes += n;
    c->gap_bytes += n;
    if (!c->header_end) { /* the header is what came before, whole lines of it */
        c->header_cut = true;
        const uint8_t *lf = c->kept.n ? memrchr(c->kept.p, '\n', c->kept.n) : NULL;
        c->kept.n = lf ? (uint32_t)(lf - c->kept.p) + 1 : 0;
    } else if (c->report ? c->kept.n < c->packed + REPORT_KEPT : c->body_seen < BODY_READ) {
        c->body_cut = true; /* the fingerprint and a bounce's report end here */
    }
}

uint64_t content_fingerprint(const struct content *c)
{
    if (c->body_cut || !c->header_end)
        return 0;
    if (c->settled)
        return c->fingerprint;
    if (c->report)
        return fingerprint_of(span_head(span_from(text_span(&c->kept), c->packed), BODY_READ));
    return c->reading ? fingerprint_end(c->reading) : 0;
}

void content_end(struct smtp *s, struct content *c, int64_t end)
{
    c->end = end;
    settle(s, c, content_fingerprint(c));
}
