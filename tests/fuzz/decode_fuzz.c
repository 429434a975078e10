/* Frames of any bytes into capture/decode.  The input is a list of frames, each behind its link type, length, bytes cut off, and seconds
 * since the last; fragments in it may find each other. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct span s)
{
    static volatile uint8_t sum;
    for (size_t i = 0; i < s.n; i++)
        sum = (uint8_t)(sum + s.p[i]);
}

static void check(const struct packet *p)
{
    assert(p->payload.n <= p->length);
    assert(p->tcp.n >= 20 && p->tcp.n <= 60);
    assert(p->tcp.p + p->tcp.n == p->payload.p);
    assert(p->ip.p < p->tcp.p && p->payload.p + p->payload.n <= p->ip.p + p->ip.n);
    look(p->ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t links[] = {1, 0, 9, 12, 50, 51, 101, 104, 108, 113, 228, 229, 276, 127};
    struct capture_counters counters = {0};
    struct decoder *d = decode_new(4, &counters);
    struct packet packet, again;
    int64_t now = 0;
    uint64_t frames = 0, segments = 0;
    while (size >= 5) {
        size_t n = be16(data + 1), cut = data[3];
        struct frame f = {.link = links[data[0] % (sizeof links / sizeof links[0])], .time = now += data[4] * INT64_C(1000000000)};
        data += 5;
        size -= 5;
        n = n < size ? n : size;
        uint8_t *bytes = malloc(n ? n : 1); /* exactly, so that the sanitizer sees a byte too far */
        memcpy(bytes, data, n);
        f.p = bytes;
        f.captured = (uint32_t)n;
        f.length = (uint32_t)(n + cut);
        frames++;
        uint64_t kept = counters.fragments;
        if (decode_frame(d, &f, &packet)) {
            segments++;
            check(&packet);
            if (counters.fragments == kept) { /* the straight way and the long way agree */
                assert(decode_any(d, &f, &again));
                frames++, segments++;
                assert(again.payload.p == packet.payload.p && again.length == packet.length && again.seq == packet.seq);
            }
        }
        free(bytes);
        data += n;
        size -= n;
    }
    /* every frame is a segment, one of the counted kinds, or a fragment that was kept or swallowed */
    assert(segments + counters.undecodable + counters.not_ip + counters.not_tcp <= frames);
    assert(segments + counters.undecodable + counters.not_ip + counters.not_tcp + counters.fragments >= frames);
    decode_free(d);
    return 0;
}
