/* The estimate of distinct hashes keeps to its stated error; a union is the estimate of the union. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "stats/hll.h"

static void add(struct hll *h, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        hll_add(h, hash_pair(i, 77));
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    struct hll h = {0};
    assert_int_equal(hll_count(&h), 0);
    for (int i = 0; i < 1000; i++)
        hll_add(&h, hash_pair(5, 77));
    assert_int_equal(hll_count(&h), 1);
    hll_add(&h, 0); /* all zero bits: the largest rank */
    hll_add(&h, 0);
    assert_int_equal(hll_count(&h), 2);
}

static void error_is_as_stated(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {100, 1000, 5000, 10000, 12000, 20000, 100000, 850000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        double squares = 0;
        const int runs = sizes[s] > 50000 ? 8 : 40;
        for (int run = 0; run < runs; run++) {
            struct hll h = {0};
            add(&h, (uint64_t)run << 32, ((uint64_t)run << 32) + sizes[s]);
            double error = ((double)hll_count(&h) - (double)sizes[s]) / (double)sizes[s];
            assert_true(fabs(error) < 4 * HLL_ERROR);
            squares += error * error;
        }
        assert_true(sqrt(squares / runs) < 1.6 * HLL_ERROR);
    }
}

static void union_counts_once(void **state)
{
    (void)state;
    struct hll a = {0}, b = {0}, both = {0};
    add(&a, 0, 60000);
    add(&b, 40000, 100000);
    add(&both, 0, 100000);
    hll_merge(&a, &b);
    assert_int_equal(hll_count(&a), hll_count(&both));
    hll_merge(&a, &b);
    assert_int_equal(hll_count(&a), hll_count(&both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(error_is_as_stated),
        cmocka_unit_test(union_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
