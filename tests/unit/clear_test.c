/* What may be kept of a client's bytes: all of the dialogue, none of the content, none of a password; however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "smtpdissect/clear.h"

/* A dialogue with the places where the dissector's mark changes written as '[' (content begins) and ']' (it ended); what must not be
 * kept stands between '{' and '}'.  These four are taken out before the bytes are used. */
struct script {
    uint8_t bytes[2048];
    bool hidden[2048];
    uint32_t mark[2049]; /* after so many bytes */
    size_t n;
};

static struct script script(const char *text)
{
    struct script s = {.n = 0};
    bool hidden = false;
    for (; *text; text++)
        if (*text == '[' || *text == ']') {
            s.mark[s.n]++;
        } else if (*text == '{' || *text == '}') {
            hidden = *text == '{';
        } else {
            s.hidden[s.n] = hidden;
            s.bytes[s.n++] = (uint8_t)*text;
            s.mark[s.n] = s.mark[s.n - 1];
        }
    return s;
}

/* Feeds the script cut at the given places; marks in kept[] what was clear. */
static void feed(const struct script *s, const size_t *cuts, size_t count, bool *kept)
{
    uint8_t state = 0;
    size_t at = 0;
    memset(kept, 0, 2048);
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : s->n;
        struct span clear[64];
        if (end <= at)
            continue;
        size_t n = smtp_clear(&state, CLIENT, span_of(s->bytes + at, end - at), at ? s->mark[at] : 0, s->mark[end], clear, 64);
        for (size_t k = 0; k < n; k++)
            memset(kept + (clear[k].p - s->bytes), 1, clear[k].n);
        at = end;
    }
}

static void assert_nothing_hidden_kept(const struct script *s, const bool *kept)
{
    for (size_t i = 0; i < s->n; i++)
        if (kept[i] && s->hidden[i] && s->bytes[i] != '\r' && s->bytes[i] != '\n') /* where a line ends may be known */
            fail_msg("kept: %.*s", (int)(s->n - i > 30 ? 30 : s->n - i), s->bytes + i);
}

static const char *const SCRIPTS[] = {
    "EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nMessage-ID: <x@y>\r\nSubject: s\r\n\r\n[{body of "
    "it\r\nQUIT\r\nMAIL FROM:<no@no>\r\n..\r\n}.\r\n]QUIT\r\n",
    "EHLO a.test\r\nAUTH PLAIN {AGFsaWNlAHNlY3JldA==}\r\nMAIL FROM:<a@b.test>\r\nDATA\r\nA: b\r\n\r\n[{x\r\n}.\r\n]MAIL "
    "FROM:<a@b.test>\r\nDATA\r\nC: d\r\n\r\n[{y\r\n}.\r\n]",
    "EHLO a.test\r\nAUTH LOGIN\r\n{YWxpY2U=}\r\n{c2VjcmV0cGFzcw==}\r\nMAIL FROM:<a@b.test>\r\nRCPT "
    "TO:<averylongname@and.its.domain.test>\r\nQUIT\r\n",
    "EHLO a.test\r\nAUTH XOAUTH2 {dXNlcj1zb21lb25lQGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyIHlhMjkudkY5ZGZ0NAEB}\r\n*\r\nQUIT\r\n",
    "{text of a mail begun before we looked\r\nwith a MAIL in it\r\n}MAIL FROM:<a@b.test>\r\nDATA\r\nA: b\r\n\r\n[{z\r\n}.\r\n]",
};

static void whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++) {
        struct script s = script(SCRIPTS[i]);
        bool kept[2048];
        feed(&s, NULL, 0, kept);
        assert_nothing_hidden_kept(&s, kept);
        for (size_t k = 0; k < s.n; k++)
            if (!kept[k] && !s.hidden[k])
                fail_msg("script %zu: not kept: %.30s", i, s.bytes + k);
    }
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++) {
        struct script s = script(SCRIPTS[i]);
        bool kept[2048];
        for (size_t a = 1; a < s.n; a++) {
            feed(&s, &a, 1, kept);
            assert_nothing_hidden_kept(&s, kept);
            for (size_t b = a + 1; b < s.n; b += 3) {
                feed(&s, (size_t[]){a, b}, 2, kept);
                assert_nothing_hidden_kept(&s, kept);
            }
        }
        size_t cuts[2048];
        for (size_t k = 0; k < s.n; k++)
            cuts[k] = k + 1;
        feed(&s, cuts, s.n, kept); /* byte by byte nothing long can be told: still nothing hidden */
        assert_nothing_hidden_kept(&s, kept);
    }
}

static void lines_in_packets_of_their_own_are_kept(void **state)
{
    (void)state;
    struct script s = script(SCRIPTS[0]);
    size_t cuts[64], n = 0;
    for (size_t k = 0; k < s.n; k++)
        if (s.bytes[k] == '\n')
            cuts[n++] = k + 1;
    bool kept[2048];
    feed(&s, cuts, n, kept);
    assert_nothing_hidden_kept(&s, kept);
    for (size_t k = 0; k < s.n; k++)
        assert_true(kept[k] || s.hidden[k]);
}

static void chunks_end_nowhere_for_certain(void **state)
{
    (void)state;
    struct script s = script("EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nBDAT 40 LAST\r\nMessage-ID: "
                             "<x@y>\r\n\r\n[{body\r\n.\r\nQUIT\r\nsecret text}]{MAIL FROM:<c@d.test>}\r\n");
    bool kept[2048];
    feed(&s, NULL, 0, kept);
    assert_nothing_hidden_kept(&s, kept);
    for (size_t a = 1; a < s.n; a++) {
        feed(&s, &a, 1, kept);
        for (size_t i = 0; i < s.n; i++)
            if (kept[i] && s.hidden[i] && s.mark[i + 1] == 1)
                fail_msg("cut at %zu, kept: %.20s", a, s.bytes + i);
    }
}

static void after_a_gap_nothing_until_a_command(void **state)
{
    (void)state;
    uint8_t memory = 0;
    struct span clear[8];
    const char *hello = "EHLO a.test\r\nDATA\r\nSubj", *body = "text of the mail\r\nwith lines\r\n", *mail = "MAIL FROM:<a@b.test>\r\n";
    assert_int_equal(smtp_clear(&memory, CLIENT, span_text(hello), 0, 0, clear, 8), 1);
    assert_int_equal(smtp_clear(&memory, CLIENT, (struct span){NULL, 500}, 0, 0, clear, 8), 0);
    size_t n = smtp_clear(&memory, CLIENT, span_text(body), 0, 0, clear, 8);
    for (size_t i = 0; i < n; i++)
        assert_true(clear[i].n <= 2); /* ends of lines */
    n = smtp_clear(&memory, CLIENT, span_text(mail), 0, 0, clear, 8);
    assert_int_equal(n, 1);
    assert_int_equal(clear[0].n, strlen(mail));
    assert_int_equal(smtp_clear(&memory, SERVER, span_text("250 ok\r\n"), 0, 0, clear, 8), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(every_cut),
        cmocka_unit_test(lines_in_packets_of_their_own_are_kept), cmocka_unit_test(chunks_end_nowhere_for_certain),
        cmocka_unit_test(after_a_gap_nothing_until_a_command)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
