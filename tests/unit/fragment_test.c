/* capture/fragment: any order, copies, overlaps of both IP versions, bounds of time and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "capture/fragment.h"

#define DATAGRAMS 4

struct bench {
    struct capture_counters counters;
    struct fragments *fragments;
    struct span whole;
    uint8_t protocol;
    int64_t now;
};

static int set_up(void **state)
{
    struct bench *t = calloc(1, sizeof *t);
    t->fragments = fragments_new(DATAGRAMS, &t->counters);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *t = *state;
    fragments_free(t->fragments);
    free(t);
    return 0;
}

static bool add_fragment(struct bench *t, struct fragment f)
{
    static const uint8_t a[4] = {10, 0, 0, 1}, b[4] = {10, 0, 0, 2};
    if (!address_known(f.from))
        f.from = address_v4(a);
    f.to = address_v4(b);
    f.time = t->now;
    uint8_t *copy = malloc(f.bytes.n + 1), *room = NULL; /* not to be read after the call */
    if (f.bytes.n)
        memcpy(copy, f.bytes.p, f.bytes.n);
    f.bytes.p = copy;
    bool whole = fragment_add(t->fragments, &f, &t->whole, &t->protocol, &room);
    free(copy);
    if (whole)
        memset(room, 0xee, FRAGMENT_HEADROOM);
    return whole;
}

/* Bytes of `text` from `offset` on, n of them, as a fragment of datagram `id`. */
static bool add(struct bench *t, uint32_t id, bool v6, const char *text, size_t offset, size_t n, bool more)
{
    return add_fragment(t, (struct fragment){.id = id,
                                             .protocol = 6,
                                             .v6 = v6,
                                             .more = more,
                                             .offset = (uint32_t)offset,
                                             .length = (uint32_t)n,
                                             .bytes = span_of(text + offset, n)});
}

static const char TEXT[] = "0123456789abcdefghijklmnopqrstuv+last"; /* four of 8, one of 5 */

static void every_order(void **state)
{
    struct bench *t = *state;
    for (int v6 = 0; v6 < 2; v6++) {
        for (int code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
            int order[5], seen = 0;
            for (int i = 0, c = code; i < 5; i++, c /= 5)
                seen |= 1 << (order[i] = c % 5);
            if (seen != 31)
                continue;
            for (int i = 0; i < 5; i++) {
                size_t at = (size_t)order[i] * 8;
                bool whole = add(t, (uint32_t)code, v6, TEXT, at, order[i] == 4 ? 5 : 8, order[i] != 4);
                assert_int_equal(whole, i == 4);
            }
            assert_true(span_equal(t->whole, span_text(TEXT)));
            assert_int_equal(t->protocol, 6);
        }
    }
    assert_int_equal(t->counters.datagrams, 2 * 120);
    fragments_finish(t->fragments);
    assert_int_equal(t->counters.fragments_lost + t->counters.fragments_overlapping + t->counters.undecodable, 0);
}

/* A mirror that shows every packet twice: one after the other, or the whole set again. */
static void copies(void **state)
{
    struct bench *t = *state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint32_t id = v6 ? 1 : 2;
        assert_false(add(t, id, v6, TEXT, 0, 16, true));
        assert_false(add(t, id, v6, TEXT, 0, 16, true));
        assert_true(add(t, id, v6, TEXT, 16, 21, false));
        assert_false(add(t, id, v6, TEXT, 16, 21, false));
        assert_true(span_equal(t->whole, span_text(TEXT)));

        assert_false(add(t, id, v6, TEXT, 0, 16, true));
        assert_true(add(t, id, v6, TEXT, 16, 21, false));
    }
    t->now += 40 * NS_PER_SECOND;
    add(t, 9, false, TEXT, 0, 16, true);
    assert_int_equal(t->counters.fragments_lost + t->counters.fragments_overlapping, 0);
    assert_int_equal(t->counters.datagrams, 4);
}

static void overlap_v4_first_wins(void **state)
{
    struct bench *t = *state;
    static const char other[] = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    assert_false(add(t, 1, false, TEXT, 8, 8, true));
    assert_false(add(t, 1, false, other, 0, 24, true));
    assert_int_equal(t->counters.fragments_overlapping, 1);
    assert_true(add(t, 1, false, TEXT, 16, 21, false));
    assert_int_equal(t->counters.fragments_overlapping, 2);
    assert_true(span_equal(t->whole, span_text("XXXXXXXX89abcdefXXXXXXXXopqrstuv+last")));

    /* a second end: the first stands */
    assert_false(add(t, 2, false, TEXT, 32, 5, false));
    assert_false(add(t, 2, false, TEXT, 24, 5, false));
    assert_false(add(t, 2, false, "0123456789abcdefghijklmnopqrstuv+last+++", 32, 8, true));
    assert_true(add(t, 2, false, TEXT, 0, 32, true));
    assert_true(span_equal(t->whole, span_text(TEXT)));
}

static void overlap_v6_drops(void **state)
{
    struct bench *t = *state;
    assert_false(add(t, 1, true, TEXT, 0, 16, true));
    assert_false(add(t, 1, true, TEXT, 8, 16, true)); /* the same bytes even: it is an overlap all the same */
    assert_false(add(t, 1, true, TEXT, 0, 24, true));
    assert_false(add(t, 1, true, TEXT, 24, 13, false));
    assert_int_equal(t->counters.fragments_overlapping, 1);
    assert_int_equal(t->counters.datagrams, 0);
    fragments_finish(t->fragments);
    assert_int_equal(t->counters.fragments_lost, 1);
}

/* Different datagrams: by address, number, protocol, version, tunnel. */
static void kept_apart(void **state)
{
    struct bench *t = *state;
    static const uint8_t c[4] = {10, 0, 0, 3};
    struct fragment first = {.id = 1, .protocol = 6, .more = true, .length = 8, .bytes = span_of(TEXT, 8)};
    struct fragment last = {.id = 1, .protocol = 6, .offset = 8, .length = 8, .bytes = span_of(TEXT + 8, 8)};
    struct fragment other[5];
    for (int i = 0; i < 5; i++)
        other[i] = last;
    other[0].from = address_v4(c);
    other[1].id = 2;
    other[2].protocol = 17;
    other[3].v6 = true;
    other[4].tunnel = 7;
    for (int i = 0; i < 5; i++) {
        assert_false(add_fragment(t, first));
        assert_false(add_fragment(t, other[i]));
        assert_true(add_fragment(t, last));
    }
}

/* The IPv6 fragment header's next header counts in the first fragment only. */
static void protocol_of_first(void **state)
{
    struct bench *t = *state;
    struct fragment last = {.id = 1, .protocol = 59, .v6 = true, .offset = 8, .length = 8, .bytes = span_of(TEXT, 8)};
    assert_false(add_fragment(t, last));
    assert_true(add(t, 1, true, TEXT, 0, 8, true));
    assert_int_equal(t->protocol, 6);
}

static void given_up_in_time(void **state)
{
    struct bench *t = *state;
    assert_false(add(t, 1, false, TEXT, 0, 32, true));
    t->now += 31 * NS_PER_SECOND;
    assert_false(add(t, 1, false, TEXT, 32, 5, false));
    assert_int_equal(t->counters.fragments_lost, 1);
    t->now -= 60 * NS_PER_SECOND; /* captures step back in time */
    assert_true(add(t, 1, false, TEXT, 0, 32, true));
    t->now = INT64_MAX / 2;
    assert_false(add(t, 1, false, TEXT, 0, 32, true));
}

static void number_used_again(void **state)
{
    struct bench *t = *state;
    assert_false(add(t, 1, false, TEXT, 0, 32, true));
    assert_true(add(t, 1, false, TEXT, 32, 5, false));
    t->now += 2 * NS_PER_SECOND; /* too late for a copy of the last fragment */
    assert_false(add(t, 1, false, TEXT, 32, 5, false));
    assert_true(add(t, 1, false, TEXT, 0, 32, true));
}

static void bounded_datagrams(void **state)
{
    struct bench *t = *state;
    for (uint32_t id = 0; id < 1000; id++)
        assert_false(add(t, id, false, TEXT, 0, 32, true));
    assert_int_equal(t->counters.fragments_lost, 1000 - DATAGRAMS);
    assert_false(add(t, 0, false, TEXT, 32, 5, false)); /* long gone; takes the place of the oldest */
    assert_true(add(t, 999, false, TEXT, 32, 5, false)); /* the newest are all there */
    assert_true(add(t, 998, false, TEXT, 32, 5, false));
    assert_true(add(t, 997, false, TEXT, 32, 5, false));
}

/* Many tiny pieces: the oldest datagrams pay; one that alone wants more than there is, is dropped. */
static void bounded_pieces(void **state)
{
    struct bench *t = *state;
    static char large[65536];
    assert_false(add(t, 1, false, TEXT, 0, 32, true));
    for (size_t at = 0; at < 100 * 16; at += 16)
        assert_false(add(t, 2, false, large, at, 8, true));
    assert_int_equal(t->counters.fragments_lost, 1);
    assert_false(add(t, 2, false, large, 8, 8, true)); /* dropped: swallowed */
    fragments_finish(t->fragments);
    assert_int_equal(t->counters.fragments_lost, 2);
}

static void largest(void **state)
{
    struct bench *t = *state;
    static char large[65600];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7 + i / 256);
    for (int v6 = 0; v6 < 2; v6++) {
        size_t most = v6 ? 65535 : 65515;
        assert_false(add(t, 1, v6, large, 32768, most - 32768, false)); /* 22 pieces and a bit, of the 32 there are */
        bool whole = add(t, 1, v6, large, 0, 32768, true);
        assert_false(whole); /* 45 pieces: more than four datagrams' worth */
        assert_false(add(t, 2, v6, large, 65528, 8, false));
        assert_false(add(t, 3, v6, large, 65512, 32, false)); /* the ping of death */
    }
    fragments_free(t->fragments);
    t->fragments = fragments_new(64, &t->counters);
    for (int v6 = 0; v6 < 2; v6++) {
        size_t most = v6 ? 65535 : 65515;
        assert_false(add(t, 1, v6, large, 32768, most - 32768, false));
        assert_true(add(t, 1, v6, large, 0, 32768, true));
        assert_true(span_equal(t->whole, span_of(large, most)));
    }
}

static void impossible(void **state)
{
    struct bench *t = *state;
    assert_false(add(t, 1, false, TEXT, 0, 0, true));
    assert_false(add(t, 1, false, TEXT, 0, 0, false));
    assert_false(add(t, 1, false, TEXT, 0, 12, true)); /* only the last may end anywhere */
    assert_int_equal(t->counters.bad_ip, 3);
    assert_int_equal(t->counters.undecodable, 3);
    assert_false(add(t, 1, false, TEXT, 16, 16, true));
    assert_false(add(t, 1, false, TEXT, 8, 8, false)); /* ends before what is there */
    assert_int_equal(t->counters.bad_ip, 4);
}

/* As many as the smallest network makes of the largest datagram are put together; smaller ones only cost time. */
static void smallest_pieces(void **state)
{
    struct bench *t = *state;
    static const char bytes[65536];
    fragments_free(t->fragments);
    t->fragments = fragments_new(1024, &t->counters);
    for (uint32_t size = 48; size >= 24; size -= 24) {
        uint32_t at = 0;
        for (; at + size < 65515; at += size)
            assert_false(add(t, size, false, bytes, at, size, true));
        assert_int_equal(add(t, size, false, bytes, at, 65515 - at, false), size == 48);
    }
}

/* A fragment cut by the snap length: the datagram can never be whole. */
static void cut_short(void **state)
{
    struct bench *t = *state;
    struct fragment first = {.id = 1, .protocol = 6, .more = true, .length = 32, .bytes = span_of(TEXT, 20)};
    assert_false(add_fragment(t, first));
    assert_false(add(t, 1, false, TEXT, 32, 5, false));
    fragments_finish(t->fragments);
    assert_int_equal(t->counters.fragments_lost, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlap_v4_first_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlap_v6_drops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(protocol_of_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(given_up_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(number_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounded_datagrams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounded_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(smallest_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_short, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
