/* An arena for the texts of a test: set up before it, gone after it.  Include after cmocka.h. */
#ifndef SQUALL_TESTS_ARENA_H
#define SQUALL_TESTS_ARENA_H

#include "base/arena.h"

static struct arena *arena;

static int arena_set_up(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    return !arena;
}

static int arena_tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

#endif
