/* cuda_dnn.cu - cuDNN behind cuda_dnn.h. A matrix (rows, cols) is a batch of `rows` images of `cols` channels and one pixel. */
#include "kernels/cuda/cuda_dnn.h"

#if !defined(RF_HAVE_CUDNN)

rf_code rfi_dnn_open(rfi_dnn **out, cudaStream_t, rf_error *err)
{
    *out = nullptr;
    return rf_fail(err, RF_DEVICE, "this build had no headers of cuDNN");
}

void rfi_dnn_close(rfi_dnn *)
{
}

rf_code rfi_dnn_norm_forward(rfi_dnn *, const rfi_dnn_norm *, rf_error *err)
{
    return rf_fail(err, RF_INTERNAL, "cuDNN was called and is not here");
}

rf_code rfi_dnn_norm_backward(rfi_dnn *, const rfi_dnn_norm_back *, rf_error *err)
{
    return rf_fail(err, RF_INTERNAL, "cuDNN was called and is not here");
}

#else

#pragma GCC diagnostic ignored                                                                               \
    "-Wdeprecated-declarations" /* batch normalisation's entry points, for which the graphs are no gain here */
#include <cudnn.h>

#include "kernels/cuda/cuda_library.h"

#define DNN_FUNCTIONS(X)                                                                                     \
    X(cudnnCreate)                                                                                           \
    X(cudnnDestroy)                                                                                          \
    X(cudnnSetStream)                                                                                        \
    X(cudnnCreateTensorDescriptor)                                                                           \
    X(cudnnDestroyTensorDescriptor)                                                                          \
    X(cudnnSetTensor4dDescriptorEx)                                                                          \
    X(cudnnBatchNormalizationForwardTraining)                                                                \
    X(cudnnBatchNormalizationBackward)                                                                       \
    X(cudnnGetErrorString)

static const double epsilon = 1e-5;

struct rfi_dnn {
#define DNN_MEMBER(name) decltype(&::name) name;
    DNN_FUNCTIONS(DNN_MEMBER)
#undef DNN_MEMBER
    cudnnHandle_t handle;
    cudnnTensorDescriptor_t first, second, third, vector;
};

#define DNN_TRY(dnn, call)                                                                                   \
    do {                                                                                                     \
        const cudnnStatus_t dnn_status = (call);                                                             \
        if (dnn_status != CUDNN_STATUS_SUCCESS) {                                                            \
            rc = rf_fail(err, RF_DEVICE, "cuDNN refuses (%s)", (dnn)->cudnnGetErrorString(dnn_status));      \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

/* ------------------------------------------------------------------ open, close */

static rf_code start(rfi_dnn *dnn, cudaStream_t stream, rf_error *err)
{
    rf_code rc = RF_OK;
    DNN_TRY(dnn, dnn->cudnnCreate(&dnn->handle));
    DNN_TRY(dnn, dnn->cudnnSetStream(dnn->handle, stream));
    DNN_TRY(dnn, dnn->cudnnCreateTensorDescriptor(&dnn->first));
    DNN_TRY(dnn, dnn->cudnnCreateTensorDescriptor(&dnn->second));
    DNN_TRY(dnn, dnn->cudnnCreateTensorDescriptor(&dnn->third));
    DNN_TRY(dnn, dnn->cudnnCreateTensorDescriptor(&dnn->vector));
out:
    return rc;
}

rf_code rfi_dnn_open(rfi_dnn **out, cudaStream_t stream, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_dnn *dnn = nullptr;
    void *library = rfi_open_library("libcudnn.so.9", RF_CUDNN_FOLDER);
    bool whole = library != nullptr;
    *out = nullptr;
    if (!library)
        return rf_fail(err, RF_DEVICE, "cuDNN (libcudnn.so.9) was not found");
    RF_TRY(RF_NEW_ARRAY(&dnn, 1, "cuDNN", err));
#define DNN_FIND(name) whole = rfi_find_symbol(library, #name, &dnn->name) && whole;
    DNN_FUNCTIONS(DNN_FIND)
#undef DNN_FIND
    if (!whole) {
        rc = rf_fail(err, RF_DEVICE, "the cuDNN that was found lacks functions that are needed");
        goto out;
    }
    RF_TRY(start(dnn, stream, err));
    *out = dnn;
    dnn = nullptr;
out:
    rfi_dnn_close(dnn);
    return rc;
}

void rfi_dnn_close(rfi_dnn *dnn)
{
    if (!dnn)
        return;
    if (dnn->first)
        (void)dnn->cudnnDestroyTensorDescriptor(dnn->first);
    if (dnn->second)
        (void)dnn->cudnnDestroyTensorDescriptor(dnn->second);
    if (dnn->third)
        (void)dnn->cudnnDestroyTensorDescriptor(dnn->third);
    if (dnn->vector)
        (void)dnn->cudnnDestroyTensorDescriptor(dnn->vector);
    if (dnn->handle)
        (void)dnn->cudnnDestroy(dnn->handle);
    rf_free(dnn);
}

/* ------------------------------------------------------------------ batch normalisation */

static cudnnStatus_t describe(const rfi_dnn *dnn, cudnnTensorDescriptor_t out, int32_t rows, int32_t cols,
                              int64_t ld)
{
    return dnn->cudnnSetTensor4dDescriptorEx(out, CUDNN_DATA_FLOAT, rows, cols, 1, 1, (int)ld, 1, 1, 1);
}

rf_code rfi_dnn_norm_forward(rfi_dnn *dnn, const rfi_dnn_norm *op, rf_error *err)
{
    rf_code rc = RF_OK;
    const float one = 1.0f, zero = 0.0f;
    DNN_TRY(dnn, describe(dnn, dnn->first, op->rows, op->cols, op->lda));
    DNN_TRY(dnn, describe(dnn, dnn->second, op->rows, op->cols, op->ldy));
    DNN_TRY(dnn, describe(dnn, dnn->vector, 1, op->cols, op->cols));
    DNN_TRY(dnn, dnn->cudnnBatchNormalizationForwardTraining(
                     dnn->handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, dnn->first, op->a, dnn->second, op->y,
                     dnn->vector, op->gamma, op->beta, 0.0, nullptr, nullptr, epsilon, op->mean, op->rstd));
out:
    return rc;
}

rf_code rfi_dnn_norm_backward(rfi_dnn *dnn, const rfi_dnn_norm_back *op, rf_error *err)
{
    rf_code rc = RF_OK;
    const float one = 1.0f, zero = 0.0f;
    DNN_TRY(dnn, describe(dnn, dnn->first, op->rows, op->cols, op->lda));
    DNN_TRY(dnn, describe(dnn, dnn->second, op->rows, op->cols, op->lddy));
    DNN_TRY(dnn, describe(dnn, dnn->third, op->rows, op->cols, op->ldda));
    DNN_TRY(dnn, describe(dnn, dnn->vector, 1, op->cols, op->cols));
    DNN_TRY(dnn, dnn->cudnnBatchNormalizationBackward(dnn->handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one,
                                                      &zero, dnn->first, op->a, dnn->second, op->dy,
                                                      dnn->third, op->da, dnn->vector, op->gamma, op->dgamma,
                                                      op->dbeta, epsilon, op->mean, op->rstd));
out:
    return rc;
}

#endif
