/* In: packets of a capsule, from keep.c.  Out: pcapng blocks in the byte order of this machine, each of a length that is a multiple of
 * four. */
#include "capture/pcapng_write.h"

#include "capture/frame.h"

#define VERSION_TEXT "Squall " SQUALL_VERSION

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_APPLICATION = 4, OPTION_RESOLUTION = 9 };

static uint32_t padded(size_t n)
{
    return (uint32_t)(n + 3) & ~3u;
}

static void put32(FILE *to, uint32_t n)
{
    fwrite(&n, sizeof n, 1, to);
}

static void put16(FILE *to, uint16_t n)
{
    fwrite(&n, sizeof n, 1, to);
}

static void put_padded(FILE *to, struct span s)
{
    if (s.n)
        fwrite(s.p, 1, s.n, to);
    for (uint32_t i = (uint32_t)s.n; i < padded(s.n); i++)
        fputc(0, to);
}

static uint32_t option_size(struct span value)
{
    return value.n ? 4 + padded(value.n) : 0;
}

static void put_option(FILE *to, uint16_t code, struct span value)
{
    if (value.n == 0)
        return;
    put16(to, code);
    put16(to, (uint16_t)value.n);
    put_padded(to, value);
}

static void put_end(FILE *to)
{
    put32(to, OPTION_END);
}

void pcapng_write_section(FILE *to, struct span comment)
{
    comment = span_head(comment, PCAPNG_COMMENT);
    struct span application = span_text(VERSION_TEXT);
    uint32_t size = 28 + option_size(comment) + option_size(application) + 4;
    put32(to, BLOCK_SECTION);
    put32(to, size);
    put32(to, 0x1a2b3c4d);
    put16(to, 1);
    put16(to, 0);
    put32(to, UINT32_MAX); /* length of the section: not said */
    put32(to, UINT32_MAX);
    put_option(to, OPTION_COMMENT, comment);
    put_option(to, OPTION_APPLICATION, application);
    put_end(to);
    put32(to, size);
}

void pcapng_write_interface(FILE *to, uint32_t link)
{
    static const uint8_t nanoseconds = 9;
    struct span resolution = span_of(&nanoseconds, 1);
    uint32_t size = 20 + option_size(resolution) + 4;
    put32(to, BLOCK_INTERFACE);
    put32(to, size);
    put16(to, (uint16_t)link);
    put16(to, 0);
    put32(to, FRAME_MOST);
    put_option(to, OPTION_RESOLUTION, resolution);
    put_end(to);
    put32(to, size);
}

void pcapng_write_packet(FILE *to, uint32_t interface, int64_t time, struct span captured, uint32_t length, struct span comment)
{
    comment = span_head(comment, PCAPNG_COMMENT);
    uint32_t options = comment.n ? option_size(comment) + 4 : 0, size = 32 + padded(captured.n) + options;
    put32(to, BLOCK_PACKET);
    put32(to, size);
    put32(to, interface);
    put32(to, (uint32_t)((uint64_t)time >> 32));
    put32(to, (uint32_t)time);
    put32(to, (uint32_t)captured.n);
    put32(to, length);
    put_padded(to, captured);
    if (options) {
        put_option(to, OPTION_COMMENT, comment);
        put_end(to);
    }
    put32(to, size);
}
