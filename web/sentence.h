/* What is said of an alarm (an object as of the API), in the reader's language: the sentences of web/static/words.js.  Each is of malloc,
 * NULL when there is nothing to say.  Private to web/. */
#ifndef SQUALL_WEB_SENTENCE_H
#define SQUALL_WEB_SENTENCE_H

#include <jansson.h>

#include "web/words.h"

bool sentence_active(const json_t *alarm);
int sentence_rank(const json_t *alarm); /* enum storm_severity */
const char *sentence_weather(int worst); /* "calm", "squall", "storm": of the worst rank that is active */
const char *sentence_host(const json_t *host);
const json_t *sentence_origin(const json_t *alarm); /* NULL: none */

char *sentence_headline(const struct words *w, enum language l, const json_t *alarm);
char *sentence_acquittal(const struct words *w, enum language l, const json_t *alarm);
char *sentence_figures(const struct words *w, enum language l, const json_t *alarm);
char *sentence_forecast(const struct words *w, enum language l, const json_t *alarm);

#endif
