/* emu_blas.cpp - stands in for cuBLASLt: plain loops behind kernels/cuda/cuda_blas.h. */
#include "emu_internal.h"
#include "kernels/cuda/cuda_blas.h"
#include "kernels/cuda/ptx.cuh"

struct rfi_blas {
    int opened;
};

static float factor_at(const rfi_blas_factor &f, int32_t trial, int32_t i, int32_t j)
{
    return f.data[trial * f.stride + (f.transposed ? j * f.ld + i : i * f.ld + j)];
}

/* The library does not tell how it rounds what it multiplies: to the nearest, as our own products do. */
static float rounded(float x, rf_precision precision)
{
    switch (precision) {
    case RF_PRECISION_TF32:
        return rf_f32_of_bits(rfi_tf32(x));
    case RF_PRECISION_BF16:
        return rf_f32_of_bits(rfi_bf16_pair(x, 0.0f) << 16);
    default:
        return x;
    }
}

static void multiply(const rfi_blas_product &p, int32_t trial)
{
    for (int32_t i = 0; i < p.rows; i++)
        for (int32_t j = 0; j < p.cols; j++) {
            float *c = p.c + trial * p.c_stride + i * p.ldc + j, sum = p.accumulate ? *c : 0.0f;
            for (int32_t k = 0; k < p.depth; k++)
                sum = fmaf(rounded(factor_at(p.a, trial, i, k), p.precision),
                           rounded(factor_at(p.b, trial, k, j), p.precision), sum);
            sum += p.bias ? p.bias[trial * p.bias_stride + j] : 0.0f;
            *c = p.relu && sum < 0.0f ? 0.0f : sum;
        }
}

rf_code rfi_blas_open(rfi_blas **out, rf_error *err)
{
    *out = nullptr;
    if (getenv("RF_EMU_NO_BLAS"))
        return rf_fail(err, RF_DEVICE, "cuBLASLt is not here");
    return RF_NEW_ARRAY(out, 1, "the stand-in of cuBLASLt", err);
}

void rfi_blas_close(rfi_blas *blas)
{
    rf_free(blas);
}

rf_code rfi_blas_multiply(rfi_blas *, const rfi_blas_product *product, cudaStream_t stream, rf_error *)
{
    const rfi_blas_product p = *product;
    emu_library_call(stream, [p] {
        for (int32_t t = 0; t < p.n_trials; t++)
            multiply(p, t);
    });
    return RF_OK;
}
