/* Rounds of a storm: R, generation time, the forecast of the next round, the end by hop limits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "stats/reproduction.h"

#define S           NS_PER_SECOND
#define AT(seconds) ((int64_t)1800000000 * S + (int64_t)((seconds)*1e9))

static const char host[16];

static struct event event(uint64_t id, uint64_t parent, int by, double at, uint32_t hops)
{
    return (struct event){.id = id,
        .parent = parent,
        .copy = hash_pair(id, 7),
        .host = &host[by],
        .hops = hops,
        .deliveries = 50,
        .time = AT(at),
        .fed = TIME_UNKNOWN};
}

/* k connectors that poll one second after the other, a period apart, each copy to all others; returns the events of the last round. */
static uint64_t run(struct reproduction *r, int k, int rounds, double period)
{
    uint64_t id = 1, first_of_round = 0, last_of_round = 0;
    for (int round = 1; round <= rounds; round++) {
        uint64_t from = id;
        for (int h = 0; h < k; h++) {
            double at = period * round + 0.01 * h; /* too close to feed one another within the round */
            if (round == 1) {
                struct event e = event(id++, 0, h, at, 5);
                reproduction_event(r, &e);
                continue;
            }
            /* event `p` of the round before was of a host; those of the others came here */
            for (uint64_t p = first_of_round; p <= last_of_round; p++) {
                uint64_t owner = p; /* ids of a round are handed out host by host, evenly */
                uint64_t each = (last_of_round - first_of_round + 1) / (uint64_t)k;
                owner = (p - first_of_round) / each;
                if (owner == (uint64_t)h)
                    continue;
                struct event e = event(id++, p, h, at + 0.0001, 5 + 4 * ((uint32_t)round - 1));
                reproduction_event(r, &e);
            }
        }
        first_of_round = from;
        last_of_round = id - 1;
    }
    return last_of_round - first_of_round + 1;
}

static void nothing_yet(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    struct outlook o = reproduction_outlook(r, AT(100));
    assert_true(isnan(o.reproduction) && isnan(o.generation));
    assert_true(o.at == TIME_UNKNOWN && o.latest == TIME_UNKNOWN);
    assert_int_equal(o.generations_left, -1);
    reproduction_free(r);
    reproduction_free(NULL);
}

static void forecast_before_the_second_round(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    run(r, 4, 1, 300);
    struct outlook o = reproduction_outlook(r, AT(301));
    assert_true(isnan(o.reproduction) && o.reckoned == 3);
    assert_true(fabs(o.generation - 300) < 1);
    assert_int_equal(o.deliveries, 4 * 3 * 50);
    assert_true(o.at >= AT(599) && o.at <= AT(601));
    assert_int_equal(o.generations_left, (50 - 5) / 4);
    reproduction_free(r);
}

static void each_feeds_all_others(void **state)
{
    (void)state;
    for (int k = 2; k <= 5; k++) {
        struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
        uint64_t last = run(r, k, 4, 300);
        struct outlook o = reproduction_outlook(r, AT(4 * 300 + 2));
        assert_true(fabs(o.reproduction - (k - 1)) < 0.01);
        assert_true(fabs(o.generation - 300) < 1);
        assert_int_equal(o.deliveries, last * (uint64_t)(k - 1) * 50);
        assert_true(o.at >= AT(1499) && o.at <= AT(1501));
        reproduction_free(r);
    }
}

static void one_alone_dies(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    run(r, 1, 1, 300);
    struct outlook o = reproduction_outlook(r, AT(301));
    assert_true(isnan(o.reproduction) && isnan(o.reckoned));
    assert_true(o.at == TIME_UNKNOWN);
    o = reproduction_outlook(r, AT(3000));
    assert_true(o.reproduction == 0);
    assert_true(o.at == TIME_UNKNOWN);
    reproduction_free(r);
}

/* The mail stays in the mailbox: each poll puts the same copy back, chains do not grow, no hop limit will end it. */
static void kept_mail(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    for (int poll = 1; poll <= 4; poll++) {
        struct event e = {
            .id = (uint64_t)poll, .copy = 99, .host = host, .hops = 5, .deliveries = 57, .time = AT(600 * poll), .fed = TIME_UNKNOWN};
        reproduction_event(r, &e);
        struct event more = e; /* a second transaction of the same poll */
        more.deliveries = 1;
        reproduction_event(r, &more);
        if (poll == 2)
            assert_int_equal(reproduction_outlook(r, AT(1201)).deliveries, 58);
    }
    struct outlook o = reproduction_outlook(r, AT(2401));
    assert_true(o.reproduction == 1);
    assert_true(o.generation == 600);
    assert_int_equal(o.deliveries, 58);
    assert_true(o.at == AT(3000));
    assert_int_equal(o.generations_left, -1);
    assert_true(reproduction_outlook(r, AT(3700)).at == TIME_UNKNOWN); /* overdue: it has been stopped */
    assert_true(reproduction_outlook(r, AT(36000)).reproduction == 1); /* it bred as it did */
    reproduction_free(r);
}

static void a_circle(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_CIRCLE, AT(0), 1);
    for (uint32_t turn = 1; turn <= 10; turn++) {
        struct event e = {.id = turn, .parent = turn - 1, .hops = 1 + 2 * turn, .deliveries = 1, .time = AT(turn), .fed = TIME_UNKNOWN};
        reproduction_event(r, &e);
        reproduction_more(r, 1, e.time);
    }
    struct outlook o = reproduction_outlook(r, AT(10.5));
    assert_true(o.reproduction == 1);
    assert_true(o.generation == 1);
    assert_int_equal(o.deliveries, 2);
    assert_true(o.at == AT(11));
    assert_int_equal(o.generations_left, (50 - 21) / 2);
    reproduction_free(r);
}

static void at_the_hop_limit_no_more_is_expected(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_CIRCLE, AT(0), 1);
    for (uint32_t turn = 1; turn <= 24; turn++) {
        struct event e = {.id = turn, .parent = turn - 1, .hops = 1 + 2 * turn, .deliveries = 1, .time = AT(turn), .fed = TIME_UNKNOWN};
        reproduction_event(r, &e);
    }
    struct outlook o = reproduction_outlook(r, AT(24.5));
    assert_int_equal(o.generations_left, 0);
    assert_true(o.at == TIME_UNKNOWN);
    reproduction_free(r);
}

/* A server whose marks tell a lower limit ends it earlier; one that has been passed tells nothing. */
static void the_lowest_hop_limit_counts(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_CIRCLE, AT(0), 1);
    for (uint32_t turn = 1; turn <= 20; turn++) {
        struct event e = {.id = turn, .parent = turn - 1, .hops = 1 + 2 * turn, .hop_limit = 30, .deliveries = 1, .time = AT(turn),
            .fed = TIME_UNKNOWN};
        reproduction_event(r, &e);
        assert_int_equal(reproduction_outlook(r, AT(turn + 0.5)).generations_left, ((e.hops <= 30 ? 30 : 50) - e.hops) / 2);
    }
    reproduction_free(r);
}

/* A mirror that loses copies: each of two hosts is seen sending to 57 of 60, by four copies whose gaps differ; the round is of 60. */
static void lost_copies_do_not_shrink_the_round(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    uint32_t lost[] = {0, 3, 3, 6};
    for (int round = 1; round <= 2; round++)
        for (int h = 0; h < 2; h++) {
            struct event e = event((uint64_t)(round * 2 + h), round == 1 ? 0 : (uint64_t)(2 + !h), h, 300.0 * round + h, 1);
            e.hops = (uint32_t)(1 + 4 * round);
            e.deliveries = 60 - lost[round + h];
            e.reach = round == 1 ? e.deliveries : 60;
            reproduction_event(r, &e);
        }
    assert_int_equal(reproduction_outlook(r, AT(602)).deliveries, 120);
    reproduction_free(r);
}

/* Servers that cannot send a round in the time between two: what they can send is foretold, not the whole. */
static void a_round_too_large_for_the_servers(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    for (int h = 0; h < 10; h++) {
        struct event e = event((uint64_t)h + 1, 0, h, 10, 5);
        e.deliveries = 1;
        e.reach = h == 0 ? 500 : 1;
        reproduction_event(r, &e);
        e.deliveries = h == 0 ? 499 : 19;
        e.reach = h == 0 ? 500 : 20;
        e.time = AT(20);
        reproduction_event(r, &e);
    }
    assert_int_equal(reproduction_outlook(r, AT(21)).deliveries, 680); /* in 10 s, as in the last 10; not 10 hosts' 9 copies to 500 */
    reproduction_free(r);
}

/* Started late: the wait in the mailbox comes from the header's dates, unless they are nonsense. */
static void origin_not_seen(void **state)
{
    (void)state;
    for (int sane = 0; sane < 2; sane++) {
        struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(300), 1);
        for (int h = 0; h < 2; h++) {
            struct event e = event((uint64_t)h + 1, 0, h, 300 + 0.1 * h, 5);
            e.fed = sane ? AT(100) : AT(-1e6);
            reproduction_event(r, &e);
        }
        struct outlook o = reproduction_outlook(r, AT(301));
        if (sane)
            assert_true(fabs(o.generation - 200) < 1);
        else
            assert_true(isnan(o.generation) || o.generation < 1);
        reproduction_free(r);
    }
}

static void bounded(void **state)
{
    (void)state;
    struct reproduction *r = reproduction_new(BREEDING_MAILBOXES, AT(0), 1);
    static const char many[REPRODUCTION_HOSTS * 2];
    for (uint64_t i = 1; i < REPRODUCTION_EVENTS * 2; i++) {
        struct event e = {.id = i,
            .copy = i,
            .host = &many[i % sizeof many],
            .hops = 5,
            .deliveries = 1,
            .time = AT(300 + (double)i / 1000),
            .fed = TIME_UNKNOWN};
        reproduction_event(r, &e);
    }
    assert_true(reproduction_outlook(r, AT(400)).latest < AT(300 + REPRODUCTION_EVENTS * 2 / 1000.0));
    reproduction_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_yet),
        cmocka_unit_test(forecast_before_the_second_round),
        cmocka_unit_test(each_feeds_all_others),
        cmocka_unit_test(one_alone_dies),
        cmocka_unit_test(kept_mail),
        cmocka_unit_test(a_circle),
        cmocka_unit_test(at_the_hop_limit_no_more_is_expected),
        cmocka_unit_test(the_lowest_hop_limit_counts),
        cmocka_unit_test(lost_copies_do_not_shrink_the_round),
        cmocka_unit_test(a_round_too_large_for_the_servers),
        cmocka_unit_test(origin_not_seen),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
