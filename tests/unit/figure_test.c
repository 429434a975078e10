/* Figures for people: exact, the same everywhere, and safe whatever a subject holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "stats/figure.h"

static void numbers(void **state)
{
    (void)state;
    char to[FIGURE_TEXT];
    assert_string_equal(figure_count(0, to), "0");
    assert_string_equal(figure_count(999, to), "999");
    assert_string_equal(figure_count(17100, to), "17,100");
    assert_string_equal(figure_count(UINT64_MAX, to), "18,446,744,073,709,551,615");
    assert_string_equal(figure_bytes(999, to), "999 bytes");
    assert_string_equal(figure_bytes(2900000, to), "2.9 MB");
    assert_string_equal(figure_bytes(UINT64_MAX, to), "18.4 EB");
    assert_string_equal(figure_measure((double)NAN, to), "?");
    assert_string_equal(figure_measure(3, to), "3.0");
    assert_string_equal(figure_seconds(58.25, to), "58 s");
    assert_string_equal(figure_seconds(0.2, to), "0.2 s");
    assert_string_equal(figure_seconds(860, to), "14 min 20 s");
    assert_string_equal(figure_seconds(11100, to), "3 h 5 min");
    assert_string_equal(figure_seconds((double)INFINITY, to), "?");
    assert_string_equal(figure_time(INT64_C(1795492158350000001), to), "2026-11-24 03:49:18 UTC");
    assert_string_equal(figure_clock(INT64_C(1795492158350000001), to), "03:49:18.350");
    assert_string_equal(figure_time(TIME_UNKNOWN, to), "?");
}

static void header(const char *in, const char *expected)
{
    char to[256];
    figure_header(span_text(in), to, sizeof to);
    assert_string_equal(to, expected);
}

static void encoded_words(void **state)
{
    (void)state;
    header("Nieuwe openingsuren", "Nieuwe openingsuren");
    header("=?utf-8?Q?Caf=C3=A9_nu?= open", "Café nu open");
    header("=?UTF-8?B?Q2Fmw6k=?=", "Café");
    header("=?iso-8859-1?q?Caf=E9?= =?ISO-8859-1?Q?_cr=E8me?=", "Café crème");
    header("=?iso-8859-15?Q?=A4?= =?windows-1252*nl?Q?=80=93?=", "\u20ac\u20ac\u201c");
    header("=?utf-8?Q?a=C3?= =?utf-8?Q?=A9b?=", "aéb");       /* a character cut in two by a bad mailer */
    header("=?koi8-r?B?8NLJ18XU?=", "=?koi8-r?B?8NLJ18XU?="); /* not ours to know */
    header("=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished");
    header("=?utf-8?X?a?=", "=?utf-8?X?a?=");
    header("=?utf-8?Q?=0D=0AX-Bad:_1=1B?=", "??X-Bad: 1?"); /* no line comes out of a word */
    header("=?utf-8?Q?=FF=80=E2=80=AE?=", "?????");
    header("=?", "=?");
    header("", "");
}

static void long_text_is_cut(void **state)
{
    (void)state;
    char in[5000], to[64];
    memset(in, 'a', sizeof in);
    figure_header(span_of(in, sizeof in), to, sizeof to);
    assert_int_equal(strlen(to), sizeof to - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(encoded_words), cmocka_unit_test(long_text_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
