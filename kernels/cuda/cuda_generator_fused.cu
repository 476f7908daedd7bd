/* cuda_generator_fused.cu - the generator's layers, a kernel for each product: what the normalisations lie between is done around the products.
 *
 * A normalisation needs whole columns, that is every block of a product, and its result whole rows. So it is cut in two:
 *
 *     product l     ... -> a         a tile leaves what its columns come to; the last one below or above it makes mean and rstd
 *     product l+1   a -> h -> ...    a piece of a becomes h in shared memory, where it is multiplied; one block in each row of tiles
 *                                    writes it down for the way back
 *
 * and back again, where dy = dh where h > 0, and sums of dy and of dy (a - mean) are all that da needs besides:
 *
 *     product l+1   ... -> dy        the last tile makes dbeta and dgamma
 *     product l     dy, a -> da      in shared memory, and one block writes it down for the updates
 *
 * What one layer takes up is the first source of the next one's product; the rest of its input lies in memory. The first layer's da has no
 * product behind it, only updates: it is left to its own kernel. What does not lie as this expects it is done by its parts.
 */
#include "kernels/cuda/cuda_gemm.cuh"
#include "kernels/cuda/cuda_products.h"

extern "C" {
#include "kernels/parts.h"
}

static __device__ const float epsilon_device = 1e-5f;

static bool same_place(const rf_mat &a, const rf_mat &b)
{
    return a.data == b.data && a.ld == b.ld && a.rows == b.rows && a.cols == b.cols;
}

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
    __device__ void make(float *piece, const float *room, int32_t row, int32_t k, bool keeps,
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
        if (norm && !same_place(norm->batch[i].a, batch.y))
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

/* ------------------------------------------------------------------ da of dy and a */

struct gradient_operand {
    static constexpr bool MAKES = true;
    enum { MEAN, RSTD, GAMMA, DGAMMA, DBETA, LINES };
    rf_batchnorm_relu_back op; /* a absent: the factor lies in memory */

    template <class Tile> using panel = rfi_panel<Tile::ROWS, Tile::DEPTH, true>; /* of a, as that of dy */

    template <class Tile> static constexpr int floats()
    {
        return panel<Tile>::FLOATS + LINES * Tile::DEPTH;
    }

    __device__ const float *line(int i) const
    {
        return i == MEAN     ? op.mean
               : i == RSTD   ? op.rstd
               : i == GAMMA  ? op.gamma
               : i == DGAMMA ? op.dgamma
                             : op.dbeta;
    }

    template <class Tile>
    __device__ void fetch(float *room, int32_t row, int32_t k, const rfi_trials &trials) const
    {
        if (!op.a.data)
            return;
        rfi_fetch_any<Tile::ROWS, Tile::DEPTH, panel<Tile>::PITCH, Tile::THREADS>(
            room, rfi_at(op.a.data, trials), op.a.ld, row, op.a.rows, k, op.a.cols);
        room += panel<Tile>::FLOATS;
        for (int i = (int)threadIdx.x; i < LINES * Tile::DEPTH; i += Tile::THREADS) {
            const int32_t c = k + i % Tile::DEPTH;
            const float *from = rfi_at(line(i / Tile::DEPTH), trials);
            rfi_copy_async<4>(room + i, c < op.a.cols ? from + c : from, c < op.a.cols ? 4 : 0);
        }
    }

    template <class Tile, int PITCH>
    __device__ void make(float *piece, const float *room, int32_t row, int32_t k, bool keeps,
                         const rfi_trials &trials) const
    {
        const int32_t at = (int32_t)threadIdx.x % Tile::DEPTH, c = k + at;
        if (!op.a.data || c >= op.a.cols)
            return;
        const float *a = room + at, *lines = room + panel<Tile>::FLOATS + at;
        const float mean = lines[MEAN * Tile::DEPTH], rstd = lines[RSTD * Tile::DEPTH];
        const float share = 1.0f / (float)op.a.rows, scale = lines[GAMMA * Tile::DEPTH] * rstd;
        const float shift = lines[DBETA * Tile::DEPTH] * share,
                    slope = lines[DGAMMA * Tile::DEPTH] * rstd * share;
        float *da = rfi_at(op.da.data, trials) + c;
        for (int32_t i = (int32_t)threadIdx.x / Tile::DEPTH; i < Tile::ROWS && row + i < op.a.rows;
             i += Tile::THREADS / Tile::DEPTH) {
            const float dy = piece[i * PITCH + at];
            const float value = scale * fmaf(mean - a[i * panel<Tile>::PITCH], slope, dy - shift);
            piece[i * PITCH + at] = value;
            if (keeps)
                da[(row + i) * op.da.ld] = value;
        }
    }
};

/* ------------------------------------------------------------------ back */

struct layer_back_epilogue : rfi_epilogue {
    static constexpr bool COL_SUMS = true, ANY_TILE = false;
    using Operand = gradient_operand;
    Operand behind; /* what is turned into the dy of this product            */
    rf_affine_back op;
    rf_batchnorm_relu_back norm; /* of the front of dx; a absent: none follows */

    __device__ const Operand &operand() const
    {
        return behind;
    }

    /* The front of dx becomes dy. */
    __device__ float2 element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        float *dx = rfi_at(op.dx.data, trials) + r * op.dx.ld + c;
        float value = op.accumulate ? *dx + sum : sum;
        float2 sums = {0.0f, 0.0f};
        if (norm.a.data && c < norm.a.cols) {
            const bool open = rfi_at(norm.h.data, trials)[r * norm.h.ld + c] > 0.0f;
            value = open ? value : 0.0f;
            sums.x = value;
            sums.y = value * (rfi_at(norm.a.data, trials)[r * norm.a.ld + c] - rfi_at(norm.mean, trials)[c]);
        }
        *dx = value;
        return sums;
    }

    __device__ bool sums_columns(int32_t col) const
    {
        return norm.a.data && col < norm.a.cols;
    }

    template <class Tile> __device__ float2 column(const float *dy, int32_t rows) const
    {
        float2 sums = {0.0f, 0.0f};
        for (int32_t r = 0; r < rows; r++) {
            sums.x += dy[r * Tile::COLS];
            sums.y += dy[(Tile::ROWS + r) * Tile::COLS];
        }
        return sums;
    }

    template <class Tile>
    __device__ void finish(float *shared, const float *sums, int32_t n_tiles, int32_t col,
                           const rfi_trials &trials) const
    {
        const size_t cols = (size_t)op.dx.cols, all = (size_t)n_tiles * cols;
        const int32_t c = col + (int32_t)threadIdx.x % Tile::COLS;
        const float *at = sums + (c < norm.a.cols ? c : 0);
        const float dbeta =
            rfi_add_tiles<Tile>(shared, n_tiles, [&](int32_t i) { return __ldcg(at + (size_t)i * cols); });
        const float dgamma = rfi_add_tiles<Tile>(
            shared, n_tiles, [&](int32_t i) { return __ldcg(at + all + (size_t)i * cols); });
        if ((int)threadIdx.x >= Tile::COLS || c >= norm.a.cols)
            return;
        rfi_at(norm.dbeta, trials)[c] = dbeta;
        rfi_at(norm.dgamma, trials)[c] = dgamma * rfi_at(norm.rstd, trials)[c];
    }
};

using back_list = rfi_gemm_list<layer_back_epilogue, 1>;

/* A product on the way back; behind and norm are NULL where there is none. */
static back_list back_of(const rf_affine_back *op, const rf_batchnorm_relu_back *behind,
                         const rf_batchnorm_relu_back *norm)
{
    back_list list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(op);
    list.epilogue[0].op = *op;
    if (norm)
        list.epilogue[0].norm = *norm;
    if (behind) {
        list.epilogue[0].behind.op = *behind;
        list.gemm[0].source[0].a = {behind->dh.data, behind->dh.ld};
    }
    return list;
}

/* The normalisation that the front of this product's dx belongs to, if the next product takes it up. */
static const rf_batchnorm_relu_back *norm_behind(const rf_generate_back *op, int32_t l)
{
    return l < op->n_layers && op->layer[l].back.dx.data ? &op->layer[l].norm : nullptr;
}

static bool back_fits(rf_device *device, const rf_affine_back *op, const rf_batchnorm_relu_back *behind,
                      const rf_batchnorm_relu_back *norm)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    if (!rfi_fuses(device, op) || op->dx.rows == 0 || op->dx.cols == 0 || op->dy.cols == 0 ||
        op->gate_kind != RF_GATE_NONE)
        return false;
    /* da is written while dh is still read */
    if (behind && (!same_place(behind->da, op->dy) || behind->da.data == behind->dh.data))
        return false;
    if (norm && (norm->dh.data != op->dx.data || norm->dh.ld != op->dx.ld || norm->dh.rows != op->dx.rows ||
                 norm->a.cols == 0 || norm->a.cols > op->dx.cols))
        return false;
    const back_list list = back_of(op, behind, norm);
    return !rfi_is_wide(cuda, list.gemm, 1) && rfi_gemm_counts(cuda, list.gemm, 1);
}

void rfi_cuda_generate_back(rf_device *device, const rf_generate_back *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return;
    bool fits = back_fits(device, &op->output, nullptr, norm_behind(op, 0));
    for (int32_t l = 0; fits && l < op->n_layers && op->layer[l].back.dx.data; l++)
        fits = back_fits(device, &op->layer[l].back, &op->layer[l].norm, norm_behind(op, l + 1));
    if (!fits) {
        rf_parts_generate_back(device, op);
        return;
    }
    rfi_gemm_run<false, true>(device, back_of(&op->output, nullptr, norm_behind(op, 0)));
    for (int32_t l = 0; l < op->n_layers; l++) {
        if (norm_behind(op, l))
            rfi_gemm_run<false, true>(
                device, back_of(&op->layer[l].back, &op->layer[l].norm, norm_behind(op, l + 1)));
        else
            rfi_cuda_batchnorm_relu_back(device, &op->layer[l].norm);
    }
}
