/* Which path is answered by whom.  Private to web/. */
#ifndef SQUALL_WEB_ROUTE_H
#define SQUALL_WEB_ROUTE_H

#include "web/server.h"

#define ROUTE_PART 1024 /* bytes of what a * stands for */
enum MHD_Result route_answer(struct request *r, const char *path);

/* Does the path match the pattern, whose single * stands for one name without '/',
 * or, at its end, for all that remains?  What it stood for is copied to part. */
bool route_matches(const char *pattern, const char *path, char part[ROUTE_PART]);

#endif
