/* Message content: what is kept of one while it is under way, and what is read in it.  Private to smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_CONTENT_H
#define SQUALL_SMTPDISSECT_CONTENT_H

#include "base/arena.h"
#include "smtpdissect/fingerprint.h"
#include "smtpdissect/text.h"
#include "smtpdissect/transaction.h"

#define BODY_READ   1024u        /* bytes of a body looked at for its fingerprint */
#define REPORT_KEPT (128u << 10) /* of a bounce's, for what it quotes */

struct content {         /* of one message */
    struct text kept;    /* its header; behind it a bounce's report */
    uint32_t header_end; /* bytes of the header on the wire, its empty line included; 0: it goes on, or was cut */
    uint32_t packed;     /* when it has ended: bytes of `kept` that are the header */
    uint32_t references; /* commands that point here, and the client's side while it sends */
    uint16_t body_seen;  /* bytes of the body's start */
    uint8_t line;        /* of the header, at hand: content.c */
    bool body_cut : 1;   /* a gap in the part of the body that matters, or no memory for it */
    bool header_cut : 1; /* a gap or the bound ended it early */
    bool report : 1;     /* MAIL FROM:<>: the body may quote another mail */
    bool settled : 1;    /* nothing more of the body matters */
    uint64_t bytes, gap_bytes;
    int64_t end; /* end of data; TIME_UNKNOWN */
    union {
        struct fingerprint *reading; /* NULL: nothing of a body has come */
        uint64_t fingerprint;        /* when it is settled */
    };
};

struct smtp;
struct content *content_new(struct smtp *s, bool report);
void content_release(struct smtp *s, struct content *c);
/* Keeps what is worth keeping; `last`: content_end() comes next. */
void content_take(struct smtp *s, struct content *c, struct span bytes, bool last);
void content_gap(struct content *c, uint64_t n);
void content_end(struct smtp *s, struct content *c, int64_t end); /* nothing more of it will come */
uint64_t content_fingerprint(const struct content *c);            /* 0: too short, or not seen */

/* Looks for the end of data; returns how many bytes belong to the content (its end included), and whether the end, or a candidate for
 * it, was there. */
enum content_end { CONTENT_GOES_ON, CONTENT_END, CONTENT_CANDIDATE };
size_t content_scan(uint8_t *state, struct span bytes, enum content_end *end);
#define SCAN_LINE_START 2 /* the state after the DATA command's line */
#define SCAN_MID_LINE   0

/* report.c: what a bounce says; memory from the arena. */
void report_parse(struct arena *a, struct span body, const struct header *top, struct report *r);

#endif
