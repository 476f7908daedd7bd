/* cpu_norm.c - batch normalisation with ReLU, and its way back.
 *
 * Sums over the rows of a column are taken over blocks of rows first, then over the blocks in order: the blocks do not
 * depend on the number of threads, and a thread stays with the rows that it has in its cache from the product before. The
 * statistics are sums of differences to the column's first row, in one pass: a column far from zero keeps its variance.
 */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum { BLOCK_ROWS = 32, STRIP = 64, VECTORS = STRIP / RFI_LANES };

static const float epsilon = 1e-5f;

/* ------------------------------------------------------------------ strips
 *
 * Within a block the columns are walked in strips of four registers. The last strip may be narrower: its lanes are counted,
 * and those without a column are neither read nor written.
 */
typedef struct strip {
    int32_t left, first, end; /* columns from left on, rows first..end-1 */
    int n[VECTORS];           /* columns in each register, 0..16         */
} strip;

static strip strip_of(int32_t left, int32_t cols, int32_t first, int32_t end)
{
    strip s = {left, first, end, {0}};
    for (int j = 0; j < VECTORS; j++) {
        int32_t here = cols - left - j * RFI_LANES;
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

#define EACH_VECTOR _Pragma("GCC unroll 4") for (int j = 0; j < VECTORS; j++)

/* Runs `step` on each strip of a block, compiled for whole and for narrow ones. */
#define EACH_STRIP(step, job, cols, first, end)                                                              \
    for (int32_t left = 0; left < (cols); left += STRIP) {                                                   \
        const strip s = strip_of(left, (cols), (first), (end));                                              \
        if (is_whole(&s))                                                                                    \
            step((job), &s, true);                                                                           \
        else                                                                                                 \
            step((job), &s, false);                                                                          \
    }

/* Where a block puts its two sums: scratch is (blocks, 2, cols). */
static float *block_sums(float *scratch, int32_t first, int32_t cols)
{
    return scratch + (int64_t)(first / BLOCK_ROWS) * 2 * cols;
}

/* The blocks' sums, in order, into the first block's. */
static void add_blocks(float *restrict scratch, int32_t rows, int32_t cols)
{
    for (int64_t block = 1; block < rfi_divide_up(rows, BLOCK_ROWS); block++) {
        const float *restrict from = scratch + block * 2 * cols;
        for (int32_t c = 0; c < 2 * cols; c++)
            scratch[c] += from[c];
    }
}

static float *sums_scratch(rf_device *device, int32_t rows, int32_t cols)
{
    return rfi_scratch(device, (size_t)rfi_divide_up(rows, BLOCK_ROWS) * 2 * (size_t)cols * sizeof(float));
}

/* ------------------------------------------------------------------ forward */

typedef struct forward_job {
    const rf_batchnorm_relu *op;
    float *sums;
} forward_job;

RFI_INLINE void sum_strip(const forward_job *job, const strip *s, const bool whole)
{
    const rf_mat *a = &job->op->a;
    v16 origin[VECTORS], sum[VECTORS], squares[VECTORS];
    EACH_VECTOR
    {
        origin[j] = take(a->data + s->left, s, j, whole);
        sum[j] = squares[j] = v16_zero();
    }
    for (int32_t r = s->first; r < s->end; r++) {
        const float *x = a->data + r * a->ld + s->left;
        EACH_VECTOR
        {
            v16 d = v16_sub(take(x, s, j, whole), origin[j]);
            sum[j] = v16_add(sum[j], d);
            squares[j] = v16_fma(d, d, squares[j]);
        }
    }
    float *out = block_sums(job->sums, s->first, a->cols) + s->left;
    EACH_VECTOR
    {
        give(out, sum[j], s, j, whole);
        give(out + a->cols, squares[j], s, j, whole);
    }
}

static void sum_block(void *arg, int32_t first, int32_t end)
{
    const forward_job *job = arg;
    EACH_STRIP(sum_strip, job, job->op->a.cols, first, end)
}

static void statistics(const forward_job *job)
{
    const rf_batchnorm_relu *op = job->op;
    const float *restrict sum = job->sums, *restrict squares = job->sums + op->a.cols,
                          *restrict origin = op->a.data;
    float *restrict mean = op->mean, *restrict rstd = op->rstd;
    float share = 1.0f / (float)op->a.rows;
    for (int32_t c = 0; c < op->a.cols; c++) {
        float shift = sum[c] * share;
        float variance = fmaf(-shift, shift, squares[c] * share);
        variance = variance < 0.0f ? 0.0f : variance; /* by rounding; a NaN stays one */
        mean[c] = origin[c] + shift;
        rstd[c] = 1.0f / sqrtf(variance + epsilon);
    }
}

RFI_INLINE void normalise_strip(const forward_job *job, const strip *s, const bool whole)
{
    const rf_batchnorm_relu *op = job->op;
    v16 mean[VECTORS], scale[VECTORS], beta[VECTORS];
    EACH_VECTOR
    {
        mean[j] = take(op->mean + s->left, s, j, whole);
        scale[j] = v16_mul(take(op->gamma + s->left, s, j, whole), take(op->rstd + s->left, s, j, whole));
        beta[j] = take(op->beta + s->left, s, j, whole);
    }
    for (int32_t r = s->first; r < s->end; r++) {
        const float *a = op->a.data + r * op->a.ld + s->left;
        float *h = op->h.data + r * op->h.ld + s->left;
        EACH_VECTOR
        {
            v16 y = v16_fma(v16_sub(take(a, s, j, whole), mean[j]), scale[j], beta[j]);
            give(h, v16_max(v16_zero(), y), s, j, whole); /* a NaN stays one */
        }
    }
}

static void normalise_block(void *arg, int32_t first, int32_t end)
{
    const forward_job *job = arg;
    EACH_STRIP(normalise_strip, job, job->op->a.cols, first, end)
}

void RFI_FN(rfi_batchnorm_relu)(rf_device *device, const rf_batchnorm_relu *op)
{
    forward_job job = {op, sums_scratch(device, op->a.rows, op->a.cols)};
    if (!job.sums)
        return;
    rfi_run_rows(device, op->a.rows, BLOCK_ROWS, sum_block, &job);
    add_blocks(job.sums, op->a.rows, op->a.cols);
    statistics(&job);
    rfi_run_rows(device, op->a.rows, BLOCK_ROWS, normalise_block, &job);
}

/* ------------------------------------------------------------------ back
 *
 * With x = (a - mean) rstd and dy = dh where h > 0 (Ioffe and Szegedy, 2015, section 3):
 *   dbeta = sum dy      dgamma = sum dy x      da = gamma rstd (dy - dbeta / R - x dgamma / R)
 */

typedef struct back_job {
    const rf_batchnorm_relu_back *op;
    float *sums;
} back_job;

RFI_INLINE void gradient_strip(const back_job *job, const strip *s, const bool whole)
{
    const rf_batchnorm_relu_back *op = job->op;
    v16 mean[VECTORS], dbeta[VECTORS], dgamma[VECTORS];
    EACH_VECTOR
    {
        mean[j] = take(op->mean + s->left, s, j, whole);
        dbeta[j] = dgamma[j] = v16_zero();
    }
    for (int32_t r = s->first; r < s->end; r++) {
        const float *dh = op->dh.data + r * op->dh.ld + s->left, *h = op->h.data + r * op->h.ld + s->left;
        const float *a = op->a.data + r * op->a.ld + s->left;
        EACH_VECTOR
        {
            v16 dy = v16_where_positive(take(h, s, j, whole), take(dh, s, j, whole));
            dbeta[j] = v16_add(dbeta[j], dy);
            dgamma[j] = v16_fma(dy, v16_sub(take(a, s, j, whole), mean[j]), dgamma[j]);
        }
    }
    float *out = block_sums(job->sums, s->first, op->a.cols) + s->left;
    EACH_VECTOR
    {
        give(out, dbeta[j], s, j, whole);
        give(out + op->a.cols, dgamma[j], s, j, whole);
    }
}

static void gradient_block(void *arg, int32_t first, int32_t end)
{
    const back_job *job = arg;
    EACH_STRIP(gradient_strip, job, job->op->a.cols, first, end)
}

RFI_INLINE void input_strip(const back_job *job, const strip *s, const bool whole)
{
    const rf_batchnorm_relu_back *op = job->op;
    v16 mean[VECTORS], shift[VECTORS], slope[VECTORS], scale[VECTORS],
        share = v16_set(1.0f / (float)op->a.rows);
    EACH_VECTOR
    {
        v16 rstd = take(op->rstd + s->left, s, j, whole);
        mean[j] = take(op->mean + s->left, s, j, whole);
        shift[j] = v16_mul(take(op->dbeta + s->left, s, j, whole), share);
        slope[j] = v16_mul(v16_mul(take(op->dgamma + s->left, s, j, whole), rstd), share);
        scale[j] = v16_mul(take(op->gamma + s->left, s, j, whole), rstd);
    }
    for (int32_t r = s->first; r < s->end; r++) {
        const float *dh = op->dh.data + r * op->dh.ld + s->left, *h = op->h.data + r * op->h.ld + s->left;
        const float *a = op->a.data + r * op->a.ld + s->left;
        float *da = op->da.data + r * op->da.ld + s->left;
        EACH_VECTOR
        {
            v16 dy = v16_where_positive(take(h, s, j, whole), take(dh, s, j, whole));
            v16 back = v16_sub(mean[j], take(a, s, j, whole));
            give(da, v16_mul(scale[j], v16_fma(back, slope[j], v16_sub(dy, shift[j]))), s, j, whole);
        }
    }
}

static void input_block(void *arg, int32_t first, int32_t end)
{
    const back_job *job = arg;
    EACH_STRIP(input_strip, job, job->op->a.cols, first, end)
}

void RFI_FN(rfi_batchnorm_relu_back)(rf_device *device, const rf_batchnorm_relu_back *op)
{
    back_job job = {op, sums_scratch(device, op->a.rows, op->a.cols)};
    if (!job.sums)
        return;
    rfi_run_rows(device, op->a.rows, BLOCK_ROWS, gradient_block, &job);
    add_blocks(job.sums, op->a.rows, op->a.cols);
    for (int32_t c = 0; c < op->a.cols; c++) {
        op->dbeta[c] = job.sums[c];
        op->dgamma[c] = job.sums[op->a.cols + c] * op->rstd[c];
    }
    rfi_run_rows(device, op->a.rows, BLOCK_ROWS, input_block, &job);
}
