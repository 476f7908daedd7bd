/* cuda_penalty_fused.cu - the gradient penalty in two kernels: the input gradients of all matrices with their squares, whose last block makes
 * the scales; then the product of both, which scales d as well. What does not lie as this expects it is done by its parts.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_products.h"

extern "C" {
#include "kernels/parts.h"
}

/* ------------------------------------------------------------------ the input gradients */

struct squares_epilogue : rfi_epilogue {
    static constexpr bool ROW_SUMS = true;
    rf_affine_back op;
    rf_penalty penalty;

    __device__ float element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_at(op.dx.data, trials)[r * op.dx.ld + c] = sum;
        return sum * sum;
    }

    /* The rows' scales, and the loss. */
    __device__ void finish(const float *row_sums, int32_t pitch, const rfi_trials &trials) const
    {
        RF_SHARED(double, parts, RFI_WARP);
        double loss = 0.0;
        for (int32_t r = (int32_t)(threadIdx.x / RFI_WARP); r < op.dx.rows;
             r += (int32_t)(blockDim.x / RFI_WARP)) {
            float squares = 0.0f;
            for (int32_t i = (int32_t)(threadIdx.x % RFI_WARP); i < pitch; i += RFI_WARP)
                squares += __ldcg(row_sums + (size_t)r * (size_t)pitch + (size_t)i);
            const float norm = sqrtf(rfi_warp_sum(squares));
            if (threadIdx.x % RFI_WARP > 0)
                continue;
            rfi_at(penalty.scale, trials)[r] = rfi_penalty_scale(penalty, norm);
            loss += (double)((norm - 1.0f) * (norm - 1.0f));
        }
        loss = rfi_block_sum(loss, parts);
        if (penalty.loss && threadIdx.x == 0)
            *rfi_at(penalty.loss, trials) = (float)((double)penalty.lambda * loss / op.dx.rows);
    }
};

/* y = f(sum of g w), and d times its scale: both have the layer's shape. */
struct again_epilogue : rfi_epilogue {
    rf_affine op;
    rf_mat d;

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_at(op.y.data, trials)[r * op.y.ld + c] = rfi_affine_finished(op, sum, r, c, trials);
        rfi_at(d.data, trials)[r * d.ld + c] *= rfi_at(op.row_scale, trials)[r];
    }
};

static bool penalty_fits(rf_device *device, const rf_gradient_penalty *op)
{
    const rf_affine *first = &op->again[0], *last = &op->again[op->n - 1];
    const rf_mat *d = &op->penalty.d;
    bool fits = d->rows > 0 && d->cols > 0 && last->row_scale == op->penalty.scale &&
                d->rows == last->y.rows && d->cols == last->y.cols && !first->accumulate &&
                rfi_same_place(op->penalty.g1, op->back[0].dx) && rfi_same_place(first->y, last->y);
    for (int32_t i = 0; i < op->n; i++)
        fits = fits && rfi_fuses(device, &op->back[i]) && rfi_fuses(device, &op->again[i]) &&
               !op->back[i].accumulate && op->back[i].gate_kind == RF_GATE_NONE &&
               op->back[i].dx.rows == d->rows && op->back[i].dx.cols > 0 &&
               rfi_same_place(op->back[i].dx, op->again[i].x);
    if (op->n == 1)
        return fits && !op->penalty.g2.data;
    return fits && rfi_same_place(op->penalty.g2, op->back[1].dx) && last->accumulate && !first->bias &&
           !first->relu && !first->gather.data && !first->row_scale && first->gate_kind == RF_GATE_NONE;
}

void rfi_cuda_gradient_penalty(rf_device *device, const rf_gradient_penalty *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_gemm_list<squares_epilogue, 2> squares = {};
    rfi_gemm_list<again_epilogue, 1> again = {};
    if (!cuda)
        return;
    if (!penalty_fits(device, op)) {
        rf_parts_gradient_penalty(device, op);
        return;
    }
    squares.n = op->n;
    again.n = 1;
    again.gemm[0] = rfi_gemm_of(&op->again[0]);
    again.epilogue[0].op = op->again[op->n - 1];
    again.epilogue[0].d = op->penalty.d;
    for (int32_t i = 0; i < op->n; i++) {
        squares.gemm[i] = rfi_gemm_of(&op->back[i]);
        squares.epilogue[i].op = op->back[i];
        squares.epilogue[i].penalty = op->penalty;
        again.gemm[0].source[i] = rfi_gemm_of(&op->again[i]).source[0];
    }
    again.gemm[0].n_sources = op->n;
    rfi_gemm_run<false, true>(device, squares);
    rfi_gemm_run<false, false>(device, again);
}
