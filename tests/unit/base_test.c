/* base/: spans, addresses, times, hashes, regions, pools, and text made fit to print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/blocks.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/slabs.h"

static void spans(void **state)
{
    (void)state;
    assert_true(span_equal(span_trim(span_text(" \t a b\r\n")), span_text("a b")));
    assert_int_equal(span_trim(span_text(" \r\n")).n, 0);
    assert_true(span_equal_nocase(span_text("MAIL From"), span_text("mail fROM")));
    assert_false(span_equal_nocase(span_text("[a"), span_text("{a"))); /* not letters: not folded */
    assert_true(span_contains_nocase(span_text("x-BEENthere"), "beenT"));
    assert_false(span_contains_nocase(span_text("bee"), "been"));
    assert_int_equal(span_from(span_text("abc"), 3).n, 0);
    assert_int_equal(span_from(span_text("abc"), 4).n, 0);
    char small[3];
    assert_string_equal(span_copy(span_text("abc"), small, sizeof small), "ab");
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } good[] = {{"10.1.0.10", "10.1.0.10"},       {"[192.0.2.1]", "192.0.2.1"},           {"[IPv6:2001:DB8::1]", "2001:db8::1"},
                {"::ffff:10.0.0.1", "10.0.0.1"}, {" 2001:db8:0:0:0:0:0:9 ", "2001:db8::9"},
                {"0.0.0.1", "0.0.0.1"},           {"255.255.255.255", "255.255.255.255"},     {"ipv6:192.0.2.1", "192.0.2.1"}};
    static const char *const bad[] = {"", "[]", "10.1.0", "10.1.0.256", "host.example", "[10.1.0.10", "1::2::3",
        "10.1.0.010", "00.1.0.1", "10.1.0.1000", "300.1.0.1", "10..0.1", "10.1.0.", ".1.0.10", "10.1.0.1.1", "10.1.0.1x", "10.1.0.10\0x"};
    char shown[ADDRESS_TEXT];
    struct address a;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(address_parse(span_text(good[i].text), &a));
        assert_string_equal(address_text(a, shown), good[i].shown);
    }
    for (size_t i = 0; i + 1 < sizeof bad / sizeof bad[0]; i++)
        assert_false(address_parse(span_text(bad[i]), &a));
    assert_false(address_parse(span_of("10.1.0.10\0x", 11), &a));
}

static void times(void **state)
{
    (void)state;
    char text[TIME_TEXT];
    int64_t t;
    assert_string_equal(clock_text(0, text), "1970-01-01T00:00:00.000000000Z");
    assert_string_equal(clock_text(-1, text), "1969-12-31T23:59:59.999999999Z");
    assert_true(clock_parse(span_text("2026-11-24T03:27:01.123456789Z"), &t));
    assert_string_equal(clock_text(t, text), "2026-11-24T03:27:01.123456789Z");
    assert_false(clock_parse(span_text("2026-11-24 03:27:01Z"), &t));
    assert_false(clock_parse(span_text("2026-13-24T03:27:01Z"), &t));
    assert_string_equal(clock_text(TIME_UNKNOWN, text), "");
}

static void mail_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } dates[] = {
        {"Tue, 24 Nov 2026 04:27:01 +0100 (CET)", "2026-11-24T03:27:01.000000000Z"},
        {"24 Nov 26 03:27 GMT", "2026-11-24T03:27:00.000000000Z"},
        {"Tue, 24 Nov 2026 03:27:01 -0530", "2026-11-24T08:57:01.000000000Z"},
        {"Fri, 21 Nov 97 09:55:06 EST", "1997-11-21T14:55:06.000000000Z"},
        {"(a (nested) comment) 1 Feb 2024 00:00:00", "2024-02-01T00:00:00.000000000Z"},
        {"24-Nov-2026 03:27:01 Z", "2026-11-24T03:27:01.000000000Z"},
        {"Sun, 4 Jan 2026 03:27:01 +0000", "2026-01-04T03:27:01.000000000Z"},
        {"wed, 28 FEB 2024 23:59:60 +0000", "2024-02-29T00:00:00.000000000Z"},
        {"Mon, 09 Mar 1970 00:00:00 -0000", "1970-03-09T00:00:00.000000000Z"},
        {"Wed, 01 Apr 2026 00:00:00 +0200 (CEST)", "2026-03-31T22:00:00.000000000Z"},
        {"Sat, 30 May 2026 12:00:00 +0000", "2026-05-30T12:00:00.000000000Z"},
        {"Tue, 30 Jun 2026 12:00:00 +0000", "2026-06-30T12:00:00.000000000Z"},
        {"Wed, 01 Jul 2026 12:00:00 +0000", "2026-07-01T12:00:00.000000000Z"},
        {"Sat, 01 Aug 2026 12:00:00 +0000", "2026-08-01T12:00:00.000000000Z"},
        {"Tue, 01 Sep 2026 12:00:00 +0000", "2026-09-01T12:00:00.000000000Z"},
        {"Sat, 31 Oct 2026 12:00:00 +0000", "2026-10-31T12:00:00.000000000Z"},
        {"Thu, 31 Dec 2026 23:30:00 -0130", "2027-01-01T01:00:00.000000000Z"},
        {"Thu, 31 Dez 2026 23:30:00 +0000", ""},
        {"T`u, 31 Dec 2026 23:30:00 +0000", ""},
        {"Thu, 31 Dec 2026 23:60:00 +0000", ""},
        {"Thu, 3/ Dec 2026 23:30:00 +0000", ""},
        {"no date", ""},
        {"32 Nov 2026 00:00:00 +0000", ""},
        {"24 Nov 2026 24:00:00 +0000", ""},
        {"24 Nov 2026", ""},
        {"", ""},
    };
    char text[TIME_TEXT];
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        assert_string_equal(clock_text(clock_parse_mail_date(span_text(dates[i].text)), text), dates[i].shown);
}

static void hashes(void **state)
{
    (void)state;
    static uint8_t lower[5000], upper[5000];
    memset(lower, 'a', sizeof lower);
    memset(upper, 'A', sizeof upper);
    for (size_t n = 0; n <= sizeof lower; n = n * 3 + 1)
        assert_int_equal(hash_nocase(span_of(lower, n)), hash_nocase(span_of(upper, n)));
    assert_int_not_equal(hash_nocase(span_of(lower, 1024)), hash_nocase(span_of(lower, 2048)));
    for (size_t n = 0; n <= 70; n++) {
        uint8_t made[71] = {0};
        span_lower_all(span_of(upper, n), made);
        assert_int_equal(memcmp(made, lower, n), 0);
        assert_int_equal(made[n], 0);
        made[n / 2] = n ? 'Z' : 0;
        span_lower_all(span_of(made, n), made); /* in place */
        assert_int_equal(made[n / 2], n ? 'z' : 0);
    }
    assert_int_not_equal(hash_pair(1, 2), hash_pair(2, 1));
    uint64_t before = hash_bytes("x", 1);
    hash_seed(99);
    assert_int_not_equal(hash_bytes("x", 1), before);
}

static void regions(void **state)
{
    (void)state;
    struct arena *a = arena_new(100000);
    assert_non_null(a);
    for (int round = 0; round < 3; round++) {
        size_t got = 0;
        for (uint8_t *p; (p = arena_get(a, 1000)); got += 1000) {
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, round, 1000);
        }
        assert_in_range(got, 60000, 100000); /* near the bound, and never past it */
        assert_int_equal(arena_copy(a, span_text("no room for as much as this")).n > 100000, 0);
        arena_reset(a);
    }
    assert_null(arena_get(a, SIZE_MAX));
    assert_true(span_equal(arena_copy(a, span_text("kept")), span_text("kept")));
    arena_free(a);
    arena_free(NULL);
}

static void pools(void **state)
{
    (void)state;
    struct pool *p = pool_new(24, 1000);
    void *given[1000];
    for (size_t i = 0; i < 1000; i++)
        assert_non_null(given[i] = pool_get(p));
    assert_null(pool_get(p));
    assert_int_equal(pool_used(p), 1000);
    pool_put(p, given[7]);
    assert_ptr_equal(pool_get(p), given[7]);
    pool_put(p, NULL);
    pool_free(p);
    pool_free(NULL);
}

static void slabs_of_all_sizes(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static unsigned char *given[MANY];
    struct blocks *b = blocks_new();
    struct slabs *s = slabs_new(b);
    unsigned char *least = NULL, *last = NULL;
    assert_non_null(s);
    for (size_t n = 1; n <= SLABS_MOST; n++) {
        assert_in_range(slabs_size(n), n, n + n / 4 + 15);
        assert_int_equal(slabs_size(slabs_size(n)), slabs_size(n));
    }
    for (size_t i = 0; i < MANY; i++) { /* what one size leaves becomes the next one's: no more memory is taken */
        size_t n = i % SLABS_MOST + 1;
        assert_non_null(given[i] = slabs_get(s, n));
        assert_int_equal((uintptr_t)given[i] % 16, 0);
        memset(given[i], (int)n & 0xff, slabs_size(n));
    }
    for (size_t i = 0; i < MANY; i++) {
        size_t n = i % SLABS_MOST + 1;
        for (size_t k = 0; k < slabs_size(n); k++)
            assert_int_equal(given[i][k], n & 0xff); /* nobody else's */
        least = !least || given[i] < least ? given[i] : least;
        last = given[i] > last ? given[i] : last;
        slabs_put(s, given[i], n);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_non_null(given[i] = slabs_get(s, 100));
        assert_in_range((uintptr_t)given[i], (uintptr_t)least, (uintptr_t)last + SLABS_MOST + BLOCK_BYTES);
    }
    slabs_put(s, NULL, 1);
    slabs_free(s);
    slabs_free(NULL);
    blocks_free(b);
    blocks_free(NULL);
}

static void printable(void **state)
{
    (void)state;
    static const struct {
        const char *wire, *shown;
    } texts[] = {{"caf\xc3\xa9", "caf\xc3\xa9"}, {"a\x1b[31mb\n", "a?[31mb?"}, {"\xc0\xaf", "??"}, {"\xed\xa0\x80", "???"},
        {"\xe2\x80\xae"
         "evil",
            "???evil"},
        {"\xc2\x85", "??"}, {"\xf0\x9f\x98", "???"}};
    char shown[64];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_string_equal(log_clean(span_text(texts[i].wire), shown, sizeof shown), texts[i].shown);
    char small[4];
    assert_string_equal(log_clean(span_text("ab\xc3\xa9"), small, sizeof small), "ab"); /* never half a character */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans), cmocka_unit_test(addresses), cmocka_unit_test(times),
        cmocka_unit_test(mail_dates), cmocka_unit_test(hashes), cmocka_unit_test(regions), cmocka_unit_test(pools),
        cmocka_unit_test(slabs_of_all_sizes),
        cmocka_unit_test(printable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
