/* What is read in content past the header: its end in every form and cut, the fingerprint of its text, and bounces as Postfix, Exim, qmail,
 * sendmail and Exchange write them; and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "smtpdissect/session.h"
#include "tests/unit/arena.h"

#define QUOTED                                                                                                                             \
    "Return-Path: <alice@bank.test>\r\n"                                                                                                   \
    "Received: from connector.test (connector.test [192.0.2.30]) by mx.example with ESMTP id 2; Tue, 24 Nov 2026 12:00:01 +0000\r\n"       \
    "Received: from pop.isp.test [192.0.2.20] by connector.test with POP3 (fetchmail-6.4.37);\r\n Tue, 24 Nov 2026 12:00:00 +0000\r\n"     \
    "Message-ID: <quoted@bank.test>\r\nTo: a@x.example,\r\n b@y.example\r\nSubject: To all\r\n\r\nMessage-ID: <body@x>\r\n"
#define TYPED "From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b\"\r\n"
#define STATUS(action)                                                                                                                     \
    "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; gone@x.example\r\nAction: " action "\r\nStatus: 5.1.1\r\n\r\n"

static const struct {
    const char *name, *header, *body;
    bool present;
    const char *host, *failed[3], *quoted;
} forms[] = {
    {"Postfix", TYPED,
        "This is a MIME-encapsulated message.\r\n\r\n--b\r\nContent-Description: Notification\r\n\r\nThis is the mail system at host "
        "mx.example.\r\n\r\n"
        "<gone@x.example>: no such user\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" STATUS(
            "failed") "--b\r\n"
                      "Content-Description: Undelivered Message\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: "
                      "8bit\r\n\r\n" QUOTED "--b--\r\n",
        true, "mx.example", {"gone@x.example"}, "quoted@bank.test"},
    {"headers only", TYPED,
        "--b\r\n\r\ntext\r\n--b\r\ncontent-type:message/delivery-status\r\n\r\n" STATUS(
            "failed") "--b\r\nContent-Type: text/rfc822-headers; charset=x\r\n\r\n" QUOTED,
        true, "mx.example", {"gone@x.example"}, "quoted@bank.test"},
    {"two failed, one delayed, one relayed", TYPED,
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;mx.example\r\n\r\nFinal-Recipient: "
        "RFC822;one@x.example\r\nAction: failed\r\n\r\n"
        "Original-Recipient: rfc822;alias@x.example\r\nFinal-Recipient: rfc822;<two@x.example>\r\nAction: failed (bad)\r\n\r\n"
        "Final-Recipient: rfc822;slow@x.example\r\nAction: delayed\r\n\r\nFinal-Recipient: rfc822;good@x.example\r\nAction: "
        "relayed\r\n\r\n--b--\r\n",
        true, "mx.example", {"one@x.example", "two@x.example"}, ""},
    {"a delay", TYPED,
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n" STATUS("delayed") "--b\r\nContent-Type: message/rfc822\r\n\r\n" QUOTED,
        false, "", {NULL}, ""},
    {"a receipt", TYPED, "--b\r\nContent-Type: message/delivery-status\r\n\r\n" STATUS("delivered"), false, "", {NULL}, ""},
    {"Exim", "From: Mail Delivery System <Mailer-Daemon@mx.example>\r\n",
        "This message was created automatically by mail delivery software.\r\n\r\nA message that you sent could not be delivered to one or "
        "more of its\r\n"
        "recipients. This is a permanent error. The following address(es) failed:\r\n\r\n  gone@x.example\r\n    SMTP error from remote "
        "mail server after RCPT "
        "TO:<gone@x.example>:\r\n    host mx.x.example [192.0.2.9]: 550 no\r\n  other@x.example (generated from alias@x.example)\r\n    no "
        "such user\r\n\r\n"
        "------ This is a copy of the message, including all the headers. ------\r\n\r\n" QUOTED,
        true, "", {"gone@x.example", "other@x.example"}, "quoted@bank.test"},
    {"Exim, a delay", "From: Mail Delivery System <Mailer-Daemon@mx.example>\r\n",
        "This message was created automatically by mail delivery software.\r\nA message that you sent has not yet been delivered to one or "
        "more of its\r\n"
        "recipients after more than 24 hours on the queue on mx.example.\r\n\r\n  slow@x.example\r\n",
        false, "", {NULL}, ""},
    {"qmail", "From: MAILER-DAEMON@mx.example\r\n",
        "Hi. This is the qmail-send program at mx.example.\r\nI'm afraid I wasn't able to deliver your message to the following "
        "addresses.\r\n\r\n"
        "<gone@x.example>:\r\n192.0.2.9 does not like recipient.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n" QUOTED,
        true, "mx.example", {"gone@x.example"}, "quoted@bank.test"},
    {"sendmail of old", "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>\r\n",
        "The original message was received at Tue, 24 Nov 2026\r\n\r\n   ----- The following addresses had permanent fatal errors "
        "-----\r\n<gone@x.example>\r\n\r\n"
        "   ----- Transcript of session follows -----\r\n550 no\r\n\r\n   ----- Original message follows -----\r\n\r\n" QUOTED,
        true, "", {"gone@x.example"}, "quoted@bank.test"},
    {"a holiday note", "From: bob@x.example\r\nAuto-Submitted: auto-replied\r\n",
        "I am away.\r\n\r\nMail carol@x.example\r\n> Message-ID: <quoted@x>\r\n", false, "", {NULL}, ""},
    {"nothing", "", "", false, "", {NULL}, ""},
    {"cut short", TYPED, "--b\r\nContent-Type: message/rfc822", false, "", {NULL}, ""},
};

static void same(const char *name, const char *what, struct span got, const char *expected)
{
    if (!span_equal(got, span_text(expected)))
        fail_msg("%s, %s: expected '%s', got '%.*s'", name, what, expected, (int)got.n, got.n ? (const char *)got.p : "");
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *name = forms[i].name;
        struct header top;
        struct report r;
        arena_reset(arena);
        header_parse(arena, span_text(forms[i].header), true, &top);
        report_parse(arena, span_text(forms[i].body), &top, &r);
        if (r.present != forms[i].present)
            fail_msg("%s: present %d", name, r.present);
        same(name, "host", r.reporting_host, forms[i].host);
        size_t n = 0;
        for (; n < 3 && forms[i].failed[n]; n++) {
            if (n >= r.final_recipient_count)
                fail_msg("%s: %s is not among the failed", name, forms[i].failed[n]);
            same(name, "failed", r.final_recipient[n], forms[i].failed[n]);
            assert_true(r.final_recipient_hash[n] == hash_nocase(span_text(forms[i].failed[n])));
        }
        if (r.final_recipient_count != n)
            fail_msg("%s: expected %zu failed, got %zu", name, n, r.final_recipient_count);
        same(name, "id", r.quoted.message_id, forms[i].quoted);
        if (forms[i].quoted[0]) {
            assert_int_equal(r.quoted.hop_count, 2);
            same(name, "hop", r.quoted.hops[0].with_note, "fetchmail-6.4.37");
            assert_int_equal(r.quoted.audience_count, 2);
        }
    }
}

/* The same text, re-coded, re-folded, in other boundaries, is the same; another is another; a few words are none. */
static void test_fingerprint(void **state)
{
    (void)state;
    static const char plain[] = "Dear colleagues,\r\nthe caf\xc3\xa9 is closed on Monday, as every year in November.\r\nKind regards\r\n";
    static const char quoted[] =
        "DEAR COLLEAGUES,\r\nthe caf=C3=A9 is closed on=20\r\nMonday, as every year=\r\n in November.\r\nKind regards\r\n";
    static const char part[] = "--x1\r\nContent-Type: text/plain\r\n\r\nDear colleagues, the caf\xc3\xa9 is closed on Monday, as "
                               "every\r\nyear in November.\r\nKind "
                               "regards\r\n";
    static const char other[] = "Dear colleagues,\r\nthe caf\xc3\xa9 is open on Monday, as every year in November.\r\nKind regards\r\n";
    uint64_t f = fingerprint_of(span_text(plain));
    assert_true(f != 0);
    assert_true(f == fingerprint_of(span_text(quoted)));
    assert_true(f == fingerprint_of(span_text(part)));
    assert_true(f != fingerprint_of(span_text(other)));
    assert_true(fingerprint_of(span_text("Yes.\r\n")) == 0);
    assert_true(fingerprint_of(span_text("")) == 0);
}

/* The end of data: every cut finds it at the same byte. */
static void test_end_of_data(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum content_end end;
        size_t at;
    } data[] = {
        {".\r\nQUIT", CONTENT_END, 3},
        {"a\r\n.\r\n", CONTENT_END, 6},
        {"a\r\n..\r\nb\r\n.\r\nx", CONTENT_END, 13},
        {"a\n.\n", CONTENT_CANDIDATE, 4},
        {"a\r\n.\nb", CONTENT_CANDIDATE, 5},
        {"a\n.\r\n", CONTENT_CANDIDATE, 5},
        {"a.\r\n.b\r\n", CONTENT_GOES_ON, 8},
        {"a\r.\r\n.\r\n", CONTENT_END, 8},
        {"a\r\n.\r.\r\n", CONTENT_GOES_ON, 8},
        {"\n\n\n..\n.x\n", CONTENT_GOES_ON, 9},
        {"0123456789abcdef0123456789abcdef\r\n0123456789abcdef0123456789abcde\r\n.\r\n", CONTENT_END, 70},
    };
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        size_t n = strlen(data[i].text);
        for (size_t cut = 0; cut <= n; cut++) {
            uint8_t scan = SCAN_LINE_START;
            enum content_end end = CONTENT_GOES_ON;
            size_t at = cut ? content_scan(&scan, span_of(data[i].text, cut), &end) : 0;
            if (end == CONTENT_GOES_ON && cut < n)
                at += content_scan(&scan, span_of(data[i].text + cut, n - cut), &end);
            if (end != data[i].end || at != data[i].at)
                fail_msg("%zu cut at %zu: end %d at %zu", i, cut, (int)end, at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_end_of_data),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
