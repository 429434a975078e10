/* The list of hosts that route by header, through the door: who gets on it, with what proof, and whose mail is warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/settings.h"
#include "stats/stats.h"
#include "tests/unit/post.h"

static struct stats_settings settings;
static struct post p;
static struct amplifier_row rows[2000];

static int defaults(void **state)
{
    (void)state;
    const struct setting_group group = {.about = "", .list = stats_settings_list, .count = stats_settings_count, .values = &settings};
    config_defaults(&group, 1);
    return 0;
}

/* A mail to three of its audience of five, which `host` fetched from a mailbox, or relayed. */
static void routed(struct stats *s, const char *id, uint32_t host, const char *with, double seconds)
{
    post_begin(&p, id, host, 2, seconds);
    post_audience(&p, 0, 5);
    post_hop(&p, 1, 1);
    post_hop(&p, 100 + host, 50);
    p.hop[1].from = span_text("pop.provider.example");
    p.hop[1].by = span_text("server.shop.example");
    p.hop[1].with = span_text(with);
    p.t.helo = span_text("server.shop.example");
    post_to(&p, 0, 3);
    stats_transaction(s, &p.t);
}

static void who_fetches_and_routes_is_watched(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    routed(s, "relay@x.example", 6, "ESMTP", 1);
    assert_int_equal(stats_census(s, rows, 10), 0);
    routed(s, "first@x.example", 7, "POP3", 2);
    routed(s, "second@x.example", 7, "POP3", 3);
    routed(s, "third@x.example", 8, "POP3", 4);
    assert_int_equal(stats_census(s, rows, 10), 2);
    assert_true(address_equal(rows[0].address, post_address(7)));
    assert_string_equal(rows[0].name, "server.shop.example");
    assert_int_equal(rows[0].mails, 2);
    assert_int_equal(rows[0].recipients, 6);
    assert_int_equal(rows[0].first, POST_START + 2 * POST_SECOND);
    assert_int_equal(rows[0].last, POST_START + 3 * POST_SECOND);
    assert_string_equal(rows[0].message_id, "first@x.example");
    assert_string_equal(rows[0].line, "from pop.provider.example [10.0.0.50] by server.shop.example with POP3");
    assert_int_equal(stats_census(s, rows, 1), 1);
    assert_int_equal(stats_census(s, rows, 0), 0);
    stats_free(s);
}

static void the_list_is_bounded(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    for (uint32_t i = 0; i < 1500; i++) {
        char id[40];
        snprintf(id, sizeof id, "m%u@x.example", i);
        routed(s, id, 1000 + i, "POP3", 1 + i);
    }
    size_t n = stats_census(s, rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(n, 1024);
    for (size_t i = 0; i < n; i++)
        assert_true(rows[i].first > POST_START + 400 * POST_SECOND); /* the longest unseen went */
    stats_free(s);
}

static bool warned;
static void storm(void *user, const struct storm *s, enum storm_change change)
{
    (void)user;
    (void)change;
    warned = warned || s->kind == KIND_EXPOSURE;
}

static void what_was_known_before_warns_at_once(void **state)
{
    (void)state;
    struct stats_sink sink = {.storm = storm};
    struct stats *s = stats_new(&settings, &sink);
    struct amplifier_row earlier = {.address = post_address(9), .name = "server.shop.example", .domain = "shop.example", .mails = 4,
        .recipients = 40, .first = POST_START - 900 * POST_SECOND, .last = POST_START - 800 * POST_SECOND};
    stats_know(s, &earlier);
    earlier.mails = 1; /* no second time */
    stats_know(s, &earlier);
    assert_int_equal(stats_census(s, rows, 10), 1);
    assert_int_equal(rows[0].mails, 4);
    post_begin(&p, "new@x.example", 1, 2, 1);
    post_audience(&p, 100, 30);
    p.audience[7].domain = hash_nocase(span_text("shop.example"));
    post_to(&p, 100, 3);
    stats_transaction(s, &p.t);
    assert_true(warned);
    routed(s, "again@x.example", 9, "POP3", 2);
    assert_int_equal(stats_census(s, rows, 10), 1);
    assert_int_equal(rows[0].mails, 5);
    assert_int_equal(rows[0].first, earlier.first);
    stats_free(s);
}

int main(void)
{
    hash_seed(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_fetches_and_routes_is_watched),
        cmocka_unit_test(what_was_known_before_warns_at_once),
        cmocka_unit_test(the_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, defaults, NULL);
}
