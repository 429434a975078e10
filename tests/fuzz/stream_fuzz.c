/* Hostile segments.  First byte even: straight into reassembly, every byte known by its side and sequence number, so that what comes out
 * can be checked.  Odd: through the whole path behind decode (flows, twins, detection), where the sink checks who may call when. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "capture/stream.h"
#include "capture/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    const uint8_t *p;
    size_t n;
};

static unsigned take(struct script *s)
{
    return s->n ? (s->n--, *s->p++) : 0;
}

static uint8_t letter(enum side side, uint32_t seq) /* the only byte that side ever says there */
{
    return (uint8_t)((seq * 2654435761u >> 13) + side);
}

/* ---- reassembly */

static uint32_t expected[2];
static bool began[2], ended;

static void check_place(const struct flow *f, enum side from, uint32_t n)
{
    assert(!ended && n > 0);
    if (began[from])
        assert(f->next[from] - n == expected[from]);
    began[from] = true;
    expected[from] = f->next[from];
}

static void on_bytes(void *user, struct flow *f, enum side from, struct span bytes, int64_t now)
{
    (void)user, (void)now;
    check_place(f, from, (uint32_t)bytes.n);
    for (size_t i = 0; i < bytes.n; i++)
        assert(bytes.p[i] == letter(from, f->next[from] - (uint32_t)bytes.n + (uint32_t)i));
}

static void on_gap(void *user, struct flow *f, enum side from, uint64_t n, int64_t now)
{
    (void)user, (void)now;
    assert(n <= UINT32_MAX);
    check_place(f, from, (uint32_t)n);
}

static void on_over(void *user, struct flow *f, enum end how, int64_t now)
{
    (void)user, (void)now;
    assert(!f->hold && (how == END_CLOSED || how == END_RESET));
    ended = true;
}

/* A segment near where the sides have got to: seq and ack within a few hundred bytes, now and then far away. */
static struct packet segment(struct script *s, enum side *from, uint32_t sent[2], int64_t *now, uint8_t room[8192])
{
    static const uint8_t flags[8] = {
        PACKET_ACK, PACKET_ACK, PACKET_ACK, PACKET_ACK | PACKET_FIN, PACKET_SYN, PACKET_SYN | PACKET_ACK, PACKET_RST, 0};
    unsigned op = take(s), shape = take(s);
    *from = op & 1 ? SERVER : CLIENT;
    enum side other = side_other(*from);
    uint32_t n = shape & 0x40 ? 32 * take(s) : shape & 0x3f;
    int32_t back = (int32_t)take(s) - 128, ack = (int32_t)take(s) - 128;
    if (shape & 0x80)
        back *= 1 << (op >> 5);
    struct packet p = {.flags = flags[op >> 1 & 7], .seq = sent[*from] + (uint32_t)back, .ack = sent[other] + (uint32_t)ack, .length = n};
    uint32_t at = p.seq + (p.flags & PACKET_SYN ? 1 : 0);
    for (uint32_t i = 0; i < n; i++)
        room[i] = letter(*from, at + i);
    p.payload = span_of(room, op & 0x10 ? n - n / 4 : n);
    if (back >= 0 && back < 4096)
        sent[*from] = at + n;
    *now += (int64_t)take(s) * 5000000;
    p.time = *now;
    return p;
}

static void reassembly(struct script s)
{
    static const struct stream_receiver receiver = {on_bytes, on_gap, on_over, NULL};
    struct capture_counters counters = {0};
    struct streams *streams = stream_new(take(&s) % 8 * 4096 + 2048, 200000000, &receiver, &counters);
    assert(streams);
    struct flow f = {.mode = take(&s) & 1 ? FLOW_NEW : FLOW_HANDED};
    uint32_t sent[2] = {0xffffff00u, 100};
    int64_t now = 0;
    uint8_t room[8192];
    began[0] = began[1] = ended = false;
    while (s.n && !ended) {
        enum side from;
        struct packet p = segment(&s, &from, sent, &now, room);
        stream_tick(streams, now);
        if (!ended)
            stream_segment(streams, &f, from, &p, now);
    }
    if (!ended)
        stream_flush(streams, &f, now);
    assert(!f.hold);
    stream_free(streams);
}

/* ---- the whole path */

struct session {
    bool open;
};
static unsigned sessions;

static void *sink_open(void *user, const struct connection *c)
{
    (void)user;
    if (c->number % 7 == 3)
        return NULL;
    struct session *x = malloc(sizeof *x);
    assert(x);
    x->open = true;
    sessions++;
    return x;
}

static void sink_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    (void)from, (void)now;
    assert(((struct session *)session)->open && bytes.n);
}

static void sink_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    (void)from, (void)now;
    assert(((struct session *)session)->open && n);
}

static void sink_end(void *session, enum end how, int64_t now)
{
    (void)how, (void)now;
    free(session);
    sessions--;
}

static uint32_t sink_mark(const void *session)
{
    (void)session;
    return 0;
}

static void sink_tick(void *user, int64_t now)
{
    (void)user, (void)now;
}

/* Trackers outlive the runs, each of which leaves them empty: making nDPI's tables takes a hundred times as long as the rest. */
static struct tracker *tracker_of(bool detect)
{
    static struct capture_settings settings[2];
    static const struct capture_sink sink = {.open = sink_open, .bytes = sink_bytes, .gap = sink_gap, .end = sink_end,
                                             .content_mark = sink_mark, .tick = sink_tick};
    static struct capture_counters counters;
    static struct tracker *trackers[2];
    if (!trackers[detect]) {
        settings[detect] = (struct capture_settings){.mail_ports = {{25}, 1}, .detect_other_ports = detect, .flows = 16,
            .reassembly_bytes = 65536, .idle = 900 * (int64_t)1000000000, .reorder = 200000000, .fragments = 1};
        trackers[detect] = track_new(&settings[detect], &sink, &counters);
        assert(trackers[detect]);
    }
    return trackers[detect];
}

#define AT_ONCE 6 /* packets handed to the tracker together */

static void whole_path(struct script s, bool detect)
{
    struct tracker *t = tracker_of(detect);
    uint32_t sent[2] = {0xffffff00u, 100};
    int64_t now = 0;
    static uint8_t packets[AT_ONCE][40 + 8192];
    struct tracked tracked[AT_ONCE];
    size_t count = 0;
    while (s.n) {
        uint8_t *packet = packets[count];
        static const uint8_t head[40] = {0x45, [8] = 64, [9] = 6, [12] = 10, [16] = 10, [32] = 0x50};
        memcpy(packet, head, sizeof head);
        unsigned who = take(&s);
        enum side from;
        struct packet p = segment(&s, &from, sent, &now, packet + 40);
        if (who & 0x80 && p.payload.n) { /* words of the dialogue instead */
            static const char *const words[] = {
                "220 a ESMTP\r\n", "EHLO b\r\n", "220 ftp\r\n", "USER c\r\n", "MAIL FROM:<d>\r\n", "HE", "LO e\r\n", "\x16\x03\x01\x02"};
            p.payload = span_text(words[who >> 4 & 7]);
            p.length = (uint32_t)p.payload.n;
            memcpy(packet + 40, p.payload.p, p.payload.n);
            p.payload.p = packet + 40;
        }
        if (who % 32 == 9)
            now += (int64_t)who * 1000000000 * (who & 0x04 ? -1 : 1);
        p.time = now < 0 ? (now = 0) : now;
        struct endpoint client = {address_v4((const uint8_t[]){10, 0, 0, (uint8_t)(who & 3)}), (uint16_t)(1000 + (who >> 2 & 31))};
        struct endpoint server = {address_v4((const uint8_t[]){10, 0, 1, 1}), who & 1 ? 25 : 8025};
        p.from = from == CLIENT ? client : server;
        p.to = from == CLIENT ? server : client;
        p.ip_id = (uint16_t)(who & 0x40 ? s.n : 0);
        p.ip = span_of(packet, 40 + p.payload.n);
        packet[2] = (uint8_t)(p.ip.n >> 8);
        packet[3] = (uint8_t)p.ip.n;
        tracked[count] = (struct tracked){.packet = p, .tcp = who != 0xff, .captured = (uint32_t)p.ip.n};
        track_look(track_index(t), &tracked[count++]);
        if (count == AT_ONCE || who % 3 == 0 || s.n == 0) {
            track_packets(t, tracked, count);
            count = 0;
        }
    }
    track_finish(t, track_now(t));
    assert(sessions == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned way = take(&s);
    if (way & 1)
        whole_path(s, way & 2);
    else
        reassembly(s);
    return 0;
}
