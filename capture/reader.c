/* In: an open capture file.  Out: its frames, in batches, from whichever of the two formats it has, to source.c. */
#include "capture/reader.h"

#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>

#include "capture/bytes.h"

bool reader_wrong(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->wrong, sizeof r->wrong, format, args);
    va_end(args);
    return false;
}

bool reader_ended(struct reader *r, const char *within)
{
    if (r->in.failure)
        return reader_wrong(r, "%s", r->in.failure);
    if (r->in.stop && *r->in.stop) /* asked to end: no fault of the file's */
        return false;
    return reader_wrong(r, "the file ends inside %s", within);
}

bool reader_link_unknown(struct reader *r, uint32_t link)
{
    const char *name = pcap_datalink_val_to_name((int)link); /* DLT_ and LINKTYPE_ numbers agree for nearly all */
    r->advice = "capture Ethernet, Linux cooked, raw IP, loopback or PPP frames";
    return reader_wrong(r, "its link type %u (%s) is not one that Squall decodes", link, name ? name : "no name");
}

bool reader_start(struct reader *r)
{
    if (!input_need(&r->in, 4)) {
        if (input_ready(&r->in) == 0 && !r->in.failure)
            return reader_wrong(r, "it is empty, without even a file header");
        return reader_ended(r, "its first four bytes");
    }
    const uint8_t *b = input_bytes(&r->in);
    if (be32(b) == 0x0a0d0d0a)
        return pcapng_start(r);
    return pcapfile_start(r);
}

size_t reader_read(struct reader *r, struct frame *frames, size_t most)
{
    if (r->wrong[0])
        return 0;
    size_t n = r->ng ? pcapng_read(r, frames, most) : pcapfile_read(r, frames, most);
    r->packets += n;
    return n;
}

void reader_stop(struct reader *r)
{
    pcapng_stop(r);
}
