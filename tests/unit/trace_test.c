/* The ring of message traces: found by id, by the mail and by address; what is old gives way, and nothing hostile gets out of bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/key.h"
#include "stats/trace.h"
#include "tests/unit/post.h"

#define SEEN 5000

static struct post p;
static struct {
    size_t count, enough;
    uint64_t connection[SEEN];
    char id[SEEN][80], to[SEEN][80];
    bool twin[SEEN];
} seen;

static bool see(void *user, const struct transaction *t, struct noted noted)
{
    (void)user;
    assert_true(seen.count < SEEN);
    seen.connection[seen.count] = t->connection;
    seen.twin[seen.count] = noted.twin;
    span_copy(t->header.message_id, seen.id[seen.count], sizeof seen.id[0]);
    span_copy(t->recipient_count ? t->recipients[0].address : t->helo, seen.to[seen.count], sizeof seen.to[0]);
    seen.count++;
    return seen.enough == 0 || seen.count < seen.enough;
}

static size_t by_id(const struct trace *r, const char *id, size_t most)
{
    seen.count = 0;
    return trace_by_message_id(r, span_text(id), see, NULL, most);
}

static size_t by_address(const struct trace *r, const char *address, size_t most)
{
    seen.count = 0;
    return trace_by_address(r, span_text(address), see, NULL, most);
}

static void keep(struct trace *r, const char *id, uint64_t key, uint32_t to, double seconds)
{
    post_begin(&p, id, 1, 2, seconds);
    post_to(&p, to, 1);
    trace_keep(r, &p.t, (struct noted){.key = key});
}

static void found_by_id_in_the_order_of_time(void **state)
{
    (void)state;
    struct trace *r = trace_new(1 << 20);
    assert_int_equal(trace_state(r).since, TIME_UNKNOWN);
    assert_int_equal(by_id(r, "a@x.example", 10), 0);
    uint64_t first = 0;
    for (uint32_t i = 0; i < 30; i++) {
        keep(r, i % 3 ? "b@x.example" : "a@X.example", 0, i, i);
        first = i ? first : p.t.connection;
    }
    assert_int_equal(by_id(r, " <a@x.EXAMPLE> ", 100), 10);
    assert_int_equal(seen.count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(seen.connection[i], first + 3 * i);
    assert_string_equal(seen.to[1], "p3@d3.example");
    assert_int_equal(by_id(r, "a@x.example", 4), 10); /* the earliest */
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.connection[0], first);
    assert_int_equal(seen.connection[3], first + 9);
    seen.enough = 2;
    assert_int_equal(by_id(r, "a@x.example", 4), 10);
    assert_int_equal(seen.count, 2);
    seen.enough = 0;
    assert_int_equal(by_id(r, "a@x.example", 0), 10);
    assert_int_equal(seen.count, 0);
    assert_int_equal(by_id(r, "A@x.example", 10), 0); /* before the @ case tells two ids apart */
    assert_int_equal(by_id(r, "", 10), 0);
    assert_int_equal(trace_state(r).kept, 30);
    assert_int_equal(trace_state(r).since, POST_START);
    trace_free(r);
}

static void rewritten_ids_are_one_mail(void **state)
{
    (void)state;
    struct trace *r = trace_new(1 << 20);
    keep(r, "first@x.example", 77, 1, 1);
    keep(r, "other@x.example", 78, 2, 2);
    keep(r, "second@x.example", 77, 3, 3);
    keep(r, "first@x.example", 77, 4, 4);
    post_begin(&p, "second@x.example", 1, 2, 5); /* refused: the ledger files it under nothing */
    p.t.message = false;
    trace_keep(r, &p.t, (struct noted){.key = 0, .twin = true});
    assert_int_equal(by_id(r, "second@x.example", 10), 4);
    assert_string_equal(seen.id[0], "first@x.example");
    assert_string_equal(seen.id[3], "second@x.example");
    assert_true(seen.twin[3] && !seen.twin[2]);
    assert_int_equal(by_id(r, "first@x.example", 10), 3);
    assert_string_equal(seen.id[1], "second@x.example");
    trace_free(r);
}

static void found_by_every_address(void **state)
{
    (void)state;
    struct trace *r = trace_new(1 << 20);
    struct span failed[] = {span_text("gone@y.example")};
    uint64_t failed_hash[] = {hash_nocase(failed[0])};
    for (uint32_t i = 0; i < 200; i++)
        keep(r, "noise@x.example", 0, 1000 + i, i);
    post_begin(&p, "all@x.example", 1, 2, 201);
    post_to(&p, 1, 100); /* too many for the marks */
    post_audience(&p, 300, 3);
    p.t.user = span_text("clerk");
    p.t.reverse_path = span_text("Bounces@bank.example");
    p.t.report.present = true;
    p.t.report.final_recipient = failed;
    p.t.report.final_recipient_hash = failed_hash;
    p.t.report.final_recipient_count = 1;
    trace_keep(r, &p.t, (struct noted){.key = 0});
    const char *addresses[] = {"p100@d26.example", "P1@D1.example", "p301@d5.example", "bounces@BANK.example", "clerk", "gone@y.example"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        assert_int_equal(by_address(r, addresses[i], 10), 1);
        assert_string_equal(seen.id[0], "all@x.example");
    }
    assert_int_equal(by_address(r, "sender@bank.example", 10), 201); /* From; of so many the latest */
    assert_int_equal(seen.count, 10);
    assert_string_equal(seen.id[9], "all@x.example");
    assert_string_equal(seen.to[8], "p1199@d15.example");
    assert_int_equal(by_address(r, "nobody@bank.example", 10), 0);
    assert_int_equal(by_address(r, "", 10), 0);
    trace_free(r);
}

/* Many rounds with records of many sizes: what the ring says it keeps is what is found, whole, and is the latest. */
static void old_ones_give_way(void **state)
{
    (void)state;
    struct trace *r = trace_new(256 * 1024);
    for (uint32_t i = 0; i < 20000; i++) {
        char id[40];
        snprintf(id, sizeof id, "m%u@x.example", i);
        post_begin(&p, id, 1, 2, i);
        post_to(&p, i, 1 + i * 7 % 90);
        if (i % 5 == 0)
            post_audience(&p, i, i * 11 % 500);
        trace_keep(r, &p.t, (struct noted){.key = key_id(span_text(id))});
        if (i % 997 && i != 19999)
            continue;
        struct trace_state is = trace_state(r);
        assert_in_range(is.kept, 1, 256);
        assert_int_equal(is.since, POST_START + (int64_t)(i + 1 - is.kept) * POST_SECOND);
        for (uint32_t k = i < 300 ? 0 : i - 300; k <= i; k++) {
            char address[40];
            snprintf(id, sizeof id, "m%u@x.example", k);
            snprintf(address, sizeof address, "p%u@d%u.example", k, k % 37);
            bool there = k + is.kept > i;
            assert_int_equal(by_id(r, id, 5), there);
            if (!there)
                continue;
            assert_string_equal(seen.to[0], address);
            assert_true(by_address(r, address, SEEN) >= 1);
        }
    }
    assert_int_equal(trace_state(r).left_out, 0);
    trace_free(r);
}

static void hostile_ids_and_sizes(void **state)
{
    (void)state;
    static char long_text[70000];
    struct trace *r = trace_new(0); /* the least there is */
    memset(long_text, 'x', sizeof long_text - 1);
    post_begin(&p, "big@x.example", 1, 2, 1);
    p.t.header.subject = span_text(long_text); /* larger than the ring */
    trace_keep(r, &p.t, (struct noted){.key = 1});
    assert_int_equal(trace_state(r).left_out, 1);
    assert_int_equal(by_id(r, "big@x.example", 5), 0);
    post_begin(&p, "", 1, 2, 2);
    p.t.header.message_id = span_of(long_text, 15000);
    trace_keep(r, &p.t, (struct noted){.key = 2});
    long_text[15000] = '\0';
    assert_int_equal(by_id(r, long_text, 5), 1);
    const uint8_t odd[] = {'<', 0, '@', 0xff, '>', '%'};
    for (int i = 0; i < 1000; i++) { /* one id, one key, no id: chains that go out of the ring */
        post_begin(&p, "systemmessage", 1, 2, 3 + i);
        if (i % 3 == 1)
            p.t.header.message_id = span_of(odd, sizeof odd);
        if (i % 3 == 2)
            p.t.header.message_id.n = 0;
        trace_keep(r, &p.t, (struct noted){.key = i % 2 ? 5 : (uint64_t)i + 10});
    }
    size_t n = by_id(r, "systemmessage", SEEN);
    assert_true(n > 5 && n <= trace_state(r).kept && n == seen.count);
    seen.count = 0;
    assert_true(trace_by_message_id(r, span_of(odd, sizeof odd), see, NULL, SEEN) > 5);
    assert_int_equal(by_address(r, "sender@bank.example", SEEN), trace_state(r).kept);
    trace_free(r);
    trace_keep(NULL, &p.t, (struct noted){.key = 1});
    assert_int_equal(by_id(NULL, "a", 1), 0);
    assert_int_equal(by_address(NULL, "a", 1), 0);
    assert_int_equal(trace_state(NULL).kept, 0);
    trace_free(NULL);
}

int main(void)
{
    hash_seed_random();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_id_in_the_order_of_time), cmocka_unit_test(rewritten_ids_are_one_mail),
        cmocka_unit_test(found_by_every_address), cmocka_unit_test(old_ones_give_way), cmocka_unit_test(hostile_ids_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
