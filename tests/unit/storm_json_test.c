/* A storm to JSON and back: nothing lost, nothing that is no UTF-8, and no bound of storm.h broken by what a file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/storm_json.h"
#include "tests/unit/sample_storm.h"

static char *dump(json_t *object)
{
    char *text = json_dumps(object, STORM_JSON_FLAGS | JSON_COMPACT);
    assert_non_null(text);
    return text;
}

static void round_trip(struct sample_storm *x)
{
    struct reason why;
    json_t *first = storm_json(&x->storm);
    assert_non_null(first);
    char *once = dump(first);
    json_t *read = json_loads(once, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    struct storm *back = storm_json_parse(read, &why);
    assert_non_null(back);
    json_t *second = storm_json(back);
    char *twice = dump(second);
    assert_string_equal(once, twice);
    assert_int_equal(back->host_count, x->storm.host_count);
    assert_int_equal(back->first_seen, x->storm.first_seen);
    assert_int_equal(back->edges[5].to, -1);
    storm_json_free(back);
    json_decref(first);
    json_decref(second);
    json_decref(read);
    free(once);
    free(twice);
    free(x);
}

static void comes_back_the_same(void **state)
{
    (void)state;
    round_trip(sample_reinjection());
    round_trip(sample_hostile());
}

static void names_are_the_contract(void **state)
{
    (void)state;
    static const char *const names[] = {"id", "kind", "severity", "peak_severity", "state", "message_id", "thread", "first_seen", "raised",
        "updated", "cleared", "copies", "deliveries", "redeliveries", "recipients", "hosts", "reproduction", "reproduction_reckoned",
        "generation_seconds", "forecast", "why", "acquittal", "subject", "from", "timeline", "edges", "blast_radius", "cure"};
    static const char *const host_names[] = {
        "address", "name", "role", "on_wire", "copies", "deliveries", "redeliveries", "first", "evidence"};
    struct sample_storm *x = sample_reinjection();
    json_t *o = storm_json(&x->storm);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(json_object_get(o, names[i]));
    const json_t *host = json_array_get(json_object_get(o, "hosts"), 3);
    for (size_t i = 0; i < sizeof host_names / sizeof *host_names; i++)
        assert_non_null(json_object_get(host, host_names[i]));
    assert_string_equal(json_string_value(json_object_get(o, "first_seen")), "2026-11-24T03:49:18.350000001Z");
    assert_true(json_is_null(json_object_get(o, "cleared")));
    assert_true(json_is_null(json_object_get(o, "thread")));
    assert_string_equal(json_string_value(json_object_get(host, "address")), "10.3.3.10");
    assert_true(json_is_true(json_object_get(host, "on_wire")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "forecast"), "deliveries")), 2088);
    json_decref(o);
    free(x);
}

static void unknown_is_null(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    x->storm.reproduction = x->storm.generation = (double)NAN;
    x->storm.peak_rate = (double)INFINITY;
    x->storm.forecast_at = TIME_UNKNOWN;
    x->storm.generations_left = -1;
    x->storm.bytes = UINT64_MAX;
    json_t *o = storm_json(&x->storm);
    assert_true(json_is_null(json_object_get(o, "reproduction")));
    assert_true(json_is_null(json_object_get(o, "generation_seconds")));
    assert_true(json_is_null(json_object_get(o, "forecast")));
    assert_true(json_is_null(json_object_get(o, "generations_left")));
    assert_true(json_is_null(json_object_get(json_object_get(o, "blast_radius"), "peak_rate")));
    assert_true(json_integer_value(json_object_get(json_object_get(o, "blast_radius"), "bytes")) == INT64_MAX);
    struct storm *back = storm_json_parse(o, NULL);
    assert_true(isnan(back->reproduction));
    assert_int_equal(back->forecast_at, TIME_UNKNOWN);
    assert_int_equal(back->generations_left, -1);
    storm_json_free(back);
    json_decref(o);
    free(x);
}

static void a_crooked_object_keeps_the_bounds(void **state)
{
    (void)state;
    struct reason why;
    struct sample_storm *x = sample_reinjection();
    json_t *o = storm_json(&x->storm);
    json_t *edge = json_array_get(json_object_get(o, "edges"), 0);
    json_object_set_new(edge, "to", json_integer(1 << 30));
    json_object_set_new(edge, "from", json_integer(-7));
    json_object_set_new(edge, "deliveries", json_integer(-1));
    json_t *timeline = json_object_get(o, "timeline");
    for (int i = 0; i < 1000; i++)
        json_array_append_new(timeline, json_integer(i));
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    json_object_set_new(o, "message_id", json_string(longest));
    struct storm *back = storm_json_parse(o, &why);
    assert_non_null(back);
    assert_int_equal(back->edges[0].to, -1);
    assert_int_equal(back->edges[0].from, -1);
    assert_int_equal(back->edges[0].deliveries, 0);
    assert_int_equal(back->event_count, STORM_EVENTS);
    assert_int_equal(strlen(back->message_id), STORM_TEXT_SIZE - 1);
    storm_json_free(back);
    json_object_set_new(o, "kind", json_string("earthquake"));
    assert_null(storm_json_parse(o, &why));
    assert_non_null(strstr(why.text, "20261124T034918Z-1"));
    json_object_set_new(o, "kind", json_string("reinjection"));
    json_object_set_new(json_array_get(json_object_get(o, "hosts"), 0), "role", json_integer(3));
    assert_null(storm_json_parse(o, &why));
    json_decref(o);
    o = json_array();
    assert_null(storm_json_parse(o, &why));
    json_decref(o);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_the_same),
        cmocka_unit_test(names_are_the_contract),
        cmocka_unit_test(unknown_is_null),
        cmocka_unit_test(a_crooked_object_keeps_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
