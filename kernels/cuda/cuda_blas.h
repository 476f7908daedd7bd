/* cuda_blas.h - cuBLASLt, as far as we use it; the only header through which it is called.
 *
 *     c = [c] + a b [+ bias, ReLU]        matrices row-major, a (rows, depth), b (depth, cols), c (rows, cols)
 *
 * cuBLASLt is opened at run time from the toolkit, the system, a Python's site-packages/nvidia or build/nvidia, so that a machine without
 * it loses the constructions that need it and nothing else. The emulation has a stand-in made of plain loops.
 */
#ifndef RF_CUDA_BLAS_H
#define RF_CUDA_BLAS_H

#include "kernels/cuda/cuda_private.h"

/* A factor as it lies in memory: element (i, j) of the factor at data[i * ld + j], or at data[j * ld + i] when transposed. */
struct rfi_blas_factor {
    const float *data;
    int64_t ld, stride; /* floats from one trial to the next */
    bool transposed;
};

struct rfi_blas_product {
    int32_t rows, cols, depth;
    rfi_blas_factor a, b;
    float *c;
    int64_t ldc, c_stride;
    const float *bias; /* (cols) or NULL */
    int64_t bias_stride;
    bool relu, accumulate;
    int32_t n_trials;
    rf_precision precision;
};

/* DEVICE with the reason when the library is not here. */
rf_code rfi_blas_open(rfi_blas **out, rf_error *err);
void rfi_blas_close(rfi_blas *blas); /* NULL is fine */

/* Enqueues; DEVICE when the library refuses. Recordable once the same shape has been multiplied before. */
rf_code rfi_blas_multiply(rfi_blas *blas, const rfi_blas_product *product, cudaStream_t stream,
                          rf_error *err);

#endif
