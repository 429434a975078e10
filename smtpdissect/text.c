/* Sizes are 32 bytes times a power of two, for most texts are a name or a line, and there may be a million; emptied texts up to 16 KiB wait in a list of
 * their size, larger ones go back to the system. */
#include "smtpdissect/text.h"

#include <stdlib.h>

#define SMALLEST 32u
#define CLASSES 10 /* 32 bytes to 16 KiB */

struct stock {
    struct vacant {
        struct vacant *next;
    } *vacant[CLASSES];
};

struct stock *stock_new(void)
{
    return calloc(1, sizeof(struct stock));
}

void stock_free(struct stock *s)
{
    for (int i = 0; s && i < CLASSES; i++)
        for (struct vacant *v = s->vacant[i], *next; v; v = next) {
            next = v->next;
            free(v);
        }
    free(s);
}

static int class_of(uint32_t size)
{
    return size <= SMALLEST ? 0 : 32 - __builtin_clz(size - 1) - 5; /* 5: of SMALLEST */
}

static uint8_t *take(struct stock *stock, uint32_t size)
{
    int class = class_of(size);
    if (class < CLASSES && stock->vacant[class]) {
        struct vacant *v = stock->vacant[class];
        stock->vacant[class] = v->next;
        return (uint8_t *)v;
    }
    return malloc(size);
}

static void give(struct stock *stock, uint8_t *p, uint32_t size)
{
    int class = class_of(size);
    if (!p || class >= CLASSES) {
        free(p);
        return;
    }
    struct vacant *v = (struct vacant *)(void *)p;
    v->next = stock->vacant[class];
    stock->vacant[class] = v;
}

static bool grow(struct stock *stock, struct text *t, size_t need)
{
    uint32_t size = t->size ? t->size : SMALLEST;
    while (size < need)
        size *= 2;
    uint8_t *p = take(stock, size);
    if (!p)
        return false;
    if (t->n)
        memcpy(p, t->p, t->n);
    give(stock, t->p, t->size);
    t->p = p;
    t->size = size;
    return true;
}

size_t text_add(struct stock *stock, struct text *t, struct span s, size_t most)
{
    size_t n = t->n >= most ? 0 : s.n < most - t->n ? s.n : most - t->n;
    if (n == 0 || (t->n + n > t->size && !grow(stock, t, t->n + n)))
        return 0;
    memcpy(t->p + t->n, s.p, n);
    t->n += (uint32_t)n;
    return n;
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
