/* cuda_latent_fused.cu - the autoencoder's compounds around the latent space, each in one kernel.
 *
 *     latent            mu and logvar are two products of one shape; of two tiles at one place the later draws z
 *     latent_gradient   the product gives dz, and everything else is element by element; the last block sums the divergence
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_latent.cuh"
#include "kernels/cuda/cuda_products.h"

extern "C" {
#include "kernels/parts.h"
}

/* ------------------------------------------------------------------ the draw */

struct latent_epilogue : rfi_epilogue {
    static constexpr bool PAIRED = true;
    rf_affine op; /* of one half of the code */
    rf_reparameterise draw;

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_at(op.y.data, trials)[r * op.y.ld + c] = rfi_affine_finished(op, sum, r, c, trials);
    }

    template <class Tile> __device__ void paired(int32_t row, int32_t col, const rfi_trials &trials) const
    {
        for (int i = (int)threadIdx.x; i < Tile::ROWS * Tile::COLS; i += Tile::THREADS) {
            const int32_t r = row + i / Tile::COLS, c = col + i % Tile::COLS;
            if (r < draw.z.rows && c < draw.z.cols)
                draw_element(r, c, trials);
        }
    }

    __device__ void draw_element(int32_t r, int32_t c, const rfi_trials &trials) const
    {
        const uint32_t e = (uint32_t)r * (uint32_t)draw.z.cols + (uint32_t)c;
        const rf_philox_block words = rf_philox(rfi_draw_of(draw.noise, trials), e / 4);
        const bool upper = e & 2;
        float even, odd;
        rf_normal_pair(upper ? words.word[2] : words.word[0], upper ? words.word[3] : words.word[1], &even,
                       &odd);
        const float normal = e & 1 ? odd : even;
        const float *code = rfi_at(draw.code.data, trials) + r * draw.code.ld + c;
        rfi_at(draw.eps.data, trials)[r * draw.eps.ld + c] = normal;
        rfi_at(draw.z.data, trials)[r * draw.z.ld + c] =
            fmaf(rf_exp_f32(0.5f * __ldcg(code + draw.z.cols)), normal, __ldcg(code));
    }
};

/* Columns first .. first + n - 1 of the layer. */
static rf_affine half_of(const rf_affine *op, int32_t first, int32_t n)
{
    rf_affine half = *op;
    half.y.data += first;
    half.y.cols = n;
    half.w.data += first;
    half.w.cols = n;
    if (half.bias)
        half.bias += first;
    return half;
}

void rfi_cuda_latent(rf_device *device, const rf_latent *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    const int32_t width = op->draw.z.cols;
    rfi_gemm_list<latent_epilogue, 2> list = {};
    if (!cuda)
        return;
    bool fits = rfi_fuses(device, &op->affine) && op->draw.z.rows > 0 && width > 0 &&
                rfi_same_place(op->affine.y, op->draw.code) && op->affine.y.cols == 2 * width &&
                !op->affine.accumulate && !op->affine.gather.data && op->affine.gate_kind == RF_GATE_NONE;
    list.n = 2;
    for (int32_t i = 0; fits && i < 2; i++) {
        list.epilogue[i].op = half_of(&op->affine, i * width, width);
        list.epilogue[i].draw = op->draw;
        list.gemm[i] = rfi_gemm_of(&list.epilogue[i].op);
    }
    if (fits && rfi_gemm_counts(cuda, list.gemm, 2))
        rfi_gemm_run<false, false>(device, list);
    else
        rf_parts_latent(device, op);
}

/* ------------------------------------------------------------------ back */

struct gradient_epilogue : rfi_epilogue {
    static constexpr bool ROW_SUMS = true;
    rf_latent_back op;

    __device__ float element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_at(op.dz.data, trials)[r * op.dz.ld + c] = sum;
        return rfi_latent_element(op, sum, r, c, *rfi_at(op.n, trials), trials);
    }

    __device__ void finish(const float *row_sums, int32_t pitch, const rfi_trials &trials) const
    {
        RF_SHARED(double, parts, RFI_WARP);
        const int32_t n = *rfi_at(op.n, trials);
        double sum = 0.0;
        for (int32_t i = (int32_t)threadIdx.x; i < n * pitch; i += (int32_t)blockDim.x)
            sum += (double)__ldcg(row_sums + i);
        sum = rfi_block_sum(sum, parts);
        if (op.loss && threadIdx.x == 0)
            *rfi_at(op.loss, trials) = n > 0 ? (float)(-0.5 * (double)(1.0f / (float)n) * sum) : 0.0f;
    }
};

void rfi_cuda_latent_gradient(rf_device *device, const rf_latent_gradient *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    const rf_affine_back *back = &op->back;
    rfi_gemm_list<gradient_epilogue, 1> list = {};
    if (!cuda)
        return;
    if (!rfi_fuses(device, back) || back->dx.rows == 0 || back->dx.cols == 0 || back->accumulate ||
        back->gate_kind != RF_GATE_NONE || !rfi_same_place(back->dx, op->latent.dz)) {
        rf_parts_latent_gradient(device, op);
        return;
    }
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(back);
    list.epilogue[0].op = op->latent;
    rfi_gemm_run<false, true>(device, list);
}
