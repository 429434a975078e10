/* In: the lines that a re-injector wrote into a copy, and the marks of the copy's header.  Out: which program that is and which setting of
 * it stops the storm, for the alarm's host and the letter to its postmaster.  From the programs' documents: fetchmail(1) on multidrop
 * mailboxes, Microsoft's article 835734 on the POP3 connector of Small Business Server 2003, the manuals of MDaemon (DomainPOP), VPOP3,
 * POPcon and getmail. */
#include "stats/software.h"

#include <stdio.h>

#include "base/log.h"

struct program {
    const char *mark; /* in "with" or the comment after it */
    const char *text;
};

/* The first that fits. */
static const struct program programs[] = {
    {"fetchmail", "fetchmail in multidrop mode or feeding sendmail -t: set `envelope \"Delivered-To\"` and `localdomains`, or poll one "
                  "user's mailbox without an mda "
                  "that reads To:"},
    {"getmail", "getmail: use a multidrop retriever with `envelope_recipient`, not a destination that reads To:"},
    {"popcon", "POPcon: list the server's own domains under Accepted Recipient Domains"},
    {"domainpop", "MDaemon DomainPOP: parse only Received and Delivered-To under Parsing, and list the own domains under Routing"},
    {"mdaemon", "MDaemon: where DomainPOP collects the mail, parse only Received and Delivered-To under Parsing"},
    {"multipop", "MDaemon MultiPOP: send to the account's owner, not to the addresses of the header"},
    {"vpop3", "VPOP3: no `Route by parsing message headers` for this mailbox, or list the local domains"},
};

static const char *by_line(const struct hop *h)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (span_contains_nocase(h->with, programs[i].mark) || span_contains_nocase(h->with_note, programs[i].mark))
            return programs[i].text;
    return NULL;
}

char *software_text(const struct chain *c, const struct visit *v, const struct header *header, char *to, size_t size)
{
    const char *text = NULL;
    to[0] = '\0';
    for (uint32_t i = v ? v->first : 1; v && i <= v->last && !text; i++)
        text = by_line(&c->hops[i]);
    if (!text && header->marks & (MARK_MSPOP3CONNECTOR | MARK_IMB_RECIPIENT))
        text = "Microsoft's POP3 connector (Small Business Server): install the update of article 835734, or collect each mailbox for one "
               "user";
    if (!text && header->marks & MARK_CDO_EXCHANGE_2000)
        text = "a connector on Microsoft CDO for Exchange 2000: have it deliver to the mailbox's owner, not to the addresses of the header";
    if (!text && v && v->fetched)
        text = "a program that fetches mail by POP3 or IMAP and takes the recipients from To: and Cc: : have it deliver to the mailbox's "
               "owner alone";
    if (text)
        snprintf(to, size, "%s", text);
    return to;
}
