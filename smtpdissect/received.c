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
#include "smtpdissect/session.h"

/* Blank runs count as one, so that a relay which folds the line anew does not change the hop. */
static uint64_t hash_of_line(struct span field)
{
    uint8_t squeezed[2048];
    size_t n = 0;
    bool blank = false;
    for (size_t i = 0; i < field.n && n < sizeof squeezed; i++) {
        bool white = field.p[i] <= ' ';
        squeezed[n] = white ? ' ' : field.p[i];
        n += !(white & blank);
        blank = white;
    }
    return hash_bytes(squeezed, n);
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
            if (rest.p[at] == '(')
                depth++;
            else if (rest.p[at] == ')' && --depth == 0)
                break;
        }
        t->text = span_of(rest.p + begin + 1, at - begin - 1);
        t->comment = true;
        return span_from(rest, at + 1);
    }
    while (at < rest.n && rest.p[at] > ' ' && rest.p[at] != '(' && rest.p[at] != ';')
        at++;
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
    for (size_t i = 0; i + 5 < text.n; i++)
        for (size_t m = 0; (i == 0 || text.p[i - 1] <= ' ') && m < sizeof marks / sizeof marks[0]; m++)
            if (memcmp(text.p + i, marks[m], 5) == 0) {
                hop->from = first_word(span_from(text, i + 5));
                return;
            }
}

enum clause { CLAUSE_OTHER, CLAUSE_FROM, CLAUSE_BY, CLAUSE_WITH, CLAUSE_ID, CLAUSE_NONE };

static enum clause clause_named(struct span word)
{
    static const struct {
        char word[5];
        uint8_t n;
        uint8_t clause;
    } words[] = {{"from", 4, CLAUSE_FROM}, {"by", 2, CLAUSE_BY}, {"with", 4, CLAUSE_WITH}, {"id", 2, CLAUSE_ID}, {"for", 3, CLAUSE_OTHER},
        {"via", 3, CLAUSE_OTHER}, {"tls", 3, CLAUSE_OTHER}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (word.n == words[i].n && span_equal_nocase(word, span_of(words[i].word, words[i].n)))
            return (enum clause)words[i].clause;
    return CLAUSE_NONE;
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
