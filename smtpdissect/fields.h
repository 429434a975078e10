/* The fields of a message's header, one after another, and the short form in which those that matter are kept.  Private to smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_FIELDS_H
#define SQUALL_SMTPDISSECT_FIELDS_H

#include "base/span.h"

enum field {
    FIELD_OTHER,
    FIELD_MESSAGE_ID,
    FIELD_FROM,
    FIELD_SENDER,
    FIELD_SUBJECT,
    FIELD_DATE,
    FIELD_TO,
    FIELD_CC,
    FIELD_IN_REPLY_TO,
    FIELD_REFERENCES,
    FIELD_RECEIVED,
    FIELD_DELIVERED_TO,
    FIELD_AUTO_SUBMITTED,
    FIELD_PRECEDENCE,
    FIELD_LIST_ID,
    FIELD_X_BEEN_THERE,
    FIELD_X_LOOP,
    FIELD_X_MAILER,
    FIELD_CONTENT_TYPE
};

struct fields { /* begins as {.text = ...} */
    struct span text;
    size_t at;      /* of the next field */
    size_t end;     /* behind the empty line; 0: it has not been seen */
    size_t next;    /* byte not looked at yet */
    uint64_t feeds; /* the line feeds among those looked at last that have not been passed, the first lowest */
};

/* The next field that matters, and its value, still folded; FIELD_OTHER: there is none before the empty line or the end. */
enum field fields_next(struct fields *f, struct span *value);

/* Of each field that matters its value, behind a word that says which field it is and how long: servers of today write more into headers
 * than that. A word is no longer than the shortest name, its colon and the line's end. */
#define FIELD_WORD 4u /* bytes */
#define FIELD_BITS 5

/* Packs the header at the front of a text; `to` has room for a word more than the text.  Returns how many bytes there are; *end: where
 * the header ends, behind its empty line; 0: that was not there. */
size_t fields_pack(struct span text, uint8_t *to, size_t *end);

/* Takes a field off the front of a packed header. */
static inline enum field fields_unpack(struct span *packed, struct span *value)
{
    uint32_t word;
    memcpy(&word, packed->p, FIELD_WORD);
    *value = span_head(span_from(*packed, FIELD_WORD), word >> FIELD_BITS);
    *packed = span_from(*packed, FIELD_WORD + value->n);
    return (enum field)(word & ((1u << FIELD_BITS) - 1));
}

#endif
