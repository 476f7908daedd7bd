/* cuda_draw.cuh - what kernels that draw share. */
#ifndef RF_CUDA_DRAW_CUH
#define RF_CUDA_DRAW_CUH

#include "kernels/cuda/cuda_private.h"

enum { RFI_DRAW_THREADS = 128 };

/* Block `block` of a matrix of normals: a thread makes the four of one Philox block. */
__device__ inline void rfi_draw_normals(const rf_draw_normal &op, int64_t block, const rfi_trials &trials)
{
    const int64_t n = (int64_t)op.out.rows * op.out.cols;
    const int64_t first = 4 * (block * RFI_DRAW_THREADS + threadIdx.x);
    if (first >= n)
        return;
    const rf_philox_block words = rf_philox(rfi_draw_of(op.noise, trials), (uint32_t)(first / 4));
    float *out = rfi_at(op.out.data, trials), value[4];
    rf_normal_pair(words.word[0], words.word[1], &value[0], &value[1]);
    rf_normal_pair(words.word[2], words.word[3], &value[2], &value[3]);
    for (int i = 0; i < 4; i++)
        if (first + i < n)
            out[(first + i) / op.out.cols * op.out.ld + (first + i) % op.out.cols] = value[i];
}

static inline int64_t rfi_normal_blocks(const rf_draw_normal *op)
{
    return rfi_divide_up((int64_t)op->out.rows * op->out.cols, 4 * RFI_DRAW_THREADS);
}

#endif
