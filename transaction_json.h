/* A transaction as one JSON object: the lines of `squall read --transactions`. */
#ifndef SQUALL_TRANSACTION_JSON_H
#define SQUALL_TRANSACTION_JSON_H

#include <jansson.h>

#include "smtpdissect/transaction.h"

json_t *transaction_json(const struct transaction *t, bool twin); /* a new reference; NULL: out of memory */

#endif
