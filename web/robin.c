/* In: seconds of counts as text, questions about a time, drawing commands.  Out: to and from one file, from traffic.c and course.c. */
#include "web/robin.h"

#include <assert.h>
#include <rrd.h>
#include <rrd_client.h>
#include <stdlib.h>

#include "base/late.h"

#define ARGUMENTS 96

/* What is called of librrd.  It is loaded when it is first needed: with the forty libraries that it draws by, it takes longer to load than
 * `squall read` takes for many a capture. */
#define CALLS(X)                                                                                                                           \
    X(get_error, rrd_get_error) X(clear_error, rrd_clear_error) X(create_r, rrd_create_r) X(update_r, rrd_update_r)                        \
    X(rrdc_connect, rrdc_connect) X(rrdc_update, rrdc_update) X(rrdc_flush, rrdc_flush) X(lastupdate_r, rrd_lastupdate_r)                  \
    X(freemem, rrd_freemem) X(fetch_r, rrd_fetch_r) X(graph_v, rrd_graph_v) X(info_free, rrd_info_free)
static struct {
#define X(name, function) __typeof__(function) *name;
    CALLS(X)
#undef X
} rrd;

static bool loaded(struct reason *why)
{
#define X(name, function) {#function, &rrd.name},
    static const struct late_call calls[] = {CALLS(X)};
#undef X
    static bool done;
    return done || (done = late_load("librrd.so.8", calls, sizeof calls / sizeof *calls, why));
}

static bool failed(const char *path, struct reason *why)
{
    char clean[REASON_SIZE / 2];
    const char *said = rrd.get_error();
    reason_say(why, "%s: %s", path, log_clean(span_text(said && said[0] ? said : "librrd does not say why"), clean, sizeof clean));
    rrd.clear_error();
    return false;
}

bool robin_create(const char *path, int64_t first, unsigned step, const char *const *lines, int count, struct reason *why)
{
    if (!loaded(why))
        return false;
    rrd.clear_error();
    return rrd.create_r(path, step, (time_t)(first - step), count, (const char **)(uintptr_t)lines) == 0 || failed(path, why);
}

bool robin_update(const char *cache, const char *path, const char *const *values, int count, struct reason *why)
{
    if (!loaded(why))
        return false;
    rrd.clear_error();
    if (!cache)
        return rrd.update_r(path, NULL, count, (const char **)(uintptr_t)values) == 0 || failed(path, why);
    return (rrd.rrdc_connect(cache) == 0 && rrd.rrdc_update(path, count, values) == 0) || failed(path, why);
}

void robin_flush(const char *cache, const char *path)
{
    struct reason why;
    if (!cache || !loaded(&why))
        return;
    rrd.clear_error();
    if (rrd.rrdc_connect(cache) == 0)
        rrd.rrdc_flush(path); /* without its answer the file is as it was some minutes ago */
    rrd.clear_error();
}

bool robin_last(const char *cache, const char *path, const char *const *names, size_t count, int64_t *last)
{
    time_t when = 0;
    unsigned long n = 0;
    char **name = NULL, **value = NULL;
    struct reason why;
    if (!loaded(&why))
        return false;
    robin_flush(cache, path);
    bool good = rrd.lastupdate_r(path, &when, &n, &name, &value) == 0;
    rrd.clear_error();
    if (!good)
        return false;
    good = n == count;
    for (size_t i = 0; i < n; i++) {
        good = good && strcmp(name[i], names[i]) == 0;
        rrd.freemem(name[i]);
        rrd.freemem(value[i]);
    }
    rrd.freemem(name);
    rrd.freemem(value);
    *last = when;
    return good;
}

bool robin_fetch(
    const char *cache, const char *path, int64_t from, int64_t to, int64_t step, struct robin_cells *cells, struct reason *why)
{
    time_t start = (time_t)from, end = (time_t)to;
    unsigned long each = (unsigned long)step, columns = 0;
    char **names = NULL;
    if (!loaded(why))
        return false;
    robin_flush(cache, path);
    if (rrd.fetch_r(path, "AVERAGE", &start, &end, &each, &columns, &names, &cells->cell) != 0)
        return failed(path, why);
    for (unsigned long i = 0; i < columns; i++)
        rrd.freemem(names[i]);
    rrd.freemem(names);
    cells->first = (int64_t)start + (int64_t)each;
    cells->step = (int64_t)each;
    cells->rows = end > start ? (size_t)(end - start) / each : 0;
    cells->columns = columns;
    return true;
}

void robin_cells_free(struct robin_cells *cells)
{
    if (cells->cell)
        rrd.freemem(cells->cell);
    cells->cell = NULL;
}

/* "DEF:x=@:source:AVERAGE" with the path in it, whose colons and backslashes lose their meaning by a backslash. */
static char *with_path(const char *argument, const char *path)
{
    const char *at = strncmp(argument, "DEF:", 4) == 0 ? strstr(argument, "=@:") : NULL;
    if (!at)
        return strdup(argument);
    char *text = malloc(strlen(argument) + 2 * strlen(path) + 1), *to = text;
    if (!text)
        return NULL;
    size_t before = (size_t)(at - argument) + 1;
    memcpy(to, argument, before);
    to += before;
    for (const char *c = path; *c; c++) {
        if (*c == ':' || *c == '\\')
            *to++ = '\\';
        *to++ = *c;
    }
    strcpy(to, at + 2);
    return text;
}

static bool take_image(const rrd_info_t *drawn, char **image, size_t *size, struct reason *why)
{
    for (; drawn; drawn = drawn->next)
        if (drawn->type == RD_I_BLO && strcmp(drawn->key, "image") == 0) {
            *size = drawn->value.u_blo.size;
            *image = malloc(*size + 1);
            if (*image)
                memcpy(*image, drawn->value.u_blo.ptr, *size);
            return *image || reason_say(why, "out of memory");
        }
    return reason_say(why, "nothing was drawn");
}

bool robin_draw(const char *path, char *const *arguments, int count, char **image, size_t *size, struct reason *why)
{
    static char graph[] = "graph", to_memory[] = "-";
    char *given[ARGUMENTS] = {graph, to_memory}, *ours[ARGUMENTS]; /* librrd puts what it is given into another order */
    bool good = true;
    assert(count + 2 <= ARGUMENTS);
    if (!loaded(why))
        return false;
    for (int i = 0; i < count; i++)
        good = (given[i + 2] = ours[i] = with_path(arguments[i], path)) && good;
    rrd.clear_error();
    rrd_info_t *drawn = good ? rrd.graph_v(count + 2, given) : NULL;
    if (!good)
        reason_say(why, "out of memory");
    else if (!drawn)
        good = failed(path, why);
    else
        good = take_image(drawn, image, size, why);
    if (drawn)
        rrd.info_free(drawn);
    for (int i = 0; i < count; i++)
        free(ours[i]);
    return good;
}
