/* Most texts are a name or a path, and there may be a million of them: small ones come from slabs.  Above, in four steps from one power of
 * two to the next, from the system; emptied ones up to 16 KiB wait in a list of their size, but no more than a mail or two at once needs:
 * where all sessions have reached the same step of their dialogue, the memory of one size must become that of another. */
#include "smtpdissect/text.h"

#include <stdlib.h>

#define SMALL_MOST  448u /* bytes, from slabs */
#define LARGE_LEAST 256u /* below the least size that the system gives, and a power of two */
#define LARGE_MOST  (16u << 10)
#define STEPS       4u         /* from a power of two to the next */
#define IDLE_MOST   (1u << 20) /* bytes; and no more than this part of the bound: */
#define IDLE_PART   64u
enum { LARGE_SIZES = 6 * STEPS }; /* to 16 KiB */

struct vacant {
    struct vacant *next;
};

struct stock {
    struct slabs *slabs;
    struct vacant *vacant[LARGE_SIZES];
    size_t most, used, idle, idle_most; /* bytes: the bound, in texts, in vacant[], the bound on these */
};

struct stock *stock_new(struct slabs *slabs, size_t most)
{
    struct stock *s = calloc(1, sizeof *s);
    if (s) {
        s->slabs = slabs;
        s->most = most;
        s->idle_most = most / IDLE_PART < IDLE_MOST ? most / IDLE_PART : IDLE_MOST;
    }
    return s;
}

void stock_free(struct stock *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < LARGE_SIZES; i++)
        for (struct vacant *v = s->vacant[i], *next; v; v = next) {
            next = v->next;
            free(v);
        }
    free(s);
}

/* The greatest power of two below `size`, which is at least 2. */
static uint32_t power_below(uint32_t size)
{
    return 1u << (31 - __builtin_clz(size - 1));
}

static uint32_t size_for(size_t need)
{
    if (need <= SMALL_MOST)
        return (uint32_t)slabs_size(need);
    uint32_t step = power_below((uint32_t)need) / STEPS;
    return (uint32_t)(need + step - 1) / step * step;
}

static unsigned list_of(uint32_t size)
{
    uint32_t power = power_below(size);
    return (unsigned)(__builtin_ctz(power) - __builtin_ctz(LARGE_LEAST)) * STEPS + (size - power) / (power / STEPS) - 1;
}

static uint32_t size_of_list(unsigned list)
{
    uint32_t power = LARGE_LEAST << list / STEPS;
    return power + power / STEPS * (list % STEPS + 1);
}

/* The first vacant text of a list; NULL: none. */
static struct vacant *take_vacant(struct stock *stock, unsigned list)
{
    struct vacant *v = stock->vacant[list];
    if (v) {
        stock->vacant[list] = v->next;
        stock->idle -= size_of_list(list);
    }
    return v;
}

static inline uint8_t *take(struct stock *stock, uint32_t size)
{
    if (size <= SMALL_MOST)
        return slabs_get(stock->slabs, size);
    struct vacant *v = size <= LARGE_MOST ? take_vacant(stock, list_of(size)) : NULL;
    if (v)
        return (uint8_t *)v;
    return malloc(size);
}

static void give_any(struct stock *stock, uint8_t *p, uint32_t size)
{
    stock->used -= size;
    if (size <= SMALL_MOST) {
        slabs_put(stock->slabs, p, size);
    } else if (size > LARGE_MOST || stock->idle + size > stock->idle_most) {
        free(p);
    } else {
        struct vacant *v = (struct vacant *)(void *)p, **list = &stock->vacant[list_of(size)];
        v->next = *list;
        *list = v;
        stock->idle += size;
    }
}

static inline void give(struct stock *stock, uint8_t *p, uint32_t size)
{
    if (p)
        give_any(stock, p, size);
}

static inline __attribute__((always_inline)) bool grow(struct stock *stock, struct text *t, size_t need, bool secret)
{
    uint32_t size = size_for(need);
    uint8_t *p = size <= stock->most - stock->used ? take(stock, size) : NULL;
    if (!p)
        return false;
    stock->used += size;
    if (t->n)
        memcpy(p, t->p, t->n);
    if (t->n && secret)
        explicit_bzero(t->p, t->n);
    give(stock, t->p, t->size);
    t->p = p;
    t->size = size;
    return true;
}

static size_t add(struct stock *stock, struct text *t, struct span s, size_t most, bool secret)
{
    size_t n = t->n >= most ? 0 : s.n < most - t->n ? s.n : most - t->n;
    if (n == 0 || (t->n + n > t->size && !grow(stock, t, t->n + n, secret)))
        return 0;
    memcpy(t->p + t->n, s.p, n);
    t->n += (uint32_t)n;
    return n;
}

size_t text_add(struct stock *stock, struct text *t, struct span s, size_t most)
{
    return add(stock, t, s, most, false);
}

size_t text_add_secret(struct stock *stock, struct text *t, struct span s, size_t most)
{
    return add(stock, t, s, most, true);
}

bool text_grow(struct stock *stock, struct text *t, size_t n, size_t ahead, size_t most)
{
    size_t need = t->n + n, room = t->size ? t->size * (size_t)2 : need + ahead;
    room = room > most ? most : room;
    return need <= most && grow(stock, t, need > room ? need : room, false);
}

void text_clear(struct stock *stock, struct text *t)
{
    give(stock, t->p, t->size);
    *t = (struct text){NULL, 0, 0};
}

void text_wipe(struct stock *stock, struct text *t)
{
    if (t->p)
        explicit_bzero(t->p, t->n);
    text_clear(stock, t);
}

void text_drop_head(struct text *t, size_t n)
{
    memmove(t->p, t->p + n, t->n - n);
    t->n -= (uint32_t)n;
}
