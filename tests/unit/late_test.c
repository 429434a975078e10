/* base/late: what is there is found and can be called; what is not there is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/late.h"

static double (*cosine)(double);

static void found(void **state)
{
    const struct late_call calls[] = {{"cos", &cosine}};
    struct reason why = {""};
    (void)state;
    assert_true(late_load("libm.so.6", calls, 1, &why));
    assert_true(cosine(0) > 0.999);
}

static void not_there(void **state)
{
    const struct late_call calls[] = {{"cos", &cosine}, {"squall_has_no_such_function", &cosine}};
    struct reason why = {""};
    (void)state;
    assert_false(late_load("libm.so.6", calls, 2, &why));
    assert_non_null(strstr(why.text, "squall_has_no_such_function"));
    assert_false(late_load("libsquall-has-none.so.1", calls, 1, &why));
    assert_non_null(strstr(why.text, "libsquall-has-none.so.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found), cmocka_unit_test(not_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
