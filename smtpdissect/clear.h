/* What of a connection's bytes may be kept as evidence: the dialogue and message headers; never message content past the header, never
 * what follows AUTH, nothing under TLS. Works beside the dissector, on the same bytes; what the two do not agree on is not clear. */
#ifndef SQUALL_SMTPDISSECT_CLEAR_H
#define SQUALL_SMTPDISSECT_CLEAR_H

#include "smtpdissect/smtp.h"

/* Where in the dialogue the connection stands, for smtp_clear() alone to read. */
uint32_t smtp_place(const struct smtp *s);

/* The parts of `bytes`, in order, that may be kept; returns how many were written. `before` and `after`: smtp_place() around the
 * smtp_push() of these bytes. *state: this function's own memory of the connection, 0 at its start. After a gap: call it with bytes.p
 * NULL. */
size_t smtp_clear(uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most);
/* The same without what names people or tells what the mail is about: local parts of addresses, names, subjects, header fields that are not
 * known to be free of them, texts of replies that may repeat them (personal.h). */
size_t smtp_clear_nameless(
    uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most);

#endif
