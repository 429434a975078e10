/* Notices, their bodies, and the store that keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "alert/store.h"
#include "alert/told.h"
#include "sample_storm.h"

static void a_body_keeps_all(void **state)
{
    struct sample_storm *x = sample_reinjection();
    struct notice *n = notice_new_storm(NOTICE_RAISED, 42, &x->storm, "sensor-1", "https://squall.test");
    struct reason why = {""};
    (void)state;
    assert_non_null(n);
    assert_string_equal(n->url, "https://squall.test/alarms/20261124T034918Z-1");
    assert_string_equal(n->reinjector_name, "server.company3.test");
    struct notice *back = notice_parse(n->body, n->body_size, &why);
    assert_non_null(back);
    assert_int_equal(back->number, 42);
    assert_int_equal(back->type, NOTICE_RAISED);
    assert_int_equal(back->time, n->time);
    assert_int_equal(back->raised, n->raised);
    assert_string_equal(back->id, n->id);
    assert_string_equal(back->sensor, "sensor-1");
    assert_string_equal(back->url, n->url);
    assert_string_equal(back->why, n->why);
    assert_string_equal(back->message_id, n->message_id);
    assert_memory_equal(&back->reinjector, &n->reinjector, sizeof n->reinjector);
    assert_int_equal(back->redeliveries, n->redeliveries);
    assert_true(fabs(back->reproduction - n->reproduction) < 1e-6);
    assert_string_equal(back->body, n->body);
    notice_free(back);
    notice_free(n);
    free(x);
}

static void hostile_texts_leave_clean(void **state)
{
    struct sample_storm *x = sample_hostile();
    struct notice *n = notice_new_storm(NOTICE_RAISED, 1, &x->storm, "s\x1b[31m", NULL);
    (void)state;
    assert_non_null(n);
    for (const char *p = n->body; *p; p++)
        assert_true((unsigned char)*p >= ' ');
    assert_null(strpbrk(n->from, "\r\n"));
    assert_null(strchr(n->sensor, '\x1b'));
    struct notice *back = notice_parse(n->body, n->body_size, NULL);
    assert_non_null(back);
    assert_string_equal(back->subject, n->subject);
    notice_free(back);
    notice_free(n);
    free(x);
}

static void broken_bodies(void **state)
{
    static const char *const wrong[] = {
        "", "{", "[]", "{}", "{\"change\":\"raised\"}", "{\"change\":\"heartbeat\",\"sensor\":\"s\"}", "{\"change\":7}", "null"};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(notice_parse(wrong[i], strlen(wrong[i]), &why));
}

static struct notice *own(struct store *s, enum notice_type t, const char *why)
{
    return notice_new_own(t, store_number(s), clock_now(), "s", SEVERITY_MAJOR, "", false, why);
}

static void queue(struct store *s, enum notice_type t, const char *channel, const char *why, uint64_t *dropped)
{
    struct notice *n = own(s, t, why);
    struct store_entry e = {channel, NULL};
    store_add(s, n, &e, 1, dropped);
    notice_free(n);
}

static void expect_next(struct store *s, const char *channel, const char *why)
{
    uint64_t dropped = 0;
    struct notice *n = store_next(s, channel, 0, &dropped);
    if (!why) {
        assert_null(n);
        return;
    }
    assert_non_null(n);
    assert_string_equal(n->why, why);
    store_done(s, channel, n->number);
    notice_free(n);
}

static void scratch(char path[64])
{
    snprintf(path, 64, "/tmp/squall-store-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static void remove_scratch(const char *path)
{
    static const char *const files[] = {"notices.db", "notices.db-wal", "notices.db-shm"};
    char file[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", path, files[i]);
        unlink(file);
    }
    rmdir(path);
}

static void a_restart_loses_nothing(void **state)
{
    char path[64];
    uint64_t dropped;
    struct reason why;
    (void)state;
    scratch(path);
    struct store *s = store_open(path, &why);
    assert_string_equal(why.text, "");
    queue(s, NOTICE_TEST, "a", "one", &dropped);
    queue(s, NOTICE_TEST, "b", "one of b", &dropped);
    queue(s, NOTICE_TEST, "a", "two", &dropped);
    expect_next(s, "a", "one");
    uint64_t number = store_number(s);
    store_close(s);
    s = store_open(path, &why);
    assert_true(store_number(s) >= number);
    assert_int_equal(store_waiting(s, "a"), 1);
    expect_next(s, "a", "two");
    expect_next(s, "a", NULL);
    expect_next(s, "b", "one of b");
    store_close(s);
    remove_scratch(path);
}

static void boots_grow(void **state)
{
    char path[64];
    uint32_t boots, again;
    int64_t began, since;
    (void)state;
    scratch(path);
    struct store *s = store_open(path, NULL);
    uint64_t mark = store_engine_mark(s);
    store_engine(s, true, 1000 * NS_PER_SECOND, &boots, &began);
    assert_int_equal(boots, 1);
    store_close(s);
    s = store_open(path, NULL);
    assert_int_equal(store_engine_mark(s), mark);
    store_engine(s, false, 2000 * NS_PER_SECOND, &again, &since); /* test-alert beside the sensor */
    assert_int_equal(again, 1);
    assert_int_equal(since, 1000);
    store_engine(s, true, 3000 * NS_PER_SECOND, &again, &since);
    assert_int_equal(again, 2);
    assert_int_equal(since, 3000);
    store_close(s);
    remove_scratch(path);
}

static void a_full_queue(void **state)
{
    struct store *s = store_open(NULL, NULL);
    struct sample_storm *x = sample_reinjection();
    uint64_t dropped, total = 0;
    (void)state;
    queue(s, NOTICE_TEST, "a", "first", &dropped);
    struct notice *n = notice_new_storm(NOTICE_UPDATED, store_number(s), &x->storm, "s", NULL);
    store_add(s, n, &(struct store_entry){"a", NULL}, 1, &dropped);
    notice_free(n);
    for (int i = 2; i < STORE_QUEUE; i++) {
        queue(s, NOTICE_TEST, "a", "more", &dropped);
        total += dropped;
    }
    assert_int_equal(total, 0);
    queue(s, NOTICE_TEST, "a", "last", &dropped); /* an update goes before anything else */
    assert_int_equal(dropped, 1);
    assert_int_equal(store_waiting(s, "a"), STORE_QUEUE);
    expect_next(s, "a", "first");
    expect_next(s, "a", "more");
    store_close(s);
    free(x);
}

static void only_the_youngest_heartbeat(void **state)
{
    struct store *s = store_open(NULL, NULL);
    uint64_t dropped;
    (void)state;
    queue(s, NOTICE_HEARTBEAT, "a", "old", &dropped);
    queue(s, NOTICE_TEST, "a", "test", &dropped);
    queue(s, NOTICE_HEARTBEAT, "a", "new", &dropped);
    expect_next(s, "a", "test");
    expect_next(s, "a", "new");
    expect_next(s, "a", NULL);
    store_close(s);
}

static void too_old_is_dropped(void **state)
{
    struct store *s = store_open(NULL, NULL);
    uint64_t dropped = 0;
    (void)state;
    queue(s, NOTICE_TEST, "a", "x", &dropped);
    assert_null(store_next(s, "a", clock_now() + NS_PER_SECOND, &dropped));
    assert_int_equal(dropped, 1);
    assert_int_equal(store_waiting(s, "a"), 0);
    store_close(s);
}

struct seen {
    int count;
    struct told told;
};

static void see_told(void *user, const char *id, const char *channel, const struct told *t)
{
    struct seen *seen = user;
    assert_string_equal(id, "20261124T034918Z-1");
    assert_string_equal(channel, "a");
    seen->count++;
    seen->told = *t;
}

static void see_open(void *user, const struct notice *n)
{
    assert_string_equal(n->id, "20261124T034918Z-1");
    ++*(int *)user;
}

static void what_was_told(void **state)
{
    struct store *s = store_open(NULL, NULL);
    struct sample_storm *x = sample_reinjection();
    struct told t = {.open = true, .count = 3, .severity = SEVERITY_MAJOR, .last = 77};
    struct seen seen = {.count = 0};
    uint64_t dropped;
    int open = 0;
    (void)state;
    struct notice *n = notice_new_storm(NOTICE_RAISED, store_number(s), &x->storm, "s", NULL);
    store_add(s, n, &(struct store_entry){"a", &t}, 1, &dropped);
    store_done(s, "a", n->number);
    notice_free(n);
    store_told(s, see_told, &seen);
    assert_int_equal(seen.count, 1);
    assert_true(seen.told.open && seen.told.count == 3 && seen.told.severity == SEVERITY_MAJOR && seen.told.last == 77);
    store_open_incidents(s, "a", see_open, &open); /* delivered, and still there to be told again to Alertmanager */
    assert_int_equal(open, 1);
    store_forget(s, "20261124T034918Z-1");
    store_open_incidents(s, "a", see_open, &open);
    assert_int_equal(open, 1);
    store_close(s);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_body_keeps_all), cmocka_unit_test(hostile_texts_leave_clean),
        cmocka_unit_test(broken_bodies), cmocka_unit_test(a_restart_loses_nothing), cmocka_unit_test(boots_grow),
        cmocka_unit_test(a_full_queue), cmocka_unit_test(only_the_youngest_heartbeat), cmocka_unit_test(too_old_is_dropped),
        cmocka_unit_test(what_was_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
