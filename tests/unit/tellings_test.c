/* What is news to people, when the sensor tells its storms again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stats/storm_json.h"
#include "watch/tellings.h"

static struct storm storm_now(const char *id, enum storm_state state, uint64_t copies)
{
    struct storm s = {.kind = KIND_REINJECTION, .severity = SEVERITY_MAJOR, .peak_severity = SEVERITY_MAJOR, .state = state,
        .copies = copies, .first_seen = 1, .raised = 2, .updated = (int64_t)copies, .cleared = state == STATE_CLEARED ? 9 : TIME_UNKNOWN,
        .forecast_at = TIME_UNKNOWN, .generations_left = -1};
    snprintf(s.id, sizeof s.id, "%s", id);
    return s;
}

/* Tells it as the sensor does: with its JSON. */
static enum news tell(struct tellings *t, const struct storm *s, struct history *h)
{
    char text[128];
    snprintf(text, sizeof text, "%s %d %llu", s->id, s->state, (unsigned long long)s->copies);
    return tellings_news(t, s, span_text(text), h);
}

static void life_of_a_storm(void **state)
{
    struct tellings *t = tellings_new();
    struct storm a = storm_now("a", STATE_RAISED, 5);
    (void)state;
    assert_int_equal(tell(t, &a, NULL), NEWS_RAISED);
    assert_int_equal(tell(t, &a, NULL), NEWS_NONE); /* told again, word for word */
    a.copies = 6;
    assert_int_equal(tell(t, &a, NULL), NEWS_UPDATED);
    a.state = STATE_CLEARED;
    assert_int_equal(tell(t, &a, NULL), NEWS_CLEARED);
    assert_int_equal(tell(t, &a, NULL), NEWS_NONE);
    a.state = STATE_RAISED; /* it began anew within its quiet time */
    a.copies = 7;
    assert_int_equal(tell(t, &a, NULL), NEWS_RAISED);
    tellings_free(t);
}

static void cleared_before_anybody_heard(void **state)
{
    struct tellings *t = tellings_new();
    struct storm a = storm_now("a", STATE_CLEARED, 5);
    uint32_t open[SEVERITY_CRITICAL + 1];
    (void)state;
    assert_int_equal(tell(t, &a, NULL), NEWS_RAISED);
    tellings_open(t, open);
    assert_int_equal(open[SEVERITY_MAJOR], 1);
    assert_int_equal(tell(t, &a, NULL), NEWS_CLEARED);
    assert_int_equal(tell(t, &a, NULL), NEWS_NONE);
    tellings_open(t, open);
    assert_int_equal(open[SEVERITY_MAJOR], 0);
    tellings_free(t);
}

static void another_desk_knows_from_the_history(void **state)
{
    char directory[] = "/tmp/squall-tellings-XXXXXX", path[64];
    struct reason why;
    int status;
    (void)state;
    assert_non_null(mkdtemp(directory));
    struct history_settings settings = {.directory = directory, .bytes = 64 << 20, .keep = NS_PER_SECOND * 86400};
    struct history *h = history_open(&settings, &why, &status);
    assert_non_null(h);
    struct storm open = storm_now("20261124T000000Z-1", STATE_RAISED, 5), over = storm_now("20261124T000000Z-2", STATE_CLEARED, 8);
    assert_true(history_store(h, &open, 5, &why) && history_store(h, &over, 8, &why) && history_tick(h, 9, &why));

    struct tellings *t = tellings_new();
    tellings_known(t, &open); /* as the desk does at its start; cleared ones it looks up */
    assert_int_equal(tell(t, &open, h), NEWS_NONE);
    assert_int_equal(tell(t, &over, h), NEWS_NONE);
    open.copies = 6;
    open.updated = 6;
    assert_int_equal(tell(t, &open, h), NEWS_UPDATED);
    over.state = STATE_RAISED;
    over.copies = 9;
    assert_int_equal(tell(t, &over, h), NEWS_RAISED);
    struct storm fresh = storm_now("20261124T000000Z-3", STATE_RAISED, 1);
    assert_int_equal(tell(t, &fresh, h), NEWS_RAISED);
    tellings_free(t);
    history_close(h);
    static const char *const files[] = {"history.db", "history.db-wal", "history.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
}

static void many_storms_do_not_fill_memory(void **state)
{
    struct tellings *t = tellings_new();
    char id[STORM_ID_SIZE];
    uint32_t open[SEVERITY_CRITICAL + 1];
    (void)state;
    struct storm first = storm_now("first", STATE_RAISED, 1);
    assert_int_equal(tell(t, &first, NULL), NEWS_RAISED);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "%u", i);
        struct storm s = storm_now(id, STATE_CLEARED, i);
        assert_int_equal(tell(t, &s, NULL), NEWS_RAISED);
        assert_int_equal(tell(t, &s, NULL), NEWS_CLEARED);
    }
    tellings_open(t, open);
    assert_int_equal(open[SEVERITY_MAJOR], 1);
    assert_int_equal(tell(t, &first, NULL), NEWS_NONE); /* an open one is never forgotten */
    tellings_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_of_a_storm), cmocka_unit_test(cleared_before_anybody_heard),
        cmocka_unit_test(another_desk_knows_from_the_history), cmocka_unit_test(many_storms_do_not_fill_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
