/* In: settings and sections with their lines, as squall.conf is read.  Out: a mistake's "FILE:LINE: section "title": name: what is wrong",
 * for checks that come after. */
#include "base/place.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

#define PLACES_MOST 4096 /* values and sections; what stands behind them is told without its line */

struct place {
    char section[32], title[64], name[32]; /* cut; a title that is longer is known by its beginning */
    int line;
};

static struct {
    char path[4096];
    struct place *list;
    size_t count;
} places; /* reading is single-threaded */

void place_begin(const char *path)
{
    span_copy(span_text(path), places.path, sizeof places.path);
    free(places.list);
    places.list = NULL;
    places.count = 0;
}

static int line_of(const char *section, const char *title, const char *name)
{
    for (size_t i = 0; i < places.count; i++) {
        const struct place *p = &places.list[i];
        if (strncmp(p->section, section, sizeof p->section - 1) == 0 && strncmp(p->title, title, sizeof p->title - 1) == 0 &&
            strncmp(p->name, name, sizeof p->name - 1) == 0)
            return p->line;
    }
    return 0;
}

void place_note(const char *section, const char *title, const char *name, int line)
{
    if (places.count == PLACES_MOST || line_of(section, title, name))
        return;
    if (!places.list)
        places.list = calloc(PLACES_MOST, sizeof *places.list);
    if (!places.list)
        return;
    struct place *p = &places.list[places.count++];
    span_copy(span_text(section), p->section, sizeof p->section);
    span_copy(span_text(title), p->title, sizeof p->title);
    span_copy(span_text(name), p->name, sizeof p->name);
    p->line = line;
}

bool config_wrong(struct reason *why, const char *section, const char *title, const char *name, const char *format, ...)
{
    char what[REASON_SIZE / 2], place[128] = "", in[128] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int line = line_of(section, title, name);
    if (!line)
        line = line_of(section, title, ""); /* it is missing: where its section opens */
    if (line)
        snprintf(place, sizeof place, "%.100s:%d: ", places.path, line);
    else if (places.path[0])
        snprintf(place, sizeof place, "%.100s: ", places.path);
    if (*title)
        snprintf(in, sizeof in, "%s \"%s\": ", section, title);
    else if (*section)
        snprintf(in, sizeof in, "%s: ", section);
    return reason_say(why, "%s%s%s: %s", place, in, name, what);
}
