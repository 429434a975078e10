/* A region: many small allocations, freed together by arena_reset (Hanson 1990, "Fast allocation and deallocation of memory based
 * on object lifetimes").  Blocks are kept for the next use; `most` bounds what one region may hold. */
#ifndef SQUALL_BASE_ARENA_H
#define SQUALL_BASE_ARENA_H

#include <stddef.h>

#include "base/span.h"

struct arena;
struct arena *arena_new(size_t most);              /* bytes; NULL: out of memory */
void arena_free(struct arena *a);
void arena_reset(struct arena *a);                 /* everything it gave is gone; memory over 256 KiB goes back */
void *arena_get(struct arena *a, size_t n);        /* aligned for any type, not cleared; NULL: the bound is reached */
struct span arena_copy(struct arena *a, struct span s); /* empty when the bound is reached */

#endif
