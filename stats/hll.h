/* HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) with the linear counting of Heule, Nunkesser, Hall 2013 for small sets: counts
 * distinct hashes in fixed memory. */
#ifndef SQUALL_STATS_HLL_H
#define SQUALL_STATS_HLL_H

#include <stdint.h>

#define HLL_BITS 12
#define HLL_REGISTERS (1u << HLL_BITS)
#define HLL_ERROR 0.01625 /* standard error of an estimate: 1.04 / sqrt(registers) */

struct hll { /* all zero: empty */
    uint8_t rank[HLL_REGISTERS];
    uint16_t of_rank[64 - HLL_BITS + 2]; /* registers of each rank but 0: an estimate need not look at them all */
};

void hll_add(struct hll *h, uint64_t hash);              /* of good quality: base/hash.h */
void hll_merge(struct hll *into, const struct hll *from); /* the union */
uint64_t hll_count(const struct hll *h);

#endif
