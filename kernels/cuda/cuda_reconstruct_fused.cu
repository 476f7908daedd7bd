/* cuda_reconstruct_fused.cu - from the autoencoder's logits back to what made them, in one kernel.
 *
 * dlogits are what the product multiplies, and are made on the way: every block works out for its rows what a span comes to, the top and the sum
 * of a softmax; then a piece of logits becomes one of dlogits in shared memory. The blocks that lead a row of tiles write it down for the
 * updates, and leave its loss and its squares for sigma, which the last of them adds up. What does not lie as this expects it is done by
 * its parts.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_latent.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

extern "C" {
#include "kernels/parts.h"
}

/* ------------------------------------------------------------------ dlogits of logits */

struct reconstruct_operand {
    static constexpr bool MAKES = true;
    static constexpr int SPANS = 64;
    enum { LOSS, TOP, SHARE, OF_SPAN, SQUARE = TOP }; /* of a row's span; a scalar has a square */
    rf_reconstruct op;
    rfi_layout layout;

    template <class Tile> static constexpr int floats()
    {
        return 0;
    }

    template <class Tile> static constexpr int kept()
    {
        return Tile::ROWS * SPANS * OF_SPAN;
    }

    __device__ float scale(int32_t n) const
    {
        return n > 0 ? op.factor / (float)n : 0.0f;
    }

    /* A thread takes a span of a row. Rows from n on come to nothing. */
    template <class Tile>
    __device__ void begin(float *kept, const rfi_gemm &g, int32_t row, bool leads,
                          const rfi_trials &trials) const
    {
        const int32_t n = *rfi_at(op.n, trials), left = n - row;
        const int32_t rows = left <= 0 ? 0 : left < Tile::ROWS ? left : Tile::ROWS;
        for (int32_t i = (int32_t)threadIdx.x; i < Tile::ROWS * layout.n_spans; i += Tile::THREADS)
            if (i % Tile::ROWS < rows)
                span_of(kept + (i % Tile::ROWS * SPANS + i / Tile::ROWS) * OF_SPAN,
                        layout.spans[i / Tile::ROWS], row + i % Tile::ROWS, scale(n), trials);
        if (leads)
            add_rows<Tile>(kept, rows, row, n, g, trials);
    }

    __device__ void span_of(float *out, const rf_span &span, int32_t r, float scale,
                            const rfi_trials &trials) const
    {
        const float *x = rfi_at(op.logits.data, trials) + r * op.logits.ld + span.offset;
        if (span.kind == RF_SPAN_SCALAR) {
            float dlogit;
            out[LOSS] = scalar(span, x[0], r, scale, &dlogit, &out[SQUARE], trials);
            return;
        }
        float top = -INFINITY, sum = 0.0f;
        bool broken = false;
        for (int32_t c = 0; c < span.width; c++) {
            top = x[c] > top ? x[c] : top;
            broken |= x[c] != x[c];
        }
        for (int32_t c = 0; c < span.width; c++)
            sum += rfi_exp_term(x[c] - top);
        sum = broken ? NAN : sum;
        out[LOSS] = rf_log_f32(sum) - (x[code(span, r, trials)] - top);
        out[TOP] = top;
        out[SHARE] = scale / sum;
    }

    __device__ float scalar(const rf_span &span, float logit, int32_t r, float scale, float *dlogit,
                            float *square, const rfi_trials &trials) const
    {
        const float x = rfi_at(op.scalars, trials)[(int64_t)r * layout.n_scalars + span.source];
        return rfi_reconstruct_scalar(x, logit, rfi_at(op.sigma, trials)[span.source], scale, dlogit, square);
    }

    __device__ int32_t code(const rf_span &span, int32_t r, const rfi_trials &trials) const
    {
        return rfi_at(op.codes, trials)[(int64_t)r * layout.n_codes + span.source];
    }

    /* A row of tiles leaves its loss, then the squares of each scalar, rows in order. */
    template <class Tile>
    __device__ void add_rows(const float *kept, int32_t rows, int32_t row, int32_t n, const rfi_gemm &g,
                             const rfi_trials &trials) const
    {
        const int32_t n_tiles = rfi_tiles_down<Tile>(g);
        float *all = rfi_led<Tile>(g), *mine = all + (size_t)(row / Tile::ROWS) * (size_t)g.n_led;
        __syncthreads();
        for (int32_t s = (int32_t)threadIdx.x; s < layout.n_spans; s += Tile::THREADS) {
            const rf_span span = layout.spans[s];
            float sum = 0.0f;
            for (int32_t i = 0; span.kind == RF_SPAN_SCALAR && i < rows; i++)
                sum += kept[(i * SPANS + s) * OF_SPAN + SQUARE];
            if (span.kind == RF_SPAN_SCALAR)
                mine[1 + span.source] = sum;
        }
        if (threadIdx.x == 0) {
            float sum = 0.0f;
            for (int32_t i = 0; i < rows; i++)
                for (int32_t s = 0; s < layout.n_spans; s++)
                    sum += kept[(i * SPANS + s) * OF_SPAN + LOSS];
            mine[0] = sum;
        }
        if (rfi_is_last_block(rfi_own(g.all_counter, RFI_COUNTERS), (unsigned)n_tiles))
            finish(all, n_tiles, g.n_led, n, trials);
    }

    /* A thread adds up one number over the rows of tiles: the loss, or a scalar's squares. */
    __device__ void finish(const float *all, int32_t n_tiles, int32_t n_led, int32_t n,
                           const rfi_trials &trials) const
    {
        for (int32_t j = (int32_t)threadIdx.x; j < n_led; j += (int32_t)blockDim.x) {
            double sum = 0.0;
            for (int32_t i = 0; i < n_tiles; i++)
                sum += (double)__ldcg(all + (size_t)i * (size_t)n_led + (size_t)j);
            if (j > 0)
                rfi_at(op.dsigma, trials)[j - 1] =
                    rfi_sigma_gradient(rfi_at(op.sigma, trials)[j - 1], sum, n, scale(n));
            else if (op.loss)
                *rfi_at(op.loss, trials) = (float)((double)scale(n) * sum);
        }
    }

    template <class Tile> __device__ void fetch(float *, int32_t, int32_t, const rfi_trials &) const
    {
    }

    template <class Tile, int PITCH>
    __device__ void make(float *piece, const float *, const float *kept, int32_t row, int32_t k, bool keeps,
                         const rfi_trials &trials) const
    {
        const int32_t at = (int32_t)threadIdx.x % Tile::DEPTH, c = k + at, n = *rfi_at(op.n, trials);
        if (c >= op.logits.cols)
            return;
        const int32_t number = rfi_span_number(layout, c);
        const rf_span span = layout.spans[number];
        float *dlogits = rfi_at(op.dlogits.data, trials) + c;
        for (int32_t i = (int32_t)threadIdx.x / Tile::DEPTH; i < Tile::ROWS && row + i < op.logits.rows;
             i += Tile::THREADS / Tile::DEPTH) {
            const float x = piece[i * PITCH + at];
            const float value = row + i < n ? gradient(kept + (i * SPANS + number) * OF_SPAN, span, x,
                                                       row + i, c - span.offset, scale(n), trials)
                                            : 0.0f;
            piece[i * PITCH + at] = value;
            if (keeps)
                dlogits[(row + i) * op.dlogits.ld] = value;
        }
    }

    __device__ float gradient(const float *of_span, const rf_span &span, float x, int32_t r, int32_t entry,
                              float scale, const rfi_trials &trials) const
    {
        float dlogit, square;
        if (span.kind == RF_SPAN_SCALAR) {
            (void)scalar(span, x, r, scale, &dlogit, &square, trials);
            return dlogit;
        }
        return of_span[SHARE] * rfi_exp_term(x - of_span[TOP]) -
               (entry == code(span, r, trials) ? scale : 0.0f);
    }
};

/* ------------------------------------------------------------------ the product */

struct reconstruct_epilogue : rfi_epilogue {
    static constexpr bool ANY_TILE = false;
    using Operand = reconstruct_operand;
    Operand made;
    rf_affine_back op;

    __device__ const Operand &operand() const
    {
        return made;
    }

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *dx = rfi_at(op.dx.data, trials) + r * op.dx.ld + c;
        *dx = rfi_gated(op.gate, op.gate_kind, op.accumulate ? *dx + sum : sum, r, c, trials);
    }
};

void rfi_cuda_reconstruct_gradient(rf_device *device, const rf_reconstruct_gradient *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    const rf_reconstruct *reconstruct = &op->reconstruct;
    rfi_gemm_list<reconstruct_epilogue, 1> list = {};
    if (!cuda || !rfi_layout_of(device, reconstruct->layout, &list.epilogue[0].made.layout))
        return;
    const rfi_layout *layout = &list.epilogue[0].made.layout;
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(&op->back);
    list.gemm[0].n_led = 1 + layout->n_scalars;
    if (!rfi_fuses(device, &op->back) || op->back.dx.rows == 0 || op->back.dx.cols == 0 ||
        op->back.dy.cols == 0 || layout->n_spans > reconstruct_operand::SPANS ||
        !rfi_same_place(op->back.dy, reconstruct->dlogits) || rfi_is_wide(cuda, list.gemm, 1)) {
        rf_parts_reconstruct_gradient(device, op);
        return;
    }
    list.gemm[0].source[0].a = {reconstruct->logits.data, reconstruct->logits.ld};
    list.epilogue[0].made.op = *reconstruct;
    list.epilogue[0].op = op->back;
    rfi_gemm_run<false, true>(device, list);
}
