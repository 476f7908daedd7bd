/* cuda_critic_fused.cu - the critic's compounds, each in as few kernels as its sums allow.
 *
 *     critic_layer       one: the product; leaky ReLU, dropout and d behind it; the last block makes scores and loss of the tiles' sums
 *     critic_first       one: the tiles of generated rows, beside them blocks that gather the real rows; whoever comes last of a tile's blocks
 *                        blends the two and drops units of all three
 *     gradient_penalty   two: the input gradients of all matrices with their squares, whose last block makes the scales; then the
 *                        product of both, which scales d as well
 *
 * What does not lie as these expect it is done by its parts.
 */
#include "kernels/cuda/cuda_gemm.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

extern "C" {
#include "kernels/parts.h"
}

/* ------------------------------------------------------------------ a layer, the last one with the head */

struct critic_epilogue : rfi_epilogue {
    static constexpr bool ROW_SUMS = true;
    rf_critic_layer op;

    __device__ bool sums_rows() const
    {
        return op.head.h.data;
    }

    /* Mask and output; d, and what the element adds to its row's score. */
    __device__ float element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *y = rfi_at(op.drop.y.data, trials) + r * op.drop.y.ld + c;
        const float x = rfi_affine_finished(op.affine, op.affine.accumulate ? *y + sum : sum, r, c, trials);
        const float mask = rfi_leaky_factor(op.drop, x, r, c, trials);
        rfi_at(op.drop.mask.data, trials)[r * op.drop.mask.ld + c] = mask;
        *y = mask * x;
        if (!sums_rows())
            return 0.0f;
        const rf_critic_head &head = op.head;
        const float w = rfi_at(head.w, trials)[c];
        rfi_at(head.d.data, trials)[r * head.d.ld + c] = rfi_at(head.coef, trials)[r] * mask * w;
        return mask * x * w;
    }

    /* Scores and their loss. */
    __device__ void finish(const float *row_sums, int32_t pitch, const rfi_trials &trials) const
    {
        RF_SHARED(double, parts, RFI_WARP);
        const rf_critic_head &head = op.head;
        const float bias = *rfi_at(head.bias, trials);
        double loss = 0.0;
        for (int32_t r = (int32_t)threadIdx.x; r < head.h.rows; r += (int32_t)blockDim.x) {
            float score = 0.0f;
            for (int32_t i = 0; i < pitch; i++)
                score += __ldcg(row_sums + (size_t)r * (size_t)pitch + (size_t)i);
            score += bias;
            rfi_at(head.score, trials)[r] = score;
            loss += r < head.n_loss_rows ? (double)rfi_at(head.coef, trials)[r] * (double)score : 0.0;
        }
        loss = rfi_block_sum(loss, parts);
        if (head.loss && threadIdx.x == 0)
            *rfi_at(head.loss, trials) = (float)loss;
    }
};

void rfi_cuda_critic_layer(rf_device *device, const rf_critic_layer *op)
{
    const bool has_head = op->head.h.data;
    if (!rfi_ready(device))
        return;
    const bool fits = rfi_fuses(device, &op->affine) && op->affine.y.rows > 0 && op->affine.y.cols > 0 &&
                      rfi_same_place(op->affine.y, op->drop.a) && rfi_same_place(op->affine.y, op->drop.y) &&
                      (!has_head || (rfi_same_place(op->drop.y, op->head.h) &&
                                     rfi_same_place(op->drop.mask, op->head.mask)));
    if (!fits) {
        rf_parts_critic_layer(device, op);
        return;
    }
    rfi_gemm_list<critic_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(&op->affine);
    list.epilogue[0].op = *op;
    rfi_gemm_run<false, false>(device, list);
}

/* ------------------------------------------------------------------ the first layer */

struct first_epilogue : rfi_epilogue {
    static constexpr bool EXTRA = true;
    rf_critic_first op;
    rfi_layout layout;

    /* A warp's real row: entries in order, its lanes side by side along the tile's columns; loads run ahead of the sums. */
    template <class Tile>
    __device__ void extra(float *left, int32_t row, int32_t col, int32_t part, const rfi_trials &trials) const
    {
        constexpr int ACROSS = Tile::COLS / RFI_WARP, AHEAD = 8;
        const rf_affine_coded &real = op.real;
        const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP), n = real.pack * layout.n_spans;
        const int32_t r = row + part * (Tile::THREADS / RFI_WARP) + (int32_t)(threadIdx.x / RFI_WARP);
        if (r >= real.y.rows)
            return;
        const int64_t coded = (int64_t)r * real.pack;
        const float *scalars = rfi_at(real.scalars, trials) + coded * layout.n_scalars;
        const uint16_t *codes = rfi_at(real.codes, trials) + coded * layout.n_codes;
        const float *w = rfi_at(real.w.data, trials);
        float sum[ACROSS] = {};
        for (int32_t first = 0; first < n; first += RFI_WARP) {
            int32_t at = 0;
            float times = 0.0f;
            if (first + lane < n)
                rfi_coded_entry(layout, scalars, codes, first + lane, &at, &times);
            for (int32_t j = 0; j < RFI_WARP; j += AHEAD) {
                float value[AHEAD][ACROSS], by[AHEAD];
                for (int32_t i = 0; i < AHEAD; i++) {
                    const float *from = w + (int64_t)__shfl_sync(RFI_ALL, at, j + i) * real.w.ld;
                    by[i] = __shfl_sync(RFI_ALL, times, j + i);
                    for (int32_t k = 0; k < ACROSS; k++) {
                        const int32_t c = col + k * RFI_WARP + lane;
                        value[i][k] = first + j + i < n && c < real.y.cols ? from[c] : 0.0f;
                    }
                }
                for (int32_t i = 0; i < AHEAD; i++)
                    for (int32_t k = 0; k < ACROSS; k++)
                        sum[k] = fmaf(by[i], value[i][k], sum[k]);
            }
        }
        for (int32_t k = 0; k < ACROSS; k++) {
            const int32_t c = col + k * RFI_WARP + lane;
            if (c < real.y.cols)
                left[(int64_t)r * real.y.cols + c] = finished(sum[k], r, c, trials);
        }
    }

    /* Conditions and bias of a real row. */
    __device__ float finished(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        const rf_affine_coded &real = op.real;
        if (real.gather.data) {
            const float *gather = rfi_at(real.gather.data, trials) + c;
            const int32_t *ids = rfi_at(real.ids, trials) + (int64_t)r * real.pack;
            for (int32_t s = 0; s < real.pack; s++)
                sum += gather[((int64_t)s * real.gather_stride + ids[s]) * real.gather.ld];
        }
        if (real.bias)
            sum += rfi_at(real.bias, trials)[c];
        return real.relu && sum < 0.0f ? 0.0f : sum;
    }

    __device__ void element(float sum, float real, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        const int32_t rows = op.fake.y.rows;
        const float fake = rfi_affine_finished(op.fake, sum, r, c, trials);
        const float alpha = rfi_blend_share(op.between, r, trials), beta = 1.0f - alpha;
        drop(fake, r, c, trials);
        drop(real, rows + r, c, trials);
        drop(fmaf(alpha, real, beta * fake), 2 * rows + r, c, trials);
    }

    __device__ void drop(float x, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        const float mask = rfi_leaky_factor(op.drop, x, r, c, trials);
        rfi_at(op.drop.mask.data, trials)[r * op.drop.mask.ld + c] = mask;
        rfi_at(op.drop.y.data, trials)[r * op.drop.y.ld + c] = mask * x;
    }
};

/* Rows first .. first + n - 1 of a matrix. */
static rf_mat rows_of(rf_mat mat, int32_t first, int32_t n)
{
    mat.data += first * mat.ld;
    mat.rows = n;
    return mat;
}

static bool first_fits(rf_device *device, const rf_critic_first *op, const rfi_gemm *g)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    const int32_t n = op->fake.y.rows;
    const rf_mat *all = &op->drop.y;
    if (!rfi_fuses(device, &op->fake) || n == 0 || op->fake.y.cols == 0 || op->fake.accumulate ||
        all->rows != 3 * n)
        return false;
    return rfi_same_place(op->drop.a, *all) && rfi_same_place(op->fake.y, rows_of(*all, 0, n)) &&
           rfi_same_place(op->real.y, rows_of(*all, n, n)) &&
           rfi_same_place(op->between.out, rows_of(*all, 2 * n, n)) &&
           rfi_same_place(op->between.fake, op->fake.y) && rfi_same_place(op->between.real, op->real.y) &&
           rfi_gemm_counts(cuda, g, 1);
}

void rfi_cuda_critic_first(rf_device *device, const rf_critic_first *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_gemm_list<first_epilogue, 1> list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(&op->fake);
    list.epilogue[0].op = *op;
    if (!cuda || !rfi_layout_of(device, op->real.layout, &list.epilogue[0].layout))
        return;
    if (first_fits(device, op, &list.gemm[0]))
        rfi_gemm_run<false, false>(device, list);
    else
        rf_parts_critic_first(device, op);
}

/* ------------------------------------------------------------------ the gradient penalty */

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
