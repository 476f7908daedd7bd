/* cpu_norm.c - batch normalisation with ReLU, and its way back.
 *
 * A task owns a strip of columns for all rows, so that a column's statistics are one sum over rows in order. Two passes
 * (mean, then squares of differences) rather than one: a batch whose mean is far from zero keeps its variance.
 */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum { STRIP = 32 };

static const float epsilon = 1e-5f;

/* ------------------------------------------------------------------ forward */

typedef struct strip {
    int32_t left, width, rows;
} strip;

static strip strip_of(int64_t task, const rf_mat *a)
{
    int32_t left = (int32_t)task * STRIP;
    return (strip){left, rfi_min32(STRIP, a->cols - left), a->rows};
}

static void column_mean(float *restrict mean, const rf_mat *a, const strip *s)
{
    for (int32_t c = 0; c < s->width; c++)
        mean[c] = 0.0f;
    for (int32_t r = 0; r < s->rows; r++) {
        const float *restrict x = a->data + r * a->ld + s->left;
        for (int32_t c = 0; c < s->width; c++)
            mean[c] += x[c];
    }
    for (int32_t c = 0; c < s->width; c++)
        mean[c] /= (float)s->rows;
}

static void column_rstd(float *restrict rstd, const float *restrict mean, const rf_mat *a, const strip *s)
{
    for (int32_t c = 0; c < s->width; c++)
        rstd[c] = 0.0f;
    for (int32_t r = 0; r < s->rows; r++) {
        const float *restrict x = a->data + r * a->ld + s->left;
        for (int32_t c = 0; c < s->width; c++) {
            float d = x[c] - mean[c];
            rstd[c] = fmaf(d, d, rstd[c]);
        }
    }
    for (int32_t c = 0; c < s->width; c++)
        rstd[c] = 1.0f / sqrtf(rstd[c] / (float)s->rows + epsilon);
}

static void forward_task(void *arg, int64_t task)
{
    const rf_batchnorm_relu *op = arg;
    strip s = strip_of(task, &op->a);
    float mean[STRIP], rstd[STRIP], scale[STRIP];
    column_mean(mean, &op->a, &s);
    column_rstd(rstd, mean, &op->a, &s);
    for (int32_t c = 0; c < s.width; c++) {
        op->mean[s.left + c] = mean[c];
        op->rstd[s.left + c] = rstd[c];
        scale[c] = op->gamma[s.left + c] * rstd[c];
    }
    const float *restrict beta = op->beta + s.left;
    for (int32_t r = 0; r < s.rows; r++) {
        const float *a = op->a.data + r * op->a.ld + s.left;
        float *h = op->h.data + r * op->h.ld + s.left;
        for (int32_t c = 0; c < s.width; c++) {
            float y = fmaf(a[c] - mean[c], scale[c], beta[c]);
            h[c] = y < 0.0f ? 0.0f : y;
        }
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

static void column_gradients(const rf_batchnorm_relu_back *op, const strip *s, float *restrict dbeta,
                             float *restrict dgamma)
{
    const float *restrict mean = op->mean + s->left, *restrict rstd = op->rstd + s->left;
    for (int32_t c = 0; c < s->width; c++)
        dbeta[c] = dgamma[c] = 0.0f;
    for (int32_t r = 0; r < s->rows; r++) {
        const float *restrict dh = op->dh.data + r * op->dh.ld + s->left;
        const float *restrict h = op->h.data + r * op->h.ld + s->left;
        const float *restrict a = op->a.data + r * op->a.ld + s->left;
        for (int32_t c = 0; c < s->width; c++) {
            float dy = h[c] > 0.0f ? dh[c] : 0.0f;
            dbeta[c] += dy;
            dgamma[c] = fmaf(dy, (a[c] - mean[c]) * rstd[c], dgamma[c]);
        }
    }
}

static void back_task(void *arg, int64_t task)
{
    const rf_batchnorm_relu_back *op = arg;
    strip s = strip_of(task, &op->a);
    float dbeta[STRIP], dgamma[STRIP], shift[STRIP], slope[STRIP], scale[STRIP];
    column_gradients(op, &s, dbeta, dgamma);
    const float *mean = op->mean + s.left, *rstd = op->rstd + s.left;
    for (int32_t c = 0; c < s.width; c++) {
        op->dbeta[s.left + c] = dbeta[c];
        op->dgamma[s.left + c] = dgamma[c];
        shift[c] = dbeta[c] / (float)s.rows;
        slope[c] = dgamma[c] * rstd[c] / (float)s.rows;
        scale[c] = op->gamma[s.left + c] * rstd[c];
    }
    for (int32_t r = 0; r < s.rows; r++) {
        const float *dh = op->dh.data + r * op->dh.ld + s.left;
        const float *h = op->h.data + r * op->h.ld + s.left;
        const float *a = op->a.data + r * op->a.ld + s.left;
        float *da = op->da.data + r * op->da.ld + s.left;
        for (int32_t c = 0; c < s.width; c++) {
            float dy = h[c] > 0.0f ? dh[c] : 0.0f;
            da[c] = scale[c] * fmaf(mean[c] - a[c], slope[c], dy - shift[c]);
        }
    }
}

void RFI_FN(rfi_batchnorm_relu_back)(rf_device *device, const rf_batchnorm_relu_back *op)
{
    rf_pool_run(device->pool, back_task, (void *)op, rfi_divide_up(op->a.cols, STRIP));
}
