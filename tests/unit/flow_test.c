/* Connections: the table and its wheel against a plain model; who opened what, and when it is over; twins; all through track_packet(). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "capture/flow.h"
#include "capture/track.h"
#include "capture/twin.h"

#define SECOND NS_PER_SECOND
#define START (1000 * SECOND)

static struct endpoint endpoint(unsigned host, unsigned port)
{
    const uint8_t b[4] = {10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host};
    return (struct endpoint){address_v4(b), (uint16_t)port};
}

/* ---- the table */

static void table_against_a_model(void **state)
{
    (void)state;
    enum { MOST = 300, TUPLES = 700 };
    struct flow_table *t = flow_table_new(MOST);
    struct flow *model[TUPLES] = {NULL};
    size_t used = 0;
    unsigned seed = 7;
    for (int step = 0; step < 200000; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned i = (seed >> 8) % TUPLES;
        struct packet p = {.from = endpoint(i, 1000 + i), .to = endpoint(5, 25), .tunnel = i % 3};
        if (seed >> 30 & 1) { /* the answer */
            struct endpoint e = p.from;
            p.from = p.to;
            p.to = e;
        }
        enum side from = SERVER;
        struct flow *f = flow_find(t, &p, flow_hash(&p), &from);
        assert_ptr_equal(f, model[i]);
        if (f) {
            assert_int_equal(from, f->side[CLIENT].port == p.from.port ? CLIENT : SERVER);
            if (seed >> 29 & 1) {
                flow_remove(t, f);
                model[i] = NULL;
                used--;
            }
        } else {
            f = flow_add(t, &p, flow_hash(&p), p.from.port == 25 ? SERVER : CLIENT);
            assert_int_equal(f == NULL, used == MOST);
            model[i] = f;
            if (f) {
                f->number = (uint64_t)step + 1;
                used++;
            }
        }
    }
    size_t count;
    struct flow **all = flow_all(t, &count);
    assert_int_equal(count, used);
    for (size_t i = 1; i < count; i++)
        assert_true(all[i - 1]->number < all[i]->number);
    free(all);
    flow_table_free(t);
}

static void leave(struct flow_table *t, struct flow **f)
{
    if (*f)
        flow_remove(t, *f);
    *f = NULL;
}

/* Past several sizes; some give up their places on the way. */
static void table_grows(void **state)
{
    (void)state;
    enum { MOST = 300000, LEAVE = 7 };
    struct flow_table *t = flow_table_new(MOST);
    struct flow **f = calloc(MOST, sizeof *f);
    assert_non_null(f);
    for (unsigned i = 0; i < MOST; i++) {
        struct packet p = {.from = endpoint(i, 1000), .to = endpoint(5, 25)};
        f[i] = flow_add(t, &p, flow_hash(&p), CLIENT);
        assert_non_null(f[i]);
        f[i]->number = i + 1;
        if (i % LEAVE == 0 && i > 0)
            leave(t, &f[i / 2]);
    }
    for (unsigned i = 0; i < MOST; i++) {
        struct packet p = {.from = endpoint(5, 25), .to = endpoint(i, 1000)};
        enum side from;
        assert_ptr_equal(flow_find(t, &p, flow_hash(&p), &from), f[i]);
        struct flow *likely = flow_likely(flow_table_index(t), flow_hash(&p));
        assert_true(!f[i] || likely);
    }
    flow_forget(t);
    size_t count;
    assert_null(flow_all(t, &count));
    free(f);
    flow_table_free(t);
}

static void wheel_gives_each_its_time(void **state)
{
    (void)state;
    struct flow_table *t = flow_table_new(100);
    struct flow *f[100];
    for (unsigned i = 0; i < 100; i++) {
        struct packet p = {.from = endpoint(i, 1000), .to = endpoint(5, 25)};
        f[i] = flow_add(t, &p, flow_hash(&p), CLIENT);
        f[i]->number = i + 1;
        flow_due(t, f[i], START + (int64_t)(i * i) * SECOND / 2); /* the later ones beyond the wheel */
    }
    unsigned taken = 0;
    for (int64_t now = START; taken < 100; now += SECOND) {
        assert_true(now < START + 6000 * SECOND);
        for (struct flow *due; (due = flow_take_due(t, now));) {
            uint64_t i = due->number - 1;
            int64_t when = START + (int64_t)(i * i) * SECOND / 2;
            if (when > now) { /* early, because it was too far */
                flow_due(t, due, when);
                continue;
            }
            assert_true(now - when <= SECOND);
            flow_remove(t, due);
            taken++;
        }
    }
    assert_null(flow_take_due(t, INT64_MAX / 4));
    flow_table_free(t);
}

/* ---- twins */

static bool seen(struct twins *t, const struct packet *p, uint32_t flow, int64_t time)
{
    return twin_seen(t, p, twin_sum(p, flow), time);
}

static void twins_are_not_retransmissions(void **state)
{
    (void)state;
    struct twins *t = twin_new();
    struct packet p = {.from = endpoint(1, 1000), .seq = 5, .length = 10, .flags = PACKET_ACK, .ip_id = 77, .ttl = 64, .checksum = 1};
    assert_false(seen(t, &p, 1, START));
    p.ttl = 63;
    p.checksum = 2; /* an offloaded one: proves nothing */
    assert_true(seen(t, &p, 1, START + 1000));
    p.ip_id = 78;
    assert_false(seen(t, &p, 1, START + 2000));       /* sent again */
    assert_false(seen(t, &p, 1, START + SECOND));     /* the identification came round */
    assert_false(seen(t, &p, 2, START + SECOND));     /* another connection */
    p.ip_id = 0;
    p.ttl = 64;
    assert_false(seen(t, &p, 1, START));
    assert_true(seen(t, &p, 1, START + 1000));
    assert_false(seen(t, &p, 1, START + 5 * SECOND / 1000)); /* no mark, and late enough for a fast retransmission */
    p.ttl = 63;
    assert_true(seen(t, &p, 1, START + 10 * SECOND / 1000));
    p.checksum = 3;
    assert_false(seen(t, &p, 1, START + 10 * SECOND / 1000)); /* another time stamp */
    p.length = 0;
    assert_false(seen(t, &p, 1, START));
    assert_false(seen(t, &p, 1, START)); /* duplicate acknowledgements are meant */
    assert_true(twin_copies(t) > 1.0);
    twin_free(t);
}

/* Two pictures that fall into one slot do not drive each other out, whatever the seed; the third takes the oldest one's place. */
static void twins_have_room_beside_each_other(void **state)
{
    (void)state;
    struct twins *t = twin_new();
    struct packet p[3];
    uint64_t slot = 0;
    for (uint32_t i = 0, seq = 0; i < 3; seq++) {
        p[i] = (struct packet){.from = endpoint(1, 1000), .seq = seq, .length = 10, .flags = PACKET_ACK, .ip_id = 77, .ttl = 64};
        uint64_t sum = twin_sum(&p[i], 1);
        if (i == 0)
            slot = sum % TWIN_SLOTS;
        i += sum % TWIN_SLOTS == slot;
    }
    assert_false(seen(t, &p[0], 1, START));
    assert_false(seen(t, &p[1], 1, START));
    assert_true(seen(t, &p[0], 1, START + 1000));
    assert_true(seen(t, &p[1], 1, START + 1000));
    assert_false(seen(t, &p[2], 1, START + 2000));
    assert_true(seen(t, &p[1], 1, START + 3000));
    assert_true(seen(t, &p[2], 1, START + 3000));
    assert_false(seen(t, &p[0], 1, START + 4000));
    twin_free(t);
}

/* ---- the tracker */

static struct capture_counters counters;
static struct tracker *tracker;
static char said[1 << 16];
static unsigned ticks;
static int64_t now;
static bool refuse;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t at = strlen(said);
    va_list ap;
    va_start(ap, format);
    vsnprintf(said + at, sizeof said - at, format, ap);
    va_end(ap);
}

static void *sink_open(void *user, const struct connection *c)
{
    (void)user;
    note(" open%d:%u>%u%s", (int)c->number, c->side[CLIENT].port, c->side[SERVER].port, c->client_certain ? "" : "?");
    return refuse ? NULL : (void *)(uintptr_t)c->number;
}

static void sink_bytes(void *session, enum side from, struct span bytes, int64_t time)
{
    (void)time;
    note(" %d%c:%.*s", (int)(uintptr_t)session, from == CLIENT ? 'C' : 'S', (int)bytes.n, (const char *)bytes.p);
}

static void sink_gap(void *session, enum side from, uint64_t n, int64_t time)
{
    (void)time;
    note(" %d%c-%d", (int)(uintptr_t)session, from == CLIENT ? 'C' : 'S', (int)n);
}

static void sink_end(void *session, enum end how, int64_t time)
{
    (void)time;
    note(" end%d:%s", (int)(uintptr_t)session, (const char *const[]){"closed", "reset", "idle", "evicted", "capture"}[how]);
}

static uint32_t sink_mark(const void *session)
{
    (void)session;
    return 0;
}

static void sink_tick(void *user, int64_t time)
{
    (void)user;
    assert_int_equal(time % SECOND, 0);
    ticks++;
}

static void begin(int64_t flows)
{
    static struct capture_settings settings;
    static const struct capture_sink sink = {
        .open = sink_open, .bytes = sink_bytes, .gap = sink_gap, .end = sink_end, .content_mark = sink_mark, .tick = sink_tick};
    settings = (struct capture_settings){.mail_ports = {{25, 587}, 2}, .detect_other_ports = true, .flows = flows,
        .reassembly_bytes = 1 << 20, .idle = 900 * SECOND, .reorder = SECOND / 5, .fragments = 1};
    counters = (struct capture_counters){0};
    tracker = track_new(&settings, &sink, &counters);
    assert_non_null(tracker);
    said[0] = '\0';
    ticks = 0;
    now = START;
    refuse = false;
}

static void take(const struct packet *p)
{
    struct tracked one = {.packet = *p, .tcp = true};
    track_look(track_index(tracker), &one);
    track_packets(tracker, &one, 1);
}

static void packet(unsigned from, unsigned to, uint32_t seq, uint32_t ack, unsigned flags, const char *text)
{
    struct packet p = {.time = now, .from = endpoint(from, from), .to = endpoint(to, to), .seq = seq, .ack = ack, .flags = (uint8_t)flags,
                       .payload = span_text(text), .length = (uint32_t)strlen(text)};
    now += SECOND / 100;
    take(&p);
}

static void handshake(unsigned client, unsigned server, uint32_t isn, uint32_t server_isn)
{
    packet(client, server, isn, 0, PACKET_SYN, "");
    packet(server, client, server_isn, isn + 1, PACKET_SYN | PACKET_ACK, "");
    packet(client, server, isn + 1, server_isn + 1, PACKET_ACK, "");
}

static void finish(const char *expected)
{
    track_finish(tracker, track_now(tracker));
    assert_string_equal(said, expected);
    track_free(tracker);
}

static void syn_tells_the_client(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(25, 587, 901, 101, PACKET_SYN | PACKET_ACK, ""); /* the answer is captured first, and the client's port is a mail port too */
    packet(587, 25, 100, 0, PACKET_SYN, "");
    packet(25, 587, 902, 101, PACKET_ACK, "220");
    assert_int_equal(counters.flows, 2);
    finish(" open1:4000>25 1S:220 open2:587>25 2S:220 end1:capture end2:capture");
}

static void without_syn_the_port_tells(void **state)
{
    (void)state;
    begin(16);
    packet(25, 4000, 901, 101, PACKET_ACK, "250");
    packet(24, 587, 1, 1, PACKET_ACK, "EHLO");
    packet(25, 587, 1, 1, PACKET_ACK, "EHLO");
    finish(" open1:4000>25? 1S:250 open2:24>587? 2C:EHLO open3:25>587? 3C:EHLO end1:capture end2:capture end3:capture");
}

static void late_syn_is_the_same_connection(void **state)
{
    (void)state;
    begin(16);
    packet(4000, 25, 101, 901, PACKET_ACK, "");
    packet(4000, 25, 100, 0, PACKET_SYN, "");
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(25, 4000, 900, 101, PACKET_SYN | PACKET_ACK, "");
    packet(4000, 25, 100, 0, PACKET_SYN, ""); /* sent again */
    assert_int_equal(counters.flows, 1);
    finish(" open1:4000>25 1S:220 end1:capture");
}

static void endpoints_are_used_again(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    handshake(4000, 25, 70000, 33); /* the old one died unseen */
    packet(25, 4000, 34, 70001, PACKET_ACK, "421");
    packet(25, 4000, 37, 70001, PACKET_ACK | PACKET_FIN, "");
    packet(4000, 25, 70001, 38, PACKET_ACK | PACKET_FIN, "");
    packet(25, 4000, 38, 70002, PACKET_ACK, ""); /* late packets of a closed connection */
    handshake(4000, 25, 80000, 44);
    packet(25, 4000, 45, 80001, PACKET_ACK, "220");
    assert_int_equal(counters.flows, 3);
    finish(" open1:4000>25 1S:220 end1:reset open2:4000>25 2S:421 end2:closed open3:4000>25 3S:220 end3:capture");
}

static void forged_syn_ends_nothing(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(4000, 25, 555555, 0, PACKET_SYN, "");
    packet(25, 4000, 904, 101, PACKET_ACK, ""); /* the challenge */
    packet(4000, 25, 101, 904, PACKET_ACK, "EHLO");
    assert_int_equal(counters.flows, 1);
    finish(" open1:4000>25 1S:220 1C:EHLO end1:capture");
}

static void silence_ends_a_connection(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    now += 899 * SECOND;
    packet(5000, 25, 1, 0, PACKET_SYN, "");
    assert_string_equal(said, " open1:4000>25 1S:220");
    now += 3 * SECOND;
    packet(5000, 25, 1, 0, PACKET_SYN, "");
    assert_int_equal(ticks, 902);
    finish(" open1:4000>25 1S:220 end1:idle");
}

static void silence_is_no_new_connection(void **state)
{
    (void)state;
    begin(16);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(4000, 25, 101, 904, PACKET_ACK, "EHLO");
    now += 10000 * SECOND;
    packet(25, 4000, 901, 101, PACKET_ACK, "220"); /* a ghost: bytes that were said */
    packet(4000, 25, 105, 904, PACKET_ACK, "");
    assert_int_equal(counters.flows, 1);
    packet(4000, 25, 105, 904, PACKET_ACK, "NOOP"); /* it lives */
    assert_int_equal(counters.flows, 2);
    finish(" open1:4000>25? 1S:220 1C:EHLO end1:idle open2:4000>25? 2C:NOOP end2:capture");
}

static void closed_connections_stay_closed(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK | PACKET_FIN, "220");
    packet(4000, 25, 101, 905, PACKET_ACK | PACKET_FIN, "");
    now += 10000 * SECOND;
    packet(4000, 25, 101, 905, PACKET_ACK, "x");
    packet(4000, 25, 102, 905, PACKET_RST, "");
    assert_int_equal(counters.flows, 1);
    packet(25, 4000, 0x70000000, 7, PACKET_ACK, "250"); /* another numbering: its SYN was lost */
    packet(4000, 25, 7, 0x70000003, PACKET_ACK | PACKET_FIN, "");
    packet(25, 4000, 0x70000003, 8, PACKET_ACK | PACKET_FIN, "");
    now += SECOND;
    handshake(4000, 25, 100, 900); /* by a sender that knows one number only */
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(25, 4000, 904, 101, PACKET_RST, "");
    now += SECOND;
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    assert_int_equal(counters.flows, 4);
    finish(" open1:4000>25 1S:220 end1:closed open2:4000>25? 2S:250 end2:closed open3:4000>25 3S:220 end3:reset"
           " open4:4000>25 4S:220 end4:capture");
}

static void the_coldest_goes_first(void **state)
{
    (void)state;
    begin(16);
    for (unsigned i = 0; i < 16; i++) {
        handshake(4000 + i, 25, 100, 900);
        packet(25, 4000 + i, 901, 101, PACKET_ACK, "2");
        now += 3 * SECOND;
    }
    packet(25, 4000, 902, 101, PACKET_ACK, "2"); /* the first speaks again */
    said[0] = '\0';
    packet(5000, 25, 100, 0, PACKET_SYN, "");
    assert_string_equal(said, " end2:evicted");
    assert_int_equal(counters.flows_evicted, 1);
    track_finish(tracker, track_now(tracker));
    track_free(tracker);
}

static void tunnels_are_apart(void **state)
{
    (void)state;
    begin(16);
    for (uint32_t tunnel = 1; tunnel <= 2; tunnel++) {
        struct packet p = {.time = now, .from = endpoint(25, 25), .to = endpoint(4000, 4000), .tunnel = tunnel, .flags = PACKET_ACK,
                           .payload = span_text("220"), .length = 3};
        take(&p);
    }
    assert_int_equal(counters.flows, 2);
    finish(" open1:4000>25? 1S:220 open2:4000>25? 2S:220 end1:capture end2:capture");
}

static void one_sided_connections_are_counted(void **state)
{
    (void)state;
    begin(16);
    packet(25, 4000, 900, 101, PACKET_SYN | PACKET_ACK, "");
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(25, 4000, 904, 120, PACKET_ACK, "250");
    handshake(4001, 25, 1, 1);
    packet(4001, 25, 2, 2, PACKET_ACK, "EHLO");
    packet(4002, 25, 2, 2, PACKET_SYN, "");
    track_finish(tracker, track_now(tracker));
    assert_int_equal(counters.one_sided_flows, 1);
    assert_string_equal(said, " open1:4000>25 1S:220 open2:4001>25 2C:EHLO 1S:250 end1:capture end2:capture");
    track_free(tracker);
}

static void nobody_is_told_of_a_refused_connection(void **state)
{
    (void)state;
    begin(16);
    refuse = true;
    handshake(4000, 25, 100, 900);
    packet(25, 4000, 901, 101, PACKET_ACK, "220");
    packet(25, 4000, 910, 101, PACKET_ACK | PACKET_FIN, "220");
    packet(4000, 25, 101, 914, PACKET_ACK | PACKET_FIN, "");
    assert_int_equal(counters.gaps, 0);
    finish(" open1:4000>25");
}

static void other_ports_are_handed_over_from_the_first_byte(void **state)
{
    (void)state;
    begin(16);
    handshake(4000, 8025, 100, 900);
    packet(8025, 4000, 901, 101, PACKET_ACK, "220 a");
    packet(8025, 4000, 908, 101, PACKET_ACK, "\r\n");
    packet(8025, 4000, 906, 101, PACKET_ACK, " b");
    assert_string_equal(said, "");
    packet(4000, 8025, 101, 910, PACKET_ACK, "EH");
    packet(4000, 8025, 103, 910, PACKET_ACK, "LO c\r\n");
    handshake(4001, 8021, 100, 900);
    packet(8021, 4001, 901, 101, PACKET_ACK, "220 ftp\r\n");
    packet(4001, 8021, 101, 910, PACKET_ACK, "USER anonymous\r\n");
    assert_int_equal(counters.detected_flows, 1);
    finish(" open1:4000>8025 1S:220 a 1S: b 1S:\r\n 1C:EH 1C:LO c\r\n end1:capture");
}

static void time_may_jump(void **state)
{
    (void)state;
    begin(16);
    packet(25, 4000, 901, 101, PACKET_ACK, "a");
    now -= SECOND / 2; /* shuffled */
    packet(25, 4000, 902, 101, PACKET_ACK, "b");
    assert_true(track_now(tracker) == START);
    now = FRAME_TIME_MOST;
    packet(25, 4000, 903, 101, PACKET_ACK, "c");
    now = 0;
    packet(25, 4000, 904, 101, PACKET_ACK, "d");
    assert_true(track_now(tracker) == 0 && track_first(tracker) == START);
    assert_true(ticks <= 604802);
    finish(" open1:4000>25? 1S:a 1S:b end1:idle open2:4000>25? 2S:c 2S:d end2:capture");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_against_a_model),
        cmocka_unit_test(table_grows),
        cmocka_unit_test(wheel_gives_each_its_time),
        cmocka_unit_test(twins_are_not_retransmissions),
        cmocka_unit_test(twins_have_room_beside_each_other),
        cmocka_unit_test(syn_tells_the_client),
        cmocka_unit_test(without_syn_the_port_tells),
        cmocka_unit_test(late_syn_is_the_same_connection),
        cmocka_unit_test(endpoints_are_used_again),
        cmocka_unit_test(forged_syn_ends_nothing),
        cmocka_unit_test(silence_ends_a_connection),
        cmocka_unit_test(silence_is_no_new_connection),
        cmocka_unit_test(closed_connections_stay_closed),
        cmocka_unit_test(the_coldest_goes_first),
        cmocka_unit_test(tunnels_are_apart),
        cmocka_unit_test(one_sided_connections_are_counted),
        cmocka_unit_test(nobody_is_told_of_a_refused_connection),
        cmocka_unit_test(other_ports_are_handed_over_from_the_first_byte),
        cmocka_unit_test(time_may_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
