/* Numbers, times and subjects as people read them: in the report, the letter, on the terminal.  Every function returns `to`. */
#ifndef SQUALL_STATS_FIGURE_H
#define SQUALL_STATS_FIGURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define FIGURE_TEXT 32 /* bytes, with the NUL */

char *figure_count(uint64_t n, char to[FIGURE_TEXT]);       /* "17,100" */
char *figure_bytes(uint64_t bytes, char to[FIGURE_TEXT]);   /* "2.9 MB", of powers of 1000 */
char *figure_measure(double d, char to[FIGURE_TEXT]);       /* "3.0", "44.7"; not known: "?" */
char *figure_seconds(double seconds, char to[FIGURE_TEXT]); /* "58 s", "14 min 20 s", "3 h 5 min"; not known: "?" */
char *figure_time(int64_t t, char to[FIGURE_TEXT]);         /* "2026-11-24 03:49:18 UTC"; unknown: "?" */
char *figure_clock(int64_t t, char to[FIGURE_TEXT]);        /* "03:49:18.350"; unknown: "?" */
/* A header's text with its RFC 2047 encoded words decoded where their charset is UTF-8, ASCII, ISO 8859-1, 8859-15 or Windows-1252; the
 * others stay as they are.  Valid UTF-8 without controls, cut to size-1 bytes. */
char *figure_header(struct span text, char *to, size_t size);

#endif
