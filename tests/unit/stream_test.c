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
    flow = (struct flow){.mode = FLOW_HANDED, .opened = NS_PER_SECOND};
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
    assert_string_equal(said, " S:220\n"); /* it might, at first */
    later(REORDER);
    assert_string_equal(said, " S:220\n250\n");
    server(12, 60, "354\n");
    later(6 * REORDER);
    server(16, 80, "250\n");
    assert_string_equal(said, " S:220\n250\n S-4 S:354\n250\n");
    ends_with(" S:220\n250\n S-4 S:354\n250\n");
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

static void reset_of_nothing_is_at_once(void **state)
{
    (void)state;
    start();
    packet(CLIENT, -1, 0, PACKET_SYN, "", 0);
    packet(SERVER, -5000, 0, PACKET_RST | PACKET_ACK, "", 0);
    ends_with(" reset");
}

/* A client that gave up waiting resets when the answer comes; the reset may be captured before the answer. */
static void last_words_cross_a_reset(void **state)
{
    (void)state;
    start();
    handshake();
    client(0, 0, "abcd");
    packet(CLIENT, 4, 0, PACKET_RST, "", 0);
    server(0, 4, "250\n");
    assert_string_equal(said, " C:abcd S:250\n");
    later(REORDER);
    ends_with(" C:abcd S:250\n reset");
}

static void packets_before_the_handshake(void **state)
{
    (void)state;
    start();
    client(0, 0, "");
    client(0, 4, "EHLO\n"); /* the server is not seen yet */
    server(4, 5, "250\n");
    server(0, 0, "220\n");
    packet(SERVER, -1, 0, PACKET_SYN | PACKET_ACK, "", 0);
    packet(CLIENT, -1, 0, PACKET_SYN, "", 0);
    ends_with(" S:220\n C:EHLO\n S:250\n");
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

/* ---- a simulated connection through a bad network and a worse mirror ---- */

#define SENT_MOST 400

struct sent {
    enum side from;
    uint32_t seq, n, ack;
    int64_t time; /* of capture */
    bool again;   /* a retransmission: its acknowledgement is younger than its bytes */
};

static struct world {
    uint64_t dice;
    struct sent sent[SENT_MOST];
    unsigned count;
    uint32_t said[2], acked[2];      /* bytes sent by a side; bytes of the other it has acknowledged */
    uint32_t cause[2][8000];         /* of each byte: what its sender had of the other side when it said it */
    bool captured[2][8000];
    uint32_t delivered[2];
    bool blind; /* so much is lost that of two segments at times only the retransmissions are left: nothing tells then which came first */
} world;

static unsigned dice(unsigned sides)
{
    world.dice = world.dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(world.dice >> 33) % sides;
}

static void send_segment(enum side from, uint32_t seq, uint32_t n, uint32_t ack, int64_t time, bool again)
{
    assert_true(world.count < SENT_MOST);
    world.sent[world.count++] = (struct sent){from, seq, n, ack, time, again};
}

/* Twenty turns; acknowledgements lag, some segments are lost before the mirror and come again, some come again for nothing. */
static int64_t converse(int64_t time)
{
    for (int turn = 0; turn < 20; turn++) {
        enum side from = dice(5) ? (turn & 1 ? CLIENT : SERVER) : dice(2) ? CLIENT : SERVER, other = side_other(from);
        world.acked[from] += dice(3) ? world.said[other] - world.acked[from] : dice(world.said[other] - world.acked[from] + 1);
        int64_t repeat = 0;
        for (unsigned i = 1 + dice(4); i; i--) {
            uint32_t seq = world.said[from], n = 1 + dice(60);
            for (uint32_t x = seq; x < seq + n; x++)
                world.cause[from][x] = world.acked[from];
            world.said[from] += n;
            time += (1 + dice(5)) * MS;
            bool lost = dice(20) == 0;
            if (!lost)
                send_segment(from, seq, n, world.acked[from], time, false);
            if (lost || dice(10) == 0) {
                send_segment(from, seq, n, world.acked[from], time + 250 * MS, true);
                repeat = lost ? 260 * MS : repeat;
            }
        }
        time += repeat;
    }
    for (enum side from = CLIENT; from <= SERVER; from++)
        send_segment(from, world.said[from], 0, world.said[side_other(from)], time + MS, false);
    return time;
}

static int by_time(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

static void world_bytes(void *user, struct flow *f, enum side from, struct span bytes, int64_t time)
{
    (void)user, (void)f, (void)time;
    for (size_t i = 0; i < bytes.n; i++) {
        uint32_t at = world.delivered[from]++;
        assert_int_equal(bytes.p[i], (uint8_t)(at * 7 + from));
        assert_true(world.delivered[side_other(from)] >= world.cause[from][at] || world.blind);
    }
}

static void world_gap(void *user, struct flow *f, enum side from, uint64_t n, int64_t time)
{
    (void)user, (void)f, (void)time;
    for (; n; n--)
        assert_false(world.captured[from][world.delivered[from]++]); /* nothing that was captured in time is called lost */
}

static void live_through(unsigned seed, unsigned lost_percent)
{
    static const struct stream_receiver eyes = {world_bytes, world_gap, on_over, NULL};
    memset(&world, 0, sizeof world);
    world.blind = lost_percent > 5;
    world.dice = seed * 1000003u + lost_percent;
    counters = (struct capture_counters){0};
    streams = stream_new(1 << 22, REORDER, &eyes, &counters);
    flow = (struct flow){.mode = FLOW_HANDED, .opened = NS_PER_SECOND};
    base[CLIENT] = 0xfffffe00u + seed;
    base[SERVER] = seed * 77777u;
    now = NS_PER_SECOND;
    handshake();
    int64_t end = converse(now);
    /* a retransmission says what its sender has heard by then */
    qsort(world.sent, world.count, sizeof *world.sent, by_time);
    uint32_t latest[2] = {0, 0};
    for (unsigned i = 0; i < world.count; i++) {
        struct sent *s = &world.sent[i];
        if (s->again && latest[s->from] > s->ack)
            s->ack = latest[s->from];
        latest[s->from] = s->ack > latest[s->from] ? s->ack : latest[s->from];
    }
    for (unsigned i = 0; i < world.count; i++)
        world.sent[i].time += dice(12) * MS;
    qsort(world.sent, world.count, sizeof *world.sent, by_time);
    for (unsigned i = 0; i < world.count; i++) {
        const struct sent *s = &world.sent[i];
        if (s->n && dice(100) < lost_percent)
            continue;
        now = s->time;
        stream_tick(streams, now);
        char text[64];
        for (uint32_t x = 0; x < s->n; x++) {
            text[x] = (char)(uint8_t)((s->seq + x) * 7 + s->from);
            if (s->seq + x >= world.delivered[s->from])
                world.captured[s->from][s->seq + x] = true;
        }
        struct packet p = {.time = now, .seq = base[s->from] + s->seq, .ack = base[side_other(s->from)] + s->ack, .flags = PACKET_ACK,
                           .payload = span_of(text, s->n), .length = s->n};
        stream_segment(streams, &flow, s->from, &p, now);
    }
    later(end + NS_PER_SECOND - now);
    stream_flush(streams, &flow, now);
    for (enum side side = CLIENT; side <= SERVER; side++) /* a lone last byte may look like a lost FIN */
        assert_true(world.said[side] - world.delivered[side] <= 1);
    stream_free(streams);
}

static void bad_network_and_worse_mirror(void **state)
{
    (void)state;
    static const unsigned lost[] = {0, 1, 5, 20};
    for (unsigned i = 0; i < sizeof lost / sizeof *lost; i++)
        for (unsigned seed = 0; seed < 1000; seed++)
            live_through(seed, lost[i]);
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
        cmocka_unit_test(reset_of_nothing_is_at_once),
        cmocka_unit_test(last_words_cross_a_reset),
        cmocka_unit_test(packets_before_the_handshake),
        cmocka_unit_test(reset_waits_for_what_it_overtook),
        cmocka_unit_test(stray_reset_is_ignored),
        cmocka_unit_test(absurd_segments_are_ignored),
        cmocka_unit_test(full_memory_makes_gaps_not_disorder),
        cmocka_unit_test(any_order_gives_the_same),
        cmocka_unit_test(bad_network_and_worse_mirror),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
