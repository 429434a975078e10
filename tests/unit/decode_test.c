/* capture/decode: one TCP segment in every wrapping there is; cut, padded, broken and too deep ones.  Frames lie in memory of exactly their
 * size, so that the sanitizers see a byte too far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "capture/decode.h"

/* A frame is built from the inside out: each call puts its header before what is there. */
struct build {
    uint8_t b[4096];
    size_t at;
};

static void put(struct build *b, const void *bytes, size_t n)
{
    b->at -= n;
    memcpy(b->b + b->at, bytes, n);
}

#define PUT(b, ...) put(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static size_t size(const struct build *b)
{
    return sizeof b->b - b->at;
}

static void ip4(struct build *b, uint8_t protocol)
{
    size_t total = size(b) + 20;
    PUT(b, 0x45, 0, (uint8_t)(total >> 8), (uint8_t)total, 0x12, 0x34, 0x40, 0, 63, protocol, 0, 0, 10, 1, 0, 10, 192, 0, 2, 25);
}

static void ip6(struct build *b, uint8_t next)
{
    size_t n = size(b);
    PUT(b, 0x60, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, next, 61, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa, 0x20, 1, 0xd,
        0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x19);
}

static void ethernet(struct build *b, uint16_t type)
{
    PUT(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(type >> 8), (uint8_t)type);
}

static void udp(struct build *b, uint16_t to)
{
    size_t n = size(b) + 8;
    PUT(b, 0xc0, 0, (uint8_t)(to >> 8), (uint8_t)to, (uint8_t)(n >> 8), (uint8_t)n, 0, 0);
}

/* The segment: 40000 to 25, sequence 0x01020304, 12 bytes of options, "EHLO x". */
static void tcp(struct build *b)
{
    b->at = sizeof b->b;
    put(b, "EHLO x", 6);
    PUT(b, 0x9c, 0x40, 0, 25, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x18, 0x20, 0, 0xab, 0xcd, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2);
}

static void tcp4(struct build *b)
{
    tcp(b);
    ip4(b, 6);
}

static void tcp6(struct build *b)
{
    tcp(b);
    ip6(b, 6);
}

static void in_ethernet(struct build *b)
{
    tcp4(b);
    ethernet(b, 0x0800);
}

static void plain(struct build *b)
{
    in_ethernet(b);
}

static void plain6(struct build *b)
{
    tcp6(b);
    ethernet(b, 0x86dd);
}

static void vlan(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 7, 0x08, 0);
    ethernet(b, 0x8100);
}

static void tags_of_every_kind(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 7, 0x92, 0, 0, 7, 0x93, 0, 0, 7, 0x08, 0);
    PUT(b, 0, 7, 0x91, 0, 0, 7, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 7, 0x91, 0);
    ethernet(b, 0x88a8);
}

static void snap(struct build *b)
{
    tcp4(b);
    PUT(b, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0);
    ethernet(b, (uint16_t)size(b));
}

static void mpls(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 1, 0, 64, 0, 1, 0, 64, 0, 1, 1, 64);
    ethernet(b, 0x8847);
}

static void mpls6(struct build *b)
{
    tcp6(b);
    PUT(b, 0, 1, 1, 64);
    ethernet(b, 0x8847);
}

static void pseudowire(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0, 1, 1, 64, 0, 0, 0, 0);
    ethernet(b, 0x8848);
}

static void pseudowire_without_control(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0, 1, 1, 64);
    ethernet(b, 0x8847);
    b->b[b->at + 18] = 0x22; /* a MAC address that begins neither 0, 4 nor 6 */
}

static void pppoe(struct build *b)
{
    tcp4(b);
    PUT(b, 0x11, 0, 0, 1, 0, 100, 0, 0x21);
    ethernet(b, 0x8864);
}

static void pppoe6(struct build *b)
{
    tcp6(b);
    PUT(b, 0x11, 0, 0, 1, 0, 100, 0x57);
    ethernet(b, 0x8864);
}

static void gre(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 0, 8, 0);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void gre_full(struct build *b) /* checksum, key 0x01020304, sequence */
{
    tcp6(b);
    PUT(b, 0xb0, 0, 0x86, 0xdd, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 9);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void gre_routed(struct build *b)
{
    tcp4(b);
    PUT(b, 0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void gre_bridged(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0, 0, 0x65, 0x58);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void nvgre(struct build *b) /* network 0x010203, flow 4 */
{
    in_ethernet(b);
    PUT(b, 0x20, 0, 0x65, 0x58, 1, 2, 3, 4);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void pptp(struct build *b)
{
    tcp4(b);
    PUT(b, 0x30, 0x81, 0x88, 0x0b, 0, 60, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void erspan1(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0, 0, 0x88, 0xbe);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void erspan2(struct build *b)
{
    vlan(b);
    PUT(b, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 5, 0, 0, 0, 0);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void erspan3(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 7, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void erspan3_platform(struct build *b) /* with a platform's header, and bare IP inside */
{
    tcp4(b);
    PUT(b, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 7, 0, 5, 1, 2, 3, 4, 0, 0, 0x08, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    ip4(b, 47);
    ethernet(b, 0x0800);
}

static void vxlan(struct build *b)
{
    in_ethernet(b);
    PUT(b, 8, 0, 0, 0, 0x01, 0x02, 0x03, 0);
    udp(b, 4789);
    ip4(b, 17);
    ethernet(b, 0x0800);
}

static void vxlan_linux(struct build *b)
{
    plain6(b);
    PUT(b, 8, 0, 0, 0, 0x01, 0x02, 0x03, 0);
    udp(b, 8472);
    ip6(b, 17);
    ethernet(b, 0x86dd);
}

static void geneve(struct build *b)
{
    in_ethernet(b);
    PUT(b, 2, 0, 0x65, 0x58, 0x01, 0x02, 0x03, 0, 0, 1, 2, 1, 0, 0, 0, 0);
    udp(b, 6081);
    ip4(b, 17);
    ethernet(b, 0x0800);
}

static void geneve_ip(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 0, 8, 0, 0x01, 0x02, 0x03, 0);
    udp(b, 6081);
    ip4(b, 17);
    ethernet(b, 0x0800);
}

static void tzsp(struct build *b)
{
    in_ethernet(b);
    PUT(b, 1, 0, 0, 1, 0, 10, 1, 0xaa, 1);
    udp(b, 37008);
    ip4(b, 17);
    ethernet(b, 0x0800);
}

static void ip_in_ip(struct build *b)
{
    tcp4(b);
    ip4(b, 4);
    ethernet(b, 0x0800);
}

static void six_in_four(struct build *b)
{
    tcp6(b);
    ip4(b, 41);
    ethernet(b, 0x0800);
}

static void four_in_six(struct build *b)
{
    tcp4(b);
    ip6(b, 4);
    ethernet(b, 0x86dd);
}

static void six_in_six(struct build *b)
{
    tcp6(b);
    ip6(b, 41);
    ethernet(b, 0x86dd);
}

static void etherip(struct build *b)
{
    in_ethernet(b);
    PUT(b, 0x30, 0);
    ip4(b, 97);
    ethernet(b, 0x0800);
}

static void authenticated(struct build *b)
{
    tcp(b);
    PUT(b, 6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    ip4(b, 51);
    ethernet(b, 0x0800);
}

static void ip_options(struct build *b)
{
    tcp(b);
    size_t total = size(b) + 24;
    PUT(b, 0x46, 0, (uint8_t)(total >> 8), (uint8_t)total, 0x12, 0x34, 0, 0, 63, 6, 0, 0, 10, 1, 0, 10, 192, 0, 2, 25, 1, 1, 1, 0);
    ethernet(b, 0x0800);
}

static void extensions(struct build *b) /* hop-by-hop, destination, AH, a fragment header that stands alone, destination */
{
    tcp(b);
    PUT(b, 6, 0, 1, 4, 0, 0, 0, 0);
    PUT(b, 60, 0, 0, 0, 0, 0, 0, 1);
    PUT(b, 44, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4);
    PUT(b, 51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    PUT(b, 60, 0, 5, 2, 0, 0, 1, 0);
    ip6(b, 0);
    ethernet(b, 0x86dd);
}

static void routed(struct build *b) /* type 0, one segment left: the flow's address is the last one */
{
    tcp(b);
    PUT(b, 6, 2, 0, 1, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x19);
    ip6(b, 43);
    b->b[b->at + 39] = 0x77; /* on the way */
    ethernet(b, 0x86dd);
}

static void null_little(struct build *b)
{
    tcp4(b);
    PUT(b, 2, 0, 0, 0);
}

static void null_big6(struct build *b)
{
    tcp6(b);
    PUT(b, 0, 0, 0, 30);
}

static void ppp(struct build *b)
{
    tcp4(b);
    PUT(b, 0xff, 3, 0, 0x21);
}

static void ppp_compressed(struct build *b)
{
    tcp4(b);
    PUT(b, 0x21);
}

static void ppp_mpls(struct build *b)
{
    tcp4(b);
    PUT(b, 2, 0x81, 0, 1, 1, 64);
}

static void cisco(struct build *b)
{
    tcp4(b);
    PUT(b, 0x0f, 0, 8, 0);
}

static void session(struct build *b)
{
    tcp4(b);
    PUT(b, 0x11, 0, 0, 1, 0, 100, 0, 0x21);
}

static void cooked(struct build *b)
{
    tcp4(b);
    PUT(b, 0, 7, 0x08, 0);
    PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0);
}

static void cooked2(struct build *b)
{
    tcp6(b);
    PUT(b, 0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0);
}

static const struct wrapping {
    void (*make)(struct build *b);
    uint32_t link;
    uint32_t tunnel;
    bool v6, tagged, tunnelled;
} wrappings[] = {
    {plain, 1, 0, 0, 0, 0},
    {plain6, 1, 0, 1, 0, 0},
    {vlan, 1, 0, 0, 1, 0},
    {tags_of_every_kind, 1, 0, 0, 1, 0},
    {snap, 1, 0, 0, 0, 0},
    {mpls, 1, 0, 0, 0, 0},
    {mpls6, 1, 0, 1, 0, 0},
    {pseudowire, 1, 0, 0, 0, 0},
    {pseudowire_without_control, 1, 0, 0, 0, 0},
    {pppoe, 1, 0, 0, 0, 0},
    {pppoe6, 1, 0, 1, 0, 0},
    {gre, 1, 0, 0, 0, 1},
    {gre_full, 1, 0x01020304, 1, 0, 1},
    {gre_routed, 1, 0, 0, 0, 1},
    {gre_bridged, 1, 0, 0, 0, 1},
    {nvgre, 1, 0x01020300, 0, 0, 1},
    {pptp, 1, 0, 0, 0, 1},
    {erspan1, 1, 0, 0, 0, 1},
    {erspan2, 1, 0, 0, 1, 1},
    {erspan3, 1, 0, 0, 0, 1},
    {erspan3_platform, 1, 0, 0, 0, 1},
    {vxlan, 1, 0x010203, 0, 0, 1},
    {vxlan_linux, 1, 0x010203, 1, 0, 1},
    {geneve, 1, 0x010203, 0, 0, 1},
    {geneve_ip, 1, 0x010203, 0, 0, 1},
    {tzsp, 1, 0, 0, 0, 1},
    {ip_in_ip, 1, 0, 0, 0, 1},
    {six_in_four, 1, 0, 1, 0, 1},
    {four_in_six, 1, 0, 0, 0, 1},
    {six_in_six, 1, 0, 1, 0, 1},
    {etherip, 1, 0, 0, 0, 1},
    {authenticated, 1, 0, 0, 0, 0},
    {ip_options, 1, 0, 0, 0, 0},
    {extensions, 1, 0, 1, 0, 0},
    {routed, 1, 0, 1, 0, 0},
    {null_little, 0, 0, 0, 0, 0},
    {null_little, 108, 0, 0, 0, 0},
    {null_big6, 0, 0, 1, 0, 0},
    {null_big6, 108, 0, 1, 0, 0},
    {ppp, 9, 0, 0, 0, 0},
    {ppp, 50, 0, 0, 0, 0},
    {ppp_compressed, 9, 0, 0, 0, 0},
    {ppp_mpls, 9, 0, 0, 0, 0},
    {cisco, 50, 0, 0, 0, 0},
    {cisco, 104, 0, 0, 0, 0},
    {session, 51, 0, 0, 0, 0},
    {cooked, 113, 0, 0, 1, 0},
    {cooked2, 276, 0, 1, 0, 0},
    {tcp4, 12, 0, 0, 0, 0},
    {tcp4, 14, 0, 0, 0, 0},
    {tcp6, 101, 0, 1, 0, 0},
    {tcp4, 228, 0, 0, 0, 0},
    {tcp6, 229, 0, 1, 0, 0},
};
#define WRAPPINGS (sizeof wrappings / sizeof wrappings[0])

struct bench {
    struct capture_counters counters;
    struct decoder *decoder;
    struct packet packet;
    struct frame frame;
    uint8_t *bytes; /* exactly as many as captured */
};

static int set_up(void **state)
{
    struct bench *t = calloc(1, sizeof *t);
    t->decoder = decode_new(16, &t->counters);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *t = *state;
    decode_free(t->decoder);
    free(t->bytes);
    free(t);
    return 0;
}

static bool decode(struct bench *t, uint32_t link, const uint8_t *p, size_t captured, size_t length)
{
    free(t->bytes);
    t->bytes = malloc(captured ? captured : 1);
    memcpy(t->bytes, p, captured);
    t->counters = (struct capture_counters){0};
    t->frame = (struct frame){t->bytes, (uint32_t)captured, (uint32_t)length, 1000, link};
    return decode_frame(t->decoder, &t->frame, &t->packet);
}

static bool decode_build(struct bench *t, uint32_t link, const struct build *b)
{
    return decode(t, link, b->b + b->at, size(b), size(b));
}

static void check_segment(const struct packet *p, const struct wrapping *w)
{
    char from[ADDRESS_TEXT], to[ADDRESS_TEXT];
    assert_string_equal(address_text(p->from.address, from), w->v6 ? "2001:db8::a" : "10.1.0.10");
    assert_string_equal(address_text(p->to.address, to), w->v6 ? "2001:db8::19" : "192.0.2.25");
    assert_int_equal(p->from.port, 40000);
    assert_int_equal(p->to.port, 25);
    assert_int_equal(p->seq, 0x01020304);
    assert_int_equal(p->ack, 0x05060708);
    assert_int_equal(p->flags, PACKET_ACK | PACKET_PSH);
    assert_int_equal(p->checksum, 0xabcd);
    assert_int_equal(p->ip_id, w->v6 ? 0 : 0x1234);
    assert_int_equal(p->ttl, w->v6 ? 61 : 63);
    assert_int_equal(p->tunnel, w->tunnel);
    assert_int_equal(p->tcp.n, 32);
    assert_int_equal(p->length, 6);
    assert_int_equal(p->time, 1000);
    assert_int_equal(p->ip.p[0] >> 4, w->v6 ? 6 : 4);
    assert_ptr_equal(p->ip.p + p->ip.n, p->payload.p + p->payload.n);
}

static void every_wrapping(void **state)
{
    struct bench *t = *state;
    for (size_t i = 0; i < WRAPPINGS; i++) {
        const struct wrapping *w = &wrappings[i];
        struct build b;
        w->make(&b);
        if (!decode_build(t, w->link, &b))
            fail_msg("wrapping %zu is not decoded", i);
        check_segment(&t->packet, w);
        assert_true(span_equal(t->packet.payload, span_text("EHLO x")));
        assert_int_equal(t->counters.vlan, w->tagged);
        assert_int_equal(t->counters.tunnelled, w->tunnelled);
        assert_int_equal(t->counters.undecodable + t->counters.cut, 0);
    }
}

/* Cut anywhere by the snap length: a segment whose payload's true length is known, or a counted frame; never a wrong segment. */
static void every_cut(void **state)
{
    struct bench *t = *state;
    for (size_t i = 0; i < WRAPPINGS; i++) {
        const struct wrapping *w = &wrappings[i];
        struct build b;
        w->make(&b);
        for (size_t n = 0; n < size(&b); n++) {
            if (decode(t, w->link, b.b + b.at, n, size(&b))) {
                assert_true(n + 18 >= size(&b)); /* 12 bytes of options and the payload may be missing */
                assert_int_equal(t->packet.length, 6);
                assert_int_equal(t->packet.seq, 0x01020304);
                assert_int_equal(t->packet.payload.n, n + 6 > size(&b) ? n + 6 - size(&b) : 0);
                assert_int_equal(t->counters.cut, 1);
                assert_int_equal(t->counters.undecodable, 0);
            } else {
                assert_int_equal(t->counters.undecodable + t->counters.not_ip + t->counters.not_tcp, 1);
            }
        }
    }
}

/* Trailing bytes (padding to 60, a checksum) belong to nobody. */
static void padding(void **state)
{
    struct bench *t = *state;
    for (size_t i = 0; i < WRAPPINGS; i++) {
        const struct wrapping *w = &wrappings[i];
        struct build b;
        w->make(&b);
        uint8_t padded[sizeof b.b] = {0};
        memcpy(padded, b.b + b.at, size(&b));
        assert_true(decode(t, w->link, padded, size(&b) + 13, size(&b) + 13));
        assert_true(span_equal(t->packet.payload, span_text("EHLO x")));
        assert_int_equal(t->packet.length, 6);
    }
}

/* Any single byte wrong: the straight way and the long way agree, and nothing points outside the frame. */
static void straight_and_long_way_agree(void **state)
{
    struct bench *t = *state;
    for (size_t i = 0; i < WRAPPINGS; i++) {
        struct build b;
        wrappings[i].make(&b);
        for (size_t at = b.at; at < sizeof b.b; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                b.b[at] ^= (uint8_t)(1u << bit);
                bool tcp_found = decode_build(t, wrappings[i].link, &b);
                struct packet straight = t->packet, longer;
                memset(&longer, 0, sizeof longer);
                assert_int_equal(decode_any(t->decoder, &t->frame, &longer), tcp_found);
                if (tcp_found) {
                    assert_true(straight.payload.p >= t->bytes && straight.payload.p + straight.payload.n <= t->bytes + size(&b));
                    assert_ptr_equal(straight.payload.p, longer.payload.p);
                    assert_int_equal(straight.payload.n, longer.payload.n);
                    assert_int_equal(straight.length, longer.length);
                    assert_ptr_equal(straight.ip.p, longer.ip.p);
                    assert_int_equal(straight.ip.n, longer.ip.n);
                    assert_ptr_equal(straight.tcp.p, longer.tcp.p);
                    assert_int_equal(straight.tcp.n, longer.tcp.n);
                    assert_memory_equal(&straight.from, &longer.from, sizeof straight.from);
                    assert_memory_equal(&straight.to, &longer.to, sizeof straight.to);
                    assert_int_equal(straight.ttl, longer.ttl);
                    assert_int_equal(straight.ip_id, longer.ip_id);
                    assert_int_equal(straight.checksum, longer.checksum);
                }
                b.b[at] ^= (uint8_t)(1u << bit);
            }
        }
    }
}

/* A card cuts up what it is given: the length was still 0 when the mirror saw it. */
static void length_left_to_the_card(void **state)
{
    struct bench *t = *state;
    struct build b;
    plain(&b);
    memset(b.b + b.at + 16, 0, 2);
    assert_true(decode_build(t, 1, &b));
    check_segment(&t->packet, &wrappings[0]);
    assert_int_equal(t->counters.unsized, 1);
    plain6(&b);
    memset(b.b + b.at + 18, 0, 2);
    assert_true(decode_build(t, 1, &b));
    check_segment(&t->packet, &wrappings[1]);
}

static void broken_headers(void **state)
{
    struct bench *t = *state;
    static const struct {
        size_t at; /* in a plain frame */
        uint8_t value;
        size_t counter;
    } breaks[] = {
        {14, 0x44, offsetof(struct capture_counters, bad_ip)},  /* a header of 16 bytes */
        {14, 0x4f, offsetof(struct capture_counters, bad_ip)},  /* of 60, more than the packet has by its length */
        {14, 0x75, offsetof(struct capture_counters, bad_ip)},  /* version 7 */
        {17, 19, offsetof(struct capture_counters, bad_ip)},    /* 19 bytes in all */
        {17, 39, offsetof(struct capture_counters, bad_tcp)},   /* 19 bytes of TCP */
        {46, 0x40, offsetof(struct capture_counters, bad_tcp)}, /* a TCP header of 16 bytes */
        {46, 0xf0, offsetof(struct capture_counters, bad_tcp)}, /* of 60 */
    };
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct build b;
        plain(&b);
        b.b[b.at + breaks[i].at] = breaks[i].value;
        assert_false(decode_build(t, 1, &b));
        uint64_t count;
        memcpy(&count, (const char *)&t->counters + breaks[i].counter, sizeof count);
        assert_int_equal(count, 1);
        assert_int_equal(t->counters.undecodable, 1);
    }
    struct build b;
    plain(&b);
    assert_false(decode_build(t, 127, &b)); /* a link type nobody knows */
    assert_int_equal(t->counters.bad_link, 1);
}

static void other_traffic(void **state)
{
    struct bench *t = *state;
    struct build b = {.at = sizeof b.b};
    put(&b, "dns", 3);
    udp(&b, 53);
    ip4(&b, 17);
    ethernet(&b, 0x0800);
    assert_false(decode_build(t, 1, &b));
    assert_int_equal(t->counters.not_tcp, 1);
    assert_int_equal(t->counters.undecodable, 0);

    b.at = sizeof b.b; /* only shares VXLAN's port: its one sure bit is not set */
    put(&b, "\0\0\0\0some answer", 15);
    udp(&b, 4789);
    ip4(&b, 17);
    ethernet(&b, 0x0800);
    assert_false(decode_build(t, 1, &b));
    assert_int_equal(t->counters.not_tcp, 1);
    assert_int_equal(t->counters.tunnelled, 0);

    b.at = sizeof b.b;
    put(&b, "arp", 3);
    ethernet(&b, 0x0806);
    assert_false(decode_build(t, 1, &b));
    assert_int_equal(t->counters.not_ip, 1);
    assert_int_equal(t->counters.undecodable, 0);
}

static void depth_is_bounded(void **state)
{
    struct bench *t = *state;
    struct build b;
    tcp4(&b);
    for (int i = 0; i < 12; i++)
        ip4(&b, 4);
    ethernet(&b, 0x0800);
    assert_true(decode_build(t, 1, &b));
    tcp4(&b);
    for (int i = 0; i < 40; i++)
        ip4(&b, 4);
    ethernet(&b, 0x0800);
    assert_false(decode_build(t, 1, &b));
    assert_int_equal(t->counters.too_deep, 1);

    tcp4(&b); /* tags are not layers: any number */
    for (int i = 0; i < 300; i++)
        PUT(&b, 0, 7, i ? 0x81 : 0x08, 0);
    ethernet(&b, 0x8100);
    assert_true(decode_build(t, 1, &b));

    tcp(&b);
    for (int i = 0; i < 100; i++)
        PUT(&b, i ? 60 : 6, 0, 1, 4, 0, 0, 0, 0);
    ip6(&b, 60);
    ethernet(&b, 0x86dd);
    assert_false(decode_build(t, 1, &b));
    assert_int_equal(t->counters.too_deep, 1);
}

/* Through the whole of decode: a segment in fragments, inside a tunnel that is in fragments too. */
static void fragments_in_tunnels(void **state)
{
    struct bench *t = *state;
    struct build inner;
    plain(&inner);
    const uint8_t *ip = inner.b + inner.at + 14;
    size_t tcp_size = size(&inner) - 34, cut = 24;
    int found = 0;
    for (int part = 0; part < 2; part++) {
        struct build b = {.at = sizeof b.b};
        put(&b, ip + 20 + (part ? cut : 0), part ? tcp_size - cut : cut);
        ip4(&b, 6);
        b.b[b.at + 6] = part ? 0 : 0x20;
        b.b[b.at + 7] = part ? (uint8_t)(cut / 8) : 0;
        PUT(&b, 0, 0, 8, 0);
        ip6(&b, 47);
        /* the outer one: IPv6 fragments of 32 bytes */
        uint8_t outer[256];
        size_t n = size(&b) - 40;
        memcpy(outer, b.b + b.at + 40, n);
        for (size_t at = 0; at < n; at += 32) {
            size_t m = n - at < 32 ? n - at : 32;
            struct build f = {.at = sizeof f.b};
            put(&f, outer + at, m);
            PUT(&f, 47, 0, 0, (uint8_t)(at | (at + m < n)), 0, 0, 0, (uint8_t)(part + 1));
            ip6(&f, 44);
            ethernet(&f, 0x86dd);
            if (decode_build(t, 1, &f)) {
                found++;
                assert_true(span_equal(t->packet.payload, span_text("EHLO x")));
                assert_int_equal(t->packet.ip.n, 20 + tcp_size);
                assert_int_equal(t->packet.to.port, 25);
                assert_int_equal(t->packet.ip_id, 0x1234);
            }
        }
    }
    assert_int_equal(found, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_wrapping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(padding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(straight_and_long_way_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(length_left_to_the_card, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_traffic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fragments_in_tunnels, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
