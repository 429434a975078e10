/* Received fields as the servers of the world write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "smtpdissect/session.h"
#include "tests/unit/arena.h"

static const struct {
    const char *field, *from, *address, *by, *with, *id, *note;
    bool dated;
} fields[] = {
    /* Postfix */
    {"from mail.bank.test (mx1.bank.test [192.0.2.10]) by mx.example (Postfix) with ESMTPS id 4QxYz1 for <bob@mx.example>; Tue, 24 Nov "
     "2026 12:00:00 +0100 (CET)",
        "mail.bank.test", "192.0.2.10", "mx.example", "ESMTPS", "4QxYz1", "", true},
    {"by mx.example (Postfix, from userid 1000) id 4QxYz2; Tue, 24 Nov 2026 12:00:00 +0100 (CET)", "", "", "mx.example", "", "4QxYz2", "",
        true},
    {"from [IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1]) by mx.example (Postfix) with ESMTP id 1; Tue, 24 Nov 2026 12:00:00 +0100",
        "[IPv6:2001:db8::1]", "2001:db8::1", "mx.example", "ESMTP", "1", "", true},
    {"from localhost (localhost [127.0.0.1]) by mx.example (Postfix) with LMTP id 9; Tue, 24 Nov 2026 12:00:00 +0100", "localhost",
        "127.0.0.1", "mx.example", "LMTP", "9", "", true},
    /* Exim */
    {"from mail.bank.test ([192.0.2.10] helo=bank) by mx.example with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.96) "
     "(envelope-from <a@b>) id 1r-0 for b@x; "
     "Tue, 24 Nov 2026 12:00:00 +0000",
        "bank", "192.0.2.10", "mx.example", "esmtps", "1r-0", "TLS1.3", true},
    {"from [192.0.2.10] (port=4711 helo=bank) by mx.example with smtp (Exim 4.50) id 1A-0; Tue, 24 Nov 2026 12:00:00 +0000", "bank",
        "192.0.2.10", "mx.example", "smtp", "1A-0", "Exim 4.50", true},
    {"from alice by mx.example with local (Exim 4.96) (envelope-from <alice@x>) id 1B-0; Tue, 24 Nov 2026 12:00:00 +0000", "alice", "",
        "mx.example", "local", "1B-0", "Exim 4.96", true},
    /* Sendmail */
    {"from bank (mail.bank.test [192.0.2.10] (may be forged)) by mx.example (8.15.2/8.15.2) with ESMTP id xAO1; Tue, 24 Nov 2026 12:00:00 "
     "GMT",
        "bank", "192.0.2.10", "mx.example", "ESMTP", "xAO1", "", true},
    {"(from root@localhost) by mx.example (8.15.2/8.15.2/Submit) id xAO2; Tue, 24 Nov 2026 12:00:00 GMT", "", "", "mx.example", "", "xAO2",
        "", true},
    /* qmail */
    {"(qmail 1234 invoked by uid 0); 24 Nov 2026 12:00:00 -0000", "", "", "", "", "", "", true},
    {"from unknown (HELO bank) (user@192.0.2.10) by mx.example with SMTP; 24 Nov 2026 12:00:00 -0000", "bank", "192.0.2.10", "mx.example",
        "SMTP", "", "", true},
    /* Exchange */
    {"from EX1.corp.example (192.0.2.10) by EX2.corp.example (192.0.2.11) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id "
     "15.1.2507.39; Tue, 24 Nov 2026 12:00:00 "
     "+0000",
        "EX1.corp.example", "192.0.2.10", "EX2.corp.example", "Microsoft SMTP Server", "15.1.2507.39", "version=TLS1_2, cipher=X", true},
    {"from bank ([192.0.2.10]) by sbs.corp.example with Microsoft SMTPSVC(6.0.3790.3959); Tue, 24 Nov 2026 12:00:00 +0000", "bank",
        "192.0.2.10", "sbs.corp.example", "Microsoft SMTPSVC", "", "6.0.3790.3959", true},
    /* Dovecot, fetchmail, Google */
    {"from mx.example by mda.example with LMTP id AbC (envelope-from <a@x>) for <b@y>; Tue, 24 Nov 2026 12:00:00 +0000", "mx.example", "",
        "mda.example", "LMTP", "AbC", "", true},
    {"from pop.isp.example [192.0.2.20] by gw.company.example with POP3 (fetchmail-6.4.37) for <all@localhost> (multi-drop); Tue, 24 Nov "
     "2026 12:00:00 +0000 (GMT)",
        "pop.isp.example", "192.0.2.20", "gw.company.example", "POP3", "", "fetchmail-6.4.37", true},
    {"by 2002:a05:6402:1a::1 with SMTP id x12mr34; Tue, 24 Nov 2026 04:00:00 -0800 (PST)", "", "", "2002:a05:6402:1a::1", "SMTP", "x12mr34",
        "", true},
    /* broken ones */
    {"from a by b", "a", "", "b", "", "", "", false},
    {"from (", "", "", "", "", "", "", false},
    {"from", "", "", "", "", "", "", false},
    {";;;", "", "", "", "", "", "", false},
    {"by x id <1@x>; not a date", "", "", "x", "", "1@x", "", false},
    {"", "", "", "", "", "", "", false},
};

static void same(size_t i, const char *what, struct span got, const char *expected)
{
    if (!span_equal(got, span_text(expected)))
        fail_msg("%s\n%s: expected '%s', got '%.*s'", fields[i].field, what, expected, (int)got.n, got.n ? (const char *)got.p : "");
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct hop hop;
        char address[ADDRESS_TEXT] = "";
        received_parse(arena, span_text(fields[i].field), &hop);
        if (address_known(hop.from_address))
            address_text(hop.from_address, address);
        same(i, "from", hop.from, fields[i].from);
        same(i, "address", span_text(address), fields[i].address);
        same(i, "by", hop.by, fields[i].by);
        same(i, "with", hop.with, fields[i].with);
        same(i, "id", hop.id, fields[i].id);
        same(i, "note", hop.with_note, fields[i].note);
        if ((hop.date != TIME_UNKNOWN) != fields[i].dated)
            fail_msg("%s: date", fields[i].field);
    }
}

/* A relay that folds the line anew leaves the hop what it was; another id makes another. */
static void test_hash(void **state)
{
    (void)state;
    struct hop a, b, c;
    received_parse(arena, span_text("from x by y with ESMTP id 1; Tue, 24 Nov 2026 12:00:00 +0000"), &a);
    received_parse(arena, span_text("from x\tby y  with ESMTP \t id 1; Tue, 24 Nov 2026 12:00:00 +0000"), &b);
    received_parse(arena, span_text("from x by y with ESMTP id 2; Tue, 24 Nov 2026 12:00:00 +0000"), &c);
    assert_true(a.hash == b.hash);
    assert_true(a.hash != c.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_hash)};
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
