/* In: records of one thread.  Out: the same records, in order, to one other thread.  The layout is a byte ring of records, each a 8-byte
 * length and its bytes, padded to 8; a record never wraps: what does not fit before the end is skipped over by a length of SKIP.
 *
 *     | len | record ... | len | record | len | record | free ...            | SKIP |
 *     ^ tail (released)    ^ at (passed)               ^ head (writer)
 *
 * head and tail count bytes for ever and are masked on use, so head - tail is what is in use.  A writer whose reader keeps up with it goes
 * back to the beginning long before the end: what it uses stays in the processor's cache, and of the rest no memory is ever touched. */
#include "base/ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/pages.h"

#define LENGTH_BYTES 8
#define SKIP UINT64_MAX
#define LINE 64 /* bytes of a cache line: the two ends do not share one */
#define AHEAD (3 * LINE) /* of the record behind the one that is read: the least take no more */
#define STRETCH ((uint64_t)2 << 20) /* bytes after which the writer looks whether it may begin anew: they fit into a cache */

struct ring {
    uint8_t *room;
    uint64_t size;          /* a power of two */
    int event;
    _Alignas(LINE) _Atomic uint64_t head;
    uint64_t tail_seen;     /* writer's last look at tail */
    uint64_t reserved;      /* where the record being written begins, skips included */
    _Alignas(LINE) _Atomic uint64_t tail;
    uint64_t at;            /* of the reader: all before it has been passed */
    uint64_t head_seen;     /* reader's last look at head */
    _Alignas(LINE) _Atomic bool asleep;
};

static uint64_t padded(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

struct ring *ring_new(size_t bytes)
{
    struct ring *r = aligned_alloc(LINE, (sizeof(struct ring) + LINE - 1) / LINE * LINE);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    for (r->size = 4096; r->size < bytes; r->size *= 2)
        ;
    r->room = pages_map(r->size);
    r->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->room && r->event >= 0)
        return r;
    ring_free(r);
    return NULL;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    if (r->event >= 0)
        close(r->event);
    pages_unmap(r->room, r->size);
    free(r);
}

/* Does the writer, at a stretch's end, do better to begin anew?  Not when the reader is so far behind that it needs what is before it. */
static bool begin_anew(struct ring *r, uint64_t head, uint64_t need)
{
    uint64_t at = head & (r->size - 1);
    if (at / STRETCH == (at + need) / STRETCH)
        return false;
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    return head - r->tail_seen + need <= at / 4;
}

void *ring_reserve(struct ring *r, size_t n)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t need = LENGTH_BYTES + padded(n), to_end = r->size - (head & (r->size - 1));
    if (need > r->size / 2)
        return NULL;
    uint64_t skip = need > to_end || begin_anew(r, head, need) ? to_end : 0;
    if (head + skip + need - r->tail_seen > r->size) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head + skip + need - r->tail_seen > r->size)
            return NULL;
    }
    if (skip) {
        uint64_t mark = SKIP;
        memcpy(r->room + (head & (r->size - 1)), &mark, sizeof mark);
    }
    r->reserved = head + skip;
    return r->room + (r->reserved & (r->size - 1)) + LENGTH_BYTES;
}

void ring_commit(struct ring *r, size_t n)
{
    uint64_t length = n;
    memcpy(r->room + (r->reserved & (r->size - 1)), &length, sizeof length);
    atomic_store_explicit(&r->head, r->reserved + LENGTH_BYTES + padded(n), memory_order_seq_cst);
    if (atomic_load_explicit(&r->asleep, memory_order_seq_cst) && atomic_exchange(&r->asleep, false)) {
        uint64_t one = 1;
        ssize_t woken = write(r->event, &one, sizeof one); /* cannot fail but by a full counter, and then the reader is awake */
        (void)woken;
    }
}

static uint64_t length_at(const struct ring *r, uint64_t at)
{
    uint64_t length;
    memcpy(&length, r->room + (at & (r->size - 1)), sizeof length);
    return length;
}

/* Where the record that begins there ends, or what is skipped over. */
static uint64_t behind(const struct ring *r, uint64_t at)
{
    uint64_t length = length_at(r, at);
    return at + (length == SKIP ? r->size - (at & (r->size - 1)) : LENGTH_BYTES + padded(length));
}

struct span ring_peek(struct ring *r)
{
    for (;; r->at = behind(r, r->at)) {
        if (r->at == r->head_seen) {
            r->head_seen = atomic_load_explicit(&r->head, memory_order_seq_cst);
            if (r->at == r->head_seen)
                return span_of(NULL, 0);
        }
        uint64_t length = length_at(r, r->at);
        if (length != SKIP)
            return span_of(r->room + (r->at & (r->size - 1)) + LENGTH_BYTES, length);
    }
}

void ring_pass(struct ring *r)
{
    r->at = behind(r, r->at);
    if (r->at != r->head_seen) /* the next is there, written by another processor: it is worth asking for before it is read */
        for (size_t i = 0; i < AHEAD; i += LINE)
            __builtin_prefetch(r->room + (r->at & (r->size - 1)) + i);
}

void ring_release(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    while (length_at(r, tail) == SKIP)
        tail = behind(r, tail);
    atomic_store_explicit(&r->tail, behind(r, tail), memory_order_release);
}

int ring_descriptor(const struct ring *r)
{
    return r->event;
}

bool ring_arm(struct ring *r)
{
    uint64_t count;
    ssize_t drained = read(r->event, &count, sizeof count);
    (void)drained;
    atomic_store_explicit(&r->asleep, true, memory_order_seq_cst);
    if (ring_peek(r).p == NULL)
        return true;
    atomic_store_explicit(&r->asleep, false, memory_order_seq_cst);
    return false;
}
