/* In: the start of a message's body, as it comes. Out: a hash of its text that survives what servers do on the way: folding, 8-bit text
 * made quoted-printable and back, other MIME boundaries. Only letters and digits count, lowered; MIME boundaries, part headers and soft
 * line breaks are passed over.
 *
 * 64 bytes a step: two words of bits say which of them count and which are a line's end or "="; the runs of those that count are moved
 * together, then lowered and summed, 32 at a time. */
#include "smtpdissect/fingerprint.h"

#include "base/hash.h"
#include "smtpdissect/find.h"

#define SIGNIFICANT_MOST 256  /* letters and digits */
#define STEP             64   /* bytes */
#define PIECE            1024 /* of what comes */
#define RUN_USUAL        16   /* bytes moved at once */

enum line { LINE_BEGINS, LINE_COUNTS, LINE_PASSED }; /* the one at hand; LINE_BEGINS: more of it must be seen */

struct text { /* what was cut off before, and a piece of what comes; zeros behind it */
    uint8_t p[FINGERPRINT_CUT + PIECE + 2 * STEP];
    size_t n;
};

struct letters { /* those that count; first what was left of those before, at the end what is moved too much */
    uint8_t p[FINGERPRINT_BLOCK + SIGNIFICANT_MOST + 2 * STEP];
    size_t n;
};

/* ---- lines ------------------------------------------------------------------------------------------------------------------- */

#define BLANKS(c) [' '] = (c), ['\t'] = (c), ['\r'] = (c), ['\n'] = (c)
static const bool must_be_read[256] = {
    BLANKS(true), ['\0'] = true, ['-'] = true, ['c'] = true, ['C'] = true, ['m'] = true, ['M'] = true};

static size_t past_blanks(const struct text *t, size_t at)
{
    while (at < t->n && t->p[at] != '\n' && span_blank(t->p[at]))
        at++;
    return at;
}

/* A line of a part's header begins as `name` does. */
static enum line compare_name(const struct text *t, size_t at, struct span name)
{
    size_t n = t->n - at < name.n ? t->n - at : name.n;
    return !span_same_nocase(t->p + at, name.p, n) ? LINE_COUNTS : n < name.n ? LINE_BEGINS : LINE_PASSED;
}

/* What the line that begins at `*at`, or after blanks there, is: a boundary ("--" and more), of a part's header, or text. */
static enum line read_line(struct fingerprint *f, const struct text *t, size_t *at)
{
    *at = past_blanks(t, *at);
    size_t left = t->n - *at;
    if (left == 0 || (left == 1 && t->p[*at] == '-'))
        return LINE_BEGINS;
    if (t->p[*at] == '\n') {
        f->in_part_header = false;
        return LINE_COUNTS;
    }
    if (t->p[*at] == '-' && t->p[*at + 1] == '-') {
        size_t more = past_blanks(t, *at + 2);
        if (more == t->n)
            return LINE_BEGINS;
        f->in_part_header |= t->p[more] != '\n';
    }
    if (f->in_part_header)
        return LINE_PASSED;
    switch (t->p[*at] | 0x20) {
    case 'c': return compare_name(t, *at, span_text("content-"));
    case 'm': return compare_name(t, *at, span_text("mime-version:"));
    default: return LINE_COUNTS;
    }
}

static inline enum line line_at(struct fingerprint *f, const struct text *t, size_t *at)
{
    return must_be_read[t->p[*at]] || f->in_part_header ? read_line(f, t, at) : LINE_COUNTS; /* most often this decides */
}

/* ---- what counts ------------------------------------------------------------------------------------------------------------- */

/* Letters, digits, and all of a text that is not ASCII. */
static bool counts(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c >= 0x80;
}

struct bits { /* of STEP bytes, the first lowest */
    uint64_t count;
    uint64_t end; /* a line feed, or "=" */
};

#ifdef __SSE2__
/* Of each byte whether it is one of `many` that end with `last`; above ASCII none is. */
static inline __m128i among(__m128i x, char last, char many)
{
    return _mm_cmpgt_epi8(_mm_add_epi8(x, _mm_set1_epi8((char)(0x7f - last))), _mm_set1_epi8((char)(0x7f - many)));
}

static inline struct bits bits_of_sixteen(const uint8_t *p)
{
    __m128i x = find_load(p);
    __m128i letter = among(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'z', 26), digit = among(x, '9', 10);
    __m128i end = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(x, _mm_set1_epi8('=')));
    return (struct bits){(unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), x)), (unsigned)_mm_movemask_epi8(end)};
}

static inline struct bits bits_of(const uint8_t *p)
{
    struct bits a = bits_of_sixteen(p), b = bits_of_sixteen(p + 16), c = bits_of_sixteen(p + 32), d = bits_of_sixteen(p + 48);
    return (struct bits){a.count | b.count << 16 | c.count << 32 | d.count << 48, a.end | b.end << 16 | c.end << 32 | d.end << 48};
}

static void lower(uint8_t *p, size_t n) /* and what stands up to fifteen bytes behind */
{
    for (size_t i = 0; i < n; i += 16) {
        __m128i x = find_load(p + i), upper = among(x, 'Z', 26);
        _mm_storeu_si128((__m128i *)(void *)(p + i), _mm_or_si128(x, _mm_and_si128(upper, _mm_set1_epi8(0x20))));
    }
}
#else
static struct bits bits_of(const uint8_t *p)
{
    struct bits b = {0, 0};
    for (unsigned i = 0; i < STEP; i++) {
        b.count |= (uint64_t)counts(p[i]) << i;
        b.end |= (uint64_t)(p[i] == '\n' || p[i] == '=') << i;
    }
    return b;
}

static void lower(uint8_t *p, size_t n)
{
    span_lower_all(span_of(p, n), p);
}
#endif

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of a "=4A" (RFC 2045, 6.7) nothing is left but what it stands for, where that counts. */
static bool undo_quoting(uint8_t *mark)
{
    int high = hex(mark[1]), low = high < 0 ? -1 : hex(mark[2]);
    if (low < 0)
        return false;
    uint8_t c = (uint8_t)(high << 4 | low);
    mark[1] = 0;
    mark[2] = counts(c) ? c : 0;
    return true;
}

static inline void move_runs(struct letters *l, const uint8_t *from, uint64_t count)
{
    uint8_t *to = l->p + l->n;
    for (uint64_t edges = count ^ count << 1; edges; edges &= edges - 1) { /* where a run begins; where it has ended, if within STEP */
        unsigned begin = (unsigned)__builtin_ctzll(edges);
        edges &= edges - 1;
        unsigned n = (edges ? (unsigned)__builtin_ctzll(edges) : STEP) - begin;
        memcpy(to, from + begin, RUN_USUAL);
        if (n > RUN_USUAL)
            memcpy(to + RUN_USUAL, from + begin + RUN_USUAL, STEP - RUN_USUAL);
        to += n;
    }
    l->n = (size_t)(to - l->p);
}

/* Moves to `l` what counts of the text, up to `most`; returns where a line begins of which too little is there, else the end. */
static size_t take_letters(struct fingerprint *f, struct text *t, struct letters *l, size_t most)
{
    size_t begin = 0;
    enum line line = f->line == LINE_BEGINS ? line_at(f, t, &begin) : (enum line)f->line;
    for (size_t at = 0; at < t->n && l->n < most; at += STEP) {
        struct bits b = bits_of(t->p + at);
        uint64_t passed = line == LINE_COUNTS ? 0 : UINT64_MAX;
        for (uint64_t end = b.end; end; end &= end - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(end);
            uint64_t behind = ~UINT64_C(1) << bit;
            if (t->p[at + bit] == '\n') {
                begin = at + bit + 1;
                line = line_at(f, t, &begin);
                passed = line == LINE_COUNTS ? passed & ~behind : passed | behind;
            } else if (undo_quoting(t->p + at + bit)) {
                b = bits_of(t->p + at);
                end = b.end & (behind | (UINT64_C(1) << bit));
            }
        }
        move_runs(l, t->p + at, b.count & ~passed);
    }
    f->line = (uint8_t)line;
    return line == LINE_BEGINS ? begin : t->n;
}

/* ---- the sum ----------------------------------------------------------------------------------------------------------------- */

static uint64_t sum_block(uint64_t sum, const uint8_t *block)
{
    uint64_t word[FINGERPRINT_BLOCK / sizeof(uint64_t)];
    memcpy(word, block, sizeof word);
    sum = hash_fold(sum ^ word[0] ^ hash_secret[0], word[1] ^ hash_secret[1]);
    return hash_fold(sum ^ word[2] ^ hash_secret[0], word[3] ^ hash_secret[1]);
}

/* Takes a text; returns the byte from which on the next must be known. */
static size_t take_text(struct fingerprint *f, struct text *t)
{
    struct letters l;
    size_t left = f->count % FINGERPRINT_BLOCK, most = left + SIGNIFICANT_MOST - f->count, at = 0;
    memset(t->p + t->n, 0, 2 * STEP);
    memcpy(l.p, f->block, sizeof f->block);
    l.n = left;
    size_t taken = take_letters(f, t, &l, most);
    if (l.n > most)
        l.n = most;
    lower(l.p + left, l.n - left);
    for (; l.n - at >= FINGERPRINT_BLOCK; at += FINGERPRINT_BLOCK)
        f->sum = sum_block(f->sum, l.p + at);
    memcpy(f->block, l.p + at, sizeof f->block);
    f->count = (uint16_t)(f->count + l.n - left);
    return taken;
}

bool fingerprint_full(const struct fingerprint *f)
{
    return f->count == SIGNIFICANT_MOST;
}

/* How many bytes at the end may be the beginning of a "=4A". */
static size_t quoting_cut(const struct text *t)
{
    if (t->n && t->p[t->n - 1] == '=')
        return 1;
    return t->n > 1 && t->p[t->n - 2] == '=' && hex(t->p[t->n - 1]) >= 0 ? 2 : 0;
}

void fingerprint_add(struct fingerprint *f, struct span bytes)
{
    while (bytes.n && !fingerprint_full(f)) {
        struct text t;
        struct span piece = span_head(bytes, PIECE);
        memcpy(t.p, f->cut, sizeof f->cut);
        memcpy(t.p + f->cut_length, piece.p, piece.n);
        t.n = f->cut_length + piece.n;
        uint8_t quoted[2];
        size_t quoting = quoting_cut(&t);
        t.n -= quoting;
        memcpy(quoted, t.p + t.n, sizeof quoted);
        struct span begun = span_trim(span_from(span_of(t.p, t.n), take_text(f, &t)));
        if (begun.n)
            memcpy(f->cut, begun.p, begun.n);
        memcpy(f->cut + begun.n, quoted, sizeof quoted);
        f->cut_length = (uint8_t)(begun.n + quoting);
        bytes = span_from(bytes, piece.n);
    }
}

uint64_t fingerprint_end(const struct fingerprint *f)
{
    struct fingerprint whole = *f;
    if (f->cut_length) { /* nothing follows */
        struct text t;
        t.n = f->cut_length + 1u;
        memcpy(t.p, f->cut, sizeof f->cut);
        t.p[f->cut_length] = '\n';
        take_text(&whole, &t);
    }
    if (whole.count < FINGERPRINT_LEAST)
        return 0;
    size_t left = whole.count % FINGERPRINT_BLOCK;
    memset(whole.block + left, 0, sizeof whole.block - left);
    return hash_add(sum_block(whole.sum, whole.block), whole.count);
}

uint64_t fingerprint_of(struct span body)
{
    struct fingerprint f = {.count = 0};
    fingerprint_add(&f, body);
    return fingerprint_end(&f);
}
