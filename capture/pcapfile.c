/* In: the window on a pcap file (draft-ietf-opsawg-pcap), with micro- or nanoseconds, in either byte order.  Out: frames in place. */
#include "base/clock.h"
#include "capture/bytes.h"
#include "capture/reader.h"

/* Bytes.  Alexey Kuznetsov's libpcap, and no other, wrote longer record headers. */
enum { FILE_HEADER = 24, RECORD_HEADER = 16, RECORD_HEADER_KUZNETSOV = 24 };

static bool known_magic(struct reader *r, uint32_t magic)
{
    r->record = magic == 0xa1b2cd34 ? RECORD_HEADER_KUZNETSOV : RECORD_HEADER;
    r->fraction = magic == 0xa1b23c4d ? 1 : 1000;
    return magic == 0xa1b2c3d4 || magic == 0xa1b23c4d || magic == 0xa1b2cd34;
}

bool pcapfile_start(struct reader *r)
{
    if (!input_need(&r->in, FILE_HEADER))
        return reader_ended(r, "its file header");
    const uint8_t *b = input_bytes(&r->in);
    r->swapped = !known_magic(r, host32(b, false));
    if (r->swapped && !known_magic(r, host32(b, true)))
        return reader_wrong(r, "it is neither pcap nor pcapng (it begins with %02x %02x %02x %02x)", b[0], b[1], b[2], b[3]);
    if (host16(b + 4, r->swapped) != 2)
        return reader_wrong(r, "its pcap version %u is unknown", host16(b + 4, r->swapped));
    r->link = host32(b + 20, r->swapped) & 0xffff; /* above it: the length of a frame check sequence, which IP lengths make needless */
    if (!link_known(r->link))
        return reader_link_unknown(r, r->link);
    r->in.at += FILE_HEADER;
    return true;
}

/* The window holds no whole record at `at`, and the batch is empty: brings in n bytes of it, or says what is wrong. */
static bool more(struct reader *r, size_t n)
{
    if (input_need(&r->in, n))
        return true;
    if (input_ready(&r->in) || r->in.failure)
        reader_ended(r, n > r->record ? "it" : "its record header");
    return false;
}

static inline size_t read_frames(struct reader *r, const bool swapped, struct frame *frames, size_t most)
{
    const size_t header = r->record;
    const int64_t fraction = r->fraction;
    const uint32_t link = r->link;
    const uint8_t *b = input_bytes(&r->in), *end = b + input_ready(&r->in);
    size_t n = 0;
    while (n < most) {
        if ((size_t)(end - b) < header) {
            r->in.at = (size_t)(b - r->in.window);
            if (n || !more(r, header))
                return n;
            b = input_bytes(&r->in);
            end = b + input_ready(&r->in);
        }
        uint32_t captured = host32(b + 8, swapped), length = host32(b + 12, swapped);
        if (captured > FRAME_MOST) {
            reader_wrong(r, "its record claims %u bytes", captured);
            break;
        }
        if ((size_t)(end - b) < header + captured) {
            r->in.at = (size_t)(b - r->in.window);
            if (n || !more(r, header + captured))
                return n;
            b = input_bytes(&r->in);
            end = b + input_ready(&r->in);
        }
        frames[n++] = (struct frame){
            .p = b + header,
            .captured = captured,
            .length = length < captured ? captured : length,
            .time = (int64_t)host32(b, swapped) * NS_PER_SECOND + (int64_t)host32(b + 4, swapped) * fraction,
            .link = link,
        };
        b += header + captured;
    }
    r->in.at = (size_t)(b - r->in.window);
    return n;
}

size_t pcapfile_read(struct reader *r, struct frame *frames, size_t most)
{
    return r->swapped ? read_frames(r, true, frames, most) : read_frames(r, false, frames, most);
}
