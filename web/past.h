/* Requests about the past: their answer comes from trend's thread; meanwhile the connection is suspended and web's thread serves others.
 * Private to web/. */
#ifndef SQUALL_WEB_PAST_H
#define SQUALL_WEB_PAST_H

#include "web/api.h"

struct past; /* one such request on its way; server.h's request holds it */
void past_free(struct past *p); /* NULL does nothing */
handler past_graph, past_rates;
json_t *past_status(struct web *w); /* how the keeping of it goes: a new object; null: it is not kept */

#endif
