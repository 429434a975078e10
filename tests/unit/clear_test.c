/* What may be kept of a connection: the dialogue and the header, none of the text, none of a password; and, when people are not to be
 * named, no local part, no name, no subject; however the bytes are cut.  Beside the real dissector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "smtpdissect/clear.h"

#define PARTS 40
#define BYTES 4096

/* A dialogue, part by part, each of one side.  What must not be kept stands between '{' and '}', which are not sent. */
struct part {
    char from; /* 'C' or 'S' */
    const char *text;
};

struct sent { /* both sides' bytes */
    uint8_t bytes[BYTES];
    bool hidden[BYTES], kept[BYTES];
    size_t n;
};

static struct dissector *dissector;
static bool nameless;

static void no_transaction(void *user, const struct transaction *t)
{
    (void)user;
    (void)t;
}

static void no_session(void *user, const struct session_record *s)
{
    (void)user;
    (void)s;
}

static int setup(void **state)
{
    (void)state;
    struct smtp_settings settings;
    struct setting_group group = {.list = smtp_settings_list, .count = smtp_settings_count, .values = &settings};
    static const struct smtp_sink sink = {.transaction = no_transaction, .session = no_session};
    config_defaults(&group, 1);
    dissector = dissector_new(&settings, &sink);
    return dissector ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    dissector_free(dissector);
    return 0;
}

static void push(struct smtp *s, uint8_t *memory, struct sent *sent, enum side from, const uint8_t *p, size_t n)
{
    struct span clear[64];
    uint32_t before = smtp_place(s);
    smtp_push(s, from, span_of(p, n), 1);
    size_t pieces = (nameless ? smtp_clear_nameless : smtp_clear)(memory, from, span_of(p, n), before, smtp_place(s), clear, 64);
    for (size_t i = 0; i < pieces; i++)
        memset(sent->kept + (clear[i].p - sent->bytes), 1, clear[i].n);
}

/* Plays the dialogue with its bytes cut at offsets `a` and `b`, or (a == 0) after each byte. */
static void play(const struct part *parts, struct sent *sent, size_t a, size_t b)
{
    const struct endpoint side[2] = {{address_v4((uint8_t[]){10, 0, 0, 1}), 40000}, {address_v4((uint8_t[]){10, 0, 0, 2}), 25}};
    struct smtp *s = smtp_open(dissector, 1, side, true, 0);
    uint8_t memory = 0;
    memset(sent, 0, sizeof *sent);
    for (; parts->text; parts++) {
        size_t begin = sent->n;
        bool hidden = false;
        for (const char *c = parts->text; *c; c++)
            if (*c == '{' || *c == '}') {
                hidden = *c == '{';
            } else {
                sent->hidden[sent->n] = hidden;
                sent->bytes[sent->n++] = (uint8_t)*c;
            }
        for (size_t at = begin; at < sent->n;) {
            size_t end = sent->n;
            if (a == 0)
                end = at + 1;
            else if (a > at && a < end)
                end = a;
            else if (b > at && b < end)
                end = b;
            push(s, &memory, sent, parts->from == 'S' ? SERVER : CLIENT, sent->bytes + at, end - at);
            at = end;
        }
    }
    smtp_end(s, 2);
}

static void assert_nothing_hidden(const struct sent *sent, size_t a, size_t b)
{
    for (size_t i = 0; i < sent->n; i++)
        if (sent->kept[i] && sent->hidden[i] && sent->bytes[i] != '\r' && sent->bytes[i] != '\n') /* where a line ends may be known */
            fail_msg("cut at %zu, %zu; kept: %.*s", a, b, (int)(sent->n - i > 30 ? 30 : sent->n - i), sent->bytes + i);
}

#define HELLO                                                                                                                              \
    {'S', "220 mx.test\r\n"}, {'C', "EHLO a.test\r\n"},                                                                                    \
    {                                                                                                                                      \
        'S', "250-mx\r\n250-CHUNKING\r\n250 AUTH PLAIN LOGIN\r\n"                                                                          \
    }
#define OK                                                                                                                                 \
    {                                                                                                                                      \
        'S', "250 ok\r\n"                                                                                                                  \
    }
#define MAIL {'C', "MAIL FROM:<a@b.test>\r\n"}, OK, {'C', "RCPT TO:<c@d.test>\r\n"}, OK
#define DATA                                                                                                                               \
    {'C', "DATA\r\n"},                                                                                                                     \
    {                                                                                                                                      \
        'S', "354 go on\r\n"                                                                                                               \
    }
#define END                                                                                                                                \
    {                                                                                                                                      \
        0, NULL                                                                                                                            \
    }

static const struct part SCRIPTS[][PARTS] = {
    {HELLO, MAIL, DATA, {'C', "Message-ID: <x@y>\r\nSubject: s\r\n\r\n{body of it\r\nQUIT\r\nMAIL FROM:<no@no>\r\n..\r\n}.\r\n"}, OK,
        {'C', "QUIT\r\n"}, END},
    {HELLO, {'C', "AUTH PLAIN {AGFsaWNlAHNlY3JldA==}\r\n"}, {'S', "235 ok\r\n"}, MAIL, DATA, {'C', "A: b\r\n\r\n{x\r\n}.\r\n"}, OK, MAIL,
        DATA, {'C', "C: d\r\n"}, {'C', "E: f\r\n\r\n{y\r\n}"}, {'C', "{z\r\n}"}, {'C', ".\r\n"}, OK, END},
    {HELLO, {'C', "AUTH LOGIN\r\n"}, {'S', "334 VXNlcm5hbWU6\r\n"}, {'C', "{YWxpY2U=}\r\n"}, {'S', "334 UGFzc3dvcmQ6\r\n"},
        {'C', "{c2VjcmV0cGFzcw==}\r\n"}, {'S', "235 ok\r\n"}, MAIL, {'C', "QUIT\r\n"}, END},
    {HELLO, {'C', "AUTH FOO\r\n"}, {'S', "334 \r\n"}, {'C', "{NOOP my password}\r\n"}, {'S', "334 \r\n"}, {'C', "{QUIT}\r\n"},
        {'S', "235 ok\r\n"}, MAIL, END},
    {HELLO, MAIL, {'C', "BDAT 66 LAST\r\nMessage-ID: <x@y.z>\r\n\r\n{body\r\n.\r\nQUIT\r\nMAIL FROM:<n@n>\r\nno line end}RSET\r\n"}, OK, OK,
        MAIL, END},
    {HELLO, MAIL, {'C', "BDAT 14\r\nA: b\r\n\r\n{body\r\n}"}, OK, {'C', "BDAT 19\r\n{more:\r\n\r\nof: it now}"}, OK,
        {'C', "BDAT 0 LAST\r\n"}, OK, MAIL, {'C', "BDAT 6 LAST\r\nC: d\r\n"}, OK, {'C', "QUIT\r\n"}, END},
    {HELLO, MAIL, DATA, {'C', "Only: header\r\n.\r\n"}, OK, {'C', "QUIT\r\n"}, END},
    {{'C', "{text of a mail begun before we looked\r\nwith a MAIL in it\r\nA: b\r\n}"}, {'C', "{more\r\n}"}, {'C', "{.\r\n}"}, OK, MAIL,
        DATA, {'C', "A: b\r\n\r\n{z\r\n}.\r\n"}, OK, END},
    {HELLO, {'C', "STARTTLS\r\n"}, {'S', "220 go\r\n"}, {'C', "{\x16\x03\x01 EHLO x\r\nMAIL FROM:<a@b>\r\n}"}, END},
};
#define SCRIPT_COUNT (sizeof SCRIPTS / sizeof *SCRIPTS)

static const struct part NAMELESS[][PARTS] = {
    {HELLO, {'C', "MAIL FROM:<{alice}@b.test> SIZE=100 AUTH={alice@b.test} BODY=8BITMIME\r\n"}, {'S', "250 2.1.0 Ok\r\n"},
        {'C', "RCPT TO:<{\"c > d@e\"}@d.test> NOTIFY=FAILURE ORCPT={rfc822;carol@d.test}\r\n"},
        {'S', "250 2.1.5 {<carol@d.test>... Recipient ok}\r\n"}, {'C', "RCPT TO: {root}\r\nRCPT TO:<{postmaster}>\r\n"},
        {'S', "550 5.1.1 {root: no such user}\r\n250 ok\r\n"}, {'C', "RCPT TO:<{@x.test,@y.test:z}@d.test>\r\n"}, OK, DATA,
        {'C', "Received: from a.test (a.test [192.0.2.1])\r\n\t{(Authenticated sender: alice)}\r\n"
              "\tby b.test (Postfix) with ESMTPSA id 4ABC\r\n\tfor <{carol}@d.test>; Tue, 24 Nov 2026 03:26:47 +0000\r\n"
              "From: {\"Smith, Alice @ Home\"} <{alice}@b.test>\r\n"
              "To: {Carol D.} <{carol}@d.test>, {bob}@e.test{ (Bob @ work)}, <{x}@f.test>\r\n"
              "Subject: {The merger\r\n}\t{goes on}\r\nMessage-ID: <1.2@b.test>\r\nX-Secret: {alice}\r\nMIME-Version: 1.0\r\n\r\n"
              "{body\r\n}.\r\n"},
        {'S', "250 2.0.0 Ok: queued as 4ABC\r\n"}, {'C', "VRFY{ alice}\r\n"}, {'S', "252 {Alice Smith <alice@b.test>}\r\n"},
        {'C', "QUIT\r\n"}, {'S', "221 2.0.0 Bye\r\n"}, END},
    {HELLO, {'C', "AUTH LOGIN\r\n"}, {'S', "334 {VXNlcm5hbWU6}\r\n"}, {'C', "{YWxpY2U=}\r\n"}, {'S', "334 {UGFzc3dvcmQ6}\r\n"},
        {'C', "{c2VjcmV0cGFzcw==}\r\n"}, {'S', "235 2.7.0 ok\r\n"}, {'C', "MAIL FROM:<>\r\n"}, OK, {'C', "QUIT\r\n"}, END},
    {HELLO, {'C', "MAIL FROM:{alice}@b.test\r\nRCPT TO:<{bob}@d.test>\r\n"}, OK, OK,
        {'C', "BDAT 36 LAST\r\nSubject: {merger}\r\nTo: <{bob}@d.t>\r\n\r\n{bo}"}, OK, {'C', "RSET\r\n"},
        {'S', "{garbage of alice}\r\n"}, END},
    {HELLO, {'C', "MAIL FROM:<{alice}@[192.0.2.9]>\r\nRCPT TO:<{bob}@d.test>\r\n"}, OK, OK, DATA,
        {'C', "Cc: {bob}@e.test\r\n.\r\n"}, OK, END},
};
#define NAMELESS_COUNT (sizeof NAMELESS / sizeof *NAMELESS)

static void check_all_else(const struct part scripts[][PARTS], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sent sent;
        play(scripts[i], &sent, SIZE_MAX, SIZE_MAX);
        assert_nothing_hidden(&sent, 0, 0);
        for (size_t k = 0; k < sent.n; k++)
            if (!sent.kept[k] && !sent.hidden[k])
                fail_msg("script %zu: not kept: %.30s", i, (const char *)sent.bytes + k);
    }
}

static void check_cuts(const struct part scripts[][PARTS], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sent sent;
        play(scripts[i], &sent, 0, 0);
        assert_nothing_hidden(&sent, 0, 0);
        for (size_t a = 1; a < sent.n; a++)
            for (size_t b = a; b < sent.n; b += 1 + (b - a) / 8) {
                play(scripts[i], &sent, a, b);
                assert_nothing_hidden(&sent, a, b);
            }
    }
}

static void all_else_is_kept(void **state)
{
    (void)state;
    check_all_else(SCRIPTS, SCRIPT_COUNT);
}

static void however_it_is_cut(void **state)
{
    (void)state;
    check_cuts(SCRIPTS, SCRIPT_COUNT);
}

static void nobody_is_named(void **state)
{
    (void)state;
    nameless = true;
    check_all_else(NAMELESS, NAMELESS_COUNT);
    check_cuts(NAMELESS, NAMELESS_COUNT);
    check_cuts(SCRIPTS, SCRIPT_COUNT);
    nameless = false;
}

/* Content that comes before the server's go-ahead, and a refused DATA. */
static void content_too_early_is_not_kept(void **state)
{
    (void)state;
    static const struct part early[] = {
        HELLO, MAIL, {'C', "DATA\r\n{A: b\r\n\r\nbody\r\n.\r\n}"}, {'S', "354 go on\r\n250 ok\r\n"}, MAIL, END};
    static const struct part refused[] = {
        HELLO, MAIL, {'C', "DATA\r\n"}, {'S', "554 no\r\n"}, {'C', "AUTH PLAIN {c2VjcmV0}\r\n"}, {'S', "535 no\r\n"}, MAIL, END};
    struct sent sent;
    for (size_t a = 1; a < 140; a++) {
        play(early, &sent, a, a);
        assert_nothing_hidden(&sent, a, a);
        play(refused, &sent, a, a);
        assert_nothing_hidden(&sent, a, a);
    }
}

static void after_a_gap_nothing_until_a_command(void **state)
{
    (void)state;
    uint8_t memory = 0;
    struct span clear[8];
    const char *hello = "EHLO a.test\r\nNOOP", *body = "text of the mail\r\nQUIT\r\nwith: lines\r\n", *mail = "MAIL FROM:<a@b.test>\r\n";
    assert_int_equal(smtp_clear(&memory, CLIENT, span_text(hello), 0, 0, clear, 8), 1);
    assert_int_equal(smtp_clear(&memory, CLIENT, (struct span){NULL, 500}, 0, 0, clear, 8), 0);
    size_t n = smtp_clear(&memory, CLIENT, span_text(body), 0, 0, clear, 8);
    for (size_t i = 0; i < n; i++)
        assert_true(clear[i].n <= 2); /* ends of lines */
    n = smtp_clear(&memory, CLIENT, span_text(mail), 0, 0, clear, 8);
    assert_int_equal(n, 1);
    assert_int_equal(clear[0].n, strlen(mail));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_else_is_kept), cmocka_unit_test(however_it_is_cut),
        cmocka_unit_test(nobody_is_named), cmocka_unit_test(content_too_early_is_not_kept),
        cmocka_unit_test(after_a_gap_nothing_until_a_command)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
