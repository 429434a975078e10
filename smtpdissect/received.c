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

#define HASHED_MOST 2048 /* bytes of a line */

/* Blank runs count as one, so that a relay which folds the line anew does not change the hop. */
static uint64_t hash_of_line(struct span field)
{
    uint8_t squeezed[HASHED_MOST + 16];
    size_t n = 0, i = 0;
    unsigned blank = 0; /* was the byte before? */
    while (i < field.n && n < HASHED_MOST) {
#ifdef __SSE2__
        if (field.n - i >= 16) { /* as they are when no two blanks meet in them */
            __m128i x = find_load(field.p + i), space = _mm_set1_epi8(' ');
            unsigned white = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_min_epu8(x, space)));
            if ((white & (white << 1 | blank)) == 0) {
                _mm_storeu_si128((__m128i *)(void *)(squeezed + n), _mm_max_epu8(x, space));
                blank = white >> 15;
                n += 16;
                i += 16;
                continue;
            }
        }
#endif
        for (size_t end = field.n - i < 16 ? field.n : i + 16; i < end; i++) {
            unsigned white = field.p[i] <= ' ';
            squeezed[n] = white ? ' ' : field.p[i];
            n += !(white & blank);
            blank = white;
        }
    }
    return hash_bytes(squeezed, n < HASHED_MOST ? n : HASHED_MOST);
}

struct token { /* a word, or a comment without its parentheses */
    struct span text;
    bool comment;
};

static struct span next_token(struct span rest, struct token *t)
{
    size_t at = 0, begin;
    while (at < rest.n && rest.p[at] <= ' ')
        at++;
    begin = at;
    if (at < rest.n && rest.p[at] == '(') {
        int depth = 0;
        for (; at < rest.n; at++) {
            at += find_first(span_from(rest, at), false, '(', ')', ')', ')', ')');
            if (at == rest.n)
                break;
            depth += rest.p[at] == '(' ? 1 : -1;
            if (depth == 0)
                break;
        }
        t->text = span_of(rest.p + begin + 1, at - begin - 1);
        t->comment = true;
        return span_from(rest, at + 1);
    }
    at += find_first(span_from(rest, at), true, '(', ';', ';', ';', ';');
    if (at == begin && at < rest.n)
        at++; /* the semicolon before the date */
    t->text = span_of(rest.p + begin, at - begin);
    t->comment = false;
    return span_from(rest, at);
}

/* The address in "[10.1.0.10]" or in "name [10.1.0.10]", also "IPv6:..."; qmail and others write it without brackets. */
static bool address_inside(struct span text, struct address *a)
{
    const uint8_t *open = text.n ? memchr(text.p, '[', text.n) : NULL;
    if (open) {
        struct span rest = span_of(open, text.n - (size_t)(open - text.p));
        const uint8_t *close = memchr(rest.p, ']', rest.n);
        return close && address_parse(span_head(rest, (size_t)(close - rest.p) + 1), a);
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

static struct span first_word(struct span text)
{
    size_t n = 0;
    while (n < text.n && text.p[n] > ' ' && text.p[n] != ')')
        n++;
    return span_head(text, n);
}

/* A comment of the from clause: the address that the receiver saw, and with Exim and qmail the name that the sender gave. */
static void from_comment(struct hop *hop, struct span text)
{
    static const char *const marks[] = {"helo=", "HELO ", "EHLO "};
    if (!address_known(hop->from_address))
        address_inside(text, &hop->from_address);
    for (size_t i = 0; i + 5 < text.n; i += find_blank(span_from(text, i)) + 1) /* each word, and what begins with a blank after one */
        for (size_t m = 0; m < sizeof marks / sizeof marks[0]; m++)
            if (memcmp(text.p + i, marks[m], 5) == 0) {
                hop->from = first_word(span_from(text, i + 5));
                return;
            }
}

enum clause { CLAUSE_OTHER, CLAUSE_FROM, CLAUSE_BY, CLAUSE_WITH, CLAUSE_ID, CLAUSE_NONE };

static enum clause clause_named(struct span word)
{
    uint32_t folded = 0;
    if (word.n < 2 || word.n > 4)
        return CLAUSE_NONE;
    for (size_t i = 0; i < word.n; i++)
        folded |= (uint32_t)(word.p[i] | 0x20) << 8 * i;
    switch (folded) {
    case WORD('f', 'r', 'o', 'm'): return CLAUSE_FROM;
    case WORD('b', 'y', 0, 0): return CLAUSE_BY;
    case WORD('w', 'i', 't', 'h'): return CLAUSE_WITH;
    case WORD('i', 'd', 0, 0): return CLAUSE_ID;
    case WORD('f', 'o', 'r', 0):
    case WORD('v', 'i', 'a', 0):
    case WORD('t', 'l', 's', 0): return CLAUSE_OTHER;
    default: return CLAUSE_NONE;
    }
}

/* A word in the open: it names a clause, or is of the one at hand. */
struct reading {
    struct hop *hop;
    struct span *of[CLAUSE_NONE]; /* where a clause's value goes */
    enum clause clause;
    bool value_due;
    bool runs_on; /* "with Microsoft SMTP Server": words up to the next clause or comment */
};

static void take_word(struct reading *r, struct span word)
{
    struct span *value = r->of[r->clause];
    enum clause named;
    if (r->value_due) {
        if (value && value->n == 0) /* what is said twice: the first stands */
            *value = word;
        r->value_due = false;
        r->runs_on = value && value->p == word.p && r->clause == CLAUSE_WITH;
    } else if ((named = clause_named(word)) != CLAUSE_NONE) {
        r->clause = named;
        r->value_due = true;
        r->runs_on = false;
    } else if (r->runs_on) {
        value->n = (size_t)(word.p + word.n - value->p);
    }
    /* "from mail.example [10.1.0.10] by": fetchmail, and some others, leave the parentheses out */
    if (r->clause == CLAUSE_FROM && word.n && word.p[0] == '[' && !address_known(r->hop->from_address))
        address_parse(word, &r->hop->from_address);
}

void received_parse(struct span field, struct hop *hop)
{
    *hop = (struct hop){.date = TIME_UNKNOWN, .hash = hash_of_line(field)};
    const uint8_t *semicolon = field.n ? memrchr(field.p, ';', field.n) : NULL;
    if (semicolon) {
        hop->date = clock_parse_mail_date(span_from(field, (size_t)(semicolon - field.p) + 1));
        field = span_head(field, (size_t)(semicolon - field.p));
    }
    struct reading r = {.hop = hop, .of = {NULL, &hop->from, &hop->by, &hop->with, &hop->id}};
    struct token t;
    while (field.n) {
        field = next_token(field, &t);
        if (!t.comment) {
            take_word(&r, t.text);
            continue;
        }
        r.runs_on = false;
        if (r.clause == CLAUSE_FROM)
            from_comment(hop, t.text);
        else if (r.clause == CLAUSE_WITH && hop->with_note.n == 0)
            hop->with_note = t.text;
    }
    hop->id = without(hop->id, '<', '>');
    hop->from = without(hop->from, '<', '>');
}
