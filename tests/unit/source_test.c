/* capture/source: files of both formats in every byte order and clock, packed, cut anywhere, broken, merged.  Each file is built here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "capture/bytes.h"
#include "capture/input.h"
#include "capture/source.h"

#define SECOND INT64_C(1000000000)
#define T0 (INT64_C(1790000000) * SECOND)

struct file {
    char path[64];
    uint8_t *b;
    size_t n, room;
    bool swapped;
};

struct bench {
    char directory[32];
    struct file file[4];
    /* what came of reading: */
    size_t packets;
    int64_t time[4096];
    uint32_t captured[4096], length[4096], link[4096];
    uint8_t first[4096]; /* byte of the frame */
    struct reason why;
    int status;
    bool whole;
    bool garbled; /* what the frames hold is not to be looked at */
};

static int set_up(void **state)
{
    struct bench *t = calloc(1, sizeof *t);
    char directory[] = "/tmp/squall-source-XXXXXX";
    assert_non_null(mkdtemp(directory));
    strcpy(t->directory, directory);
    for (int i = 0; i < 4; i++)
        snprintf(t->file[i].path, sizeof t->file[i].path, "%s/%d.pcap", directory, i);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *t = *state;
    for (int i = 0; i < 4; i++) {
        unlink(t->file[i].path);
        free(t->file[i].b);
    }
    rmdir(t->directory);
    free(t);
    return 0;
}

static void raw(struct file *f, const void *p, size_t n)
{
    if (f->n + n > f->room)
        f->b = realloc(f->b, f->room = (f->n + n) * 2);
    memcpy(f->b + f->n, p, n);
    f->n += n;
}

static void u16(struct file *f, uint16_t v)
{
    v = f->swapped ? __builtin_bswap16(v) : v;
    raw(f, &v, 2);
}

static void u32(struct file *f, uint32_t v)
{
    v = f->swapped ? __builtin_bswap32(v) : v;
    raw(f, &v, 4);
}

static void fill(struct file *f, uint8_t byte, size_t n)
{
    uint8_t *p = malloc(n + 1);
    memset(p, byte, n);
    raw(f, p, n);
    free(p);
}

static void pcap_header(struct file *f, uint32_t magic, uint32_t link)
{
    f->n = 0;
    u32(f, magic);
    u16(f, 2);
    u16(f, 4);
    u32(f, 0);
    u32(f, 0);
    u32(f, 262144);
    u32(f, link);
}

/* A record of `captured` bytes of this value; `fraction` in the file's unit. */
static void pcap_record(struct file *f, uint32_t seconds, uint32_t fraction, uint32_t captured, uint32_t length, uint8_t byte)
{
    u32(f, seconds);
    u32(f, fraction);
    u32(f, captured);
    u32(f, length);
    fill(f, byte, captured);
}

static void save(const struct file *f, size_t n)
{
    FILE *out = fopen(f->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(f->b, 1, n, out), n);
    fclose(out);
}

static void take(struct bench *t, const struct frame *f)
{
    assert_true(f->length >= f->captured);
    assert_true(f->time >= 0 && f->time <= FRAME_TIME_MOST);
    for (uint32_t i = 1; i < f->captured; i++)
        if (f->p[i] != f->p[0] && !t->garbled)
            fail_msg("frame %zu is not what was written", t->packets);
    size_t k = t->packets++;
    if (k < 4096) {
        t->time[k] = f->time;
        t->captured[k] = f->captured;
        t->length[k] = f->length;
        t->link[k] = f->link;
        t->first[k] = f->captured ? f->p[0] : 0;
    }
}

/* Reads them all; every batch is looked at only when it is complete, as its frames must hold together. */
static void read_paths(struct bench *t, const char *const *paths, size_t count, size_t batch)
{
    struct frame frames[SOURCE_BATCH];
    t->packets = 0;
    t->status = 0;
    t->why.text[0] = '\0';
    struct source *s = source_open(paths, count, NULL, &t->why, &t->status);
    t->whole = s != NULL;
    if (!s)
        return;
    for (size_t n; (n = source_read(s, frames, batch)) > 0;)
        for (size_t i = 0; i < n; i++)
            take(t, &frames[i]);
    assert_int_equal(source_read(s, frames, batch), 0);
    t->whole = source_result(s, &t->why, &t->status);
    source_close(s);
}

static void read_file(struct bench *t, const struct file *f)
{
    save(f, f->n);
    const char *path = f->path;
    read_paths(t, &path, 1, SOURCE_BATCH);
}

static void check_whole(const struct bench *t, size_t packets)
{
    if (!t->whole)
        fail_msg("%s", t->why.text);
    assert_int_equal(t->packets, packets);
}

/* So many packets, then an error line with this text in it. */
static void check_broken(const struct bench *t, size_t packets, const char *text)
{
    assert_false(t->whole);
    assert_int_equal(t->status, 65);
    assert_int_equal(t->packets, packets);
    if (!strstr(t->why.text, text))
        fail_msg("\"%s\" instead of \"%s\"", t->why.text, text);
    assert_ptr_equal(strstr(t->why.text, t->directory), t->why.text); /* begins with the file's name */
    assert_non_null(strstr(t->why.text, "; ")); /* says what to do */
}

static void pcap_in_every_order(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    for (int swapped = 0; swapped < 2; swapped++) {
        for (int nano = 0; nano < 2; nano++) {
            f->swapped = swapped;
            pcap_header(f, nano ? 0xa1b23c4d : 0xa1b2c3d4, 0x10000000 | 113);
            pcap_record(f, 1790000000, 123456, 60, 1514, 1);
            pcap_record(f, 1790000001, 999999, 0, 0, 2);
            pcap_record(f, 0xffffffff, 0xffffffff, 10, 3, 3);
            read_file(t, f);
            check_whole(t, 3);
            assert_int_equal(t->time[0] - T0, 123456 * (nano ? 1 : 1000));
            assert_int_equal(t->captured[0], 60);
            assert_int_equal(t->length[0], 1514);
            assert_int_equal(t->link[0], 113);
            assert_int_equal(t->first[0], 1);
            assert_int_equal(t->captured[1], 0);
            assert_int_equal(t->length[2], 10); /* no shorter than what was captured */
        }
    }
    pcap_header(f, 0xa1b2cd34, 1); /* the long record headers */
    for (uint8_t i = 1; i < 4; i++) {
        u32(f, i), u32(f, 0), u32(f, 20), u32(f, 20), u32(f, 2), u32(f, 0);
        fill(f, i, 20);
    }
    read_file(t, f);
    check_whole(t, 3);
    assert_int_equal(t->first[2], 3);
}

/* Records of all sizes across the ends of the window, in batches of any size. */
static void across_windows(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    const char *path = f->path;
    pcap_header(f, 0xa1b2c3d4, 1);
    uint32_t seed = 1;
    size_t count = 0;
    while (f->n < 3 * INPUT_WINDOW) {
        seed = seed * 1664525 + 1013904223;
        pcap_record(f, 1790000000 + (uint32_t)count, 0, seed >> 16 & 0x7ff, 1 << 20, (uint8_t)count);
        count++;
    }
    pcap_record(f, 1790000000, 0, FRAME_MOST, FRAME_MOST, 7);
    pcap_record(f, 1790000000, 0, FRAME_MOST, FRAME_MOST, 8);
    save(f, f->n);
    for (size_t batch = 1; batch <= SOURCE_BATCH; batch += 21) {
        read_paths(t, &path, 1, batch);
        check_whole(t, count + 2);
        for (size_t i = 0; i < count && i < 4096; i++)
            assert_int_equal(t->time[i] / SECOND, 1790000000 + i);
    }
}

/* A file that ends anywhere: what is whole in it, and the number of the packet that is not. */
static void every_cut(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    const char *path = f->path;
    pcap_header(f, 0xa1b2c3d4, 1);
    for (uint8_t i = 0; i < 3; i++)
        pcap_record(f, 1790000000, 0, 30, 30, i);
    for (size_t n = 0; n <= f->n; n++) {
        save(f, n);
        read_paths(t, &path, 1, SOURCE_BATCH);
        if (n < 24) {
            check_broken(t, 0, "cannot be read: ");
        } else if ((n - 24) % 46 == 0) {
            check_whole(t, (n - 24) / 46);
        } else {
            char text[64];
            snprintf(text, sizeof text, "broken at packet %zu: the file ends inside ", (n - 24) / 46 + 1);
            check_broken(t, (n - 24) / 46, text);
        }
    }
}

static void no_captures(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    f->n = 0;
    raw(f, "Dear reader, this is no capture at all.", 39);
    read_file(t, f);
    check_broken(t, 0, "cannot be read: it is neither pcap nor pcapng");

    pcap_header(f, 0xa1b2c3d4, 127);
    pcap_record(f, 1, 0, 30, 30, 1);
    read_file(t, f);
    check_broken(t, 0, "link type 127 (IEEE802_11_RADIO)");

    pcap_header(f, 0xa1b2c3d4, 1);
    f->b[4] = 3;
    read_file(t, f);
    check_broken(t, 0, "version 3");

    pcap_header(f, 0xa1b2c3d4, 1);
    pcap_record(f, 1, 0, 30, 30, 1);
    pcap_record(f, 1, 0, FRAME_MOST + 1, 30, 1);
    read_file(t, f);
    check_broken(t, 1, "broken at packet 2: its record claims 262145 bytes");

    pcap_header(f, 0xa1b2c3d4, 1); /* a capture without packets is one */
    read_file(t, f);
    check_whole(t, 0);
}

static void not_to_be_opened(void **state)
{
    struct bench *t = *state;
    const char *missing[2] = {t->file[0].path, t->file[1].path};
    pcap_header(&t->file[0], 0xa1b2c3d4, 1);
    save(&t->file[0], 24);
    read_paths(t, missing, 2, SOURCE_BATCH);
    assert_false(t->whole);
    assert_int_equal(t->status, 66);
    assert_non_null(strstr(t->why.text, "1.pcap: cannot be opened: No such file"));
    const char *directory = t->directory;
    read_paths(t, &directory, 1, SOURCE_BATCH);
    assert_false(t->whole);
    assert_int_equal(t->status, 66);
    if (geteuid() == 0 && seteuid(65534) != 0)
        return;
    chmod(t->file[0].path, 0);
    read_paths(t, missing, 1, SOURCE_BATCH);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_false(t->whole);
    assert_true(t->status == 77); /* the directory may not be entered, or the file not be read */
}

/* pcapng */
struct block {
    struct file *f;
    size_t at;
};

static struct block begin(struct file *f, uint32_t type)
{
    struct block b = {f, f->n};
    u32(f, type);
    u32(f, 0);
    return b;
}

static void end(struct block b)
{
    struct file *f = b.f;
    fill(f, 0, (4 - f->n % 4) % 4);
    uint32_t total = (uint32_t)(f->n + 4 - b.at);
    u32(f, total);
    memcpy(f->b + b.at + 4, f->b + f->n - 4, 4);
}

static void section(struct file *f)
{
    struct block b = begin(f, 0x0a0d0d0a);
    u32(f, 0x1a2b3c4d);
    u16(f, 1);
    u16(f, 0);
    u32(f, 0xffffffff);
    u32(f, 0xffffffff);
    u16(f, 4), u16(f, 5), raw(f, "tests\0\0\0", 8); /* who wrote it, padded */
    u16(f, 0), u16(f, 0);
    end(b);
}

/* offset: seconds; resolution 6 and offset 0 are left out, as they are what a reader assumes. */
static void interface(struct file *f, uint16_t link, uint32_t snaplen, uint8_t resolution, int64_t offset)
{
    struct block b = begin(f, 1);
    u16(f, link);
    u16(f, 0);
    u32(f, snaplen);
    if (resolution != 6) {
        u16(f, 9), u16(f, 1), raw(f, &resolution, 1), fill(f, 0, 3);
    }
    if (offset) {
        uint64_t v = f->swapped ? __builtin_bswap64((uint64_t)offset) : (uint64_t)offset;
        u16(f, 14), u16(f, 8), raw(f, &v, 8);
    }
    end(b);
}

static void enhanced(struct file *f, uint32_t interface_number, uint64_t units, uint32_t captured, uint8_t byte)
{
    struct block b = begin(f, 6);
    u32(f, interface_number);
    u32(f, (uint32_t)(units >> 32));
    u32(f, (uint32_t)units);
    u32(f, captured);
    u32(f, captured + 7);
    fill(f, byte, captured);
    fill(f, 0, (4 - f->n % 4) % 4);
    u16(f, 1), u16(f, 2), raw(f, "hi\0\0", 4), u16(f, 0), u16(f, 0); /* a comment */
    end(b);
}

static void simple(struct file *f, uint32_t length, uint32_t captured, uint8_t byte)
{
    struct block b = begin(f, 3);
    u32(f, length);
    fill(f, byte, captured);
    end(b);
}

static void unknown(struct file *f, size_t n)
{
    struct block b = begin(f, 0xbad);
    fill(f, 0x55, n);
    end(b);
}

static void pcapng_sections_and_clocks(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    static const struct {
        uint8_t resolution;
        int64_t offset;
        uint64_t units;
        int64_t ns;
    } clocks[] = {
        {6, 0, 1790000000123456, T0 + 123456000},
        {9, 0, 1790000000123456789, T0 + 123456789},
        {0, 0, 1790000000, T0},
        {3, 5, 1789999995001, T0 + 1000000},
        {6, -10, 1790000010000000, T0},
        {12, 1790000000, 500, T0},
        {10, 1790000000, 12345, T0 + 1234},
        {0x80 | 10, 0, (1790000000ull << 10) + 512, T0 + SECOND / 2},
        {0x80 | 32, 0, (1790000000ull << 32) + (1u << 30), T0 + SECOND / 4},
        {0x80 | 127, 1790000000, UINT64_MAX, T0},
        {127, 1790000000, UINT64_MAX, T0},
        {0, 0, UINT64_MAX, FRAME_TIME_MOST},
        {9, INT64_MAX, UINT64_MAX, FRAME_TIME_MOST},
        {6, INT64_MIN, 1, 0},
    };
    const size_t count = sizeof clocks / sizeof clocks[0];
    f->n = 0;
    for (int turn = 0; turn < 2; turn++) { /* two sections, the second in the other byte order */
        f->swapped = turn == 1;
        section(f);
        for (size_t i = 0; i < count; i++) {
            interface(f, i % 2 ? 113 : 1, 0, clocks[i].resolution, clocks[i].offset);
            unknown(f, i == 3 ? INPUT_WINDOW * 2 : i);
            for (size_t k = 0; k <= i; k++)
                enhanced(f, (uint32_t)k, clocks[k].units, (uint32_t)(50 + k), (uint8_t)k);
        }
    }
    read_file(t, f);
    check_whole(t, count * (count + 1));
    size_t at = 0;
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k <= i; k++, at++) {
                assert_int_equal(t->time[at], clocks[k].ns);
                assert_int_equal(t->link[at], k % 2 ? 113 : 1);
                assert_int_equal(t->captured[at], 50 + k);
                assert_int_equal(t->length[at], 57 + k);
                assert_int_equal(t->first[at], k);
            }
}

static void pcapng_other_packets(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    f->n = 0;
    section(f);
    interface(f, 1, 40, 6, 0);
    simple(f, 20, 20, 1);
    struct block b = begin(f, 2); /* the old packet block: interface and drops share a word */
    u16(f, 0), u16(f, 65535), u32(f, 0), u32(f, 5000000), u32(f, 30), u32(f, 31);
    fill(f, 2, 30);
    end(b);
    simple(f, 100, 40, 3); /* cut at the interface's snap length */
    simple(f, 33, 33, 4);
    simple(f, 0, 0, 5);
    read_file(t, f);
    check_whole(t, 5);
    assert_int_equal(t->time[0], 0);
    assert_int_equal(t->time[1], 5 * SECOND);
    assert_int_equal(t->captured[1], 30);
    assert_int_equal(t->length[1], 31);
    assert_int_equal(t->time[2], 5 * SECOND); /* a simple packet has none: that of the one before */
    assert_int_equal(t->captured[2], 40);
    assert_int_equal(t->length[2], 100);
    assert_int_equal(t->captured[3], 33);
}

static void pcapng_link_types(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    f->n = 0;
    section(f);
    interface(f, 127, 0, 6, 0);
    enhanced(f, 0, 1, 20, 1);
    read_file(t, f);
    check_broken(t, 0, "link type 127");
    f->n = 0;
    section(f);
    interface(f, 127, 0, 6, 0); /* beside one that can be read, its frames are only counted */
    interface(f, 1, 0, 6, 0);
    enhanced(f, 0, 1, 20, 1);
    enhanced(f, 1, 1, 20, 1);
    read_file(t, f);
    check_whole(t, 2);
    assert_int_equal(t->link[0], 127);
}

static void pcapng_broken(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    static const struct {
        size_t back; /* from the end of the file: where 4 bytes are changed */
        uint32_t value;
        const char *text;
    } breaks[] = {
        {4, 60, "broken at packet 2: a block claims 64 bytes at its start and 60 at its end"},
        {60, 62, "broken at packet 2: a block of type 0x6 claims 62 bytes"},
        {60, 8, "broken at packet 2: a block of type 0x6 claims 8 bytes"},
        {60, 28, "broken at packet 2: a block of type 0x6 claims 28 bytes"},
        {60, 0xfffffffc, "broken at packet 2: a block of type 0x6 claims 4294967292 bytes"},
        {60, 68, "broken at packet 2: the file ends inside a block"},
        {56, 1, "broken at packet 2: it names interface 1"},
        {44, 33, "broken at packet 2: its 33 bytes do not fit into its block of 64"},
        {64, 0x0a0d0d0a, "broken at packet 2: its section header has no byte-order mark"},
    };
    for (int swapped = 0; swapped < 2; swapped++) {
        f->swapped = swapped;
        for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
            f->n = 0;
            section(f);
            interface(f, 1, 0, 6, 0);
            enhanced(f, 0, 1, 20, 1);
            enhanced(f, 0, 1, 20, 2);
            size_t n = f->n;
            f->n -= breaks[i].back;
            u32(f, breaks[i].value);
            f->n = n;
            read_file(t, f);
            check_broken(t, 1, breaks[i].text);
        }
    }
    f->swapped = false;
    f->n = 0;
    section(f);
    simple(f, 20, 20, 1);
    read_file(t, f);
    check_broken(t, 0, "broken at packet 1: it comes before any interface is described");
    f->n = 0;
    section(f);
    for (int i = 0; i < 5000; i++)
        interface(f, 1, 0, 6, 0);
    read_file(t, f);
    check_broken(t, 0, "more than 4096 interfaces");
    f->n = 0;
    section(f);
    f->b[26] = 0xff; /* the length of the option */
    read_file(t, f);
    check_broken(t, 0, "an option longer than the block");
}

static void pcapng_every_cut(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    const char *path = f->path;
    size_t ends[8], count = 0;
    f->n = 0;
    section(f);
    ends[count++] = f->n;
    interface(f, 1, 0, 9, 0);
    ends[count++] = f->n;
    for (int i = 0; i < 3; i++) {
        enhanced(f, 0, 1, 21, 1);
        ends[count++] = f->n;
    }
    unknown(f, 40);
    ends[count++] = f->n;
    for (size_t n = 1; n <= f->n; n++) {
        size_t blocks = 0, packets;
        while (blocks < count && ends[blocks] <= n)
            blocks++;
        packets = blocks < 2 ? 0 : blocks == 6 ? 3 : blocks - 2;
        save(f, n);
        read_paths(t, &path, 1, SOURCE_BATCH);
        if (blocks && ends[blocks - 1] == n)
            check_whole(t, packets);
        else
            check_broken(t, packets, blocks ? "broken at packet" : "cannot be read");
    }
}

/* One gzip member or zstd frame of the bytes from `from` to `to`, onto the end of `out`. */
static void pack(struct file *out, const struct file *in, size_t from, size_t to, bool zstd)
{
    size_t room = (to - from) * 2 + 1000, n;
    uint8_t *p = malloc(room);
    if (zstd) {
        n = ZSTD_compress(p, room, in->b + from, to - from, 1);
        assert_false(ZSTD_isError(n));
    } else {
        z_stream z = {.next_in = in->b + from, .avail_in = (uInt)(to - from), .next_out = p, .avail_out = (uInt)room};
        assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        n = z.total_out;
        deflateEnd(&z);
    }
    raw(out, p, n);
    free(p);
}

static void packed(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0], *out = &t->file[1];
    const char *path = out->path;
    pcap_header(f, 0xa1b2c3d4, 1);
    for (uint32_t i = 0; i < 2000; i++)
        pcap_record(f, 1790000000 + i, i, 700 + i % 50, 1000, (uint8_t)i);
    for (int zstd = 0; zstd < 2; zstd++) {
        out->n = 0;
        pack(out, f, 0, f->n, zstd);
        read_file(t, out);
        check_whole(t, 2000);
        size_t one = out->n;
        out->n = 0; /* the same in three streams, one after the other, cut inside records */
        pack(out, f, 0, 3, zstd);
        pack(out, f, 3, 1000001, zstd);
        pack(out, f, 1000001, f->n, zstd);
        read_file(t, out);
        check_whole(t, 2000);
        assert_int_equal(t->time[1999], T0 + 1999 * SECOND + 1999000);

        out->n = 0; /* the end missing, a byte wrong */
        pack(out, f, 0, f->n, zstd);
        assert_int_equal(out->n, one);
        save(out, one - 1);
        read_paths(t, &path, 1, SOURCE_BATCH);
        assert_false(t->whole);
        assert_int_equal(t->status, 65);
        assert_true(t->packets >= 1800); /* zstd hands out whole blocks of 128 KiB */
        assert_non_null(strstr(t->why.text, "the compressed data ends too early"));
        memset(out->b + one / 2, 0xff, 40);
        t->garbled = true;
        read_file(t, out);
        t->garbled = false;
        assert_false(t->whole);
        assert_int_equal(t->status, 65);
    }
    out->n = 0; /* padding after a gzip stream is no fault */
    pack(out, f, 0, f->n, false);
    fill(out, 0, 512);
    read_file(t, out);
    check_whole(t, 2000);
}

static void merged(void **state)
{
    struct bench *t = *state;
    const char *paths[4];
    /* file k has the seconds that leave k by 3, each twice; the fourth begins after all others, with one that they share */
    for (size_t k = 0; k < 3; k++) {
        pcap_header(&t->file[k], 0xa1b2c3d4, 1);
        for (uint32_t s = 0; s < 900; s++)
            if (s % 3 == k)
                for (int twice = 0; twice < 2; twice++)
                    pcap_record(&t->file[k], 1790000000 + s, 0, 100 + s, 1000, (uint8_t)k);
        save(&t->file[k], t->file[k].n);
    }
    pcap_header(&t->file[3], 0xa1b23c4d, 113);
    for (uint32_t s = 899; s < 1000; s++)
        pcap_record(&t->file[3], 1790000000 + s, 0, 100, 100, 3);
    save(&t->file[3], t->file[3].n);
    for (int turn = 0; turn < 4; turn++) { /* the order on the command line only decides between equals */
        for (size_t k = 0; k < 4; k++)
            paths[k] = t->file[(k + (size_t)turn) % 4].path;
        for (size_t batch = 1; batch <= SOURCE_BATCH; batch += 63) {
            read_paths(t, paths, 4, batch);
            check_whole(t, 1901);
            for (size_t i = 1; i < t->packets; i++)
                assert_true(t->time[i] >= t->time[i - 1]);
            /* at second 899 file 2 has two and file 3 one: whichever was named first comes first */
            assert_int_equal(t->time[1798], T0 + 899 * SECOND);
            assert_int_equal(t->first[1798], turn == 3 ? 3 : 2);
        }
    }
    /* one that breaks, one that is no capture: the others are read to their end, the first fault is told */
    save(&t->file[1], t->file[1].n - 5);
    FILE *out = fopen(t->file[3].path, "wb");
    fputs("no capture", out);
    fclose(out);
    for (size_t k = 0; k < 4; k++)
        paths[k] = t->file[k].path;
    read_paths(t, paths, 4, SOURCE_BATCH);
    check_broken(t, 1799, "3.pcap: cannot be read");
    read_paths(t, paths, 3, SOURCE_BATCH);
    check_broken(t, 1799, "1.pcap: broken at packet 600");
}

/* Standard input, packed as well. */
static void standard_input(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0], *out = &t->file[1];
    pcap_header(f, 0xa1b2c3d4, 1);
    for (uint32_t i = 0; i < 40; i++)
        pcap_record(f, 1790000000 + i, i, 1000, 1000, (uint8_t)i);
    out->n = 0;
    pack(out, f, 0, f->n, true);
    int kept = dup(STDIN_FILENO);
    for (int turn = 0; turn < 2; turn++) {
        const struct file *sent = turn ? out : f;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], sent->b, sent->n), sent->n); /* fits a pipe */
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        const char *path = "-";
        read_paths(t, &path, 1, SOURCE_BATCH);
        check_whole(t, 40);
    }
    dup2(kept, STDIN_FILENO);
    close(kept);
}

static atomic_bool stop_wanted;

static void on_alarm(int number)
{
    (void)number;
    stop_wanted = true;
}

/* Waiting for more from a pipe that nobody closes: a signal ends it, what came is kept and nothing is wrong. */
static void stopped_by_a_signal(void **state)
{
    struct bench *t = *state;
    struct file *f = &t->file[0];
    pcap_header(f, 0xa1b2c3d4, 1);
    for (uint32_t i = 0; i < 10; i++)
        pcap_record(f, 1790000000 + i, i, 100, 100, (uint8_t)i);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], f->b, f->n - 50), f->n - 50);
    char path[32];
    const char *paths[1] = {path};
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    struct source *s = source_open(paths, 1, &stop_wanted, &t->why, &t->status);
    assert_non_null(s);
    const struct sigaction alarm_action = {.sa_handler = on_alarm};
    struct sigaction before;
    assert_int_equal(sigaction(SIGALRM, &alarm_action, &before), 0);
    const struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    struct frame frames[SOURCE_BATCH];
    size_t packets = 0;
    for (size_t n; (n = source_read(s, frames, SOURCE_BATCH)) > 0;)
        packets += n;
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(packets, 9);
    assert_true(source_result(s, &t->why, &t->status));
    source_close(s);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pcap_in_every_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(across_windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_captures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_to_be_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pcapng_sections_and_clocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pcapng_other_packets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pcapng_link_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pcapng_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pcapng_every_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(standard_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopped_by_a_signal, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
