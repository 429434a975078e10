/* Watched hosts over restarts: the table the sensor told last, in a file of the state directory. */
#ifndef SQUALL_WATCH_KNOWN_H
#define SQUALL_WATCH_KNOWN_H

#include <jansson.h>
#include <stdbool.h>

struct known;
struct known *known_new(const char *state_directory); /* NULL: out of memory */
void known_free(struct known *k);                     /* writes first; NULL does nothing */
void known_told(struct known *k, const json_t *watched); /* rows as of GET /api/v1/watched; written once a minute at most */
char *known_text(const struct known *k);              /* JSON of the rows, to be freed; NULL: none are known */

#endif
