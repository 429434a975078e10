/* Seeded XXH3 (Yann Collet, xxhash 0.8): every hash of bytes from outside uses it, so that nobody can aim at one bucket.
 * The seed is set once at start, before the first hash, and never changes; no output may depend on it. */
#ifndef SQUALL_BASE_HASH_H
#define SQUALL_BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

void hash_seed(uint64_t seed);   /* a chosen seed (tests, one seed for several sensors) */
void hash_seed_random(void);     /* from getrandom(2) */
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_nocase(struct span s); /* of the text with ASCII letters lowered */
uint64_t hash_pair(uint64_t a, uint64_t b); /* order matters */

/* For what is hashed with every packet: both halves of a product, as XXH3 mixes.  Words from outside go in with a secret, which the seed
 * makes: nobody can aim without it. */
extern uint64_t hash_secret[3];
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* One word or hash more into a sum of them; order matters. */
static inline uint64_t hash_add(uint64_t sum, uint64_t word)
{
    return hash_fold(sum ^ hash_secret[0], word ^ hash_secret[1]);
}

#endif
