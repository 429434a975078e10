/* Sliding counters and the bounded table: exact while there is room, the heavy ones kept when there is none, never a count too high. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "stats/cells.h"
#include "stats/window.h"

#define SECOND NS_PER_SECOND
#define SPAN   (600 * SECOND)
#define START  (INT64_C(1795490807) * SECOND)

static void a_burst_is_counted_exactly(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct window *w = window_new(memory, SPAN, 64);
    for (uint32_t i = 1; i <= 1000; i++)
        assert_int_equal(window_add(w, 7, 1, START + i), i);
    assert_int_equal(window_count(w, 7, START + SECOND), 1000);
    assert_int_equal(window_count(w, 8, START + SECOND), 0);
    assert_int_equal(window_count(w, 7, START + SPAN + SECOND), 0);
    window_free(w);
    memory_free(memory);
}

static void never_too_many_and_a_sixteenth_too_few(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct window *w = window_new(memory, SPAN, 64);
    uint64_t seed = 5;
    int64_t times[4000], now = START;
    for (uint32_t i = 0; i < 4000; i++) {
        seed = hash_pair(seed, i);
        now += (int64_t)(seed % (uint64_t)(4 * SECOND));
        times[i] = now;
        uint32_t counted = window_add(w, 7, 1, now), most = 0, least = 0;
        for (uint32_t j = 0; j <= i; j++) {
            most += times[j] > now - SPAN;
            least += times[j] > now - SPAN / 16 * 15;
        }
        assert_in_range(counted, least, most);
    }
    window_free(w);
    memory_free(memory);
}

static void a_time_before_the_last_changes_no_slice(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct window *w = window_new(memory, SPAN, 64);
    window_add(w, 7, 5, START + 100 * SECOND);
    assert_int_equal(window_add(w, 7, 1, START), 6);
    assert_int_equal(window_add(w, 7, 1, START + 100 * SECOND), 7);
    assert_int_equal(window_add(w, 7, UINT32_MAX, START + 100 * SECOND), WINDOW_MOST); /* it stops there */
    window_free(w);
    memory_free(memory);
}

static void what_is_seen_often_outlives_a_flood(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct window *w = window_new(memory, SPAN, 512);
    uint32_t counted = window_add(w, 7, 3, START); /* seen three times before the flood comes */
    for (uint64_t i = 0; i < 200000; i++) {
        int64_t now = START + (int64_t)i * SPAN / 400000;
        assert_in_range(window_add(w, hash_pair(1, i), 1, now), 1, 1); /* another key each time */
        if (i % 1000 == 0)
            counted = window_add(w, 7, 1, now);
    }
    assert_int_equal(counted, 203);
    window_free(w);
    memory_free(memory);
}

static void cells_keep_what_was_used_last(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct cells *c = cells_new(memory, sizeof(uint64_t), 64);
    bool fresh;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t key = hash_pair(2, i), *mine = cells_take(c, key, START + (int64_t)i, &fresh);
        assert_true(fresh);
        assert_int_equal(*mine, 0);
        *mine = i;
        assert_ptr_equal(cells_find(c, key), mine);
        uint64_t *kept = cells_take(c, 7, START + (int64_t)i, &fresh); /* used all the time: never the coldest */
        assert_int_equal(fresh, i == 0);
        *kept += 1;
        assert_int_equal(*kept, i + 1);
    }
    assert_null(cells_find(c, hash_pair(2, 0)));
    assert_non_null(cells_find(c, hash_pair(2, 9999)));
    assert_null(cells_find(c, 0)); /* an empty cell is no record of key 0 */
    cells_free(c);
    memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_counted_exactly),
        cmocka_unit_test(never_too_many_and_a_sixteenth_too_few),
        cmocka_unit_test(a_time_before_the_last_changes_no_slice),
        cmocka_unit_test(what_is_seen_often_outlives_a_flood),
        cmocka_unit_test(cells_keep_what_was_used_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
