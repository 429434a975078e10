/* A worker keeps so many wishes for evidence as it says, and says of each one more that it is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker.h"

static void one_too_many_is_said(void **state)
{
    (void)state;
    struct capture_settings capture;
    struct smtp_settings smtp;
    const struct setting_group groups[] = {{"", capture_settings_list, capture_settings_count, &capture, NULL, NULL},
        {"", smtp_settings_list, smtp_settings_count, &smtp, NULL, NULL}};
    config_defaults(groups, 2);
    struct worker *w = worker_new(&(struct worker_settings){.capture = &capture, .smtp = &smtp, .ring_bytes = 1 << 20, .files = true});
    assert_non_null(w);
    for (uint64_t i = 1; i <= WORKER_WISHES; i++)
        assert_true(worker_wish(w, "20261124T034918Z-1", i, INT64_MAX, "one of many"));
    assert_false(worker_wish(w, "20261124T034918Z-1", WORKER_WISHES + 1, INT64_MAX, "one too many"));
    assert_false(worker_wish(w, "20261124T034918Z-2", 1, INT64_MAX, "and another"));
    worker_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_too_many_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
