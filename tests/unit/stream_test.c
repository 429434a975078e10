/* Reassembly: whatever the capture did to the packets, each side's bytes come in order, causes before effects, holes as gaps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "capture/stream.h"

#define MS (NS_PER_SECOND / 1000)
#define REORDER (200 * MS)

static struct capture_counters counters;
static struct streams *streams;
static struct flow flow;
static char said[1 << 16]; /* what came out: "C<bytes" "S>bytes", "C gap 5", "closed" */
static char last_side;
static int64_t now;
static uint32_t base[2];

static void note(const char *text, size_t n)
{
    size_t at = strlen(said);
    assert_true(at + n + 1 < sizeof said);
    memcpy(said + at, text, n);
    said[at + n] = '\0';
}

static void on_bytes(void *user, struct flow *f, enum side from, struct span bytes, int64_t time)
{
    (void)user, (void)f, (void)time;
    char side = from == CLIENT ? 'C' : 'S';
    if (side != last_side)
        note((const char[]){' ', side, ':'}, 3);
    last_side = side;
    note((const char *)bytes.p, bytes.n);
}

static void on_gap(void *user, struct flow *f, enum side from, uint64_t n, int64_t time)
{
    (void)user, (void)f, (void)time;
    char text[40];
    int length = snprintf(text, sizeof text, " %c-%d", from == CLIENT ? 'C' : 'S', (int)n);
    note(text, (size_t)length);
    last_side = 0;
}

static void on_over(void *user, struct flow *f, enum end how, int64_t time)
{
    (void)user, (void)f, (void)time;
    note(how == END_CLOSED ? " closed" : " reset", how == END_CLOSED ? 7 : 6);
    flow.mode = FLOW_DONE;
}

static const struct stream_receiver receiver = {on_bytes, on_gap, on_over, NULL};

static void start_sized(uint32_t client, uint32_t server, size_t held)
{
    counters = (struct capture_counters){0};
    streams = stream_new(held, REORDER, &receiver, &counters);
    assert_non_null(streams);
    flow = (struct flow){.mode = FLOW_HANDED};
    said[0] = '\0';
    last_side = 0;
    now = NS_PER_SECOND;
    base[CLIENT] = client;
    base[SERVER] = server;
}

static void start(void)
{
    start_sized(1000, 5000, 1 << 20);
}

/* seq and ack count from the first byte of each side: 0 is the byte after the SYN. */
static void packet(enum side from, int64_t seq, int64_t ack, unsigned flags, const char *text, size_t cut)
{
    size_t n = strlen(text);
    struct packet p = {.time = now, .seq = base[from] + (uint32_t)seq, .ack = base[side_other(from)] + (uint32_t)ack,
                       .flags = (uint8_t)flags, .payload = span_of(text, n - cut), .length = (uint32_t)n};
    stream_tick(streams, now);
    stream_segment(streams, &flow, from, &p, now);
}

static void client(int64_t seq, int64_t ack, const char *text)
{
    packet(CLIENT, seq, ack, PACKET_ACK, text, 0);
}

static void server(int64_t seq, int64_t ack, const char *text)
{
    packet(SERVER, seq, ack, PACKET_ACK, text, 0);
}

static void handshake(void)
{
    packet(CLIENT, -1, 0, PACKET_SYN, "", 0);
    packet(SERVER, -1, 0, PACKET_SYN | PACKET_ACK, "", 0);
    client(0, 0, "");
}

static void later(int64_t ns)
{
    now += ns;
    stream_tick(streams, now);
}

static void ends_with(const char *expected)
{
    if (flow.mode != FLOW_DONE)
        stream_flush(streams, &flow, now);
    assert_string_equal(said, expected);
    assert_null(flow.hold);
    stream_free(streams);
}

static void in_order(void **state)
{
    (void)state;
    start();
    handshake();
    server(0, 0, "220 ");
    server(4, 0, "hi\n");
    client(0, 7, "EHLO\n");
    server(7, 5, "250\n");
    packet(CLIENT, 5, 11, PACKET_ACK | PACKET_FIN, "QUIT\n", 0);
    packet(SERVER, 11, 11, PACKET_ACK | PACKET_FIN, "221\n", 0);
    assert_int_equal(counters.retransmissions + counters.reordered + counters.gaps, 0);
    ends_with(" S:220 hi\n C:EHLO\n S:250\n C:QUIT\n S:221\n closed");
}

static void early_segments_wait(void **state)
{
    (void)state;
    start();
    handshake();
    client(4, 0, "efgh");
    client(12, 0, "mnop");
    client(8, 0, "ijkl");
    assert_string_equal(said, "");
    client(0, 0, "abcd");
    assert_int_equal(counters.reordered, 3);
    ends_with(" C:abcdefghijklmnop");
}

static void reply_waits_for_its_command(void **state)
{
    (void)state;
    start();
    handshake();
    server(0, 5, "250\n"); /* captured before the command that it acknowledges */
    client(5, 4, "MAIL\n");
    assert_string_equal(said, "");
    client(0, 0, "EHLO\n");
    ends_with(" C:EHLO\n S:250\n C:MAIL\n");
}

/* The command was lost by the mirror and comes again after the reply: its own acknowledgement is younger than its bytes. */
static void retransmission_goes_before_the_reply_that_waited(void **state)
{
    (void)state;
    start();
    handshake();
    server(0, 5, "250\n");
    client(0, 4, "EHLO\n");
    ends_with(" C:EHLO\n S:250\n");
}

static void proven_hole_is_a_gap_after_the_bound(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    server(0, 6, "250\n");
    client(6, 4, "gh");
    later(REORDER - 1);
    assert_string_equal(said, " C:ab");
    later(REORDER);
    assert_string_equal(said, " C:ab C-4 S:250\n C:gh");
    client(2, 0, "cdef"); /* too late */
    ends_with(" C:ab C-4 S:250\n C:gh");
}

static void unproven_hole_waits_for_a_retransmission(void **state)
{
    (void)state;
    start();
    handshake();
    client(4, 0, "efgh");
    later(10 * REORDER);
    assert_string_equal(said, "");
    client(0, 0, "abcd");
    ends_with(" C:abcdefgh");
}

static void one_side_alone_does_not_wait_for_the_other(void **state)
{
    (void)state;
    start();
    packet(SERVER, -1, 0, PACKET_SYN | PACKET_ACK, "", 0);
    server(0, 0, "220\n");
    server(4, 50, "250\n"); /* acknowledges what this mirror never shows */
    server(12, 60, "354\n");
    later(6 * REORDER);
    ends_with(" S:220\n250\n S-4 S:354\n");
}

static void first_copy_stands(void **state)
{
    (void)state;
    start();
    handshake();
    client(4, 0, "EFGH");
    client(2, 0, "cdxxxxij");
    client(0, 0, "ab");
    assert_int_equal(counters.overlap_differs, 1);
    ends_with(" C:abcdEFGHij");
}

static void retransmissions_add_nothing(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "abcd");
    client(0, 0, "abcd");
    client(2, 0, "cdef"); /* partly new */
    client(5, 0, "f");    /* keep-alive: one byte back */
    client(5, 0, "");
    assert_int_equal(counters.retransmissions, 2);
    ends_with(" C:abcdef");
}

static void zero_window_probe_is_a_byte(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    client(2, 0, "c");
    client(2, 0, "c");
    client(2, 0, "cdef");
    ends_with(" C:abcdef");
}

static void sequence_numbers_wrap(void **state)
{
    (void)state;
    start_sized(0xfffffffcu, 0xffffffffu, 1 << 20);
    handshake();
    client(0, 0, "abcd");
    client(8, 0, "ijkl");
    server(0, 12, "250\n");
    client(4, 0, "efgh");
    ends_with(" C:abcdefghijkl S:250\n");
}

static void cut_segments_leave_exact_gaps(void **state)
{
    (void)state;
    start();
    handshake();
    packet(CLIENT, 0, 0, PACKET_ACK, "abcdefgh", 5);
    packet(CLIENT, 16, 0, PACKET_ACK, "qrst", 4);
    packet(CLIENT, 8, 0, PACKET_ACK, "ijklmnop", 6);
    ends_with(" C:abc C-5 C:ij C-6 C-4");
}

static void middle_of_a_connection(void **state)
{
    (void)state;
    start();
    server(1000, 2000, "250\n");
    client(2000, 1004, "MAIL\n");
    server(1004, 2005, "250\n");
    ends_with(" S:250\n C:MAIL\n S:250\n");
}

static void middle_with_a_hole_before_the_first_segment(void **state)
{
    (void)state;
    start();
    server(1000, 2000, "250\n");
    client(2005, 1004, "RCPT\n"); /* what the server acknowledged shows that 5 bytes are missing */
    client(2000, 1004, "MAIL\n");
    ends_with(" S:250\n C:MAIL\nRCPT\n");
}

static void lone_hole_at_the_end(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    server(0, 10, ""); /* acknowledges eight more */
    ends_with(" C:ab C-8");
}

static void lost_fin_is_no_gap(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    server(0, 3, "");
    ends_with(" C:ab");
}

static void bytes_missing_before_a_fin(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    packet(CLIENT, 6, 0, PACKET_ACK | PACKET_FIN, "gh", 0);
    packet(SERVER, 0, 9, PACKET_ACK | PACKET_FIN, "", 0);
    assert_string_equal(said, " C:ab");
    later(REORDER);
    ends_with(" C:ab C-4 C:gh closed");
}

static void half_close(void **state)
{
    (void)state;
    start();
    handshake();
    packet(CLIENT, 0, 0, PACKET_ACK | PACKET_FIN, "QUIT\n", 0);
    server(0, 6, "221 ");
    packet(SERVER, 4, 6, PACKET_ACK | PACKET_FIN, "bye\n", 0);
    ends_with(" C:QUIT\n S:221 bye\n closed");
}

static void reset_ends_at_once_when_nothing_is_missing(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "abcd");
    packet(SERVER, 0, 4, PACKET_RST | PACKET_ACK, "", 0);
    ends_with(" C:abcd reset");
}

static void reset_waits_for_what_it_overtook(void **state)
{
    (void)state;
    start();
    handshake();
    packet(CLIENT, 4, 0, PACKET_RST, "", 0);
    client(0, 0, "abcd");
    assert_string_equal(said, " C:abcd");
    later(REORDER);
    ends_with(" C:abcd reset");
}

static void stray_reset_is_ignored(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    packet(CLIENT, -50000, 0, PACKET_RST, "", 0);
    packet(CLIENT, 1 << 24, 0, PACKET_RST, "", 0);
    client(2, 0, "cd");
    ends_with(" C:abcd");
}

static void absurd_segments_are_ignored(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "ab");
    client(1 << 29, 0, "forged");
    client(2, 0, "cd");
    later(100 * REORDER);
    ends_with(" C:abcd");
}

static void full_memory_makes_gaps_not_disorder(void **state)
{
    (void)state;
    start_sized(1000, 5000, 3 * 2048);
    handshake();
    for (int i = 1; i <= 5; i++)
        client(4 * i, 0, (const char *const[]){"", "efgh", "ijkl", "mnop", "qrst", "uvwx"}[i]);
    assert_true(counters.reassembly_full > 0);
    ends_with(" C-4 C:efghijklmnopqrstuvwx");
}

/* Every order of eight packets of a dialogue gives the same events. */
static void any_order_gives_the_same(void **state)
{
    (void)state;
    static const struct {
        enum side from;
        int64_t seq, ack;
        const char *text;
    } dialogue[] = {{SERVER, 0, 0, "220\n"},  {CLIENT, 0, 4, "EHLO\n"}, {SERVER, 4, 5, "250-a\n"}, {SERVER, 10, 5, "250\n"},
                    {CLIENT, 5, 14, "MAIL\n"}, {CLIENT, 10, 14, "RCPT\n"}, {SERVER, 14, 15, "250\n"}, {CLIENT, 15, 18, "DATA\n"}};
    enum { N = sizeof dialogue / sizeof *dialogue };
    unsigned order[N], seed = 1;
    for (int round = 0; round < 5000; round++) {
        for (unsigned i = 0; i < N; i++)
            order[i] = i;
        for (unsigned i = N - 1; i > 0; i--) {
            seed = seed * 1103515245u + 12345u;
            unsigned j = (seed >> 16) % (i + 1), t = order[i];
            order[i] = order[j];
            order[j] = t;
        }
        start();
        handshake();
        for (unsigned i = 0; i < N; i++)
            packet(dialogue[order[i]].from, dialogue[order[i]].seq, dialogue[order[i]].ack, PACKET_ACK, dialogue[order[i]].text, 0);
        ends_with(" S:220\n C:EHLO\n S:250-a\n250\n C:MAIL\nRCPT\n S:250\n C:DATA\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(early_segments_wait),
        cmocka_unit_test(reply_waits_for_its_command),
        cmocka_unit_test(retransmission_goes_before_the_reply_that_waited),
        cmocka_unit_test(proven_hole_is_a_gap_after_the_bound),
        cmocka_unit_test(unproven_hole_waits_for_a_retransmission),
        cmocka_unit_test(one_side_alone_does_not_wait_for_the_other),
        cmocka_unit_test(first_copy_stands),
        cmocka_unit_test(retransmissions_add_nothing),
        cmocka_unit_test(zero_window_probe_is_a_byte),
        cmocka_unit_test(sequence_numbers_wrap),
        cmocka_unit_test(cut_segments_leave_exact_gaps),
        cmocka_unit_test(middle_of_a_connection),
        cmocka_unit_test(middle_with_a_hole_before_the_first_segment),
        cmocka_unit_test(lone_hole_at_the_end),
        cmocka_unit_test(lost_fin_is_no_gap),
        cmocka_unit_test(bytes_missing_before_a_fin),
        cmocka_unit_test(half_close),
        cmocka_unit_test(reset_ends_at_once_when_nothing_is_missing),
        cmocka_unit_test(reset_waits_for_what_it_overtook),
        cmocka_unit_test(stray_reset_is_ignored),
        cmocka_unit_test(absurd_segments_are_ignored),
        cmocka_unit_test(full_memory_makes_gaps_not_disorder),
        cmocka_unit_test(any_order_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
