/* In: a name and a query, as the browser or an attacker wrote them.  Out: a drawing command for librrd, of which only numbers and choices
 * come from the query: its text never reaches a command or a path. */
#include "web/graph.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "web/robin.h"

#define LONGEST (INT64_C(3) * 366 * 86400)
#define SHORTEST 10

/* Colours of squall.css, by their names there (a test compares). */
static const struct {
    const char *name, *light, *dark;
} colours[] = {
    {"sheet", "#ffffff", "#171e28"}, {"ink", "#1c2330", "#e8edf4"}, {"soft", "#566072", "#a3b0c0"}, {"line", "#dfe3ea", "#2f3a49"},
    {"hair", "#eceff4", "#242e3b"}, {"calm", "#00704f", "#3fc79b"}, {"squall", "#8a5200", "#f0b54a"}, {"storm", "#b83a00", "#ff8a57"},
    {"info", "#00619b", "#66b8ee"}};

/* What each picture shows: lines of rrdgraph(1); $storm is a colour, $storm/66 the same half seen through, {key} a word. */
#define LINES 12
#define NARROW "" /* the legend goes on in the next line of a narrow picture */
static const struct picture {
    const char *name, *title;
    bool scaled; /* thousands as k, M, G */
    const char *lines[LINES];
} pictures[] = {
    {"deliveries", "graph.deliveries", false,
        {"DEF:all=@:deliveries:AVERAGE", "DEF:again=@:redeliveries:AVERAGE", "DEF:most=@:deliveries:MAX", "CDEF:first=all,again,-,0,MAX",
            "AREA:again$storm: {rate.again}", "AREA:first$info: {rate.first}:STACK", NARROW, "LINE1:most$soft: {graph.most}"}},
    {"messages", "graph.messages", false,
        {"DEF:all=@:messages:AVERAGE", "DEF:most=@:messages:MAX", "AREA:all$info: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"redeliveries", "graph.redeliveries", false,
        {"DEF:all=@:redeliveries:AVERAGE", "DEF:most=@:redeliveries:MAX", "AREA:all$storm: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"recipients", "graph.recipients", false,
        {"DEF:all=@:recipients:AVERAGE", "DEF:most=@:recipients:MAX", "AREA:all$info: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"sessions", "graph.sessions", false,
        {"DEF:all=@:sessions:AVERAGE", "DEF:tls=@:tls_sessions:AVERAGE", "CDEF:clear=all,tls,-,0,MAX", "AREA:tls$calm: {graph.tls_part}",
            "AREA:clear$info: {graph.clear_part}:STACK"}},
    {"tls", "graph.tls", false,
        {"DEF:all=@:sessions:AVERAGE", "DEF:tls=@:tls_sessions:AVERAGE", "CDEF:share=all,0,GT,tls,100,*,all,/,UNKN,IF",
            "AREA:share$calm/55", "LINE2:share$calm: {graph.tls_part}"}},
    {"bytes", "graph.bytes", true,
        {"DEF:all=@:bytes:AVERAGE", "DEF:most=@:bytes:MAX", "AREA:all$info: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"packets", "graph.packets", true,
        {"DEF:all=@:packets:AVERAGE", "DEF:most=@:packets:MAX", "AREA:all$info: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"rejects", "graph.rejects", false,
        {"DEF:all=@:rejects:AVERAGE", "DEF:most=@:rejects:MAX", "AREA:all$squall: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"drops", "graph.drops", false,
        {"DEF:all=@:drops:AVERAGE", "DEF:most=@:drops:MAX", "AREA:all$storm: {graph.mean}", "LINE1:most$soft: {graph.most}"}},
    {"alarms", "graph.alarms", false,
        {"DEF:critical=@:alarms_critical:MAX", "DEF:major=@:alarms_major:MAX", "DEF:minor=@:alarms_minor:MAX",
            "DEF:warning=@:alarms_warning:MAX", "DEF:notice=@:alarms_notice:MAX", "AREA:critical$storm: {severity.critical}",
            "AREA:major$storm/88: {severity.major}:STACK", NARROW, "AREA:minor$squall: {severity.minor}:STACK",
            "AREA:warning$squall/77: {severity.warning}:STACK", "AREA:notice$soft/55: {severity.notice}:STACK"}},
    {"alarm", "graph.alarm", false,
        {"DEF:all=@:deliveries:AVERAGE", "DEF:again=@:redeliveries:AVERAGE", "DEF:people=@:recipients:AVERAGE", "DEF:hosts=@:hosts:AVERAGE",
            "CDEF:first=all,again,-,0,MAX", "AREA:again$storm: {rate.again}", "AREA:first$info: {rate.first}:STACK", "COMMENT:\\l",
            "GPRINT:people:LAST:{figure.people}\\: %.0lf", "GPRINT:hosts:LAST:{graph.at_fault}\\: %.0lf"}},
};

/* ---- what was asked for ----------------------------------------------------------------------------------------------------------- */

static const struct picture *picture_of(struct span name)
{
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++)
        if (span_equal(name, span_text(pictures[i].name)))
            return &pictures[i];
    return NULL;
}

bool graph_name(const char *part, struct graph_request *g)
{
    struct span whole = span_text(part), name, id;
    if (whole.n < 5)
        return false;
    struct span ending = span_from(whole, whole.n - 4);
    g->png = span_equal(ending, span_text(".png"));
    if (!g->png && !span_equal(ending, span_text(".svg")))
        return false;
    name = span_head(whole, whole.n - 4);
    bool of_alarm = name.n > 6 && memcmp(name.p, "alarm/", 6) == 0;
    id = of_alarm ? span_from(name, 6) : span_of(NULL, 0);
    const struct picture *p = picture_of(of_alarm ? span_text("alarm") : name);
    if (!p || (of_alarm ? !text_alarm_id(id) : strcmp(p->name, "alarm") == 0))
        return false;
    g->name = p->name;
    span_copy(id, g->alarm, sizeof g->alarm);
    return true;
}

bool graph_range(struct graph_request *g, struct span from, struct span to, int64_t now, int64_t first, int64_t last, struct reason *why)
{
    static const int64_t roundings[] = {1, 10, 60, 300, 600, 3600, 21600, 86400};
    int64_t begin = first, end = last;
    if ((to.n && !text_moment_or_ago(to, now, &end)) || (from.n && !text_moment_or_ago(from, now, &begin)))
        return reason_say(why, "from, to: expected RFC 3339, seconds since 1970, or a time ago as -15min, -1h, -7d, -2w, -1y");
    if (end > now)
        end = now; /* nothing is known of the future, and what is drawn now must not be kept for then */
    if (begin < ROBIN_EARLIEST || end - begin < SHORTEST || end - begin > LONGEST)
        return reason_say(why, "from, to: from must lie before to by %d seconds to 3 years, and after 1980", SHORTEST);
    size_t i = 0;
    while (i + 1 < sizeof roundings / sizeof roundings[0] && roundings[i] < (end - begin) / 1440)
        i++;
    g->from = begin / roundings[i] * roundings[i];
    g->to = end / roundings[i] * roundings[i];
    return true;
}

bool graph_look(struct graph_request *g, struct span width, struct span theme, struct reason *why)
{
    g->width = 800;
    if (width.n && !text_count(width, 240, 2000, &g->width))
        return reason_say(why, "width: expected 240 to 2000 pixels");
    g->dark = span_equal(theme, span_text("dark"));
    return g->dark || !theme.n || span_equal(theme, span_text("light")) || reason_say(why, "theme: expected light or dark");
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------ */

static void add(struct graph_command *c, char *argument) /* takes it; NULL: out of memory, seen at the end */
{
    assert(c->count < GRAPH_ARGUMENTS);
    c->argument[c->count++] = argument;
}

static void __attribute__((format(printf, 2, 3))) say(struct graph_command *c, const char *format, ...)
{
    char *text = NULL;
    va_list list;
    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        text = NULL;
    va_end(list);
    add(c, text);
}

static void write_colour(const struct graph_request *g, const char *name, size_t n, FILE *to)
{
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (strlen(colours[i].name) == n && memcmp(colours[i].name, name, n) == 0)
            fputs(g->dark ? colours[i].dark : colours[i].light, to);
}

static void write_word(const struct graph_request *g, const struct words *w, const char *key, size_t n, FILE *to)
{
    char name[48], *text;
    span_copy(span_of(key, n), name, sizeof name);
    text = words_say(w, g->language, name, WORDS_NO_NUMBER, NULL);
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == ':' || *c == '\\')
            fputc('\\', to);
        fputc(*c, to);
    }
    free(text);
}

static void add_line(const struct graph_request *g, const struct words *w, const char *line, struct graph_command *c)
{
    char *text = NULL;
    size_t size = 0, n;
    FILE *to = open_memstream(&text, &size);
    if (!to) {
        add(c, NULL);
        return;
    }
    while (*line)
        switch (*line) {
        case '$':
            n = strspn(++line, "abcdefghijklmnopqrstuvwxyz");
            write_colour(g, line, n, to);
            line += line[n] == '/' ? n + 1 : n;
            break;
        case '{':
            n = strcspn(++line, "}");
            write_word(g, w, line, n, to);
            line += n + 1;
            break;
        default:
            fputc(*line++, to);
        }
    if (fclose(to) != 0) {
        free(text);
        text = NULL;
    }
    add(c, text);
}

/* Marks of time that read the same in every language: librrd's own are English. */
static const char *grid(int64_t seconds)
{
    static const struct {
        int64_t most;
        const char *grid;
    } grids[] = {{150, "SECOND:5:SECOND:30:SECOND:30:0:%H:%M:%S"}, {660, "SECOND:30:MINUTE:2:MINUTE:2:0:%H:%M"},
        {1260, "MINUTE:1:MINUTE:5:MINUTE:5:0:%H:%M"}, {4000, "MINUTE:5:MINUTE:10:MINUTE:10:0:%H:%M"},
        {15000, "MINUTE:15:HOUR:1:HOUR:1:0:%H:%M"}, {50000, "HOUR:1:HOUR:2:HOUR:2:0:%H:%M"}, {100000, "HOUR:1:HOUR:4:HOUR:4:0:%H:%M"},
        {300000, "HOUR:6:HOUR:12:HOUR:12:0:%d/%m %H:%M"}, {1000000, "HOUR:12:DAY:1:DAY:1:0:%d/%m"},
        {3500000, "DAY:1:WEEK:1:WEEK:1:0:%d/%m"}, {10000000, "WEEK:1:MONTH:1:MONTH:1:0:%m/%Y"},
        {40000000, "MONTH:1:MONTH:2:MONTH:2:0:%m/%Y"}};
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++)
        if (seconds <= grids[i].most)
            return grids[i].grid;
    return "MONTH:1:MONTH:6:MONTH:6:0:%m/%Y";
}

static void add_options(const struct graph_request *g, const struct words *w, const struct picture *p, struct graph_command *c)
{
    int64_t height = g->width / 4 < 160 ? 160 : g->width / 4 > 360 ? 360 : g->width / 4;
    static const char *const looks[] = {"--color=BACK$sheet", "--color=CANVAS$sheet", "--color=FONT$ink", "--color=AXIS$soft",
        "--color=GRID$hair", "--color=MGRID$line", "--color=ARROW$sheet", "--color=FRAME$soft"};
    say(c, "--start=%" PRId64, g->from);
    say(c, "--end=%" PRId64, g->to);
    say(c, "--width=%" PRId64, g->width);
    say(c, "--height=%" PRId64, height);
    say(c, "--imgformat=%s", g->png ? "PNG" : "SVG");
    say(c, "--x-grid=%s", grid(g->to - g->from));
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        add_line(g, w, looks[i], c);
    char *title = words_say(w, g->language, p->title, WORDS_NO_NUMBER, NULL);
    say(c, "--title=%s", title ? title : "");
    free(title);
    say(c, "--full-size-mode");
    say(c, "--disable-rrdtool-tag");
    say(c, "--border=0");
    say(c, "--lower-limit=0");
    say(c, "--alt-autoscale-max");
    say(c, "--font=DEFAULT:8:DejaVu Sans");
    say(c, "--font=TITLE:9:DejaVu Sans Bold");
    if (!p->scaled)
        say(c, "--units-exponent=0");
}

bool graph_command(const struct graph_request *g, const struct words *w, struct graph_command *c)
{
    const struct picture *p = picture_of(span_text(g->name));
    assert(p);
    *c = (struct graph_command){.count = 0};
    add_options(g, w, p, c);
    for (size_t i = 0; i < LINES && p->lines[i]; i++)
        if (p->lines[i][0])
            add_line(g, w, p->lines[i], c);
        else if (g->width < 560)
            say(c, "COMMENT:\\l");
    for (size_t i = 0; i < g->mark_count; i++) {
        char line[96];
        snprintf(line, sizeof line, "VRULE:%" PRId64 "$%s%s:dashes=2,3", g->marks[i].raised / NS_PER_SECOND,
            g->marks[i].severity >= SEVERITY_MAJOR ? "storm" : "squall", i == 0 ? ": {graph.raised}" : ":");
        add_line(g, w, line, c);
    }
    say(c, "COMMENT:UTC\\l");
    for (int i = 0; i < c->count; i++)
        if (!c->argument[i]) {
            graph_command_free(c);
            return false;
        }
    return true;
}

void graph_command_free(struct graph_command *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->argument[i]);
    c->count = 0;
}
