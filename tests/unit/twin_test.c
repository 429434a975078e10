/* The same transaction twice in the mirror is one; a resend, a next hop, a second connection are not it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/twin.h"
#include "tests/unit/post.h"

static struct twins *twins;

static int begin(void **state)
{
    (void)state;
    return (twins = twins_new()) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    twins_free(twins);
    return 0;
}

static enum twin check(const struct post *p)
{
    struct key k = key_of(&p->t);
    return twin_check(twins, &p->t, &k);
}

static void later(struct post *p, int64_t ns)
{
    p->t.mail_time += ns;
    p->t.data_end += ns;
    p->t.end += ns;
}

/* The same connection under another number, 1 us later. */
static void on_the_wire_again(struct post *p)
{
    p->t.connection += 1000000;
    later(p, 1000);
}

static void mail(struct post *p, double seconds)
{
    post_begin(p, "m1@bank.example", 1, 2, seconds);
    post_hop(p, 1, 9);
    post_to(p, 0, 5);
}

static void mirror_shows_twice(void **state)
{
    (void)state;
    static struct post p;
    mail(&p, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    assert_int_equal(check(&p), TWIN_COUNTED);
    on_the_wire_again(&p);
    assert_int_equal(check(&p), TWIN_COUNTED);
}

/* Ten thousand mails on each of two connections that are one, their ends a microsecond apart. */
static void twins_come_interleaved(void **state)
{
    (void)state;
    static struct post p;
    for (uint32_t i = 0; i < 10000; i++) {
        mail(&p, 1 + i * 0.2);
        p.t.connection = 7;
        p.t.client.port = 4000;
        p.t.ordinal = i + 1;
        snprintf(p.id, sizeof p.id, "m%06u@bank.exam", i / 2); /* every mail twice on the connection: a resend is no twin */
        assert_int_equal(check(&p), TWIN_NONE);
        p.t.connection = 8;
        later(&p, 1000);
        assert_int_equal(check(&p), TWIN_COUNTED);
    }
}

static void nat_changes_an_address(void **state)
{
    (void)state;
    static struct post p;
    mail(&p, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.client = (struct endpoint){post_address(77), 61001}; /* the client's: address and port */
    assert_int_equal(check(&p), TWIN_COUNTED);
    mail(&p, 5);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.server = (struct endpoint){post_address(78), 2525}; /* the server's */
    assert_int_equal(check(&p), TWIN_COUNTED);
    mail(&p, 9);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.server = (struct endpoint){post_address(78), 2525};
    p.t.client = (struct endpoint){post_address(77), 61001};
    assert_int_equal(check(&p), TWIN_COUNTED);
}

static void what_is_no_twin(void **state)
{
    (void)state;
    static struct post p;
    mail(&p, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.05); /* overlaps, same hosts, another port: the client gave up and tries again while the server still works */
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.5); /* a resend */
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.51); /* the next hop, already under way: longer chain */
    p.t.client.address = post_address(2);
    p.t.server.address = post_address(3);
    post_hop(&p, 2, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.52); /* chain of the same length, but another */
    p.t.client.address = post_address(4);
    p.hop[0].hash++;
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.53); /* other recipients */
    p.t.client.address = post_address(5);
    post_to(&p, 5, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.54); /* another mail */
    p.t.client.address = post_address(6);
    p.t.header.message_id = span_text("m2@bank.example");
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.55); /* a recipient was refused there */
    p.t.client.address = post_address(7);
    p.recipient[0].code = 450;
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.56); /* the same client from another port to another server: a NAT changes one end of a connection, not its other port */
    p.t.server.address = post_address(8);
    p.t.client.port = 9;
    assert_int_equal(check(&p), TWIN_NONE);
    mail(&p, 1.9); /* NAT's other side would not begin 300 ms late */
    p.t.mail_time -= POST_SECOND / 2;
    p.t.client.address = post_address(9);
    assert_int_equal(check(&p), TWIN_NONE);
}

/* No content: MAIL, RCPT refused, QUIT. */
static void refused_ones_have_twins(void **state)
{
    (void)state;
    static struct post p;
    for (int nat = 0; nat < 2; nat++) {
        post_begin(&p, "", 1, 2, 1 + nat);
        post_to(&p, 0, 2);
        p.recipient[0].code = p.recipient[1].code = 550;
        p.recipient[0].final_code = p.recipient[1].final_code = 0;
        p.t.code = 0;
        p.t.bytes = 0;
        p.t.message = false;
        p.t.data_end = TIME_UNKNOWN;
        p.t.header = (struct header){.date = TIME_UNKNOWN};
        p.t.body_fingerprint = 0;
        assert_int_equal(check(&p), TWIN_NONE);
        on_the_wire_again(&p);
        if (nat)
            p.t.client = (struct endpoint){post_address(77), 61001};
        assert_int_equal(check(&p), TWIN_COUNTED);
    }
}

/* Mails with neither id nor anything else to know them by are told apart by size. */
static void nameless_ones_have_twins(void **state)
{
    (void)state;
    static struct post p;
    mail(&p, 1);
    p.t.header = (struct header){.date = TIME_UNKNOWN};
    p.t.body_fingerprint = 0;
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.client = (struct endpoint){post_address(77), 61001};
    p.t.bytes++;
    assert_int_equal(check(&p), TWIN_NONE);
    p.t.connection++;
    p.t.client.address = post_address(78);
    assert_int_equal(check(&p), TWIN_COUNTED);
}

static void loss_on_one_of_two(void **state)
{
    (void)state;
    static struct post p;
    /* the whole one first */
    mail(&p, 1);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.uncertain = true;
    p.t.message = false;
    p.t.recipient_count = 3; /* two of the RCPT fell into the hole */
    assert_int_equal(check(&p), TWIN_COUNTED);
    /* the broken one first, given up late */
    mail(&p, 3);
    p.t.uncertain = true;
    p.t.message = false;
    p.t.code = 0;
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.uncertain = false;
    p.t.message = true;
    p.t.code = 250;
    assert_int_equal(check(&p), TWIN_BETTER);
    on_the_wire_again(&p);
    assert_int_equal(check(&p), TWIN_COUNTED);
    /* both broken */
    mail(&p, 5);
    p.t.uncertain = true;
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    assert_int_equal(check(&p), TWIN_COUNTED);
    /* on the far side of a NAT, its end lost: it ends when its connection does */
    mail(&p, 7);
    assert_int_equal(check(&p), TWIN_NONE);
    on_the_wire_again(&p);
    p.t.client = (struct endpoint){post_address(77), 61001};
    p.t.uncertain = true;
    p.t.message = false;
    p.t.end += 60 * POST_SECOND;
    p.recipient[4].final_code = 0;
    assert_int_equal(check(&p), TWIN_COUNTED);
}

/* The far side of a NAT with holes: greeting, part of the header, or of the body lost; what is behind comes late, when the hole is sure. */
static void holes_on_the_far_side(void **state)
{
    (void)state;
    static struct post p;
    for (int hole = 0; hole < 6; hole++) {
        mail(&p, 1 + 10 * hole);
        char name[40];
        snprintf(name, sizeof name, "hole%d@bank.example", hole);
        p.t.header.message_id = span_text(name);
        assert_int_equal(check(&p), TWIN_NONE);
        on_the_wire_again(&p);
        p.t.client = (struct endpoint){post_address(77), 61001};
        later(&p, POST_SECOND / 2);
        if (hole > 1) /* the hole came after MAIL */
            p.t.mail_time -= POST_SECOND / 2;
        if (hole == 0)
            p.t.helo = span_text("");
        if (hole == 1)
            p.t.greeting = span_text("");
        p.t.gap_bytes = hole > 1 ? 1460 : 0;
        p.t.bytes += p.t.gap_bytes ? 6 : 0;
        if (hole == 3) { /* two Received lines in the hole */
            p.t.header.hop_count = 0;
            p.t.body_fingerprint = 0;
        }
        if (hole == 4) { /* the id */
            p.t.header.message_id = span_text("");
            p.t.uncertain = true;
            p.t.message = false;
        }
        if (hole == 5) /* not the id, which is another */
            p.t.header.message_id = span_text("another@bank.example");
        assert_int_equal(check(&p), hole == 5 ? TWIN_NONE : TWIN_COUNTED);
    }
    /* without loss so late a picture is another transaction: the next hop of a proxy that adds no line, say */
    mail(&p, 100);
    assert_int_equal(check(&p), TWIN_NONE);
    later(&p, POST_SECOND / 2);
    p.t.connection++;
    p.t.client.address = post_address(77);
    assert_int_equal(check(&p), TWIN_NONE);
}

/* Many equal envelopes at once: the look back is bounded, and nothing is lost that is a microsecond away. */
static void a_flood_of_equal_envelopes(void **state)
{
    (void)state;
    static struct post p;
    for (uint32_t i = 0; i < 100000; i++) {
        char name[40];
        snprintf(name, sizeof name, "b%u@bomb.example", i);
        post_begin(&p, name, 1, 2, 1 + i * 1e-6);
        post_to(&p, 0, 1);
        assert_int_equal(check(&p), TWIN_NONE);
        on_the_wire_again(&p);
        p.t.client = (struct endpoint){post_address(77), (uint16_t)i};
        assert_int_equal(check(&p), TWIN_COUNTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mirror_shows_twice, begin, end),
        cmocka_unit_test_setup_teardown(twins_come_interleaved, begin, end),
        cmocka_unit_test_setup_teardown(nat_changes_an_address, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_twin, begin, end),
        cmocka_unit_test_setup_teardown(refused_ones_have_twins, begin, end),
        cmocka_unit_test_setup_teardown(nameless_ones_have_twins, begin, end),
        cmocka_unit_test_setup_teardown(loss_on_one_of_two, begin, end),
        cmocka_unit_test_setup_teardown(holes_on_the_far_side, begin, end),
        cmocka_unit_test_setup_teardown(a_flood_of_equal_envelopes, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
