/* A storm as a person at a terminal reads it. */
#ifndef SQUALL_STORM_TEXT_H
#define SQUALL_STORM_TEXT_H

#include <stdio.h>

#include "stats/storm.h"

bool storm_text_write(const struct storm *s, FILE *to); /* false: `to` cannot be written */

#endif
