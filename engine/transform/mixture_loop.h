/* mixture_loop.h - the variational iteration itself: given sums, the parameters; given parameters, the
 * sums; and the bound that says when to stop. mixture.h has the sources. Values are shifted so that their
 * mean, which is the prior's mean, is 0. */
#ifndef RF_ENGINE_TRANSFORM_MIXTURE_LOOP_H
#define RF_ENGINE_TRANSFORM_MIXTURE_LOOP_H

#include "engine/transform/kmeans.h"
#include "engine/transform/mixture_step.h"

#define RFI_MIXTURE_FLOOR     1e-6
#define RFI_MIXTURE_TOLERANCE 1e-3
enum { RFI_MIXTURE_ITERATIONS = 100 };

/* The variational posterior: Beta(a, b) sticks, Gaussian-Wishart components. */
typedef struct rfi_variational {
    int32_t n;
    double prior_variance; /* s0^2 */
    double floor;          /* r    */
    double count[RF_MIXTURE_MAX], mean[RF_MIXTURE_MAX], variance[RF_MIXTURE_MAX];
    double a[RF_MIXTURE_MAX], b[RF_MIXTURE_MAX];
    double bound;
} rfi_variational;

/* The sums of hard labels, about the clusters' centres. */
void rfi_cluster_sums(const rfi_points *points, const rfi_clusters *clusters, rfi_sums *out);

/* The first M step. `centre`: what the sums are about. */
void rfi_variational_start(rfi_variational *state, int32_t n, double prior_variance, double floor,
                           const double *centre, const rfi_sums *sums);

/* At least `fewest` (>= 1) and at most `most` iterations, until the bound changes by less than the
 * tolerance. Returns how many. */
int32_t rfi_variational_run(rfi_variational *state, const rfi_points *points, int32_t fewest, int32_t most);

/* The mixture, with `shift` added back to its means. */
void rfi_variational_finish(const rfi_variational *state, double shift, rf_mixture *out);

#endif
