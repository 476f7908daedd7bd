/* cuda_dnn.h - cuDNN's batch normalisation; the only header through which cuDNN is called.
 *
 * It is the oracle of our own kernels and part of the constructions plain and graph. Opened at run time, as cuBLASLt is (cuda_blas.h).
 */
#ifndef RF_CUDA_DNN_H
#define RF_CUDA_DNN_H

#include "kernels/cuda/cuda_private.h"

/* Matrices (rows, cols) with leading dimensions; vectors (cols). */
struct rfi_dnn_norm {
    int32_t rows, cols;
    const float *a;
    int64_t lda;
    const float *gamma, *beta;
    float *y; /* gamma (a - mean) rstd + beta */
    int64_t ldy;
    float *mean, *rstd;
};

struct rfi_dnn_norm_back {
    int32_t rows, cols;
    const float *a, *dy;
    int64_t lda, lddy;
    const float *gamma, *mean, *rstd;
    float *da;
    int64_t ldda;
    float *dgamma, *dbeta;
};

rf_code rfi_dnn_open(rfi_dnn **out, cudaStream_t stream, rf_error *err);
void rfi_dnn_close(rfi_dnn *dnn); /* NULL is fine */

rf_code rfi_dnn_norm_forward(rfi_dnn *dnn, const rfi_dnn_norm *op, rf_error *err);
rf_code rfi_dnn_norm_backward(rfi_dnn *dnn, const rfi_dnn_norm_back *op, rf_error *err);

#endif
