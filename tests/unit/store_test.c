/* What the store of notices promises: order, bounds, and everything again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/store.h"

static char directory[] = "/tmp/squall-store-XXXXXX";

static int begin(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/squall-store-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    static const char *const names[] = {"notices.db", "notices.db-wal", "notices.db-shm"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static struct store *again(struct store *s)
{
    struct reason why;
    store_close(s);
    s = store_open(directory, &why);
    assert_non_null(s);
    assert_string_equal(why.text, "");
    return s;
}

/* A notice about ourselves, queued for the channel; its number.  *dropped counts on. */
static uint64_t queue(struct store *s, const char *channel, enum notice_type type, uint64_t *dropped)
{
    struct notice *n = notice_new_own(type, store_number(s), clock_now(), "here", SEVERITY_MAJOR, "part", true, "why");
    uint64_t number = n->number, lost = 0;
    store_add(s, n, &(struct store_entry){channel, NULL}, 1, &lost);
    notice_free(n);
    if (dropped)
        *dropped += lost;
    return number;
}

/* The number of the next notice; 0: none. */
static uint64_t next(struct store *s, const char *channel)
{
    uint64_t dropped = 0;
    struct notice *n = store_next(s, channel, 0, &dropped);
    uint64_t number = n ? n->number : 0;
    assert_int_equal(dropped, 0);
    notice_free(n);
    return number;
}

static void in_order_and_kept(void **state)
{
    (void)state;
    struct store *s = again(NULL);
    uint64_t a = queue(s, "one", NOTICE_TROUBLE, NULL), b = queue(s, "two", NOTICE_TROUBLE, NULL);
    uint64_t c = queue(s, "one", NOTICE_TROUBLE, NULL);
    assert_true(a < b && b < c);
    s = again(s);
    assert_int_equal(store_waiting(s, "one"), 2);
    assert_int_equal(next(s, "one"), a);
    assert_int_equal(next(s, "one"), a); /* until it is done */
    store_done(s, "one", a);
    s = again(s);
    assert_int_equal(next(s, "one"), c);
    assert_int_equal(next(s, "two"), b);
    assert_int_equal(next(s, "three"), 0);
    assert_true(queue(s, "one", NOTICE_TROUBLE, NULL) > c); /* numbers rise over restarts */
    store_close(s);
}

static void too_old(void **state)
{
    (void)state;
    struct store *s = again(NULL);
    uint64_t dropped = 0;
    queue(s, "one", NOTICE_TROUBLE, NULL);
    queue(s, "one", NOTICE_TROUBLE, NULL);
    assert_null(store_next(s, "one", clock_now() + NS_PER_SECOND, &dropped));
    assert_int_equal(dropped, 2);
    assert_int_equal(store_waiting(s, "one"), 0);
    store_close(s);
}

static void full(void **state)
{
    (void)state;
    struct store *s = again(NULL);
    uint64_t dropped = 0, first = queue(s, "one", NOTICE_TROUBLE, &dropped), beat = queue(s, "one", NOTICE_HEARTBEAT, &dropped);
    for (int i = 2; i < STORE_QUEUE; i++)
        queue(s, "one", NOTICE_TROUBLE, &dropped);
    assert_int_equal(dropped, 0);
    queue(s, "one", NOTICE_TROUBLE, &dropped); /* a heartbeat goes before what matters */
    assert_int_equal(dropped, 1);
    assert_int_equal(next(s, "one"), first);
    store_done(s, "one", first);
    assert_true(next(s, "one") > beat);
    queue(s, "one", NOTICE_TROUBLE, &dropped);
    queue(s, "one", NOTICE_TROUBLE, &dropped);
    assert_int_equal(dropped, 2);
    assert_int_equal(store_waiting(s, "one"), STORE_QUEUE);
    assert_int_equal(store_waiting(s, "two"), 0);
    store_close(s);
}

static void one_heart(void **state)
{
    (void)state;
    struct store *s = again(NULL);
    queue(s, "one", NOTICE_HEARTBEAT, NULL);
    uint64_t last = queue(s, "one", NOTICE_HEARTBEAT, NULL);
    assert_int_equal(store_waiting(s, "one"), 1);
    assert_int_equal(next(s, "one"), last);
    store_close(s);
}

static void boots(void **state)
{
    uint32_t first, same, later;
    int64_t began, then;
    (void)state;
    struct store *s = again(NULL);
    store_engine(s, true, 1000 * NS_PER_SECOND, &first, &began);
    assert_true(first >= 1);
    assert_int_equal(began, 1000);
    store_engine(s, false, 2000 * NS_PER_SECOND, &same, &then); /* test-alert beside us */
    assert_int_equal(same, first);
    assert_int_equal(then, 1000);
    uint64_t mark = store_engine_mark(s);
    s = again(s);
    store_engine(s, true, 3000 * NS_PER_SECOND, &later, &began);
    assert_int_equal(later, first + 1);
    assert_int_equal(began, 3000);
    assert_int_equal(store_engine_mark(s), mark);
    store_close(s);
}

static void take_name(void *user, const char *part)
{
    char *all = user;
    strcat(strcat(all, part), ";");
}

static void troubles(void **state)
{
    char all[128] = "";
    (void)state;
    struct store *s = again(NULL);
    store_trouble(s, "history", true);
    store_trouble(s, "snmp noc", true);
    store_trouble(s, "snmp noc", true);
    store_trouble(s, "evidence", true);
    store_trouble(s, "history", false);
    s = again(s);
    store_troubles(s, take_name, all);
    assert_string_equal(all, "evidence;snmp noc;");
    store_close(s);
}

static void no_disk(void **state)
{
    struct reason why;
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/file", directory);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    struct store *s = store_open(path, &why); /* a file is no directory */
    assert_non_null(s);
    assert_non_null(strstr(why.text, "memory only"));
    assert_false(store_on_disk(s, &why));
    uint64_t a = queue(s, "one", NOTICE_TROUBLE, NULL);
    assert_int_equal(next(s, "one"), a);
    store_close(s);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_and_kept, begin, end), cmocka_unit_test_setup_teardown(too_old, begin, end),
        cmocka_unit_test_setup_teardown(full, begin, end),              cmocka_unit_test_setup_teardown(one_heart, begin, end),
        cmocka_unit_test_setup_teardown(boots, begin, end),             cmocka_unit_test_setup_teardown(troubles, begin, end),
        cmocka_unit_test_setup_teardown(no_disk, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
