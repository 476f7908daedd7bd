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

/* The table's row that an epoch's order gives to row i of the batch, -1 beyond its end; *n = rows of the batch. */
__device__ inline int64_t rfi_taken_row(const rf_take_rows &op, const rf_coded &rows, int32_t i, int32_t *n,
                                        const rfi_trials &trials)
{
    rf_draw draw = rfi_draw_of(op.noise, trials);
    const int64_t step = draw.step, first = step % op.steps_per_epoch * op.batch, left = rows.n_rows - first;
    *n = left < 0 ? 0 : left < op.batch ? (int32_t)left : op.batch;
    if (i >= *n)
        return -1;
    draw.step = (uint32_t)(step / op.steps_per_epoch);
    const rf_philox_block key = rf_philox(draw, 0);
    const rf_permute order = rf_permute_make(key.word, (uint64_t)rows.n_rows);
    return (int64_t)rf_permute_at(&order, (uint64_t)(first + i));
}

#endif
