/* The conservation law on hosts alone: what each took in, sent, sent again and how the mail came to it, and whether that makes it guilty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/roles.h"
#include "stats/stats.h"

static struct stats_settings settings;
static struct roles roles;
static struct message message;

static struct address address(uint8_t last)
{
    return address_v4((const uint8_t[]){10, 0, 0, last});
}

static int setup(void **state)
{
    (void)state;
    struct setting_group g = {"", stats_settings_list, stats_settings_count, &settings, NULL, NULL};
    config_defaults(&g, 1);
    roles = (struct roles){0};
    message = (struct message){.audience = 100};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roles_free(&roles);
    return 0;
}

/* A host that only a header names: the ledger is not asked about it. */
static struct party *party(uint8_t last, enum arrival arrival, uint32_t sent, uint32_t again)
{
    char name[32];
    int n = snprintf(name, sizeof name, "h%u.test", last);
    struct party *p = roles_party(&roles, address(last), span_of(name, (size_t)n), false);
    assert_non_null(p);
    p->arrival = arrival;
    for (uint32_t i = 0; i < sent; i++)
        members_add(&p->sent, 1000 + i);
    for (uint32_t i = 0; i < again; i++) {
        members_add(&p->again, 1000 + i);
        members_add(&roles.hit, 1000 + i);
    }
    p->redeliveries = again;
    return p;
}

static struct verdict judge(const struct party *origin)
{
    return roles_judge(&roles, &message, origin, &settings);
}

static void sets_count_each_once(void **state)
{
    (void)state;
    struct members m = {0};
    assert_true(members_add(&m, 0));
    assert_false(members_add(&m, 0));
    for (uint64_t i = 2; i < 2 * ROLES_MEMBERS; i++)
        members_add(&m, i * 0x9e3779b97f4a7c15);
    assert_int_equal(m.count, ROLES_MEMBERS);
    assert_false(members_add(&m, 12345));
    assert_false(members_add(&m, 2 * 0x9e3779b97f4a7c15));
    free(m.slot);
}

static void out_of_a_mailbox(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 9, 9);
    assert_true(roles_reinjects(&roles, p, &message, NULL, &settings));
    assert_false(judge(NULL).suspected); /* ten make a suspicion */
    members_add(&p->again, 5);
    struct verdict v = judge(NULL);
    assert_true(v.suspected && !v.second && !v.third && !v.twice && !v.lone);
    assert_ptr_equal(v.worst, p);
    party(2, ARRIVAL_MAILBOX, 1, 1);
    v = judge(NULL);
    assert_true(v.second);
    assert_int_equal(v.guilty, 2);
    assert_int_equal(v.redeliveries, 10);
}

static void nobody_had_it(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 50, 0);
    assert_int_equal(judge(NULL).guilty, 0);
    p->fetched = true; /* by its own word it fetched the mail: for its own people */
    assert_int_equal(judge(NULL).guilty, 0);
    for (uint64_t domain = 1; domain <= ROLES_DOMAINS; domain++)
        members_add(&p->domains, domain);
    assert_true(judge(NULL).suspected); /* for all the world */
}

static void never_the_origin(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 100, 100);
    p->thirds = 100;
    assert_int_equal(judge(p).guilty, 0);
    assert_int_equal(judge(NULL).guilty, 1);
}

static void one_alone(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 89, 80);
    assert_false(judge(NULL).lone);
    members_add(&p->sent, 5);
    assert_true(judge(NULL).lone);
}

static void an_alias_is_no_reinjector(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_SMTP, 60, 60); /* one in, sixty out, all of them in To: */
    assert_int_equal(judge(NULL).guilty, 0);
    p->thirds = 30; /* a second alias with half of the people */
    party(2, ARRIVAL_SMTP, 100, 10);
    assert_false(roles_reinjects(&roles, roles_find(&roles, address(2)), &message, NULL, &settings));
    p->twice = 2; /* its own second pass; but a hub that forwarders send by is passed twice as well, and what it took in is not shown */
    assert_false(roles_reinjects(&roles, p, &message, NULL, &settings));
    p->twice = 3;
    assert_true(roles_reinjects(&roles, p, &message, NULL, &settings));
    p->thirds = 0;
    assert_false(roles_reinjects(&roles, p, &message, NULL, &settings));
}

static void a_forwarder_for_few(void **state)
{
    (void)state;
    struct party *few = party(2, ARRIVAL_SMTP, 3, 3);
    few->twice = 5;
    assert_false(roles_reinjects(&roles, few, &message, NULL, &settings));
}

static void an_odd_chain_needs_a_second_pass_and_third_copies(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_ODD, 40, 40);
    p->thirds = 40; /* a victim's view of a list and an alias: each of them gives everyone one more */
    assert_int_equal(judge(NULL).guilty, 0);
    p->twice = 2;
    p->thirds = 0;
    assert_int_equal(judge(NULL).guilty, 0);
    p->thirds = 1;
    assert_int_equal(judge(NULL).guilty, 0);
    p->thirds = 2;
    assert_int_equal(judge(NULL).guilty, 1);
    assert_true(judge(NULL).third);
}

static void a_second_pass_needs_two_people(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 1, 1);
    p->twice = 3;
    assert_false(judge(NULL).twice); /* one address going round: a forwarding loop */
    members_add(&roles.hit, 77);
    assert_true(judge(NULL).twice);
}

static void one_name_is_one_host(void **state)
{
    (void)state;
    party(1, ARRIVAL_MAILBOX, 20, 20);
    struct party *same = roles_party(&roles, address(9), span_text("H1.test"), false);
    same->arrival = ARRIVAL_MAILBOX;
    members_add(&same->again, 1);
    assert_false(judge(NULL).second);
}

static void by_name_alone(void **state)
{
    (void)state;
    static const struct address unknown;
    struct party *p = roles_party(&roles, unknown, span_text("hidden.test"), false);
    assert_ptr_equal(roles_party(&roles, unknown, span_text("HIDDEN.test"), false), p);
    assert_null(roles_party(&roles, unknown, span_text(""), false));
    assert_int_equal(roles.count, 1);
    for (uint32_t i = 0; i < ROLES_PARTIES + 10; i++)
        roles_party(&roles, address_v4((const uint8_t[]){10, 1, (uint8_t)(i >> 8), (uint8_t)i}), span_text("x"), true);
    assert_int_equal(roles.count, ROLES_WATCHED);
    roles.storm = true;
    for (uint32_t i = 0; i < ROLES_PARTIES + 10; i++)
        roles_party(&roles, address_v4((const uint8_t[]){10, 1, (uint8_t)(i >> 8), (uint8_t)i}), span_text("x"), true);
    assert_int_equal(roles.count, ROLES_PARTIES);
}

static void feeders_are_kept_once(void **state)
{
    (void)state;
    struct party *p = party(1, ARRIVAL_MAILBOX, 1, 1);
    for (int i = 0; i < 3; i++)
        party_feeder(p, address(50), span_text("pop.test"));
    assert_int_equal(p->feeder_count, 1);
    for (uint8_t i = 0; i < 10; i++)
        party_feeder(p, address(i), span_text("pop.test"));
    assert_int_equal(p->feeder_count, ROLES_FEEDERS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sets_count_each_once),
        T(out_of_a_mailbox),
        T(nobody_had_it),
        T(never_the_origin),
        T(one_alone),
        T(an_alias_is_no_reinjector),
        T(a_forwarder_for_few),
        T(an_odd_chain_needs_a_second_pass_and_third_copies),
        T(a_second_pass_needs_two_people),
        T(one_name_is_one_host),
        T(by_name_alone),
        T(feeders_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
