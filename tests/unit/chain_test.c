/* Received chains of many writers, read as ways through hosts: which lines are one visit, and how the mail came to each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "smtpdissect/session.h"
#include "stats/chain.h"
#include "tests/unit/arena.h"

#define LINES 300
static struct hop hops[LINES];
static struct chain chain;
static void read_lines(const char *const *lines, size_t n)
{
    arena_reset(arena);
    for (size_t i = 0; i < n; i++)
        received_parse(arena, span_text(lines[i]), &hops[i]);
    chain_read(&chain, hops, n);
}
#define READ(...) read_lines((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#define DATE "; Tue, 24 Nov 2026 03:49:19 +0000"
#define BANK "from pc17.bank.test (mail.bank.test [10.1.0.10]) by mail.bank.test (Postfix) with ESMTP id F0E6FA7A3AD" DATE
#define PROVIDER                                                                                                                           \
    "from mail.bank.test (mail.bank.test [10.1.0.10]) by mail.provider1.test (Postfix) with ESMTP id 898A3A7A3B0 for "                     \
    "<info@company1.test>" DATE
#define LMTP      "from mail.provider1.test by mail.provider1.test with LMTP id E+qeAEAJBWvLBAAAllz6JA for <company1@provider1.test>" DATE
#define POP       "from pop.provider1.test by server.company1.test with POP3 (fetchmail-6.4.37)" DATE
#define CONNECTOR "from server.company1.test (localhost [127.0.0.1]) by server.company1.test (Postfix) with ESMTP id 7125EA7AF32" DATE

#define PICKUP    "from mail pickup service by server.company2.test with Microsoft SMTPSVC" DATE

static void visit(uint32_t k, const char *name, enum arrival arrival)
{
    assert_true(k < chain.count);
    char text[128];
    assert_string_equal(span_copy(chain.visit[k].name, text, sizeof text), name);
    assert_int_equal(chain.visit[k].arrival, arrival);
}

static void a_connector_takes_it_out_of_a_mailbox(void **state)
{
    (void)state;
    READ(BANK, PROVIDER, LMTP, POP, CONNECTOR);
    assert_int_equal(chain.count, 3);
    visit(0, "mail.bank.test", ARRIVAL_START);
    visit(1, "mail.provider1.test", ARRIVAL_SMTP);
    visit(2, "server.company1.test", ARRIVAL_MAILBOX);
    assert_true(chain.visit[1].delivered);
    assert_true(chain.visit[2].fetched);
    assert_int_equal(chain.visit[2].first, 3);
    char text[ADDRESS_TEXT];
    assert_string_equal(address_text(chain.visit[0].address, text), "10.1.0.10");
}

/* A sensor started late sees no line of an author's server that writes none: the mailbox's line names it. */
static void the_host_before_the_oldest_line(void **state)
{
    (void)state;
    struct span author = span_text("bank.test");
    READ(PROVIDER, LMTP, POP, CONNECTOR);
    const struct hop *h = chain_before(&chain, author);
    assert_non_null(h);
    char text[ADDRESS_TEXT];
    assert_string_equal(address_text(h->from_address, text), "10.1.0.10");
    assert_non_null(chain_before(&chain, span_text("elsewhere.test"))); /* it went into the mailbox from there, whoever wrote it */
    READ(BANK, PROVIDER);
    assert_null(chain_before(&chain, author)); /* the author's own server wrote */
    READ("from pc17.home.test [10.9.0.7] by mail.provider1.test (Postfix) with ESMTPSA id 898A3A7A3B0" DATE, LMTP, POP);
    assert_null(chain_before(&chain, author)); /* a person's program */
    READ("from localhost (localhost [127.0.0.1]) by mail.provider1.test with ESMTP id 8" DATE, LMTP, POP);
    assert_null(chain_before(&chain, author));
    READ(PROVIDER, "from mail.provider1.test by gate.other.test with ESMTP id 8" DATE);
    assert_null(chain_before(&chain, span_text("elsewhere.test")));
}

/* What has been delivered is gone from its host: a line of the same one after that is another visit, and who gave it wrote no line. */
static void delivered_and_taken_in_again(void **state)
{
    (void)state;
    READ(BANK, PROVIDER, LMTP, "from server.company1.test [10.3.1.10] by mail.provider1.test with ESMTP id 8" DATE);
    assert_int_equal(chain.count, 3);
    visit(2, "mail.provider1.test", ARRIVAL_MAILBOX);
    assert_true(chain.visit[2].missing);
    assert_false(address_known(chain.visit[1].address)); /* the mailbox's host is not where it came from */
    READ(BANK, PROVIDER, LMTP, "from localhost (localhost [127.0.0.1]) by mail.provider1.test with ESMTP id 8" DATE);
    assert_int_equal(chain.count, 2); /* a filter */
}

/* Copies that share nothing: only behind a mailbox is a host that had it from itself more than the origin's own way. */
static void an_injection_without_a_trunk(void **state)
{
    (void)state;
    struct trunk none = {.known = true}, bare = {.known = true, .bare = true};
    READ(PROVIDER, PICKUP);
    assert_int_equal(chain_injection(&chain, &none), -1);
    assert_int_equal(chain_injection(&chain, &bare), 1); /* the first sender writes no line: these came after it */
    READ(PROVIDER, LMTP, "from server.company1.test [10.3.1.10] by mail.provider2.test with ESMTP id 8" DATE, PICKUP);
    assert_int_equal(chain_injection(&chain, &none), 2);
}

/* Dovecot and fetchmail call the host by the name of the machine, the mail server beside them by its own. */
static void names_of_the_machine(void **state)
{
    (void)state;
    READ(BANK, PROVIDER, "from mail.provider1.test by vm with LMTP id AFB0IvMDBWu9eAAAg+zDdQ:T3 for <company1@provider1.test>" DATE,
        "from pop.provider1.test [10.2.1.10] by vm with POP3 (fetchmail-6.4.37) for <postmaster@localhost> (single-drop)" DATE,
        "by server.company1.test (Postfix, from userid 0) id 354DDAAC4F1" DATE);
    assert_int_equal(chain.count, 4);
    visit(3, "server.company1.test", ARRIVAL_MAILBOX);
    assert_true(chain.visit[3].fetched);
}

static void fetchmail_on_localhost(void **state)
{
    (void)state;
    READ(BANK, PROVIDER, "from pop.provider1.test [10.2.1.10] by localhost with POP3 (fetchmail-5.9.0)" DATE, CONNECTOR);
    assert_int_equal(chain.count, 3);
    visit(2, "server.company1.test", ARRIVAL_MAILBOX);
}

/* No word of POP3, but no host gave it by SMTP either: pick-up folder, sendmail(1), Exim's local, qmail. */
static void out_of_nowhere(void **state)
{
    static const char *const lines[] = {
        "from mail pickup service by server.company1.example with Microsoft SMTPSVC" DATE,
        "from els by server.company1.example with local (Exim 4.96) (envelope-from <els@bank.test>) id 1qABC-0001" DATE,
        "(from root@localhost) by server.company1.example (8.15.2/8.15.2/Submit) id 3AO3" DATE,
        "from localhost (server.company1.example [local]) by server.company1.example (OpenSMTPD) with ESMTPA id 7a" DATE,
        "by server.company1.example (Postfix, from userid 110) id 677B7A9E5A5" DATE,
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        READ(BANK, PROVIDER, lines[i]);
        assert_int_equal(chain.count, 3);
        visit(2, "server.company1.example", ARRIVAL_MAILBOX);
    }
}

/* What aliases, lists, filters and tidy paths write is no mailbox. */
static void passed_on(void **state)
{
    (void)state;
    READ(BANK, "from mail.bank.test (mail.bank.test [10.1.0.10]) by mx.team.test (Postfix) with ESMTP id 78 for <team@team.test>" DATE,
        "by mx.team.test (Postfix) id 2CE32A7A044" DATE);
    assert_int_equal(chain.count, 2);
    visit(1, "mx.team.test", ARRIVAL_SMTP);
    READ(BANK, "from mail.bank.test (mail.bank.test [10.1.0.10]) by mx.team.test (Postfix) with ESMTP id 78" DATE,
        "from mx.team.test ([127.0.0.1]) by localhost (mx.team.test [127.0.0.1]) (amavisd-new, port 10024) with LMTP id x" DATE,
        "from localhost (localhost [127.0.0.1]) by mx.team.test (Postfix) with ESMTP id 79" DATE);
    assert_int_equal(chain.count, 2);
    visit(1, "mx.team.test", ARRIVAL_SMTP);
    /* Exchange: mapi between servers of one organisation */
    READ(BANK, "from mail.bank.test (10.1.0.10) by EX1.corp.example (10.9.0.1) with Microsoft SMTP Server (TLS) id 15.1.2" DATE,
        "from EX2.corp.example ([fe80::1]) by EX2.corp.example ([fe80::1%14]) with mapi id 15.01.002" DATE,
        "from EX2.corp.example (10.9.0.2) by edge.corp.example (10.9.0.3) with Microsoft SMTP Server id 15.1.2" DATE);
    assert_int_equal(chain.count, 4);
    for (uint32_t k = 1; k < 4; k++)
        assert_int_not_equal(chain.visit[k].arrival, ARRIVAL_MAILBOX);
    /* Exim with the helo in a comment, qmail, a relay that names itself by its address, Gmail's inner hops */
    READ("from [10.1.0.10] (helo=mail.bank.test) by mx.one.test with esmtp (Exim 4.96) id 1q" DATE,
        "from unknown (HELO mx.one.test) (10.2.0.1) by mx.two.test with SMTP; 24 Nov 2026 03:49:24 -0000",
        "(qmail 12345 invoked by uid 89); 24 Nov 2026 03:49:24 -0000", "by 10.223.104.1 with SMTP id f1csp" DATE,
        "by 2002:a05:6402:1f5:b0:595:1:2 with SMTP id abc" DATE);
    assert_int_equal(chain.count, 2);
    visit(0, "mx.one.test", ARRIVAL_START);
    visit(1, "mx.two.test", ARRIVAL_SMTP);
    /* one organisation hands it on where no line shows it */
    READ(BANK, "from mail.bank.test ([10.1.0.10]) by mx.lists.example.co.uk with ESMTP id 1" DATE,
        "from localhost (localhost [127.0.0.1]) by mailman.example.co.uk with ESMTP id 2" DATE);
    visit(2, "mailman.example.co.uk", ARRIVAL_ODD);
}

static void sieve_passes_on_from_the_mailbox_server(void **state)
{
    (void)state;
    READ(BANK, PROVIDER, LMTP,
        "from mail.provider1.test (mail.provider1.test [127.0.0.1]) by mail.provider1.test (Postfix, from userid 5000) id 77" DATE);
    assert_int_equal(chain.count, 2);
    visit(1, "mail.provider1.test", ARRIVAL_SMTP);
}

static void what_all_copies_share_accuses_nobody(void **state)
{
    (void)state;
    struct trunk trunk = {0};
    /* forged below the bank's line: in every copy */
    static const char forged[] = "from pop.innocent.test by server.innocent.test with POP3 (fetchmail-6.4.37)" DATE;
    READ(PROVIDER, forged, BANK);
    trunk_join(&trunk, &chain);
    READ(PROVIDER, forged, BANK, "from mail.bank.test ([10.1.0.10]) by mx.two.test with ESMTP id 5" DATE);
    trunk_join(&trunk, &chain);
    assert_int_equal(trunk.count, 3);
    assert_int_equal(chain_injection(&chain, &trunk), -1);
    READ(PROVIDER, forged, BANK, "from mail.bank.test ([10.1.0.10]) by mail.provider2.test with ESMTP id 5" DATE,
        "from pop.provider2.test by server.company2.test with POP3 (fetchmail-6.4.37)" DATE);
    trunk_join(&trunk, &chain);
    assert_int_equal(chain_injection(&chain, &trunk), (int)chain.count - 1);
}

/* One mail in two queue files of its first server: its first line differs, the trunk stays. */
static void two_queue_files(void **state)
{
    (void)state;
    struct trunk trunk = {0};
    READ(BANK, PROVIDER);
    trunk_join(&trunk, &chain);
    READ("from pc17.bank.test (mail.bank.test [10.1.0.10]) by mail.bank.test (Postfix) with ESMTP id 0OTHER" DATE,
        "from mail.bank.test (mail.bank.test [10.1.0.10]) by mail.provider9.test (Postfix) with ESMTP id 1" DATE,
        "by server.company9.test (Postfix, from userid 0) id 2" DATE);
    trunk_join(&trunk, &chain);
    assert_int_equal(trunk.count, 1);
    assert_int_equal(chain_injection(&chain, &trunk), 2);
}

static void passes_are_counted_by_turn(void **state)
{
    (void)state;
    static const char alpha[] = "from mx.beta.test (mx.beta.test [10.3.2.10]) by mx.alpha.test (Postfix) with ESMTP id a" DATE;
    static const char beta[] = "from mx.alpha.test (mx.alpha.test [10.3.1.10]) by mx.beta.test (Postfix) with ESMTP id b" DATE;
    READ(BANK, alpha, beta, alpha, beta);
    struct address a, elsewhere;
    assert_true(address_parse(span_text("10.3.1.10"), &a));
    assert_true(address_parse(span_text("10.3.1.99"), &elsewhere));
    uint32_t latest = 0;
    assert_int_equal(chain_passes(&chain, span_text("mx.alpha.test"), a, false, &latest), 2);
    assert_int_equal(latest, 3);
    assert_int_equal(chain_passes(&chain, span_text("other.name.test"), a, false, &latest), 2);
    assert_int_equal(chain_passes(&chain, span_text("mx.alpha.test"), elsewhere, false, &latest), 0);
    assert_int_equal(chain_passes(&chain, span_text("mx.alpha.test"), elsewhere, true, &latest), 2);
    assert_int_equal(chain_passes(&chain, span_text("mx.gamma.test"), elsewhere, true, &latest), 0);
}

static void organisations(void **state)
{
    (void)state;
    assert_true(chain_same_organisation(span_text("mail.bank.test"), span_text("BANK.test")));
    assert_true(chain_same_organisation(span_text("a.shop.co.uk"), span_text("b.shop.co.uk.")));
    assert_false(chain_same_organisation(span_text("a.one.co.uk"), span_text("a.two.co.uk")));
    assert_false(chain_same_organisation(span_text("vm"), span_text("vm")));
    assert_false(chain_same_organisation(span_text(""), span_text("bank.test")));
    assert_false(chain_same_organisation(span_text("."), span_text("..")));
}

static void lines_as_text(void **state)
{
    (void)state;
    char text[128];
    struct hop h;
    received_parse(arena, span_text("from pop.provider1.test [10.2.1.10] by vm with POP3 (fetchmail-6.4.37)" DATE), &h);
    assert_string_equal(chain_line(&h, text, sizeof text), "from pop.provider1.test [10.2.1.10] by vm with POP3 (fetchmail-6.4.37)");
    received_parse(arena, span_text("by server.test (Postfix, from userid 0) id 1" DATE), &h);
    assert_string_equal(chain_line(&h, text, sizeof text), "by server.test");
    received_parse(arena, span_text(""), &h);
    assert_string_equal(chain_line(&h, text, sizeof text), "by (not said)");
    assert_string_equal(chain_line(&h, text, 4), "by ");
}

static void no_chain_and_too_long_a_chain(void **state)
{
    (void)state;
    chain_read(&chain, NULL, 0);
    assert_int_equal(chain.count, 0);
    struct trunk trunk = {0};
    trunk_join(&trunk, &chain);
    assert_false(trunk.known);
    assert_int_equal(chain_injection(&chain, &trunk), -1);
    static char text[LINES][80];
    for (size_t i = 0; i < LINES; i++) {
        snprintf(text[i], sizeof text[i], "from h%zu.test by h%zu.test with ESMTP id x", i, i + 1);
        received_parse(arena, span_text(text[i]), &hops[i]);
    }
    chain_read(&chain, hops, LINES);
    assert_int_equal(chain.count, CHAIN_LINES);
    visit(CHAIN_LINES - 1, "h300.test", ARRIVAL_SMTP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connector_takes_it_out_of_a_mailbox),
        cmocka_unit_test(the_host_before_the_oldest_line),
        cmocka_unit_test(delivered_and_taken_in_again),
        cmocka_unit_test(an_injection_without_a_trunk),
        cmocka_unit_test(names_of_the_machine),
        cmocka_unit_test(fetchmail_on_localhost),
        cmocka_unit_test(out_of_nowhere),
        cmocka_unit_test(passed_on),
        cmocka_unit_test(sieve_passes_on_from_the_mailbox_server),
        cmocka_unit_test(what_all_copies_share_accuses_nobody),
        cmocka_unit_test(two_queue_files),
        cmocka_unit_test(passes_are_counted_by_turn),
        cmocka_unit_test(organisations),
        cmocka_unit_test(lines_as_text),
        cmocka_unit_test(no_chain_and_too_long_a_chain),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
