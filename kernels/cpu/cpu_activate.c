/* cpu_activate.c - the generator's last step: tanh and Gumbel-softmax, and their way back with the conditional loss.
 *
 * A task takes sixteen rows, turns them so that rows are lanes (cpu_softmax.h), and turns the result back.
 */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/cpu/cpu_softmax.h"
#include "kernels/cpu/cpu_transpose.h"
#include "kernels/math/math32.h"

/* Rows of a block, one of the tiles' lanes each. Tiles of narrow tables lie on the stack, in the first-level cache. */
enum { BLOCK = RFI_LANES, NARROW = 384 };

/* A block's part of the scratch, two tiles of 16 x width floats. */
static float *block_tiles(float *scratch, int32_t first, int32_t width)
{
    return scratch + (int64_t)first * width * 2;
}

static size_t scratch_bytes(int32_t rows, int32_t width)
{
    size_t padded = (size_t)rfi_divide_up(rows, BLOCK) * BLOCK;
    return width <= NARROW ? 0 : padded * (size_t)width * 2 * sizeof(float);
}

/* ------------------------------------------------------------------ forward */

typedef struct forward_job {
    const rf_activate *op;
    float *scratch;
} forward_job;

/* x = (logit + gumbel) / tau, row by row; scalar spans keep their logit. */
static void add_noise(const rf_activate *op, float *restrict x, int32_t first, int32_t rows)
{
    int32_t width = op->layout->width;
    float inverse = 1.0f / op->tau;
    RFI_FN(rfi_gumbels)(x, rfi_draw_of(&op->noise), (uint32_t)first * (uint32_t)width, rows * width);
    for (int32_t r = 0; r < rows; r++, x += width) {
        const float *restrict logits = op->logits.data + (first + r) * op->logits.ld;
        for (int32_t c = 0; c < width; c++)
            x[c] = (logits[c] + x[c]) * inverse;
        for (int32_t i = 0; i < op->layout->n_spans; i++)
            if (op->layout->spans[i].kind == RF_SPAN_SCALAR)
                x[op->layout->spans[i].offset] = logits[op->layout->spans[i].offset];
    }
}

static void activate_rows(void *arg, int32_t first, int32_t end)
{
    const forward_job *job = arg;
    const rf_activate *op = job->op;
    int32_t width = op->layout->width;
    _Alignas(64) float narrow[2 * BLOCK * NARROW];
    float *x = width <= NARROW ? narrow : block_tiles(job->scratch, first, width),
          *t = x + (int64_t)BLOCK * width;
    add_noise(op, x, first, end - first);
    rfi_transpose(t, BLOCK, x, width, end - first, width);
    for (int32_t i = 0; i < op->layout->n_spans; i++) {
        const rf_span *span = &op->layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            rfi_tile_tanh(t + BLOCK * span->offset);
        else
            rfi_tile_softmax(t + BLOCK * span->offset, span->width);
    }
    rfi_transpose(op->out.data + first * op->out.ld, op->out.ld, t, BLOCK, width, end - first);
}

void RFI_FN(rfi_activate)(rf_device *device, const rf_activate *op)
{
    forward_job job = {op, rfi_scratch(device, scratch_bytes(op->logits.rows, op->layout->width))};
    if (job.scratch)
        rfi_run_rows(device, op->logits.rows, BLOCK, activate_rows, &job);
}

/* ------------------------------------------------------------------ back */

typedef struct back_job {
    const rf_activate_back *op;
    float *scratch, *row_loss;
} back_job;

/* dl = y (dy - sum of dy y) / tau, into dy */
static void softmax_back(float *restrict dy, const float *restrict y, int32_t n, float inverse)
{
    v16 dot = v16_zero(), scale = v16_set(inverse);
    for (int32_t c = 0; c < n; c++)
        dot = v16_fma(v16_load(dy + BLOCK * c), v16_load(y + BLOCK * c), dot);
    for (int32_t c = 0; c < n; c++) {
        v16 pull = v16_sub(v16_load(dy + BLOCK * c), dot);
        v16_store(dy + BLOCK * c, v16_mul(v16_mul(scale, v16_load(y + BLOCK * c)), pull));
    }
}

/* dl = dy (1 - y^2), into dy */
static void tanh_back(float *restrict dy, const float *restrict y)
{
    for (int32_t i = 0; i < BLOCK; i++)
        dy[i] *= fmaf(-y[i], y[i], 1.0f);
}

/* Cross-entropy of the raw logits on the span of the row's conditioned column; its gradient is added. */
static float conditional_loss(const rf_activate_back *op, int32_t r)
{
    const rf_span *span = &op->layout->spans[op->condition_span[op->columns[r]]];
    return rfi_cross_entropy_row(op->logits.data + r * op->logits.ld + span->offset, span->width,
                                 op->entries[r] - span->cond_offset, 1.0f / (float)op->logits.rows,
                                 op->dlogits.data + r * op->dlogits.ld + span->offset);
}

static void back_rows(void *arg, int32_t first, int32_t end)
{
    const back_job *job = arg;
    const rf_activate_back *op = job->op;
    int32_t width = op->layout->width, rows = end - first;
    _Alignas(64) float narrow[2 * BLOCK * NARROW];
    float *dy = width <= NARROW ? narrow : block_tiles(job->scratch, first, width),
          *y = dy + (int64_t)BLOCK * width;
    float inverse = 1.0f / op->tau;
    rfi_transpose(dy, BLOCK, op->dout.data + first * op->dout.ld, op->dout.ld, rows, width);
    rfi_transpose(y, BLOCK, op->out.data + first * op->out.ld, op->out.ld, rows, width);
    for (int32_t i = 0; i < op->layout->n_spans; i++) {
        const rf_span *span = &op->layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            tanh_back(dy + BLOCK * span->offset, y + BLOCK * span->offset);
        else
            softmax_back(dy + BLOCK * span->offset, y + BLOCK * span->offset, span->width, inverse);
    }
    rfi_transpose(op->dlogits.data + first * op->dlogits.ld, op->dlogits.ld, dy, BLOCK, width, rows);
    for (int32_t r = first; op->entries && r < end; r++)
        job->row_loss[r] = conditional_loss(op, r);
}

void RFI_FN(rfi_activate_back)(rf_device *device, const rf_activate_back *op)
{
    int32_t rows = op->logits.rows;
    size_t tiles = scratch_bytes(rows, op->layout->width);
    back_job job = {.op = op, .scratch = rfi_scratch(device, tiles + (size_t)rows * sizeof(float))};
    if (!job.scratch)
        return;
    job.row_loss = job.scratch + tiles / sizeof(float);
    rfi_run_rows(device, rows, BLOCK, back_rows, &job);
    double sum = 0.0;
    for (int32_t r = 0; op->entries && r < rows; r++)
        sum += (double)job.row_loss[r];
    if (op->loss)
        *op->loss = (float)(sum / rows);
}
