/* Is a connection on another port SMTP?  Private to capture/; what an SMTP session is, smtpdissect/ decides: this only says which
 * connections are worth its while.  What came before the verdict is kept and handed over, so that the greeting is not lost. */
#ifndef SQUALL_CAPTURE_DETECT_H
#define SQUALL_CAPTURE_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/span.h"
#include "capture/packet.h"

enum detect_verdict { DETECT_UNDECIDED, DETECT_SMTP, DETECT_OTHER };

struct detector;  /* of one capture worker */
struct detection; /* of one connection */
struct detector *detect_new(size_t most); /* connections undecided at once; NULL: out of memory */
void detect_free(struct detector *d);

/* whole: the connection is seen from its SYN on.  owner: whose it is.  NULL: too many are undecided. */
struct detection *detect_begin(struct detector *d, bool whole, void *owner);
void *detect_oldest(const struct detector *d); /* owner of the one undecided longest; NULL: none is */
void detect_end(struct detector *d, struct detection *x); /* wipes it; NULL does nothing */

/* A segment with payload as it was captured, for nDPI. */
enum detect_verdict detect_packet(struct detector *d, struct detection *x, const struct packet *p);
/* What reassembly makes of it.  On DETECT_UNDECIDED the bytes or the gap have been kept; else they have not. */
enum detect_verdict detect_bytes(struct detection *x, enum side from, struct span bytes, int64_t now);
enum detect_verdict detect_gap(struct detection *x, enum side from, uint64_t n, int64_t now);

/* What was kept, in its order; bytes.p NULL: a gap of bytes.n. */
void detect_replay(const struct detection *x, void (*piece)(void *user, enum side from, struct span bytes, int64_t time), void *user);

#endif
