/* mixture.h - the one-dimensional variational Bayesian Gaussian mixture behind mode-specific normalisation.
 *
 * Dirichlet-process prior, K <= 10 components, constants as the reference has them (weight concentration 0.001, mean precision 1, at most 100
 * iterations, tolerance 1e-3 on the unnormalised bound, variance floor 1e-6). Source: Bishop, "Pattern recognition and machine
 * learning", 10.2; Blei and Jordan, "Variational inference for Dirichlet process mixtures", 2006. All in double.
 *
 * Equal values are merged (exact); above 65,536 distinct values the loop runs on bins that carry count, mean and in-bin variance,
 * and is polished by full passes. Any thread; one call uses one thread.
 */
#ifndef RF_ENGINE_TRANSFORM_MIXTURE_H
#define RF_ENGINE_TRANSFORM_MIXTURE_H

#include <stdint.h>

#include "core/error.h"

enum { RF_MIXTURE_MAX = 10 };

typedef struct rf_mixture {
    int32_t n;                                     /* components of the fit (all of them)                      */
    int32_t n_kept;                                /* weight > 0.005                                           */
    int32_t kept[RF_MIXTURE_MAX];                  /* index of each kept one, in original order                */
    double mean[RF_MIXTURE_MAX];
    double variance[RF_MIXTURE_MAX];
    double weight[RF_MIXTURE_MAX];                 /* sums to 1 over all                                       */
    double log_base[RF_MIXTURE_MAX];               /* lw_k plus the part of lp_k(x) that does not depend on x  */
    int32_t n_iterations;
} rf_mixture;

/* `values`: n finite numbers, in any order, n >= 1 (scratch copies are made). `seed` addresses the k-means start. */
rf_code rf_mixture_fit(rf_mixture *out, const double *values, int64_t n, uint64_t seed, uint32_t column, rf_error *err) RF_MUST_CHECK;

/* Probabilities over the kept components, 1e-6 added and renormalised (spec: transform). */
void rf_mixture_posterior(const rf_mixture *mixture, double value, double out[RF_MIXTURE_MAX]);

#endif
