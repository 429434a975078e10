/* Small objects of many sizes from blocks: no malloc a packet.  Objects of one size stand together in a slab; a slab that has become empty
 * is a block again, and goes to whatever size needs one next, so that where a million connections all pass from one step to the next, the
 * memory of the one becomes that of the other.  Who uses it has the bounds. */
#ifndef SQUALL_BASE_SLABS_H
#define SQUALL_BASE_SLABS_H

#include <stddef.h>

#define SLABS_MOST 4096u /* bytes of an object */

struct blocks; /* base/blocks.h */
struct slabs;
struct slabs *slabs_new(struct blocks *blocks);    /* NULL: out of memory */
void slabs_free(struct slabs *s);                  /* its objects go with the blocks */
size_t slabs_size(size_t n);                       /* bytes that an object of n takes, n at least 1 */
void *slabs_get(struct slabs *s, size_t n);        /* aligned to 16, not cleared; NULL: out of memory */
void slabs_put(struct slabs *s, void *p, size_t n); /* n as it was got; p may be NULL */

#endif
