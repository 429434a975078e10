/* Records in one piece of memory, to cross from a capture worker's thread to the stats thread, or to be kept: a deep copy whose pointers
 * all lead into the copy itself. */
#ifndef SQUALL_SMTPDISSECT_FLAT_H
#define SQUALL_SMTPDISSECT_FLAT_H

#include "smtpdissect/smtp.h"

size_t transaction_flat_size(const struct transaction *t); /* bytes */
/* `to` holds transaction_flat_size(t) bytes, aligned to 8; the copy begins there and stays good as long as that memory. */
const struct transaction *transaction_flatten(const struct transaction *t, void *to);
size_t report_flat_size(const struct report *r); /* of one that is there */
const struct report *report_flatten(const struct report *r, void *to);
size_t session_flat_size(const struct session_record *s);
const struct session_record *session_flatten(const struct session_record *s, void *to);

#endif
