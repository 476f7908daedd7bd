/* cuda_update.cu - gradients of weights, and Adam on them: the plain way, and which way is taken.
 *
 * Plain: cuBLASLt sums the dense sources into scratch, then one kernel adds the rows that one-hot inputs stand for and takes Adam's step.
 * Fused: one kernel does all of it for all tensors of a network (cuda_learn.cu), and a gradient is never written to memory.
 */
#include "kernels/cuda/cuda_reduce.cuh"
#include "kernels/cuda/cuda_sources.cuh"

#include "kernels/cuda/cuda_products.h"

enum { STRIP = 128, VECTOR_COLS = 32, VECTOR_ROWS = 8 };

/* ------------------------------------------------------------------ a matrix */

/* A warp takes one row of w and a strip of its columns: what its gradient lacks after the dense sources, then Adam; by its next scalars
 * where nobody has moved them on yet. */
__global__ void update_row_kernel(rf_update op, rfi_layout layout, const float *shared_gradient, bool ticks,
                                  rfi_trials trials)
{
    RF_SHARED(float, sums, STRIP);
    const int32_t k = (int32_t)blockIdx.x, col = (int32_t)blockIdx.y * STRIP;
    const int32_t cols = op.cols - col < STRIP ? op.cols - col : STRIP;
    const float *gradient =
        rfi_own(shared_gradient, (size_t)op.rows * (size_t)op.cols) + (int64_t)k * op.cols + col;
    for (int32_t c = (int32_t)threadIdx.x; c < cols; c += RFI_WARP)
        sums[c] = op.n_dense > 0 ? gradient[c] : 0.0f;
    __syncwarp();
    rfi_add_sources(op, layout, sums, k, col, cols, trials);
    __syncwarp();
    rf_adam adam = rfi_adam_of(op.adam, trials);
    if (ticks)
        rf_adam_scalars(&adam.power1, &adam.power2, adam.lr, adam.beta1, adam.beta2, &adam.rate, &adam.root);
    for (int32_t c = (int32_t)threadIdx.x; c < cols; c += RFI_WARP)
        rfi_update_weight(op, (int64_t)k * op.cols + col + c, sums[c], adam, trials);
}

static void update_plain(rf_device *device, const rf_update *op, const rfi_layout *layout)
{
    const rf_adam *put_off = static_cast<const rfi_cuda *>(device->self)->learn.adam;
    const size_t n = (size_t)op->rows * (size_t)op->cols;
    float *gradient = nullptr;
    if (op->n_dense > 0) {
        gradient = reinterpret_cast<float *>(rfi_scratch(device, n * sizeof(float)));
        if (!gradient)
            return;
    }
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rf_mat c = {gradient, op->rows, op->cols, op->cols};
        rfi_blas_product product =
            rfi_blas_product_of(device, c, op->dense[d].a, true, op->dense[d].b, false);
        product.c_stride = (int64_t)n;
        product.accumulate = d > 0;
        rfi_blas_run(device, &product);
    }
    RFI_LAUNCH(device, update_row_kernel, op->rows, rfi_divide_up(op->cols, STRIP), RFI_WARP, 0, *op, *layout,
               (const float *)gradient, put_off && put_off == op->adam);
}

void rfi_cuda_update(rf_device *device, const rf_update *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_layout layout = {};
    int64_t depth = 0;
    if (!cuda || op->rows == 0 || op->cols == 0)
        return;
    if (op->coded.b.data && !rfi_layout_of(device, op->coded.layout, &layout))
        return;
    for (int32_t d = 0; d < op->n_dense; d++)
        depth += op->dense[d].a.rows;
    if (rfi_multiplies_itself(device, op->rows, op->cols, depth))
        rfi_fused_update(device, op, &layout);
    else
        update_plain(device, op, &layout);
}

/* ------------------------------------------------------------------ a vector */

/* A block owns 32 columns; its eight rows of threads take every eighth row of b, and are added up in order. */
__global__ void update_vector_kernel(rf_update_vector op, rfi_trials trials)
{
    RF_SHARED(float, parts, VECTOR_COLS *VECTOR_ROWS);
    const int32_t x = (int32_t)threadIdx.x % VECTOR_COLS, y = (int32_t)threadIdx.x / VECTOR_COLS;
    const int32_t c = (int32_t)blockIdx.x * VECTOR_COLS + x;
    const float *b = rfi_at(op.b.data, trials), *coef = rfi_at(op.coef, trials);
    float g = 0.0f;
    for (int32_t r = y; op.b.data && c < op.n && r < op.b.rows; r += VECTOR_ROWS)
        g = fmaf(op.coef ? coef[r] : 1.0f, b[r * op.b.ld + c], g);
    parts[threadIdx.x] = g;
    __syncthreads();
    if (y > 0 || c >= op.n)
        return;
    g = op.given ? rfi_at(op.given, trials)[c] : 0.0f;
    for (int32_t i = 0; op.b.data && i < VECTOR_ROWS; i++)
        g += parts[i * VECTOR_COLS + x];
    rfi_update_bounded(op, c, g, rfi_adam_of(op.adam, trials), trials);
}

void rfi_cuda_update_vector(rf_device *device, const rf_update_vector *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->n == 0)
        return;
    if (rfi_is_fused(cuda))
        rfi_fused_update_vector(device, op);
    else
        RFI_LAUNCH(device, update_vector_kernel, rfi_divide_up(op->n, VECTOR_COLS), 1,
                   VECTOR_COLS * VECTOR_ROWS, 0, *op);
}

/* ------------------------------------------------------------------ the updates of a network */

void rfi_cuda_updates_begin(rf_device *device, rf_adam *adam)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    if (rfi_is_fused(cuda)) /* else every update is followed by Adam at once */
        rfi_fused_updates_begin(device, adam);
    else
        rfi_cuda_adam_tick(device, adam);
}

void rfi_cuda_updates_end(rf_device *device, const rf_step_tick *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    if (rfi_is_fused(cuda))
        rfi_fused_updates_end(device, op);
    else
        rfi_cuda_step_tick(device, op);
}
