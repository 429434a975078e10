/* gzip and zstd streams unpacked from memory to memory; by zlib and libzstd. */
#ifndef SQUALL_CAPTURE_INFLATE_H
#define SQUALL_CAPTURE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define INFLATE_MAGIC 4 /* bytes that tell the form */

enum inflate_form { INFLATE_NONE, INFLATE_GZIP, INFLATE_ZSTD };
enum inflate_form inflate_form(struct span head);

struct inflate;
struct inflate *inflate_new(enum inflate_form form); /* NULL: out of memory */
void inflate_free(struct inflate *i);
/* Unpacks some of *packed, which it shortens by what it used, into `room` bytes at `to`; *made: how many.  Several streams one after
 * the other count as one; after a gzip stream, bytes that begin no other are ignored, as gzip(1) does.  NULL, or what is wrong. */
const char *inflate_step(struct inflate *i, struct span *packed, uint8_t *to, size_t room, size_t *made);
bool inflate_whole(const struct inflate *i); /* between streams: the packed bytes may end here */

#endif
