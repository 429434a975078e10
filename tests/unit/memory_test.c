/* Memory of all sizes: nobody's bytes but one's own, cleared where that is promised, and given back it serves another size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/blocks.h"
#include "base/hash.h"
#include "base/pages.h"
#include "stats/memory.h"

#define PIECES 400

static size_t size_at(uint64_t seed) /* mostly small; some blocks; now and then more than a region */
{
    uint64_t kind = seed % 100;
    seed /= 100;
    return 1 + (size_t)(kind < 80 ? seed % 5000 : kind < 97 ? seed % PAGES_HUGE : seed % (3 * PAGES_HUGE));
}

static bool all_are(const uint8_t *p, size_t n, uint8_t c)
{
    return p[0] == c && memcmp(p, p + 1, n - 1) == 0;
}

static void pieces_do_not_overlap(void **state)
{
    (void)state;
    struct memory *m = memory_new();
    struct {
        uint8_t *p, mark;
        size_t n;
    } piece[PIECES] = {{NULL, 0, 0}};
    for (uint64_t i = 0; i < 8000; i++) {
        uint64_t seed = hash_pair(7, i), at = seed % PIECES;
        if (piece[at].p)
            assert_true(all_are(piece[at].p, piece[at].n, piece[at].mark));
        memory_put(m, piece[at].p, piece[at].n);
        size_t n = size_at(hash_pair(8, i));
        bool zeroed = seed >> 32 & 1;
        uint8_t *p = zeroed ? memory_zeroed(m, n) : memory_get(m, n), mark = (uint8_t)(seed >> 40);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (n > BLOCK_BYTES / 8 ? BLOCK_BYTES : 16), 0);
        if (zeroed)
            assert_true(all_are(p, n, 0));
        memset(p, mark, n);
        piece[at].p = p;
        piece[at].n = n;
        piece[at].mark = mark;
    }
    memory_free(m); /* and what was not put back */
}

static void each_size_ends_where_the_next_begins(void **state)
{
    (void)state;
    struct memory *m = memory_new();
    for (size_t n = 1; n <= BLOCK_BYTES / 4; n++) {
        uint8_t *a = memory_get(m, n), *b = memory_get(m, n);
        memset(a, 1, n);
        memset(b, 2, n);
        assert_true(all_are(a, n, 1) && all_are(b, n, 2));
        memory_put(m, a, n);
        assert_ptr_equal(memory_get(m, n), a);
        memory_put(m, a, n);
        memory_put(m, b, n);
    }
    memory_put(m, NULL, 5);
    memory_free(m);
    memory_free(NULL);
}

static void what_is_given_back_serves_another_size(void **state)
{
    (void)state;
    struct memory *m = memory_new();
    enum { SMALL = 100, COUNT = 4 * (int)PAGES_HUGE / SMALL };
    static void *object[COUNT];
    for (int i = 0; i < COUNT; i++)
        object[i] = memory_get(m, SMALL);
    const uint8_t *lowest = object[0], *highest = object[0];
    for (int i = 0; i < COUNT; i++) {
        lowest = (const uint8_t *)object[i] < lowest ? object[i] : lowest;
        highest = (const uint8_t *)object[i] > highest ? object[i] : highest;
        memory_put(m, object[i], SMALL);
    }
    for (int i = 0; i < 3; i++) {
        const uint8_t *table = memory_zeroed(m, PAGES_HUGE / 2);
        assert_true(table + PAGES_HUGE / 2 >= lowest && table <= highest);
        assert_true(all_are(table, PAGES_HUGE / 2, 0));
    }
    memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(each_size_ends_where_the_next_begins),
        cmocka_unit_test(what_is_given_back_serves_another_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
