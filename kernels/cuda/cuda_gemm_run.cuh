/* cuda_gemm_run.cuh - the host's side of our own products: which tile, how many cuts along the depth, where the parts lie, and the launch.
 *
 *     rfi_gemm_list<my_epilogue, 1> list = {};
 *     list.n = 1;
 *     list.gemm[0] = rfi_gemm_of(&op);                      // sizes and sources; the rest is filled in
 *     list.epilogue[0] = my_epilogue_of(&op);               // what takes the tile (cuda_gemm.cuh)
 *     rfi_gemm_run<A_TRANSPOSED, B_TRANSPOSED>(device, list);
 *
 * How a product is cut depends on its sizes and on the GPU, not on the number of trials.
 */
#ifndef RF_CUDA_GEMM_RUN_CUH
#define RF_CUDA_GEMM_RUN_CUH

#include "kernels/cuda/cuda_gemm.cuh"

/* ------------------------------------------------------------------ the products of operations */

static inline rfi_gemm rfi_gemm_of(const rf_affine *op)
{
    rfi_gemm g = {};
    g.rows = op->y.rows;
    g.cols = op->y.cols;
    if (op->x.data && op->x.cols > 0)
        g.source[g.n_sources++] = {{op->x.data, op->x.ld}, {op->w.data, op->w.ld}, op->x.cols};
    return g;
}

static inline rfi_gemm rfi_gemm_of(const rf_affine_back *op)
{
    rfi_gemm g = {};
    g.rows = op->dx.rows;
    g.cols = op->dx.cols;
    if (op->dy.cols > 0)
        g.source[g.n_sources++] = {{op->dy.data, op->dy.ld}, {op->w.data, op->w.ld}, op->dy.cols};
    return g;
}

/* ------------------------------------------------------------------ choosing, cutting, launching */

static inline int64_t rfi_gemm_tiles(const rfi_gemm &g, int tile_rows, int tile_cols)
{
    return rfi_divide_up(g.rows, tile_rows) * rfi_divide_up(g.cols, tile_cols);
}

static inline int64_t rfi_gemm_pieces(const rfi_gemm &g, int depth)
{
    int64_t pieces = 0;
    for (int32_t s = 0; s < g.n_sources; s++)
        pieces += rfi_divide_up(g.source[s].depth, depth);
    return pieces;
}

enum { RFI_GEMMS_MAX = RFI_LEARN_MATRICES }; /* of one kernel */

/* Enough tiles to fill the chip once, without more parts than a few pieces of depth each. */
static inline int32_t rfi_splits(int64_t tiles, int64_t pieces, int n_multiprocessors)
{
    int64_t n = n_multiprocessors / (tiles > 0 ? tiles : 1);
    n = n < pieces / 4 ? n : pieces / 4;
    n = n < 16 ? n : 16;
    return n < 1 || tiles >= RFI_COUNTERS ? 1 : (int32_t)n; /* the last counter is the grid's */
}

/* Whether n products together have enough wide tiles to fill half of the chip. */
static inline bool rfi_is_wide(const rfi_cuda *cuda, const rfi_gemm *gemm, int32_t n)
{
    int64_t tiles = 0;
    for (int32_t i = 0; i < n; i++)
        tiles += rfi_gemm_tiles(gemm[i], RFI_WIDE_TILE::ROWS, RFI_WIDE_TILE::COLS);
    return 2 * tiles >= cuda->n_multiprocessors;
}

/* Whether every tile of the products can have its counters, as EXTRA, PAIRED and COL_SUMS need. */
static inline bool rfi_gemm_counts(const rfi_cuda *cuda, const rfi_gemm *gemm, int32_t n)
{
    const bool wide = rfi_is_wide(cuda, gemm, n);
    int64_t tiles = 0;
    for (int32_t i = 0; i < n; i++)
        tiles += rfi_gemm_tiles(gemm[i], wide ? RFI_WIDE_TILE::ROWS : RFI_SMALL_TILE::ROWS,
                                wide ? RFI_WIDE_TILE::COLS : RFI_SMALL_TILE::COLS);
    return 2 * tiles < RFI_COUNTERS; /* pairs have one more each, columns of tiles too */
}

/* What n products of one kernel need in scratch. Each one's place, and that of its sums, is written down as an offset, in floats of a
 * trial. Sums of rows are those of all products together. */
template <class Tile, class Epilogue>
static size_t rfi_gemm_scratch(rfi_gemm *gemm, int32_t n, size_t *places, size_t *sums)
{
    size_t floats = 0;
    int64_t tiles = 0, columns = 0;
    for (int32_t i = 0; i < n; i++) {
        const rfi_gemm *g = &gemm[i];
        const int32_t slots = g->n_splits > 1 || Epilogue::EXTRA ? g->n_splits + Epilogue::EXTRA : 0;
        places[i] = floats;
        floats += (size_t)g->rows * (size_t)g->cols * (size_t)slots;
        sums[i] = floats;
        floats += Epilogue::COL_SUMS || g->n_led > 0 ? rfi_own_sums<Tile>(*g) : 0;
        tiles += rfi_gemm_tiles(*g, Tile::ROWS, Tile::COLS);
        gemm[i].row_first = (int32_t)columns;
        columns += rfi_divide_up(g->cols, Tile::COLS);
    }
    for (int32_t i = 0; i < n; i++) {
        gemm[i].n_tiles = (int32_t)tiles;
        gemm[i].row_pitch = (int32_t)columns;
        sums[i] = Epilogue::ROW_SUMS ? floats : sums[i];
    }
    return floats + (Epilogue::ROW_SUMS ? (size_t)gemm[0].rows * (size_t)columns : 0);
}

/* Cuts n products (with row sums: of equally many rows) for `blocks_wanted` blocks, gives them scratch and counters, and deals the
 * blocks: first[0] is given, the rest follow. false: there is no scratch, and the failure is kept. */
template <class Tile, class Epilogue>
static bool rfi_gemm_cut(rf_device *device, rfi_gemm *gemm, int32_t n, int32_t *first, int blocks_wanted)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    constexpr int extra = rfi_extra_blocks<Tile, Epilogue>;
    int64_t tiles = 0;
    size_t places[RFI_GEMMS_MAX], sums[RFI_GEMMS_MAX];
    unsigned *counters = cuda->counters;
    for (int32_t i = 0; i < n; i++)
        tiles += rfi_gemm_tiles(gemm[i], Tile::ROWS, Tile::COLS);
    for (int32_t i = 0; i < n; i++)
        gemm[i].n_splits = rfi_splits(tiles, rfi_gemm_pieces(gemm[i], Tile::DEPTH), blocks_wanted);
    const size_t floats = rfi_gemm_scratch<Tile, Epilogue>(gemm, n, places, sums);
    char *scratch = floats > 0 ? rfi_scratch(device, floats * sizeof(float)) : nullptr;
    if (floats > 0 && !scratch)
        return false;
    for (int32_t i = 0; i < n; i++) {
        rfi_gemm *g = &gemm[i];
        const int32_t own = (int32_t)rfi_gemm_tiles(*g, Tile::ROWS, Tile::COLS);
        g->counters = counters;
        g->all_counter = cuda->counters + RFI_COUNTERS - 1;
        g->parts = reinterpret_cast<float *>(scratch) + places[i] * (size_t)cuda->n_trials;
        g->sums = reinterpret_cast<float *>(scratch) + sums[i] * (size_t)cuda->n_trials;
        counters += g->n_splits + extra > 1 || Epilogue::COL_SUMS ? own : 0;
        counters += Epilogue::COL_SUMS ? rfi_divide_up(g->cols, Tile::COLS) : 0;
        first[i + 1] = first[i] + own * (g->n_splits + extra);
    }
    return true;
}

template <class Tile, rf_precision PRECISION, bool A_TRANSPOSED, bool B_TRANSPOSED, class Epilogue, int N>
static void rfi_gemm_launch(rf_device *device, rfi_gemm_list<Epilogue, N> list)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    list.first[0] = 0;
    if (!rfi_gemm_cut<Tile, Epilogue>(device, list.gemm, list.n, list.first, cuda->n_multiprocessors))
        return;
    auto kernel = rfi_gemm_kernel<Tile, PRECISION, A_TRANSPOSED, B_TRANSPOSED, Epilogue, N>;
    RFI_LAUNCH(device, kernel, list.first[list.n], 1, Tile::THREADS, 0, list);
}

template <rf_precision PRECISION, bool A_TRANSPOSED, bool B_TRANSPOSED, class Epilogue, int N>
static void rfi_gemm_any_tile(rf_device *device, const rfi_gemm_list<Epilogue, N> &list)
{
    if constexpr (Epilogue::ANY_TILE) {
        if (rfi_is_wide(static_cast<const rfi_cuda *>(device->self), list.gemm, list.n)) {
            rfi_gemm_launch<RFI_WIDE_TILE, PRECISION, A_TRANSPOSED, B_TRANSPOSED>(device, list);
            return;
        }
    }
    rfi_gemm_launch<RFI_SMALL_TILE, PRECISION, A_TRANSPOSED, B_TRANSPOSED>(device, list);
}

/* The products of a list with the device's precision: fill in n, gemm (sizes and sources) and epilogue. */
template <bool A_TRANSPOSED, bool B_TRANSPOSED, class Epilogue, int N>
static void rfi_gemm_run(rf_device *device, const rfi_gemm_list<Epilogue, N> &list)
{
    switch (static_cast<const rfi_cuda *>(device->self)->precision) {
    case RF_PRECISION_TF32:
        rfi_gemm_any_tile<RF_PRECISION_TF32, A_TRANSPOSED, B_TRANSPOSED>(device, list);
        break;
    case RF_PRECISION_BF16:
        rfi_gemm_any_tile<RF_PRECISION_BF16, A_TRANSPOSED, B_TRANSPOSED>(device, list);
        break;
    default:
        rfi_gemm_any_tile<RF_PRECISION_3XTF32, A_TRANSPOSED, B_TRANSPOSED>(device, list);
        break;
    }
}

#endif
