/* In: a packet's endpoints.  Out: its connection's record, to track.c.  Open addressing over slots of eight bytes, so that one cache line
 * answers most questions; records lie in one array and never move.  Both are reserved at start and become memory as they are used: few
 * slots serve few connections, which keeps them in the cache and leaves the rest of the memory to others. */
#include "capture/flow.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/pages.h"

#define WHEEL_SECONDS 4096 /* power of two; longer waits come early and are sent round again */
#define RETIRED WHEEL_SECONDS
#define WHEEL_HEAD 0x80000000u /* in due_prev: the rest is the bucket this flow is first in */
#define NO_FLOW 0u             /* flow indexes count from 1 */
#define SLOTS_FIRST 8192u      /* power of two; when half of them are in use they become twice as many */

struct flow_table {
    struct flow_index index;
    uint32_t mask_most; /* when they have grown; so many are reserved */
    uint32_t most, made;
    uint32_t known;     /* records in use */
    uint32_t vacant;    /* first of the records given back, linked by due_next */
    uint32_t on_wheel, retired;
    int64_t second;     /* everything due up to here was taken */
    bool started;       /* second means something */
    uint32_t wheel[WHEEL_SECONDS + 1]; /* the last: the retired */
};

static_assert(sizeof(struct flow) == 128, "two cache lines");

static size_t slots_bytes(uint32_t mask)
{
    return ((size_t)mask + 1) * sizeof(struct flow_slot);
}

static size_t flows_bytes(const struct flow_table *t)
{
    return ((size_t)t->most + 1) * sizeof *t->index.flows;
}

struct flow_table *flow_table_new(size_t most)
{
    assert(most > 0 && most < WHEEL_HEAD / 2);
    struct flow_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->most = (uint32_t)most;
    t->mask_most = 1;
    while (t->mask_most + 1 < 2 * t->most) /* at most half full */
        t->mask_most = t->mask_most * 2 + 1;
    t->index.mask = t->mask_most < SLOTS_FIRST ? t->mask_most : SLOTS_FIRST - 1;
    t->index.slots = pages_map(slots_bytes(t->mask_most));
    t->index.flows = pages_map(flows_bytes(t));
    if (!t->index.slots || !t->index.flows) {
        flow_table_free(t);
        return NULL;
    }
    return t;
}

void flow_table_free(struct flow_table *t)
{
    if (!t)
        return;
    pages_unmap(t->index.slots, slots_bytes(t->mask_most));
    pages_unmap(t->index.flows, flows_bytes(t));
    free(t);
}

const struct flow_index *flow_table_index(const struct flow_table *t)
{
    return &t->index;
}

struct flow *flow_find(const struct flow_table *t, const struct packet *p, uint32_t hash, enum side *from)
{
    for (uint32_t i = hash & t->index.mask; t->index.slots[i].flow != NO_FLOW; i = (i + 1) & t->index.mask)
        if (t->index.slots[i].hash == hash && flow_has(&t->index.flows[t->index.slots[i].flow], p, from))
            return &t->index.flows[t->index.slots[i].flow];
    return NULL;
}

static uint32_t index_of(const struct flow_table *t, const struct flow *f)
{
    return (uint32_t)(f - t->index.flows);
}

static void slot_put(struct flow_table *t, uint32_t hash, uint32_t flow)
{
    uint32_t i = hash & t->index.mask;
    while (t->index.slots[i].flow != NO_FLOW)
        i = (i + 1) & t->index.mask;
    t->index.slots[i] = (struct flow_slot){hash, flow};
}

/* Twice as many slots, in place. */
static void slots_grow(struct flow_table *t)
{
    memset(t->index.slots, 0, slots_bytes(t->index.mask));
    t->index.mask = t->index.mask * 2 + 1;
    for (uint32_t i = 1; i <= t->made; i++)
        if (t->index.flows[i].number != 0)
            slot_put(t, t->index.flows[i].hash, i);
}

struct flow *flow_add(struct flow_table *t, const struct packet *p, uint32_t hash, enum side from)
{
    uint32_t index = t->vacant;
    if (index != NO_FLOW)
        t->vacant = t->index.flows[index].due_next;
    else if (t->made < t->most)
        index = ++t->made;
    else
        return NULL;
    if (t->known++ > t->index.mask / 2 && t->index.mask < t->mask_most)
        slots_grow(t);
    slot_put(t, hash, index);
    struct flow *f = &t->index.flows[index];
    *f = (struct flow){.tunnel = p->tunnel, .hash = hash};
    f->side[from] = p->from;
    f->side[side_other(from)] = p->to;
    return f;
}

static void slot_remove(struct flow_table *t, uint32_t hash, uint32_t flow)
{
    uint32_t i = hash & t->index.mask;
    while (t->index.slots[i].flow != flow)
        i = (i + 1) & t->index.mask;
    /* what follows moves up, so that no search ends too early */
    for (uint32_t j = (i + 1) & t->index.mask; t->index.slots[j].flow != NO_FLOW; j = (j + 1) & t->index.mask)
        if (((j - t->index.slots[j].hash) & t->index.mask) >= ((j - i) & t->index.mask)) {
            t->index.slots[i] = t->index.slots[j];
            i = j;
        }
    t->index.slots[i].flow = NO_FLOW;
}

static void wheel_leave(struct flow_table *t, struct flow *f)
{
    if (f->due_prev == NO_FLOW)
        return;
    if (f->due_prev & WHEEL_HEAD)
        t->wheel[f->due_prev & ~WHEEL_HEAD] = f->due_next;
    else
        t->index.flows[f->due_prev].due_next = f->due_next;
    if (f->due_next != NO_FLOW)
        t->index.flows[f->due_next].due_prev = f->due_prev;
    f->due_prev = f->due_next = NO_FLOW;
    if (f->flags & FLOW_RETIRED)
        t->retired--;
    else
        t->on_wheel--;
    f->flags &= (uint16_t)~FLOW_RETIRED;
}

static void wheel_join(struct flow_table *t, struct flow *f, uint32_t bucket)
{
    f->due_next = t->wheel[bucket];
    if (f->due_next != NO_FLOW)
        t->index.flows[f->due_next].due_prev = index_of(t, f);
    f->due_prev = WHEEL_HEAD | bucket;
    t->wheel[bucket] = index_of(t, f);
}

void flow_remove(struct flow_table *t, struct flow *f)
{
    wheel_leave(t, f);
    slot_remove(t, f->hash, index_of(t, f));
    f->number = 0;
    t->known--;
    f->due_next = t->vacant;
    t->vacant = index_of(t, f);
}

void flow_swap(struct flow *f)
{
    assert(!f->hold);
    struct flow old = *f;
    for (enum side s = CLIENT; s <= SERVER; s++) {
        f->side[s] = old.side[side_other(s)];
        f->next[s] = old.next[side_other(s)];
        f->acked[s] = old.acked[side_other(s)];
        f->fin[s] = old.fin[side_other(s)];
    }
    unsigned first = old.flags & 0x555u, second = old.flags & 0xaaau;
    f->flags = (uint16_t)((old.flags & ~0xfffu) | first << 1 | second >> 1);
}

void flow_renew(struct flow *f)
{
    const struct flow old = *f;
    *f = (struct flow){.side = {old.side[CLIENT], old.side[SERVER]}, .tunnel = old.tunnel, .hash = old.hash,
        .flags = old.flags & FLOW_RETIRED, .due_next = old.due_next, .due_prev = old.due_prev};
}

void flow_due(struct flow_table *t, struct flow *f, int64_t when)
{
    wheel_leave(t, f);
    int64_t second = when / NS_PER_SECOND + 1; /* never early */
    if (!t->started) {
        t->started = true;
        t->second = second - 1;
    }
    if (second <= t->second)
        second = t->second + 1;
    if (second > t->second + WHEEL_SECONDS - 1)
        second = t->second + WHEEL_SECONDS - 1;
    wheel_join(t, f, (uint32_t)(second % WHEEL_SECONDS));
    t->on_wheel++;
}

bool flow_retire(struct flow_table *t, struct flow *f)
{
    if (t->retired >= t->most / 4)
        return false;
    wheel_leave(t, f);
    wheel_join(t, f, RETIRED);
    f->flags |= FLOW_RETIRED;
    t->retired++;
    return true;
}

struct flow *flow_take_due(struct flow_table *t, int64_t now)
{
    int64_t until = now / NS_PER_SECOND;
    if (t->on_wheel == 0 || until < t->second) /* nobody waits, or the clock was set back: who comes early is sent round again */
        t->second = until;
    else if (until - t->second > WHEEL_SECONDS) /* once round is enough */
        t->second = until - WHEEL_SECONDS;
    for (; t->second < until; t->second++) {
        uint32_t index = t->wheel[(t->second + 1) % WHEEL_SECONDS];
        if (index == NO_FLOW)
            continue;
        wheel_leave(t, &t->index.flows[index]);
        return &t->index.flows[index];
    }
    return NULL;
}

struct flow *flow_take_first(struct flow_table *t, int64_t *when)
{
    if (t->wheel[RETIRED] != NO_FLOW) {
        struct flow *f = &t->index.flows[t->wheel[RETIRED]];
        wheel_leave(t, f);
        *when = INT64_MAX;
        return f;
    }
    for (int64_t i = 1; i < WHEEL_SECONDS; i++) {
        uint32_t index = t->wheel[(t->second + i) % WHEEL_SECONDS];
        if (index == NO_FLOW)
            continue;
        wheel_leave(t, &t->index.flows[index]);
        *when = (t->second + i) * NS_PER_SECOND;
        return &t->index.flows[index];
    }
    return NULL;
}

void flow_forget(struct flow_table *t)
{
    if (madvise(t->index.slots, slots_bytes(t->index.mask), MADV_DONTNEED) != 0)
        memset(t->index.slots, 0, slots_bytes(t->index.mask));
    memset(t->wheel, 0, sizeof t->wheel);
    t->made = t->known = t->vacant = t->on_wheel = t->retired = 0;
}

static int by_number(const void *a, const void *b)
{
    const struct flow *const *x = a, *const *y = b;
    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

struct flow **flow_all(struct flow_table *t, size_t *count)
{
    *count = 0;
    struct flow **all = t->made ? malloc(t->made * sizeof(struct flow *)) : NULL;
    if (!all)
        return NULL;
    bool ordered = true; /* unless records were used again */
    uint64_t last = 0;
    for (uint32_t i = 1; i <= t->made; i++) {
        if (t->index.flows[i].number == 0)
            continue;
        ordered = ordered && t->index.flows[i].number > last;
        last = t->index.flows[i].number;
        all[(*count)++] = &t->index.flows[i];
    }
    if (!ordered)
        qsort(all, *count, sizeof(struct flow *), by_number);
    return all;
}
