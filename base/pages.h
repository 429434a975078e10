/* Address space taken once, for what is written from its beginning on, grows in place or is touched at random; pages come only when they
 * are first written, huge ones where the system has them: on large tables most of the time goes into cache and TLB misses. */
#ifndef SQUALL_BASE_PAGES_H
#define SQUALL_BASE_PAGES_H

#include <stddef.h>

#define PAGES_HUGE ((size_t)2 << 20) /* bytes of a huge page */

void *pages_reserve(size_t bytes);        /* zeroed, in small pages, aligned to a huge one; NULL: refused */
void *pages_map(size_t bytes);            /* in huge ones */
void pages_hugely(void *p, size_t bytes); /* a wish, for the pages that are not there yet */
void pages_unmap(void *p, size_t bytes);  /* p may be NULL */

#endif
