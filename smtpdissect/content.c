/* In: the bytes of message content.  Out: where it ends; its header and the start of its body, kept until the reply; nothing else of it. */
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
            const uint8_t *found = p + find_pair(span_of(p, (size_t)(stop - p)), '\n', '.', '.');
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

struct content *content_new(struct smtp *s, bool report)
{
    struct content *c = pool_get(s->d->contents);
    if (!c)
        return NULL;
    *c = (struct content){.end = TIME_UNKNOWN, .references = 1, .report = report, .keep = (uint32_t)s->d->settings.header_bytes};
    return c;
}

void content_release(struct smtp *s, struct content *c)
{
    if (!c || --c->references)
        return;
    text_clear(s->d->stock, &c->kept);
    pool_put(s->d->contents, c);
}

/* The empty line that ends the header: header_end is the first byte of the body. */
static void find_header_end(struct content *c)
{
    struct span kept = text_span(&c->kept);
    if (c->searched < 2) { /* an empty line before all others */
        size_t n = kept.n && kept.p[0] == '\r';
        if (kept.n > n && kept.p[n] == '\n') {
            c->header_end = (uint32_t)n + 1;
            return;
        }
    }
    /* "\n\n" or "\n\r\n", of which all but the last byte may have been there before */
    size_t at = c->searched > 2 ? c->searched - 2 : 0;
    for (; (at += find_pair(span_from(kept, at), '\n', '\n', '\r')) < kept.n; at++) {
        size_t last = at + (kept.p[at + 1] == '\r' ? 2 : 1);
        if (last < kept.n && kept.p[last] == '\n') {
            c->header_end = (uint32_t)last + 1;
            return;
        }
    }
    c->searched = c->kept.n;
}

void content_take(struct smtp *s, struct content *c, struct span bytes)
{
    c->bytes += bytes.n;
    if (c->header_cut || c->kept.n >= c->keep)
        return;
    size_t taken = text_add(s->d->stock, &c->kept, bytes, c->keep);
    if (c->header_end)
        return;
    find_header_end(c);
    if (c->header_end) {
        c->keep = c->header_end + (c->report ? REPORT_KEPT : BODY_KEPT);
        if (c->kept.n > c->keep)
            c->kept.n = c->keep;
        text_add(s->d->stock, &c->kept, span_from(bytes, taken), c->keep);
    } else if (taken < bytes.n) {
        c->header_cut = true;
        s->d->counters.headers_cut++;
    }
}

void content_gap(struct content *c, uint64_t n)
{
    c->bytes += n;
    c->gap_bytes += n;
    if (!c->header_end) { /* the header is what came before, whole lines of it */
        c->header_cut = true;
        const uint8_t *lf = c->kept.n ? memrchr(c->kept.p, '\n', c->kept.n) : NULL;
        c->kept.n = lf ? (uint32_t)(lf - c->kept.p) + 1 : 0;
    } else if (c->kept.n < c->keep) { /* the fingerprint and a bounce's report end here */
        c->body_cut = true;
        c->keep = c->kept.n;
    }
}
