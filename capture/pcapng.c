/* In: the window on a pcapng file (draft-ietf-opsawg-pcapng).  Out: frames in place, to reader.c.  Sections may follow each other, each in
 * a byte order of its own; each interface of a section has its own link type and clock, which libpcap refuses to read. */
#include <stdlib.h>

#include "base/clock.h"
#include "capture/bytes.h"
#include "capture/reader.h"

enum block {
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2, /* obsolete */
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_ENHANCED_PACKET = 6,
    BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
};

enum { /* bytes */
    BLOCK_LEAST = 12,
    BLOCK_TRAILER = 4,
    SECTION_FIXED = 24,
    INTERFACE_FIXED = 16,
    SIMPLE_FIXED = 12,
    ENHANCED_FIXED = 28,
};

enum { OPTION_END = 0, OPTION_TSRESOL = 9, OPTION_TSOFFSET = 14 };

#define INTERFACES_MOST 4096                   /* of a section; a file with more is an attack */
#define OFFSET_MOST (INT64_C(1) << 33)         /* seconds; a time beyond year 2242 is none */

struct interface {
    uint32_t link;
    uint32_t snaplen; /* bytes; 0: no bound */
    uint64_t multiply, divide; /* ns = units * multiply / divide >> shift + offset */
    unsigned shift;
    int64_t offset; /* ns */
};

struct pcapng {
    struct interface *interfaces; /* of the section at hand */
    size_t count, room;
    bool any_known; /* at least one of them has a link type that decode knows */
    int64_t last;   /* time of the packet before: for simple packets, which have none */
};

static uint64_t power_of_ten(unsigned e) /* 0 when it is too large for 64 bits */
{
    uint64_t p = 1;
    for (; e > 0; e--)
        if (__builtin_mul_overflow(p, 10, &p))
            return 0;
    return p;
}

/* if_tsresol: a negative power of ten, or of two when the high bit is set. */
static void set_resolution(struct interface *i, uint8_t resolution)
{
    unsigned e = resolution & 0x7f;
    i->multiply = i->divide = 1;
    i->shift = 0;
    if (resolution & 0x80) {
        i->multiply = NS_PER_SECOND;
        i->shift = e;
    } else if (e <= 9) {
        i->multiply = power_of_ten(9 - e);
    } else {
        i->divide = power_of_ten(e - 9);
        if (i->divide == 0)
            i->multiply = 0, i->divide = 1;
    }
}

static int64_t unit_time(const struct interface *i, uint64_t units)
{
    unsigned __int128 ns = (unsigned __int128)units * i->multiply;
    if (i->divide != 1)
        ns /= i->divide;
    ns >>= i->shift;
    if (ns > (unsigned __int128)FRAME_TIME_MOST)
        return FRAME_TIME_MOST;
    int64_t t; /* the offset may be of either sign and as large */
    if (__builtin_add_overflow((int64_t)ns, i->offset, &t) || t > FRAME_TIME_MOST)
        return FRAME_TIME_MOST;
    return t < 0 ? 0 : t;
}

/* One option at *at of a block whose options end at `end`; false: they end there, or *ok is false. */
static bool next_option(const struct reader *r, const uint8_t *block, size_t *at, size_t end, uint16_t *code, struct span *value, bool *ok)
{
    *ok = true;
    if (*at == end)
        return false;
    if (end - *at < 4) {
        *ok = false;
        return false;
    }
    *code = host16(block + *at, r->swapped);
    size_t n = host16(block + *at + 2, r->swapped);
    *at += 4;
    if (*code == OPTION_END)
        return false;
    if (n > end - *at) {
        *ok = false;
        return false;
    }
    *value = span_of(block + *at, n);
    size_t padded = (n + 3) & ~(size_t)3;
    *at += padded < end - *at ? padded : end - *at;
    return true;
}

static bool start_section(struct reader *r, const uint8_t *block, size_t total)
{
    uint16_t major = host16(block + 12, r->swapped), minor = host16(block + 14, r->swapped), code;
    if (major != 1)
        return reader_wrong(r, "its pcapng version %u.%u is unknown", major, minor);
    struct span value;
    bool ok;
    size_t at = SECTION_FIXED;
    while (next_option(r, block, &at, total - BLOCK_TRAILER, &code, &value, &ok))
        continue;
    if (!ok)
        return reader_wrong(r, "its section header has an option longer than the block");
    r->ng->count = 0;
    r->ng->any_known = false;
    return true;
}

static bool add_interface(struct reader *r, const uint8_t *block, size_t total)
{
    struct pcapng *ng = r->ng;
    if (ng->count == INTERFACES_MOST)
        return reader_wrong(r, "it describes more than %d interfaces", INTERFACES_MOST);
    if (ng->count == ng->room) {
        size_t room = ng->room ? ng->room * 2 : 8;
        struct interface *grown = realloc(ng->interfaces, room * sizeof *grown);
        if (!grown)
            return reader_wrong(r, "no memory for its interfaces");
        ng->interfaces = grown;
        ng->room = room;
    }
    struct interface *i = &ng->interfaces[ng->count];
    *i = (struct interface){.link = host16(block + 8, r->swapped), .snaplen = host32(block + 12, r->swapped)};
    set_resolution(i, 6);
    uint16_t code;
    struct span value;
    bool ok;
    size_t at = INTERFACE_FIXED;
    while (next_option(r, block, &at, total - BLOCK_TRAILER, &code, &value, &ok)) {
        if (code == OPTION_TSRESOL && value.n == 1)
            set_resolution(i, value.p[0]);
        if (code == OPTION_TSOFFSET && value.n == 8) {
            int64_t seconds = (int64_t)host64(value.p, r->swapped);
            seconds = seconds > OFFSET_MOST ? OFFSET_MOST : seconds < -OFFSET_MOST ? -OFFSET_MOST : seconds;
            i->offset = seconds * NS_PER_SECOND;
        }
    }
    if (!ok)
        return reader_wrong(r, "an interface description has an option longer than the block");
    ng->count++;
    ng->any_known |= link_known(i->link);
    return true;
}

static bool fill_frame(struct reader *r, size_t interface, const uint8_t *p, uint32_t captured, uint32_t length, struct frame *out)
{
    const struct interface *i = &r->ng->interfaces[interface];
    if (captured > FRAME_MOST)
        return reader_wrong(r, "it claims %u bytes", captured);
    if (!r->ng->any_known)
        return reader_link_unknown(r, i->link);
    *out = (struct frame){
        .p = p,
        .captured = captured,
        .length = length < captured ? captured : length,
        .time = r->ng->last,
        .link = i->link,
    };
    return true;
}

/* An enhanced packet block, or the old packet block, which differs only in the width of the interface's number. */
static bool take_packet(struct reader *r, const uint8_t *block, size_t total, bool enhanced, struct frame *out)
{
    uint32_t interface = enhanced ? host32(block + 8, r->swapped) : host16(block + 8, r->swapped);
    uint64_t units = (uint64_t)host32(block + 12, r->swapped) << 32 | host32(block + 16, r->swapped);
    uint32_t captured = host32(block + 20, r->swapped);
    if (interface >= r->ng->count)
        return reader_wrong(r, "it names interface %u, which no block describes", interface);
    if (captured > total - ENHANCED_FIXED - BLOCK_TRAILER)
        return reader_wrong(r, "its %u bytes do not fit into its block of %zu", captured, total);
    r->ng->last = unit_time(&r->ng->interfaces[interface], units);
    return fill_frame(r, interface, block + ENHANCED_FIXED, captured, host32(block + 24, r->swapped), out);
}

static bool take_simple(struct reader *r, const uint8_t *block, size_t total, struct frame *out)
{
    if (r->ng->count == 0)
        return reader_wrong(r, "it comes before any interface is described");
    uint32_t length = host32(block + 8, r->swapped), snaplen = r->ng->interfaces[0].snaplen;
    uint32_t captured = (uint32_t)(total - SIMPLE_FIXED - BLOCK_TRAILER);
    if (captured > length)
        captured = length;
    if (snaplen && captured > snaplen)
        captured = snaplen;
    return fill_frame(r, 0, block + SIMPLE_FIXED, captured, length, out);
}

/* The least a block of this type can have; 0: a type that is passed over. */
static size_t least(uint32_t type)
{
    switch (type) {
    case BLOCK_SECTION:
        return SECTION_FIXED + BLOCK_TRAILER;
    case BLOCK_INTERFACE:
        return INTERFACE_FIXED + BLOCK_TRAILER;
    case BLOCK_PACKET:
    case BLOCK_ENHANCED_PACKET:
        return ENHANCED_FIXED + BLOCK_TRAILER;
    case BLOCK_SIMPLE_PACKET:
        return SIMPLE_FIXED + BLOCK_TRAILER;
    default:
        return 0;
    }
}

/* Type and length of the block at `at`, BLOCK_LEAST bytes of which are there; of a section header also the byte order.  False: wrong[]. */
static bool look_at_block(struct reader *r, uint32_t *type, uint32_t *total)
{
    const uint8_t *b = input_bytes(&r->in);
    *type = host32(b, r->swapped);
    if (*type == BLOCK_SECTION) {
        if (host32(b + 8, false) != 0x1a2b3c4d && host32(b + 8, true) != 0x1a2b3c4d) {
            reader_wrong(r, "its section header has no byte-order mark");
            return false;
        }
        r->swapped = host32(b + 8, true) == 0x1a2b3c4d;
    }
    *total = host32(b + 4, r->swapped);
    size_t least_total = least(*type);
    if (*total % 4 == 0 && *total >= BLOCK_LEAST && *total >= least_total && (least_total == 0 || *total <= INPUT_WINDOW))
        return true;
    reader_wrong(r, "a block of type %#x claims %u bytes", *type, *total);
    return false;
}

static bool trailer_agrees(struct reader *r, const uint8_t *trailer, uint32_t total)
{
    uint32_t again = host32(trailer, r->swapped);
    return again == total || reader_wrong(r, "a block claims %u bytes at its start and %u at its end", total, again);
}

/* Past a block that says nothing about packets, however long. */
static bool pass_over(struct reader *r, uint32_t total)
{
    if (!input_skip(&r->in, total - BLOCK_TRAILER) || !input_need(&r->in, BLOCK_TRAILER))
        return reader_ended(r, "a block");
    if (!trailer_agrees(r, input_bytes(&r->in), total))
        return false;
    r->in.at += BLOCK_TRAILER;
    return true;
}

/* The whole block at `at`, which stands in the window.  False: wrong[].  *frame: it was a packet. */
static bool take_block(struct reader *r, uint32_t type, uint32_t total, struct frame *out, bool *frame)
{
    const uint8_t *b = input_bytes(&r->in);
    bool ok;
    *frame = false;
    if (!trailer_agrees(r, b + total - BLOCK_TRAILER, total))
        return false;
    switch (type) {
    case BLOCK_SECTION:
        ok = start_section(r, b, total);
        break;
    case BLOCK_INTERFACE:
        ok = add_interface(r, b, total);
        break;
    case BLOCK_SIMPLE_PACKET:
        *frame = ok = take_simple(r, b, total, out);
        break;
    default:
        *frame = ok = take_packet(r, b, total, type == BLOCK_ENHANCED_PACKET, out);
        break;
    }
    r->in.at += total;
    return ok;
}

/* Nothing stands in the batch yet, so the window may move: brings in n bytes, or says what is wrong. */
static bool more(struct reader *r, size_t n, const char *within)
{
    if (input_need(&r->in, n))
        return true;
    if (input_ready(&r->in) || r->in.failure)
        reader_ended(r, within);
    return false;
}

size_t pcapng_read(struct reader *r, struct frame *frames, size_t most)
{
    size_t n = 0;
    while (n < most) {
        uint32_t type, total;
        if (input_ready(&r->in) < BLOCK_LEAST && (n || !more(r, BLOCK_LEAST, "a block")))
            break;
        if (!look_at_block(r, &type, &total))
            break;
        if (least(type) == 0) {
            if ((n && input_ready(&r->in) < total) || !pass_over(r, total))
                break;
            continue;
        }
        if (input_ready(&r->in) < total && (n || !more(r, total, "a block")))
            break;
        bool frame;
        if (!take_block(r, type, total, &frames[n], &frame))
            break;
        n += frame;
    }
    return n;
}

bool pcapng_start(struct reader *r)
{
    r->ng = calloc(1, sizeof *r->ng);
    uint32_t type, total;
    bool frame;
    if (!r->ng)
        return reader_wrong(r, "no memory for its interfaces");
    return more(r, BLOCK_LEAST, "its section header") && look_at_block(r, &type, &total) && more(r, total, "its section header") &&
           take_block(r, type, total, &(struct frame){0}, &frame);
}

void pcapng_stop(struct reader *r)
{
    if (r->ng)
        free(r->ng->interfaces);
    free(r->ng);
    r->ng = NULL;
}
