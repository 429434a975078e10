/* SMTP on other ports: found however it is cut, greeting kept; other protocols that greet or speak like it are not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/detect.h"

static struct detector *detector;

static int set_up(void **state)
{
    (void)state;
    detector = detect_new(4);
    return detector ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    detect_free(detector);
    return 0;
}

/* The dialogue's lines, "S" or "C" first, cut into pieces of `cut` bytes; stops at the verdict. */
static enum detect_verdict hear(struct detection *x, const char *const lines[], size_t cut, size_t *heard)
{
    enum detect_verdict v = DETECT_UNDECIDED;
    *heard = 0;
    for (; *lines && v == DETECT_UNDECIDED; lines++) {
        enum side from = **lines == 'C' ? CLIENT : SERVER;
        struct span rest = span_text(*lines + 1);
        for (; rest.n && v == DETECT_UNDECIDED; rest = span_from(rest, cut)) {
            v = detect_bytes(x, from, span_head(rest, cut), 1);
            *heard += v == DETECT_UNDECIDED ? span_head(rest, cut).n : 0;
        }
    }
    return v;
}

static void expect_in_any_cut(const char *const lines[], enum detect_verdict expected, bool whole)
{
    for (size_t cut = 1; cut <= 100; cut++) {
        struct detection *x = detect_begin(detector, whole, NULL);
        size_t heard;
        assert_int_equal(hear(x, lines, cut, &heard), expected);
        detect_end(detector, x);
    }
}
#define EXPECT(verdict, whole, ...) expect_in_any_cut((const char *const[]){__VA_ARGS__, NULL}, verdict, whole)

static void smtp_is_found(void **state)
{
    (void)state;
    EXPECT(DETECT_SMTP, true, "S220 mail.example.org ESMTP Postfix\r\n");
    EXPECT(DETECT_SMTP, true, "S220-xc90.example.com ESMTP Exim 4.69\r\n220 ready\r\n");
    EXPECT(DETECT_SMTP, true, "S220 mx\r\n", "CEHLO a.example\r\n");
    EXPECT(DETECT_SMTP, true, "S220 mx\r\n", "Chelo\n");
    EXPECT(DETECT_SMTP, true, "S220 mx\r\n", "CLHLO a\r\n");
    EXPECT(DETECT_SMTP, true, "S220 mx\r\n", "CNOOP\r\n", "S250 ok\r\n", "CEHLO a\r\n");
    EXPECT(DETECT_SMTP, true, "CPROXY TCP4 192.0.2.1 192.0.2.2 4000 8025\r\n", "S220 mx\r\n", "CEHLO a\r\n");
    EXPECT(DETECT_SMTP, false, "CMAIL FROM:<a@b.example>\r\n");
    EXPECT(DETECT_SMTP, false, "S250 ok\r\n", "CRCPT TO:<a@b.example>\r\n");
}

static void others_are_not(void **state)
{
    (void)state;
    EXPECT(DETECT_OTHER, true, "S220 ftp.example.org FTP server ready\r\n", "CUSER anonymous\r\n");
    EXPECT(DETECT_OTHER, true, "S220 ftp\r\n", "CAUTH TLS\r\n", "S234 go on\r\n", "C\x16\x03\x01");
    EXPECT(DETECT_OTHER, true, "S+OK POP3 ready\r\n");
    EXPECT(DETECT_OTHER, true, "S* OK IMAP4rev1\r\n");
    EXPECT(DETECT_OTHER, true, "C:irc.example NOTICE\r\n");
    EXPECT(DETECT_OTHER, true, "CNICK me\r\n");
    EXPECT(DETECT_OTHER, true, "CGET / HTTP/1.1\r\n");
    EXPECT(DETECT_OTHER, true, "SSSH-2.0-OpenSSH_9.2\r\n");
    EXPECT(DETECT_OTHER, true, "C\x16\x03\x01\x02");
    EXPECT(DETECT_OTHER, true, "CEHLOX\r\n");
    EXPECT(DETECT_UNDECIDED, true, "S220 who knows\r\n");
    EXPECT(DETECT_UNDECIDED, false, "CDear Sir,\r\n", "CRCPT TO:<a> is what he typed\r\n");
}

struct log {
    char text[400];
};

static void write_down(void *user, enum side from, struct span bytes, int64_t time)
{
    struct log *l = user;
    size_t at = strlen(l->text), room = sizeof l->text - at;
    char who = from == CLIENT ? 'C' : 'S';
    if (bytes.p)
        snprintf(l->text + at, room, "%d%c:%.*s|", (int)time, who, (int)bytes.n, (const char *)bytes.p);
    else
        snprintf(l->text + at, room, "%d%c-%d|", (int)time, who, (int)bytes.n);
}

static void what_came_before_is_kept(void **state)
{
    (void)state;
    struct detection *x = detect_begin(detector, true, NULL);
    assert_int_equal(detect_bytes(x, SERVER, span_text("220 m"), 1), DETECT_UNDECIDED);
    assert_int_equal(detect_bytes(x, SERVER, span_text("x\r\n"), 2), DETECT_UNDECIDED);
    assert_int_equal(detect_gap(x, SERVER, 7, 3), DETECT_UNDECIDED);
    assert_int_equal(detect_bytes(x, CLIENT, span_text("EHLO a\r\n"), 4), DETECT_SMTP);
    struct log log = {{0}};
    detect_replay(x, write_down, &log);
    assert_string_equal(log.text, "1S:220 m|2S:x\r\n|3S-7|");
    detect_end(detector, x);
}

static void patience_ends(void **state)
{
    (void)state;
    struct detection *x = detect_begin(detector, true, NULL);
    enum detect_verdict v = DETECT_UNDECIDED;
    unsigned pieces = 0;
    for (; v == DETECT_UNDECIDED && pieces < 10000; pieces++)
        v = detect_bytes(x, SERVER, span_text("2"), 1 + pieces);
    assert_int_equal(v, DETECT_OTHER);
    detect_end(detector, x);
    struct detection *all[5];
    for (int i = 0; i < 5; i++)
        all[i] = detect_begin(detector, true, &all[i]);
    assert_null(all[4]);
    assert_ptr_equal(detect_oldest(detector), &all[0]);
    detect_end(detector, all[1]);
    detect_end(detector, all[0]);
    assert_ptr_equal(detect_oldest(detector), &all[2]);
    detect_end(detector, all[3]);
    detect_end(detector, all[2]);
    assert_null(detect_oldest(detector));
}

/* One IPv4 and TCP segment, as nDPI wants to see it. */
static struct packet segment(uint8_t room[600], enum side from, const char *text, uint32_t seq)
{
    size_t n = strlen(text);
    uint8_t client = from == CLIENT;
    const uint8_t header[40] = {0x45, 0, 0, (uint8_t)(40 + n), 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2 - client, 10, 0, 0, 1 + client,
        0x1f + client, 0x59, 0x20 - client, 0x59, 0, 0, 0, (uint8_t)seq, 0, 0, 0, 1, 0x50, 0x18, 1, 0};
    memcpy(room, header, sizeof header);
    memcpy(room + sizeof header, text, n);
    return (struct packet){.ip = span_of(room, sizeof header + n), .payload = span_of(room + sizeof header, n), .length = (uint32_t)n};
}

/* Without the lines' verdict: nDPI knows the dialogue after a few whole segments; FTP it does not call mail. */
static void ndpi_judges_segments(void **state)
{
    (void)state;
    static const char *const mail[] = {"S220 mx ready\r\n", "CEHLO a\r\n", "S250-mx\r\n250 HELP\r\n", "CMAIL FROM:<a@b>\r\n",
        "S250 ok\r\n", "CRCPT TO:<c@d>\r\n", "S250 ok\r\n", NULL};
    static const char *const ftp[] = {
        "S220 ftp ready\r\n", "CUSER a\r\n", "S331 password\r\n", "CPASS b\r\n", "S230 in\r\n", "CPWD\r\n", "S257 /\r\n", NULL};
    for (int i = 0; i < 2; i++) {
        struct detection *x = detect_begin(detector, true, NULL);
        enum detect_verdict v = DETECT_UNDECIDED;
        uint32_t seq = 1;
        for (const char *const *line = i ? ftp : mail; *line && v == DETECT_UNDECIDED; line++) {
            uint8_t room[600];
            struct packet p = segment(room, **line == 'C' ? CLIENT : SERVER, *line + 1, seq += 10);
            v = detect_packet(detector, x, &p);
        }
        assert_int_equal(v == DETECT_SMTP, i == 0);
        detect_end(detector, x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(smtp_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_came_before_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(patience_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ndpi_judges_segments, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
