/* The life of incidents: ids, what is told and when, quiet and coming back, joins, bounds, a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/incident.h"

#define SECOND NS_PER_SECOND
#define START  (INT64_C(1795490807) * SECOND) /* 2026-11-24T03:26:47Z */
#define QUIET  (600 * SECOND)

static struct {
    unsigned raised, updated, cleared;
    char last[STORM_ID_SIZE];
} told;

static void sink(void *user, const struct storm *s, enum storm_change change)
{
    (void)user;
    told.raised += change == STORM_RAISED;
    told.updated += change == STORM_UPDATED;
    told.cleared += change == STORM_CLEARED;
    memcpy(told.last, s->id, sizeof told.last);
}

static struct stats_settings settings;
static struct stats_counters counters;
static const struct stats_sink to = {.storm = sink};

static struct incidents *begin(int64_t most)
{
    memset(&told, 0, sizeof told);
    memset(&counters, 0, sizeof counters);
    settings = (struct stats_settings){.quiet = QUIET, .storms = most};
    struct incidents *all = incidents_new(&settings, &to, &counters);
    assert_non_null(all);
    return all;
}

static void expect_told(unsigned raised, unsigned updated, unsigned cleared)
{
    assert_int_equal(told.raised, raised);
    assert_int_equal(told.updated, updated);
    assert_int_equal(told.cleared, cleared);
}

static struct address address(uint8_t n)
{
    uint8_t b[4] = {10, 0, 0, n};
    return address_v4(b);
}

static void ids_are_the_second_of_raising_and_a_number(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *a = incident_open(all, 1, KIND_BURST, START - SECOND), *b = incident_open(all, 2, KIND_BURST, START);
    expect_told(0, 0, 0);
    assert_false(incident_raised(a));
    incident_raise(all, b, SEVERITY_MINOR, START, "b %d", 1);
    incident_raise(all, a, SEVERITY_WARNING, START + SECOND, "a");
    assert_string_equal(b->id, "20261124T032647Z-1");
    assert_string_equal(a->id, "20261124T032648Z-2");
    assert_string_equal(b->why, "b 1");
    assert_ptr_equal(incident_at(all, 0), b);
    assert_ptr_equal(incident_at(all, 1), a);
    assert_null(incident_at(all, 2));
    assert_int_equal(counters.storms_raised, 2);
    incidents_free(all);
}

static void only_what_matters_is_told(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_REINJECTION, START);
    incident_raise(all, s, SEVERITY_WARNING, START, "one");
    expect_told(1, 0, 0);
    incident_raise(all, s, SEVERITY_WARNING, START + 1, "two");
    assert_string_equal(s->why, "two");
    incident_touch(all, s, START + 2);
    expect_told(1, 0, 0);
    incident_raise(all, s, SEVERITY_MAJOR, START + 3, "three");
    expect_told(1, 1, 0);
    incident_raise(all, s, SEVERITY_WARNING, START + 4, "lower");
    assert_int_equal(s->severity, SEVERITY_MAJOR);
    assert_string_equal(s->why, "three");
    expect_told(1, 1, 0);
    incident_host(s, address(7), "h", true)->role = ROLE_REINJECTOR;
    incident_raise(all, s, SEVERITY_MAJOR, START + 5, "a host more");
    expect_told(1, 2, 0);
    incident_host(s, address(8), "relay", true);
    incident_raise(all, s, SEVERITY_MAJOR, START + 6, "a relay more");
    expect_told(1, 2, 0);
    incident_kind(all, s, KIND_LIST_LOOP, START + 7);
    expect_told(1, 3, 0);
    incident_kind(all, s, KIND_LIST_LOOP, START + 8);
    expect_told(1, 3, 0);
    incident_finish(all, START + 9);
    expect_told(1, 4, 0);
    assert_int_equal(s->state, STATE_RAISED);
    incidents_free(all);
}

static void quiet_clears_and_coming_back_keeps_the_id(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_MAILBOMB, START);
    incident_raise(all, s, SEVERITY_MAJOR, START, "first");
    incident_touch(all, s, START + 100 * SECOND);
    incident_tick(all, START + 100 * SECOND + QUIET - 1);
    expect_told(1, 0, 0);
    incident_tick(all, START + 100 * SECOND + QUIET);
    expect_told(1, 0, 1);
    assert_int_equal(s->state, STATE_CLEARED);
    char id[STORM_ID_SIZE];
    memcpy(id, s->id, sizeof id);
    int64_t back = START + 100 * SECOND + 2 * QUIET - SECOND;
    incident_tick(all, back);
    assert_ptr_equal(incident_find(all, 1), s);
    incident_raise(all, s, SEVERITY_MINOR, back, "again");
    expect_told(2, 0, 1);
    assert_string_equal(s->id, id);
    assert_int_equal(s->state, STATE_RAISED);
    assert_int_equal(s->cleared, TIME_UNKNOWN);
    assert_int_equal(s->severity, SEVERITY_MINOR);
    assert_int_equal(s->peak_severity, SEVERITY_MAJOR);
    assert_int_equal(counters.storms_raised, 1);
    int64_t longer = 2 * (2 * QUIET - SECOND); /* it came back once: twice that pause */
    incident_tick(all, back + longer - 1);
    expect_told(2, 0, 1);
    incident_touch(all, s, back + longer - 1); /* no pause that it was cleared in */
    incident_tick(all, back + 2 * longer - 2);
    expect_told(2, 0, 1);
    incident_tick(all, back + 2 * longer - 1);
    expect_told(2, 0, 2);
    int64_t late = back + 3 * longer - 1;
    incident_tick(all, late);
    assert_null(incident_find(all, 1));
    struct storm *other = incident_open(all, 1, KIND_MAILBOMB, late);
    assert_ptr_not_equal(other, s);
    incident_raise(all, other, SEVERITY_MINOR, late, "another");
    assert_string_not_equal(other->id, id);
    assert_int_equal(incident_count(all), 2);
    incidents_free(all);
}

static void a_long_generation_outlasts_the_setting(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_REINJECTION, START);
    incident_raise(all, s, SEVERITY_MAJOR, START, "slow polls");
    s->generation = 900;
    incident_tick(all, START + 1800 * SECOND - 1);
    expect_told(1, 0, 0);
    incident_tick(all, START + 1800 * SECOND);
    expect_told(1, 0, 1);
    incidents_free(all);
}

static void a_person_acknowledges(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_BURST, START);
    incident_raise(all, s, SEVERITY_WARNING, START, "x");
    assert_false(incident_acknowledge(all, "20200101T000000Z-1", "ann", START));
    assert_true(incident_acknowledge(all, s->id, "ann", START + SECOND));
    assert_int_equal(s->state, STATE_ACKNOWLEDGED);
    assert_true(incident_acknowledge(all, s->id, "ann", START + SECOND));
    expect_told(1, 1, 0);
    incident_raise(all, s, SEVERITY_MAJOR, START + 2 * SECOND, "worse");
    assert_int_equal(s->state, STATE_ACKNOWLEDGED);
    incident_tick(all, START + 3 * SECOND + QUIET);
    assert_int_equal(s->state, STATE_CLEARED);
    assert_false(incident_acknowledge(all, s->id, "ann", START + 4 * SECOND + QUIET));
    incidents_free(all);
}

static void joined_the_earlier_id_stays(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *a = incident_open(all, 1, KIND_REINJECTION, START), *b = incident_open(all, 2, KIND_REINJECTION, START + 1);
    incident_raise(all, b, SEVERITY_MAJOR, START, "b");
    incident_raise(all, a, SEVERITY_WARNING, START + SECOND, "a");
    char id[STORM_ID_SIZE];
    memcpy(id, b->id, sizeof id);
    incident_host(a, address(1), "one", true)->redeliveries = 5;
    incident_host(b, address(1), "one", true)->redeliveries = 7;
    incident_host(b, address(2), "two", false)->role = ROLE_REINJECTOR;
    incident_edge(b, 0, 1)->copies = 3;
    a->copies = 10;
    b->copies = 20;
    incident_join(all, a, b, START + 2 * SECOND);
    assert_ptr_equal(incident_find(all, 1), a);
    assert_ptr_equal(incident_find(all, 2), a);
    assert_string_equal(a->id, id);
    assert_int_equal(a->raised, START);
    assert_int_equal(a->severity, SEVERITY_MAJOR);
    assert_int_equal(a->copies, 30);
    assert_int_equal(a->host_count, 2);
    assert_int_equal(a->hosts[0].redeliveries, 12);
    assert_int_equal(a->hosts[1].role, ROLE_REINJECTOR);
    assert_int_equal(a->edge_count, 1);
    assert_int_equal(a->edges[0].copies, 3);
    expect_told(2, 1, 1);
    assert_ptr_equal(incident_at(all, 0), a);
    assert_int_equal(incident_at(all, 1)->state, STATE_CLEARED);
    incident_tick(all, START + 3 * SECOND + 3 * QUIET);
    expect_told(2, 1, 2);
    incidents_free(all);
}

static void joined_with_a_watched_one(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *a = incident_open(all, 1, KIND_REINJECTION, START), *b = incident_open(all, 2, KIND_REINJECTION, START);
    incident_raise(all, b, SEVERITY_MAJOR, START, "b");
    char id[STORM_ID_SIZE];
    memcpy(id, b->id, sizeof id);
    incident_join(all, a, b, START + SECOND); /* the watched one takes over the raised one's identity */
    assert_true(incident_raised(a));
    assert_string_equal(a->id, id);
    assert_ptr_equal(incident_find(all, 2), a);
    assert_int_equal(incident_count(all), 1);
    struct storm *c = incident_open(all, 3, KIND_REINJECTION, START);
    incident_join(all, a, c, START + SECOND);
    assert_ptr_equal(incident_find(all, 3), a);
    assert_int_equal(incident_count(all), 1);
    incident_join(all, a, a, START + SECOND);
    incidents_free(all);
}

static void bounds_hold_and_open_storms_stay(void **state)
{
    (void)state;
    struct incidents *all = begin(8);
    for (uint64_t k = 1; k <= 8; k++) {
        struct storm *s = incident_open(all, k, KIND_BURST, START + (int64_t)k);
        assert_non_null(s);
        if (k <= 6)
            incident_raise(all, s, SEVERITY_MINOR, START + (int64_t)k, "k");
    }
    assert_non_null(incident_open(all, 9, KIND_BURST, START + 9)); /* in place of the watched 7, the older one */
    assert_null(incident_find(all, 7));
    assert_non_null(incident_find(all, 8));
    incident_raise(all, incident_find(all, 8), SEVERITY_MINOR, START + 8, "k");
    incident_raise(all, incident_find(all, 9), SEVERITY_MINOR, START + 9, "k");
    assert_null(incident_open(all, 10, KIND_BURST, START + 10));
    incident_tick(all, START + 3 + QUIET); /* 1 to 3 are over */
    expect_told(8, 0, 3);
    assert_non_null(incident_open(all, 10, KIND_BURST, START + 10));
    assert_null(incident_find(all, 1));
    assert_int_equal(incident_count(all), 7);
    for (uint64_t k = 100; k < 100000; k++) { /* the key table does not fill with the dead */
        struct storm *s = incident_open(all, k, KIND_BURST, START);
        assert_non_null(s);
        incident_drop(all, s);
    }
    assert_non_null(incident_find(all, 4));
    incidents_free(all);
}

static void lists_are_bounded(void **state)
{
    (void)state;
    struct incidents *all = begin(2);
    struct storm *s = incident_open(all, 1, KIND_REPLY_ALL, START);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < STORM_HOSTS + 50; i++) {
            uint8_t b[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
            struct storm_host *h = incident_host(s, address_v4(b), "h\x01", true);
            assert_true((h != NULL) == (i < STORM_HOSTS));
            if (h)
                assert_string_equal(h->name, "h?");
            struct storm_evidence e = {.time = i};
            incident_evidence(h, &e);
        }
    assert_int_equal(s->host_count, STORM_HOSTS);
    assert_int_equal(s->hosts_more, 50); /* each once */
    for (int i = 0; i < STORM_EVENTS + 10; i++)
        incident_event(s, START + i, "event %d", i);
    assert_int_equal(s->event_count, STORM_EVENTS);
    assert_string_equal(s->events[0].what, "event 0");
    assert_string_equal(s->events[STORM_EVENTS - 1].what, "event 73");
    for (int i = 0; i < STORM_EDGES + 10; i++)
        assert_true((incident_edge(s, i, -1) != NULL) == (i < STORM_EDGES));
    struct storm_host *named = incident_host(s, s->hosts[0].address, "", true);
    for (int i = 0; i < 3 * STORM_EVIDENCE; i++)
        incident_evidence(named, &(struct storm_evidence){.time = i});
    assert_int_equal(named->evidence_count, STORM_EVIDENCE);
    incidents_free(all);
}

static void the_peak_is_over_the_busiest_ten_seconds(void **state)
{
    (void)state;
    struct incidents *all = begin(2);
    struct storm *s = incident_open(all, 1, KIND_MAILBOMB, START);
    for (int i = 0; i < 30; i++)
        incident_rate(s, 1, START + i * SECOND);
    assert_true(s->peak_rate > 0.99 && s->peak_rate < 1.01);
    incident_rate(s, 41, START + 60 * SECOND);
    incident_rate(s, 9, START + 69 * SECOND);
    assert_true(s->peak_rate > 4.99 && s->peak_rate < 5.01);
    incident_rate(s, 45, START + 70 * SECOND); /* 41 have left */
    assert_true(s->peak_rate > 5.39 && s->peak_rate < 5.41);
    incident_rate(s, 1, START); /* late */
    assert_true(s->peak_rate > 5.49 && s->peak_rate < 5.51);
    incidents_free(all);
}

static void hosts_are_found_by_address_else_by_name(void **state)
{
    (void)state;
    struct incidents *all = begin(2);
    struct storm *s = incident_open(all, 1, KIND_REINJECTION, START);
    const struct address none = {{0}};
    incident_host(s, address(1), "", true);
    incident_host(s, address(1), "mx.one.test", false);
    incident_host(s, none, "mx.two.test", false);
    incident_host(s, none, "MX.Two.test", false);
    incident_host(s, none, "mx.one.test", false); /* a header's word does not become a machine on the wire */
    assert_int_equal(s->host_count, 3);
    assert_string_equal(s->hosts[0].name, "mx.one.test");
    assert_true(s->hosts[0].on_wire);
    assert_false(s->hosts[2].on_wire);
    incidents_free(all);
}

/* The storms of one run are those that the next one starts with. */
static struct incidents *restart(struct incidents *before)
{
    struct incidents *all = begin(10);
    for (size_t i = 0; i < incident_count(before); i++)
        assert_true(incident_resume(all, incident_at(before, i)) == (incident_at(before, i)->state != STATE_CLEARED));
    incidents_free(before);
    return all;
}

static void a_restart_goes_on_with_the_same_incident(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_REINJECTION, START), *other = incident_open(all, 2, KIND_MAILBOMB, START);
    strcpy(s->message_id, "m@bank.test");
    strcpy(other->victim, "boss@bank.test");
    incident_host(s, address(7), "c1", true)->role = ROLE_REINJECTOR;
    incident_raise(all, s, SEVERITY_MAJOR, START, "m");
    incident_raise(all, other, SEVERITY_MINOR, START, "bomb");
    char id[STORM_ID_SIZE], other_id[STORM_ID_SIZE];
    memcpy(id, s->id, sizeof id);
    memcpy(other_id, other->id, sizeof other_id);
    all = restart(all);
    assert_int_equal(incident_count(all), 2);
    assert_null(incident_find(all, 1));
    /* the same mail, under the key of this run, and weaker evidence so far */
    s = incident_open(all, 77, KIND_FORWARDING_LOOP, START + 60 * SECOND);
    strcpy(s->message_id, "m@bank.test");
    incident_raise(all, s, SEVERITY_WARNING, START + 60 * SECOND, "seen again");
    expect_told(0, 1, 0);
    assert_string_equal(s->id, id);
    assert_int_equal(s->raised, START);
    assert_int_equal(s->severity, SEVERITY_MAJOR);
    assert_int_equal(s->host_count, 1);
    assert_string_equal(s->events[0].what, "raised, major: m");
    struct storm *new = incident_open(all, 78, KIND_MAILBOMB, START + 61 * SECOND);
    strcpy(new->victim, "els@bank.test");
    incident_raise(all, new, SEVERITY_MINOR, START + 61 * SECOND, "another victim");
    assert_string_not_equal(new->id, other_id);
    assert_int_equal(incident_count(all), 3);
    incident_tick(all, START + QUIET); /* the first bomb did not go on */
    expect_told(1, 1, 1);
    assert_string_equal(told.last, other_id);
    incidents_free(all);
}

static void a_long_text_ends_at_a_word(void **state)
{
    (void)state;
    struct incidents *all = begin(10);
    struct storm *s = incident_open(all, 1, KIND_BURST, START);
    char text[3 * STORM_TEXT_SIZE] = "";
    while (strlen(text) < 2 * STORM_TEXT_SIZE)
        strcat(text, "h\u00e9h\u00e9 ");
    incident_event(s, START, "%s", text);
    const char *what = s->events[0].what;
    assert_true(strlen(what) < STORM_TEXT_SIZE && strlen(what) > STORM_TEXT_SIZE * 3 / 4);
    assert_string_equal(what + strlen(what) - 9, "h\u00e9h\u00e9\u2026");
    memset(text, 'x', 2 * STORM_TEXT_SIZE); /* no word to end at */
    incident_event(s, START, "%s", text);
    assert_int_equal(strlen(s->events[1].what), STORM_TEXT_SIZE - 1);
    incident_event(s, START, "short");
    assert_string_equal(s->events[2].what, "short");
    incidents_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_second_of_raising_and_a_number),
        cmocka_unit_test(only_what_matters_is_told),
        cmocka_unit_test(quiet_clears_and_coming_back_keeps_the_id),
        cmocka_unit_test(a_long_generation_outlasts_the_setting),
        cmocka_unit_test(a_person_acknowledges),
        cmocka_unit_test(joined_the_earlier_id_stays),
        cmocka_unit_test(joined_with_a_watched_one),
        cmocka_unit_test(bounds_hold_and_open_storms_stay),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(a_long_text_ends_at_a_word),
        cmocka_unit_test(the_peak_is_over_the_busiest_ten_seconds),
        cmocka_unit_test(hosts_are_found_by_address_else_by_name),
        cmocka_unit_test(a_restart_goes_on_with_the_same_incident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
