/* cpu_latent.c - the autoencoder's own: the latent draw, the reconstruction loss, and the divergence with its gradient. */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/cpu/cpu_softmax.h"

enum { LATENT_ROWS = 16 };

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
    float scale; /* factor / n                                                    */
    int32_t n;
    float *row_loss; /* (rows)                                                        */
    float *pull;     /* (rows, n_scalars): (x - tanh l)^2, what sigma's gradient needs */
} reconstruct_job;

static float scalar_loss(const reconstruct_job *job, int32_t r, const rf_span *span, float *dl)
{
    const rf_reconstruct *op = job->op;
    int64_t at = (int64_t)r * op->layout->n_scalars + span->source;
    float sigma = op->sigma[span->source];
    float t = rf_tanh_f32(op->logits.data[r * op->logits.ld + span->offset]);
    float d = op->scalars[at] - t, precision = 1.0f / (sigma * sigma);
    job->pull[at] = d * d;
    dl[span->offset] = -job->scale * d * precision * fmaf(-t, t, 1.0f);
    return fmaf(0.5f * d * d, precision, rf_log_f32(sigma));
}

static void reconstruct_rows(void *arg, int32_t first, int32_t end)
{
    const reconstruct_job *job = arg;
    const rf_reconstruct *op = job->op;
    for (int32_t r = first; r < end; r++) {
        float *dl = op->dlogits.data + r * op->dlogits.ld;
        if (r >= job->n) {
            memset(dl, 0, (size_t)op->layout->width * sizeof *dl);
            continue;
        }
        const float *logits = op->logits.data + r * op->logits.ld;
        const uint16_t *codes = op->codes + (int64_t)r * op->layout->n_codes;
        float loss = 0.0f;
        for (int32_t i = 0; i < op->layout->n_spans; i++) {
            const rf_span *span = &op->layout->spans[i];
            int32_t c = span->offset;
            if (span->kind == RF_SPAN_SCALAR)
                loss += scalar_loss(job, r, span, dl);
            else
                loss += rfi_cross_entropy(logits + c, span->width, codes[span->source], job->scale, dl + c,
                                          false);
        }
        job->row_loss[r] = loss;
    }
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
    size_t per_row = 1 + (size_t)op->layout->n_scalars;
    reconstruct_job job = {.op = op, .n = *op->n};
    job.scale = job.n > 0 ? op->factor / (float)job.n : 0.0f;
    job.row_loss = rfi_scratch(device, (size_t)rows * per_row * sizeof(float));
    if (!job.row_loss)
        return;
    job.pull = job.row_loss + rows;
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

/* One row's gradients; the terms of its loss go into `term`. */
static void latent_row(const latent_job *job, int32_t r, float *restrict term)
{
    const rf_latent_back *op = job->op;
    int32_t width = op->dz.cols;
    const float *restrict mu = op->code.data + r * op->code.ld, *restrict logvar = mu + width;
    const float *restrict dz = op->dz.data + r * op->dz.ld, *restrict eps = op->eps.data + r * op->eps.ld;
    float *restrict dmu = op->dcode.data + r * op->dcode.ld, *restrict dlogvar = dmu + width;
    float share = job->share;
    (void)term;
    for (int32_t c = 0; c < width; c++) {
        float root = rf_exp_f32(0.5f * logvar[c]);
        float variance = rf_exp_f32(logvar[c]);
        dmu[c] = fmaf(mu[c], share, dz[c]);
        dlogvar[c] = fmaf(0.5f * dz[c] * eps[c], root, 0.5f * share * (variance - 1.0f));
    }
}

/* sum over the row of 1 + logvar - mu^2 - e^logvar */
static float latent_loss(const rf_latent_back *op, int32_t r)
{
    int32_t width = op->dz.cols;
    const float *mu = op->code.data + r * op->code.ld, *logvar = mu + width;
    float sum = 0.0f;
    for (int32_t c = 0; c < width; c++)
        sum += fmaf(-mu[c], mu[c], 1.0f + logvar[c]) - rf_exp_f32(logvar[c]);
    return sum;
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
        latent_row(job, r, NULL);
        job->row_loss[r] = latent_loss(op, r);
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
