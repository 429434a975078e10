/* Pictures of the past: which there are, what a query may say, what is asked of librrd, the colours of the sheet, the words; and each is
 * drawn. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "web/graph.h"
#include "web/painter.h"
#include "web/static.h"
#include "web/traffic.h"

#define NOW INT64_C(1795492800)

static const char *const names[] = {"deliveries", "messages", "redeliveries", "recipients", "sessions", "tls", "bytes", "packets",
    "rejects", "drops", "alarms"};
#define NAMES (sizeof names / sizeof names[0])

static void which(void **state)
{
    struct graph_request g;
    char part[64];
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(part, sizeof part, "%s.%s", names[i], i % 2 ? "svg" : "png");
        assert_true(graph_name(part, &g));
        assert_string_equal(g.name, names[i]);
        assert_int_equal(g.png, i % 2 == 0);
        assert_string_equal(g.alarm, "");
    }
    assert_true(graph_name("alarm/20261124T034922Z-1.svg", &g));
    assert_string_equal(g.alarm, "20261124T034922Z-1");
    static const char *const bad[] = {"", ".svg", "deliveries", "deliveries.gif", "deliveries.svg.svg", "Deliveries.svg", "alarm.svg",
        "alarm/.svg", "alarm/../../x.svg", "alarm/a.b.svg", "alarm/a:b.svg", "alarm/12345678901234567890123456789012.svg",
        "x/deliveries.svg", "deliveries .svg", "deliveries.svg\n", "alarms/1.svg"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(graph_name(bad[i], &g));
}

static bool range(struct graph_request *g, const char *from, const char *to)
{
    struct reason why = {""};
    bool good = graph_range(g, span_text(from), span_text(to), NOW, NOW - 86400, NOW, &why);
    assert_int_equal(good, why.text[0] == '\0');
    return good;
}

static void ranges(void **state)
{
    struct graph_request g;
    (void)state;
    assert_true(range(&g, "", ""));
    assert_true(NOW - g.to < 60 && g.from <= NOW - 86400 && g.from % 60 == 0 && g.to % 60 == 0);
    assert_true(range(&g, "-1h", ""));
    assert_true(g.from == NOW - 3600 && g.to == NOW);
    assert_true(range(&g, "-120s", "-60s"));
    assert_true(g.from == NOW - 120 && g.to == NOW - 60);
    assert_true(range(&g, "2026-11-24T03:30:00Z", "2026-11-24T04:00:00Z"));
    assert_true(g.to - g.from == 1800);
    assert_true(range(&g, "1795490000", "1795492000"));
    assert_true(range(&g, "-1h", "2100-01-01T00:00:00Z")); /* the future brings nothing */
    assert_true(g.to <= NOW);
    assert_true(range(&g, "-2y", "") && range(&g, "-3y", "") && range(&g, "-15min", "") && range(&g, "-2w", "") && range(&g, "-7d", ""));
    static const char *const bad[][2] = {{"x", ""}, {"-1", ""}, {"-h", ""}, {"-1hour", ""}, {"--1h", ""}, {"-1h", "-2h"}, {"-5s", ""},
        {"-4y", ""}, {"0", ""}, {"-1h", "end"}, {"-99999999999999999999s", ""}, {"2100-01-01T00:00:00Z", ""}, {"-1m", ""}, {" -1h", ""},
        {"-1h:x", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (range(&g, bad[i][0], bad[i][1]))
            fail_msg("from=%s&to=%s is taken", bad[i][0], bad[i][1]);
}

static void looks(void **state)
{
    struct graph_request g;
    struct reason why;
    (void)state;
    assert_true(graph_look(&g, span_text(""), span_text(""), &why) && g.width == 800 && !g.dark);
    assert_true(graph_look(&g, span_text("240"), span_text("dark"), &why) && g.width == 240 && g.dark);
    assert_true(graph_look(&g, span_text("2000"), span_text("light"), &why) && !g.dark);
    assert_false(graph_look(&g, span_text("239"), span_text(""), &why));
    assert_false(graph_look(&g, span_text("2001"), span_text(""), &why));
    assert_false(graph_look(&g, span_text("8e2"), span_text(""), &why));
    assert_false(graph_look(&g, span_text(""), span_text("blue"), &why));
}

/* Each colour of a picture is one of the sheet's, in its theme. */
static void colours(void **state)
{
    const struct static_file *sheet = static_find("squall.css");
    struct graph_request g = {.name = "alarms", .width = 800, .from = NOW - 3600, .to = NOW};
    struct words *w = words_new();
    size_t seen = 0;
    (void)state;
    assert_non_null(sheet);
    const char *css = (const char *)sheet->plain, *dark = strstr(css, "prefers-color-scheme: dark");
    assert_non_null(dark);
    for (int theme = 0; theme < 2; theme++)
        for (size_t n = 0; n < NAMES; n++) {
            struct graph_command c;
            g.dark = theme;
            g.name = names[n];
            assert_true(graph_command(&g, w, &c));
            for (int i = 0; i < c.count; i++) {
                const char *hash = strncmp(c.argument[i], "CDEF", 4) == 0 ? NULL : strchr(c.argument[i], '#');
                if (!hash)
                    continue;
                char colour[8];
                span_copy(span_of(hash, 7), colour, sizeof colour);
                if (strcmp(colour, "#ffffff") == 0)
                    strcpy(colour, "#fff;");
                const char *found = strstr(theme ? dark : css, colour);
                if (!found || (!theme && found > dark))
                    fail_msg("%s of %s is not in squall.css", colour, c.argument[i]);
                seen++;
            }
            graph_command_free(&c);
        }
    assert_true(seen > 200);
    words_free(w);
}

static void commands(void **state)
{
    struct graph_request g = {.name = "deliveries", .width = 800, .from = NOW - 3600, .to = NOW, .language = LANGUAGE_FR, .mark_count = 2,
        .marks = {{NOW * NS_PER_SECOND - 5, SEVERITY_CRITICAL}, {(NOW - 60) * NS_PER_SECOND, SEVERITY_WARNING}}};
    struct words *w = words_new();
    struct graph_command c;
    int marks = 0;
    (void)state;
    assert_non_null(w);
    assert_true(graph_command(&g, w, &c));
    for (int i = 0; i < c.count; i++) {
        assert_null(strchr(c.argument[i], '{')); /* every word and colour was found */
        assert_null(strchr(c.argument[i], '$'));
        assert_null(strstr(c.argument[i], "graph."));
        marks += strncmp(c.argument[i], "VRULE:", 6) == 0;
    }
    assert_int_equal(marks, 2);
    struct graph_cache *cache = graph_cache_new();
    size_t size;
    assert_null(graph_cache_find(cache, &c, &size));
    graph_cache_keep(cache, &c, "picture", 7);
    char *image = graph_cache_find(cache, &c, &size);
    assert_int_equal(size, 7);
    assert_memory_equal(image, "picture", 7);
    free(image);
    for (int i = 0; i < 100; i++) { /* others push it out */
        struct graph_command other;
        g.from = NOW - 7200 - i;
        assert_true(graph_command(&g, w, &other));
        graph_cache_keep(cache, &other, "other", 5);
        graph_command_free(&other);
    }
    assert_null(graph_cache_find(cache, &c, &size));
    graph_command_free(&c);
    graph_cache_free(cache);
    words_free(w);
}

static void drawn(void **state)
{
    static const int64_t spans[] = {60, 600, 3600, 86400, 7 * 86400, 30 * 86400, 366 * 86400, 2 * 366 * 86400};
    char directory[] = "/tmp/squall-graph-with:colon-XXXXXX", path[ROBIN_PATH], command[64];
    struct painter painter = {0};
    struct traffic t;
    struct words *w = words_new();
    struct reason why;
    size_t taken;
    (void)state;
    assert_non_null(mkdtemp(directory));
    traffic_init(&t, directory, NULL);
    for (int64_t s = NOW - 100; s < NOW; s++) {
        struct rates r = {.time = s * NS_PER_SECOND, .messages = 3, .deliveries = 9, .redeliveries = 4, .sessions = 2, .tls_sessions = 1};
        assert_true(traffic_put(&t, &r, 1, &taken, &why));
    }
    assert_true(traffic_path(&t, NOW - 100, NOW, path));
    for (size_t i = 0; i < NAMES * 8; i++) {
        struct graph_request g = {.name = names[i % NAMES], .png = i % 3 == 0, .dark = i % 2, .width = i % 4 ? 800 : 240,
            .from = NOW - spans[i % 8], .to = NOW, .language = (enum language)(i % LANGUAGE_COUNT)};
        struct graph_command c;
        char *image = NULL;
        size_t size = 0;
        assert_true(graph_command(&g, w, &c));
        if (!painter_draw(&painter, path, c.argument, c.count, &image, &size, &why))
            fail_msg("%s: %s", g.name, why.text);
        assert_true(size > 500);
        assert_memory_equal(image, g.png ? "\x89PNG" : "<?xm", 4);
        free(image);
        graph_command_free(&c);
    }
    char *nonsense[] = {path}, *image = NULL;
    size_t size = 0;
    assert_false(painter_draw(&painter, path, nonsense, 1, &image, &size, &why)); /* librrd's own word */
    assert_null(image);
    assert_true(why.text[0]);
    kill(painter.pid, SIGKILL); /* another takes its place */
    struct graph_request g = {.name = "bytes", .width = 800, .from = NOW - 100, .to = NOW};
    struct graph_command c;
    assert_true(graph_command(&g, w, &c));
    assert_true(painter_draw(&painter, path, c.argument, c.count, &image, &size, &why));
    free(image);
    painter_rest(&painter, painter.used + 1);
    assert_true(painter.pid != 0);
    painter_rest(&painter, INT64_MAX);
    assert_true(painter.pid == 0);
    graph_command_free(&c);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    words_free(w);
}

static void languages(void **state)
{
    struct words *w = words_new();
    const struct word values[] = {{"host", "a<b"}, {"mail", "{host}"}, {NULL, NULL}};
    char number[WORDS_NUMBER];
    (void)state;
    assert_int_equal(words_language(span_text("nl"), span_text("fr")), LANGUAGE_NL);
    assert_int_equal(words_language(span_text(""), span_text("de, fr-BE;q=0.8, en;q=0.5")), LANGUAGE_FR);
    assert_int_equal(words_language(span_text("xx"), span_text("")), LANGUAGE_EN);
    assert_int_equal(words_language(span_text("n"), span_text(",,,;")), LANGUAGE_EN);
    assert_int_equal(words_language(span_text("frx"), span_text("nlx, f")), LANGUAGE_EN);
    char *said = words_say(w, LANGUAGE_EN, "headline.reinjection", 4, values);
    assert_string_equal(said, "4 machines re-send {host} to people in its To: line."); /* a value is text, not a pattern */
    free(said);
    said = words_say(w, LANGUAGE_EN, "headline.reinjection", 1, values);
    assert_string_equal(said, "a<b re-sends {host} to people in its To: line.");
    free(said);
    said = words_say(w, LANGUAGE_NL, "no.such.key", WORDS_NO_NUMBER, NULL);
    assert_string_equal(said, "no.such.key");
    free(said);
    assert_string_equal(words_number(LANGUAGE_EN, 1234567, 0, number), "1,234,567");
    assert_string_equal(words_number(LANGUAGE_NL, 1234.5, 1, number), "1.234,5");
    assert_string_equal(words_number(LANGUAGE_FR, 12345, 0, number), "12\u202f345");
    assert_string_equal(words_number(LANGUAGE_EN, -123, 0, number), "-123");
    assert_string_equal(words_number(LANGUAGE_EN, 999999999999999.0, 0, number), "999,999,999,999,999");
    assert_string_equal(words_number(LANGUAGE_EN, 1e300, 0, number), "–");
    for (size_t i = 0; i < NAMES; i++) {
        char key[32];
        snprintf(key, sizeof key, "graph.%s", names[i]);
        assert_true(words_known(w, key));
    }
    words_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(which), cmocka_unit_test(ranges), cmocka_unit_test(looks),
        cmocka_unit_test(colours), cmocka_unit_test(commands), cmocka_unit_test(drawn), cmocka_unit_test(languages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
