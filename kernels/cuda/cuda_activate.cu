/* cuda_activate.cu - the generator's last step: tanh and Gumbel-softmax, and their way back with the conditional loss.
 *
 * A block owns a row. Its threads first make the row's noise, four numbers each; then its warps take the spans in turn, with a lane for each category. The
 * row of `out` holds the numbers in between, so that any width will do.
 */
#include "kernels/cuda/cuda_reduce.cuh"

extern "C" {
#include "kernels/parts.h"
}

enum { ACTIVATE_THREADS = 128, WARPS = ACTIVATE_THREADS / RFI_WARP };

/* ------------------------------------------------------------------ forward */

/* x = (logit + gumbel) / tau in the row of `out`. */
__device__ static void add_noise(float *out, const float *logits, rf_draw draw, uint32_t first, int32_t width,
                                 float inverse)
{
    const uint32_t begin = first / 4, end = (first + (uint32_t)width + 3) / 4;
    for (uint32_t block = begin + threadIdx.x; block < end; block += ACTIVATE_THREADS) {
        const rf_philox_block words = rf_philox(draw, block);
        for (uint32_t i = 0; i < 4; i++) {
            const int32_t c = (int32_t)(4 * block + i - first);
            if (c >= 0 && c < width)
                out[c] = (logits[c] + rf_gumbel_f32(words.word[i])) * inverse;
        }
    }
}

__device__ static void softmax_warp(float *x, int32_t n)
{
    const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
    float top = -INFINITY, sum = 0.0f;
    bool broken = false;
    for (int32_t c = lane; c < n; c += RFI_WARP) {
        top = x[c] > top ? x[c] : top;
        broken |= x[c] != x[c];
    }
    top = rfi_warp_max(top);
    for (int32_t c = lane; c < n; c += RFI_WARP)
        sum += rfi_exp_term(x[c] - top);
    sum = rfi_warp_sum(sum);
    if (__any_sync(RFI_ALL, broken))
        sum = NAN; /* a NaN anywhere makes the whole span one */
    const float scale = 1.0f / sum;
    for (int32_t c = lane; c < n; c += RFI_WARP)
        x[c] = rfi_exp_term(x[c] - top) * scale;
}

/* The grid's second dimension is the batch. */
__global__ void activate_kernel(const __grid_constant__ rf_activate_batches list, rfi_layout layout,
                                rfi_trials trials)
{
    const rf_activate &op = list.batch[blockIdx.y];
    const int32_t r = (int32_t)blockIdx.x, warp = (int32_t)(threadIdx.x / RFI_WARP);
    const float *logits = rfi_at(op.logits.data, trials) + r * op.logits.ld;
    float *out = rfi_at(op.out.data, trials) + r * op.out.ld;
    add_noise(out, logits, rfi_draw_of(op.noise, trials), (uint32_t)r * (uint32_t)layout.width, layout.width,
              1.0f / op.tau);
    __syncthreads();
    for (int32_t i = warp; i < layout.n_spans; i += WARPS) {
        const rf_span span = layout.spans[i];
        if (span.kind == RF_SPAN_CODE)
            softmax_warp(out + span.offset, span.width);
        else if (threadIdx.x % RFI_WARP == 0)
            out[span.offset] = rf_tanh_f32(logits[span.offset]);
    }
}

static void activate(rf_device *device, const rf_activate_batches *list)
{
    const rf_activate *first = &list->batch[0];
    rfi_layout layout;
    if (!rfi_ready(device) || first->logits.rows == 0 || !rfi_layout_of(device, first->layout, &layout))
        return;
    RFI_LAUNCH(device, activate_kernel, first->logits.rows, list->n, ACTIVATE_THREADS, 0, *list, layout);
}

void rfi_cuda_activate(rf_device *device, const rf_activate *op)
{
    rf_activate_batches list = {};
    list.n = 1;
    list.batch[0] = *op;
    activate(device, &list);
}

/* Batches of one shape share a kernel. */
void rfi_cuda_activate_batches(rf_device *device, const rf_activate_batches *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    bool fits = rfi_is_fused(cuda) && op->n > 0;
    for (int32_t i = 1; fits && i < op->n; i++)
        fits = op->batch[i].layout == op->batch[0].layout &&
               op->batch[i].logits.rows == op->batch[0].logits.rows;
    if (fits)
        activate(device, op);
    else
        rf_parts_activate_batches(device, op);
}

/* ------------------------------------------------------------------ back */

/* dl = y (dy - sum of dy y) / tau */
__device__ static void softmax_back_warp(float *dl, const float *dy, const float *y, int32_t n, float inverse)
{
    const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
    float dot = 0.0f;
    for (int32_t c = lane; c < n; c += RFI_WARP)
        dot = fmaf(dy[c], y[c], dot);
    dot = rfi_warp_sum(dot);
    for (int32_t c = lane; c < n; c += RFI_WARP)
        dl[c] = inverse * y[c] * (dy[c] - dot);
}

/* Returns -ln softmax(x)[target] and adds scale (softmax(x) - onehot(target)) to dx, by a warp. NaN if any x is. */
__device__ static float cross_entropy_warp(const float *x, int32_t n, int32_t target, float scale, float *dx)
{
    const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
    float top = -INFINITY, sum = 0.0f;
    bool broken = false;
    for (int32_t c = lane; c < n; c += RFI_WARP) {
        top = x[c] > top ? x[c] : top;
        broken |= x[c] != x[c];
    }
    top = rfi_warp_max(top);
    for (int32_t c = lane; c < n; c += RFI_WARP)
        sum += rfi_exp_term(x[c] - top);
    sum = rfi_warp_sum(sum);
    if (__any_sync(RFI_ALL, broken))
        sum = NAN;
    const float share = scale / sum;
    for (int32_t c = lane; c < n; c += RFI_WARP)
        dx[c] = fmaf(share, rfi_exp_term(x[c] - top), dx[c]) - (c == target ? scale : 0.0f);
    return rf_log_f32(sum) - (x[target] - top);
}

__device__ static float conditional_loss(const rf_activate_back &op, const rfi_layout &layout, int32_t r,
                                         const rfi_trials &trials)
{
    const int32_t column = rfi_at(op.columns, trials)[r], entry = rfi_at(op.entries, trials)[r];
    const rf_span span = layout.spans[rfi_at(op.condition_span, trials)[column]];
    return cross_entropy_warp(rfi_at(op.logits.data, trials) + r * op.logits.ld + span.offset, span.width,
                              entry - span.cond_offset, 1.0f / (float)op.logits.rows,
                              rfi_at(op.dlogits.data, trials) + r * op.dlogits.ld + span.offset);
}

__global__ void activate_back_kernel(rf_activate_back op, rfi_layout layout, float *shared_loss,
                                     unsigned *counters, rfi_trials trials)
{
    RF_SHARED(double, parts, WARPS);
    const int32_t r = (int32_t)blockIdx.x, warp = (int32_t)(threadIdx.x / RFI_WARP);
    float *row_loss = rfi_own(shared_loss, (size_t)op.logits.rows);
    const float *dout = rfi_at(op.dout.data, trials) + r * op.dout.ld,
                *out = rfi_at(op.out.data, trials) + r * op.out.ld;
    float *dlogits = rfi_at(op.dlogits.data, trials) + r * op.dlogits.ld;
    for (int32_t i = warp; i < layout.n_spans; i += WARPS) {
        const rf_span span = layout.spans[i];
        const int32_t at = span.offset;
        if (span.kind == RF_SPAN_CODE)
            softmax_back_warp(dlogits + at, dout + at, out + at, span.width, 1.0f / op.tau);
        else if (threadIdx.x % RFI_WARP == 0)
            dlogits[at] = dout[at] * fmaf(-out[at], out[at], 1.0f);
    }
    __syncthreads();
    if (warp == 0) {
        const float loss = op.entries ? conditional_loss(op, layout, r, trials) : 0.0f;
        if (threadIdx.x == 0)
            row_loss[r] = loss;
    }
    if (!op.loss || !rfi_is_last_block(rfi_own(counters, RFI_COUNTERS), gridDim.x))
        return;
    const double total = rfi_block_total(row_loss, op.logits.rows, parts);
    if (threadIdx.x == 0)
        *rfi_at(op.loss, trials) = (float)(total / op.logits.rows);
}

void rfi_cuda_activate_back(rf_device *device, const rf_activate_back *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_layout layout;
    if (!cuda || op->logits.rows == 0 || !rfi_layout_of(device, op->layout, &layout))
        return;
    float *row_loss = reinterpret_cast<float *>(rfi_scratch(device, (size_t)op->logits.rows * sizeof(float)));
    if (row_loss)
        RFI_LAUNCH(device, activate_back_kernel, op->logits.rows, 1, ACTIVATE_THREADS, 0, *op, layout,
                   row_loss, cuda->counters);
}
