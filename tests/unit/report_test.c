/* The report: the same bytes each time, nothing from elsewhere, no tag that we did not write, whatever the storm's texts hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "stats/history.h"
#include "stats/report.h"
#include "stats/storm_json.h"
#include "tests/unit/sample_storm.h"

static char *report(const struct storm *s, enum report_form form)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_true(report_write(s, form, f));
    fclose(f);
    assert_int_equal(n, strlen(text));
    return text;
}

static void same_bytes_from_the_history(void **state)
{
    (void)state;
    char directory[] = "/tmp/squall_report_XXXXXX", path[64];
    struct reason why;
    int status;
    assert_non_null(mkdtemp(directory));
    struct history_settings settings = {directory, 64 << 20, INT64_MAX / 4};
    struct sample_storm *x[] = {sample_reinjection(), sample_hostile()};
    struct history *h = history_open(&settings, &why, &status);
    for (int i = 0; i < 2; i++)
        assert_true(history_store(h, &x[i]->storm, SAMPLE_TIME, &why));
    history_close(h);
    h = history_open_reading(directory, &why, &status);
    for (int i = 0; i < 2; i++)
        for (int form = REPORT_TEXT; form <= REPORT_JSON; form++) {
            struct storm *back = history_load(h, x[i]->storm.id, &why);
            char *first = report(&x[i]->storm, (enum report_form)form), *second = report(back, (enum report_form)form);
            assert_string_equal(first, second);
            free(first);
            free(second);
            storm_json_free(back);
        }
    history_close(h);
    static const char *const files[] = {"history.db", "history.db-wal", "history.db-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
    free(x[0]);
    free(x[1]);
}

static const char *const TAGS[] = {"!doctype", "html", "head", "meta", "title", "style", "body", "main", "div", "section", "span", "h1",
    "h2", "h3", "p", "b", "small", "br", "dl", "dt", "dd", "table", "thead", "tr", "th", "td", "ul", "li", "pre", "details", "summary",
    "footer", "svg", "path", "text", "rect", "circle"};
static const char *const ATTRIBUTES[] = {"lang", "charset", "name", "content", "http-equiv", "class", "open", "viewBox", "width", "height",
    "role", "aria-label", "d", "stroke-width", "x", "y", "rx", "cx", "cy", "r", "text-anchor", "textLength", "lengthAdjust", "html"};

static bool among(const char *word, size_t n, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == n && memcmp(list[i], word, n) == 0)
            return true;
    return false;
}

/* Reads the page as a browser does, and fails at a tag or an attribute that the report has no use for; `depth` of open elements must
 * come out even. */
static void assert_only_our_tags(const char *page)
{
    static const char *const empty[] = {"!doctype", "meta", "br", "path", "rect", "circle"};
    int depth = 0;
    for (const char *p = strchr(page, '<'); p; p = strchr(p, '<')) {
        bool closing = p[1] == '/';
        p += 1 + closing;
        size_t n = strcspn(p, " />\n");
        if (!among(p, n, TAGS, sizeof TAGS / sizeof *TAGS))
            fail_msg("tag <%.60s", p);
        if (!among(p, n, empty, sizeof empty / sizeof *empty))
            depth += closing ? -1 : 1;
        if (n == 5 && memcmp(p, "style", 5) == 0 && !closing) {
            p = strstr(p, "</style>");
            continue;
        }
        p += n;
        while (*p && *p != '>') {
            p += strspn(p, " /\n");
            n = strcspn(p, "= >\n");
            if (n && !among(p, n, ATTRIBUTES, sizeof ATTRIBUTES / sizeof *ATTRIBUTES))
                fail_msg("attribute %.60s", p);
            p += n;
            if (*p == '=') {
                assert_int_equal(p[1], '"');
                p = strchr(p + 2, '"');
                assert_non_null(p);
                p++;
            }
        }
    }
    assert_int_equal(depth, 0);
}

static void hostile_words_make_no_tags(void **state)
{
    (void)state;
    struct sample_storm *x = sample_hostile();
    for (int k = 0; k < KIND_COUNT; k++) {
        x->storm.kind = (enum storm_kind)k;
        SAMPLE_TEXT(x->storm.subject, "=?utf-8?Q?=3Cscript=3Ealert(1)=3C/script=3E=22=27?="); /* becomes a tag only when it is decoded */
        char *page = report(&x->storm, REPORT_HTML);
        assert_only_our_tags(page);
        assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"));
        static const char *const forbidden[] = {
            "<script", "<img", "onload=\"", "onerror=\"", "http:", "https:", "url(", "src=\"", "href", "@import", "\x1b", "\r"};
        for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
            if (strstr(page, forbidden[i]))
                fail_msg("%s in %.80s", forbidden[i], strstr(page, forbidden[i]));
        free(page);
        char *text = report(&x->storm, REPORT_TEXT);
        for (const char *c = text; *c; c++)
            assert_true((unsigned char)*c >= ' ' || *c == '\n');
        free(text);
    }
    free(x);
}

static void says_all_of_it(void **state)
{
    (void)state;
    static const char *const wanted[] = {"re-injector", "each recipient once", "mail.provider3.test", "header only", "1,160", "58 s",
        "2,088", "fetchmail", "critical", "2.9 MB", "DISCARD", "New-TransportRule", "Dear postmaster", "at most", "44.7"};
    struct sample_storm *x = sample_reinjection();
    char *page = report(&x->storm, REPORT_HTML);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i]))
            fail_msg("%s is missing", wanted[i]);
    free(page);
    free(x);
}

static void a_young_growth_is_a_least_one(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    for (int reckoned = 0; reckoned <= 1; reckoned++)
        for (int dying = 0; dying <= 1; dying++) {
            x->storm.reproduction_reckoned = reckoned;
            x->storm.reproduction = dying ? 0.5 : 3;
            char *page = report(&x->storm, REPORT_HTML);
            assert_int_equal(strstr(page, "number R, at least") != NULL, reckoned);
            assert_int_equal(strstr(page, "makes at least") != NULL, reckoned);
            assert_int_equal(strstr(page, "it grows") != NULL, !dying);
            assert_int_equal(strstr(page, "it dies out") != NULL, dying && !reckoned);
            free(page);
        }
    free(x);
}

static void the_smallest_and_the_largest(void **state)
{
    (void)state;
    struct sample_storm *x = calloc(1, sizeof *x);
    x->storm = (struct storm){.id = "x",
        .kind = KIND_MIRROR,
        .raised = TIME_UNKNOWN,
        .first_seen = TIME_UNKNOWN,
        .cleared = TIME_UNKNOWN,
        .forecast_at = TIME_UNKNOWN,
        .reproduction = (double)NAN,
        .generation = (double)NAN,
        .peak_rate = (double)NAN,
        .generations_left = -1,
        .hosts = x->hosts,
        .edges = x->edges,
        .events = x->events};
    for (int form = REPORT_TEXT; form <= REPORT_JSON; form++)
        free(report(&x->storm, (enum report_form)form));
    char *page = report(&x->storm, REPORT_HTML);
    assert_only_our_tags(page);
    free(page);
    free(x);
    x = sample_hostile();
    while (x->storm.host_count < STORM_HOSTS) {
        struct storm_host *h = sample_host(x, (uint8_t)x->storm.host_count, "\"><b>", ROLE_LOOPER, x->storm.host_count & 1);
        memset(h->name, '<', sizeof h->name - 1);
        for (int k = 0; k < STORM_EVIDENCE; k++)
            sample_evidence(h, 1, "<<<>>>", "&&&");
    }
    while (x->storm.edge_count < STORM_EDGES)
        sample_edge(x, (int32_t)x->storm.edge_count % 250, (int32_t)(x->storm.edge_count * 7) % 256, 10, 9, true);
    while (x->storm.event_count < STORM_EVENTS)
        x->events[x->storm.event_count++] = x->events[0];
    page = report(&x->storm, REPORT_HTML);
    assert_only_our_tags(page);
    free(page);
    free(x);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        for (int form = REPORT_TEXT; form <= REPORT_JSON; form++)
            assert_false(report_write(&x->storm, (enum report_form)form, full));
        fclose(full);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes_from_the_history), cmocka_unit_test(hostile_words_make_no_tags),
        cmocka_unit_test(says_all_of_it), cmocka_unit_test(a_young_growth_is_a_least_one),
        cmocka_unit_test(the_smallest_and_the_largest), cmocka_unit_test(a_full_disk_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
