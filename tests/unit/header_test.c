/* Message headers: which occurrence counts, folding, addresses in all their forms, marks, size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "smtpdissect/session.h"
#include "tests/unit/arena.h"

static struct header parse(const char *text)
{
    struct header h;
    arena_reset(arena);
    header_parse(arena, span_text(text), true, &h);
    return h;
}

static void assert_span(struct span s, const char *expected)
{
    char text[512];
    assert_string_equal(span_copy(s, text, sizeof text), expected);
}

static uint64_t hash(const char *address)
{
    return hash_nocase(span_text(address));
}

static void test_fields(void **state)
{
    (void)state;
    struct header h =
        parse("Return-Path: <x@y>\r\nMESSAGE-ID: <Id.1@Example.ORG>\r\nMessage-Id: <second@x>\r\nFrom: \"Smith, \\\"J\\\"\" "
              "<J.Smith@Example.org>\r\n"
              "Subject: =?utf-8?B?w6k=?=\r\n\tand more\r\nDate: Tue, 24 Nov 2026 12:00:00 +0100 (CET)\r\nSender: s@x\r\n"
              "In-Reply-To: Your message of \"Mon\" <reply@x>\r\nReferences: <root@x>\r\n <mid@x>\r\nAuto-Submitted: "
              "auto-replied\r\nPrecedence: bulk\r\n"
              "List-Id: The list <list.example.org>\r\nX-BeenThere: list@example.org\r\nX-Loop: loop@x\r\nX-Mailer: Mailer 1\r\n"
              "Content-Type: text/plain;\r\n charset=utf-8\r\n\r\n");
    assert_span(h.message_id, "Id.1@Example.ORG");
    assert_span(h.from, "\"Smith, \\\"J\\\"\" <J.Smith@Example.org>");
    assert_span(h.from_address, "J.Smith@Example.org");
    assert_true(h.from_hash == hash("j.smith@example.org"));
    assert_span(h.subject, "=?utf-8?B?w6k=?=\tand more");
    assert_true(h.date == INT64_C(1795518000) * NS_PER_SECOND);
    assert_span(h.sender, "s@x");
    assert_span(h.in_reply_to, "reply@x");
    assert_span(h.references_root, "root@x");
    assert_span(h.auto_submitted, "auto-replied");
    assert_span(h.precedence, "bulk");
    assert_span(h.list_id, "The list <list.example.org>");
    assert_span(h.x_been_there, "list@example.org");
    assert_span(h.x_loop, "loop@x");
    assert_span(h.mailer, "Mailer 1");
    assert_span(h.content_type, "text/plain; charset=utf-8");
}

/* What is kept of a header while its mail is under way says what the header said. */
static void test_packed(void **state)
{
    (void)state;
    static const char text[] =
        "Received: from a (a [192.0.2.1])\r\n\tby b with ESMTP id 1;\r\n\tTue, 24 Nov 2026 12:00:00 +0100\r\nX-Unknown: x\r\n"
        "To:a@x\nCc: b@y,\r\n c@z\r\nSubject:\r\nDKIM-Signature: v=1;\r\n b=abc\r\nno field\r\nMessage-ID: <id@x>\r\nX-Loop: one@x\r\n"
        "X-Loop: two@x\r\n\r\n";
    uint8_t packed[sizeof text];
    size_t n = header_pack(span_of(text, sizeof text - 1), packed);
    assert_in_range(n, 1, sizeof text - 1);
    struct header h, whole = parse(text);
    header_unpack(arena, span_of(packed, n), sizeof text - 1, true, &h);
    assert_span(h.message_id, "id@x");
    assert_span(h.x_loop, "one@x\ntwo@x");
    assert_true(span_equal(h.x_loop, whole.x_loop));
    assert_int_equal(h.bytes, whole.bytes);
    assert_true(h.complete);
    assert_int_equal(h.subject.n, 0);
    assert_int_equal(h.audience_count, 3);
    assert_memory_equal(h.audience, whole.audience, 3 * sizeof *h.audience);
    assert_int_equal(h.hop_count, 1);
    assert_span(h.hops[0].by, "b");
    assert_true(h.hops[0].hash == whole.hops[0].hash && h.hops[0].date == whole.hops[0].date);
    assert_int_equal(header_pack(span_text("\r\n"), packed), 0);
}

static void test_odd_fields(void **state)
{
    (void)state;
    struct header h =
        parse("Message-ID:\n <folded@x>\nIn-Reply-To: just words\nSubject:\nFrom : spaced@x\nno field at all\n:\n: x\nTo:a@x\n");
    assert_span(h.message_id, "folded@x");
    assert_int_equal(h.in_reply_to.n, 0);
    assert_int_equal(h.subject.n, 0);
    assert_span(h.from_address, "spaced@x");
    assert_int_equal(h.audience_count, 1);
    h = parse("Message-ID: systemmessage\r\nIn-Reply-To: <only@x>\r\n");
    assert_span(h.message_id, "systemmessage");
    assert_span(h.references_root, "only@x");
    h = parse("Message-ID: <never closed@x\r\n");
    assert_true(h.message_id.n > 0);
    h = parse("");
    assert_int_equal(h.message_id.n, 0);
    assert_true(h.date == TIME_UNKNOWN);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *addresses[6];
    } lists[] = {
        {"a@x.example", {"a@x.example"}},
        {"a@x.example,b@y.example", {"a@x.example", "b@y.example"}},
        {" A <a@X.example> , \r\n \"B, C\" <b@y.example>", {"a@x.example", "b@y.example"}},
        {"(a comment, with (a comma)) a@x.example (Name)", {"a@x.example"}},
        {"Team: a@x.example, B <b@y.example>; c@z.example", {"a@x.example", "b@y.example", "c@z.example"}},
        {"undisclosed-recipients:;", {NULL}},
        {"\"quoted, local\"@x.example, b@y.example", {"quoted, local@x.example", "b@y.example"}},
        {"<@relay.example,@hub.example:a@x.example>, b@y.example", {"a@x.example", "b@y.example"}},
        {"=?iso-8859-1?Q?J=FCrgen?= <a@x.example>", {"a@x.example"}},
        {"never closed <a@x.example, b@y.example", {"a@x.example", "b@y.example"}},
        {", ,, a@x.example,,", {"a@x.example"}},
        {"<>", {NULL}},
        {"", {NULL}},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char text[300];
        snprintf(text, sizeof text, "To: %s\r\n", lists[i].field);
        struct header h = parse(text);
        size_t n = 0;
        for (; lists[i].addresses[n]; n++) {
            if (n >= h.audience_count || h.audience[n].address != hash(lists[i].addresses[n]))
                fail_msg("%s: address %zu is not %s", lists[i].field, n, lists[i].addresses[n]);
            assert_true(h.audience[n].domain == hash(strrchr(lists[i].addresses[n], '@') + 1));
        }
        if (h.audience_count != n)
            fail_msg("%s: expected %zu addresses, got %zu", lists[i].field, n, h.audience_count);
    }
    assert_int_equal(parse("To: a@x\r\nCc: b@x, c@x\r\nTo: d@x\r\nBcc: e@x\r\n").audience_count, 4);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"<a@x> SIZE=10", "a@x"},
        {" <a@x>", "a@x"},
        {"a@x SIZE=1", "a@x"},
        {"<>", ""},
        {"<@r,@s:a@x>", "a@x"},
        {"<\"a> b\"@x>", "\"a> b\"@x"},
        {"<a@[IPv6:::1]>", "a@[IPv6:::1]"},
        {"<postmaster>", "postmaster"},
        {"", ""},
        {"<a@x", "a@x"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_span(address_of_path(span_text(paths[i][0])), paths[i][1]);
    assert_true(address_hash(span_text("\"bob\"@X.example")) == hash("bob@x.example"));
    assert_true(address_hash(span_text("\"b\\\"ob\"@x.example")) == hash("b\"ob@x.example"));
}

static void test_marks(void **state)
{
    (void)state;
    assert_int_equal(parse("To: mspop3connector.bob@x.example\r\n").marks, MARK_MSPOP3CONNECTOR);
    assert_int_equal(parse("To: \"IMB Recipient 1\" <bob@x.example>\r\n").marks, MARK_IMB_RECIPIENT);
    assert_int_equal(parse("X-Mailer: Microsoft CDO for Exchange 2000\r\n").marks, MARK_CDO_EXCHANGE_2000);
    assert_int_equal(parse("To: unlisted-recipients:; (no To-header on input)\r\n").marks, MARK_UNLISTED_RECIPIENTS);
    assert_int_equal(parse("To: bob@x.example\r\nSubject: mspop3connector.\r\n").marks, 0);
}

static void test_chain(void **state)
{
    (void)state;
    struct header h =
        parse("Received: by third.example with LMTP id 3; Tue, 24 Nov 2026 12:00:02 +0000\r\nDelivered-To: late@x\r\nReceived: from "
              "first.example\r\n"
              "\tby second.example id 2; Tue, 24 Nov 2026 12:00:01 +0000\r\nDelivered-To: early@x\r\nReceived: by first.example id 1\r\n");
    assert_int_equal(h.hop_count, 3);
    assert_span(h.hops[0].by, "first.example");
    assert_span(h.hops[1].by, "second.example");
    assert_span(h.hops[2].by, "third.example");
    assert_int_equal(h.delivered_to_count, 2);
    assert_true(h.delivered_to[0] == hash("early@x") && h.delivered_to[1] == hash("late@x"));
}

/* 20,000 addresses in one field of a mebibyte. */
static void test_size(void **state)
{
    (void)state;
    size_t n = 0, room = 2 << 20;
    char *text = malloc(room);
    assert_non_null(text);
    n += (size_t)sprintf(text, "To: ");
    for (int i = 0; i < 20000; i++)
        n += (size_t)sprintf(text + n, "Somebody With A Long Name <person%05d@long-domain.example>%s", i, i == 19999 ? "\r\n" : ",\r\n ");
    sprintf(text + n, "Message-ID: <last@x>\r\n");
    struct header h = parse(text);
    assert_int_equal(h.audience_count, 20000);
    assert_true(h.audience[19999].address == hash("person19999@long-domain.example"));
    assert_span(h.message_id, "last@x");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_odd_fields),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_size),
    };
    hash_seed(1);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
