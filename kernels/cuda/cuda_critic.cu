/* cuda_critic.cu - what the critic needs beside products: blends, dropout, its last layer and the gradient penalty. */
#include "kernels/cuda/cuda_reduce.cuh"

#include "kernels/cuda/cuda_products.h"

enum {
    ELEMENT_THREADS = 128,
    PER_THREAD = 4, /* elements side by side: one Philox block serves 128 bits */
    HEAD_THREADS = 128,
    HEAD_ROWS = HEAD_THREADS / RFI_WARP, /* a warp a row */
    PENALTY_THREADS = 256,
    PENALTY_WARPS = PENALTY_THREADS / RFI_WARP,
};

/* ------------------------------------------------------------------ interpolate */

__global__ void interpolate_kernel(rf_interpolate op, rfi_trials trials)
{
    const int32_t r = (int32_t)blockIdx.x,
                  first = PER_THREAD * (int32_t)(blockIdx.y * ELEMENT_THREADS + threadIdx.x);
    if (first >= op.out.cols)
        return;
    const float alpha = rfi_blend_share(op, r, trials), beta = 1.0f - alpha;
    const float *real = rfi_at(op.real.data, trials) + r * op.real.ld,
                *fake = rfi_at(op.fake.data, trials) + r * op.fake.ld;
    float *out = rfi_at(op.out.data, trials) + r * op.out.ld;
    for (int32_t c = first; c < first + PER_THREAD && c < op.out.cols; c++)
        out[c] = fmaf(alpha, real[c], beta * fake[c]);
}

void rfi_cuda_interpolate(rf_device *device, const rf_interpolate *op)
{
    if (!rfi_ready(device) || op->out.rows == 0 || op->out.cols == 0)
        return;
    RFI_LAUNCH(device, interpolate_kernel, op->out.rows,
               rfi_divide_up(op->out.cols, PER_THREAD * ELEMENT_THREADS), ELEMENT_THREADS, 0, *op);
}

/* ------------------------------------------------------------------ leaky ReLU and dropout */

__global__ void leaky_dropout_kernel(rf_leaky_dropout op, rfi_trials trials)
{
    const int32_t r = (int32_t)blockIdx.x,
                  first = PER_THREAD * (int32_t)(blockIdx.y * ELEMENT_THREADS + threadIdx.x);
    if (first >= op.a.cols)
        return;
    const rf_draw draw = rfi_draw_of(op.noise, trials);
    const float *a = rfi_at(op.a.data, trials) + r * op.a.ld;
    float *y = rfi_at(op.y.data, trials) + r * op.y.ld, *mask = rfi_at(op.mask.data, trials) + r * op.mask.ld;
    uint32_t block = 0;
    rf_philox_block words = {};
    for (int32_t c = first; c < first + PER_THREAD && c < op.a.cols; c++) {
        const uint32_t e = (uint32_t)r * (uint32_t)op.a.cols + (uint32_t)c;
        if (c == first || e >> 7 != block) {
            block = e >> 7;
            words = rf_philox(draw, block);
        }
        const bool keep = words.word[e >> 5 & 3] >> (e & 31) & 1;
        const float x = a[c], times = (keep ? 2.0f : 0.0f) * (x > 0.0f ? 1.0f : 0.2f);
        mask[c] = times;
        y[c] = times * x;
    }
}

void rfi_cuda_leaky_dropout(rf_device *device, const rf_leaky_dropout *op)
{
    if (!rfi_ready(device) || op->a.rows == 0 || op->a.cols == 0)
        return;
    RFI_LAUNCH(device, leaky_dropout_kernel, op->a.rows,
               rfi_divide_up(op->a.cols, PER_THREAD * ELEMENT_THREADS), ELEMENT_THREADS, 0, *op);
}

/* ------------------------------------------------------------------ head */

__device__ static void head_row(const rf_critic_head &op, int32_t r, const rfi_trials &trials)
{
    const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
    const float *h = rfi_at(op.h.data, trials) + r * op.h.ld,
                *mask = rfi_at(op.mask.data, trials) + r * op.mask.ld;
    const float *w = rfi_at(op.w, trials), coef = rfi_at(op.coef, trials)[r];
    float *d = rfi_at(op.d.data, trials) + r * op.d.ld, dot = 0.0f;
    for (int32_t c = lane; c < op.h.cols; c += RFI_WARP) {
        dot = fmaf(h[c], w[c], dot);
        d[c] = coef * mask[c] * w[c];
    }
    dot = rfi_warp_sum(dot);
    if (lane == 0)
        rfi_at(op.score, trials)[r] = dot + *rfi_at(op.bias, trials);
}

__global__ void critic_head_kernel(rf_critic_head op, unsigned *counters, rfi_trials trials)
{
    RF_SHARED(double, parts, HEAD_ROWS);
    const int32_t r = (int32_t)(blockIdx.x * HEAD_ROWS + threadIdx.x / RFI_WARP);
    if (r < op.h.rows)
        head_row(op, r, trials);
    if (!op.loss || !rfi_is_last_block(rfi_own(counters, RFI_COUNTERS), gridDim.x))
        return;
    const float *score = rfi_at(op.score, trials), *coef = rfi_at(op.coef, trials);
    double sum = 0.0;
    for (int32_t i = (int32_t)threadIdx.x; i < op.n_loss_rows; i += HEAD_THREADS)
        sum += (double)coef[i] * (double)__ldcg(score + i);
    sum = rfi_block_sum(sum, parts);
    if (threadIdx.x == 0)
        *rfi_at(op.loss, trials) = (float)sum;
}

void rfi_cuda_critic_head(rf_device *device, const rf_critic_head *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->h.rows == 0)
        return;
    RFI_LAUNCH(device, critic_head_kernel, rfi_divide_up(op->h.rows, HEAD_ROWS), 1, HEAD_THREADS, 0, *op,
               cuda->counters);
}

/* ------------------------------------------------------------------ penalty */

__device__ static float squares_of_row(const rf_mat &g, int32_t r, const rfi_trials &trials)
{
    const float *x = rfi_at(g.data, trials) + r * g.ld;
    float sum = 0.0f;
    for (int32_t c = (int32_t)threadIdx.x; c < g.cols; c += PENALTY_THREADS)
        sum = fmaf(x[c], x[c], sum);
    return sum;
}

__global__ void penalty_kernel(rf_penalty op, float *shared_loss, unsigned *counters, rfi_trials trials)
{
    RF_SHARED(float, parts, PENALTY_WARPS);
    RF_SHARED(double, double_parts, PENALTY_WARPS);
    const int32_t r = (int32_t)blockIdx.x;
    float *row_loss = rfi_own(shared_loss, (size_t)op.g1.rows);
    float squares = squares_of_row(op.g1, r, trials);
    if (op.g2.data)
        squares += squares_of_row(op.g2, r, trials);
    const float norm = sqrtf(rfi_block_sum(squares, parts));
    const float scale = rfi_penalty_scale(op, norm);
    float *d = rfi_at(op.d.data, trials) + r * op.d.ld;
    for (int32_t c = (int32_t)threadIdx.x; c < op.d.cols; c += PENALTY_THREADS)
        d[c] *= scale;
    if (threadIdx.x == 0) {
        rfi_at(op.scale, trials)[r] = scale;
        row_loss[r] = (norm - 1.0f) * (norm - 1.0f);
    }
    if (!op.loss || !rfi_is_last_block(rfi_own(counters, RFI_COUNTERS), gridDim.x))
        return;
    const double total = rfi_block_total(row_loss, op.g1.rows, double_parts);
    if (threadIdx.x == 0)
        *rfi_at(op.loss, trials) = (float)((double)op.lambda * total / op.g1.rows);
}

void rfi_cuda_penalty(rf_device *device, const rf_penalty *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->g1.rows == 0)
        return;
    float *row_loss = reinterpret_cast<float *>(rfi_scratch(device, (size_t)op->g1.rows * sizeof(float)));
    if (row_loss)
        RFI_LAUNCH(device, penalty_kernel, op->g1.rows, 1, PENALTY_THREADS, 0, *op, row_loss, cuda->counters);
}
