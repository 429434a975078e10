/* Memory in blocks, close together in huge pages: for tables that double, and for slabs of small objects (base/slabs). */
#ifndef SQUALL_BASE_BLOCKS_H
#define SQUALL_BASE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_BYTES ((size_t)32 << 10) /* bytes */

struct blocks;
struct blocks *blocks_new(void);     /* NULL: out of memory */
void blocks_free(struct blocks *b);  /* and all that was got from it */
/* n bytes, at least 1, in as many blocks as that takes, aligned to a block; NULL: out of memory. */
void *blocks_get(struct blocks *b, size_t n, bool zeroed);
void blocks_put(struct blocks *b, void *p, size_t n); /* n as it was got */

#endif
