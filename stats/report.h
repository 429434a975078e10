/* The incident report of one storm: verdict, acquittal, tree, numbers, evidence, timeline, cure, letters.  Made from the storm alone, no
 * clock, no locale, no network: the same storm gives the same bytes. */
#ifndef SQUALL_STATS_REPORT_H
#define SQUALL_STATS_REPORT_H

#include <stdio.h>

#include "stats/storm.h"

enum report_form {
    REPORT_TEXT,
    REPORT_HTML, /* one page that holds all it needs; to be printed as well */
    REPORT_JSON, /* the object of storm_json.h */
};

bool report_write(const struct storm *s, enum report_form form, FILE *to); /* false: out of memory, or `to` takes no more */

#endif
