/* In: the first segments of a connection on no mail port.  Out: a verdict, to track.c.
 *
 * Two judges.  The lines themselves: a greeting that says SMTP, or one that does not (FTP says 220 too) but is followed by a verb that only
 * SMTP has; most other protocols show with their first byte that they are none.  For what is still undecided then, nDPI, with the smallest
 * set of protocols.  It misses what is split over segments, and the lines do not.
 * nDPI notes user and password of AUTH in its record of the flow: the record is fed eight segments at most, wiped and freed. */
#include "capture/detect.h"

#include <stdlib.h>
#include <string.h>

#include <ndpi_api.h>

#include "base/pool.h"

#define PACKETS_MOST 8    /* segments shown to nDPI */
#define KEPT_BYTES 4096u  /* before the verdict; a greeting and a few commands */
#define KEPT_CUTS 160u    /* pieces; a dialogue typed character by character is decided after the first command */
#define LINE_MOST 512u    /* RFC 5321, 4.5.3.1.4 and 5 */
#define LINES_MOST 8u     /* commands looked at */

struct cut {
    int64_t time;
    uint64_t n;
    enum side from;
    bool gap;
};

struct detection {
    struct detection *older, *newer;
    void *owner;
    bool whole;
    uint8_t packets; /* shown to nDPI */
    uint16_t cuts, bytes;
    struct cut cut[KEPT_CUTS];
    uint8_t kept[KEPT_BYTES];
    struct ndpi_flow_struct flow;
};

struct detector {
    struct pool *pool;
    struct detection *oldest, *newest;
    struct ndpi_detection_module_struct *module; /* made for the first flow that needs it: it is large and slow to make */
    bool no_module;                              /* it could not be made */
};

struct detector *detect_new(size_t most)
{
    struct detector *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->pool = pool_new(sizeof(struct detection), most);
    if (!d->pool) {
        detect_free(d);
        return NULL;
    }
    return d;
}

void detect_free(struct detector *d)
{
    if (!d)
        return;
    if (d->module)
        ndpi_exit_detection_module(d->module);
    pool_free(d->pool);
    free(d);
}

struct detection *detect_begin(struct detector *d, bool whole, void *owner)
{
    struct detection *x = pool_get(d->pool);
    if (!x)
        return NULL;
    x->whole = whole;
    x->packets = 0;
    x->cuts = x->bytes = 0;
    x->owner = owner;
    x->older = d->newest;
    x->newer = NULL;
    if (d->newest)
        d->newest->newer = x;
    else
        d->oldest = x;
    d->newest = x;
    return x;
}

void *detect_oldest(const struct detector *d)
{
    return d->oldest ? d->oldest->owner : NULL;
}

void detect_end(struct detector *d, struct detection *x)
{
    if (!x)
        return;
    if (x->packets) {
        ndpi_free_flow_data(&x->flow);
        explicit_bzero(&x->flow, sizeof x->flow);
    }
    explicit_bzero(x->kept, x->bytes);
    if (x->older)
        x->older->newer = x->newer;
    else
        d->oldest = x->newer;
    if (x->newer)
        x->newer->older = x->older;
    else
        d->newest = x->older;
    pool_put(d->pool, x);
}

/* ---- nDPI */

static bool module_ready(struct detector *d)
{
    if (d->module || d->no_module)
        return d->module;
    d->module = ndpi_init_detection_module(ndpi_no_prefs);
    if (!d->module) {
        d->no_module = true;
        return false;
    }
    NDPI_PROTOCOL_BITMASK wanted;
    NDPI_BITMASK_RESET(wanted);
    NDPI_BITMASK_ADD(wanted, NDPI_PROTOCOL_MAIL_SMTP);
    NDPI_BITMASK_ADD(wanted, NDPI_PROTOCOL_MAIL_SMTPS);
    NDPI_BITMASK_ADD(wanted, NDPI_PROTOCOL_TLS);
    ndpi_set_protocol_detection_bitmask2(d->module, &wanted);
    ndpi_finalize_initialization(d->module);
    return true;
}

enum detect_verdict detect_packet(struct detector *d, struct detection *x, const struct packet *p)
{
    if (x->packets >= PACKETS_MOST || p->payload.n != p->length || p->ip.n > UINT16_MAX || !module_ready(d))
        return DETECT_UNDECIDED;
    if (x->packets++ == 0)
        memset(&x->flow, 0, sizeof x->flow);
    uint64_t ms = (uint64_t)(p->time / 1000000);
    ndpi_protocol said = ndpi_detection_process_packet(d->module, &x->flow, p->ip.p, (unsigned short)p->ip.n, ms);
    for (int i = 0; i < 2; i++) {
        uint16_t one = i ? said.app_protocol : said.master_protocol;
        if (one == NDPI_PROTOCOL_MAIL_SMTP || one == NDPI_PROTOCOL_MAIL_SMTPS)
            return DETECT_SMTP;
        if (one == NDPI_PROTOCOL_TLS)
            return DETECT_OTHER;
    }
    return DETECT_UNDECIDED;
}

/* ---- the lines */

/* What the beginning of one side's text tells. */
enum sign { SIGN_NONE, SIGN_OPEN, SIGN_REPLY, SIGN_GREETING, SIGN_COMMAND, SIGN_HELLO };

static bool text_begins(struct span s, const char *word, bool *open)
{
    size_t n = strlen(word);
    if (s.n < n && strncasecmp((const char *)s.p, word, s.n) == 0)
        *open = true; /* so far it does */
    return s.n >= n && strncasecmp((const char *)s.p, word, n) == 0;
}

static bool ends_word(struct span line, size_t at)
{
    return at < line.n && (line.p[at] == ' ' || line.p[at] == '\r' || line.p[at] == '\n' || line.p[at] == '\t');
}

/* The sign of one line; SIGN_NONE: no line of SMTP. */
static enum sign line_sign(struct span line)
{
    static const char *const hello[] = {"EHLO", "HELO", "LHLO"};
    static const char *const mail[] = {"MAIL FROM:", "RCPT TO:"};
    static const char *const verbs[] = {"NOOP", "RSET", "QUIT", "STARTTLS", "AUTH ", "DATA", "BDAT ", "VRFY ", "EXPN ", "HELP", "XCLIENT ",
        "XFORWARD ", "PROXY TCP", "MAIL ", "RCPT "};
    bool open = line.n == 0, done = memchr(line.p, '\n', line.n);
    size_t digits = 0;
    while (digits < 3 && digits < line.n && line.p[digits] >= '0' && line.p[digits] <= '9')
        digits++;
    if (digits == 3 && line.n > 3 && (line.p[3] == ' ' || line.p[3] == '-' || line.p[3] == '\r' || line.p[3] == '\n')) {
        if (memcmp(line.p, "220", 3) == 0 && (span_contains_nocase(line, "SMTP") || span_contains_nocase(line, "LMTP")))
            return SIGN_GREETING;
        return done ? SIGN_REPLY : SIGN_OPEN;
    }
    if (digits && digits == line.n)
        return SIGN_OPEN;
    for (size_t i = 0; i < sizeof hello / sizeof *hello; i++)
        if (text_begins(line, hello[i], &open) && (line.n == 4 || ends_word(line, 4)))
            return line.n == 4 ? SIGN_OPEN : SIGN_HELLO;
    for (size_t i = 0; i < sizeof mail / sizeof *mail; i++)
        if (text_begins(line, mail[i], &open))
            return SIGN_HELLO;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (text_begins(line, verbs[i], &open))
            return done ? SIGN_COMMAND : SIGN_OPEN;
    return open ? SIGN_OPEN : SIGN_NONE;
}

/* The strongest sign among the first lines of one side; SIGN_NONE as soon as one of them is none of SMTP's. */
static enum sign text_sign(struct span text)
{
    enum sign strongest = SIGN_OPEN;
    for (unsigned i = 0; i < LINES_MOST && text.n; i++) {
        const uint8_t *lf = memchr(text.p, '\n', text.n);
        size_t n = lf ? (size_t)(lf - text.p) + 1 : text.n;
        enum sign one = line_sign(span_head(text, n));
        if (one == SIGN_NONE)
            return SIGN_NONE;
        strongest = one > strongest ? one : strongest;
        text = span_from(text, n);
    }
    return strongest;
}

/* What one side has said so far, and `more` if it is its own; up to the first gap. */
static struct span side_text(const struct detection *x, enum side side, enum side from, struct span more, uint8_t text[LINE_MOST])
{
    size_t n = 0, at = 0;
    for (unsigned i = 0; i <= x->cuts; i++) {
        bool last = i == x->cuts;
        struct span piece = last ? more : span_of(x->kept + at, x->cut[i].gap ? 0 : (size_t)x->cut[i].n);
        at += last ? 0 : piece.n;
        if ((last ? from : x->cut[i].from) != side)
            continue;
        if (!last && x->cut[i].gap)
            break;
        piece = span_head(piece, LINE_MOST - n);
        if (piece.n)
            memcpy(text + n, piece.p, piece.n);
        n += piece.n;
    }
    return span_of(text, n);
}

static bool printable(struct span text)
{
    for (size_t i = 0; i < text.n && i < 16; i++)
        if (text.p[i] < ' ' && text.p[i] != '\r' && text.p[i] != '\n' && text.p[i] != '\t')
            return false;
    return true;
}

static enum detect_verdict judge(const struct detection *x, enum side from, struct span more)
{
    uint8_t room[2][LINE_MOST];
    enum sign sign[2];
    bool strange = false;
    for (enum side s = CLIENT; s <= SERVER; s++) {
        struct span text = side_text(x, s, from, more, room[s]);
        sign[s] = text_sign(text);
        if (sign[s] == SIGN_NONE && (x->whole || !printable(text)))
            return DETECT_OTHER;
        strange |= sign[s] == SIGN_NONE;
    }
    if (sign[CLIENT] == SIGN_GREETING || sign[SERVER] == SIGN_GREETING)
        return DETECT_SMTP;
    if (!strange && (sign[CLIENT] == SIGN_HELLO || sign[SERVER] == SIGN_HELLO))
        return DETECT_SMTP;
    return DETECT_UNDECIDED;
}

static enum detect_verdict keep(struct detection *x, enum side from, struct span bytes, uint64_t gap, int64_t now)
{
    if (x->cuts == KEPT_CUTS || bytes.n > KEPT_BYTES - x->bytes)
        return DETECT_OTHER;
    x->cut[x->cuts++] = (struct cut){now, gap ? gap : bytes.n, from, gap != 0};
    if (bytes.n)
        memcpy(x->kept + x->bytes, bytes.p, bytes.n);
    x->bytes = (uint16_t)(x->bytes + bytes.n);
    return DETECT_UNDECIDED;
}

enum detect_verdict detect_bytes(struct detection *x, enum side from, struct span bytes, int64_t now)
{
    enum detect_verdict v = judge(x, from, bytes);
    return v == DETECT_UNDECIDED ? keep(x, from, bytes, 0, now) : v;
}

enum detect_verdict detect_gap(struct detection *x, enum side from, uint64_t n, int64_t now)
{
    return keep(x, from, span_of(NULL, 0), n, now);
}

void detect_replay(const struct detection *x, void (*piece)(void *user, enum side from, struct span bytes, int64_t time), void *user)
{
    const uint8_t *p = x->kept;
    for (unsigned i = 0; i < x->cuts; i++) {
        const struct cut *c = &x->cut[i];
        piece(user, c->from, span_of(c->gap ? NULL : p, (size_t)c->n), c->time);
        p += c->gap ? 0 : c->n;
    }
}
