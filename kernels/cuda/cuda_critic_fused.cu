/* cuda_critic_fused.cu - the critic's layers, a kernel for each.
 *
 *     critic_layer   the product; leaky ReLU, dropout and d behind it; the last block makes scores and loss of the tiles' sums
 *     critic_first   the tiles of generated rows, beside them blocks that gather the real rows; whoever comes last of a tile's blocks
 *                    blends the two and drops units of all three
 *
 * What does not lie as these expect it is done by its parts.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
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
