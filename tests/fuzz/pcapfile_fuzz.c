/* Any bytes as a capture file, or, when the first byte is odd, as two that are merged: pcap, pcapng, packed or not, and decode behind them.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/decode.h"
#include "capture/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of one file, frames keep its order; the count and the fault are told whatever the batch. */
static uint64_t read_all(const char *const *paths, size_t count, size_t batch, struct reason *why)
{
    struct capture_counters counters = {0};
    struct decoder *d = decode_new(4, &counters);
    struct frame frames[SOURCE_BATCH];
    struct packet packet;
    uint64_t packets = 0;
    int status = 0;
    why->text[0] = '\0';
    struct source *s = source_open(paths, count, NULL, why, &status);
    assert(s && d);
    for (size_t n; (n = source_read(s, frames, batch)) > 0;) {
        assert(n <= batch);
        for (size_t i = 0; i < n; i++) {
            assert(frames[i].captured <= frames[i].length && frames[i].captured <= FRAME_MOST);
            assert(frames[i].time >= 0 && frames[i].time <= FRAME_TIME_MOST);
            decode_frame(d, &frames[i], &packet);
        }
        packets += n;
    }
    bool whole = source_result(s, why, &status);
    assert(whole == (why->text[0] == '\0') && (whole || status == 65));
    source_close(s);
    decode_free(d);
    return packets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    size_t count = data[0] & 1 ? 2 : 1, cut = size - 3;
    if (count == 2 && be16(data + 1) < cut)
        cut = be16(data + 1);
    data += 3;
    size -= 3;
    int fd[2];
    char path[2][32];
    const char *paths[2] = {path[0], path[1]};
    for (size_t i = 0; i < count; i++) {
        fd[i] = memfd_create("capture", 0);
        size_t n = i ? size - cut : cut;
        assert(fd[i] >= 0 && write(fd[i], i ? data + cut : data, n) == (ssize_t)n);
        snprintf(path[i], sizeof path[i], "/proc/self/fd/%d", fd[i]);
    }
    struct reason why, again;
    uint64_t packets = read_all(paths, count, SOURCE_BATCH, &why);
    uint64_t one_by_one = read_all(paths, count, 1, &again);
    assert(packets == one_by_one);
    assert(span_equal(span_text(why.text), span_text(again.text)));
    for (size_t i = 0; i < count; i++)
        close(fd[i]);
    return 0;
}
