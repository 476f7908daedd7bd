/* A bijection of 0..n-1 from a Feistel network over the next even number of bits, walked until it lands
 * inside (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). The domain is less than four
 * times n, so a walk has less than four steps on average. */
#include "engine/transform/ids.h"

enum { ROUNDS = 6 };

/* SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t round_of(uint64_t half, int round, uint64_t key)
{
    return mix(half + mix(key + 0x9e3779b97f4a7c15u * (uint64_t)(round + 1)));
}

static int half_bits(uint64_t n)
{
    int half = 1;
    while (half < 31 && (UINT64_C(1) << (2 * half)) < n)
        half++;
    return half;
}

uint64_t rfi_permute(uint64_t x, uint64_t n, uint64_t key)
{
    const int half = half_bits(n);
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t next = left ^ (round_of(right, round, key) & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}

uint64_t rfi_unpermute(uint64_t x, uint64_t n, uint64_t key)
{
    const int half = half_bits(n);
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (int round = ROUNDS - 1; round >= 0; round--) {
            uint64_t before = right ^ (round_of(left, round, key) & mask);
            right = left;
            left = before;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
