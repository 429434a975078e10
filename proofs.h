/* Which connections prove something about a storm: what its evidence stands on, each once.  Of the stats thread. */
#ifndef SQUALL_PROOFS_H
#define SQUALL_PROOFS_H

#include "stats/storm.h"

struct proofs;
struct proofs *proofs_new(bool nameless); /* what is told of why names nobody.  NULL: out of memory */
void proofs_free(struct proofs *p);
void proofs_storm(struct proofs *p, const struct storm *s); /* notes what is new */
/* Tells what was noted since the last call: packets of the connection until then are wanted for the alarm. */
typedef void proofs_wanted(void *user, const char *alarm, uint64_t connection, int64_t until, const char *why);
void proofs_wish(struct proofs *p, proofs_wanted *wanted, void *user);

#endif
