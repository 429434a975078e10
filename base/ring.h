/* A ring of records of any length between exactly two threads: one writes, one reads (C11 atomics, no lock).  A full ring refuses the
 * record; the writer counts it.  The reader sleeps on an eventfd only when the ring is empty. */
#ifndef SQUALL_BASE_RING_H
#define SQUALL_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct ring;
struct ring *ring_new(size_t bytes);         /* rounded up to a power of two; a record is at most half of it; NULL: out of memory */
void ring_free(struct ring *r);
/* Writer.  Room for n bytes, to be filled and then published by ring_commit(n' <= n); NULL: no room now. */
void *ring_reserve(struct ring *r, size_t n);
void ring_commit(struct ring *r, size_t n);
/* Reader.  The oldest record (aligned to 8) that it has not passed; empty span: nothing there. */
struct span ring_peek(struct ring *r);
void ring_pass(struct ring *r);    /* that one: ring_peek() shows the next, and it stays valid until it is released, */
void ring_release(struct ring *r); /* the oldest of those passed first */
int ring_descriptor(const struct ring *r);   /* eventfd, readable when records may be there; ring_arm() before poll(2) */
bool ring_arm(struct ring *r);               /* false: records came meanwhile, do not sleep */

#endif
