/* Who is told of a change, and as what: one raise, one clear, a budget between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/told.h"

static const struct told_rules rules = {.budget = 5, .interval = 60 * NS_PER_SECOND};
static char warning[] = "warning", major[] = "major", bounce[] = "bounce-storm";

static struct storm storm_at(int64_t seconds, enum storm_severity severity)
{
    return (struct storm){
        .kind = KIND_REINJECTION, .state = STATE_RAISED, .severity = severity, .updated = seconds * NS_PER_SECOND, .cleared = TIME_UNKNOWN};
}

/* Asks, and notes what was told, as alert.c does. */
static enum verdict ask(
    struct told *t, const struct route *r, enum notice_type change, int64_t seconds, enum storm_severity severity, bool maintenance)
{
    struct storm s = storm_at(seconds, severity);
    enum verdict v = told_verdict(t, &rules, r, &s, change, maintenance);
    if (v >= VERDICT_RAISED)
        told_note(t, v, severity, s.updated);
    return v;
}

static const struct route all = {.severity = warning};

static void one_raise_one_clear(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    (void)state;
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 0, SEVERITY_MAJOR, false), VERDICT_NOTHING); /* never raised */
    assert_int_equal(
        ask(&t, &all, NOTICE_UPDATED, 1, SEVERITY_MAJOR, false), VERDICT_RAISED); /* its first word is a raise, whatever the change */
    assert_int_equal(ask(&t, &all, NOTICE_RAISED, 2, SEVERITY_MAJOR, false), VERDICT_SUPPRESSED);
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 3, SEVERITY_MAJOR, false), VERDICT_CLEARED);
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 4, SEVERITY_MAJOR, false), VERDICT_NOTHING);
    assert_int_equal(ask(&t, &all, NOTICE_UPDATED, 5, SEVERITY_CRITICAL, false), VERDICT_NOTHING);
    assert_int_equal(ask(&t, &all, NOTICE_RAISED, 6, SEVERITY_MAJOR, false), VERDICT_RAISED); /* it begins again */
    assert_int_equal(t.count, 1);
}

static void a_budget(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    int told = 0;
    (void)state;
    for (int64_t second = 0; second < 30 * 86400; second += 7)
        told += ask(&t, &all, NOTICE_UPDATED, second, SEVERITY_MAJOR, false) >= VERDICT_RAISED;
    assert_int_equal(told, 4);
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 30 * 86400, SEVERITY_MAJOR, false), VERDICT_CLEARED);
    assert_int_equal(t.count, 5);
}

static void updates_further_apart(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    int64_t at[8];
    size_t n = 0;
    (void)state;
    for (int64_t second = 0; second < 86400; second++)
        if (ask(&t, &all, NOTICE_UPDATED, second, SEVERITY_MAJOR, false) >= VERDICT_RAISED)
            at[n++] = second;
    assert_int_equal(n, 4);
    assert_int_equal(at[1], 60);
    assert_int_equal(at[2], 60 + 300);
    assert_int_equal(at[3], 60 + 300 + 1500);
}

static void severity_is_told(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    const struct route r = {.severity = major};
    (void)state;
    assert_int_equal(ask(&t, &r, NOTICE_RAISED, 0, SEVERITY_WARNING, false), VERDICT_NOTHING);
    assert_int_equal(ask(&t, &r, NOTICE_UPDATED, 1, SEVERITY_MAJOR, false), VERDICT_RAISED);
    assert_int_equal(ask(&t, &r, NOTICE_UPDATED, 2, SEVERITY_CRITICAL, false), VERDICT_UPDATED);
    assert_int_equal(ask(&t, &r, NOTICE_UPDATED, 3, SEVERITY_WARNING, false), VERDICT_SUPPRESSED);
    assert_int_equal(ask(&t, &r, NOTICE_UPDATED, 4, SEVERITY_CRITICAL, false), VERDICT_SUPPRESSED); /* as grave as before */
    assert_int_equal(ask(&t, &r, NOTICE_CLEARED, 5, SEVERITY_NOTICE, false), VERDICT_CLEARED);      /* who was told hears the end */
}

static void kinds(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    struct route r = {.severity = warning, .kinds = {{bounce}, 1}};
    (void)state;
    assert_int_equal(ask(&t, &r, NOTICE_RAISED, 0, SEVERITY_CRITICAL, false), VERDICT_NOTHING);
    assert_true(told_wanted(&r, KIND_BOUNCE_STORM, SEVERITY_WARNING));
    assert_false(told_wanted(&r, KIND_BOUNCE_STORM, SEVERITY_NOTICE));
}

static void maintenance(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    (void)state;
    assert_int_equal(ask(&t, &all, NOTICE_RAISED, 0, SEVERITY_MAJOR, true), VERDICT_HELD);
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 1, SEVERITY_MAJOR, true), VERDICT_NOTHING);
    assert_int_equal(ask(&t, &all, NOTICE_RAISED, 2, SEVERITY_MAJOR, false), VERDICT_RAISED);
    assert_int_equal(ask(&t, &all, NOTICE_UPDATED, 3, SEVERITY_CRITICAL, true), VERDICT_SUPPRESSED);
    assert_int_equal(ask(&t, &all, NOTICE_CLEARED, 4, SEVERITY_CRITICAL, true), VERDICT_CLEARED); /* an end is no new alarm */
}

static void acknowledged(void **state)
{
    struct told t = {.last = TIME_UNKNOWN};
    (void)state;
    assert_int_equal(ask(&t, &all, NOTICE_RAISED, 0, SEVERITY_MAJOR, false), VERDICT_RAISED);
    struct storm s = storm_at(3600, SEVERITY_MAJOR);
    s.state = STATE_ACKNOWLEDGED;
    assert_int_equal(told_verdict(&t, &rules, &all, &s, NOTICE_UPDATED, false), VERDICT_SUPPRESSED);
    s.severity = SEVERITY_CRITICAL;
    assert_int_equal(told_verdict(&t, &rules, &all, &s, NOTICE_UPDATED, false), VERDICT_UPDATED);
}

static void a_full_table(void **state)
{
    struct told_table table;
    char id[STORM_ID_SIZE], forgotten[STORM_ID_SIZE];
    (void)state;
    assert_true(told_table_init(&table));
    for (int i = 0; i < TOLD_MOST; i++) {
        snprintf(id, sizeof id, "A-%d", i);
        told_add(&table, id, i, forgotten);
        assert_string_equal(forgotten, "");
    }
    told_find(&table, "A-0")->seen = TOLD_MOST; /* it goes on */
    told_add(&table, "A-new", TOLD_MOST, forgotten);
    assert_string_equal(forgotten, "A-1");
    assert_null(told_find(&table, "A-1"));
    assert_non_null(told_find(&table, "A-0"));
    assert_non_null(told_find(&table, "A-new"));
    assert_int_equal(table.count, TOLD_MOST);
    told_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_raise_one_clear), cmocka_unit_test(a_budget),
        cmocka_unit_test(updates_further_apart), cmocka_unit_test(severity_is_told), cmocka_unit_test(kinds), cmocka_unit_test(maintenance),
        cmocka_unit_test(acknowledged), cmocka_unit_test(a_full_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
