/* Numbers for addresses, so that a mail seen once can name its two hosts in eight bytes.  A number lives while somebody holds it. */
#ifndef SQUALL_STATS_ROSTER_H
#define SQUALL_STATS_ROSTER_H

#include "base/endpoint.h"

#define ROSTER_HOSTS (1u << 20) /* at once; 32 MiB when all are there */

struct roster;
struct memory; /* stats/memory.h */
struct roster *roster_new(struct memory *memory); /* NULL: out of memory */
void roster_free(struct roster *r);
/* So many holders more; `hash`: hash_bytes() of the address.  0: no room. */
uint32_t roster_hold(struct roster *r, struct address a, uint64_t hash, uint32_t holders);
void roster_expect(const struct roster *r, uint64_t hash); /* fetches its place in the index into the cache, */
void roster_near(const struct roster *r, uint64_t hash);   /* and when that has come, who stands there */
void roster_release(struct roster *r, uint32_t number);    /* 0 may be given */
struct address roster_address(const struct roster *r, uint32_t number); /* of 0: all zero */
uint32_t roster_count(const struct roster *r);

#endif
