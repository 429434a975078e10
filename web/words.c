/* In: en.json, fr.json, nl.json as they were built in.  Out: texts in the reader's language, to plain.c and graph.c; the same rules as
 * web/static/i18n.js has for scripts. */
#include "web/words.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "web/static.h"

struct words {
    json_t *language[LANGUAGE_COUNT];
};

static const struct {
    const char *code, *title;
} languages[] = {
#define X(name, code, title) {code, title},
    LANGUAGES(X)
#undef X
};

const char *words_code(enum language l)
{
    return languages[l].code;
}

const char *words_title(enum language l)
{
    return languages[l].title;
}

struct words *words_new(void)
{
    struct words *w = calloc(1, sizeof *w);
    for (int l = 0; w && l < LANGUAGE_COUNT; l++) {
        char name[16];
        snprintf(name, sizeof name, "%s.json", languages[l].code);
        const struct static_file *f = static_find(name);
        assert(f);
        w->language[l] = json_loadb((const char *)f->plain, f->plain_size, 0, NULL);
        if (!w->language[l]) {
            words_free(w);
            return NULL;
        }
    }
    return w;
}

void words_free(struct words *w)
{
    for (int l = 0; w && l < LANGUAGE_COUNT; l++)
        json_decref(w->language[l]);
    free(w);
}

/* The language such a tag begins with ("nl-BE"), or LANGUAGE_COUNT. */
static enum language tagged(struct span tag)
{
    for (int l = 0; l < LANGUAGE_COUNT; l++)
        if (span_starts_nocase(tag, languages[l].code) && (tag.n == 2 || tag.p[2] == '-' || tag.p[2] == ';' || span_blank(tag.p[2])))
            return (enum language)l;
    return LANGUAGE_COUNT;
}

enum language words_language(struct span asked, struct span accepted)
{
    enum language l = tagged(span_trim(asked));
    while (l == LANGUAGE_COUNT && accepted.n) { /* browsers write them in the order of preference */
        const uint8_t *comma = memchr(accepted.p, ',', accepted.n);
        size_t n = comma ? (size_t)(comma - accepted.p) : accepted.n;
        l = tagged(span_trim(span_head(accepted, n)));
        accepted = span_from(accepted, n + 1);
    }
    return l == LANGUAGE_COUNT ? LANGUAGE_EN : l;
}

static const char *find(const struct words *w, enum language l, const char *key, const char *ending)
{
    char whole[96];
    snprintf(whole, sizeof whole, "%s%s", key, ending);
    const char *text = json_string_value(json_object_get(w->language[l], whole));
    return text ? text : json_string_value(json_object_get(w->language[LANGUAGE_EN], whole));
}

bool words_known(const struct words *w, const char *key)
{
    return find(w, LANGUAGE_EN, key, "") || find(w, LANGUAGE_EN, key, ".other");
}

static const char *value_of(const struct word *values, const char *name, size_t n)
{
    for (; values && values->name; values++)
        if (strlen(values->name) == n && memcmp(values->name, name, n) == 0)
            return values->text ? values->text : "";
    return NULL;
}

char *words_say(const struct words *w, enum language l, const char *key, int64_t n, const struct word *values)
{
    const char *text = NULL;
    char *said = NULL, number[WORDS_NUMBER] = "";
    size_t size = 0;
    if (n != WORDS_NO_NUMBER) {
        bool one = n == 1 || (n == 0 && l == LANGUAGE_FR);
        words_number(l, (double)n, 0, number);
        text = find(w, l, key, one ? ".one" : ".other");
    }
    if (!text && !(text = find(w, l, key, "")) && !(text = find(w, l, key, ".other")))
        text = key;
    const struct word of_number[] = {{"n", number}, {NULL, NULL}};
    FILE *to = open_memstream(&said, &size);
    if (!to)
        return NULL;
    while (*text) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL, *value = NULL;
        if (end && !(value = value_of(values, text + 1, (size_t)(end - text - 1))) && number[0])
            value = value_of(of_number, text + 1, (size_t)(end - text - 1));
        if (end) {
            fputs(value ? value : "", to);
            text = end + 1;
        } else {
            fputc(*text++, to);
        }
    }
    if (fclose(to) == 0)
        return said;
    free(said);
    return NULL;
}

char *words_number(enum language l, double value, int digits, char to[WORDS_NUMBER])
{
    static const char *const group[] = {[LANGUAGE_EN] = ",", [LANGUAGE_FR] = "\u202f", [LANGUAGE_NL] = "."};
    char plain[WORDS_NUMBER];
    size_t n = 0;
    if (!isfinite(value) || fabs(value) >= 1e15) {
        span_copy(span_text("–"), to, WORDS_NUMBER);
        return to;
    }
    snprintf(plain, sizeof plain, "%.*f", digits < 0 ? 0 : digits > 3 ? 3 : digits, value);
    size_t whole = strcspn(plain, ".");
    for (size_t i = 0; plain[i]; i++) { /* at most 15 digits and 5 separators of three bytes: they fit */
        if (plain[i] == '.') {
            to[n++] = l == LANGUAGE_EN ? '.' : ',';
        } else {
            bool between = i > 0 && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-';
            for (const char *c = between ? group[l] : ""; *c; c++)
                to[n++] = *c;
            to[n++] = plain[i];
        }
    }
    to[n] = '\0';
    return to;
}
