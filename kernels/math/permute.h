/* permute.h - a shuffle with an address: where element i of 0..n-1 goes, without the other n - 1.
 *
 * A Feistel network is a bijection of 2h bits whatever its round function is (Luby and Rackoff, "How to construct
 * pseudorandom permutations from pseudorandom functions", 1988). 4^h is the smallest power of four that holds n; an
 * image outside 0..n-1 is sent through again until it falls inside (cycle walking: Black and Rogaway, "Ciphers with
 * arbitrary finite domains", 2002), which keeps it a bijection of 0..n-1 and takes less than four tries on average.
 *
 *     rf_permute order = rf_permute_make(key, n);      // key: four random words
 *     row = rf_permute_at(&order, i);
 */
#ifndef RF_KERNELS_PERMUTE_H
#define RF_KERNELS_PERMUTE_H

#include <stdint.h>

#include "core/hostdev.h"

enum { RF_PERMUTE_ROUNDS = 8 };

typedef struct rf_permute {
    uint64_t n;
    uint32_t key[4];
    uint32_t half_bits; /* h: each half of the network is so wide; 1..32 */
} rf_permute;

RF_HD rf_permute rf_permute_make(const uint32_t key[4], uint64_t n)
{
    rf_permute order = {n, {key[0], key[1], key[2], key[3]}, 1};
    while (order.half_bits < 32 && (UINT64_C(1) << (2 * order.half_bits)) < n)
        order.half_bits++;
    return order;
}

/* An integer hash with full avalanche (the finaliser form: shift, multiply, shift, multiply, shift). */
RF_HD uint32_t rf_permute_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    return x ^ (x >> 16);
}

/* One pass over 0..4^h-1, which holds 0..n-1. */
RF_HD uint64_t rf_permute_pass(const rf_permute *order, uint64_t i)
{
    uint32_t h = order->half_bits;
    uint32_t low_mask = (uint32_t)((UINT64_C(1) << h) - 1);
    uint32_t left = (uint32_t)(i >> h), right = (uint32_t)i & low_mask;
    for (uint32_t round = 0; round < RF_PERMUTE_ROUNDS; round++) {
        uint32_t mixed = rf_permute_mix(right + order->key[round & 3] + 0x9E3779B9u * round);
        uint32_t next = left ^ ((mixed >> (32 - h)) & low_mask);
        left = right;
        right = next;
    }
    return ((uint64_t)left << h) | right;
}

/* i in 0..n-1. */
RF_HD uint64_t rf_permute_at(const rf_permute *order, uint64_t i)
{
    do
        i = rf_permute_pass(order, i);
    while (i >= order->n);
    return i;
}

#endif
