/* Equal objects from memory taken once: no malloc a packet.  Grows by slabs up to `most` objects, never shrinks. */
#ifndef SQUALL_BASE_POOL_H
#define SQUALL_BASE_POOL_H

#include <stddef.h>

struct pool;
struct pool *pool_new(size_t object_size, size_t most); /* most: objects; NULL: out of memory */
void pool_free(struct pool *p);                         /* and every object with it */
void *pool_get(struct pool *p);                         /* not cleared; NULL: the bound is reached */
void pool_put(struct pool *p, void *object);            /* object may be NULL */
size_t pool_used(const struct pool *p);                 /* objects out */

#endif
