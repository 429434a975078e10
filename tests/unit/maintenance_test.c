/* Maintenance windows: what is one, and when it is open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/maintenance.h"

static int64_t at(const char *text)
{
    int64_t t = 0;
    assert_true(clock_parse(span_text(text), &t));
    return t;
}

static bool open_at(const char *window, const char *text)
{
    struct maintenance w;
    assert_true(maintenance_parse(window, &w));
    return maintenance_open(&w, at(text));
}

static void weekly(void **state)
{
    (void)state;
    /* 2026-11-22 is a Sunday */
    assert_true(open_at("Sun 02:00-04:00", "2026-11-22T02:00:00Z"));
    assert_true(open_at("Sun 02:00-04:00", "2026-11-22T03:59:59Z"));
    assert_false(open_at("Sun 02:00-04:00", "2026-11-22T04:00:00Z"));
    assert_false(open_at("Sun 02:00-04:00", "2026-11-22T01:59:59Z"));
    assert_false(open_at("Sun 02:00-04:00", "2026-11-23T03:00:00Z"));
    assert_true(open_at("tue 00:00-24:00", "2026-11-24T12:00:00Z"));
}

static void past_midnight(void **state)
{
    (void)state;
    assert_true(open_at("Sat 23:00-01:00", "2026-11-21T23:30:00Z"));
    assert_true(open_at("Sat 23:00-01:00", "2026-11-22T00:30:00Z"));
    assert_false(open_at("Sat 23:00-01:00", "2026-11-21T00:30:00Z")); /* that is Friday's night */
    assert_false(open_at("Sat 23:00-01:00", "2026-11-22T23:30:00Z"));
    assert_true(open_at("daily 23:00-01:00", "2026-11-24T00:30:00Z"));
    assert_false(open_at("daily 23:00-01:00", "2026-11-24T12:30:00Z"));
}

static void once(void **state)
{
    (void)state;
    const char *w = "2026-12-01T22:00:00Z/2026-12-02T04:00:00Z";
    assert_false(open_at(w, "2026-12-01T21:59:59Z"));
    assert_true(open_at(w, "2026-12-01T22:00:00Z"));
    assert_true(open_at(w, "2026-12-02T03:59:59Z"));
    assert_false(open_at(w, "2026-12-02T04:00:00Z"));
}

static void not_windows(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "Sun", "Sun 02:00", "Sun 02:00-04:00 ", "Sun 02:00-04:60", "Sun 24:00-25:00", "Sun 04:00-04:00",
        "Someday 02:00-04:00", "2026-12-02T04:00:00Z/2026-12-01T22:00:00Z", "2026-12-02/2026-12-03", "/", "daily -1:00-02:00",
        "daily 99999999999:00-02:00"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct maintenance w;
        if (maintenance_parse(wrong[i], &w))
            fail_msg("\"%s\" was taken for a window", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weekly), cmocka_unit_test(past_midnight), cmocka_unit_test(once), cmocka_unit_test(not_windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
