/* A hash of the start of a body's text, the same after what servers do to it on the way.  Private to smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_FINGERPRINT_H
#define SQUALL_SMTPDISSECT_FINGERPRINT_H

#include "base/span.h"

#define FINGERPRINT_LEAST 40 /* letters and digits; below it too many mails are alike */
#define FINGERPRINT_BLOCK 32
#define FINGERPRINT_CUT   16 /* bytes: "mime-version" and two of a "=4A" */

struct fingerprint { /* as far as the body has been seen */
    uint64_t sum;                     /* of the blocks before */
    uint8_t block[FINGERPRINT_BLOCK]; /* the beginning of the next */
    uint8_t cut[FINGERPRINT_CUT];     /* the last bytes that were seen, where only the next ones say what they are */
    uint8_t cut_length;
    uint8_t line; /* at hand: fingerprint.c */
    bool in_part_header;
    uint16_t count; /* letters and digits */
};

void fingerprint_add(struct fingerprint *f, struct span bytes); /* in any cut */
bool fingerprint_full(const struct fingerprint *f);             /* more changes nothing */
uint64_t fingerprint_end(const struct fingerprint *f);          /* 0: too little text */
uint64_t fingerprint_of(struct span body);

#endif
