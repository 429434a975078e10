/* What the pages ask of the sensor: the web room's thread waits, the desk's carries question and answer. */
#ifndef SQUALL_WATCH_QUESTIONS_H
#define SQUALL_WATCH_QUESTIONS_H

#include <jansson.h>

#include "base/log.h"

struct questions;
struct questions *questions_new(void); /* NULL: out of memory */
void questions_free(struct questions *q);
/* The web room's thread: takes the question, an object, and waits at most two seconds for its answer, a new reference.  NULL: *why. */
json_t *questions_ask(struct questions *q, json_t *question, struct reason *why);
/* The desk's thread. */
int questions_descriptor(const struct questions *q);          /* readable: a page asks */
json_t *questions_next(struct questions *q);                  /* a new reference, with "asked": its number; NULL: none */
void questions_answer(struct questions *q, json_t *answer);   /* takes it; one that nobody waits for any more is dropped */

#endif
