/* Pages that follow live: server-sent events (HTML, 9.2).  Private to web/. */
#ifndef SQUALL_WEB_EVENTS_H
#define SQUALL_WEB_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "web/http.h"

struct events;
struct events *events_new(size_t most); /* clients at once; NULL: out of memory */
/* A response that goes on until its client leaves; NULL: there are too many. */
struct MHD_Response *events_open(struct events *e, struct MHD_Connection *connection);
void events_tell(struct events *e, const char *name, const char *json); /* to all; never waits */
void events_stop(struct events *e); /* every response ends; before the daemon does */
void events_free(struct events *e); /* after the daemon; NULL does nothing */

#endif
