/* The words of the pages, on the server's side: the dictionaries of web/static/, read once.  For what is made without scripts.
 * Private to web/. */
#ifndef SQUALL_WEB_WORDS_H
#define SQUALL_WEB_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

#define LANGUAGES(X) X(EN, "en", "English") X(FR, "fr", "Français") X(NL, "nl", "Nederlands")
enum language {
#define X(name, code, title) LANGUAGE_##name,
    LANGUAGES(X)
#undef X
        LANGUAGE_COUNT
};
const char *words_code(enum language l); /* "fr" */
const char *words_title(enum language l);

struct words;
struct words *words_new(void); /* NULL: out of memory */
void words_free(struct words *w);
/* The language a visitor asks for by ?lang=, or else by Accept-Language; English when by neither. */
enum language words_language(struct span asked, struct span accepted);

struct word { /* {name} in a text stands for `text` */
    const char *name, *text;
};
#define WORDS_NO_NUMBER INT64_MIN
bool words_known(const struct words *w, const char *key);
/* The text of a key, malloc's; `n` chooses between KEY.one and KEY.other and is {n}.  Values end with a nameless one, or are NULL. */
char *words_say(const struct words *w, enum language l, const char *key, int64_t n, const struct word *values);
#define WORDS_NUMBER 40
char *words_number(enum language l, double value, int digits, char to[WORDS_NUMBER]); /* as i18n.js; returns `to` */

#endif
