/* What stops a storm: text ready to be put into a mail server or a firewall, made for this storm and no other mail.  Each text is the
 * whole content of one file, its comments say where it goes and how it comes out again.  Nothing from the wire can break out of it: see
 * cure.c. */
#ifndef SQUALL_STATS_CURE_H
#define SQUALL_STATS_CURE_H

#include <stdio.h>

#include "stats/storm.h"

#define CURE_TARGETS(X)                                                                                                                    \
    X(POSTFIX, "postfix", "Postfix")                                                                                                       \
    X(POSTFIX_CLIENTS, "postfix_clients", "Postfix, by host")                                                                              \
    X(EXIM, "exim", "Exim")                                                                                                                \
    X(EXCHANGE, "exchange", "Exchange")                                                                                                    \
    X(RSPAMD, "rspamd", "rspamd")                                                                                                          \
    X(NFT, "nft", "nftables")
enum cure_target {
#define X(name, word, title) CURE_##name,
    CURE_TARGETS(X)
#undef X
        CURE_TARGET_COUNT
};

const char *cure_word(enum cure_target target);  /* as in JSON */
const char *cure_title(enum cure_target target); /* for people */

/* What to do first, one sentence; never empty. */
const char *cure_advice(const struct storm *s);
/* False, and nothing written: there is nothing sensible to do about this storm at this place. */
bool cure_write(const struct storm *s, enum cure_target target, FILE *to);
/* Is this host one that a cure is aimed at? */
bool cure_aims_at(const struct storm *s, const struct storm_host *h);

#endif
