/* emu_dnn.cpp - stands in for cuDNN's batch normalisation: plain loops behind kernels/cuda/cuda_dnn.h. */
#include "emu_internal.h"
#include "kernels/cuda/cuda_dnn.h"

struct rfi_dnn {
    cudaStream_t stream;
};

static void forward(const rfi_dnn_norm &op)
{
    for (int32_t c = 0; c < op.cols; c++) {
        double mean = 0.0, variance = 0.0;
        for (int32_t r = 0; r < op.rows; r++)
            mean += (double)op.a[r * op.lda + c] / op.rows;
        for (int32_t r = 0; r < op.rows; r++)
            variance +=
                ((double)op.a[r * op.lda + c] - mean) * ((double)op.a[r * op.lda + c] - mean) / op.rows;
        op.mean[c] = (float)mean;
        op.rstd[c] = (float)(1.0 / sqrt(variance + 1e-5));
        for (int32_t r = 0; r < op.rows; r++)
            op.y[r * op.ldy + c] =
                op.gamma[c] * (op.a[r * op.lda + c] - op.mean[c]) * op.rstd[c] + op.beta[c];
    }
}

static void backward(const rfi_dnn_norm_back &op)
{
    for (int32_t c = 0; c < op.cols; c++) {
        double dbeta = 0.0, dgamma = 0.0;
        const double mean = (double)op.mean[c], rstd = (double)op.rstd[c];
        for (int32_t r = 0; r < op.rows; r++) {
            dbeta += (double)op.dy[r * op.lddy + c];
            dgamma += (double)op.dy[r * op.lddy + c] * ((double)op.a[r * op.lda + c] - mean) * rstd;
        }
        for (int32_t r = 0; r < op.rows; r++) {
            const double x = ((double)op.a[r * op.lda + c] - mean) * rstd,
                         dy = (double)op.dy[r * op.lddy + c];
            op.da[r * op.ldda + c] =
                (float)((double)op.gamma[c] * rstd * (dy - dbeta / op.rows - x * dgamma / op.rows));
        }
        op.dbeta[c] = (float)dbeta;
        op.dgamma[c] = (float)dgamma;
    }
}

rf_code rfi_dnn_open(rfi_dnn **out, cudaStream_t stream, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(RF_NEW_ARRAY(out, 1, "the stand-in of cuDNN", err));
    (*out)->stream = stream;
out:
    return rc;
}

void rfi_dnn_close(rfi_dnn *dnn)
{
    rf_free(dnn);
}

rf_code rfi_dnn_norm_forward(rfi_dnn *dnn, const rfi_dnn_norm *op, rf_error *)
{
    const rfi_dnn_norm norm = *op;
    emu_library_call(dnn->stream, [norm] { forward(norm); });
    return RF_OK;
}

rf_code rfi_dnn_norm_backward(rfi_dnn *dnn, const rfi_dnn_norm_back *op, rf_error *)
{
    const rfi_dnn_norm_back norm = *op;
    emu_library_call(dnn->stream, [norm] { backward(norm); });
    return RF_OK;
}
