/* What is held of segments that came early: when it is let go, nothing of it stays behind in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/hold.h"

static void put(struct hold_store *s, struct flow *f, const char *text)
{
    struct segment g = {.seq = 100, .n = (uint32_t)strlen(text), .bytes = span_text(text)};
    bool any, differs;
    assert_true(hold_segment(s, hold_of(s, f), CLIENT, &g, 0, &any, &differs));
    assert_true(any);
}

static void no_password_stays(void **state)
{
    (void)state;
    static const char line[] = "AUTH PLAIN AGFsaWNlAHMzY3JldA==\r\n";
    struct hold_store *s = hold_new(sizeof(struct piece)); /* room for one piece: the second is the first one's memory */
    struct flow f = {.number = 1};
    assert_non_null(s);
    put(s, &f, line);
    const struct piece *first = f.hold->line[CLIENT].first;
    hold_drop(s, &f);
    put(s, &f, "X");
    const struct piece *again = f.hold->line[CLIENT].first;
    assert_ptr_equal(again, first);
    for (size_t i = 1; i < sizeof line - 1; i++)
        assert_int_equal(again->bytes[i], 0);
    hold_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_password_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
