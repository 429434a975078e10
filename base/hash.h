/* Seeded hashes of what comes from outside: nobody can aim at one bucket.  A product of two words, both halves of it (as in Wang Yi's
 * wyhash and in XXH3), each word with a secret that the seed makes.
 * The seed is set once at start, before the first hash, and never changes; no output may depend on it. */
#ifndef SQUALL_BASE_HASH_H
#define SQUALL_BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

void hash_seed(uint64_t seed);   /* a chosen seed (tests, one seed for several sensors) */
void hash_seed_random(void);     /* from getrandom(2) */
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_nocase(struct span s); /* of the text with ASCII letters lowered */
/* XXH3 (Yann Collet, xxhash 0.8), for the id of a mail, which has to be told from those of millions of others for days. */
uint64_t hash_key(const void *p, size_t n);

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

/* The same where every bit of it must be as good as a random one. */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
    return hash_fold(hash_add(a, b), hash_secret[2]);
}

#endif
