/* In: one unfolded Received field.  Out: its clauses (RFC 5321, 4.4), whoever wrote it: Postfix, Exim, Sendmail, qmail, Exchange, Dovecot,
 * fetchmail.
 *
 *     from HELO (name [address]) by HOST (software) with PROTOCOL (note) id ID for <address>; date
 *
 * Clauses are words in the open; what stands in parentheses belongs to the clause before it.  Exim and qmail write the name that the
 * client gave there:
 *
 *     from [address] (helo=HELO) by ...        from unknown (HELO HELO) (address) by ... */
#include "base/hash.h"
#include "smtpdissect/find.h"
#include "smtpdissect/session.h"

#define READ_MOST   8192 /* bytes of a line that are read */
#define HASHED_MOST 2048 /* of them, blanks squeezed */
#define BLOCK       16u  /* bytes looked at at once: so many stand behind the text, blanks */

/* ---- the line as it is read: a run of blanks and line ends is one blank -------------------------------------------------------- */

/* A bit for each of the block's bytes that is a, b or c, the first byte lowest. */
static inline unsigned hits(const uint8_t *p, char a, char b, char c)
{
#ifdef __SSE2__
    __m128i x = find_load(p);
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(b)));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8(c))));
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        bits |= (unsigned)(p[i] == (uint8_t)a || p[i] == (uint8_t)b || p[i] == (uint8_t)c) << i;
    return bits;
#endif
}

/* Copies a block, each blank or control byte as a blank; returns where these stand. */
static inline unsigned copy_block(const uint8_t *from, uint8_t *to)
{
#ifdef __SSE2__
    __m128i space = _mm_set1_epi8(' '), x = _mm_max_epu8(find_load(from), space);
    _mm_storeu_si128((__m128i *)(void *)to, x);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, space));
#else
    for (unsigned i = 0; i < BLOCK; i++)
        to[i] = from[i] > ' ' ? from[i] : ' ';
    return hits(to, ' ', ' ', ' ');
#endif
}

struct squeezing {
    uint8_t *to;
    size_t n;       /* bytes so far */
    unsigned blank; /* was the byte before one? */
};

/* Takes a block, or its beginning up to where a run of blanks goes on, and passes the rest of the run; returns how many bytes that was. */
static inline unsigned squeeze_block(struct squeezing *s, const uint8_t *block)
{
    unsigned white = copy_block(block, s->to + s->n), again = white & (white << 1 | s->blank);
    if (again == 0) {
        s->n += BLOCK;
        s->blank = white >> (BLOCK - 1);
        return BLOCK;
    }
    unsigned kept = (unsigned)__builtin_ctz(again);
    s->n += kept;
    s->blank = 1;
    return kept + (unsigned)__builtin_ctz(~(white >> kept));
}

/* Of a relay that folds the line anew nothing is left to see.  `to` has room for two blocks more than the line; returns the length. */
static size_t squeeze(struct span line, uint8_t *to)
{
    struct squeezing s = {to, 0, 0};
    size_t i = 0;
    while (i + BLOCK <= line.n)
        i += squeeze_block(&s, line.p + i);
    uint8_t last[2 * BLOCK]; /* the rest, and blanks behind it */
    size_t rest = line.n - i;
    memset(last + BLOCK, ' ', BLOCK);
    if (line.n >= BLOCK)
        memcpy(last, line.p + line.n - BLOCK, BLOCK);
    else if (rest)
        memcpy(last + BLOCK - rest, line.p, rest);
    for (size_t at = BLOCK - rest; at < BLOCK;)
        at += squeeze_block(&s, last + at);
    while (s.n && to[s.n - 1] == ' ')
        s.n--;
    memset(to + s.n, ' ', BLOCK);
    return s.n;
}

/* Where in it one of three bytes stands; text.n: nowhere. */
static inline size_t seek(struct span text, char a, char b, char c)
{
    for (size_t at = 0; at < text.n; at += BLOCK) {
        unsigned bits = hits(text.p + at, a, b, c);
        if (bits) {
            at += (unsigned)__builtin_ctz(bits);
            return at < text.n ? at : text.n;
        }
    }
    return text.n;
}

/* Behind the word that begins at p: there is a blank, a parenthesis or a semicolon, if not in the text, then behind it. */
static inline const uint8_t *word_end(const uint8_t *p)
{
    unsigned bits;
    while ((bits = hits(p, ' ', '(', ';')) == 0)
        p += BLOCK;
    return p + __builtin_ctz(bits);
}

/* Where the last semicolon stands, before the date; text.n: there is none. */
static size_t last_semicolon(struct span text)
{
    for (size_t end = text.n; end;) {
        size_t at = end < BLOCK ? 0 : end - BLOCK;
        unsigned bits = hits(text.p + at, ';', ';', ';') & ((1u << (end - at)) - 1);
        if (bits)
            return at + 31 - (unsigned)__builtin_clz(bits);
        end = at;
    }
    return text.n;
}

/* ---- what stands in parentheses ------------------------------------------------------------------------------------------------ */

/* The comment that begins at text.p[0], without its parentheses, which may nest; *end: behind it. */
static struct span comment_of(struct span text, size_t *end)
{
    size_t at = 0;
    for (int depth = 0; at < text.n; at++) {
        at += seek(span_from(text, at), '(', ')', ')');
        if (at == text.n)
            break;
        depth += text.p[at] == '(' ? 1 : -1;
        if (depth == 0)
            break;
    }
    *end = at < text.n ? at + 1 : at;
    return span_of(text.p + 1, at - 1);
}

/* The address in "[10.1.0.10]" or in "name [10.1.0.10]", also "IPv6:..."; qmail and others write it without brackets. */
static bool address_inside(struct span text, struct address *a)
{
    struct span open = span_from(text, seek(text, '[', '[', '['));
    if (open.n) {
        size_t close = seek(open, ']', ']', ']');
        return close < open.n && address_parse(span_head(open, close + 1), a);
    }
    struct span last = span_trim(text);
    for (size_t i = last.n; i > 0; i--) /* the last word, after a blank or "user@" (qmail) */
        if (last.p[i - 1] <= ' ' || last.p[i - 1] == '@') {
            last = span_from(last, i);
            break;
        }
    return address_parse(last, a);
}

static struct span without(struct span text, uint8_t open, uint8_t close)
{
    if (text.n >= 2 && text.p[0] == open && text.p[text.n - 1] == close)
        return span_of(text.p + 1, text.n - 2);
    return text;
}

/* "helo=", "HELO ", "EHLO ": the name that the sender gave comes after it.  There are so many bytes behind `word`. */
#define MARK 5u
static inline bool is_helo_mark(const uint8_t *word)
{
    return (*word == 'h' && memcmp(word, "helo=", MARK) == 0) || (*word == 'H' && memcmp(word, "HELO ", MARK) == 0) ||
           (*word == 'E' && memcmp(word, "EHLO ", MARK) == 0);
}

/* A comment of the from clause: the address that the receiver saw, and with Exim and qmail the name that the sender gave. */
static void from_comment(struct hop *hop, struct span text)
{
    if (!address_known(hop->from_address))
        address_inside(text, &hop->from_address);
    for (size_t i = 0; i + MARK < text.n; i += seek(span_from(text, i), ' ', ' ', ' ') + 1) { /* each word */
        if (is_helo_mark(text.p + i)) {
            struct span name = span_from(text, i + MARK);
            hop->from = span_head(name, seek(name, ' ', ')', ')'));
            return;
        }
    }
}

/* ---- words in the open --------------------------------------------------------------------------------------------------------- */

/* Is the word, of so many letters, that one?  Four bytes can be read in any case: blanks stand behind the text. */
static inline bool is_word(const uint8_t *word, const char letters[4], size_t n)
{
    const uint8_t folds[4] = {0xdf, 0xdf, n > 2 ? 0xdf : 0, n > 3 ? 0xdf : 0}; /* letters in either case, and nothing else */
    uint32_t x, y, mask;
    memcpy(&x, word, sizeof x);
    memcpy(&y, letters, sizeof y);
    memcpy(&mask, folds, sizeof mask);
    return ((x ^ y) & mask) == 0;
}

/* Where the value of the clause that the word names goes; NULL: it names none. */
static inline struct span *clause_named(struct hop *hop, struct span *other, struct span word)
{
    if (word.n == 4)
        return is_word(word.p, "from", 4) ? &hop->from : is_word(word.p, "with", 4) ? &hop->with : NULL;
    if (word.n == 2)
        return is_word(word.p, "by\0", 2) ? &hop->by : is_word(word.p, "id\0", 2) ? &hop->id : NULL;
    if (word.n == 3)
        return is_word(word.p, "for", 3) || is_word(word.p, "via", 3) || is_word(word.p, "tls", 3) ? other : NULL;
    return NULL;
}

/* The clauses, up to the date. */
static inline void read_clauses(struct hop *hop, struct span text)
{
    struct span other = {NULL, 0}, *value = &other, *named; /* of the clause at hand; of which nothing is kept */
    bool value_due = false;
    bool runs_on = false; /* "with Microsoft SMTP Server": words up to the next clause or comment */
    for (const uint8_t *p = text.p, *end = p + text.n; p < end;) {
        if (*p == ' ') {
            p++;
            continue;
        }
        if (*p == '(') {
            size_t length;
            struct span comment = comment_of(span_of(p, (size_t)(end - p)), &length);
            p += length;
            runs_on = false;
            if (value == &hop->from)
                from_comment(hop, comment);
            else if (value == &hop->with && hop->with_note.n == 0)
                hop->with_note = comment;
            continue;
        }
        const uint8_t *behind = *p == ';' ? p + 1 : word_end(p);
        struct span word = span_of(p, (size_t)(behind - p));
        p = behind;
        if (value_due) {
            runs_on = value == &hop->with && value->n == 0;
            if (value->n == 0) /* what is said twice: the first stands */
                *value = word;
            value_due = false;
        } else if ((named = clause_named(hop, &other, word))) {
            value = named;
            value_due = true;
            runs_on = false;
        } else if (runs_on) {
            value->n = (size_t)(behind - value->p);
        }
        /* "from mail.example [10.1.0.10] by": fetchmail, and some others, leave the parentheses out */
        if (*word.p == '[' && value == &hop->from && !address_known(hop->from_address))
            address_parse(word, &hop->from_address);
    }
    hop->id = without(hop->id, '<', '>');
    hop->from = without(hop->from, '<', '>');
}

void received_parse(struct arena *a, struct span line, struct hop *hop)
{
    *hop = (struct hop){.date = TIME_UNKNOWN};
    line = span_head(line, READ_MOST);
    uint8_t *to = arena_get(a, line.n + 2 * BLOCK);
    if (!to)
        return;
    struct span text = span_of(to, squeeze(line, to));
    hop->hash = hash_bytes(text.p, text.n < HASHED_MOST ? text.n : HASHED_MOST);
    size_t semicolon = last_semicolon(text);
    if (semicolon < text.n) {
        hop->date = clock_parse_mail_date(span_from(text, semicolon + 1));
        text.n = semicolon;
    }
    read_clauses(hop, text);
}
