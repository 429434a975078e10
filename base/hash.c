/* In: text and bytes from outside.  Out: 64 bits that stand for them in tables and comparisons. */
#define XXH_INLINE_ALL
#include "base/hash.h"

#include <sys/random.h>
#include <xxhash.h>

/* Until hash_seed*(), what "Squal!" would make; only unit tests see these. */
uint64_t hash_secret[3] = {0xb3fb290a9f2deee1ULL, 0xe16d077a3c707426ULL, 0xe1ede394b253dc34ULL};

/* SplitMix64 (Steele, Lea, Flood 2014). */
void hash_seed(uint64_t seed)
{
    for (size_t i = 0; i < sizeof hash_secret / sizeof *hash_secret; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15ULL;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
        hash_secret[i] = z ^ z >> 31;
    }
}

void hash_seed_random(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
        hash_seed(seed);
}

/* Sixteen bytes a step; the last sixteen together with bytes that were taken before.  The length tells apart what gives the same words. */
static inline __attribute__((always_inline)) uint64_t sum_of(const uint8_t *p, size_t n, bool lower)
{
    uint64_t sum = hash_secret[1];
    size_t rest = n;
    for (; rest > sizeof(struct span_words); p += sizeof(struct span_words), rest -= sizeof(struct span_words)) {
        struct span_words w = span_words_at(p);
        if (lower)
            w = span_words_lower(w);
        sum = hash_fold(w.a ^ hash_secret[0], w.b ^ sum);
    }
    struct span_words w = n > sizeof w ? span_words_at(p + rest - sizeof w) : span_words_short(p, n);
    if (lower)
        w = span_words_lower(w);
    sum = hash_fold(w.a ^ hash_secret[0], w.b ^ sum);
    return hash_fold(sum ^ hash_secret[1], n ^ hash_secret[2]);
}

uint64_t hash_bytes(const void *p, size_t n)
{
    return sum_of(p, n, false);
}

uint64_t hash_key(const void *p, size_t n)
{
    return XXH3_64bits_withSeed(p, n, hash_secret[0]);
}

uint64_t hash_nocase(struct span s)
{
    return sum_of(s.p, s.n, true);
}
