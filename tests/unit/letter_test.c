/* The letter says what the storm knows, in lines a mail may carry, and lets no line of a hostile sender into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/letter.h"
#include "tests/unit/sample_storm.h"

static char *letter(const struct storm *s, const struct storm_host *h)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    letter_write(s, h, f);
    fclose(f);
    return text;
}

static void says_what_is_known(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    assert_true(letter_wanted(&x->storm, &x->hosts[3]));
    assert_false(letter_wanted(&x->storm, &x->hosts[0])); /* the origin gets no letter */
    assert_false(letter_wanted(&x->storm, &x->hosts[1]));
    char *text = letter(&x->storm, &x->hosts[3]);
    static const char *const wanted[] = {"To: the postmaster of server.company3.test\n", "10.3.3.10", "<1795492158195.3d3e@bank.test>",
        "620 deliveries", "each recipient once.", "2026-11-24 03:49:21 UTC, 10.3.3.10 to 10.2.1.10",
        "Received: from pop.provider3.test by server.company3.test with POP3 (fetchmail-6.4.37)\n", "localdomains", "20261124T034918Z-1"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("\"%s\" is missing in:\n%s", wanted[i], text);
    assert_null(strchr(text, '{'));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n");
        assert_true(n <= 72 || memcmp(line + strspn(line, " "), "Received:", 9) == 0);
    }
    free(text);
    x->hosts[3].on_wire = false;
    text = letter(&x->storm, &x->hosts[3]);
    assert_non_null(strstr(text, "from the Received lines"));
    free(text);
    free(x);
}

static void hostile_words_stay_words(void **state)
{
    (void)state;
    struct sample_storm *x = sample_hostile();
    SAMPLE_TEXT(x->hosts[3].name, "{id}{host}\r\nBcc: all@evil.test");
    SAMPLE_TEXT(x->storm.acquittal, "%s", "{why}{why}{why}");
    for (int k = 0; k < KIND_COUNT; k++) {
        x->storm.kind = (enum storm_kind)k;
        char *text = letter(&x->storm, &x->hosts[3]);
        assert_null(strstr(text, "\nBcc:"));
        assert_null(strchr(text, '\r'));
        assert_null(strchr(text, '\x1b'));
        assert_non_null(strstr(text, "{id}{host}??Bcc: all@evil.test"));
        free(text);
    }
    free(x);
}

static void longest_texts_fit(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    memset(x->storm.acquittal, 'a', sizeof x->storm.acquittal - 1);
    memset(x->storm.why, ' ', sizeof x->storm.why - 1);
    memset(x->hosts[3].name, 'h', sizeof x->hosts[3].name - 1);
    memset(x->hosts[3].software, 'w', sizeof x->hosts[3].software - 1);
    char *text = letter(&x->storm, &x->hosts[3]);
    assert_true(strlen(text) > 1500);
    free(text);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_known), cmocka_unit_test(hostile_words_stay_words), cmocka_unit_test(longest_texts_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
