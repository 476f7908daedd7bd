/* cuda_generator_fused.cu - the generator's layers, a kernel for each product: the normalisations between are done around the products.
 *
 * A normalisation needs whole columns, that is every block of a product, and its result whole rows. So it is cut in two:
 *
 *     product l     ... -> a         a tile leaves what its columns come to; the last one below or above it makes mean and rstd
 *     product l+1   a -> h -> ...    a piece of a becomes h in shared memory, where it is multiplied; one block in each row of tiles
 *                                    writes it down for the way back (cuda_generator_back.cu)
 *
 * The a of one layer is the first source of the next one's product; the rest of its input lies in memory. What does not lie as this expects
 * it is done by its parts.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_products.h"

extern "C" {
#include "kernels/parts.h"
}

static __device__ const float epsilon_device = 1e-5f;

/* Rows first .. first + n - 1 of a matrix; an absent one stays absent. */
static rf_mat rows_of(rf_mat mat, int32_t first, int32_t n)
{
    mat.data = mat.data ? mat.data + first * mat.ld : nullptr;
    mat.rows = n;
    return mat;
}

/* ------------------------------------------------------------------ h of a */

struct normalised_operand {
    static constexpr bool MAKES = true;
    enum { MEAN, RSTD, GAMMA, BETA, LINES };
    rf_batchnorm_relu op; /* a absent: the factor lies in memory */

    template <class Tile> static constexpr int floats()
    {
        return LINES * Tile::DEPTH;
    }

    __device__ const float *line(int i) const
    {
        return i == MEAN ? op.mean : i == RSTD ? op.rstd : i == GAMMA ? op.gamma : op.beta;
    }

    template <class Tile> static constexpr int kept()
    {
        return 0;
    }

    template <class Tile>
    __device__ void begin(float *, const rfi_gemm &, int32_t, bool, const rfi_trials &) const
    {
    }

    template <class Tile>
    __device__ void fetch(float *room, int32_t, int32_t k, const rfi_trials &trials) const
    {
        for (int i = (int)threadIdx.x; op.a.data && i < LINES * Tile::DEPTH; i += Tile::THREADS) {
            const int32_t c = k + i % Tile::DEPTH;
            const float *from = rfi_at(line(i / Tile::DEPTH), trials);
            rfi_copy_async<4>(room + i, c < op.a.cols ? from + c : from, c < op.a.cols ? 4 : 0);
        }
    }

    /* A thread keeps to its column. Behind the last column and row the piece holds zeros, and keeps them. */
    template <class Tile, int PITCH>
    __device__ void make(float *piece, const float *room, const float *, int32_t row, int32_t k, bool keeps,
                         const rfi_trials &trials) const
    {
        const int32_t at = (int32_t)threadIdx.x % Tile::DEPTH, c = k + at;
        if (!op.a.data || c >= op.a.cols)
            return;
        const float mean = room[MEAN * Tile::DEPTH + at], beta = room[BETA * Tile::DEPTH + at];
        const float scale = room[GAMMA * Tile::DEPTH + at] * room[RSTD * Tile::DEPTH + at];
        float *h = rfi_at(op.h.data, trials) + c;
        for (int32_t i = (int32_t)threadIdx.x / Tile::DEPTH; i < Tile::ROWS && row + i < op.a.rows;
             i += Tile::THREADS / Tile::DEPTH) {
            const float value = fmaf(piece[i * PITCH + at] - mean, scale, beta);
            const float open = value < 0.0f ? 0.0f : value; /* a NaN stays one */
            piece[i * PITCH + at] = open;
            if (keeps)
                h[(row + i) * op.h.ld] = open;
        }
    }
};

/* ------------------------------------------------------------------ forward */

struct layer_epilogue : rfi_epilogue {
    static constexpr bool COL_SUMS = true;
    using Operand = normalised_operand;
    Operand front;          /* what the layer before this one left */
    rf_affine op;           /* of one batch                        */
    rf_batchnorm_relu norm; /* of y; a absent: none follows        */

    __device__ const Operand &operand() const
    {
        return front;
    }

    __device__ float2 element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        const float y = rfi_affine_finished(op, sum, r, c, trials);
        rfi_at(op.y.data, trials)[r * op.y.ld + c] = y;
        return float2{y, 0.0f};
    }

    __device__ bool sums_columns(int32_t) const
    {
        return norm.a.data;
    }

    /* Mean, and sum of squared differences from it: by differences from the first row, so that a column far from zero keeps its
     * variance. */
    template <class Tile> __device__ float2 column(const float *a, int32_t rows) const
    {
        const float origin = a[0];
        float sum = 0.0f, squares = 0.0f;
        for (int32_t r = 1; r < rows; r++) {
            const float d = a[r * Tile::COLS] - origin;
            sum += d;
            squares = fmaf(d, d, squares);
        }
        const float shift = sum / (float)rows;
        return float2{origin + shift, fmaf(-shift, sum, squares)};
    }

    /* Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979: the squares of the
     * whole are those of the tiles, and those of the tiles' means. */
    template <class Tile>
    __device__ void finish(float *shared, const float *sums, int32_t n_tiles, int32_t col,
                           const rfi_trials &trials) const
    {
        const int32_t c = col + (int32_t)threadIdx.x % Tile::COLS, rows = norm.a.rows, cols = norm.a.cols;
        const float *means = sums + (c < cols ? c : 0), *squares = means + (size_t)n_tiles * (size_t)cols;
        const float origin = __ldcg(means), share = 1.0f / (float)rows;
        const auto weight = [&](int32_t i) {
            const int32_t left = rows - i * Tile::ROWS;
            return (float)(left < Tile::ROWS ? left : Tile::ROWS);
        };
        const auto apart = [&](int32_t i) { return __ldcg(means + (size_t)i * (size_t)cols) - origin; };
        const float shift =
            share * rfi_add_tiles<Tile>(shared, n_tiles, [&](int32_t i) { return weight(i) * apart(i); });
        const float variance = share * rfi_add_tiles<Tile>(shared, n_tiles, [&](int32_t i) {
                                   const float d = apart(i) - shift;
                                   return fmaf(weight(i) * d, d, __ldcg(squares + (size_t)i * (size_t)cols));
                               });
        if ((int)threadIdx.x >= Tile::COLS || c >= cols)
            return;
        rfi_at(norm.mean, trials)[c] = origin + shift;
        rfi_at(norm.rstd, trials)[c] = /* below zero by rounding; a NaN stays one */
            1.0f / sqrtf((variance < 0.0f ? 0.0f : variance) + epsilon_device);
    }
};

/* Batch i of a product of n batches. */
static rf_affine batch_of(const rf_affine *op, int32_t i, int32_t n)
{
    const int32_t rows = op->y.rows / n, first = i * rows;
    rf_affine batch = *op;
    batch.y = rows_of(op->y, first, rows);
    batch.x = rows_of(op->x, first, rows);
    batch.ids = op->ids ? op->ids + (int64_t)first * op->n_ids : nullptr;
    return batch;
}

/* The product of a batch, whose x has h of `front` in front. */
static rfi_gemm gemm_behind(const rf_batchnorm_relu *front, const rf_affine *op)
{
    rfi_gemm g = rfi_gemm_of(op);
    if (!front)
        return g;
    const int32_t width = front->a.cols, rest = op->x.cols - width;
    g.n_sources = 0;
    g.source[g.n_sources++] = {{front->a.data, front->a.ld}, {op->w.data, op->w.ld}, width};
    if (rest > 0)
        g.source[g.n_sources++] = {
            {op->x.data + width, op->x.ld}, {op->w.data + width * op->w.ld, op->w.ld}, rest};
    return g;
}

using layer_list = rfi_gemm_list<layer_epilogue, RF_BATCHES_MAX>;

/* Product number l, for all batches; front and norm are NULL where there is none. */
static layer_list layer_of(const rf_affine *op, const rf_batchnorm_batches *front,
                           const rf_batchnorm_batches *norm, int32_t n)
{
    layer_list list = {};
    list.n = n;
    for (int32_t i = 0; i < n; i++) {
        layer_epilogue *epilogue = &list.epilogue[i];
        epilogue->op = batch_of(op, i, n);
        if (front)
            epilogue->front.op = front->batch[i];
        if (norm)
            epilogue->norm = norm->batch[i];
        list.gemm[i] = gemm_behind(front ? &front->batch[i] : nullptr, &epilogue->op);
    }
    return list;
}

/* One element of the list at a time: front, product, normalisation. */
static bool layer_fits(rf_device *device, const rf_affine *op, const rf_batchnorm_batches *front,
                       const rf_batchnorm_batches *norm, int32_t n)
{
    if (!rfi_fuses(device, op) || op->y.rows == 0 || op->y.cols == 0 || op->y.rows % n || op->accumulate ||
        op->row_scale || op->gate_kind != RF_GATE_NONE || (norm && norm->n != n))
        return false;
    for (int32_t i = 0; i < n; i++) {
        const rf_affine batch = batch_of(op, i, n);
        const rf_batchnorm_relu *before = front ? &front->batch[i] : nullptr;
        if (norm && !rfi_same_place(norm->batch[i].a, batch.y))
            return false;
        if (before && (before->h.data != batch.x.data || before->h.ld != batch.x.ld ||
                       before->h.cols > batch.x.cols || before->h.rows != batch.x.rows))
            return false;
    }
    const layer_list list = layer_of(op, front, norm, n);
    return rfi_gemm_counts(static_cast<const rfi_cuda *>(device->self), list.gemm, n);
}

static const rf_batchnorm_batches *norm_of(const rf_generate *op, int32_t l)
{
    return l >= 0 && l < op->n_layers ? &op->layer[l].norm : nullptr;
}

static const rf_affine *product_of(const rf_generate *op, int32_t l)
{
    return l < op->n_layers ? &op->layer[l].affine : &op->output;
}

void rfi_cuda_generate(rf_device *device, const rf_generate *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    const int32_t n = op->n_layers > 0 ? op->layer[0].norm.n : 0;
    bool fits = n > 0;
    for (int32_t l = 0; fits && l <= op->n_layers; l++)
        fits = layer_fits(device, product_of(op, l), norm_of(op, l - 1), norm_of(op, l), n);
    if (!fits) {
        rf_parts_generate(device, op);
        return;
    }
    for (int32_t l = 0; l <= op->n_layers; l++)
        rfi_gemm_run<false, false>(device,
                                   layer_of(product_of(op, l), norm_of(op, l - 1), norm_of(op, l), n));
}
