/* One setting's text and its field.  `values` is the room's struct; see config.h for the tables.  Private to base/. */
#ifndef SQUALL_BASE_SETTING_H
#define SQUALL_BASE_SETTING_H

#include "base/config.h"

bool setting_is_list(const struct setting *s);
bool setting_is_bare(const struct setting *s); /* its default is written without quotes */
/* False: *why (which may be NULL) says "name: what is wrong". */
bool setting_put(const struct setting *s, void *values, const char *text, struct reason *why); /* no list */
bool setting_add(const struct setting *s, void *values, const char *text, struct reason *why); /* one item of a list */
void setting_empty(const struct setting *s, void *values);                                     /* a list */
void setting_default(const struct setting *s, void *values);

#endif
