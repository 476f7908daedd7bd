#include "engine/transform/mixture.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/transform/mixture_loop.h"
#include "engine/transform/mixture_points.h"
#include "kernels/math/math64.h"

enum { POLISH = 2 }; /* passes over all values after the loop on bins */

#define KMEANS_TOLERANCE 1e-4
#define PICK_FLOOR       1e-6 /* added to each kept component's probability */

/* ------------------------------------------------------------------ the fit */

static rf_code start(rfi_variational *state, const rfi_points *points, const rfi_prepared *data,
                     const rf_mixture_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_clusters clusters;
    rfi_sums sums;
    const int32_t k = data->n_values < RF_MIXTURE_MAX ? (int32_t)data->n_values : RF_MIXTURE_MAX;
    RF_TRY(rfi_kmeans(&clusters, points, k, KMEANS_TOLERANCE * data->variance, options->seed, options->column,
                      err));
    rfi_cluster_sums(points, &clusters, &sums);

    double least = RFI_MIXTURE_FLOOR;
    if (options->scaled_floor && data->variance < 1e-3)
        least = data->variance > 1e-277 ? 1e-3 * data->variance : 1e-280;
    rfi_variational_start(state, k, data->variance, least, clusters.centre, &sums);
out:
    return rc;
}

static rf_code fit_points(rf_mixture *out, const rfi_prepared *data, const rf_mixture_options *options,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_variational state;
    const rfi_points points = {.value = data->value, .count = data->count, .n = data->n};
    RF_TRY(start(&state, &points, data, options, err));
    int32_t n_iterations = rfi_variational_run(&state, &points, 1, RFI_MIXTURE_ITERATIONS);
    rfi_variational_finish(&state, data->shift, out);
    out->n_iterations = n_iterations;
out:
    return rc;
}

/* Nearly all iterations on bins, and the last two on all values: within 1e-6 of a run on all values at a
 * small part of its cost. */
static rf_code fit_bins(rf_mixture *out, const rfi_prepared *data, const rf_mixture_options *options,
                        rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_variational state;
    double *bins = NULL;
    rfi_points coarse;
    RF_TRY(RF_NEW_ARRAY(&bins, 3 * RFI_BINS_ROOM, "the bins of a mixture", err));
    rfi_points_bin(&coarse, data, bins);
    const rfi_points exact = {.value = data->value, .count = data->count, .n = data->n};
    RF_TRY(start(&state, &coarse, data, options, err));
    int32_t n_iterations = rfi_variational_run(&state, &coarse, 1, RFI_MIXTURE_ITERATIONS - POLISH);
    n_iterations += rfi_variational_run(&state, &exact, POLISH, POLISH);
    rfi_variational_finish(&state, data->shift, out);
    out->n_iterations = n_iterations;
out:
    rf_free(bins);
    return rc;
}

rf_code rf_mixture_fit(rf_mixture *out, const double *values, int64_t n, const rf_mixture_options *options,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    double *scratch = NULL;
    memset(out, 0, sizeof *out);
    RF_TRY(RF_NEW_ARRAY(&scratch, 2 * rfi_points_room(n), "the mixture of a column", err));
    rfi_prepared data;
    rfi_points_prepare(&data, values, n, scratch);
    rc = data.n > RFI_EXACT_MAX ? fit_bins(out, &data, options, err) : fit_points(out, &data, options, err);
out:
    rf_free(scratch);
    return rc;
}

/* ------------------------------------------------------------------ the posterior */

void rf_mixture_posterior(const rf_mixture *mixture, double value, double out[RF_MIXTURE_MAX])
{
    double p[RF_MIXTURE_MAX], shift = -INFINITY, total = 0.0, kept = 0.0;
    rfi_density density;
    rfi_density_of(mixture, &density);
    for (int32_t k = 0; k < density.n; k++) {
        double d = value - density.mean[k];
        p[k] = fma(d * d, density.minus_half_precision[k], density.base[k]);
        shift = p[k] > shift ? p[k] : shift;
    }
    for (int32_t k = 0; k < density.n; k++) {
        p[k] = rf_exp_nonpositive_f64(p[k] - shift);
        total += p[k];
    }
    for (int32_t j = 0; j < mixture->n_kept; j++) {
        out[j] = p[mixture->kept[j]] / total + PICK_FLOOR;
        kept += out[j];
    }
    for (int32_t j = 0; j < mixture->n_kept; j++)
        out[j] /= kept;
}
