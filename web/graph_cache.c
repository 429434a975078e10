/* In: pictures just drawn.  Out: the same to the next who asks with the very same command.  The latest few; used by web's one thread. */
#include <stdlib.h>

#include "web/graph.h"

#define PICTURES 32
#define LARGEST (512 << 10)

struct picture {
    char *command; /* its arguments, each with its NUL */
    size_t command_size;
    char *image;
    size_t size;
    uint64_t used;
};
struct graph_cache {
    struct picture pictures[PICTURES];
    uint64_t clock;
};

struct graph_cache *graph_cache_new(void)
{
    return calloc(1, sizeof(struct graph_cache));
}

static void clear(struct picture *p)
{
    free(p->command);
    free(p->image);
    *p = (struct picture){.used = 0};
}

void graph_cache_free(struct graph_cache *c)
{
    for (size_t i = 0; c && i < PICTURES; i++)
        clear(&c->pictures[i]);
    free(c);
}

static char *joined(const struct graph_command *by, size_t *size)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    for (int i = 0; to && i < by->count; i++)
        fwrite(by->argument[i], 1, strlen(by->argument[i]) + 1, to);
    if (to && fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static struct picture *find(struct graph_cache *c, const char *command, size_t size)
{
    for (size_t i = 0; i < PICTURES; i++)
        if (c->pictures[i].command_size == size && size && memcmp(c->pictures[i].command, command, size) == 0)
            return &c->pictures[i];
    return NULL;
}

char *graph_cache_find(struct graph_cache *c, const struct graph_command *by, size_t *size)
{
    size_t n = 0;
    char *command = joined(by, &n), *copy = NULL;
    struct picture *p = command ? find(c, command, n) : NULL;
    free(command);
    if (p && (copy = malloc(p->size + 1))) {
        memcpy(copy, p->image, p->size);
        *size = p->size;
        p->used = ++c->clock;
    }
    return copy;
}

void graph_cache_keep(struct graph_cache *c, const struct graph_command *by, const char *image, size_t size)
{
    size_t n = 0;
    char *command = size <= LARGEST ? joined(by, &n) : NULL, *copy = command ? malloc(size + 1) : NULL;
    struct picture *oldest = &c->pictures[0];
    if (!copy || find(c, command, n)) {
        free(command);
        free(copy);
        return;
    }
    for (size_t i = 1; i < PICTURES; i++)
        if (c->pictures[i].used < oldest->used)
            oldest = &c->pictures[i];
    clear(oldest);
    memcpy(copy, image, size);
    *oldest = (struct picture){.command = command, .command_size = n, .image = copy, .size = size, .used = ++c->clock};
}
