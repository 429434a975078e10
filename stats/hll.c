/* In: hashes.  Out: about how many distinct ones there were, to the record that holds the registers (stats/message.c). */
#include "stats/hll.h"

#include <math.h>

static void lift(struct hll *h, uint32_t at, uint8_t rank)
{
    if (rank <= h->rank[at])
        return;
    if (h->rank[at])
        h->of_rank[h->rank[at]]--;
    h->of_rank[rank]++;
    h->rank[at] = rank;
}

void hll_add(struct hll *h, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> (64 - HLL_BITS));
    uint64_t rest = hash << HLL_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - HLL_BITS + 1);
    lift(h, at, rank);
}

void hll_merge(struct hll *into, const struct hll *from)
{
    for (uint32_t i = 0; i < HLL_REGISTERS; i++)
        lift(into, i, from->rank[i]);
}

uint64_t hll_count(const struct hll *h)
{
    const double m = HLL_REGISTERS, alpha = 0.7213 / (1.0 + 1.079 / m);
    double sum = 0;
    uint32_t empty = HLL_REGISTERS;
    for (int rank = 1; rank <= 64 - HLL_BITS + 1; rank++) {
        sum += ldexp(h->of_rank[rank], -rank);
        empty -= h->of_rank[rank];
    }
    sum += empty;
    double raw = alpha * m * m / sum;
    /* The raw estimate is biased below five times the registers; counting the empty ones is better to about 2.5 times (Heule et al.), and a
     * 64-bit hash needs no correction for large sets. */
    if (empty) {
        double linear = m * log(m / empty);
        if (linear <= 2.5 * m)
            return (uint64_t)llround(linear);
    }
    return (uint64_t)llround(raw);
}
