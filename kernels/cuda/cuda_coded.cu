/* cuda_coded.cu - the product with one-hot rows, which is never a product: weight rows are gathered and added.
 *
 * A block owns a row of the batch and a strip of columns. Its threads first write down which weight rows the row stands for, then each
 * adds them up for its own column, in order: the same bits as on the CPU.
 */
#include "kernels/cuda/cuda_draw.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

extern "C" {
#include "kernels/parts.h"
}

enum { CODED_THREADS = 64, LIST = 256 };

/* Row r of y, from the coded row (or pack of rows) at `scalars` and `codes`; the block's columns. */
__device__ static void affine_coded_row(const rf_affine_coded &op, const rfi_layout &layout, int32_t r,
                                        const float *scalars, const uint16_t *codes, const rfi_trials &trials)
{
    RF_SHARED(int32_t, row, LIST);
    RF_SHARED(float, times, LIST);
    const int32_t c = (int32_t)(blockIdx.y * CODED_THREADS + threadIdx.x), n = op.pack * layout.n_spans;
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
        const int32_t *ids = rfi_at(op.ids, trials) + (int64_t)r * op.pack;
        for (int32_t s = 0; s < op.pack; s++)
            sum += gather[((int64_t)s * op.gather_stride + ids[s]) * op.gather.ld];
    }
    if (op.bias)
        sum += rfi_at(op.bias, trials)[c];
    if (op.relu)
        sum = sum < 0.0f ? 0.0f : sum;
    rfi_at(op.y.data, trials)[r * op.y.ld + c] = sum;
}

__global__ void affine_coded_kernel(rf_affine_coded op, rfi_layout layout, rfi_trials trials)
{
    const int32_t r = (int32_t)blockIdx.x;
    const int64_t coded = (int64_t)r * op.pack;
    affine_coded_row(op, layout, r, rfi_at(op.scalars, trials) + coded * layout.n_scalars,
                     rfi_at(op.codes, trials) + coded * layout.n_codes, trials);
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

/* ------------------------------------------------------------------ on rows that are taken
 *
 * Every block finds its row of the table by itself; those of the first columns copy it to the batch.
 */
__global__ void take_layer_kernel(const __grid_constant__ rf_take_layer op, rfi_layout layout,
                                  const __grid_constant__ rf_coded shared_rows, rfi_trials trials)
{
    const int32_t r = (int32_t)blockIdx.x, at = (int32_t)threadIdx.x;
    rf_coded rows = shared_rows;
    rows.scalars = rfi_at(rows.scalars, trials);
    rows.codes = rfi_at(rows.codes, trials);
    int32_t n;
    const int64_t taken = rfi_taken_row(op.take, rows, r, &n, trials);
    float *scalars = rfi_at(op.take.out_scalars, trials) + (int64_t)r * layout.n_scalars;
    uint16_t *codes = rfi_at(op.take.out_codes, trials) + (int64_t)r * layout.n_codes;
    if (r == 0 && blockIdx.y == 0 && at == 0)
        *rfi_at(op.take.out_n, trials) = n;
    if (taken < 0) { /* as after the last batch that had this row */
        affine_coded_row(op.affine, layout, r, scalars, codes, trials);
        return;
    }
    const float *from_scalars = rows.scalars + taken * layout.n_scalars;
    const uint16_t *from_codes = rows.codes + taken * layout.n_codes;
    for (int32_t i = at; blockIdx.y == 0 && i < layout.n_scalars; i += CODED_THREADS)
        scalars[i] = from_scalars[i];
    for (int32_t i = at; blockIdx.y == 0 && i < layout.n_codes; i += CODED_THREADS)
        codes[i] = from_codes[i];
    affine_coded_row(op.affine, layout, r, from_scalars, from_codes, trials);
}

void rfi_cuda_take_layer(rf_device *device, const rf_take_layer *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_layout layout;
    if (!cuda)
        return;
    const bool fits = rfi_is_fused(cuda) && op->affine.pack == 1 && op->affine.y.rows == op->take.batch &&
                      op->take.batch > 0 && op->affine.y.cols > 0 && op->affine.layout == op->take.layout &&
                      op->affine.scalars == op->take.out_scalars && op->affine.codes == op->take.out_codes;
    if (!fits) {
        rf_parts_take_layer(device, op);
        return;
    }
    if (rfi_layout_of(device, op->take.layout, &layout))
        RFI_LAUNCH(device, take_layer_kernel, op->take.batch, rfi_divide_up(op->affine.y.cols, CODED_THREADS),
                   CODED_THREADS, 0, *op, layout, *op->take.table);
}
