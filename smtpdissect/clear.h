/* What of a client's bytes may be kept as evidence: commands and message headers, never message content past the header, never what
 * follows AUTH. Works beside the dissector, on the same bytes in the same order; what it is not sure of is not clear. */
#ifndef SQUALL_SMTPDISSECT_CLEAR_H
#define SQUALL_SMTPDISSECT_CLEAR_H

#include "base/endpoint.h"
#include "base/span.h"

/* The parts of `bytes`, in order, that hold neither content nor secrets; returns how many were written.  `before` and `after`:
 * smtp_content_mark() around the smtp_push() of these bytes.  *state: this function's own memory of the connection, 0 at its start.
 * After a gap: call it with bytes.p NULL. */
size_t smtp_clear(uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most);

#endif
