/* mixture_step.h - the two inner loops of the mixture, built once for each instruction set.
 *
 * The body (mixture_step_body.h) is plain C over blocks of RFI_LANES points: every sum is kept in RFI_LANES
 * parts, part i taking the points i, i + RFI_LANES, ..., and the parts are added in order at the end.
 * Vectors of 2, 4 or 8 doubles walk over the same parts, so all builds give the same bits.
 */
#ifndef RF_ENGINE_TRANSFORM_MIXTURE_STEP_H
#define RF_ENGINE_TRANSFORM_MIXTURE_STEP_H

#include <stdint.h>

#include "engine/transform/mixture.h"

enum { RFI_LANES = 64 };

/* Values in ascending order with their weights. All arrays reach to the next multiple of RFI_LANES; there
 * `count` is 0 and `value` repeats the last. */
typedef struct rfi_points {
    const double *value;
    const double *count;
    const double *spread; /* variance inside the point when it stands for a bin, or NULL */
    int64_t n;
} rfi_points;

/* ln p_k(x) = base_k - 1/2 precision_k (x - mean_k)^2, normalised or not. */
typedef struct rfi_density {
    int32_t n;
    double mean[RF_MIXTURE_MAX];
    double minus_half_precision[RF_MIXTURE_MAX];
    double base[RF_MIXTURE_MAX];
} rfi_density;

/* What an E step leaves for the M step: with r_ik the responsibilities times the counts and d_ik = x_i -
 * mean_k */
typedef struct rfi_sums {
    double weight[RF_MIXTURE_MAX]; /* sum_i r_ik                    */
    double first[RF_MIXTURE_MAX];  /* sum_i r_ik d_ik               */
    double second[RF_MIXTURE_MAX]; /* sum_i r_ik (d_ik^2 + spread)  */
    double log_total;              /* sum_i count_i ln sum_k p_k(x) */
} rfi_sums;

typedef struct rfi_step {
    const char *name;
    void (*accumulate)(const rfi_points *points, const rfi_density *density, rfi_sums *out);

    /* Draws a kept component for each of RFI_LANES values: choice[i] is the first whose cumulative
     * probability (as in rf_mixture_posterior) exceeds uniform[i] of [0,1). */
    void (*pick)(const rfi_density *density, const int32_t *kept, int32_t n_kept, const double *value,
                 const double *uniform, int32_t *choice);
} rfi_step;

/* The fastest build that this processor runs. */
const rfi_step *rfi_step_best(void);

/* All builds that it runs, slowest first; returns how many were written (tests). */
int rfi_step_list(const rfi_step *out[4]);

void rfi_density_of(const rf_mixture *mixture, rfi_density *out);

#endif
