/* The books of each mail: who had it, which delivery is one too many and whose; the tree of chains; short forms, bounds, forgetting. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/glimpse.h"
#include "stats/ledger.h"
#include "stats/memory.h"
#include "tests/unit/post.h"

#define MIB (INT64_C(1) << 20)
#define DAY (86400 * NS_PER_SECOND)
static struct memory *memory; /* of the books */
static struct ledger *books;
static uint64_t evicted;
static struct post p;

static int end(void **state)
{
    (void)state;
    ledger_free(books);
    memory_free(memory);
    books = NULL;
    memory = NULL;
    evicted = 0;
    return 0;
}

static void books_open(int64_t budget)
{
    memory = memory_new();
    books = ledger_new(memory, budget, DAY, &evicted);
}

static struct ledger_entry file(void)
{
    struct key k = key_of(&p.t);
    return ledger_deliver(books, &p.t, &k);
}

static void mail(const char *id, uint32_t client, uint32_t server, double seconds, uint32_t first, uint32_t count)
{
    post_begin(&p, id, client, server, seconds);
    snprintf(p.subject, sizeof p.subject, "About %s", id);
    p.t.header.subject = span_text(p.subject);
    post_audience(&p, 0, 20);
    post_to(&p, first, count);
}

/* While records are few every mail has one; from here on small ones are kept in short form.  Returns how many have a record. */
static size_t fill(void)
{
    for (uint32_t i = 0; ledger_short(books) == 0; i++) {
        char name[40];
        snprintf(name, sizeof name, "first%u@fill.example", i);
        post_begin(&p, name, 900, 901, 1e-6 * i);
        post_to(&p, 100000 + i, 1);
        file();
    }
    assert_true(ledger_full(books) > 100);
    return ledger_full(books);
}

static void the_longer_chain_is_charged(void **state)
{
    (void)state;
    books_open(16 * MIB);
    mail("m@bank.example", 1, 50, 1, 0, 20); /* the bank to all; one Received line */
    post_hop(&p, 1, 9);
    struct ledger_entry e = file();
    assert_true(e.new_id && e.message && e.copy && e.made_count == 20 && e.redeliveries == 0);
    mail("m@bank.example", 2, 50, 2, 5, 15); /* X, five lines */
    for (uint32_t i = 1; i <= 5; i++)
        post_hop(&p, i, 9);
    e = file();
    assert_true(!e.new_id && e.deliveries == 15 && e.redeliveries == 15);
    for (uint32_t i = 0; i < 15; i++)
        assert_true(e.made[i].had_it && e.made[i].in_audience && !e.made[i].taken && e.made[i].copies == 2 && e.made[i].chains == 2 &&
                    address_equal(e.made[i].charged, post_address(2)));
    assert_int_equal(e.copy->redeliveries, 15);
    const struct message *m = e.message;
    assert_int_equal(message_host(m, post_address(1))->redeliveries, 0);
    assert_int_equal(message_host(m, post_address(2))->redeliveries, 15);
    assert_int_equal(message_host(m, post_address(2))->out_audience, 15);
    assert_int_equal(message_host(m, post_address(50))->in, 35);
    assert_true(m->copies == 2 && m->deliveries == 35 && m->redeliveries == 15 && m->sources == 2 && m->most_copies == 2);
    assert_int_equal(message_recipients(m), 20);
    assert_null(message_host(m, post_address(3)));
}

static void also_when_it_came_first(void **state)
{
    (void)state;
    books_open(16 * MIB);
    mail("m@bank.example", 2, 50, 1, 0, 10); /* the forwarder was faster than the bank's greylisted copy */
    for (uint32_t i = 1; i <= 5; i++)
        post_hop(&p, i, 9);
    assert_int_equal(file().redeliveries, 0);
    mail("m@bank.example", 1, 50, 2, 0, 10);
    post_hop(&p, 1, 9);
    struct ledger_entry e = file();
    assert_int_equal(e.redeliveries, 10);
    assert_true(address_equal(e.made[0].charged, post_address(2)));
    assert_int_equal(message_host(e.message, post_address(1))->redeliveries, 0);
    assert_int_equal(message_host(e.message, post_address(2))->redeliveries, 10);
    assert_int_equal(e.message->copy_list[0].redeliveries, 10);
    assert_int_equal(e.copy->redeliveries, 0);
    mail("m@bank.example", 3, 50, 3, 0, 10); /* from now on the bank's copy is the measure */
    post_hop(&p, 1, 9);
    post_hop(&p, 8, 9);
    e = file();
    assert_true(e.redeliveries == 10 && address_equal(e.made[0].charged, post_address(3)));
    assert_true(e.made[0].chains == 3 && e.made[0].copies == 3);
    mail("m@bank.example", 4, 50, 4, 0, 10); /* as long as the shortest: the later one */
    post_hop(&p, 9, 9);
    assert_true(address_equal(file().made[0].charged, post_address(4)));
}

static void what_is_no_redelivery(void **state)
{
    (void)state;
    books_open(16 * MIB);
    mail("m@bank.example", 1, 50, 1, 0, 5);
    post_to(&p, 0, 5); /* the same address twice in one envelope */
    struct ledger_entry e = file();
    assert_true(e.deliveries == 10 && e.redeliveries == 0 && message_recipients(e.message) == 5 && e.message->most_copies == 1);
    mail("m@bank.example", 50, 51, 2, 0, 5); /* the relay's next hop: another server */
    post_hop(&p, 1, 9);
    e = file();
    assert_true(e.redeliveries == 0 && e.made[0].taken && message_recipients(e.message) == 5);
    assert_true(message_host(e.message, post_address(50))->out_taken == 5 && message_host(e.message, post_address(50))->out_audience == 0);
    mail("m@bank.example", 50, 52, 3, 100, 3); /* an alias: others, outside the audience */
    post_hop(&p, 1, 9);
    e = file();
    assert_true(e.redeliveries == 0 && !e.made[0].in_audience);
    assert_int_equal(message_host(e.message, post_address(50))->out_others, 3);
    mail("m@bank.example", 1, 53, 4, 0, 5); /* refused, one and all but one */
    for (size_t i = 0; i < 4; i++)
        p.recipient[i].code = 550;
    e = file();
    assert_true(e.deliveries == 1 && e.made_count == 1 && e.made[0].recipient == post_person(4));
    mail("m@bank.example", 1, 54, 5, 0, 5); /* LMTP: one of five in the end */
    for (size_t i = 1; i < 5; i++)
        p.recipient[i].final_code = 452;
    assert_int_equal(file().deliveries, 1);
    assert_int_equal(message_copies_at(e.message, post_person(0), post_address(54)), 1);
    assert_int_equal(message_copies_at(e.message, post_person(1), post_address(54)), 0);
    assert_int_equal(message_copies_at(e.message, post_person(1), post_address(50)), 1);
}

static void chains_make_a_tree(void **state)
{
    (void)state;
    books_open(16 * MIB);
    static const uint32_t chain[4][5] = {{1}, {1, 2, 3}, {1, 2, 4, 5}, {1, 2, 3}};
    struct ledger_entry e = {0};
    for (uint32_t c = 0; c < 4; c++) {
        mail("m@bank.example", c + 1, 50, c + 1, 0, 2);
        for (uint32_t i = 0; chain[c][i]; i++)
            post_hop(&p, chain[c][i], 9);
        e = file();
    }
    const struct message *m = e.message;
    const struct copy *c = m->copy_list;
    assert_int_equal(m->copy_count, 4);
    assert_int_equal(m->node_count, 6); /* the root and five lines */
    assert_int_equal(message_common(m, &c[1], &c[2]), 2);
    assert_int_equal(message_common(m, &c[0], &c[2]), 1);
    assert_int_equal(message_common(m, &c[1], &c[3]), 3);
    assert_true(c[1].tail == c[3].tail && m->nodes[c[1].tail].copies == 2);
    uint32_t fork = message_hop(m, &c[2], 2);
    assert_int_equal(m->nodes[fork].children, 2);
    assert_int_equal(fork, message_hop(m, &c[1], 2));
    assert_int_equal(message_hop(m, &c[0], 2), 0);
    assert_int_equal(message_hop(m, &c[0], 0), 0);
    assert_string_equal(message_text(m, m->nodes[fork].by), "by.example");
    assert_int_equal(m->recipients[c[2].recipients_at], post_person(0));
    assert_int_equal(c[2].recipients_kept, 2);
}

static void texts_are_safe_to_show(void **state)
{
    (void)state;
    books_open(16 * MIB);
    mail("m@bank.example", 1, 50, 1, 0, 2);
    static char longest[5000];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "\033[31mred\0", 9);
    p.t.header.subject = span_of(longest, sizeof longest);
    p.t.header.from = span_text("a\r\nb\xff <x@y>");
    const struct message *m = file().message;
    assert_int_equal(strlen(message_text(m, m->subject)), LEDGER_TEXT_SIZE - 1);
    assert_int_equal(strncmp(message_text(m, m->subject), "?[31mred?x", 10), 0);
    assert_string_equal(message_text(m, m->from), "a??b? <x@y>");
    assert_string_equal(message_text(m, 0), "");
}

static void a_mail_seen_once_is_short(void **state)
{
    (void)state;
    books_open(16 * MIB);
    size_t full = fill();
    post_begin(&p, "one@shop.example", 1, 50, 10);
    post_audience(&p, 7, 1);
    post_to(&p, 7, 1);
    post_hop(&p, 1, 9);
    p.t.data_end = p.t.end - 200 * 1000000;
    p.t.mail_time = p.t.end - 3 * POST_SECOND;
    struct transaction first = p.t;
    struct ledger_entry e = file();
    assert_true(e.new_id && !e.message && !e.copy && e.deliveries == 1 && e.redeliveries == 0);
    assert_int_equal(ledger_short(books), 2);
    assert_int_equal(ledger_full(books), full);
    assert_null(ledger_find(books, e.key));
    /* the same recipient at the same server, with a chain that goes on */
    post_begin(&p, "one@shop.example", 2, 50, 700);
    post_audience(&p, 7, 1);
    post_to(&p, 7, 1);
    for (uint32_t i = 1; i <= 5; i++)
        post_hop(&p, i, 9);
    e = file();
    assert_true(!e.new_id && e.message && e.redeliveries == 1 && e.made[0].copies == 2 && e.made[0].chains == 2 && e.made[0].in_audience);
    assert_true(address_equal(e.made[0].charged, post_address(2)));
    assert_int_equal(ledger_short(books), 1);
    const struct message *m = e.message;
    const struct copy *c = &m->copy_list[0];
    assert_true(m->short_first == 1 && m->copies == 2 && m->deliveries == 2 && m->copy_count == 2 && message_recipients(m) == 1);
    assert_true(address_equal(c->client, post_address(1)) && address_equal(c->server, post_address(50)));
    assert_true(c->connection == first.connection && c->data_end == first.data_end && c->end == first.end && c->bytes == first.bytes);
    assert_true(llabs(c->mail_time - first.mail_time) < 1000000);
    assert_int_equal(c->hops, 1);
    assert_int_equal(message_common(m, c, e.copy), 1); /* known to be the beginning of the second's chain */
    assert_int_equal(m->first, first.end);
    assert_string_equal(message_text(m, m->id), "one@shop.example");
}

static void a_short_form_with_the_longer_chain(void **state)
{
    (void)state;
    books_open(16 * MIB);
    fill();
    post_begin(&p, "one@shop.example", 2, 50, 10);
    post_to(&p, 7, 1);
    for (uint32_t i = 1; i <= 5; i++)
        post_hop(&p, i, 9);
    assert_null(file().message);
    post_begin(&p, "one@shop.example", 1, 50, 11);
    post_to(&p, 7, 1);
    post_hop(&p, 1, 9);
    struct ledger_entry e = file();
    assert_true(e.redeliveries == 1 && address_equal(e.made[0].charged, post_address(2)));
    assert_int_equal(e.message->copy_list[0].hops, 5);
    assert_int_equal(e.message->nodes[e.message->copy_list[0].tail].depth, 5);
    assert_int_equal(message_common(e.message, &e.message->copy_list[0], e.copy), 0); /* its lines are not known any more */
}

/* Two recipients, a gateway, an inner server: each leg 64 bytes a delivery.  What does not simply go on ends the short form. */
static void relays_keep_it_short(void **state)
{
    (void)state;
    books_open(16 * MIB);
    fill();
    for (uint32_t end_of_it = 0; end_of_it < 6; end_of_it++) {
        size_t before = ledger_short(books);
        char name[40];
        snprintf(name, sizeof name, "way%u@shop.example", end_of_it);
        for (uint32_t leg = 0; leg < 3; leg++) { /* 10 -> 11 -> 12 -> 13 */
            post_begin(&p, name, 10 + leg, 11 + leg, 10 + leg);
            post_to(&p, 7, leg < 2 ? 2 : 1);
            for (uint32_t h = 0; h <= leg; h++)
                post_hop(&p, 100 * (end_of_it + 1) + h, 9);
            struct ledger_entry e = file();
            assert_true(!e.message && !e.copy && e.redeliveries == 0 && e.deliveries == p.t.recipient_count && e.new_id == (leg == 0));
        }
        assert_int_equal(ledger_short(books), before + 5);
        struct address giver;
        assert_true(ledger_took(books, key_id(span_text(name)), post_address(12), &giver));
        assert_true(address_equal(giver, post_address(11)));
        assert_false(ledger_took(books, key_id(span_text(name)), post_address(10), &giver));
        static const uint32_t client[6] = {13, 13, 13, 13, 20, 10}, server[6] = {14, 12, 10, 14, 11, 11}, to[6] = {9, 7, 7, 8, 8, 7};
        static const uint32_t redeliveries[6] = {0, 1, 0, 0, 1, 1};
        /* another recipient; a server it has passed; back at the start; a recipient 13 did not take it for; a stranger; sent again */
        post_begin(&p, name, client[end_of_it], server[end_of_it], 20);
        post_to(&p, to[end_of_it], 1);
        for (uint32_t h = 0; h < 4; h++)
            post_hop(&p, 100 * (end_of_it + 1) + h, 9);
        struct ledger_entry e = file();
        assert_non_null(e.message);
        assert_int_equal(e.redeliveries, redeliveries[end_of_it]);
        assert_int_equal(ledger_short(books), before);
        const struct message *m = e.message;
        assert_true(m->short_first == 3 && m->copies == 4 && m->deliveries == 6 && m->copy_count == 4);
        for (uint32_t leg = 0; leg < 3; leg++) {
            const struct copy *c = &m->copy_list[leg];
            assert_true(address_equal(c->client, post_address(10 + leg)) && c->deliveries == (leg < 2 ? 2 : 1) && c->hops == leg + 1);
            assert_true(m->recipients[c->recipients_at] == post_person(7));
            assert_int_equal(message_common(m, c, e.copy), leg + 1); /* the way was one line after the other */
        }
        assert_true(message_host(m, post_address(11))->out_taken == 2 && message_host(m, post_address(11))->in >= 2);
        assert_true(message_recipients(m) == (end_of_it == 0 ? 3 : 2));
    }
}

static void fuel_is_kept_in_full(void **state)
{
    (void)state;
    books_open(16 * MIB);
    fill();
    post_begin(&p, "a@bank.example", 1, 50, 10);
    post_to(&p, 0, LEDGER_SHORT + 1);
    assert_non_null(file().message); /* many recipients */
    post_begin(&p, "a2@bank.example", 1, 50, 10);
    post_to(&p, 0, LEDGER_SHORT);
    assert_null(file().message);
    post_begin(&p, "a3@bank.example", 1, 50, 10);
    post_to(&p, 0, 1);
    post_to(&p, 0, 1);
    assert_non_null(file().message); /* the same one twice */
    post_begin(&p, "b@bank.example", 1, 50, 11);
    post_to(&p, 0, 1);
    post_audience(&p, 0, LEDGER_AUDIENCE_FULL);
    assert_non_null(file().message); /* one of many in To */
    post_begin(&p, "c@bank.example", 1, 50, 12);
    post_to(&p, 0, 1);
    for (uint32_t i = 0; i < LEDGER_HOPS_FULL; i++)
        post_hop(&p, i, 9);
    assert_non_null(file().message); /* it has come a long way */
    post_begin(&p, "d@bank.example", 1, 50, 13);
    post_to(&p, 0, 1);
    p.t.header.marks = MARK_IMB_RECIPIENT;
    assert_non_null(file().message);
}

/* "<1234@localhost>" on every mail a gadget sends: found out at the second one. */
static void an_id_found_to_say_nothing(void **state)
{
    (void)state;
    hash_seed(13); /* a short form keeps sixteen bits of what tells mails apart: under other seeds one of these may look like the first */
    for (int round = 0; round < 2; round++) {
        books_open(16 * MIB);
        if (round) /* then the first one is in short form */
            fill();
        for (uint32_t i = 0; i < 40; i++) {
            post_begin(&p, "1234@localhost", 1, 50, 10 + i);
            snprintf(p.subject, sizeof p.subject, "Alarm %u", i);
            p.t.header.subject = span_text(p.subject);
            p.t.header.date += (int64_t)i * 60 * POST_SECOND;
            post_to(&p, 7, 1);
            struct ledger_entry e = file();
            assert_int_equal(e.new_id, i == 0);
            assert_int_equal(e.redeliveries, 0);
            if (i == 20) { /* a second copy of this one is known, by its fingerprint */
                p.t.connection++;
                post_hop(&p, 1, 9);
                e = file();
                assert_true(!e.new_id && e.redeliveries == 1 && e.message && e.message->copies == 2);
            }
        }
        end(state);
    }
    /* a list may change From and Subject of what it passes on; Date stays */
    books_open(16 * MIB);
    post_begin(&p, "5678@bank.example", 1, 50, 1);
    post_to(&p, 7, 1);
    file();
    post_begin(&p, "5678@bank.example", 50, 60, 2);
    p.t.header.subject = span_text("[list] Subject of it");
    p.t.header.from_hash = 4711;
    post_to(&p, 7, 1);
    assert_int_equal(file().message->copies, 2);
}

/* Somebody sends another mail under a storm's id: it is filed apart, and the storm's copies go on being the storm's. */
static void an_odd_mail_unmakes_no_id(void **state)
{
    (void)state;
    books_open(16 * MIB);
    mail("storm@bank.example", 1, 50, 1, 0, 20);
    uint64_t key = file().key;
    mail("storm@bank.example", 66, 50, 2, 0, 20);
    p.t.header.date += 60 * POST_SECOND;
    p.t.header.subject = span_text("Quite another");
    struct ledger_entry odd = file();
    assert_true(odd.key != key && odd.redeliveries == 0 && !odd.new_id);
    mail("storm@bank.example", 2, 50, 3, 0, 20);
    post_hop(&p, 1, 9);
    struct ledger_entry e = file();
    assert_true(e.key == key && e.redeliveries == 20 && e.message->copies == 2);
}

static void the_coldest_goes_first(void **state)
{
    (void)state;
    books_open(2 * MIB);
    mail("storm@bank.example", 1, 50, 0, 0, 20);
    struct message *storm = file().message;
    uint64_t storm_key = storm->key;
    ledger_pin(books, storm, true);
    mail("warm@bank.example", 1, 50, 0.5, 0, 20);
    uint64_t warm_key = file().key;
    mail("cold@bank.example", 1, 50, 0.6, 0, 20);
    uint64_t cold_key = file().key;
    for (uint32_t i = 0; i < 40000; i++) {
        char name[40];
        snprintf(name, sizeof name, "m%u@shop.example", i);
        post_begin(&p, name, 1 + i % 1000, 2000 + i % 777, 1 + i * 0.01);
        post_to(&p, i, 1 + (i % 10 == 0));
        file();
        assert_true(ledger_bytes(books) <= 2 * MIB);
        if (i % 100 == 0) {
            mail("warm@bank.example", 2, 50, 1 + i * 0.01, 0, 1);
            assert_int_equal(file().redeliveries, 1);
        }
    }
    assert_true(evicted > 0);
    assert_non_null(ledger_find(books, storm_key));
    assert_ptr_equal(ledger_find(books, storm_key), storm);
    assert_non_null(ledger_find(books, warm_key));
    assert_null(ledger_find(books, cold_key));
    size_t full = 0;
    for (const struct message *m = ledger_each(books, NULL); m; m = ledger_each(books, m))
        full++;
    assert_int_equal(full, ledger_full(books));
    ledger_pin(books, storm, false);
    ledger_tick(books, POST_START + 3 * DAY);
    assert_int_equal(ledger_full(books) + ledger_short(books), 0);
    assert_int_equal(ledger_bytes(books), 0);
}

/* 64 bytes each: nothing is forgotten before the budget is full, and then the oldest. */
static void sixteen_thousand_ids_a_mib(void **state)
{
    (void)state;
    const uint32_t million = 900000; /* and an eighth of the budget for full records */
    assert_true(sizeof(struct glimpse) + 4 * 4 / 3 < GLIMPSE_COST);
    books_open(64 * MIB);
    post_begin(&p, "x", 1, 50, 0);
    post_to(&p, 7, 1);
    for (uint32_t i = 0; i < million; i++) {
        snprintf(p.id, sizeof p.id, "%08x@shop.example", i);
        p.t.header.message_id = span_text(p.id);
        p.t.end += 1000000;
        p.t.data_end = p.t.mail_time = p.t.end;
        p.t.client.address = post_address(i % 5000);
        file();
    }
    assert_int_equal(evicted, 0);
    size_t full = ledger_full(books);
    assert_int_equal(ledger_short(books), million - full);
    assert_true(full < 7000);
    for (uint32_t i = 7000; i < million; i += 9973) { /* every one is still there, and knows its recipient */
        snprintf(p.id, sizeof p.id, "%08x@shop.example", i);
        p.t.header.message_id = span_text(p.id);
        p.t.end += 1000000;
        struct ledger_entry e = file();
        assert_true(!e.new_id && e.redeliveries == 1);
        assert_true(address_equal(e.message->copy_list[0].client, post_address(i % 5000)));
    }
    for (uint32_t i = million; i < million * 3 / 2; i++) { /* the ring goes round */
        snprintf(p.id, sizeof p.id, "%08x@shop.example", i);
        p.t.header.message_id = span_text(p.id);
        p.t.end += 1000000;
        assert_true(file().new_id);
    }
    assert_true(evicted > 300000 && ledger_bytes(books) <= 64 * MIB);
    assert_true(ledger_short(books) > million - 20000);
    snprintf(p.id, sizeof p.id, "%08x@shop.example", million * 3 / 2 - 800000);
    assert_false(file().new_id);
    snprintf(p.id, sizeof p.id, "%08x@shop.example", 70000);
    assert_true(file().new_id);
}

/* The NHS storm of 2016: a mail to 850,000, in transactions of 500. */
static void a_mail_to_850000(void **state)
{
    (void)state;
    const uint32_t all = 850000, each = 500;
    books_open(16 * MIB);
    struct ledger_entry e = {0};
    for (uint32_t at = 0; at < all; at += each) {
        post_begin(&p, "test@nhs.example", 1, 50 + at % 7, at * 1e-5);
        p.t.header.audience_count = 1;
        p.audience[0] = (struct audience_address){1, 1};
        post_to(&p, at, each);
        e = file();
        assert_int_equal(e.redeliveries, 0);
    }
    assert_int_equal(e.message->deliveries, all);
    assert_false(message_recipients_exact(e.message));
    assert_true(fabs((double)message_recipients(e.message) - all) < 3 * HLL_ERROR * all);
    assert_true(ledger_bytes(books) < 4 * MIB);
    for (uint32_t at = all - each; at < all; at += each / 5) { /* a relay of them: believed to have taken what it sends */
        post_begin(&p, "test@nhs.example", 51, 900, 90);
        post_hop(&p, 1, 9);
        post_to(&p, at, each / 5);
        e = file();
    }
    assert_true(message_host(e.message, post_address(51))->out_taken == each && message_host(e.message, post_address(51))->out_others == 0);
    post_begin(&p, "test@nhs.example", 2, 50, 100);
    p.t.header.audience_count = 0;
    post_to(&p, 0, each); /* those known one by one are still seen to have it twice */
    assert_int_equal(file().redeliveries, each);
}

/* Random copies of one mail: what is charged to each host equals a reckoning by the book, when all is over. */
static void charges_add_up(void **state)
{
    enum { COPIES = 400, HOSTS = 6, SERVERS = 3, PEOPLE = 12 };
    for (uint32_t run = 0; run < 20; run++) {
        books_open(16 * MIB);
        static struct {
            uint32_t client, server, hops;
            bool to[PEOPLE];
        } copy[COPIES];
        struct ledger_entry e = {0};
        for (uint32_t i = 0; i < COPIES; i++) {
            uint64_t dice = hash_pair(run, i);
            copy[i].client = (uint32_t)(1 + dice % HOSTS);
            copy[i].server = (uint32_t)(100 + (dice >> 8) % SERVERS);
            copy[i].hops = (uint32_t)((dice >> 16) % 7);
            mail("m@bank.example", copy[i].client, copy[i].server, i, 0, 0);
            for (uint32_t h = 0; h < copy[i].hops; h++)
                post_hop(&p, h * 2 + (dice >> (20 + h)) % 2, 9);
            for (uint32_t person = 0; person < PEOPLE; person++) {
                copy[i].to[person] = hash_pair(dice, person) % 3 == 0;
                if (copy[i].to[person])
                    post_to(&p, person, 1);
            }
            if (p.t.recipient_count)
                e = file();
        }
        uint64_t charged[HOSTS + 1] = {0}, all = 0;
        for (uint32_t person = 0; person < PEOPLE; person++)
            for (uint32_t server = 100; server < 100 + SERVERS; server++) {
                uint32_t holder = COPIES;
                for (uint32_t i = 0; i < COPIES; i++)
                    if (copy[i].server == server && copy[i].to[person] && (holder == COPIES || copy[i].hops < copy[holder].hops))
                        holder = i;
                for (uint32_t i = 0; i < COPIES; i++)
                    if (copy[i].server == server && copy[i].to[person] && i != holder) {
                        charged[copy[i].client]++;
                        all++;
                    }
            }
        assert_int_equal(e.message->redeliveries, all);
        uint64_t by_copy = 0;
        for (uint32_t i = 0; i < e.message->copy_count; i++)
            by_copy += e.message->copy_list[i].redeliveries;
        assert_int_equal(by_copy, all);
        for (uint32_t host = 1; host <= HOSTS; host++)
            assert_int_equal(message_host(e.message, post_address(host))->redeliveries, charged[host]);
        end(state);
    }
}

/* Past the bound of pairs redeliveries are estimated: never more than there are, and few less. */
static void redeliveries_to_very_many(void **state)
{
    (void)state;
    enum { PEOPLE = 60000, BATCH = 500 };
    books_open(64 * MIB);
    struct ledger_entry e = {0};
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < PEOPLE; i += BATCH) {
            post_begin(&p, "all@bank.example", 1 + round, 100, round * 1000 + i * 0.01);
            for (uint32_t h = 0; h < 1 + round; h++)
                post_hop(&p, h, 9);
            post_to(&p, i, BATCH);
            e = file();
        }
        assert_int_equal(e.message->deliveries, (round + 1) * PEOPLE);
        assert_int_equal(e.message->redeliveries, round * LEDGER_PAIRS);
        assert_in_range(message_redeliveries(e.message), round * PEOPLE * 9 / 10, round * PEOPLE);
    }
}

/* A storm that fills every bound: the counts go on, memory does not. */
static void a_record_has_bounds(void **state)
{
    (void)state;
    books_open(64 * MIB);
    struct ledger_entry e = {0};
    for (uint32_t i = 0; i < 60000; i++) {
        post_begin(&p, "m@bank.example", 1 + i % 5000, 10000 + i % 3000, i * 0.01);
        for (uint32_t h = 0; h < i % 40; h++)
            post_hop(&p, i * 40 + h, 9);
        char name[60];
        snprintf(name, sizeof name, "host%u.example", i);
        p.t.helo = span_text(name);
        post_to(&p, i, 3);
        e = file();
    }
    const struct message *m = e.message;
    assert_int_equal(m->copies, 60000);
    assert_int_equal(m->deliveries, 180000);
    assert_int_equal(m->copy_count, LEDGER_COPIES);
    assert_int_equal(m->node_count, LEDGER_NODES);
    assert_int_equal(m->host_count, LEDGER_HOSTS);
    assert_null(e.copy);
    assert_non_null(e.made);
    assert_true(ledger_bytes(books) < 5 * MIB);
    assert_true(m->redeliveries <= m->deliveries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_longer_chain_is_charged, end),
        cmocka_unit_test_teardown(also_when_it_came_first, end),
        cmocka_unit_test_teardown(what_is_no_redelivery, end),
        cmocka_unit_test_teardown(chains_make_a_tree, end),
        cmocka_unit_test_teardown(texts_are_safe_to_show, end),
        cmocka_unit_test_teardown(a_mail_seen_once_is_short, end),
        cmocka_unit_test_teardown(a_short_form_with_the_longer_chain, end),
        cmocka_unit_test_teardown(relays_keep_it_short, end),
        cmocka_unit_test_teardown(fuel_is_kept_in_full, end),
        cmocka_unit_test_teardown(an_id_found_to_say_nothing, end),
        cmocka_unit_test_teardown(an_odd_mail_unmakes_no_id, end),
        cmocka_unit_test_teardown(the_coldest_goes_first, end),
        cmocka_unit_test_teardown(sixteen_thousand_ids_a_mib, end),
        cmocka_unit_test_teardown(a_mail_to_850000, end),
        cmocka_unit_test_teardown(charges_add_up, end),
        cmocka_unit_test_teardown(redeliveries_to_very_many, end),
        cmocka_unit_test_teardown(a_record_has_bounds, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
