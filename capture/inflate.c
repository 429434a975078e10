/* In: packed bytes as input.c reads them from a file.  Out: the capture file in them, back to input.c. */
#include "capture/inflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct inflate {
    enum inflate_form form;
    bool inside; /* a stream has begun and not ended */
    bool past;   /* what follows is no stream */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

enum inflate_form inflate_form(struct span head)
{
    static const uint8_t gzip[] = {0x1f, 0x8b, 8}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    if (span_equal(span_head(head, sizeof gzip), span_of(gzip, sizeof gzip)))
        return INFLATE_GZIP;
    if (span_equal(span_head(head, sizeof zstd), span_of(zstd, sizeof zstd)))
        return INFLATE_ZSTD;
    /* zstd also allows a skippable frame first (RFC 8878, 3.1.2): 184d2a5? */
    if (head.n >= 4 && (head.p[0] & 0xf0) == 0x50 && head.p[1] == 0x2a && head.p[2] == 0x4d && head.p[3] == 0x18)
        return INFLATE_ZSTD;
    return INFLATE_NONE;
}

struct inflate *inflate_new(enum inflate_form form)
{
    struct inflate *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->form = form;
    if (form == INFLATE_GZIP && inflateInit2(&i->gzip, 16 + MAX_WBITS) == Z_OK)
        return i;
    /* The library's own bound on a stream's window holds: 128 MiB. */
    if (form == INFLATE_ZSTD && (i->zstd = ZSTD_createDStream()) != NULL)
        return i;
    free(i);
    return NULL;
}

void inflate_free(struct inflate *i)
{
    if (!i)
        return;
    if (i->form == INFLATE_GZIP)
        inflateEnd(&i->gzip);
    ZSTD_freeDStream(i->zstd);
    free(i);
}

static const char *step_gzip(struct inflate *i, struct span *packed, uint8_t *to, size_t room, size_t *made)
{
    if (!i->inside) {
        if (packed->p[0] != 0x1f) { /* a gzip file may be padded; gzip(1) ignores it too */
            i->past = true;
            return NULL;
        }
        inflateReset(&i->gzip);
        i->inside = true;
    }
    uInt most = packed->n < UINT_MAX ? (uInt)packed->n : UINT_MAX, space = room < UINT_MAX ? (uInt)room : UINT_MAX;
    i->gzip.next_in = (z_const Bytef *)(uintptr_t)packed->p; /* zlib's next_in is not const without ZLIB_CONST; it only reads */
    i->gzip.avail_in = most;
    i->gzip.next_out = to;
    i->gzip.avail_out = space;
    int result = inflate(&i->gzip, Z_NO_FLUSH);
    *packed = span_from(*packed, most - i->gzip.avail_in);
    *made = space - i->gzip.avail_out;
    if (result == Z_STREAM_END)
        i->inside = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return i->gzip.msg ? i->gzip.msg : "broken gzip stream";
    return NULL;
}

static const char *step_zstd(struct inflate *i, struct span *packed, uint8_t *to, size_t room, size_t *made)
{
    ZSTD_inBuffer in = {packed->p, packed->n, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t result = ZSTD_decompressStream(i->zstd, &out, &in);
    *packed = span_from(*packed, in.pos);
    *made = out.pos;
    if (ZSTD_isError(result))
        return ZSTD_getErrorName(result);
    i->inside = result != 0;
    return NULL;
}

const char *inflate_step(struct inflate *i, struct span *packed, uint8_t *to, size_t room, size_t *made)
{
    *made = 0;
    if (i->past)
        *packed = span_from(*packed, packed->n);
    if (packed->n == 0 && !i->inside) /* inside, the library may still hold output back */
        return NULL;
    return i->form == INFLATE_GZIP ? step_gzip(i, packed, to, room, made) : step_zstd(i, packed, to, room, made);
}

bool inflate_whole(const struct inflate *i)
{
    return !i->inside;
}
