/* cuda_generator_back.cu - the way back through the generator, a kernel for each product: what lies between is done around the products.
 *
 * With dy = dh where h > 0, sums of dy and of dy (a - mean) are all that da needs besides:
 *
 *     product l+1   ... -> dy -> sums      a tile leaves what its columns come to; the last one makes dbeta and dgamma
 *     product l     dy, a -> da -> ...     in shared memory, and one block in each row of tiles writes it down for the updates
 *
 * The output's product makes its dlogits in the same way, of what the critic says of the activated rows: what a span of a row comes to is
 * little enough for every block to work it out for its rows. The first layer's da has no product behind it, only updates: it is left to its
 * own kernel.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

extern "C" {
#include "kernels/parts.h"
}

/* ------------------------------------------------------------------ da of dy and a */

struct norm_gradient {
    enum { MEAN, RSTD, GAMMA, DGAMMA, DBETA, LINES };
    rf_batchnorm_relu_back op; /* a absent: it is none */

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

/* ------------------------------------------------------------------ dlogits of dout and out
 *
 * Every block works out for its rows what a softmax's way back needs of a whole span, the sum of dout out, and the softmax of each row's
 * condition; those that lead also add up the conditional loss.
 */

struct activation_gradient {
    static constexpr int SPANS = 64;
    enum { TOP, SHARE, FROM, END, TARGET, OF_ROW }; /* of a row: its condition's softmax and columns */
    rf_activate_back op;                            /* out absent: it is none */
    rfi_layout layout;

    template <class Tile>
    using panel = rfi_panel<Tile::ROWS, Tile::DEPTH, true>; /* of out, as that of dout */

    template <class Tile> static constexpr int floats()
    {
        return panel<Tile>::FLOATS;
    }

    template <class Tile> static constexpr int kept()
    {
        return Tile::ROWS * (SPANS + OF_ROW);
    }

    template <class Tile>
    __device__ void begin(float *kept, const rfi_gemm &g, int32_t row, bool leads,
                          const rfi_trials &trials) const
    {
        if (!op.out.data)
            return;
        const int32_t left = op.out.rows - row, rows = left < Tile::ROWS ? left : Tile::ROWS;
        for (int32_t i = (int32_t)threadIdx.x; i < Tile::ROWS * layout.n_spans; i += Tile::THREADS)
            if (i % Tile::ROWS < rows)
                kept[i % Tile::ROWS * SPANS + i / Tile::ROWS] =
                    dot(layout.spans[i / Tile::ROWS], row + i % Tile::ROWS, trials);
        RF_SHARED(float, losses, Tile::ROWS);
        for (int32_t i = (int32_t)threadIdx.x / RFI_WARP; i < rows; i += Tile::THREADS / RFI_WARP) {
            const float loss =
                op.entries ? condition(kept + Tile::ROWS * SPANS + i * OF_ROW, row + i, trials) : 0.0f;
            if (threadIdx.x % RFI_WARP == 0)
                losses[i] = loss;
        }
        if (leads && op.loss)
            add_loss<Tile>(losses, rows, row, g, trials);
    }

    __device__ float dot(const rf_span &span, int32_t r, const rfi_trials &trials) const
    {
        const float *dout = rfi_at(op.dout.data, trials) + r * op.dout.ld + span.offset,
                    *out = rfi_at(op.out.data, trials) + r * op.out.ld + span.offset;
        float sum = 0.0f;
        for (int32_t c = 0; span.kind == RF_SPAN_CODE && c < span.width; c++)
            sum = fmaf(dout[c], out[c], sum);
        return sum;
    }

    /* By a warp: row r's condition, and its cross-entropy. NaN if any logit of the span is. */
    __device__ float condition(float *of_row, int32_t r, const rfi_trials &trials) const
    {
        const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
        const int32_t column = rfi_at(op.columns, trials)[r], entry = rfi_at(op.entries, trials)[r];
        const rf_span span = layout.spans[rfi_at(op.condition_span, trials)[column]];
        const int32_t target = entry - span.cond_offset;
        const float *x = rfi_at(op.logits.data, trials) + r * op.logits.ld + span.offset;
        float top = -INFINITY, sum = 0.0f;
        bool broken = false;
        for (int32_t c = lane; c < span.width; c += RFI_WARP) {
            top = x[c] > top ? x[c] : top;
            broken |= x[c] != x[c];
        }
        top = rfi_warp_max(top);
        for (int32_t c = lane; c < span.width; c += RFI_WARP)
            sum += rfi_exp_term(x[c] - top);
        sum = rfi_warp_sum(sum);
        if (__any_sync(RFI_ALL, broken))
            sum = NAN;
        if (lane == 0) {
            of_row[TOP] = top;
            of_row[SHARE] = 1.0f / (float)op.logits.rows / sum;
            of_row[FROM] = (float)span.offset; /* columns are far from where floats skip a number */
            of_row[END] = (float)(span.offset + span.width);
            of_row[TARGET] = (float)(span.offset + target);
        }
        return rf_log_f32(sum) - (x[target] - top);
    }

    /* Rows in order, then rows of tiles in order. */
    template <class Tile>
    __device__ void add_loss(const float *losses, int32_t rows, int32_t row, const rfi_gemm &g,
                             const rfi_trials &trials) const
    {
        RF_SHARED(double, parts, RFI_WARP);
        const int32_t n = rfi_tiles_down<Tile>(g);
        float *all = rfi_led<Tile>(g);
        __syncthreads();
        if (threadIdx.x == 0) {
            float sum = 0.0f;
            for (int32_t i = 0; i < rows; i++)
                sum += losses[i];
            all[row / Tile::ROWS] = sum;
        }
        if (!rfi_is_last_block(rfi_own(g.all_counter, RFI_COUNTERS), (unsigned)n))
            return;
        const double total = rfi_block_total(all, n, parts);
        if (threadIdx.x == 0)
            *rfi_at(op.loss, trials) = (float)(total / op.logits.rows);
    }

    template <class Tile>
    __device__ void fetch(float *room, int32_t row, int32_t k, const rfi_trials &trials) const
    {
        if (op.out.data)
            rfi_fetch_any<Tile::ROWS, Tile::DEPTH, panel<Tile>::PITCH, Tile::THREADS>(
                room, rfi_at(op.out.data, trials), op.out.ld, row, op.out.rows, k, op.out.cols);
    }

    template <class Tile, int PITCH>
    __device__ void make(float *piece, const float *room, const float *kept, int32_t row, int32_t k,
                         bool keeps, const rfi_trials &trials) const
    {
        const int32_t at = (int32_t)threadIdx.x % Tile::DEPTH, c = k + at;
        if (!op.out.data || c >= op.out.cols)
            return;
        const int32_t number = rfi_span_number(layout, c);
        const bool scalar = layout.spans[number].kind == RF_SPAN_SCALAR;
        const float inverse = 1.0f / op.tau;
        float *dlogits = rfi_at(op.dlogits.data, trials) + c;
        for (int32_t i = (int32_t)threadIdx.x / Tile::DEPTH; i < Tile::ROWS && row + i < op.out.rows;
             i += Tile::THREADS / Tile::DEPTH) {
            const float dout = piece[i * PITCH + at], out = room[i * panel<Tile>::PITCH + at];
            float value =
                scalar ? dout * fmaf(-out, out, 1.0f) : inverse * out * (dout - kept[i * SPANS + number]);
            if (op.entries)
                value = with_condition(kept + Tile::ROWS * SPANS + i * OF_ROW, value, row + i, c, trials);
            piece[i * PITCH + at] = value;
            if (keeps)
                dlogits[(row + i) * op.dlogits.ld] = value;
        }
    }

    __device__ float with_condition(const float *of_row, float value, int32_t r, int32_t c,
                                    const rfi_trials &trials) const
    {
        if ((float)c < of_row[FROM] || (float)c >= of_row[END])
            return value;
        const float x = rfi_at(op.logits.data, trials)[r * op.logits.ld + c];
        value = fmaf(of_row[SHARE], rfi_exp_term(x - of_row[TOP]), value);
        return (float)c == of_row[TARGET] ? value - 1.0f / (float)op.logits.rows : value;
    }
};

/* One of the two, or none. */
struct gradient_operand {
    static constexpr bool MAKES = true;
    norm_gradient norm;
    activation_gradient activation;

    template <class Tile> static constexpr int floats()
    {
        return norm_gradient::floats<Tile>() > activation_gradient::floats<Tile>()
                   ? norm_gradient::floats<Tile>()
                   : activation_gradient::floats<Tile>();
    }

    template <class Tile> static constexpr int kept()
    {
        return activation_gradient::kept<Tile>();
    }

    template <class Tile>
    __device__ void begin(float *kept, const rfi_gemm &g, int32_t row, bool leads,
                          const rfi_trials &trials) const
    {
        activation.template begin<Tile>(kept, g, row, leads, trials);
    }

    template <class Tile>
    __device__ void fetch(float *room, int32_t row, int32_t k, const rfi_trials &trials) const
    {
        norm.template fetch<Tile>(room, row, k, trials);
        activation.template fetch<Tile>(room, row, k, trials);
    }

    template <class Tile, int PITCH>
    __device__ void make(float *piece, const float *room, const float *kept, int32_t row, int32_t k,
                         bool keeps, const rfi_trials &trials) const
    {
        norm.template make<Tile, PITCH>(piece, room, row, k, keeps, trials);
        activation.template make<Tile, PITCH>(piece, room, kept, row, k, keeps, trials);
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

/* A product on the way back, whose dy `behind` makes; norm is NULL where none follows. */
static back_list back_of(const rf_affine_back *op, const gradient_operand *behind,
                         const rf_batchnorm_relu_back *norm)
{
    back_list list = {};
    list.n = 1;
    list.gemm[0] = rfi_gemm_of(op);
    list.epilogue[0].op = *op;
    list.epilogue[0].behind = *behind;
    if (norm)
        list.epilogue[0].norm = *norm;
    if (behind->norm.op.a.data)
        list.gemm[0].source[0].a = {behind->norm.op.dh.data, behind->norm.op.dh.ld};
    if (behind->activation.op.out.data) {
        list.gemm[0].n_led = 1;
        list.gemm[0].source[0].a = {behind->activation.op.dout.data, behind->activation.op.dout.ld};
    }
    return list;
}

/* The normalisation that the front of this product's dx belongs to, if the next product takes it up. */
static const rf_batchnorm_relu_back *norm_behind(const rf_generate_back *op, int32_t l)
{
    return l < op->n_layers && op->layer[l].back.dx.data ? &op->layer[l].norm : nullptr;
}

static back_list layer_back_of(const rf_generate_back *op, int32_t l)
{
    gradient_operand behind = {};
    behind.norm.op = op->layer[l].norm;
    return back_of(&op->layer[l].back, &behind, norm_behind(op, l + 1));
}

/* The output's product; with the activation in it where that fits. */
static back_list output_back_of(const rf_generate_back *op, const rfi_layout *layout)
{
    gradient_operand behind = {};
    if (layout) {
        behind.activation.op = op->activate;
        behind.activation.layout = *layout;
    }
    return back_of(&op->output, &behind, norm_behind(op, 0));
}

static bool back_fits(rf_device *device, const rf_affine_back *op, const rf_batchnorm_relu_back *norm)
{
    if (!rfi_fuses(device, op) || op->dx.rows == 0 || op->dx.cols == 0 || op->dy.cols == 0 ||
        op->gate_kind != RF_GATE_NONE)
        return false;
    return !norm || (norm->dh.data == op->dx.data && norm->dh.ld == op->dx.ld &&
                     norm->dh.rows == op->dx.rows && norm->a.cols > 0 && norm->a.cols <= op->dx.cols);
}

/* da is written while dh is still read. */
static bool all_fit(rf_device *device, const rf_generate_back *op)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    if (!back_fits(device, &op->output, norm_behind(op, 0)))
        return false;
    back_list list = output_back_of(op, nullptr);
    bool fits = !rfi_is_wide(cuda, list.gemm, 1) && rfi_gemm_counts(cuda, list.gemm, 1);
    for (int32_t l = 0; fits && norm_behind(op, l); l++) {
        const rf_batchnorm_relu_back *norm = &op->layer[l].norm;
        fits = back_fits(device, &op->layer[l].back, norm_behind(op, l + 1)) &&
               rfi_same_place(norm->da, op->layer[l].back.dy) && norm->da.data != norm->dh.data;
        list = layer_back_of(op, l);
        fits = fits && !rfi_is_wide(cuda, list.gemm, 1) && rfi_gemm_counts(cuda, list.gemm, 1);
    }
    return fits;
}

static bool activation_fits(const rf_generate_back *op, const rfi_layout *layout)
{
    const rf_activate_back *activate = &op->activate;
    return layout->n_spans <= activation_gradient::SPANS &&
           rfi_same_place(activate->dlogits, op->output.dy) &&
           activate->dout.data != activate->dlogits.data && activate->out.cols == op->output.dy.cols &&
           activate->out.rows == op->output.dy.rows;
}

static void output_back(rf_device *device, const rf_generate_back *op)
{
    rfi_layout layout;
    const bool activates = op->activate.layout;
    if (activates && !rfi_layout_of(device, op->activate.layout, &layout))
        return;
    const bool at_once = activates && activation_fits(op, &layout);
    if (activates && !at_once)
        rfi_cuda_activate_back(device, &op->activate);
    rfi_gemm_run<false, true>(device, output_back_of(op, at_once ? &layout : nullptr));
}

void rfi_cuda_generate_back(rf_device *device, const rf_generate_back *op)
{
    if (!rfi_ready(device))
        return;
    if (!all_fit(device, op)) {
        rf_parts_generate_back(device, op);
        return;
    }
    output_back(device, op);
    for (int32_t l = 0; l < op->n_layers; l++) {
        if (norm_behind(op, l))
            rfi_gemm_run<false, true>(device, layer_back_of(op, l));
        else
            rfi_cuda_batchnorm_relu_back(device, &op->layer[l].norm);
    }
}
