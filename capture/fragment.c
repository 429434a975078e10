/* In: IP fragments, from ip.c.  Out: the payload of a datagram as soon as its last missing fragment has come, back to ip.c.
 *
 * A datagram is a list of pieces in order of offset; a piece is one fragment's bytes, or several pieces are when it is a large one.  Where
 * IPv4 fragments overlap, the bytes that came first stand.  An IPv6 datagram with an overlap is dropped whole, with what still comes of
 * it (RFC 5722); an exact copy of what is there is none (RFC 8200, 4.5), as a mirror may show every packet twice.  Half a minute by packet
 * time after its first fragment a datagram is given up (RFC 791 asks for 15 s, RFC 8200 for 60); before, when room runs out, the oldest.
 *
 * A whole datagram stays on as a mark for a second, so that a mirror's second copy of its last fragment does not begin another. */
#include "capture/fragment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/pool.h"

#define PIECE_BYTES 1480u       /* what an Ethernet frame carries of an IPv4 datagram */
#define PIECES_A_DATAGRAM 8     /* on average, before the oldest datagram has to go */
#define PIECES_MOST 1366u       /* of one: 48 bytes each, the least that RFC 791 asks a network to carry; more cost the time to walk them */
#define DATAGRAM_MOST 65535u    /* bytes */
#define GIVE_UP (30 * NS_PER_SECOND)
#define COPY_WITHIN NS_PER_SECOND

struct piece {
    struct piece *next;
    uint32_t offset, n; /* bytes, in the datagram */
    uint8_t bytes[PIECE_BYTES];
};

struct key {
    struct address from, to;
    uint32_t id, tunnel;
    uint32_t protocol; /* IPv6: 0, as only the first fragment's counts */
    uint32_t v6;
};

enum state { GATHERING, WHOLE, DROPPED };

struct datagram {
    struct key key;
    struct datagram *next;           /* in the bucket */
    struct datagram *older, *newer;
    struct piece *pieces;
    int64_t begun, finished;         /* ns */
    uint32_t have, total;            /* bytes; total 0: the last fragment has not come */
    uint32_t count;                  /* of pieces */
    enum state state;
    uint8_t protocol;
};

struct fragments {
    struct capture_counters *counters;
    struct pool *datagrams, *pieces;
    struct datagram **buckets;
    size_t bucket_count; /* a power of two */
    struct datagram *oldest, *newest;
    uint8_t whole[FRAGMENT_HEADROOM + DATAGRAM_MOST];
};

struct fragments *fragments_new(size_t datagrams, struct capture_counters *counters)
{
    struct fragments *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->counters = counters;
    if (datagrams == 0)
        datagrams = 1;
    for (f->bucket_count = 16; f->bucket_count < datagrams; f->bucket_count *= 2)
        continue;
    f->buckets = calloc(f->bucket_count, sizeof(struct datagram *));
    f->datagrams = pool_new(sizeof(struct datagram), datagrams);
    f->pieces = pool_new(sizeof(struct piece), datagrams * PIECES_A_DATAGRAM);
    if (f->buckets && f->datagrams && f->pieces)
        return f;
    fragments_free(f);
    return NULL;
}

void fragments_free(struct fragments *f)
{
    if (!f)
        return;
    pool_free(f->datagrams);
    pool_free(f->pieces);
    free(f->buckets);
    free(f);
}

static struct datagram **bucket(struct fragments *f, const struct key *k)
{
    return &f->buckets[hash_bytes(k, sizeof *k) & (f->bucket_count - 1)];
}

static void free_pieces(struct fragments *f, struct datagram *d)
{
    while (d->pieces) {
        struct piece *p = d->pieces;
        d->pieces = p->next;
        pool_put(f->pieces, p);
    }
    d->have = d->total = d->count = 0;
}

static void unlink_age(struct fragments *f, struct datagram *d)
{
    *(d->older ? &d->older->newer : &f->oldest) = d->newer;
    *(d->newer ? &d->newer->older : &f->newest) = d->older;
}

static void link_newest(struct fragments *f, struct datagram *d)
{
    d->newer = NULL;
    d->older = f->newest;
    *(f->newest ? &f->newest->newer : &f->oldest) = d;
    f->newest = d;
}

static void forget(struct fragments *f, struct datagram *d)
{
    struct datagram **at = bucket(f, &d->key);
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    unlink_age(f, d);
    f->counters->fragments_lost += d->state != WHOLE;
    free_pieces(f, d);
    pool_put(f->datagrams, d);
}

static void expire(struct fragments *f, int64_t now)
{
    while (f->oldest && now - f->oldest->begun > GIVE_UP)
        forget(f, f->oldest);
}

void fragments_finish(struct fragments *f)
{
    while (f->oldest)
        forget(f, f->oldest);
}

static void begin(struct fragments *f, struct datagram *d, int64_t now)
{
    d->begun = now;
    d->state = GATHERING;
    d->have = d->total = d->count = 0;
    d->protocol = (uint8_t)d->key.protocol;
    link_newest(f, d);
}

/* The datagram of this fragment, begun when there is none; NULL: the fragment is a late copy, or belongs to one that was dropped. */
static struct datagram *find(struct fragments *f, const struct fragment *x)
{
    struct key k;
    memset(&k, 0, sizeof k); /* hashed and compared as bytes */
    k.from = x->from;
    k.to = x->to;
    k.id = x->id;
    k.tunnel = x->tunnel;
    k.protocol = x->v6 ? 0 : x->protocol;
    k.v6 = x->v6;
    struct datagram **first = bucket(f, &k), *d = *first;
    while (d && memcmp(&d->key, &k, sizeof k) != 0)
        d = d->next;
    if (d && d->state == WHOLE) {
        if (x->offset && x->time - d->finished < COPY_WITHIN)
            return NULL;
        unlink_age(f, d); /* the number is used again, or the first of a second set of copies has come */
        begin(f, d, x->time);
    }
    if (d)
        return d->state == DROPPED ? NULL : d;

    d = pool_get(f->datagrams);
    if (!d) {
        forget(f, f->oldest); /* may have been the end of this bucket's list; its head is read anew */
        d = pool_get(f->datagrams);
    }
    assert(d);
    d->key = k;
    d->pieces = NULL;
    d->next = *first;
    *first = d;
    begin(f, d, x->time);
    return d;
}

/* A piece for this datagram, from the oldest other when there is none left; NULL: it has as many as it may, or all there are. */
static struct piece *new_piece(struct fragments *f, struct datagram *d)
{
    struct piece *p;
    if (d->count == PIECES_MOST)
        return NULL;
    while (!(p = pool_get(f->pieces))) {
        struct datagram *victim = f->oldest == d ? d->newer : f->oldest;
        if (!victim)
            return NULL;
        forget(f, victim);
    }
    d->count++;
    return p;
}

/* Nothing more comes of this datagram; it is kept to swallow what still arrives. */
static void drop(struct fragments *f, struct datagram *d)
{
    free_pieces(f, d);
    d->state = DROPPED;
}

/* Whether bytes from `offset` on overlap what is there with the same bytes throughout (*copy), or at all (returned). */
static bool overlaps(const struct datagram *d, uint32_t offset, struct span bytes, bool *copy)
{
    uint32_t end = offset + (uint32_t)bytes.n, same = 0;
    bool any = false;
    for (const struct piece *p = d->pieces; p && p->offset < end; p = p->next) {
        uint32_t a = p->offset > offset ? p->offset : offset, b = p->offset + p->n < end ? p->offset + p->n : end;
        if (a >= b)
            continue;
        any = true;
        if (memcmp(p->bytes + (a - p->offset), bytes.p + (a - offset), b - a) == 0)
            same += b - a;
    }
    *copy = same == bytes.n;
    return any;
}

/* Puts in what is not there yet.  False: no room for it. */
static bool insert(struct fragments *f, struct datagram *d, uint32_t offset, struct span bytes)
{
    uint32_t end = offset + (uint32_t)bytes.n, at = offset;
    struct piece **link = &d->pieces;
    while (at < end) {
        struct piece *p = *link;
        if (p && p->offset <= at) { /* before the hole, or over its start */
            if (p->offset + p->n > at)
                at = p->offset + p->n;
            link = &p->next;
            continue;
        }
        struct piece *fresh = new_piece(f, d);
        if (!fresh)
            return false;
        uint32_t n = (p && p->offset < end ? p->offset : end) - at;
        fresh->offset = at;
        fresh->n = n < PIECE_BYTES ? n : PIECE_BYTES;
        memcpy(fresh->bytes, bytes.p + (at - offset), fresh->n);
        fresh->next = p;
        *link = fresh;
        link = &fresh->next;
        d->have += fresh->n;
        at += fresh->n;
    }
    return true;
}

static bool broken(struct fragments *f)
{
    f->counters->bad_ip++;
    f->counters->undecodable++;
    return false;
}

bool fragment_add(struct fragments *f, const struct fragment *x, struct span *datagram, uint8_t *protocol, uint8_t **room)
{
    expire(f, x->time);
    uint32_t most = x->v6 ? DATAGRAM_MOST : DATAGRAM_MOST - 20; /* with an IPv4 header the sum has to fit 16 bits */
    if (x->length == 0 || (x->more && x->length % 8) || x->offset > most || x->length > most - x->offset)
        return broken(f);
    struct datagram *d = find(f, x);
    if (!d)
        return false;
    bool copy, over = overlaps(d, x->offset, x->bytes, &copy);
    uint32_t end = x->offset + x->length;
    bool ends_twice = d->total && (x->more ? end > d->total : end != d->total);
    if ((over && !copy) || ends_twice) {
        f->counters->fragments_overlapping++;
        if (x->v6) {
            drop(f, d);
            return false;
        }
        if (ends_twice)
            return false;
    }
    if (!x->more && d->total == 0) {
        for (const struct piece *p = d->pieces; p; p = p->next)
            if (p->offset + p->n > end) { /* it ends before what is there: neither can be right */
                drop(f, d);
                return broken(f);
            }
        d->total = end;
    }
    if (x->offset == 0)
        d->protocol = x->protocol;
    if (!insert(f, d, x->offset, x->bytes)) {
        drop(f, d);
        return false;
    }
    if (d->total == 0 || d->have < d->total)
        return false;

    for (const struct piece *p = d->pieces; p; p = p->next)
        memcpy(f->whole + FRAGMENT_HEADROOM + p->offset, p->bytes, p->n);
    *datagram = span_of(f->whole + FRAGMENT_HEADROOM, d->total);
    *protocol = d->protocol;
    *room = f->whole;
    free_pieces(f, d);
    d->state = WHOLE;
    d->finished = x->time;
    f->counters->datagrams++;
    return true;
}
