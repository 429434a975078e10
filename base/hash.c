/* The one place that calls xxhash. */
#define XXH_INLINE_ALL
#include "base/hash.h"

#include <sys/random.h>
#include <xxhash.h>

/* Until hash_seed*(): only unit tests see these. */
static uint64_t the_seed = 0x5175616c6c21ULL;
uint64_t hash_secret[3] = {0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL, 0x165667b19e3779f9ULL};

void hash_seed(uint64_t seed)
{
    the_seed = seed;
    for (uint64_t i = 0; i < sizeof hash_secret / sizeof *hash_secret; i++)
        hash_secret[i] = XXH3_64bits_withSeed(&i, sizeof i, seed);
}

void hash_seed_random(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
        hash_seed(seed);
}

uint64_t hash_bytes(const void *p, size_t n)
{
    return XXH3_64bits_withSeed(p, n, the_seed);
}

uint64_t hash_nocase(struct span s)
{
    uint8_t folded[1024]; /* longer text is hashed piece by piece, each piece mixed with those before it */
    uint64_t sum = 0;
    do {
        size_t n = s.n < sizeof folded ? s.n : sizeof folded;
        span_lower_all(span_head(s, n), folded);
        uint64_t piece = XXH3_64bits_withSeed(folded, n, the_seed);
        sum = sum ? hash_pair(sum, piece) : piece;
        s = span_from(s, n);
    } while (s.n);
    return sum;
}

uint64_t hash_pair(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};
    return XXH3_64bits_withSeed(both, sizeof both, the_seed);
}
