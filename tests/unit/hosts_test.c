/* The table of hosts, through the door: who sent, who took, who is charged, and what goes when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/settings.h"
#include "stats/stats.h"
#include "tests/unit/post.h"

#define MANY 40000 /* more hosts than are kept */

static struct stats_settings settings;
static struct post p;
static struct host_row rows[MANY];

static int defaults(void **state)
{
    (void)state;
    const struct setting_group group = {.about = "", .list = stats_settings_list, .count = stats_settings_count, .values = &settings};
    config_defaults(&group, 1);
    return 0;
}

static const struct host_row *row_of(size_t n, uint32_t host)
{
    for (size_t i = 0; i < n; i++)
        if (address_equal(rows[i].address, post_address(host)))
            return &rows[i];
    return NULL;
}

static void both_sides_of_a_mail_count(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    post_begin(&p, "a@x.example", 1, 2, 1);
    post_to(&p, 0, 3);
    p.recipient[2].code = 550;
    stats_transaction(s, &p.t);
    p.t.connection += 1000000; /* its twin */
    stats_transaction(s, &p.t);
    post_begin(&p, "a@x.example", 2, 3, 2);
    post_hop(&p, 1, 1);
    post_to(&p, 0, 2);
    stats_transaction(s, &p.t);
    post_begin(&p, "b@x.example", 4, 2, 3); /* refused: no mail */
    p.t.message = false;
    p.t.code = 554;
    stats_transaction(s, &p.t);
    size_t n = stats_hosts(s, rows, MANY);
    assert_int_equal(n, 3);
    assert_true(address_equal(rows[0].address, post_address(2))); /* most recipients either way */
    assert_int_equal(rows[0].messages_in, 1);
    assert_int_equal(rows[0].recipients_in, 2);
    assert_int_equal(rows[0].messages_out, 1);
    assert_int_equal(rows[0].recipients_out, 2);
    assert_string_equal(rows[0].name, "mx.example"); /* what it said first */
    assert_int_equal(rows[0].first, POST_START + POST_SECOND);
    assert_int_equal(rows[0].last, POST_START + 2 * POST_SECOND);
    assert_string_equal(row_of(n, 1)->name, "helo.example");
    assert_int_equal(stats_hosts(s, rows, 1), 1);
    assert_int_equal(stats_hosts(s, rows, 0), 0);
    stats_free(s);
}

static void redelivery_is_charged_to_who_sent_the_longer_chain(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    for (int i = 0; i < 3; i++) { /* the second and third come by host 7 */
        post_begin(&p, "storm@x.example", i ? 7 : 1, 2, 1 + i);
        post_audience(&p, 0, 20);
        for (int hop = 0; hop < i * 2; hop++)
            post_hop(&p, (uint32_t)(10 * i + hop), 1);
        post_to(&p, 0, 20);
        stats_transaction(s, &p.t);
    }
    size_t n = stats_hosts(s, rows, MANY);
    assert_int_equal(n, 3);
    assert_true(address_equal(rows[0].address, post_address(7)));
    assert_int_equal(rows[0].redeliveries, 40);
    assert_int_equal(row_of(n, 1)->redeliveries, 0);
    assert_int_equal(row_of(n, 2)->redeliveries, 0);
    stats_free(s);
}

static void hostile_names_and_crowds(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    static char name[3000];
    memset(name, 0xff, sizeof name);
    for (uint32_t i = 0; i < MANY; i++) {
        post_begin(&p, "", 1000 + i, 2, 1 + i);
        p.t.helo = span_of(name, sizeof name);
        post_to(&p, i, 1);
        stats_transaction(s, &p.t);
    }
    size_t n = stats_hosts(s, rows, MANY);
    assert_in_range(n, 8000, 20000);
    assert_int_equal(row_of(n, 2)->messages_in, MANY); /* seen all the time: never forgotten */
    assert_non_null(row_of(n, 1000 + MANY - 1));
    assert_null(row_of(n, 1000));
    for (size_t i = 0; i < n; i++)
        assert_in_range(strlen(rows[i].name), 1, STORM_TEXT_SIZE - 1);
    stats_free(s);
}

int main(void)
{
    hash_seed(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_a_mail_count),
        cmocka_unit_test(redelivery_is_charged_to_who_sent_the_longer_chain),
        cmocka_unit_test(hostile_names_and_crowds),
    };
    return cmocka_run_group_tests(tests, defaults, NULL);
}
