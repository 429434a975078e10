/* In: packets of mail connections and which of their bytes are clear, from track.c.  Out: on demand, the frames of some connections as
 * pcapng.
 *
 * One block of memory, records one after the other, the oldest overwritten.  A record is a frame's headers and, when any of its payload
 * is clear, its payload with all that is not clear replaced by a filler; a packet wholly inside a message costs its headers only, and
 * gets its filler when written. A packet that came early is judged later: its place is kept, and filled in when its bytes are delivered. */
#include "capture/keep.h"

#include <stdlib.h>
#include <string.h>

#include "capture/pcapng_write.h"

#define PIECES  512     /* clear pieces of one packet; what goes beyond is filler */
#define LOOK    512     /* records looked back at for a packet that came early */
#define LINKS   8       /* link types in one section */
#define LONGEST 131072u /* longer frames are not kept */
#define ALIGN   8u

struct record {
    uint32_t size;   /* with this header, a multiple of ALIGN; 0: the block ends here, go on at its start */
    uint32_t before; /* size of the record before it; 0: none, or it stands at the block's other end */
    uint64_t connection;
    int64_t time;
    uint32_t seq;              /* of the payload's first byte */
    uint32_t captured, length; /* of the frame */
    uint32_t link;
    uint32_t stored;           /* bytes of the frame in the record */
    uint32_t ip, tcp, payload; /* offsets in the frame */
    uint32_t payload_size;     /* captured */
    uint8_t from;              /* enum side */
    bool changed;              /* filler stands for some of it */
    bool ends_line;            /* the payload ends in CR LF; a filler leaves that */
    uint8_t bytes[];
};

struct keep {
    uint8_t *block;
    size_t size;
    size_t head, tail;           /* where the next record goes; where the oldest is.  Equal: empty, or full when wrapped */
    bool wrapped;                /* the newest records stand before the oldest ones */
    uint32_t last;               /* size of the newest record; 0: none, or it stands at the block's other end */
    const struct packet *packet; /* in hand */
    struct span piece[PIECES];   /* of it, clear */
    size_t pieces;
    bool judged;
};

struct keep *keep_new(size_t bytes)
{
    struct keep *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->size = bytes < 4 * LONGEST ? 4 * LONGEST : bytes / ALIGN * ALIGN;
    k->block = calloc(1, k->size); /* pages never touched cost nothing */
    if (!k->block) {
        free(k);
        return NULL;
    }
    return k;
}

void keep_free(struct keep *k)
{
    if (!k)
        return;
    free(k->block);
    free(k);
}

static struct record *record_at(const struct keep *k, size_t at)
{
    return (struct record *)(void *)(k->block + at);
}

static bool block_ends(const struct keep *k, size_t at)
{
    return at + sizeof(struct record) > k->size || record_at(k, at)->size == 0;
}

/* ---- filling */

void keep_begin(struct keep *k, const struct packet *p)
{
    k->packet = p;
    k->pieces = 0;
    k->judged = false;
}

static bool within(struct span inner, struct span outer)
{
    return inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n;
}

/* The record of a packet that came early and holds this sequence number. */
static struct record *find_early(const struct keep *k, uint64_t connection, enum side from, uint32_t seq)
{
    size_t at = k->head;
    uint32_t back = k->last;
    for (unsigned looked = 0; looked < LOOK && back; looked++) {
        at -= back;
        struct record *r = record_at(k, at);
        if (r->connection == connection && r->from == from && seq - r->seq < r->payload_size && r->stored > r->payload)
            return r;
        back = r->before;
    }
    return NULL;
}

/* Early packets need not end where the delivered bytes do. */
static void fill_early(struct keep *k, uint64_t connection, enum side from, uint32_t seq, struct span clear)
{
    while (clear.n) {
        struct record *r = find_early(k, connection, from, seq);
        if (!r)
            return;
        uint32_t at = seq - r->seq;
        size_t n = clear.n < r->payload_size - at ? clear.n : r->payload_size - at;
        memcpy(r->bytes + r->payload + at, clear.p, n);
        clear = span_from(clear, n);
        seq += (uint32_t)n;
    }
}

void keep_bytes(
    struct keep *k, uint64_t connection, enum side from, uint32_t seq, struct span bytes, const struct span clear[], size_t count)
{
    const struct packet *p = k->packet;
    bool in_hand = p && within(bytes, p->payload);
    k->judged = k->judged || in_hand;
    for (size_t i = 0; i < count; i++) {
        if (!in_hand)
            fill_early(k, connection, from, seq + (uint32_t)(clear[i].p - bytes.p), clear[i]);
        else if (k->pieces < PIECES)
            k->piece[k->pieces++] = clear[i];
    }
}

static void drop_oldest(struct keep *k)
{
    if (block_ends(k, k->tail)) {
        k->tail = 0;
        k->wrapped = false;
    } else {
        k->tail += record_at(k, k->tail)->size;
    }
}

/* Makes `size` bytes at the head free of older records. */
static void make_room(struct keep *k, size_t size)
{
    if (k->head + size > k->size) { /* no room before the block's end: to its start, and what is older than that goes first */
        while (k->wrapped)
            drop_oldest(k);
        if (k->head < k->size)
            record_at(k, k->head)->size = 0;
        k->head = 0;
        k->last = 0;
        k->wrapped = true;
    }
    while (k->wrapped && k->tail < k->head + size)
        drop_oldest(k);
}

/* Are the packet's headers in the frame itself?  Not when it was put together of fragments. */
static bool in_its_frame(const struct packet *p)
{
    struct span frame = span_of(p->frame->p, p->frame->captured);
    return frame.n <= LONGEST && within(p->ip, frame) && within(p->tcp, frame) && (p->payload.n == 0 || within(p->payload, frame));
}

/* Of its payload all that is to be said has been, or (with_filler) nothing yet. */
static void store(
    struct keep *k, const struct packet *p, uint64_t connection, enum side from, const struct span clear[], size_t count, bool with_filler)
{
    if (!in_its_frame(p))
        return;
    uint32_t headers = (uint32_t)(p->tcp.p + p->tcp.n - p->frame->p), size = (uint32_t)p->payload.n, told = 0;
    bool with_payload = size && (count || with_filler);
    uint32_t stored = with_payload ? headers + size : headers;
    uint32_t need = (uint32_t)(sizeof(struct record) + stored + ALIGN - 1) / ALIGN * ALIGN;
    make_room(k, need);
    struct record *r = record_at(k, k->head);
    *r = (struct record){.size = need,
        .before = k->last,
        .connection = connection,
        .time = p->frame->time,
        .captured = p->frame->captured,
        .length = p->frame->length,
        .link = p->frame->link,
        .stored = stored,
        .ip = (uint32_t)(p->ip.p - p->frame->p),
        .tcp = (uint32_t)(p->tcp.p - p->frame->p),
        .payload = headers,
        .payload_size = size,
        .from = (uint8_t)from};
    r->seq = p->seq + (p->flags & PACKET_SYN ? 1 : 0);
    memcpy(r->bytes, p->frame->p, headers);
    if (with_payload)
        memset(r->bytes + headers, KEEP_FILLER, size);
    for (size_t i = 0; i < count; i++) {
        memcpy(r->bytes + (clear[i].p - p->frame->p), clear[i].p, clear[i].n);
        told += (uint32_t)clear[i].n;
    }
    r->changed = told < size;
    r->ends_line = size >= 2 && memcmp(p->payload.p + size - 2, "\r\n", 2) == 0;
    if (r->ends_line && with_payload)
        memcpy(r->bytes + stored - 2, "\r\n", 2);
    k->last = need;
    k->head += need;
}

void keep_end(struct keep *k, uint64_t connection, enum side from, bool wanted)
{
    const struct packet *p = k->packet;
    k->packet = NULL;
    if (wanted)
        store(k, p, connection, from, k->piece, k->pieces, !k->judged);
}

void keep_whole(struct keep *k, const struct packet *p, uint64_t connection, enum side from, const struct span clear[], size_t count)
{
    store(k, p, connection, from, clear, count, false);
}

/* ---- writing */

/* One's complement sum (RFC 1071). */
static uint32_t sum(uint64_t start, const uint8_t *p, size_t n)
{
    for (; n > 1; p += 2, n -= 2)
        start += (uint32_t)p[0] << 8 | p[1];
    if (n)
        start += (uint32_t)p[0] << 8;
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return (uint32_t)start;
}

/* The TCP checksum of a frame whose payload was changed, unless part of the segment was not captured. */
static void set_checksum(const struct record *r, uint8_t *frame)
{
    uint8_t *ip = frame + r->ip, *tcp = frame + r->tcp;
    uint32_t segment = r->payload + r->payload_size - r->tcp, pseudo;
    if (ip[0] >> 4 == 4) {
        if (((uint32_t)ip[2] << 8 | ip[3]) != r->tcp - r->ip + segment)
            return;
        pseudo = sum(0, ip + 12, 8);
    } else {
        if (((uint32_t)ip[4] << 8 | ip[5]) != r->tcp - r->ip - 40 + segment)
            return;
        pseudo = sum(0, ip + 8, 32);
    }
    tcp[16] = tcp[17] = 0;
    uint32_t check = ~sum((uint64_t)pseudo + 6 + segment, tcp, segment) & 0xffff; /* 6: TCP's protocol number */
    tcp[16] = (uint8_t)(check >> 8);
    tcp[17] = (uint8_t)check;
}

struct output {
    FILE *to;
    uint32_t link[LINKS];
    uint32_t links;
    uint8_t frame[LONGEST];
};

/* The interface of this link type, described when it is new; LINKS: no more can be. */
static uint32_t interface_of(struct output *o, uint32_t link)
{
    uint32_t i = 0;
    while (i < o->links && o->link[i] != link)
        i++;
    if (i == o->links && i < LINKS) {
        pcapng_write_interface(o->to, link);
        o->link[o->links++] = link;
    }
    return i;
}

static bool write_record(struct output *o, const struct record *r, struct span comment)
{
    uint32_t interface = interface_of(o, r->link);
    if (interface == LINKS)
        return false;
    memcpy(o->frame, r->bytes, r->stored);
    uint32_t end = r->payload + r->payload_size;
    if (r->stored < end) {
        memset(o->frame + r->stored, KEEP_FILLER, end - r->stored);
        if (r->ends_line)
            memcpy(o->frame + end - 2, "\r\n", 2);
    }
    memset(o->frame + end, 0, r->captured - end); /* what pads a short frame */
    if (r->changed)
        set_checksum(r, o->frame);
    pcapng_write_packet(o->to, interface, r->time, span_of(o->frame, r->captured), r->length, comment);
    return true;
}

/* Walks the records from the oldest to the newest. */
struct reader {
    size_t at;
    bool far; /* still among the records before the block's end */
};

static const struct record *next_record(const struct keep *k, struct reader *r)
{
    if (r->far && block_ends(k, r->at))
        *r = (struct reader){0, false};
    if (!r->far && r->at >= k->head)
        return NULL;
    const struct record *found = record_at(k, r->at);
    r->at += found->size;
    return found;
}

/* Which wish the record fulfils; `count`: none. */
static size_t wish_of(const struct evidence_wish *wishes, size_t count, const struct record *r)
{
    size_t i = 0;
    while (i < count && (wishes[i].connection != r->connection || r->time > wishes[i].until))
        i++;
    return i;
}

size_t keep_write(const struct keep *k, const struct evidence_wish *wishes, size_t count, struct span comment, FILE *to)
{
    struct output *o = calloc(1, sizeof *o);
    struct seen {
        uint64_t found, passed;
    } *seen = calloc(count + 1, sizeof *seen);
    size_t written = 0;
    const struct record *r;
    if (o && seen) {
        for (struct reader all = {k->tail, k->wrapped}; (r = next_record(k, &all));)
            seen[wish_of(wishes, count, r)].found++;
        o->to = to;
        pcapng_write_section(to, comment);
        for (struct reader all = {k->tail, k->wrapped}; (r = next_record(k, &all));) {
            size_t i = wish_of(wishes, count, r);
            struct seen *s = &seen[i];
            uint64_t skipped = s->found > EVIDENCE_PACKETS ? s->found - EVIDENCE_PACKETS : 0;
            if (i < count && s->passed >= skipped)
                written += write_record(o, r, s->passed == skipped ? wishes[i].why : (struct span){NULL, 0});
            s->passed++;
        }
    }
    free(seen);
    free(o);
    return written;
}
