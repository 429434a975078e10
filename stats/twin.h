/* Twins: the same transaction seen twice because of where the mirror sits (both directions of a port, two VLANs, both sides of a NAT). */
#ifndef SQUALL_STATS_TWIN_H
#define SQUALL_STATS_TWIN_H

#include "stats/key.h"

#define TWIN_MEMORY 16384                 /* transactions looked back; twins end microseconds apart */
#define TWIN_WALK 256                     /* of them compared at most */
#define TWIN_SKEW (100 * 1000 * 1000)     /* ns by which the far side of a NAT may begin or end earlier or later */
#define TWIN_LATE (2 * NS_PER_SECOND)     /* where loss held one of the two back */

enum twin {
    TWIN_NONE,
    TWIN_COUNTED,   /* a twin of one that has been counted: leave it out */
    TWIN_BETTER,    /* its twin was broken by loss, this one is whole: count this one in its place */
};

struct twins;
struct twins *twins_new(void); /* NULL: out of memory */
void twins_free(struct twins *w);
/* Fetches into the cache what twin_check() of the same t, which comes next, will look at first. */
void twin_expect(struct twins *w, const struct transaction *t, const struct key *k);
void twin_near(const struct twins *w); /* and when that has come, what it leads to */
enum twin twin_check(struct twins *w, const struct transaction *t, const struct key *k); /* and remembers t */

#endif
