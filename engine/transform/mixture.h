/* mixture.h - the one-dimensional variational Bayesian Gaussian mixture behind mode-specific normalisation.
 *
 * Dirichlet-process prior, K <= 10 components, constants as the public reference has them (weight
 * concentration 0.001, mean precision 1, at most 100 iterations, tolerance 1e-3 on the unnormalised bound,
 * variance floor 1e-6). Source: Bishop, "Pattern recognition and machine learning", 10.2; Blei and Jordan,
 * "Variational inference for Dirichlet process mixtures", 2006. All in double.
 *
 * Equal values are merged (exact); above 65,536 distinct values the loop runs on bins that carry count,
 * mean and in-bin variance, and is polished by two passes over all values. Any thread; one call uses one
 * thread. The bits of the result depend on nothing but the arguments, and on the values only as a set.
 */
#ifndef RF_ENGINE_TRANSFORM_MIXTURE_H
#define RF_ENGINE_TRANSFORM_MIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum { RF_MIXTURE_MAX = 10 };

/* Largest magnitude of a value: its square, summed, must stay finite. */
#define RF_MIXTURE_VALUE_MAX 1e140

typedef struct rf_mixture {
    int32_t n;                    /* components of the fit (all of them)                     */
    int32_t n_kept;               /* weight > 0.005, at least 1                              */
    int32_t kept[RF_MIXTURE_MAX]; /* index of each kept one, in original order               */
    double mean[RF_MIXTURE_MAX];
    double variance[RF_MIXTURE_MAX];
    double weight[RF_MIXTURE_MAX];   /* sums to 1 over all                                      */
    double log_base[RF_MIXTURE_MAX]; /* lw_k plus the part of lp_k(x) that does not depend on x */
    int32_t n_iterations;
    double bound; /* the lower bound after the last iteration */
} rf_mixture;

/* The floor 1e-6 supposes that a column's unit is of the order of its spread. With scaled_floor it is at most
 * a thousandth of the column's variance, so that a column of small numbers keeps its modes; columns whose
 * variance is above 1e-3 are fitted as without. */
typedef struct rf_mixture_options {
    uint64_t seed;   /* addresses the k-means start ... */
    uint32_t column; /* ... together with this          */
    bool scaled_floor;
} rf_mixture_options;

/* `values`: n numbers of magnitude <= RF_MIXTURE_VALUE_MAX, in any order, n >= 1. Takes 16 bytes a value. */
rf_code rf_mixture_fit(rf_mixture *out, const double *values, int64_t n, const rf_mixture_options *options,
                       rf_error *err) RF_MUST_CHECK;

/* Probabilities over the kept components, 1e-6 added and renormalised (n_kept numbers). */
void rf_mixture_posterior(const rf_mixture *mixture, double value, double out[RF_MIXTURE_MAX]);

#endif
