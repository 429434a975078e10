/* Which transactions carry the same mail: ids in their canonical form, fingerprints, ids joined where a server rewrote them; and how seldom
 * different mails are joined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/ledger.h"
#include "stats/memory.h"
#include "tests/unit/post.h"

#define MIB (INT64_C(1) << 20)
#define DAY (86400 * NS_PER_SECOND)

static uint64_t id(const char *text)
{
    return key_id(span_text(text));
}

static void ids_have_one_form(void **state)
{
    (void)state;
    assert_true(id("<a1@Bank.Example>") == id("a1@bank.example"));
    assert_true(id(" <a1@bank.example> ") == id("a1@BANK.EXAMPLE"));
    assert_false(id("A1@bank.example") == id("a1@bank.example")); /* the left part is the mailer's own */
    assert_false(id("a1@bank.example") == id("a1@bank.examples"));
    assert_false(id("a@b@c") == id("a@B@c")); /* the last @ begins the domain */
    assert_true(id("a@b@C") == id("a@b@c"));
    assert_int_equal(id(""), 0);
    assert_int_equal(id("<>"), 0);
    assert_int_equal(id("   "), 0);
    assert_false(id("<") == 0 && id("@") == 0);
}

static void some_ids_say_nothing(void **state)
{
    (void)state;
    assert_true(key_is_constant(span_text("systemmessage")));
    assert_true(key_is_constant(span_text("<SystemMessage>")));
    assert_true(key_is_constant(span_text("systemmessage@host.example")));
    assert_true(key_is_constant(span_text("@host.example")));
    assert_true(key_is_constant(span_text("")));
    assert_false(key_is_constant(span_text("20261124.17@host.example")));
    assert_false(key_is_constant(span_text("systemmessage2@host.example")));
}

static struct key changed(void (*change)(struct post *p))
{
    static struct post p;
    post_begin(&p, "systemmessage", 1, 2, 1);
    post_hop(&p, 1, 9);
    post_audience(&p, 0, 3);
    if (change)
        change(&p);
    return key_of(&p.t);
}

static void other_subject(struct post *p)
{
    p->t.header.subject = span_text("Another");
}
static void other_date(struct post *p)
{
    p->t.header.date += POST_SECOND;
}
static void other_from(struct post *p)
{
    p->t.header.from_hash++;
}
static void other_body(struct post *p)
{
    p->t.body_fingerprint++;
}
static void longer_chain(struct post *p)
{
    post_hop(p, 2, 9);
}
static void audience_turned(struct post *p)
{
    struct audience_address a = p->audience[0];
    p->audience[0] = p->audience[2];
    p->audience[2] = a;
}
static void dateless(struct post *p)
{
    p->t.header.date = TIME_UNKNOWN;
}
static void dateless_other_hop(struct post *p)
{
    p->t.header.date = TIME_UNKNOWN;
    p->hop[0].hash++;
}
static void bare(struct post *p)
{
    p->t.header.date = TIME_UNKNOWN;
    p->t.header.hop_count = 0;
}

static void fingerprint_is_of_what_stays(void **state)
{
    (void)state;
    struct key k = changed(NULL);
    assert_false(k.by_id);
    assert_true(k.id != 0 && k.fingerprint != 0 && k.nameless == k.fingerprint);
    assert_true(changed(longer_chain).fingerprint == k.fingerprint);
    assert_true(changed(longer_chain).join == k.join);
    assert_true(changed(audience_turned).join == k.join);
    void (*const others[])(struct post *) = {other_subject, other_date, other_from, other_body, dateless};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(changed(others[i]).fingerprint == k.fingerprint);
    assert_false(changed(dateless).fingerprint == changed(dateless_other_hop).fingerprint);
    /* nothing to go by: each transaction is a mail of its own */
    assert_int_equal(changed(bare).fingerprint, 0);
    assert_false(changed(bare).nameless == changed(bare).nameless);
}

static void thread_is_the_roots_id(void **state)
{
    (void)state;
    static struct post p;
    post_begin(&p, "<root@Bank.example>", 1, 2, 1);
    uint64_t root = key_of(&p.t).thread;
    post_begin(&p, "reply@x.example", 1, 2, 1);
    p.t.header.references_root = span_text("<root@bank.EXAMPLE>");
    assert_true(root && key_of(&p.t).thread == root);
}

static struct ledger_entry file(struct ledger *l, const struct post *p)
{
    struct key k = key_of(&p->t);
    return ledger_deliver(l, &p->t, &k);
}

/* An origin's copy, with and without a Received line of its own, and the same mail under the ids other servers gave it. */
static void rewritten_ids_join(void **state)
{
    (void)state;
    uint64_t evicted = 0;
    struct memory *memory = memory_new();
    struct ledger *l = ledger_new(memory, 16 * MIB, DAY, &evicted);
    static struct post p;
    for (uint32_t with_hop = 0; with_hop < 2; with_hop++)
        for (uint32_t n = 0; n < 500; n++) {
            char name[40];
            snprintf(name, sizeof name, "o%u-%u@bank.example", with_hop, n);
            post_begin(&p, name, 1, 2, n);
            post_audience(&p, n * 3, 20);
            post_to(&p, n * 3, 20);
            p.t.header.date += with_hop * 1000 * POST_SECOND;
            if (with_hop)
                post_hop(&p, 1000 + n, 9);
            uint64_t key = file(l, &p).key;
            for (uint32_t copy = 0; copy < 3; copy++) {
                snprintf(name, sizeof name, "r%u-%u-%u@exchange.example", with_hop, n, copy);
                post_begin(&p, name, 100 + copy, 2, n + copy + 1);
                post_audience(&p, n * 3, 20);
                post_to(&p, n * 3, 20);
                p.t.header.date += with_hop * 1000 * POST_SECOND;
                post_hop(&p, with_hop ? 1000 + n : 5000 + n, with_hop ? 9 : 1);
                post_hop(&p, 10000 + n * 3 + copy, 2);
                struct ledger_entry e = file(l, &p);
                assert_true(e.key == key && e.new_id && e.redeliveries == 20);
            }
            assert_int_equal(ledger_find(l, key)->ids, 4);
        }
    assert_int_equal(evicted, 0);
    ledger_free(l);
    memory_free(memory);
}

/* Old lines stripped, or the origin behind a NAT: a large audience will do; a small one does not. */
static void a_large_audience_joins(void **state)
{
    (void)state;
    uint64_t evicted = 0;
    struct memory *memory = memory_new();
    struct ledger *l = ledger_new(memory, 16 * MIB, DAY, &evicted);
    static struct post p;
    for (uint32_t audience = KEY_WIDE - 1; audience <= KEY_WIDE; audience++) {
        post_begin(&p, audience == KEY_WIDE ? "a@bank.example" : "b@bank.example", 1, 2, 1);
        post_audience(&p, 0, audience);
        post_to(&p, 0, audience);
        uint64_t key = file(l, &p).key;
        post_begin(&p, audience == KEY_WIDE ? "c@gate.example" : "d@gate.example", 3, 2, 2);
        post_audience(&p, 0, audience);
        post_to(&p, 0, audience);
        post_hop(&p, 10 + audience, 99);
        assert_int_equal(file(l, &p).key == key, audience == KEY_WIDE);
        post_begin(&p, audience == KEY_WIDE ? "e@gate.example" : "f@gate.example", 1, 2, 1);
        p.t.header.subject = span_text("Quite another");
        post_audience(&p, 0, audience);
        post_to(&p, 0, audience);
        assert_false(file(l, &p).key == key);
    }
    ledger_free(l);
    memory_free(memory);
}

/* A server that puts an id into a mail that had none. */
static void id_added_on_the_way(void **state)
{
    (void)state;
    uint64_t evicted = 0;
    struct memory *memory = memory_new();
    struct ledger *l = ledger_new(memory, 16 * MIB, DAY, &evicted);
    static struct post p;
    post_begin(&p, "", 1, 2, 1);
    post_audience(&p, 0, 20);
    post_to(&p, 0, 20);
    struct ledger_entry first = file(l, &p);
    assert_false(first.new_id);
    post_begin(&p, "given@mx.example", 2, 3, 2);
    post_audience(&p, 0, 20);
    post_to(&p, 0, 20);
    post_hop(&p, 1, 1);
    assert_true(file(l, &p).key == first.key);
    ledger_free(l);
    memory_free(memory);
}

/* How many of `count` different mails, alike in From, Date (to the second), Subject and body start, the ledger takes for one it knows. */
static uint32_t joined_falsely(uint32_t count, bool own_line, bool own_audience, uint32_t audience, bool relayed)
{
    uint64_t evicted = 0, mistakes = 0;
    struct memory *memory = memory_new();
    struct ledger *l = ledger_new(memory, 1024 * MIB, DAY, &evicted);
    static struct post p;
    for (uint32_t n = 0; n < count; n++) {
        char name[40];
        snprintf(name, sizeof name, "news.%08x@bulk.example", n * 2654435761u);
        uint64_t key = 0;
        for (uint32_t hop = 0; hop <= relayed; hop++) { /* the same mail on its second leg: known by its id, and by nothing else */
            post_begin(&p, name, 1 + hop, 2 + hop, n * 1e-3 + hop * 1e-4);
            post_audience(&p, own_audience ? n * audience : 0, audience);
            post_to(&p, n, 1);
            if (own_line)
                post_hop(&p, n, 9);
            if (hop)
                post_hop(&p, n + (1u << 30), 1);
            struct ledger_entry e = file(l, &p);
            mistakes += hop ? e.key != key : !e.new_id || (e.message && e.message->copies > 1);
            key = e.key;
        }
    }
    assert_int_equal(evicted, 0);
    ledger_free(l);
    memory_free(memory);
    return (uint32_t)mistakes;
}

static void newsletters_stay_apart(void **state)
{
    (void)state;
    assert_in_range(joined_falsely(100000, true, true, 1, true), 0, 1);  /* a copy each, through the sender's own relay */
    assert_in_range(joined_falsely(100000, false, true, 1, true), 0, 1); /* straight from the machine that made them */
    assert_in_range(joined_falsely(30000, true, true, 9, false), 0, 0);  /* large enough an audience for a full record */
    assert_in_range(joined_falsely(30000, true, false, 9, true), 0, 0);  /* even the audience is the same */
    assert_in_range(joined_falsely(30000, false, false, 9, true), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_one_form),        cmocka_unit_test(some_ids_say_nothing), cmocka_unit_test(fingerprint_is_of_what_stays),
        cmocka_unit_test(thread_is_the_roots_id),   cmocka_unit_test(rewritten_ids_join),   cmocka_unit_test(id_added_on_the_way),
        cmocka_unit_test(a_large_audience_joins),   cmocka_unit_test(newsletters_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
