/* Where in squall.conf each setting stands, for what is found wrong only when all is read.  Private to base/. */
#ifndef SQUALL_BASE_PLACE_H
#define SQUALL_BASE_PLACE_H

#include <stddef.h>

void place_begin(const char *path); /* of a file; what was noted of another is forgotten */
/* A value's line, or with name "" the line in which its section opens; title "": it has none.  The first of several counts. */
void place_note(const char *section, const char *title, const char *name, int line);

#endif
