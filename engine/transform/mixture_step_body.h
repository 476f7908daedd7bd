/* mixture_step_body.h - the code behind mixture_step.h. Included by one file for each instruction set,
 * which defines RFI_STEP, the name of its table, and RFI_STEP_NAME, the text. No header guard: each file
 * wants its own copy. */

#include <math.h>

#include "engine/transform/mixture_step.h"
#include "kernels/math/math64.h"

/* A component whose densities all lie this far (in ln) below the best one is left out of a block: it would
 * add less than 1e-26 of a point's weight. */
#define NEGLIGIBLE 60.0

/* Sums in parts. */
typedef struct lanes {
    double weight[RF_MIXTURE_MAX][RFI_LANES];
    double first[RF_MIXTURE_MAX][RFI_LANES];
    double second[RF_MIXTURE_MAX][RFI_LANES];
    double log_total[RFI_LANES];
} lanes;

static const double no_spread[RFI_LANES];

static double largest(const double *x)
{
    double best = x[0];
    for (int i = 1; i < RFI_LANES; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

/* The components that count somewhere in a block of ascending values; returns how many. */
static int32_t find_active(const rfi_density *density, const double *value, const double *spread,
                           int32_t *active)
{
    const double low = value[0], high = value[RFI_LANES - 1];
    const double widest = spread == no_spread ? 0.0 : largest(spread);
    double best[RF_MIXTURE_MAX], sure = -INFINITY;
    for (int32_t k = 0; k < density->n; k++) {
        double below = density->mean[k] - low, above = high - density->mean[k];
        double farther = below > above ? below : above;
        double nearer = below < 0.0 ? below : above < 0.0 ? above : 0.0;
        double worst = fma(fma(farther, farther, widest), density->minus_half_precision[k], density->base[k]);
        best[k] = fma(nearer * nearer, density->minus_half_precision[k], density->base[k]);
        sure = worst > sure ? worst : sure;
    }
    int32_t n = 0;
    for (int32_t k = 0; k < density->n; k++)
        if (!(best[k] < sure - NEGLIGIBLE))
            active[n++] = k;
    return n;
}

/* p[j] becomes exp(ln p_k - shift), `total` their sum and `shift` the largest ln p_k of each point. */
static void evaluate(const rfi_density *density, const int32_t *active, int32_t n_active,
                     const double *restrict value, const double *restrict spread, double p[][RFI_LANES],
                     double *restrict shift, double *restrict total)
{
    for (int i = 0; i < RFI_LANES; i++) {
        shift[i] = -INFINITY;
        total[i] = 0.0;
    }
    for (int32_t j = 0; j < n_active; j++) {
        const int32_t k = active[j];
        const double mean = density->mean[k], factor = density->minus_half_precision[k],
                     base = density->base[k];
        double *restrict out = p[j];
        for (int i = 0; i < RFI_LANES; i++) {
            double d = value[i] - mean;
            out[i] = fma(fma(d, d, spread[i]), factor, base);
            shift[i] = out[i] > shift[i] ? out[i] : shift[i];
        }
    }
    for (int32_t j = 0; j < n_active; j++) {
        double *restrict out = p[j];
        for (int i = 0; i < RFI_LANES; i++) {
            out[i] = rf_exp_nonpositive_f64(out[i] - shift[i]);
            total[i] += out[i];
        }
    }
}

static void accumulate_block(const rfi_density *density, const double *restrict value,
                             const double *restrict count, const double *restrict spread,
                             lanes *restrict sums)
{
    int32_t active[RF_MIXTURE_MAX];
    const int32_t n_active = find_active(density, value, spread, active);
    double p[RF_MIXTURE_MAX][RFI_LANES], shift[RFI_LANES], total[RFI_LANES], share[RFI_LANES];
    evaluate(density, active, n_active, value, spread, p, shift, total);

    for (int i = 0; i < RFI_LANES; i++) {
        sums->log_total[i] = fma(count[i], shift[i] + rf_log_f64(total[i]), sums->log_total[i]);
        share[i] = count[i] / total[i];
    }
    for (int32_t j = 0; j < n_active; j++) {
        const int32_t k = active[j];
        const double mean = density->mean[k];
        const double *restrict pj = p[j];
        double *restrict weight = sums->weight[k], *restrict first = sums->first[k],
                         *restrict second = sums->second[k];
        for (int i = 0; i < RFI_LANES; i++) {
            double r = pj[i] * share[i], d = value[i] - mean;
            weight[i] += r;
            first[i] = fma(r, d, first[i]);
            second[i] = fma(r, fma(d, d, spread[i]), second[i]);
        }
    }
}

static double add_up(const double *parts)
{
    double sum = 0.0;
    for (int i = 0; i < RFI_LANES; i++)
        sum += parts[i];
    return sum;
}

static void accumulate(const rfi_points *points, const rfi_density *density, rfi_sums *out)
{
    lanes sums;
    memset(&sums, 0, sizeof sums);
    for (int64_t at = 0; at < points->n; at += RFI_LANES)
        accumulate_block(density, points->value + at, points->count + at,
                         points->spread ? points->spread + at : no_spread, &sums);
    for (int32_t k = 0; k < density->n; k++) {
        out->weight[k] = add_up(sums.weight[k]);
        out->first[k] = add_up(sums.first[k]);
        out->second[k] = add_up(sums.second[k]);
    }
    out->log_total = add_up(sums.log_total);
}

static void pick(const rfi_density *density, const int32_t *kept, int32_t n_kept, const double *value,
                 const double *uniform, int32_t *choice)
{
    static const int32_t all[RF_MIXTURE_MAX] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    double p[RF_MIXTURE_MAX][RFI_LANES], shift[RFI_LANES], total[RFI_LANES];
    evaluate(density, all, density->n, value, no_spread, p, shift, total);

    /* cumulative sums over the kept ones, in place */
    double sum[RFI_LANES] = {0}, passed[RFI_LANES] = {0};
    for (int32_t j = 0; j < n_kept; j++) {
        double *restrict pk = p[kept[j]];
        for (int i = 0; i < RFI_LANES; i++) {
            sum[i] += pk[i] / total[i] + 1e-6;
            pk[i] = sum[i];
        }
    }
    for (int32_t j = 0; j + 1 < n_kept; j++) {
        const double *restrict pk = p[kept[j]];
        for (int i = 0; i < RFI_LANES; i++)
            passed[i] += pk[i] <= uniform[i] * sum[i] ? 1.0 : 0.0;
    }
    for (int i = 0; i < RFI_LANES; i++)
        choice[i] = (int32_t)passed[i];
}

const rfi_step RFI_STEP = {RFI_STEP_NAME, accumulate, pick};
