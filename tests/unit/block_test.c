/* capture/block: the frames of a block of the kernel, made here: where they lie, tags put back, headers that no kernel writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

#include "capture/block.h"

enum { FIRST = sizeof(struct tpacket_block_desc), GAP = 82, SIZE = 8192 };

struct bench {
    uint8_t *block; /* of SIZE bytes: a sanitizer sees what is read beyond */
    size_t at, last;
    struct block b;
    struct frame frames[64];
    uint64_t lost;
};

static struct tpacket_hdr_v1 *head(struct bench *t)
{
    return &((struct tpacket_block_desc *)(void *)t->block)->hdr.bh1;
}

static struct tpacket3_hdr *header(struct bench *t, size_t at)
{
    return (struct tpacket3_hdr *)(void *)(t->block + at);
}

static int set_up(void **state)
{
    struct bench *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->block = calloc(1, SIZE);
    assert_non_null(t->block);
    t->at = FIRST;
    *head(t) = (struct tpacket_hdr_v1){.block_status = TP_STATUS_USER, .offset_to_first_pkt = FIRST, .blk_len = FIRST};
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *t = *state;
    free(t->block);
    free(t);
    return 0;
}

/* A frame of n bytes, as tpacket_rcv() lays it out: the bytes number themselves. */
static struct tpacket3_hdr *put(struct bench *t, uint32_t n)
{
    struct tpacket3_hdr *h = header(t, t->at);
    size_t size = (GAP + n + 7) / 8 * 8;
    assert_true(t->at + size <= SIZE);
    if (head(t)->num_pkts++)
        header(t, t->last)->tp_next_offset = (uint32_t)(t->at - t->last);
    *h = (struct tpacket3_hdr){.tp_sec = 1790000000, .tp_nsec = 999999999, .tp_snaplen = n, .tp_len = n, .tp_mac = GAP,
        .tp_net = GAP + 14, .tp_status = TP_STATUS_USER};
    for (uint32_t i = 0; i < n; i++)
        t->block[t->at + GAP + i] = (uint8_t)i;
    t->last = t->at;
    t->at += size;
    head(t)->blk_len = (uint32_t)t->at;
    return h;
}

static size_t take(struct bench *t, uint32_t link)
{
    block_begin(&t->b, t->block, SIZE, link);
    t->lost = 0;
    return block_read(&t->b, t->frames, 64, &t->lost);
}

static void frames_lie_in_place(void **state)
{
    struct bench *t = *state;
    const uint32_t sizes[] = {60, 1514, 0, 61, 66};
    for (size_t i = 0; i < 5; i++)
        put(t, sizes[i]);
    header(t, t->last)->tp_len = 9000; /* cut short by the snap length */
    assert_int_equal(take(t, LINK_ETHERNET), 5);
    assert_int_equal(t->lost, 0);
    assert_int_equal(t->b.left, 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(t->frames[i].captured, sizes[i]);
        assert_int_equal(t->frames[i].length, i == 4 ? 9000 : sizes[i]);
        assert_int_equal(t->frames[i].time, INT64_C(1790000000999999999));
        assert_int_equal(t->frames[i].link, LINK_ETHERNET);
        assert_true(sizes[i] == 0 || (t->frames[i].p[0] == 0 && t->frames[i].p[sizes[i] - 1] == (uint8_t)(sizes[i] - 1)));
    }
    assert_int_equal(block_read(&t->b, t->frames, 64, &t->lost), 0);
}

static void in_parts(void **state)
{
    struct bench *t = *state;
    for (uint32_t i = 0; i < 10; i++)
        put(t, 60 + i);
    block_begin(&t->b, t->block, SIZE, LINK_RAW);
    for (uint32_t i = 0; i < 10; i += 4) {
        size_t n = block_read(&t->b, t->frames, 4, &t->lost);
        assert_int_equal(n, i == 8 ? 2 : 4);
        assert_int_equal(t->frames[0].captured, 60 + i);
        assert_int_equal(t->frames[0].link, LINK_RAW);
    }
    assert_int_equal(t->b.left, 0);
    assert_int_equal(t->lost, 0);
}

static void nothing_in_it(void **state)
{
    assert_int_equal(take(*state, LINK_ETHERNET), 0);
    assert_int_equal(((struct bench *)*state)->lost, 0);
}

static void tags_are_put_back(void **state)
{
    struct bench *t = *state;
    struct tpacket3_hdr *h = put(t, 64);
    h->tp_status |= TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
    h->hv1.tp_vlan_tci = 0x6123;
    h->hv1.tp_vlan_tpid = 0x88a8;
    put(t, 64)->hv1.tp_vlan_tci = 7; /* older kernels said no more than that */
    h = put(t, 64);
    h->tp_status |= TP_STATUS_VLAN_VALID; /* a priority tag of 0 */
    h = put(t, 11);
    h->hv1.tp_vlan_tci = 7; /* too short to have a place for it */
    put(t, 64);
    assert_int_equal(take(t, LINK_ETHERNET), 5);
    const uint8_t expected[3][4] = {{0x88, 0xa8, 0x61, 0x23}, {0x81, 0, 0, 7}, {0x81, 0, 0, 0}};
    for (size_t i = 0; i < 3; i++) {
        const struct frame *f = &t->frames[i];
        assert_int_equal(f->captured, 68);
        assert_int_equal(f->length, 68);
        for (uint8_t k = 0; k < 12; k++)
            assert_int_equal(f->p[k], k);
        assert_memory_equal(f->p + 12, expected[i], 4);
        assert_int_equal(f->p[16], 12);
        assert_int_equal(f->p[67], 63);
    }
    assert_int_equal(t->frames[3].captured, 11);
    assert_int_equal(t->frames[4].captured, 64);
    assert_int_equal(t->lost, 0);
    assert_int_equal(take(t, LINK_RAW), 5); /* no addresses, no place */
    assert_int_equal(t->frames[2].captured, 64);
}

/* Of three frames the second is spoilt: the first is read, and the rest counted as lost, or misread but inside the block. */
static void spoilt_headers(void **state)
{
    const struct {
        const char *what;
        uint32_t next, mac, snaplen;
    } odd[] = {
        {"the frame begins before its header ends", 0, 10, 60},
        {"the frame begins beyond the block", 0, 65535, 60},
        {"the frame ends beyond the block", 0, GAP, SIZE},
        {"its size wraps", 0, GAP, UINT32_MAX},
        {"its size and place wrap", 0, GAP, UINT32_MAX - GAP + 1},
        {"the next lies in this header", 8, GAP, 60},
        {"the next lies at an odd place", GAP + 63, GAP, 60},
        {"the next lies beyond the block", SIZE, GAP, 60},
        {"the next's header ends beyond the block", SIZE - 3 * 144 - FIRST, GAP, 60},
        {"the next lies before it", UINT32_MAX - 143, GAP, 60},
    };
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        void *one;
        set_up(&one);
        struct bench *t = one;
        put(t, 60);
        struct tpacket3_hdr *h = put(t, 60);
        put(t, 60);
        head(t)->blk_len = SIZE;
        h->tp_mac = (uint16_t)odd[i].mac;
        h->tp_snaplen = odd[i].snaplen;
        if (odd[i].next)
            h->tp_next_offset = odd[i].next;
        size_t n = take(t, LINK_ETHERNET);
        if (n != (odd[i].next ? 2 : 1) || t->lost + n != 3)
            fail_msg("%s: %zu frames, %llu lost", odd[i].what, n, (unsigned long long)t->lost);
        for (size_t k = 0; k < n; k++)
            assert_true(t->frames[k].p >= t->block && t->frames[k].p + t->frames[k].captured <= t->block + SIZE);
        tear_down(&one);
    }
}

static void spoilt_block(void **state)
{
    struct bench *t = *state;
    put(t, 60);
    head(t)->blk_len = UINT32_MAX; /* more than there is */
    head(t)->num_pkts = 1000;
    assert_int_equal(take(t, LINK_ETHERNET), 1);
    assert_int_equal(t->lost, 999);
    head(t)->num_pkts = 1;
    for (uint32_t first = 0; first < 2 * SIZE; first += 4) {
        head(t)->offset_to_first_pkt = first;
        size_t n = take(t, LINK_ETHERNET);
        assert_int_equal(n + t->lost, 1);
        assert_true(n == 0 || t->frames[0].p + t->frames[0].captured <= t->block + SIZE);
    }
    head(t)->offset_to_first_pkt = UINT32_MAX;
    assert_int_equal(take(t, LINK_ETHERNET), 0);
    head(t)->offset_to_first_pkt = FIRST;
    head(t)->blk_len = 0;
    assert_int_equal(take(t, LINK_ETHERNET), 0);
    assert_int_equal(t->lost, 1);
}

/* Bytes of any kind: nothing outside the block is touched, and every frame is counted once. */
static void noise(void **state)
{
    struct bench *t = *state;
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        set_up(state);
        struct bench *r = *state;
        for (uint32_t i = 0; i < 8; i++)
            put(r, 60 + i);
        for (int k = 0; k < 3; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            size_t at = 8 + (seed >> 8) % (r->at - 8);
            r->block[at] = (uint8_t)seed;
        }
        if (head(r)->num_pkts > 64)
            head(r)->num_pkts = 64;
        uint32_t all = head(r)->num_pkts;
        size_t n = take(r, LINK_ETHERNET);
        assert_int_equal(n + r->lost, all);
        for (size_t i = 0; i < n; i++)
            assert_true(r->frames[i].p >= r->block && r->frames[i].p + r->frames[i].captured <= r->block + SIZE);
        tear_down(state);
    }
    *state = t;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_lie_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tags_are_put_back, set_up, tear_down),
        cmocka_unit_test(spoilt_headers),
        cmocka_unit_test_setup_teardown(spoilt_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(noise, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
