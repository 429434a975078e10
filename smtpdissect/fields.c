/* In: the header of a message, as it stood on the wire (RFC 5322, 2.2). Out: its fields that matter, to header.c; or the same packed, to
 * content.c, which keeps them so until the mail's fate is known.
 *
 * One pass: 64 bytes a step for the line feeds, and of each field the first sixteen bytes, which say which one it is. */
#include "smtpdissect/fields.h"

#include "smtpdissect/find.h"

#define STEP      64u /* bytes */
#define NAME_ROOM 14u /* the longest name */

/* ---- names ------------------------------------------------------------------------------------------------------------------- */

/* Where a name stands in the table: its length and first letter tell which one it can be. */
#define PLACES           32u
#define PLACE(n, letter) (((unsigned)(n)*18u ^ (letter)) % PLACES)

static const struct known {
    char name[NAME_ROOM]; /* lowered */
    uint8_t length, field;
} known[PLACES] = {
#define FIELD(name, letter, field) [PLACE(sizeof name - 1, letter)] = {name, sizeof name - 1, field}
    FIELD("to", 't', FIELD_TO),
    FIELD("cc", 'c', FIELD_CC),
    FIELD("from", 'f', FIELD_FROM),
    FIELD("date", 'd', FIELD_DATE),
    FIELD("sender", 's', FIELD_SENDER),
    FIELD("subject", 's', FIELD_SUBJECT),
    FIELD("received", 'r', FIELD_RECEIVED),
    FIELD("message-id", 'm', FIELD_MESSAGE_ID),
    FIELD("references", 'r', FIELD_REFERENCES),
    FIELD("in-reply-to", 'i', FIELD_IN_REPLY_TO),
    FIELD("delivered-to", 'd', FIELD_DELIVERED_TO),
    FIELD("auto-submitted", 'a', FIELD_AUTO_SUBMITTED),
    FIELD("precedence", 'p', FIELD_PRECEDENCE),
    FIELD("list-id", 'l', FIELD_LIST_ID),
    FIELD("x-beenthere", 'x', FIELD_X_BEEN_THERE),
    FIELD("x-loop", 'x', FIELD_X_LOOP),
    FIELD("x-mailer", 'x', FIELD_X_MAILER),
    FIELD("user-agent", 'u', FIELD_X_MAILER),
    FIELD("content-type", 'c', FIELD_CONTENT_TYPE),
#undef FIELD
};

static const struct known *place_of(size_t n, uint8_t first)
{
    return &known[PLACE(n, first | 0x20u)];
}

/* Of a whole field: which one it is, and where its colon stands. */
static enum field read_name(struct span whole, size_t *colon)
{
    *colon = find_byte(whole, ':');
    struct span name = *colon < whole.n ? span_trim(span_head(whole, *colon)) : span_of(NULL, 0);
    if (name.n == 0)
        return FIELD_OTHER;
    const struct known *k = place_of(name.n, name.p[0]);
    return k->length == name.n && span_same_nocase(name.p, (const uint8_t *)k->name, name.n) ? (enum field)k->field : FIELD_OTHER;
}

/* The same from the first bytes alone, where they tell: there is a colon among them and no blank before it, or neither. */
static inline bool glance_name(struct span text, enum field *field, size_t *colon)
{
#ifdef __SSE2__
    if (text.n < 16)
        return false;
    __m128i x = find_load(text.p);
    unsigned colons = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')));
    unsigned before = colons ? (colons & -colons) - 1 : 0xffff; /* a bit for each byte before it */
    if ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(' ')))) & before)
        return false;
    *field = FIELD_OTHER;
    if (!colons)
        return true;
    *colon = (size_t)__builtin_ctz(colons);
    const struct known *k = place_of(*colon, text.p[0]);
    __m128i lowered = _mm_or_si128(x, _mm_set1_epi8(0x20)); /* no other byte above the blank becomes a letter or a "-" */
    unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(lowered, find_load((const uint8_t *)k->name)));
    if (k->length == *colon && (before & ~same) == 0)
        *field = (enum field)k->field;
    return true;
#else
    (void)text, (void)field, (void)colon;
    return false;
#endif
}

/* ---- lines ------------------------------------------------------------------------------------------------------------------- */

#ifdef __SSE2__
static inline uint64_t feeds_of(const uint8_t *p) /* of STEP bytes, the first lowest */
{
#define SIXTEEN(i) (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(find_load(p + (i)), _mm_set1_epi8('\n'))) << (i)
    return SIXTEEN(0) | SIXTEEN(16) | SIXTEEN(32) | SIXTEEN(48);
#undef SIXTEEN
}
#endif

/* The same of the text's last bytes, fewer than STEP, from `at` on. */
static uint64_t last_feeds(struct span text, size_t at)
{
    uint64_t feeds = 0;
    size_t i = at;
#ifdef __SSE2__
    if (at)
        return feeds_of(text.p + text.n - STEP) >> (STEP - (text.n - at));
    for (; text.n - i >= 16; i += 16)
        feeds |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(find_load(text.p + i), _mm_set1_epi8('\n'))) << i;
    if (i && i < text.n) { /* the rest together with bytes that were looked at */
        size_t last = text.n - 16;
        return feeds | (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(find_load(text.p + last), _mm_set1_epi8('\n'))) << last;
    }
#endif
    for (; i < text.n && i - at < STEP; i++)
        feeds |= (uint64_t)(text.p[i] == '\n') << (i - at);
    return feeds;
}

static inline uint64_t feeds_at(struct span text, size_t at)
{
#ifdef __SSE2__
    if (text.n - at >= STEP)
        return feeds_of(text.p + at);
#endif
    return last_feeds(text, at);
}

/* Where the line at hand ends, behind its line feed, which is passed. */
static inline size_t line_end(struct fields *f)
{
    while (f->feeds == 0) {
        if (f->next >= f->text.n)
            return f->text.n;
        f->feeds = feeds_at(f->text, f->next);
        f->next += STEP;
    }
    size_t end = f->next - STEP + (size_t)__builtin_ctzll(f->feeds) + 1;
    f->feeds &= f->feeds - 1;
    return end;
}

/* The line that begins at `at` is empty; returns where it ends.  0: it is not. */
static inline size_t empty_line(struct span text, size_t at)
{
    if (text.p[at] > '\r')
        return 0;
    size_t feed = at + (text.p[at] == '\r');
    return feed < text.n && text.p[feed] == '\n' ? feed + 1 : 0;
}

static inline bool blank(uint8_t c)
{
    return c <= ' ' && span_blank(c);
}

static inline __attribute__((always_inline)) enum field next_field(struct fields *f, struct span *value)
{
    const uint8_t *p = f->text.p;
    while (f->at < f->text.n) {
        size_t begin = f->at, end, colon = 0;
        enum field field = FIELD_OTHER;
        f->end = empty_line(f->text, begin);
        if (f->end)
            break;
        bool told = glance_name(span_of(p + begin, f->text.n - begin), &field, &colon);
        do
            end = line_end(f);
        while (end < f->text.n && (p[end] == ' ' || p[end] == '\t'));
        f->at = end;
        if (!told)
            field = read_name(span_of(p + begin, end - begin), &colon);
        if (field == FIELD_OTHER)
            continue;
        begin += colon + 1;
        while (begin < end && blank(p[begin]))
            begin++;
        while (begin < end && blank(p[end - 1]))
            end--;
        *value = span_of(p + begin, end - begin);
        return field;
    }
    return FIELD_OTHER;
}

enum field fields_next(struct fields *f, struct span *value)
{
    return next_field(f, value);
}

size_t fields_pack(struct span text, uint8_t *to, size_t *end)
{
    struct fields f = {.text = text};
    struct span value;
    enum field field;
    uint8_t *at = to;
    while ((field = next_field(&f, &value)) != FIELD_OTHER) {
        uint32_t word = (uint32_t)value.n << FIELD_BITS | field;
        memcpy(at, &word, FIELD_WORD);
        memcpy(at + FIELD_WORD, value.p, value.n);
        at += FIELD_WORD + value.n;
    }
    *end = f.end;
    return (size_t)(at - to);
}
