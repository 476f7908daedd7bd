/* cpu_activate.c - the generator's last step, row by row: tanh and Gumbel-softmax, and their way back with the conditional loss. */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/cpu/cpu_softmax.h"
#include "kernels/math/math32.h"

enum { ACTIVATE_ROWS = 8, PIECE = 256 };

/* ------------------------------------------------------------------ forward */

/* out = (logit + gumbel) / tau, for a whole row; scalar spans are overwritten afterwards. */
static void add_noise(const rf_activate *op, const rf_draw *draw, int32_t r)
{
    const float *restrict logits = op->logits.data + r * op->logits.ld;
    float *restrict out = op->out.data + r * op->out.ld;
    int32_t width = op->layout->width;
    uint32_t words[PIECE + 6];
    float inverse = 1.0f / op->tau;
    for (int32_t c = 0; c < width; c += PIECE) {
        int32_t here = rfi_min32(PIECE, width - c), skip;
        RFI_FN(rfi_words_at)(words, &skip, *draw, (uint32_t)r * (uint32_t)width + (uint32_t)c, here);
        const uint32_t *restrict w = words + skip;
        for (int32_t i = 0; i < here; i++)
            out[c + i] = (logits[c + i] + rf_gumbel_f32(w[i])) * inverse;
    }
}

static void activate_rows(void *arg, int32_t first, int32_t end)
{
    const rf_activate *op = arg;
    const rf_draw draw = rfi_draw_of(&op->noise);
    for (int32_t r = first; r < end; r++) {
        const float *logits = op->logits.data + r * op->logits.ld;
        float *out = op->out.data + r * op->out.ld;
        add_noise(op, &draw, r);
        for (int32_t i = 0; i < op->layout->n_spans; i++) {
            const rf_span *span = &op->layout->spans[i];
            if (span->kind == RF_SPAN_SCALAR)
                out[span->offset] = rf_tanh_f32(logits[span->offset]);
            else
                rfi_softmax(out + span->offset, out + span->offset, span->width);
        }
    }
}

void RFI_FN(rfi_activate)(rf_device *device, const rf_activate *op)
{
    rfi_run_rows(device, op->logits.rows, ACTIVATE_ROWS, activate_rows, (void *)op);
}

/* ------------------------------------------------------------------ back */

typedef struct back_job {
    const rf_activate_back *op;
    float *row_loss;
} back_job;

/* dl = y (dy - sum of dy y) / tau */
static void softmax_back(float *restrict dl, const float *restrict dy, const float *restrict y, int32_t n,
                         float inverse)
{
    float dot = rfi_dot(dy, y, n);
    for (int32_t c = 0; c < n; c++)
        dl[c] = inverse * y[c] * (dy[c] - dot);
}

/* Cross-entropy of the raw logits on the span of the row's conditioned column; its gradient is added. */
static float conditional_loss(const rf_activate_back *op, int32_t r)
{
    const rf_span *span = &op->layout->spans[op->condition_span[op->columns[r]]];
    const float *logits = op->logits.data + r * op->logits.ld + span->offset;
    float *dl = op->dlogits.data + r * op->dlogits.ld + span->offset;
    return rfi_cross_entropy(logits, span->width, op->entries[r] - span->cond_offset,
                             1.0f / (float)op->logits.rows, dl, true);
}

static void back_rows(void *arg, int32_t first, int32_t end)
{
    const back_job *job = arg;
    const rf_activate_back *op = job->op;
    float inverse = 1.0f / op->tau;
    for (int32_t r = first; r < end; r++) {
        const float *dy = op->dout.data + r * op->dout.ld, *y = op->out.data + r * op->out.ld;
        float *dl = op->dlogits.data + r * op->dlogits.ld;
        for (int32_t i = 0; i < op->layout->n_spans; i++) {
            const rf_span *span = &op->layout->spans[i];
            int32_t c = span->offset;
            if (span->kind == RF_SPAN_SCALAR)
                dl[c] = dy[c] * fmaf(-y[c], y[c], 1.0f);
            else
                softmax_back(dl + c, dy + c, y + c, span->width, inverse);
        }
        if (op->entries)
            job->row_loss[r] = conditional_loss(op, r);
    }
}

void RFI_FN(rfi_activate_back)(rf_device *device, const rf_activate_back *op)
{
    int32_t rows = op->logits.rows;
    back_job job = {op, rfi_scratch(device, (size_t)rows * sizeof(float))};
    if (!job.row_loss)
        return;
    rfi_run_rows(device, rows, ACTIVATE_ROWS, back_rows, &job);
    double sum = 0.0;
    for (int32_t r = 0; op->entries && r < rows; r++)
        sum += (double)job.row_loss[r];
    if (op->loss)
        *op->loss = (float)(sum / rows);
}
