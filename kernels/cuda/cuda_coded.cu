/* cuda_coded.cu - the product with one-hot rows, which is never a product: weight rows are gathered and added.
 *
 * A block owns a row of the batch and a strip of columns. Its threads first write down which weight rows the row stands for, then each
 * adds them up for its own column, in order: the same bits as on the CPU.
 */
#include "kernels/cuda/cuda_sources.cuh"

enum { CODED_THREADS = 64, LIST = 256 };

__global__ void affine_coded_kernel(rf_affine_coded op, rfi_layout layout, rfi_trials trials)
{
    RF_SHARED(int32_t, row, LIST);
    RF_SHARED(float, times, LIST);
    const int32_t r = (int32_t)blockIdx.x, c = (int32_t)(blockIdx.y * CODED_THREADS + threadIdx.x);
    const int32_t n = op.pack * layout.n_spans;
    const int64_t coded = (int64_t)r * op.pack;
    const float *scalars = rfi_at(op.scalars, trials) + coded * layout.n_scalars;
    const uint16_t *codes = rfi_at(op.codes, trials) + coded * layout.n_codes;
    const float *w = rfi_at(op.w.data, trials) + c;
    float sum = 0.0f;
    for (int32_t first = 0; first < n; first += LIST) {
        const int32_t here = n - first < LIST ? n - first : LIST;
        __syncthreads();
        for (int32_t i = (int32_t)threadIdx.x; i < here; i += CODED_THREADS)
            rfi_coded_entry(layout, scalars, codes, first + i, &row[i], &times[i]);
        __syncthreads();
        for (int32_t i = 0; c < op.y.cols && i < here; i++)
            sum = fmaf(times[i], w[row[i] * op.w.ld], sum);
    }
    if (c >= op.y.cols)
        return;
    if (op.gather.data) {
        const float *gather = rfi_at(op.gather.data, trials) + c;
        const int32_t *ids = rfi_at(op.ids, trials) + coded;
        for (int32_t s = 0; s < op.pack; s++)
            sum += gather[((int64_t)s * op.gather_stride + ids[s]) * op.gather.ld];
    }
    if (op.bias)
        sum += rfi_at(op.bias, trials)[c];
    if (op.relu)
        sum = sum < 0.0f ? 0.0f : sum;
    rfi_at(op.y.data, trials)[r * op.y.ld + c] = sum;
}

void rfi_cuda_affine_coded(rf_device *device, const rf_affine_coded *op)
{
    rfi_layout layout;
    if (!rfi_ready(device) || op->y.rows == 0 || op->y.cols == 0 ||
        !rfi_layout_of(device, op->layout, &layout))
        return;
    RFI_LAUNCH(device, affine_coded_kernel, op->y.rows, rfi_divide_up(op->y.cols, CODED_THREADS),
               CODED_THREADS, 0, *op, layout);
}
