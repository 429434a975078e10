/* In: one unfolded Received field.  Out: its clauses (RFC 5321, 4.4), whoever wrote it: Postfix, Exim, Sendmail, qmail, Exchange, Dovecot, fetchmail.
 *
 *     from HELO (name [address]) by HOST (software) with PROTOCOL (note) id ID for <address>; date
 *
 * Clauses are words in the open; what stands in parentheses belongs to the clause before it. */
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
        if (!white)
            squeezed[n++] = field.p[i];
        else if (!blank)
            squeezed[n++] = ' ';
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
        struct span rest = span_from(text, (size_t)(open - text.p));
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

static struct span *clause_named(struct hop *hop, struct span word)
{
    const struct {
        const char *word;
        struct span *clause;
    } clauses[] = {{"from", &hop->from}, {"by", &hop->by}, {"with", &hop->with}, {"id", &hop->id}};
    for (size_t i = 0; i < sizeof clauses / sizeof clauses[0]; i++)
        if (span_equal_nocase(word, span_text(clauses[i].word)))
            return clauses[i].clause;
    return NULL;
}

void received_parse(struct span field, struct hop *hop)
{
    *hop = (struct hop){.date = TIME_UNKNOWN, .hash = hash_of_line(field)};
    const uint8_t *semicolon = field.n ? memrchr(field.p, ';', field.n) : NULL;
    if (semicolon) {
        hop->date = clock_parse_mail_date(span_from(field, (size_t)(semicolon - field.p) + 1));
        field = span_head(field, (size_t)(semicolon - field.p));
    }
    struct span passed_over = {NULL, 0}, *clause = &passed_over;
    struct token t;
    bool value_due = false;
    while (field.n) {
        field = next_token(field, &t);
        if (t.comment) {
            if (clause == &hop->from && !address_known(hop->from_address))
                address_inside(t.text, &hop->from_address);
            else if (clause == &hop->with && hop->with_note.n == 0)
                hop->with_note = t.text;
        } else if (value_due) {
            *clause = t.text;
            value_due = false;
        } else {
            struct span *named = clause_named(hop, t.text);
            if (named) {
                clause = named->n == 0 ? named : &passed_over; /* what is said twice: the first stands */
                value_due = true;
            } else if (span_equal_nocase(t.text, span_text("for")) || span_equal_nocase(t.text, span_text("via"))) {
                clause = &passed_over;
                value_due = true;
            }
        }
        /* "from mail.example [10.1.0.10] by": fetchmail, and some others, leave the parentheses out */
        if (!t.comment && clause == &hop->from && t.text.n && t.text.p[0] == '[' && !address_known(hop->from_address))
            address_parse(t.text, &hop->from_address);
    }
    hop->id = without(hop->id, '<', '>');
    hop->from = without(hop->from, '<', '>');
}
