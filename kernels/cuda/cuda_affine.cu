/* cuda_affine.cu - dense layers: the product with what comes after it, and the gradient with respect to the input.
 *
 * Plain: cuBLASLt multiplies (bias and ReLU go along when nothing lies between), then one kernel does the rest. Fused: our own product
 * (cuda_gemm.cuh) does all of it before it writes.
 */
#include "kernels/cuda/cuda_products.h"

enum { FINISH_THREADS = 128 };

/* ------------------------------------------------------------------ who multiplies */

/* Operations of each multiprocessor: some tens of microseconds, against which a kernel more is little. */
static const double LARGE_PRODUCT = 3e7;

bool rfi_multiplies_itself(rf_device *device, int64_t rows, int64_t cols, int64_t depth)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    if (cuda->construction != RF_CONSTRUCTION_AUTO)
        return cuda->construction == RF_CONSTRUCTION_FUSED;
    if (2.0 * (double)rows * (double)cols * (double)depth < LARGE_PRODUCT * cuda->n_multiprocessors)
        return true;
    if (!cuda->blas && !cuda->has_no_blas &&
        !cuda->recording) { /* the step before a recording meets every size */
        cuda->has_no_blas = rfi_blas_open(&cuda->blas, nullptr) != RF_OK;
        (void)cudaGetLastError(); /* it may have had no memory for itself */
    }
    return !cuda->blas;
}

/* ------------------------------------------------------------------ forward */

__global__ void affine_finish_kernel(rf_affine op, bool from_zero, rfi_trials trials)
{
    const int32_t c = (int32_t)(blockIdx.y * FINISH_THREADS + threadIdx.x), r = (int32_t)blockIdx.x;
    if (c >= op.y.cols)
        return;
    float *y = rfi_at(op.y.data, trials) + r * op.y.ld + c;
    *y = rfi_affine_finished(op, from_zero ? 0.0f : *y, r, c, trials);
}

static void finish(rf_device *device, const rf_affine *op, bool from_zero)
{
    RFI_LAUNCH(device, affine_finish_kernel, op->y.rows, rfi_divide_up(op->y.cols, FINISH_THREADS),
               FINISH_THREADS, 0, *op, from_zero);
}

static void affine_plain(rf_device *device, const rf_affine *op)
{
    const bool simple = !op->gather.data && !op->row_scale && op->gate_kind == RF_GATE_NONE;
    const bool has_rest =
        op->gather.data || op->bias || op->relu || op->row_scale || op->gate_kind != RF_GATE_NONE;
    if (!op->x.data || op->x.cols == 0) {
        if (has_rest || !op->accumulate)
            finish(device, op, !op->accumulate);
        return;
    }
    rfi_blas_product product = rfi_blas_product_of(device, op->y, op->x, false, op->w, false);
    product.accumulate = op->accumulate;
    if (simple) {
        rfi_blas_bias(device, &product, op->bias);
        product.relu = op->relu;
    }
    rfi_blas_run(device, &product);
    if (has_rest && !simple)
        finish(device, op, false);
}

void rfi_cuda_affine(rf_device *device, const rf_affine *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->y.rows == 0 || op->y.cols == 0)
        return;
    if (rfi_fuses(device, op))
        rfi_fused_affine(device, op);
    else
        affine_plain(device, op);
}

/* ------------------------------------------------------------------ back */

__global__ void back_gate_kernel(rf_affine_back op, rfi_trials trials)
{
    const int32_t c = (int32_t)(blockIdx.y * FINISH_THREADS + threadIdx.x), r = (int32_t)blockIdx.x;
    if (c >= op.dx.cols)
        return;
    float *dx = rfi_at(op.dx.data, trials) + r * op.dx.ld + c;
    *dx = rfi_gated(op.gate, op.gate_kind, *dx, r, c, trials);
}

void rfi_cuda_affine_back(rf_device *device, const rf_affine_back *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->dx.rows == 0 || op->dx.cols == 0)
        return;
    if (rfi_fuses(device, op)) {
        rfi_fused_affine_back(device, op);
        return;
    }
    rfi_blas_product product = rfi_blas_product_of(device, op->dx, op->dy, false, op->w, true);
    product.accumulate = op->accumulate;
    rfi_blas_run(device, &product);
    if (op->gate_kind != RF_GATE_NONE)
        RFI_LAUNCH(device, back_gate_kernel, op->dx.rows, rfi_divide_up(op->dx.cols, FINISH_THREADS),
                   FINISH_THREADS, 0, *op);
}
