/* cuda_norm.cu - batch normalisation with ReLU, and its way back.
 *
 * Fused: a block owns eight columns (32 bytes of a row, the least that memory gives) and all rows of the batch; its threads stand in rows of eight
 * and keep partial sums that are added up in their order. The statistics are sums of differences to the column's first row, in one
 * pass: a column far from zero keeps its variance.
 * Plain: cuDNN normalises, a kernel of ours does the ReLU.
 */
#include "kernels/cuda/cuda_dnn.h"
#include "kernels/cuda/cuda_reduce.cuh"

extern "C" {
#include "kernels/parts.h"
}

enum {
    COLS = 8,
    ROWS = 64, /* rows of threads                          */
    NORM_THREADS = COLS * ROWS,
    RELU_THREADS = 128,
};

static __device__ const float epsilon_device = 1e-5f;

/* Sums of two numbers over the rows of threads of each column; the same in every thread of the column. */
__device__ static void add_column(float *first, float *second, float *parts)
{
    const int x = (int)threadIdx.x % COLS, y = (int)threadIdx.x / COLS;
    __syncthreads();
    parts[(2 * y) * COLS + x] = *first;
    parts[(2 * y + 1) * COLS + x] = *second;
    for (int half = ROWS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (y < half) {
            parts[(2 * y) * COLS + x] += parts[(2 * (y + half)) * COLS + x];
            parts[(2 * y + 1) * COLS + x] += parts[(2 * (y + half) + 1) * COLS + x];
        }
    }
    __syncthreads();
    *first = parts[x];
    *second = parts[COLS + x];
}

/* ------------------------------------------------------------------ forward */

/* The grid's second dimension is the batch. */
__global__ void __launch_bounds__(NORM_THREADS)
    batchnorm_relu_kernel(const __grid_constant__ rf_batchnorm_batches list, rfi_trials trials)
{
    const rf_batchnorm_relu &op = list.batch[blockIdx.y];
    RF_SHARED(float, parts, 2 * NORM_THREADS);
    const int32_t c = (int32_t)(blockIdx.x * COLS + threadIdx.x % COLS), y = (int32_t)(threadIdx.x / COLS);
    const bool inside = c < op.a.cols;
    const float *a = rfi_at(op.a.data, trials) + c;
    const float origin = inside ? a[0] : 0.0f, share = 1.0f / (float)op.a.rows;
    float sum = 0.0f, squares = 0.0f;
    for (int32_t r = y; inside && r < op.a.rows; r += ROWS) {
        const float d = a[r * op.a.ld] - origin;
        sum += d;
        squares = fmaf(d, d, squares);
    }
    add_column(&sum, &squares, parts);
    if (!inside)
        return;
    const float shift = sum * share, mean = origin + shift;
    float variance = fmaf(-shift, shift, squares * share);
    variance = variance < 0.0f ? 0.0f : variance; /* by rounding; a NaN stays one */
    const float rstd = 1.0f / sqrtf(variance + epsilon_device);
    const float scale = rfi_at(op.gamma, trials)[c] * rstd, beta = rfi_at(op.beta, trials)[c];
    if (y == 0) {
        rfi_at(op.mean, trials)[c] = mean;
        rfi_at(op.rstd, trials)[c] = rstd;
    }
    float *h = rfi_at(op.h.data, trials) + c;
    for (int32_t r = y; r < op.a.rows; r += ROWS) {
        const float value = fmaf(a[r * op.a.ld] - mean, scale, beta);
        h[r * op.h.ld] = value < 0.0f ? 0.0f : value; /* a NaN stays one */
    }
}

__global__ void relu_kernel(rf_mat h, rfi_trials trials)
{
    const int32_t c = (int32_t)(blockIdx.y * RELU_THREADS + threadIdx.x), r = (int32_t)blockIdx.x;
    if (c >= h.cols)
        return;
    float *at = rfi_at(h.data, trials) + r * h.ld + c;
    *at = *at < 0.0f ? 0.0f : *at;
}

/* What the host adds to a pointer for trial t. */
template <typename T> static T *of_trial(const rfi_cuda *cuda, T *pointer, int32_t t)
{
    const size_t offset =
        (size_t)(reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(cuda->trials.base));
    const size_t by = offset < cuda->trials.size_bytes ? (size_t)t * cuda->trials.stride_bytes : 0;
    return reinterpret_cast<T *>(reinterpret_cast<uintptr_t>(pointer) + by);
}

static void norm_plain(rf_device *device, const rf_batchnorm_relu *op)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    for (int32_t t = 0; t < cuda->n_trials; t++) {
        const rfi_dnn_norm norm = {.rows = op->a.rows,
                                   .cols = op->a.cols,
                                   .a = of_trial(cuda, op->a.data, t),
                                   .lda = op->a.ld,
                                   .gamma = of_trial(cuda, op->gamma, t),
                                   .beta = of_trial(cuda, op->beta, t),
                                   .y = of_trial(cuda, op->h.data, t),
                                   .ldy = op->h.ld,
                                   .mean = of_trial(cuda, op->mean, t),
                                   .rstd = of_trial(cuda, op->rstd, t)};
        device->stats.launches++;
        if (rfi_dnn_norm_forward(cuda->dnn, &norm, &device->failure) != RF_OK)
            return;
    }
    RFI_LAUNCH(device, relu_kernel, op->h.rows, rfi_divide_up(op->h.cols, RELU_THREADS), RELU_THREADS, 0,
               op->h);
}

static void norm_fused(rf_device *device, const rf_batchnorm_batches *list)
{
    RFI_LAUNCH(device, batchnorm_relu_kernel, rfi_divide_up(list->batch[0].a.cols, COLS), list->n,
               NORM_THREADS, 0, *list);
}

void rfi_cuda_batchnorm_relu(rf_device *device, const rf_batchnorm_relu *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->a.rows == 0 || op->a.cols == 0)
        return;
    if (rfi_is_fused(cuda)) {
        rf_batchnorm_batches list = {};
        list.n = 1;
        list.batch[0] = *op;
        norm_fused(device, &list);
    } else {
        norm_plain(device, op);
    }
}

/* Batches of one shape share a kernel. */
void rfi_cuda_batchnorm_batches(rf_device *device, const rf_batchnorm_batches *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    bool fits = rfi_is_fused(cuda) && op->n > 0 && op->batch[0].a.rows > 0 && op->batch[0].a.cols > 0;
    for (int32_t i = 1; fits && i < op->n; i++)
        fits = op->batch[i].a.rows > 0 && op->batch[i].a.cols == op->batch[0].a.cols;
    if (fits)
        norm_fused(device, op);
    else
        rf_parts_batchnorm_batches(device, op);
}

/* ------------------------------------------------------------------ back
 *
 * With x = (a - mean) rstd and dy = dh where h > 0 (Ioffe and Szegedy, 2015, section 3):
 *   dbeta = sum dy      dgamma = sum dy x      da = gamma rstd (dy - dbeta / R - x dgamma / R)
 */

__global__ void __launch_bounds__(NORM_THREADS)
    batchnorm_relu_back_kernel(rf_batchnorm_relu_back op, rfi_trials trials)
{
    RF_SHARED(float, parts, 2 * NORM_THREADS);
    const int32_t c = (int32_t)(blockIdx.x * COLS + threadIdx.x % COLS), y = (int32_t)(threadIdx.x / COLS);
    const bool inside = c < op.a.cols;
    const float *a = rfi_at(op.a.data, trials) + c, *h = rfi_at(op.h.data, trials) + c;
    const float *dh = rfi_at(op.dh.data, trials) + c;
    const float mean = inside ? rfi_at(op.mean, trials)[c] : 0.0f;
    float dbeta = 0.0f, dgamma = 0.0f;
    for (int32_t r = y; inside && r < op.a.rows; r += ROWS) {
        const float dy = h[r * op.h.ld] > 0.0f ? dh[r * op.dh.ld] : 0.0f;
        dbeta += dy;
        dgamma = fmaf(dy, a[r * op.a.ld] - mean, dgamma);
    }
    add_column(&dbeta, &dgamma, parts);
    if (!inside)
        return;
    const float rstd = rfi_at(op.rstd, trials)[c], share = 1.0f / (float)op.a.rows;
    dgamma *= rstd;
    const float shift = dbeta * share, slope = dgamma * rstd * share,
                scale = rfi_at(op.gamma, trials)[c] * rstd;
    if (y == 0) {
        rfi_at(op.dbeta, trials)[c] = dbeta;
        rfi_at(op.dgamma, trials)[c] = dgamma;
    }
    float *da = rfi_at(op.da.data, trials) + c;
    for (int32_t r = y; r < op.a.rows; r += ROWS) {
        const float dy = h[r * op.h.ld] > 0.0f ? dh[r * op.dh.ld] : 0.0f;
        da[r * op.da.ld] = scale * fmaf(mean - a[r * op.a.ld], slope, dy - shift);
    }
}

/* dy of a ReLU into scratch (rows, cols). */
__global__ void relu_back_kernel(rf_batchnorm_relu_back op, float *shared_dy, rfi_trials trials)
{
    const int32_t c = (int32_t)(blockIdx.y * RELU_THREADS + threadIdx.x), r = (int32_t)blockIdx.x;
    if (c >= op.dh.cols)
        return;
    const bool open = rfi_at(op.h.data, trials)[r * op.h.ld + c] > 0.0f;
    float *dy = rfi_own(shared_dy, (size_t)op.dh.rows * (size_t)op.dh.cols);
    dy[(int64_t)r * op.dh.cols + c] = open ? rfi_at(op.dh.data, trials)[r * op.dh.ld + c] : 0.0f;
}

static void back_plain(rf_device *device, const rf_batchnorm_relu_back *op)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    const size_t n = (size_t)op->dh.rows * (size_t)op->dh.cols;
    float *dy = reinterpret_cast<float *>(rfi_scratch(device, n * sizeof(float)));
    if (!dy)
        return;
    RFI_LAUNCH(device, relu_back_kernel, op->dh.rows, rfi_divide_up(op->dh.cols, RELU_THREADS), RELU_THREADS,
               0, *op, dy);
    for (int32_t t = 0; t < cuda->n_trials; t++) {
        const rfi_dnn_norm_back norm = {.rows = op->a.rows,
                                        .cols = op->a.cols,
                                        .a = of_trial(cuda, op->a.data, t),
                                        .dy = dy + (size_t)t * n,
                                        .lda = op->a.ld,
                                        .lddy = op->dh.cols,
                                        .gamma = of_trial(cuda, op->gamma, t),
                                        .mean = of_trial(cuda, op->mean, t),
                                        .rstd = of_trial(cuda, op->rstd, t),
                                        .da = of_trial(cuda, op->da.data, t),
                                        .ldda = op->da.ld,
                                        .dgamma = of_trial(cuda, op->dgamma, t),
                                        .dbeta = of_trial(cuda, op->dbeta, t)};
        device->stats.launches++;
        if (rfi_dnn_norm_backward(cuda->dnn, &norm, &device->failure) != RF_OK)
            return;
    }
}

void rfi_cuda_batchnorm_relu_back(rf_device *device, const rf_batchnorm_relu_back *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->a.rows == 0 || op->a.cols == 0)
        return;
    if (rfi_is_fused(cuda))
        RFI_LAUNCH(device, batchnorm_relu_back_kernel, rfi_divide_up(op->a.cols, COLS), 1, NORM_THREADS, 0,
                   *op);
    else
        back_plain(device, op);
}
