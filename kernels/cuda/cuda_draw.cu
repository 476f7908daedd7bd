/* cuda_draw.cu - operations that only draw. A thread makes the four numbers of one Philox block: bit-equal to the CPU's. */
#include "kernels/cuda/cuda_draw.cuh"

/* ------------------------------------------------------------------ uniforms */

__global__ void draw_uniform_kernel(rf_draw_uniform op, rfi_trials trials)
{
    const int64_t first = 4 * ((int64_t)blockIdx.x * RFI_DRAW_THREADS + threadIdx.x);
    if (first >= op.n)
        return;
    const rf_philox_block words = rf_philox(rfi_draw_of(op.noise, trials), (uint32_t)(first / 4));
    float *out = rfi_at(op.out, trials) + first;
    const float span = op.hi - op.lo;
    for (int i = 0; i < 4; i++)
        if (first + i < op.n)
            out[i] = fmaf(span, rf_uniform_open(words.word[i]), op.lo);
}

void rfi_cuda_draw_uniform(rf_device *device, const rf_draw_uniform *op)
{
    if (!rfi_ready(device) || op->n == 0)
        return;
    RFI_LAUNCH(device, draw_uniform_kernel, rfi_divide_up(op->n, 4 * RFI_DRAW_THREADS), 1, RFI_DRAW_THREADS,
               0, *op);
}

/* ------------------------------------------------------------------ normals */

__global__ void draw_normal_kernel(rf_draw_normal op, rfi_trials trials)
{
    rfi_draw_normals(op, blockIdx.x, trials);
}

void rfi_cuda_draw_normal(rf_device *device, const rf_draw_normal *op)
{
    const int64_t n_blocks = rfi_normal_blocks(op);
    if (!rfi_ready(device) || n_blocks == 0)
        return;
    RFI_LAUNCH(device, draw_normal_kernel, n_blocks, 1, RFI_DRAW_THREADS, 0, *op);
}
