/* One capture file being read: what pcapfile.c and pcapng.c have in common, for source.c. */
#ifndef SQUALL_CAPTURE_READER_H
#define SQUALL_CAPTURE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/frame.h"
#include "capture/input.h"

#define READER_WRONG 160 /* bytes, with the NUL */

struct pcapng;

struct reader {
    struct input in;
    uint64_t packets;         /* whole ones, so far */
    char wrong[READER_WRONG]; /* why reading ended before the file did; empty: it did not */
    const char *advice;       /* what to do about that, or NULL */
    bool swapped;             /* the file's byte order is not this machine's */
    uint32_t record;          /* pcap: bytes of a record's header */
    uint32_t link;            /* pcap: the file's link type */
    int64_t fraction;         /* pcap: ns of a unit in the second half of its times */
    struct pcapng *ng;        /* NULL: a pcap file */
};

/* From an open input to the first packet: finds the format, reads what stands before.  False: wrong[] says why it is no capture. */
bool reader_start(struct reader *r);
/* Up to `most` frames that lie in the window together; valid until the next call.  0: the end, or wrong[]. */
size_t reader_read(struct reader *r, struct frame *frames, size_t most);
void reader_stop(struct reader *r); /* frees what reader_start() took; the input is the caller's */
/* Why reading ended: printf-like into wrong[]; returns false. */
bool reader_wrong(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool reader_ended(struct reader *r, const char *within); /* the file ends inside `within`: says so, or what the input's failure was */
bool reader_link_unknown(struct reader *r, uint32_t link); /* "its link type ... is not one that Squall knows ..." */

bool pcapfile_start(struct reader *r);
size_t pcapfile_read(struct reader *r, struct frame *frames, size_t most);
bool pcapng_start(struct reader *r);
size_t pcapng_read(struct reader *r, struct frame *frames, size_t most);
void pcapng_stop(struct reader *r);

#endif
