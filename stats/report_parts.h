/* What the files of the report share.  Private to report*.c. */
#ifndef SQUALL_STATS_REPORT_PARTS_H
#define SQUALL_STATS_REPORT_PARTS_H

#include <stdio.h>

#include "stats/storm.h"

void report_html_write(const struct storm *s, FILE *to);
void report_tree_write(const struct storm *s, FILE *to); /* an SVG element */
void report_text_write(const struct storm *s, FILE *to);

/* Text from the wire as HTML text or attribute: cleaned, its encoded words decoded, escaped. */
void report_escape(const char *text, FILE *to);
/* "Stopped after 3 min 20 s", "Not over yet"; "Next round at ..., about ... deliveries": sentences that text and HTML share.  False:
 * nothing to say. */
bool report_state(const struct storm *s, FILE *to);
bool report_growth(const struct storm *s, FILE *to);

#endif
