/* Evidence capsules: the packets of a connection, true in everything but what nobody may see.  The whole path from a capture file on,
 * with the real dissector; read back by hand and, where it is installed, by tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/keep.h"
#include "smtpdissect/clear.h"
#include "smtpdissect/smtp.h"
#include "tests/tools/wire.h"

#define SECRET_BODY     "Confidential words of the mail"
#define SECRET_PASSWORD "c2VjcmV0cGFzc3dvcmQxMjM="
#define CLIENT_ISN      1000u
#define SERVER_ISN      5000u

/* ---- a capture file ---- */

struct line_of_talk { /* one packet */
    enum side from;
    const char *text;
};

struct talk {
    FILE *file;
    uint32_t next[2];
    uint16_t port;
    int64_t time; /* us */
};

static void put_record(FILE *f, int64_t us, const uint8_t *frame, size_t n)
{
    uint32_t header[4] = {(uint32_t)(us / 1000000), (uint32_t)(us % 1000000), (uint32_t)n, (uint32_t)n};
    fwrite(header, sizeof header, 1, f);
    fwrite(frame, 1, n, f);
}

static FILE *begin_file(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 262144, 1};
    fwrite(header, sizeof header, 1, f);
    return f;
}

/* One TCP segment over Ethernet and IPv4 (or IPv6, for odd ports). */
static void put_segment(struct talk *t, enum side from, uint32_t seq, uint8_t flags, const void *payload, size_t n)
{
    uint8_t frame[4096] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    bool six = t->port & 1;
    size_t ip_size = six ? 40 : 20, size = 14 + ip_size + 20 + n;
    uint8_t *ip = frame + 14, *tcp = ip + ip_size;
    assert_true(size <= sizeof frame);
    wire_put16(frame + 12, six ? 0x86dd : 0x0800);
    if (six) {
        ip[0] = 0x60;
        wire_put16(ip + 4, (unsigned)(20 + n));
        ip[6] = 6;
        ip[7] = 64;
        ip[8] = ip[24] = 0xfd;
        ip[23] = from == CLIENT ? 1 : 2;
        ip[39] = from == CLIENT ? 2 : 1;
    } else {
        ip[0] = 0x45;
        wire_put16(ip + 2, (unsigned)(40 + n));
        ip[8] = 64;
        ip[9] = 6;
        memcpy(ip + 12, (uint8_t[]){10, 0, 0, from == CLIENT ? 1 : 2}, 4);
        memcpy(ip + 16, (uint8_t[]){10, 0, 0, from == CLIENT ? 2 : 1}, 4);
        wire_ip_sum(ip);
    }
    wire_put16(tcp, from == CLIENT ? t->port : 25);
    wire_put16(tcp + 2, from == CLIENT ? 25 : t->port);
    wire_put32(tcp + 4, seq);
    wire_put32(tcp + 8, t->next[side_other(from)]);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    wire_put16(tcp + 14, 65535);
    if (n)
        memcpy(tcp + 20, payload, n);
    wire_tcp_sum(tcp, 20 + n, six ? ip + 8 : ip + 12, six ? ip + 24 : ip + 16, six ? 16 : 4);
    put_record(t->file, t->time += 1000, frame, size);
}

static void say(struct talk *t, enum side from, const char *text)
{
    put_segment(t, from, t->next[from], 0x18, text, strlen(text));
    t->next[from] += (uint32_t)strlen(text);
}

static void open_talk(struct talk *t, FILE *f, uint16_t port)
{
    *t = (struct talk){.file = f, .next = {CLIENT_ISN, SERVER_ISN}, .port = port, .time = t->time ? t->time : INT64_C(1795492158000000)};
    put_segment(t, CLIENT, CLIENT_ISN, 0x02, NULL, 0);
    t->next[CLIENT]++;
    put_segment(t, SERVER, SERVER_ISN, 0x12, NULL, 0);
    t->next[SERVER]++;
    put_segment(t, CLIENT, t->next[CLIENT], 0x10, NULL, 0);
}

static void close_talk(struct talk *t)
{
    say(t, CLIENT, "QUIT\r\n");
    say(t, SERVER, "221 bye\r\n");
    put_segment(t, CLIENT, t->next[CLIENT]++, 0x11, NULL, 0);
    put_segment(t, SERVER, t->next[SERVER]++, 0x11, NULL, 0);
    put_segment(t, CLIENT, t->next[CLIENT], 0x10, NULL, 0);
}

static void greet(struct talk *t, bool authenticate)
{
    say(t, SERVER, "220 mx.test ESMTP\r\n");
    say(t, CLIENT, "EHLO client.test\r\n");
    say(t, SERVER, "250-mx.test\r\n250-AUTH PLAIN LOGIN\r\n250 CHUNKING\r\n");
    if (!authenticate)
        return;
    say(t, CLIENT, "AUTH LOGIN\r\n");
    say(t, SERVER, "334 VXNlcm5hbWU6\r\n");
    say(t, CLIENT, "YWxpY2VAZXhhbXBsZQ==\r\n");
    say(t, SERVER, "334 UGFzc3dvcmQ6\r\n");
    say(t, CLIENT, SECRET_PASSWORD "\r\n");
    say(t, SERVER, "235 ok\r\n");
}

static void envelope(struct talk *t)
{
    say(t, CLIENT, "MAIL FROM:<alice@client.test>\r\n");
    say(t, SERVER, "250 ok\r\n");
    say(t, CLIENT, "RCPT TO:<bob@mx.test>\r\n");
    say(t, SERVER, "250 ok\r\n");
}

/* Header, a long body, and the dot, each in packets as a sender cuts them. */
static void mail(struct talk *t, const char *id, int body_packets)
{
    char text[1400];
    envelope(t);
    say(t, CLIENT, "DATA\r\n");
    say(t, SERVER, "354 go on\r\n");
    snprintf(text, sizeof text, "From: a@client.test\r\nMessage-ID: <%s>\r\nSubject: seen\r\n\r\n" SECRET_BODY " at the start\r\n", id);
    say(t, CLIENT, text);
    for (int i = 0; i < body_packets; i++) {
        snprintf(text, sizeof text, SECRET_BODY " %d\r\n%01200d\r\n", i, 7);
        say(t, CLIENT, text);
        put_segment(t, SERVER, t->next[SERVER], 0x10, NULL, 0);
    }
    say(t, CLIENT, SECRET_BODY " at the end\r\n.\r\n");
    say(t, SERVER, "250 queued\r\n");
}

static void chunk(struct talk *t, const char *id)
{
    char text[1000], all[1200];
    envelope(t);
    snprintf(text, sizeof text, "From: a@client.test\r\nMessage-ID: <%s>\r\n\r\n" SECRET_BODY "\r\n.\r\nQUIT\r\n" SECRET_BODY "\r\n", id);
    snprintf(all, sizeof all, "BDAT %zu LAST\r\n%s", strlen(text), text);
    say(t, CLIENT, all);
    say(t, SERVER, "250 queued\r\n");
}

/* Header and its two neighbours arrive in reverse. */
static void shuffled_mail(struct talk *t, const char *id)
{
    char header[256];
    static const char before[] = "From: a@client.test\r\n", after[] = SECRET_BODY "\r\n.\r\n";
    envelope(t);
    say(t, CLIENT, "DATA\r\n");
    say(t, SERVER, "354 go on\r\n");
    size_t n = (size_t)snprintf(header, sizeof header, "Message-ID: <%s>\r\nSubject: late\r\n\r\n", id);
    uint32_t seq = t->next[CLIENT];
    put_segment(t, CLIENT, seq + (uint32_t)(sizeof before - 1 + n), 0x18, after, sizeof after - 1);
    put_segment(t, CLIENT, seq + (uint32_t)(sizeof before - 1), 0x18, header, n);
    put_segment(t, CLIENT, seq, 0x18, before, sizeof before - 1);
    t->next[CLIENT] += (uint32_t)(sizeof before - 1 + n + sizeof after - 1);
    say(t, SERVER, "250 queued\r\n");
}

/* ---- the path ---- */

struct path {
    struct dissector *dissector;
    struct capture *capture;
    uint64_t last_connection;
    unsigned messages;
};

static void count_transaction(void *user, const struct transaction *t)
{
    ((struct path *)user)->messages += t->message;
}

static void ignore_session(void *user, const struct session_record *s)
{
    (void)user;
    (void)s;
}

static void *open_session(void *user, const struct connection *c)
{
    struct path *p = user;
    p->last_connection = c->number;
    return smtp_open(p->dissector, c->number, c->side, c->client_certain, c->opened);
}

static void give_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    smtp_push(session, from, bytes, now);
}

static void give_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    smtp_gap(session, from, n, now);
}

static void give_end(void *session, enum end how, int64_t now)
{
    (void)how;
    smtp_end(session, now);
}

static uint32_t give_mark(const void *session)
{
    return smtp_place(session);
}

static void ignore_tick(void *user, int64_t now)
{
    (void)user;
    (void)now;
}

static void run_path(struct path *p, const char *capture_file, int64_t ring)
{
    *p = (struct path){0};
    struct smtp_settings smtp;
    struct capture_settings settings;
    struct setting_group groups[] = {{.list = smtp_settings_list, .count = smtp_settings_count, .values = &smtp},
        {.list = capture_settings_list, .count = capture_settings_count, .values = &settings}};
    config_defaults(groups, 2);
    settings.ring_bytes = ring;
    struct smtp_sink smtp_sink = {.transaction = count_transaction, .session = ignore_session, .user = p};
    p->dissector = dissector_new(&smtp, &smtp_sink);
    struct capture_sink sink = {.open = open_session,
        .bytes = give_bytes,
        .gap = give_gap,
        .end = give_end,
        .content_mark = give_mark,
        .clear = smtp_clear,
        .tick = ignore_tick,
        .user = p};
    p->capture = capture_new(&settings, &sink);
    struct reason why = {""};
    int status;
    if (!capture_files(p->capture, &capture_file, 1, &why, &status))
        fail_msg("%s", why.text);
    capture_finish(p->capture, INT64_MIN);
}

static void end_path(struct path *p)
{
    capture_free(p->capture);
    dissector_free(p->dissector);
}

/* Every connection's packets into a file; how many packets. */
static size_t write_all(const struct path *p, const char *to)
{
    struct evidence_wish *wishes = calloc(p->last_connection + 1, sizeof *wishes);
    for (uint64_t i = 0; i < p->last_connection; i++)
        wishes[i] = (struct evidence_wish){i + 1, INT64_MAX, span_text("the first packet of it")};
    FILE *f = fopen(to, "w");
    assert_non_null(f);
    size_t n = capture_evidence(p->capture, wishes, p->last_connection, span_text("alarm 1"), f);
    assert_int_equal(ferror(f), 0);
    fclose(f);
    free(wishes);
    return n;
}

static bool holds(const char *path, const char *text)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *all = malloc((size_t)size + 1);
    assert_int_equal(fread(all, 1, (size_t)size, f), size);
    fclose(f);
    bool found = memmem(all, (size_t)size, text, strlen(text)) != NULL;
    free(all);
    return found;
}

static bool have_tshark(void)
{
    if (system("tshark --version >/dev/null 2>&1") == 0)
        return true;
    print_message("SKIPPED: tshark is not installed; the capsule was not read by it\n");
    return false;
}

/* Lines that tshark prints for a filter. */
static unsigned long tshark_count(const char *file, const char *filter, const char *field)
{
    char command[512], line[4096];
    unsigned long n = 0;
    snprintf(command, sizeof command,
        "tshark -r %s -o tcp.check_checksum:TRUE -o smtp.decryption:FALSE -Y '%s' -T fields -e %s 2>/dev/null", file, filter, field);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n++;
    pclose(f);
    return n;
}

static char directory[] = "/tmp/squall_keep_XXXXXX";
static char original[64], capsule[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(original, sizeof original, "%s/original.pcap", directory);
    snprintf(capsule, sizeof capsule, "%s/capsule.pcapng", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(original);
    unlink(capsule);
    return rmdir(directory);
}

static void nothing_secret_and_all_else(void **state)
{
    (void)state;
    struct talk t = {0};
    struct path p;
    FILE *f = begin_file(original);
    for (uint16_t port = 40000; port < 40002; port++) { /* IPv4 and IPv6 */
        open_talk(&t, f, port);
        greet(&t, true);
        mail(&t, "one@client.test", 5);
        mail(&t, "two@client.test", 0);
        shuffled_mail(&t, "three@client.test");
        chunk(&t, "four@client.test");
        close_talk(&t);
    }
    fclose(f);
    run_path(&p, original, 1 << 20);
    assert_int_equal(p.messages, 8);
    size_t packets = write_all(&p, capsule);
    end_path(&p);
    assert_true(packets >= 2 * 50);
    static const char *const never[] = {SECRET_BODY, "Confidential", SECRET_PASSWORD, "c2VjcmV0", "YWxpY2VA"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (holds(capsule, never[i]))
            fail_msg("%s is in the capsule", never[i]);
    static const char *const always[] = {"Message-ID: <one@client.test>", "Message-ID: <two@client.test>",
        "Message-ID: <three@client.test>", "Message-ID: <four@client.test>", "AUTH LOGIN", "235 ok", "RCPT TO:<bob@mx.test>", "250 queued",
        "the first packet of it", "alarm 1"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!holds(capsule, always[i]))
            fail_msg("%s is not in the capsule", always[i]);
    if (!have_tshark())
        return;
    assert_int_equal(tshark_count(capsule, "_ws.malformed", "frame.number"), 0);
    assert_int_equal(tshark_count(capsule, "tcp.checksum.status == 0", "frame.number"), 0);
    assert_int_equal(tshark_count(capsule, "tcp.analysis.lost_segment", "frame.number"),
        tshark_count(original, "tcp.analysis.lost_segment", "frame.number")); /* those shuffled on purpose */
    assert_int_equal(tshark_count(capsule, "frame.comment", "frame.number"), 2);
    assert_int_equal(tshark_count(capsule, "tcp", "frame.number"), packets);
    assert_int_equal(tshark_count(capsule, "imf.message_id", "imf.message_id"), tshark_count(original, "imf.message_id", "imf.message_id"));
    assert_int_equal(tshark_count(capsule, "smtp.req.command == \"RCPT\"", "frame.number"),
        tshark_count(original, "smtp.req.command == \"RCPT\"", "frame.number"));
}

static void the_ring_forgets_the_oldest(void **state)
{
    (void)state;
    struct talk t = {0};
    struct path p;
    FILE *f = begin_file(original);
    char id[64];
    for (uint16_t i = 0; i < 400; i++) {
        open_talk(&t, f, (uint16_t)(41000 + i));
        greet(&t, false);
        snprintf(id, sizeof id, "mail-%03u@client.test", i);
        mail(&t, id, 3);
        close_talk(&t);
    }
    fclose(f);
    run_path(&p, original, 1 << 18); /* raised to the least a ring has */
    assert_int_equal(p.messages, 400);
    size_t packets = write_all(&p, capsule);
    assert_true(packets > 500 && packets < 400 * 20);
    assert_false(holds(capsule, "mail-000@client.test"));
    assert_true(holds(capsule, "mail-399@client.test"));
    assert_false(holds(capsule, SECRET_BODY));
    if (have_tshark()) {
        assert_int_equal(tshark_count(capsule, "_ws.malformed", "frame.number"), 0);
        assert_int_equal(tshark_count(capsule, "tcp", "frame.number"), packets);
    }
    /* only what was wished for */
    f = fopen(capsule, "w");
    struct evidence_wish wish = {p.last_connection, INT64_MAX, span_text("")};
    assert_in_range(capture_evidence(p.capture, &wish, 1, span_text(""), f), 15, 40);
    fclose(f);
    assert_false(holds(capsule, "mail-398@client.test"));
    f = fopen(capsule, "w");
    assert_int_equal(capture_evidence(p.capture, NULL, 0, span_text(""), f), 0);
    fclose(f);
    end_path(&p);
}

static void of_a_long_connection_the_latest(void **state)
{
    (void)state;
    struct talk t = {0};
    struct path p;
    FILE *f = begin_file(original);
    char id[64];
    int64_t middle = 0;
    open_talk(&t, f, 43000);
    greet(&t, false);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "mail-%03u@client.test", i);
        mail(&t, id, 0);
        if (i == 200)
            middle = t.time;
    }
    close_talk(&t);
    fclose(f);
    run_path(&p, original, 16 << 20);
    struct evidence_wish wish = {1, middle * 1000, span_text("the 200th")};
    f = fopen(capsule, "w");
    assert_int_equal(capture_evidence(p.capture, &wish, 1, span_text(""), f), EVIDENCE_PACKETS);
    fclose(f);
    end_path(&p);
    assert_true(holds(capsule, "mail-200@client.test"));
    assert_false(holds(capsule, "mail-201@client.test"));
    assert_false(holds(capsule, "mail-100@client.test"));
    assert_true(holds(capsule, "the 200th"));
}

static void no_ring_no_evidence(void **state)
{
    (void)state;
    struct talk t = {0};
    struct path p;
    FILE *f = begin_file(original);
    open_talk(&t, f, 42000);
    greet(&t, false);
    close_talk(&t);
    fclose(f);
    run_path(&p, original, 0);
    assert_int_equal(write_all(&p, capsule), 0);
    end_path(&p);
}

static void real_captures(void **state)
{
    (void)state;
    static const char *const files[] = {
        "../shared/storms/a60.pcap", "../shared/storms/i_rfc1047_timeout.pcap", "../shared/storms/a60tls.pcap"};
    if (!have_tshark())
        skip();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (access(files[i], R_OK) != 0) {
            print_message("SKIPPED: %s is not here\n", files[i]);
            continue;
        }
        struct path p;
        run_path(&p, files[i], 64 << 20);
        write_all(&p, capsule);
        end_path(&p);
        assert_int_equal(tshark_count(capsule, "_ws.malformed && smtp", "frame.number"),
            tshark_count(files[i], "_ws.malformed && smtp", "frame.number"));
        assert_int_equal(
            tshark_count(capsule, "imf.message_id", "imf.message_id"), tshark_count(files[i], "imf.message_id", "imf.message_id"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_secret_and_all_else),
        cmocka_unit_test(the_ring_forgets_the_oldest),
        cmocka_unit_test(of_a_long_connection_the_latest),
        cmocka_unit_test(no_ring_no_evidence),
        cmocka_unit_test(real_captures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
