/* The stock of texts: its bound holds for all sizes together, whatever sizes were there before; and what is wiped is gone. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/blocks.h"
#include "smtpdissect/text.h"

#define BOUND (8u << 20)

/* Floods of one size after the other: the emptied texts of one make room for the next. */
static void the_bound_holds_over_all_sizes(void **state)
{
    (void)state;
    static uint8_t bytes[16 << 10];
    struct blocks *blocks = blocks_new();
    struct slabs *slabs = slabs_new(blocks);
    struct stock *s = stock_new(slabs, BOUND);
    struct text *t = calloc(BOUND / 512, sizeof *t);
    assert_true(s && t);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (uint32_t size = 512; size <= sizeof bytes; size *= 2) {
        uint32_t n = BOUND / size;
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(text_add(s, &t[i], span_of(bytes, size), size), size);
        struct text more = {NULL, 0, 0};
        assert_int_equal(text_add(s, &more, span_of(bytes, size), size), 0);
        size_t held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
#ifndef __SANITIZE_ADDRESS__ /* has a heap of its own */
        assert_in_range(held, BOUND, BOUND + BOUND / 16);
#else
        (void)held;
#endif
        for (uint32_t i = 0; i < n; i++)
            text_clear(s, &t[i]);
    }
    free(t);
    stock_free(s);
    slabs_free(slabs);
    blocks_free(blocks);
}

static void what_is_wiped_is_gone(void **state)
{
    (void)state;
    struct blocks *blocks = blocks_new();
    struct slabs *slabs = slabs_new(blocks);
    struct stock *s = stock_new(slabs, BOUND);
    struct text t = {NULL, 0, 0};
    const char secret[] = "AGFsaWNlAHMzY3JldA==";
    text_add(s, &t, span_of(secret, sizeof secret), 100);
    uint8_t *was = t.p;
    text_wipe(s, &t);
    struct text again = {NULL, 0, 0};
    text_add(s, &again, span_of("0123456789abcdef+", 17), 100); /* as long, so the same memory */
    assert_ptr_equal(again.p, was);
    for (size_t i = 17; i < sizeof secret; i++)
        assert_int_equal(again.p[i], 0);
    text_clear(s, &again);
    stock_free(s);
    slabs_free(slabs);
    blocks_free(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_bound_holds_over_all_sizes), cmocka_unit_test(what_is_wiped_is_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
