/* unread: what crosses to another thread as one piece of memory, and is read there, says what it says when it is read at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dialogue.h"
#include "smtpdissect/unread.h"

static struct dialogue d;
static struct outcome at_once, elsewhere;
static struct arena *arena;

static void add_header(struct outcome *o, const struct header *h)
{
    outcome_add(o, " from=%.*s root=%.*s subject=%.*s complete=%d bytes=%llu", DIALOGUE_SPAN(h->from), DIALOGUE_SPAN(h->references_root),
        DIALOGUE_SPAN(h->subject), h->complete, (unsigned long long)h->bytes);
    for (size_t i = 0; i < h->audience_count; i++)
        outcome_add(o, " to=%llx", (unsigned long long)h->audience[i].address);
    for (size_t i = 0; i < h->hop_count; i++)
        outcome_add(o, " by=%.*s:%.*s:%llx", DIALOGUE_SPAN(h->hops[i].by), DIALOGUE_SPAN(h->hops[i].id),
            (unsigned long long)h->hops[i].hash);
}

static void add_transaction(void *user, const struct transaction *t)
{
    struct outcome *o = user;
    outcome_transaction(o, t);
    outcome_add(o, "%u %.*s %.*s dropped=%zu bytes=%llu body=%llx", t->ordinal, DIALOGUE_SPAN(t->helo), DIALOGUE_SPAN(t->greeting),
        t->recipients_dropped, (unsigned long long)t->bytes, (unsigned long long)t->body_fingerprint);
    add_header(o, &t->header);
    outcome_add(o, " report=%d %.*s", t->report.present, DIALOGUE_SPAN(t->report.reporting_host));
    for (size_t i = 0; i < t->report.final_recipient_count; i++)
        outcome_add(o, " %.*s:%llx", DIALOGUE_SPAN(t->report.final_recipient[i]),
            (unsigned long long)t->report.final_recipient_hash[i]);
    add_header(o, &t->report.quoted);
    outcome_add(o, "\n");
}

/* In memory that is just large enough, read when the dissector's own is gone. */
static void cross(void *user, const struct unread *u)
{
    void *to = malloc(unread_flat_most(u));
    assert_non_null(to);
    size_t n = unread_flatten(u, to);
    free(to);
    void *flat = malloc(n);
    assert_non_null(flat);
    assert_int_equal(unread_flatten(u, flat), n);
    struct transaction t = {.report.present = false};
    unread_read(flat, arena, &t);
    add_transaction(user, &t);
    arena_reset(arena);
    free(flat);
}

static void ignore_session(void *user, const struct session_record *s)
{
    (void)user;
    (void)s;
}

static void check(const char *text, const char *least)
{
    static struct smtp_settings settings;
    const struct setting_group group = {.list = smtp_settings_list, .count = smtp_settings_count, .values = &settings};
    const struct smtp_sink sinks[2] = {{.transaction = add_transaction, .session = ignore_session, .user = &at_once},
        {.unread = cross, .session = ignore_session, .user = &elsewhere}};
    config_defaults(&group, 1);
    arena = arena_new(unread_arena(&settings));
    assert_non_null(arena);
    dialogue_read(&d, text);
    for (int i = 0; i < 2; i++) {
        struct dissector *dissector = dissector_new(&settings, &sinks[i]);
        assert_non_null(dissector);
        dialogue_tell(&d, dissector, &(struct telling){CUT_NOT, 0, 0, 0, false, false}, i ? &elsewhere : &at_once);
        dissector_free(dissector);
    }
    arena_free(arena);
    assert_string_equal(at_once.text, elsewhere.text);
    if (!strstr(at_once.text, least))
        fail_msg("expected \"%s\" in: %s", least, at_once.text);
}

#define OPEN "S: 220 mx.test ESMTP\nC: EHLO client.test\nS: 250 mx.test\n"
#define RCPT "C: RCPT TO:<b@test>\nS: 250 ok\n"
#define DATA "C: DATA\nS: 354 go\n"
#define FROM "C: MAIL FROM:<a@test>\nS: 250 ok\n"
#define NULL_FROM "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a@test>\nS: 250 ok\n"
#define HEADER                                                                                                                             \
    "C: Received: from a.test (a.test [192.0.2.7])\nC: \tby b.test (Postfix) with ESMTP id 4711\n"                                         \
    "C: \tfor <b@test>; Tue, 24 Nov 2026 12:00:00 +0100\nC: From: A <a@test>\nC: To: b@test, C\nC:  <c@test>\nC: Subject: one\n"           \
    "C:  two\nC: Message-ID: <1@test>\nC: References: <0@test> <2@test>\n"

static void test_messages(void **state)
{
    (void)state;
    check(OPEN FROM RCPT "C: RCPT TO:<\"c\"@test>\nS: 550 no\n" DATA HEADER
               "C:\nC: a text of some length, which is enough for a fingerprint of its letters to be made of it\nC: .\nS: 250 ok\n"
               "C: MAIL FROM:<>\nS: 250 ok\nC: QUIT\nS: 221 bye\n",
        "by=b.test:4711");
    check(OPEN FROM RCPT DATA "C: Subject: no end of it\nC: .\nS: 250 ok\n", "complete=0");
    check(OPEN FROM RCPT DATA HEADER "lose C 200\nC: the rest\nC: .\nS: 250 ok\n", "message 250 id=1@test b@test:250 gap=200");
    check("S: 220 mx.test LMTP\nC: LHLO client.test\nS: 250 mx.test\n" FROM RCPT "C: RCPT TO:<c@test>\nS: 250 ok\n" DATA HEADER
          "C:\nC: .\nS: 452 full\nS: 250 ok\n",
        "b@test:250/452 c@test:250/250 lmtp");
}

static void test_bounce(void **state)
{
    (void)state;
    check(OPEN NULL_FROM DATA "C: From: MAILER-DAEMON@mx.test\nC: Message-ID: <9@mx.test>\n"
                              "C: Content-Type: multipart/report; report-type=delivery-status; boundary=x\nC:\nC: --x\n"
                              "C: Content-Type: message/delivery-status\nC:\nC: Reporting-MTA: dns; mx.test\nC:\n"
                              "C: Final-Recipient: rfc822; b@test\nC: Action: failed\nC:\nC: --x\n"
                              "C: Content-Type: message/rfc822\nC:\n" HEADER "C:\nC: --x--\nC: .\nS: 250 ok\n",
        "report=1 mx.test b@test:");
    check(OPEN NULL_FROM DATA HEADER "C:\nC: I am away.\nC: .\nS: 250 ok\n", "report=0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_bounce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
