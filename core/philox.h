/* philox.h - random numbers with an address.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * a bijection of a 128-bit counter under a 64-bit key. Nothing is consumed and nothing is remembered: a
 * draw is a function of
 *
 *     key     = the seed
 *     counter = (step, purpose, block, trial)
 *
 * and gives four 32-bit words, elements 4*block .. 4*block+3 of that purpose at that step. Threads,
 * batch splits, devices and restarts cannot move a draw. `purpose` names what is drawn (below), so no
 * two uses ever share an address; `trial` separates trainings that run side by side.
 */
#ifndef RF_CORE_PHILOX_H
#define RF_CORE_PHILOX_H

#include <stdint.h>

#include "core/hostdev.h"

/* What a random number is for. Numbers are part of every model's bytes: append, never renumber. */
typedef enum rf_purpose {
    RF_DRAW_INIT = 1,          /* + 64 * tensor index: initial weights                       */
    RF_DRAW_NOISE_D = 2,       /* latent noise, critic step                                  */
    RF_DRAW_NOISE_G = 3,       /* latent noise, generator step                               */
    RF_DRAW_COND_D = 4,        /* condition column and category, critic step                 */
    RF_DRAW_COND_G = 5,        /* the same, generator step                                   */
    RF_DRAW_ROWS = 6,          /* real rows of a batch                                       */
    RF_DRAW_PERMUTE = 7,       /* order of the real batch                                    */
    RF_DRAW_GUMBEL_D = 8,      /* span activation, critic step                               */
    RF_DRAW_GUMBEL_G = 9,      /* span activation, generator step                            */
    RF_DRAW_ALPHA = 10,        /* interpolation                                              */
    RF_DRAW_DROPOUT_D1 = 11,   /* critic step, first layer (fake, real, interpolate rows)    */
    RF_DRAW_DROPOUT_D2 = 12,
    RF_DRAW_DROPOUT_G1 = 13,   /* critic inside the generator step                           */
    RF_DRAW_DROPOUT_G2 = 14,
    RF_DRAW_SHUFFLE = 15,      /* epoch order (TVAE)                                         */
    RF_DRAW_LATENT = 16,       /* reparameterisation (TVAE)                                  */
    RF_DRAW_SAMPLE_NOISE = 17, /* sampling: latent                                           */
    RF_DRAW_SAMPLE_COND = 18,
    RF_DRAW_SAMPLE_GUMBEL = 19,
    RF_DRAW_SAMPLE_SCALAR = 20, /* sampling: TVAE's sigma noise                              */
    RF_DRAW_SAMPLE_CODE = 21,   /* sampling: category from softmax                           */
    RF_DRAW_ENCODE = 22,       /* mixture component of a value                               */
    RF_DRAW_KMEANS = 23,
    RF_DRAW_INVERT = 24,       /* inverse transform: rare categories, ids                    */
    RF_DRAW_EVALUATE = 25,     /* subsamples in reports                                      */
    RF_DRAW_DEMO = 26,         /* demo-data                                                  */
} rf_purpose;

/* Who draws: enough to address any number. Passed by value; `step` moves on, the rest stays. */
typedef struct rf_draw {
    uint64_t seed;
    uint32_t step, purpose, trial;
} rf_draw;

typedef struct rf_philox_block {
    uint32_t word[4];
} rf_philox_block;

RF_HD void rf_philox_round(uint32_t counter[4], uint32_t key0, uint32_t key1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * counter[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * counter[2];
    uint32_t c0 = (uint32_t)(p1 >> 32) ^ counter[1] ^ key0;
    uint32_t c2 = (uint32_t)(p0 >> 32) ^ counter[3] ^ key1;
    counter[1] = (uint32_t)p1;
    counter[3] = (uint32_t)p0;
    counter[0] = c0;
    counter[2] = c2;
}

/* The raw bijection, for known-answer tests. */
RF_HD rf_philox_block rf_philox_raw(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        rf_philox_round(c, k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    rf_philox_block out = {{c[0], c[1], c[2], c[3]}};
    return out;
}

/* Elements 4*block .. 4*block+3 of a draw. */
RF_HD rf_philox_block rf_philox(rf_draw draw, uint32_t block)
{
    uint32_t counter[4] = {draw.step, draw.purpose, block, draw.trial};
    uint32_t key[2] = {(uint32_t)draw.seed, (uint32_t)(draw.seed >> 32)};
    return rf_philox_raw(counter, key);
}

/* One element. Four times the work of the block form when all four are wanted. */
RF_HD uint32_t rf_philox_u32(rf_draw draw, uint32_t element)
{
    return rf_philox(draw, element >> 2).word[element & 3];
}

/* Uniform in the open interval (0,1), from 23 bits: (k + 1/2) * 2^-23 is exact in fp32 and never 0 or 1. */
RF_HD float rf_uniform_open(uint32_t word)
{
    return ((float)(word >> 9) + 0.5f) * 1.1920928955078125e-7f;
}

/* Uniform in [0,1) with 53 bits from two words. */
RF_HD double rf_uniform_f64(uint32_t high, uint32_t low)
{
    return (double)((((uint64_t)high << 32) | low) >> 11) * 1.1102230246251565e-16;
}

/* Uniform in 0..n-1 by multiplication (bias below n / 2^32). n >= 1. */
RF_HD uint32_t rf_uniform_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

/* Uniform in 0..n-1 for any n >= 1, from 64 bits. */
RF_HD uint64_t rf_uniform_below64(uint32_t high, uint32_t low, uint64_t n)
{
    uint64_t word = ((uint64_t)high << 32) | low;
#if defined(__CUDA_ARCH__)
    return __umul64hi(word, n);
#else
    return (uint64_t)(((unsigned __int128)word * n) >> 64);
#endif
}

#endif
