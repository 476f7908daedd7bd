/* cuda_fused.cu - the products with everything that comes after them in the same kernel: epilogues of cuda_gemm.cuh. */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_products.h"

/* ------------------------------------------------------------------ affine */

struct affine_epilogue : rfi_epilogue {
    rf_affine op;

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *y = rfi_at(op.y.data, trials) + r * op.y.ld + c;
        *y = rfi_affine_finished(op, op.accumulate ? *y + sum : sum, r, c, trials);
    }
};

void rfi_fused_affine(rf_device *device, const rf_affine *op)
{
    rfi_gemm_list<affine_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(op);
    list.epilogue[0].op = *op;
    rfi_gemm_run<false, false>(device, list);
}

/* ------------------------------------------------------------------ the gradient with respect to the input */

struct back_epilogue : rfi_epilogue {
    rf_affine_back op;

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *dx = rfi_at(op.dx.data, trials) + r * op.dx.ld + c;
        *dx = rfi_gated(op.gate, op.gate_kind, op.accumulate ? *dx + sum : sum, r, c, trials);
    }
};

void rfi_fused_affine_back(rf_device *device, const rf_affine_back *op)
{
    rfi_gemm_list<back_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(op);
    list.epilogue[0].op = *op;
    rfi_gemm_run<false, true>(device, list);
}
