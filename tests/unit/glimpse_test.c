/* Short forms and the numbers of addresses against plain models of them, in tables so small that everything collides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "stats/glimpse.h"
#include "stats/memory.h"

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % sides);
}

static void as_a_list_would(void **state)
{
    (void)state;
    enum { SIZE = 50, KEYS = 25 };
    struct glimpses *g = glimpses_new(SIZE);
    static struct glimpse model[SIZE]; /* in order of arrival */
    uint32_t count = 0;
    uint64_t seed = 1, serial = 0, full = 0, added = 0;
    for (uint32_t step = 0; step < 300000; step++) {
        uint64_t key = hash_pair(dice(&seed, KEYS), 3);
        const struct glimpse *found[GLIMPSE_MOST];
        size_t n = glimpse_all(g, key, found), expected = 0;
        for (uint32_t i = 0; i < count; i++)
            if (model[i].key == key) {
                assert_true(expected < n);
                assert_memory_equal(found[expected++], &model[i], sizeof model[i]);
            }
        assert_int_equal(n, expected);
        if (n && dice(&seed, 3) == 0) {
            const struct glimpse *one = found[dice(&seed, (uint32_t)n)];
            uint32_t at = 0;
            while (model[at].recipient != one->recipient)
                at++;
            glimpse_drop(g, one);
            memmove(&model[at], &model[at + 1], (--count - at) * sizeof model[0]);
        } else if (n < GLIMPSE_MOST && glimpses_room(g) > 0) {
            model[count] = (struct glimpse){.key = key, .recipient = ++serial};
            glimpse_add(g, &model[count++]);
            added++;
        }
        while (glimpses_room(g) == 0) {
            const struct glimpse *oldest = glimpse_oldest(g);
            assert_memory_equal(oldest, &model[0], sizeof model[0]);
            glimpse_drop(g, oldest);
            memmove(&model[0], &model[1], --count * sizeof model[0]);
            full++;
        }
        assert_int_equal(glimpses_count(g), count);
        assert_true((glimpse_oldest(g) == NULL) == (count == 0));
    }
    assert_true(full > 1000 && added > 10000);
    glimpses_free(g);
    glimpses_free(NULL);
}

/* Round and round a ring of several give-back pages, with long-lived ones in the middle. */
static void pages_given_back_hold_nothing(void **state)
{
    (void)state;
    const uint32_t size = 100000; /* 5.3 MiB */
    struct glimpses *g = glimpses_new(size);
    uint64_t first = 1, next = 1, seed = 9;
    while (next < 1000000) {
        uint32_t grow = 1 + dice(&seed, 60000);
        for (; grow > 0 && glimpses_room(g) > 0; grow--, next++)
            glimpse_add(g, &(struct glimpse){.key = hash_pair(next, 1), .recipient = next, .bytes = 77});
        uint32_t shrink = dice(&seed, 60000);
        for (; shrink > 0 && first < next; shrink--, first++) {
            const struct glimpse *oldest = glimpse_oldest(g);
            assert_true(oldest && oldest->recipient == first && oldest->bytes == 77);
            glimpse_drop(g, oldest);
        }
        assert_int_equal(glimpses_count(g), next - first);
        for (uint64_t i = first; i < next; i += 977) {
            const struct glimpse *found[GLIMPSE_MOST];
            assert_int_equal(glimpse_all(g, hash_pair(i, 1), found), 1);
            assert_int_equal(found[0]->recipient, i);
        }
    }
    glimpses_free(g);
}

static struct address host(uint32_t n)
{
    uint8_t b[16] = {0x20, 1, [12] = (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    return address_v6(b);
}

static uint32_t hold(struct roster *r, uint32_t n)
{
    struct address a = host(n);
    return roster_hold(r, a, hash_bytes(a.b, sizeof a.b), 1);
}

static void a_number_lives_while_it_is_held(void **state)
{
    (void)state;
    enum { HOSTS = 500 };
    struct memory *memory = memory_new();
    struct roster *r = roster_new(memory);
    static uint32_t number[HOSTS], holders[HOSTS];
    uint64_t seed = 5;
    for (uint32_t step = 0; step < 200000; step++) {
        uint32_t h = dice(&seed, HOSTS);
        if (dice(&seed, 2) && holders[h]) {
            assert_true(address_equal(roster_address(r, number[h]), host(h)));
            roster_release(r, number[h]);
            holders[h]--;
        } else {
            uint32_t n = hold(r, h);
            assert_true(n != 0 && (holders[h] == 0 || n == number[h]));
            number[h] = n;
            holders[h]++;
        }
    }
    uint32_t held = 0;
    for (uint32_t h = 0; h < HOSTS; h++)
        held += holders[h] > 0;
    assert_int_equal(roster_count(r), held);
    assert_false(address_known(roster_address(r, 0)));
    roster_release(r, 0);
    roster_free(r);
    memory_free(memory);
    roster_free(NULL);
}

static void the_roster_has_a_bound(void **state)
{
    (void)state;
    struct memory *memory = memory_new();
    struct roster *r = roster_new(memory);
    for (uint32_t i = 0; i < ROSTER_HOSTS; i++)
        assert_true(hold(r, i) != 0);
    assert_int_equal(hold(r, ROSTER_HOSTS), 0);
    uint32_t one = hold(r, 7);
    assert_true(one != 0); /* those that are there go on */
    roster_release(r, one);
    roster_release(r, one);
    assert_true(hold(r, ROSTER_HOSTS) != 0);
    roster_free(r);
    memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_list_would),
        cmocka_unit_test(pages_given_back_hold_nothing),
        cmocka_unit_test(a_number_lives_while_it_is_held),
        cmocka_unit_test(the_roster_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
