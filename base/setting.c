/* In: one value as text, from the file or from a table's default.  Out: the field of a room's struct, in our own units and within its
 * bounds, or why not. No exponent, no sign, no locale: what a person writes, and nothing that reads differently elsewhere. */
#include "base/setting.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct unit {
    const char *name;
    double times;
};
static const struct unit size_units[] = {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"min", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* "128 MiB", "0.5", "10 min": digits, perhaps a fraction, perhaps a unit.  No exponent, no sign, no locale. */
static bool parse_quantity(const char *text, const struct unit *units, double *value)
{
    double v = 0, place = 1;
    const char *p = text;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        v = v * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++)
            v += (*p - '0') * (place /= 10);
    while (*p == ' ')
        p++;
    for (; units->name; units++)
        if (strcmp(p, units->name) == 0) {
            *value = v * units->times;
            return true;
        }
    return false;
}

static const char *expected(enum setting_type type)
{
    switch (type) {
    case SETTING_BOOL:
        return "true or false";
    case SETTING_COUNT:
        return "a whole number";
    case SETTING_SIZE:
        return "a size such as \"128 MiB\" (B, KiB, MiB, GiB)";
    case SETTING_SECONDS:
        return "a time such as 30 or \"10 min\" (ms, s, min, h, d)";
    case SETTING_RATIO:
        return "a number";
    case SETTING_TEXT:
        return "a text";
    case SETTING_PORTS:
        return "ports from 1 to 65535, such as {25, 587}";
    case SETTING_TEXTS:
        return "a list of texts such as {\"one\", \"two\"}";
    }
    return "";
}

static bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *value = strcmp(text, yes[i]) == 0;
            return true;
        }
    return false;
}

static bool set_text(char **field, const char *text)
{
    free(*field);
    *field = *text ? strdup(text) : NULL;
    return true;
}

static bool set_number(const struct setting *s, char *field, const char *text, struct reason *why)
{
    const struct unit *units = s->type == SETTING_SIZE ? size_units : s->type == SETTING_SECONDS ? time_units : no_units;
    double v;
    if (!parse_quantity(text, units, &v) || (s->type == SETTING_COUNT && v != floor(v)))
        return reason_say(why, "%s: \"%s\" is not %s", s->name, text, expected(s->type));
    if (s->least < s->most && (v < s->least || v > s->most))
        return reason_say(why, "%s: %s is out of range; choose between %.10g and %.10g", s->name, text, s->least, s->most);
    if (s->type == SETTING_RATIO)
        memcpy(field, &v, sizeof v);
    else {
        int64_t whole = llround(s->type == SETTING_SECONDS ? v * (double)NS_PER_SECOND : v);
        memcpy(field, &whole, sizeof whole);
    }
    return true;
}

bool setting_is_list(const struct setting *s)
{
    return s->type == SETTING_PORTS || s->type == SETTING_TEXTS;
}

/* One value, as text, into its field of the room's struct. */
bool setting_put(const struct setting *s, void *values, const char *text, struct reason *why)
{
    char *field = (char *)values + s->offset;
    switch (s->type) {
    case SETTING_BOOL:
        return parse_bool(text, (bool *)field) || reason_say(why, "%s: \"%s\" is not %s", s->name, text, expected(s->type));
    case SETTING_TEXT:
        return set_text((char **)(void *)field, text);
    case SETTING_COUNT:
    case SETTING_SIZE:
    case SETTING_SECONDS:
    case SETTING_RATIO:
        return set_number(s, field, text, why);
    case SETTING_PORTS:
    case SETTING_TEXTS:
        break; /* lists: setting_add */
    }
    assert(!setting_is_list(s));
    return false;
}

static bool add_port(const struct setting *s, struct port_set *set, const char *text, struct reason *why)
{
    double v;
    if (!parse_quantity(text, no_units, &v) || v < 1 || v > 65535 || v != floor(v))
        return reason_say(why, "%s: \"%s\" is no port; expected %s", s->name, text, expected(s->type));
    if (set->count == sizeof set->port / sizeof set->port[0])
        return reason_say(why, "%s: more than %zu ports", s->name, set->count);
    set->port[set->count++] = (uint16_t)v;
    return true;
}

static bool add_text(const struct setting *s, struct text_list *list, const char *text, struct reason *why)
{
    if (list->count == sizeof list->text / sizeof list->text[0])
        return reason_say(why, "%s: more than %zu texts", s->name, list->count);
    list->text[list->count] = strdup(text);
    return list->text[list->count++] != NULL || reason_say(why, "%s: out of memory", s->name);
}

bool setting_add(const struct setting *s, void *values, const char *text, struct reason *why)
{
    void *field = (char *)values + s->offset;
    return s->type == SETTING_PORTS ? add_port(s, field, text, why) : add_text(s, field, text, why);
}

void setting_empty(const struct setting *s, void *values)
{
    void *field = (char *)values + s->offset;
    if (s->type == SETTING_PORTS) {
        ((struct port_set *)field)->count = 0;
        return;
    }
    struct text_list *list = field;
    while (list->count)
        free(list->text[--list->count]);
}

/* A list as the tables write it: "25, 465, 587". */
static void default_list(const struct setting *s, void *values)
{
    char text[256];
    assert(strlen(s->fallback) < sizeof text);
    strcpy(text, s->fallback);
    setting_empty(s, values);
    for (char *rest = NULL, *one = strtok_r(text, ", ", &rest); one; one = strtok_r(NULL, ", ", &rest)) {
        bool good = setting_add(s, values, one, NULL);
        assert(good);
    }
}

void setting_default(const struct setting *s, void *values)
{
    if (setting_is_list(s)) {
        default_list(s, values);
        return;
    }
    bool good = setting_put(s, values, s->fallback, NULL);
    assert(good); /* the table itself is wrong */
}

bool setting_is_bare(const struct setting *s)
{
    double v;
    return s->type == SETTING_BOOL || parse_quantity(s->fallback, no_units, &v);
}
