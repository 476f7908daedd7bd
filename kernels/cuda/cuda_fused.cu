/* cuda_fused.cu - the products with everything that comes after them in the same kernel: epilogues of cuda_gemm.cuh. */
#include "kernels/cuda/cuda_gemm.cuh"
#include "kernels/cuda/cuda_products.h"

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

static rfi_gemm product_of(const rf_affine *op)
{
    rfi_gemm g = {};
    g.rows = op->y.rows;
    g.cols = op->y.cols;
    if (op->x.data && op->x.cols > 0)
        g.source[g.n_sources++] = {{op->x.data, op->x.ld}, {op->w.data, op->w.ld}, op->x.cols};
    return g;
}

void rfi_fused_affine(rf_device *device, const rf_affine *op)
{
    rfi_gemm_list<affine_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = product_of(op);
    list.epilogue[0] = {*op};
    rfi_gemm_run<false, false>(device, list);
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

static rfi_gemm product_of(const rf_affine_back *op)
{
    rfi_gemm g = {};
    g.rows = op->dx.rows;
    g.cols = op->dx.cols;
    if (op->dy.cols > 0)
        g.source[g.n_sources++] = {{op->dy.data, op->dy.ld}, {op->w.data, op->w.ld}, op->dy.cols};
    return g;
}

void rfi_fused_affine_back(rf_device *device, const rf_affine_back *op)
{
    rfi_gemm_list<back_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = product_of(op);
    list.epilogue[0] = {*op};
    rfi_gemm_run<false, true>(device, list);
}
