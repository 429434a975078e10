/* Personal data in texts: mail addresses and subjects, hidden as the setting `privacy` says.  Works on texts alone; privacy.h knows where
 * they stand.  A text that is not understood loses more than it must, never less. */
#ifndef SQUALL_STATS_MASK_H
#define SQUALL_STATS_MASK_H

#include "base/span.h"
#include "stats/storm.h"

#define MASK_KEY 32

struct mask {
    enum storm_privacy privacy;
    uint8_t key[MASK_KEY]; /* of the pseudonyms */
    struct span keep[2];   /* words that stay although they look like addresses: the ids of the mail in question */
    struct span hide;      /* a word that goes although it does not: an address without domain; empty: none */
};

/* One address, "Name <local@domain>", "local@domain" or "local": the domain stays, "@domain" stays as it is.  `to` holds `size` bytes;
 * each returns it. */
char *mask_address(const struct mask *m, struct span address, char *to, size_t size);
/* A subject: nothing of it, or its pseudonym. */
char *mask_subject(const struct mask *m, struct span subject, char *to, size_t size);
/* A sentence or a line of a header, whatever addresses it holds; what follows "Subject: " is one, up to the end.  `cut`: the text may have
 * been cut off at its end, within an address. */
char *mask_text(const struct mask *m, struct span text, bool cut, char *to, size_t size);

#endif
