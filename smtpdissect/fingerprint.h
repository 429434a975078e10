/* A hash of the start of a body's text, the same after what servers do to it on the way.  Private to smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_FINGERPRINT_H
#define SQUALL_SMTPDISSECT_FINGERPRINT_H

#include "base/span.h"

#define FINGERPRINT_BLOCK 32

struct fingerprint { /* as far as the body has been seen */
    struct {
        uint64_t sum;                     /* of the blocks before */
        uint8_t block[FINGERPRINT_BLOCK]; /* the beginning of the next */
    } last;
    uint16_t count; /* letters and digits */
    bool in_part_header;
};

void fingerprint_add(struct fingerprint *f, struct span lines); /* whole lines, but for the last */
bool fingerprint_full(const struct fingerprint *f);             /* more lines change nothing */
uint64_t fingerprint_end(const struct fingerprint *f);          /* 0: too little text */
uint64_t fingerprint_of(struct span body);

#endif
