#include "engine/transform/mixture_loop.h"

#include <math.h>
#include <string.h>

#include "kernels/math/math64.h"

/* The priors: stick concentration, precision of the mean, degrees of freedom. */
#define CONCENTRATION 0.001
#define BETA0         1.0
#define NU0           1.0

#define EMPTY_WEIGHT (10.0 * 0x1p-52) /* added to each N_k so that an empty component divides by something */
#define KEEP_WEIGHT  0.005
#define LN_2         0x1.62e42fefa39efp-1
#define LN_2PI       0x1.d67f1c864beb5p+0

/* ------------------------------------------------------------------ the M step */

void rfi_cluster_sums(const rfi_points *points, const rfi_clusters *clusters, rfi_sums *out)
{
    memset(out, 0, sizeof *out);
    for (int32_t c = 0; c < clusters->n; c++) {
        for (int64_t i = clusters->first[c]; i < clusters->end[c]; i++) {
            double d = points->value[i] - clusters->centre[c], w = points->count[i];
            out->weight[c] += w;
            out->first[c] = fma(w, d, out->first[c]);
            out->second[c] = fma(w, fma(d, d, points->spread ? points->spread[i] : 0.0), out->second[c]);
        }
    }
}

/* With the prior's mean at 0: m_k = N_k xb_k / beta_k and
 * var_k = [ s0^2 + N_k S_k + (N_k beta0 / beta_k) xb_k^2 ] / nu_k. */
static void maximise_component(rfi_variational *state, int32_t k, double centre, const rfi_sums *sums)
{
    const double count = sums->weight[k] + EMPTY_WEIGHT;
    const double average = fma(centre, sums->weight[k], sums->first[k]) / count;
    const double d = average - centre;
    const double square = fma(d * d, sums->weight[k], fma(-2.0 * d, sums->first[k], sums->second[k])) / count;
    const double scatter = (square > 0.0 ? square : 0.0) + state->floor;
    const double beta = BETA0 + count, nu = NU0 + count;
    state->count[k] = count;
    state->mean[k] = count * average / beta;
    state->variance[k] =
        (state->prior_variance + count * scatter + count * BETA0 / beta * (average * average)) / nu;
}

static void maximise(rfi_variational *state, const double *centre, const rfi_sums *sums)
{
    for (int32_t k = 0; k < state->n; k++)
        maximise_component(state, k, centre[k], sums);
    double later = 0.0;
    for (int32_t k = state->n - 1; k >= 0; k--) {
        state->a[k] = 1.0 + state->count[k];
        state->b[k] = CONCENTRATION + later;
        later += state->count[k];
    }
}

void rfi_variational_start(rfi_variational *state, int32_t n, double prior_variance, double floor,
                           const double *centre, const rfi_sums *sums)
{
    memset(state, 0, sizeof *state);
    state->n = n;
    state->prior_variance = prior_variance;
    state->floor = floor;
    maximise(state, centre, sums);
}

/* ------------------------------------------------------------------ the E step */

/* lw_k = psi(a_k) - psi(a_k+b_k) + sum_{j<k} [ psi(b_j) - psi(a_j+b_j) ], and of lp_k(x) what does not
 * depend on x: -1/2 [ ln 2 pi + ln var_k + ln nu_k ] + 1/2 [ ln 2 + psi(nu_k/2) - 1/beta_k ]. */
static void expect(const rfi_variational *state, rfi_density *out)
{
    double sticks = 0.0;
    out->n = state->n;
    for (int32_t k = 0; k < state->n; k++) {
        const double both = rf_digamma_f64(state->a[k] + state->b[k]);
        const double log_weight = rf_digamma_f64(state->a[k]) - both + sticks;
        const double beta = BETA0 + state->count[k], nu = NU0 + state->count[k];
        const double spread = LN_2PI + rf_log_f64(state->variance[k]) + rf_log_f64(nu);
        const double wishart = LN_2 + rf_digamma_f64(0.5 * nu) - 1.0 / beta;
        out->mean[k] = state->mean[k];
        out->minus_half_precision[k] = -0.5 / state->variance[k];
        out->base[k] = log_weight - 0.5 * spread + 0.5 * wishart;
        sticks += rf_digamma_f64(state->b[k]) - both;
    }
}

/* - sum_ik r_ik ln r_ik. Since ln r_ik = ln p_k(x_i) - ln sum_k p_k(x_i) and ln p_k is quadratic in x, the
 * sums of the E step hold it: no second pass over the points. */
static double entropy(const rfi_density *density, const rfi_sums *sums)
{
    double inside = 0.0;
    for (int32_t k = 0; k < density->n; k++)
        inside += density->base[k] * sums->weight[k] + density->minus_half_precision[k] * sums->second[k];
    return sums->log_total - inside;
}

static double log_beta(double a, double b)
{
    return rf_lgamma_f64(a) + rf_lgamma_f64(b) - rf_lgamma_f64(a + b);
}

/* The lower bound without its constants: entropy of the E step, the rest after the M step. */
static double bound_of(const rfi_variational *state, double responsibility_entropy)
{
    double bound = responsibility_entropy;
    for (int32_t k = 0; k < state->n; k++) {
        const double beta = BETA0 + state->count[k], nu = NU0 + state->count[k];
        const double log_det = -0.5 * rf_log_f64(state->variance[k]) - 0.5 * rf_log_f64(nu);
        bound += nu * log_det + 0.5 * nu * LN_2 + rf_lgamma_f64(0.5 * nu);
        bound += log_beta(state->a[k], state->b[k]);
        bound -= 0.5 * rf_log_f64(beta);
    }
    return bound;
}

int32_t rfi_variational_run(rfi_variational *state, const rfi_points *points, int32_t fewest, int32_t most)
{
    const rfi_step *step = rfi_step_best();
    double before = -INFINITY;
    for (int32_t i = 1; i <= most; i++) {
        rfi_density density;
        rfi_sums sums;
        expect(state, &density);
        step->accumulate(points, &density, &sums);
        maximise(state, density.mean, &sums);
        state->bound = bound_of(state, entropy(&density, &sums));
        if (i >= fewest && fabs(state->bound - before) < RFI_MIXTURE_TOLERANCE)
            return i;
        before = state->bound;
    }
    return most;
}

/* ------------------------------------------------------------------ the result */

/* w_k = a_k/(a_k+b_k) prod_{j<k} b_j/(a_j+b_j), divided by their sum. */
static void find_weights(const rfi_variational *state, double *weight)
{
    double left = 1.0, sum = 0.0;
    for (int32_t k = 0; k < state->n; k++) {
        const double both = state->a[k] + state->b[k];
        weight[k] = state->a[k] / both * left;
        left *= state->b[k] / both;
        sum += weight[k];
    }
    for (int32_t k = 0; k < state->n; k++)
        weight[k] /= sum;
}

void rfi_variational_finish(const rfi_variational *state, double shift, rf_mixture *out)
{
    rfi_density density;
    expect(state, &density);
    memset(out, 0, sizeof *out);
    out->n = state->n;
    out->bound = state->bound;
    find_weights(state, out->weight);
    for (int32_t k = 0; k < state->n; k++) {
        out->mean[k] = shift + state->mean[k];
        out->variance[k] = state->variance[k];
        out->log_base[k] = density.base[k];
        if (out->weight[k] > KEEP_WEIGHT)
            out->kept[out->n_kept++] = k;
    }
}
