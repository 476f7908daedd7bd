/* cpu_norm.c - batch normalisation with ReLU, and its way back.
 *
 * A task owns a strip of columns for all rows, so that a column's statistics are sums over rows in order. They are taken in one
 * pass, as sums of differences to the column's first row: a column far from zero keeps its variance, and the strip is read
 * once less than with a mean first.
 */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum { STRIP = 64, VECTORS = STRIP / RFI_LANES };

static const float epsilon = 1e-5f;

/* ------------------------------------------------------------------ strips
 *
 * A whole strip is four registers wide. The last one may be narrower: its lanes are counted, and those without a column are
 * neither read nor written.
 */
typedef struct strip {
    int32_t left, rows;
    int n[VECTORS]; /* columns in each register, 0..16 */
} strip;

static strip strip_of(int64_t task, const rf_mat *a)
{
    strip s = {(int32_t)task * STRIP, a->rows, {0}};
    for (int j = 0; j < VECTORS; j++) {
        int32_t here = a->cols - s.left - j * RFI_LANES;
        s.n[j] = here < 0 ? 0 : rfi_min32(here, RFI_LANES);
    }
    return s;
}

static bool is_whole(const strip *s)
{
    return s->n[VECTORS - 1] == RFI_LANES;
}

RFI_INLINE v16 take(const float *x, const strip *s, int j, const bool whole)
{
    return whole         ? v16_load(x + j * RFI_LANES)
           : s->n[j] > 0 ? v16_load_n(x + j * RFI_LANES, s->n[j])
                         : v16_zero();
}

RFI_INLINE void give(float *x, v16 value, const strip *s, int j, const bool whole)
{
    if (whole)
        v16_store(x + j * RFI_LANES, value);
    else if (s->n[j] > 0)
        v16_store_n(x + j * RFI_LANES, value, s->n[j]);
}

/* A strip's rows lie far apart, and the hardware does not guess the next. */
enum { ROWS_AHEAD = 8 };

RFI_INLINE void fetch(const float *x, int64_t ld)
{
    for (int j = 0; j < VECTORS; j++)
        __builtin_prefetch(x + ROWS_AHEAD * ld + j * RFI_LANES);
}

#define EACH_VECTOR _Pragma("GCC unroll 4") for (int j = 0; j < VECTORS; j++)

/* ------------------------------------------------------------------ forward */

/* mean and rstd of the strip's columns */
RFI_INLINE void statistics(const rf_batchnorm_relu *op, const strip *s, const bool whole)
{
    const float *a = op->a.data + s->left;
    v16 origin[VECTORS], sum[VECTORS], squares[VECTORS];
    float mean[STRIP], variance[STRIP], start[STRIP];
    EACH_VECTOR
    {
        origin[j] = take(a, s, j, whole);
        sum[j] = squares[j] = v16_zero();
    }
    for (int32_t r = 1; r < s->rows; r++) {
        a += op->a.ld;
        fetch(a, op->a.ld);
        EACH_VECTOR
        {
            v16 d = v16_sub(take(a, s, j, whole), origin[j]);
            sum[j] = v16_add(sum[j], d);
            squares[j] = v16_fma(d, d, squares[j]);
        }
    }
    EACH_VECTOR
    {
        v16_store(start + j * RFI_LANES, origin[j]);
        v16_store(mean + j * RFI_LANES, sum[j]);
        v16_store(variance + j * RFI_LANES, squares[j]);
    }
    float share = 1.0f / (float)s->rows;
    for (int i = 0; i < STRIP; i++) {
        float shift = mean[i] * share;
        float v = fmaf(-shift, shift, variance[i] * share);
        variance[i] = 1.0f / sqrtf((v > 0.0f || v != v ? v : 0.0f) + epsilon);
        mean[i] = start[i] + shift;
    }
    EACH_VECTOR
    {
        give(op->mean + s->left, v16_load(mean + j * RFI_LANES), s, j, whole);
        give(op->rstd + s->left, v16_load(variance + j * RFI_LANES), s, j, whole);
    }
}

RFI_INLINE void normalise(const rf_batchnorm_relu *op, const strip *s, const bool whole)
{
    v16 mean[VECTORS], scale[VECTORS], beta[VECTORS];
    EACH_VECTOR
    {
        mean[j] = take(op->mean + s->left, s, j, whole);
        scale[j] = v16_mul(take(op->gamma + s->left, s, j, whole), take(op->rstd + s->left, s, j, whole));
        beta[j] = take(op->beta + s->left, s, j, whole);
    }
    for (int32_t r = 0; r < s->rows; r++) {
        const float *a = op->a.data + r * op->a.ld + s->left;
        float *h = op->h.data + r * op->h.ld + s->left;
        fetch(a, op->a.ld);
        EACH_VECTOR
        {
            v16 y = v16_fma(v16_sub(take(a, s, j, whole), mean[j]), scale[j], beta[j]);
            give(h, v16_max(v16_zero(), y), s, j, whole); /* a NaN stays one */
        }
    }
}

static void forward_task(void *arg, int64_t task)
{
    const rf_batchnorm_relu *op = arg;
    const strip s = strip_of(task, &op->a);
    if (is_whole(&s)) {
        statistics(op, &s, true);
        normalise(op, &s, true);
    } else {
        statistics(op, &s, false);
        normalise(op, &s, false);
    }
}

void RFI_FN(rfi_batchnorm_relu)(rf_device *device, const rf_batchnorm_relu *op)
{
    rf_pool_run(device->pool, forward_task, (void *)op, rfi_divide_up(op->a.cols, STRIP));
}

/* ------------------------------------------------------------------ back
 *
 * With x = (a - mean) rstd and dy = dh where h > 0 (Ioffe and Szegedy, 2015, section 3):
 *   dbeta = sum dy      dgamma = sum dy x      da = gamma rstd (dy - dbeta / R - x dgamma / R)
 */

RFI_INLINE void gradients(const rf_batchnorm_relu_back *op, const strip *s, const bool whole)
{
    v16 mean[VECTORS], dbeta[VECTORS], dgamma[VECTORS];
    EACH_VECTOR
    {
        mean[j] = take(op->mean + s->left, s, j, whole);
        dbeta[j] = dgamma[j] = v16_zero();
    }
    for (int32_t r = 0; r < s->rows; r++) {
        const float *dh = op->dh.data + r * op->dh.ld + s->left, *h = op->h.data + r * op->h.ld + s->left;
        const float *a = op->a.data + r * op->a.ld + s->left;
        fetch(dh, op->dh.ld);
        fetch(h, op->h.ld);
        fetch(a, op->a.ld);
        EACH_VECTOR
        {
            v16 dy = v16_where_positive(take(h, s, j, whole), take(dh, s, j, whole));
            dbeta[j] = v16_add(dbeta[j], dy);
            dgamma[j] = v16_fma(dy, v16_sub(take(a, s, j, whole), mean[j]), dgamma[j]);
        }
    }
    EACH_VECTOR
    {
        give(op->dbeta + s->left, dbeta[j], s, j, whole);
        give(op->dgamma + s->left, v16_mul(dgamma[j], take(op->rstd + s->left, s, j, whole)), s, j, whole);
    }
}

RFI_INLINE void inputs(const rf_batchnorm_relu_back *op, const strip *s, const bool whole)
{
    v16 mean[VECTORS], shift[VECTORS], slope[VECTORS], scale[VECTORS], share = v16_set(1.0f / (float)s->rows);
    EACH_VECTOR
    {
        v16 rstd = take(op->rstd + s->left, s, j, whole);
        mean[j] = take(op->mean + s->left, s, j, whole);
        shift[j] = v16_mul(take(op->dbeta + s->left, s, j, whole), share);
        slope[j] = v16_mul(v16_mul(take(op->dgamma + s->left, s, j, whole), rstd), share);
        scale[j] = v16_mul(take(op->gamma + s->left, s, j, whole), rstd);
    }
    for (int32_t r = 0; r < s->rows; r++) {
        const float *dh = op->dh.data + r * op->dh.ld + s->left, *h = op->h.data + r * op->h.ld + s->left;
        const float *a = op->a.data + r * op->a.ld + s->left;
        float *da = op->da.data + r * op->da.ld + s->left;
        fetch(dh, op->dh.ld);
        fetch(h, op->h.ld);
        fetch(a, op->a.ld);
        EACH_VECTOR
        {
            v16 dy = v16_where_positive(take(h, s, j, whole), take(dh, s, j, whole));
            v16 back = v16_sub(mean[j], take(a, s, j, whole));
            give(da, v16_mul(scale[j], v16_fma(back, slope[j], v16_sub(dy, shift[j]))), s, j, whole);
        }
    }
}

static void back_task(void *arg, int64_t task)
{
    const rf_batchnorm_relu_back *op = arg;
    const strip s = strip_of(task, &op->a);
    if (is_whole(&s)) {
        gradients(op, &s, true);
        inputs(op, &s, true);
    } else {
        gradients(op, &s, false);
        inputs(op, &s, false);
    }
}

void RFI_FN(rfi_batchnorm_relu_back)(rf_device *device, const rf_batchnorm_relu_back *op)
{
    rf_pool_run(device->pool, back_task, (void *)op, rfi_divide_up(op->a.cols, STRIP));
}
