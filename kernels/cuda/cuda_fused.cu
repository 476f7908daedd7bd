/* cuda_fused.cu - the products with everything that comes after them in the same kernel: epilogues of cuda_gemm.cuh. */
#include "kernels/cuda/cuda_gemm.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

/* ------------------------------------------------------------------ affine */

struct affine_epilogue {
    rf_affine op;

    template <class Tile> __device__ void tile(float *, int32_t, int32_t, const rfi_trials &) const
    {
    }

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *y = rfi_at(op.y.data, trials) + r * op.y.ld + c;
        *y = rfi_affine_finished(op, op.accumulate ? *y + sum : sum, r, c, trials);
    }
};

void rfi_fused_affine(rf_device *device, const rf_affine *op)
{
    rfi_gemm g = {};
    g.rows = op->y.rows;
    g.cols = op->y.cols;
    if (op->x.data && op->x.cols > 0) {
        g.n_sources = 1;
        g.source[0] = {{op->x.data, op->x.ld}, {op->w.data, op->w.ld}, op->x.cols};
    }
    const affine_epilogue epilogue = {*op};
    rfi_gemm_run<false, false>(device, g, epilogue);
}

/* ------------------------------------------------------------------ the gradient with respect to the input */

struct back_epilogue {
    rf_affine_back op;

    template <class Tile> __device__ void tile(float *, int32_t, int32_t, const rfi_trials &) const
    {
    }

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *dx = rfi_at(op.dx.data, trials) + r * op.dx.ld + c;
        *dx = rfi_gated(op.gate, op.gate_kind, op.accumulate ? *dx + sum : sum, r, c, trials);
    }
};

void rfi_fused_affine_back(rf_device *device, const rf_affine_back *op)
{
    rfi_gemm g = {};
    g.rows = op->dx.rows;
    g.cols = op->dx.cols;
    if (op->dy.cols > 0) {
        g.n_sources = 1;
        g.source[0] = {{op->dy.data, op->dy.ld}, {op->w.data, op->w.ld}, op->dy.cols};
    }
    const back_epilogue epilogue = {*op};
    rfi_gemm_run<false, true>(device, g, epilogue);
}

/* ------------------------------------------------------------------ the gradient of a weight matrix, and Adam */

struct update_epilogue {
    rf_update op;
    rfi_layout layout;

    /* One-hot inputs add rows of b to single rows of the tile: a warp takes a row, its lanes look through the batch. */
    template <class Tile>
    __device__ void tile(float *sums, int32_t row, int32_t col, const rfi_trials &trials) const
    {
        if (!op.coded.b.data && op.n_gather == 0)
            return;
        const int32_t cols = op.cols - col < Tile::COLS ? op.cols - col : Tile::COLS;
        for (int32_t i = (int32_t)(threadIdx.x / RFI_WARP); i < Tile::ROWS && row + i < op.rows;
             i += Tile::THREADS / RFI_WARP)
            rfi_add_sources(op, layout, sums + i * Tile::COLS, row + i, col, cols, trials);
        __syncthreads();
    }

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_update_weight(op, (int64_t)r * op.cols + c, sum, trials);
    }
};

void rfi_fused_update(rf_device *device, const rf_update *op, const rfi_layout *layout)
{
    rfi_gemm g = {};
    g.rows = op->rows;
    g.cols = op->cols;
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rf_mat *a = &op->dense[d].a, *b = &op->dense[d].b;
        if (a->rows > 0)
            g.source[g.n_sources++] = {{a->data, a->ld}, {b->data, b->ld}, a->rows};
    }
    const update_epilogue epilogue = {*op, *layout};
    rfi_gemm_run<true, false>(device, g, epilogue);
}
