/* cpu_latent.c - the autoencoder's own: the latent draw, the reconstruction loss, and the divergence with its gradient. */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/cpu/cpu_softmax.h"
#include "kernels/cpu/cpu_transpose.h"

enum { LATENT_ROWS = RFI_LANES };

/* ------------------------------------------------------------------ the latent draw */

static void reparameterise_rows(void *arg, int32_t first, int32_t end)
{
    const rf_reparameterise *op = arg;
    int32_t width = op->z.cols;
    for (int32_t r = first; r < end; r++) {
        const float *restrict mu = op->code.data + r * op->code.ld, *restrict logvar = mu + width;
        const float *restrict eps = op->eps.data + r * op->eps.ld;
        float *restrict z = op->z.data + r * op->z.ld;
        for (int32_t c = 0; c < width; c++)
            z[c] = fmaf(rf_exp_f32(0.5f * logvar[c]), eps[c], mu[c]);
    }
}

void RFI_FN(rfi_reparameterise)(rf_device *device, const rf_reparameterise *op)
{
    const rf_draw_normal normal = {.out = op->eps, .noise = op->noise};
    RFI_FN(rfi_draw_normal)(device, &normal);
    rfi_run_rows(device, op->z.rows, LATENT_ROWS, reparameterise_rows, (void *)op);
}

/* ------------------------------------------------------------------ the loss of a row */

static double total(const float *row_loss, int32_t n)
{
    double sum = 0.0;
    for (int32_t r = 0; r < n; r++)
        sum += (double)row_loss[r];
    return sum;
}

/* ------------------------------------------------------------------ reconstruction */

typedef struct reconstruct_job {
    const rf_reconstruct *op;
    float scale; /* factor / n */
    int32_t n;
    float *row_loss; /* (rows)                                                         */
    float *pull;     /* (rows, n_scalars): (x - tanh l)^2, what sigma's gradient needs */
    float *tiles;    /* 16 x width for each block of rows                              */
} reconstruct_job;

/* The block's logits of a scalar span become their gradients; its losses are added. */
static void scalar_span(const reconstruct_job *job, const rf_span *span, int32_t first, int32_t rows,
                        float *restrict t, float *restrict loss)
{
    const rf_reconstruct *op = job->op;
    float sigma = op->sigma[span->source], log_sigma = rf_log_f32(sigma), precision = 1.0f / (sigma * sigma);
    float d[RFI_LANES];
    rfi_tile_tanh(t);
    for (int32_t i = 0; i < RFI_LANES; i++)
        d[i] =
            i < rows ? op->scalars[(int64_t)(first + i) * op->layout->n_scalars + span->source] - t[i] : 0.0f;
    for (int32_t i = 0; i < rows; i++)
        job->pull[(int64_t)(first + i) * op->layout->n_scalars + span->source] = d[i] * d[i];
    for (int32_t i = 0; i < RFI_LANES; i++) {
        loss[i] += fmaf(0.5f * d[i] * d[i], precision, log_sigma);
        t[i] = -job->scale * d[i] * precision * fmaf(-t[i], t[i], 1.0f);
    }
}

static void code_span(const reconstruct_job *job, const rf_span *span, int32_t first, int32_t rows,
                      float *restrict t, float *restrict loss)
{
    const rf_reconstruct *op = job->op;
    const uint16_t *codes = op->codes + (int64_t)first * op->layout->n_codes + span->source;
    float top[RFI_LANES], sum[RFI_LANES], target[RFI_LANES] = {0};
    for (int32_t i = 0; i < rows; i++)
        target[i] = t[RFI_LANES * codes[i * op->layout->n_codes] + i];
    v16_store(sum, rfi_tile_exponentials(t, span->width, top));
    for (int32_t i = 0; i < RFI_LANES; i++) {
        loss[i] += rf_log_f32(sum[i]) - (target[i] - top[i]);
        sum[i] = job->scale / sum[i];
    }
    for (int32_t c = 0; c < span->width; c++)
        v16_store(t + RFI_LANES * c, v16_mul(v16_load(t + RFI_LANES * c), v16_load(sum)));
    for (int32_t i = 0; i < rows; i++)
        t[RFI_LANES * codes[i * op->layout->n_codes] + i] -= job->scale;
}

static void reconstruct_rows(void *arg, int32_t first, int32_t end)
{
    const reconstruct_job *job = arg;
    const rf_reconstruct *op = job->op;
    int32_t width = op->layout->width, rows = rfi_min32(end, job->n) - first;
    float *t = job->tiles + (int64_t)first * width, loss[RFI_LANES] = {0};
    for (int32_t r = first + (rows > 0 ? rows : 0); r < end; r++)
        memset(op->dlogits.data + r * op->dlogits.ld, 0, (size_t)width * sizeof(float));
    if (rows <= 0)
        return;
    if (rows < RFI_LANES) /* lanes without a row run along; they must hold numbers */
        memset(t, 0, (size_t)width * RFI_LANES * sizeof *t);
    rfi_transpose(t, RFI_LANES, op->logits.data + first * op->logits.ld, op->logits.ld, rows, width);
    for (int32_t i = 0; i < op->layout->n_spans; i++) {
        const rf_span *span = &op->layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            scalar_span(job, span, first, rows, t + RFI_LANES * span->offset, loss);
        else
            code_span(job, span, first, rows, t + RFI_LANES * span->offset, loss);
    }
    rfi_transpose(op->dlogits.data + first * op->dlogits.ld, op->dlogits.ld, t, RFI_LANES, width, rows);
    memcpy(job->row_loss + first, loss, (size_t)rows * sizeof *loss);
}

/* d of (pull / (2 sigma^2) + ln sigma) summed over rows: n / sigma - pull / sigma^3 */
static void sigma_gradient(const reconstruct_job *job)
{
    const rf_reconstruct *op = job->op;
    for (int32_t j = 0; j < op->layout->n_scalars; j++) {
        double pull = 0.0, sigma = (double)op->sigma[j];
        for (int32_t r = 0; r < job->n; r++)
            pull += (double)job->pull[(int64_t)r * op->layout->n_scalars + j];
        op->dsigma[j] = (float)((double)job->scale * (job->n / sigma - pull / (sigma * sigma * sigma)));
    }
}

void RFI_FN(rfi_reconstruct)(rf_device *device, const rf_reconstruct *op)
{
    int32_t rows = op->logits.rows;
    size_t padded = (size_t)rfi_divide_up(rows, RFI_LANES) * RFI_LANES;
    size_t per_row = 1 + (size_t)op->layout->n_scalars + (size_t)op->layout->width;
    reconstruct_job job = {.op = op, .n = *op->n};
    job.scale = job.n > 0 ? op->factor / (float)job.n : 0.0f;
    job.row_loss = rfi_scratch(device, padded * per_row * sizeof(float));
    if (!job.row_loss)
        return;
    job.tiles = job.row_loss + padded;
    job.pull = job.tiles + padded * (size_t)op->layout->width;
    rfi_run_rows(device, rows, LATENT_ROWS, reconstruct_rows, &job);
    sigma_gradient(&job);
    if (op->loss)
        *op->loss = (float)((double)job.scale * total(job.row_loss, job.n));
}

/* ------------------------------------------------------------------ divergence */

typedef struct latent_job {
    const rf_latent_back *op;
    int32_t n;
    float share; /* 1 / n */
    float *row_loss;
} latent_job;

/* The row's gradient; returns its loss, the sum of 1 + logvar - mu^2 - e^logvar, a lane for each sixteenth element. Lanes past
 * the last element hold zeros, whose loss is 1 + 0 - 0 - 1. */
static float latent_row(const latent_job *job, int32_t r)
{
    const rf_latent_back *op = job->op;
    const int32_t width = op->dz.cols;
    const float *mu = op->code.data + r * op->code.ld, *dz = op->dz.data + r * op->dz.ld;
    const float *eps = op->eps.data + r * op->eps.ld;
    float *dmu = op->dcode.data + r * op->dcode.ld;
    const v16 share = v16_set(job->share), half = v16_set(0.5f), one = v16_set(1.0f);
    v16 sums = v16_zero();
    for (int32_t c = 0; c < width; c += RFI_LANES) {
        const int here = rfi_min32(RFI_LANES, width - c);
        const v16 m = v16_load_n(mu + c, here), l = v16_load_n(mu + width + c, here);
        const v16 d = v16_load_n(dz + c, here);
        float x[RFI_LANES];
        v16_store(x, v16_mul(half, l));
        for (int32_t i = 0; i < RFI_LANES; i++)
            x[i] = rf_exp_f32(x[i]);
        const v16 root = v16_load(x), variance = v16_mul(root, root);
        const v16 drawn = v16_mul(v16_mul(half, d), v16_load_n(eps + c, here));
        const v16 pull = v16_mul(v16_mul(half, share), v16_sub(variance, one));
        v16_store_n(dmu + c, v16_fma(m, share, d), here);
        v16_store_n(dmu + width + c, v16_fma(drawn, root, pull), here);
        sums = v16_add(sums, v16_sub(v16_sub(v16_add(one, l), v16_mul(m, m)), variance));
    }
    return v16_sum(sums);
}

static void latent_rows(void *arg, int32_t first, int32_t end)
{
    const latent_job *job = arg;
    const rf_latent_back *op = job->op;
    for (int32_t r = first; r < end; r++) {
        if (r >= job->n) {
            memset(op->dcode.data + r * op->dcode.ld, 0, (size_t)op->dcode.cols * sizeof(float));
            continue;
        }
        job->row_loss[r] = latent_row(job, r);
    }
}

void RFI_FN(rfi_latent_back)(rf_device *device, const rf_latent_back *op)
{
    int32_t rows = op->dz.rows;
    latent_job job = {.op = op, .n = *op->n};
    job.share = job.n > 0 ? 1.0f / (float)job.n : 0.0f;
    job.row_loss = rfi_scratch(device, (size_t)rows * sizeof(float));
    if (!job.row_loss)
        return;
    rfi_run_rows(device, rows, LATENT_ROWS, latent_rows, &job);
    if (op->loss)
        *op->loss = (float)(-0.5 * (double)job.share * total(job.row_loss, job.n));
}
