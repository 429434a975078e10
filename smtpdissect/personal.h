/* Which parts of the lines of a dialogue and of a message header name nobody and tell nothing of what the mail is about: for clear.c, when
 * evidence is to be kept without local parts, names and subjects.  What is not known to be harmless is left out; domains stay.  Private to
 * smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_PERSONAL_H
#define SQUALL_SMTPDISSECT_PERSONAL_H

#include "base/span.h"

struct parts { /* of somebody's bytes, in order; what finds no room is left out */
    struct span *list;
    size_t count, most;
};
static inline void parts_add(struct parts *p, struct span s)
{
    if (s.n == 0 || !p->list)
        return;
    struct span *last = p->count ? &p->list[p->count - 1] : NULL;
    if (last && last->p + last->n == s.p)
        last->n += s.n;
    else if (p->count < p->most)
        p->list[p->count++] = s;
}

enum personal_kind { /* what a command is, as far as it matters here */
    KIND_UNKNOWN,
    KIND_HELLO, /* EHLO, HELO, LHLO */
    KIND_MAIL,
    KIND_RCPT,
    KIND_DATA,
    KIND_BDAT,
    KIND_RSET,
    KIND_AUTH,
    KIND_STARTTLS,
    KIND_PLAIN,  /* others whose argument names nobody */
    KIND_TALK,   /* or may */
};
/* With which the line begins; *length: of that word, which ends there only if what follows it is no part of it. */
enum personal_kind personal_kind(struct span line, size_t *length);

enum personal_field { /* what may be kept of a header field's value */
    PERSONAL_DARK,    /* nothing */
    PERSONAL_ID,      /* all: it names mails, not people */
    PERSONAL_TEXT,    /* all but addresses */
    PERSONAL_LIST,    /* of addresses, their domains */
};

/* Lines without their ends.  `whole`: the line has ended; of one that may go on, what could become an address stays dark. */
void personal_command(struct span line, bool whole, struct parts *to);
void personal_reply(struct span line, bool whole, struct parts *to);
/* The first line of a field, with its name; returns what its further lines are. */
enum personal_field personal_field(struct span line, bool whole, struct parts *to);
void personal_value(enum personal_field field, struct span line, bool whole, struct parts *to);

#endif
