/* cuda_gemm.cuh - our own product of two matrices, with whatever comes after it in the same kernel.
 *
 *     c(i, j) = sum over sources s, sum over k of a_s(i, k) b_s(k, j)         then the epilogue takes the tile
 *
 * The matrices of these networks are small: 50 to 1,000 rows, a few hundred columns, and up to some thousand deep. Two shapes of tile
 * serve them (RFI_WIDE_TILE where those fill the chip, else RFI_SMALL_TILE, whose four warps share the depth), and a product with few
 * tiles and much depth is cut along it as well (`splits`): the parts go to scratch, and the block that comes last adds them up in
 * order.
 *
 *     memory --cp.async--> shared memory, STAGES deep --fragments--> mma.sync --> registers --> shared tile --> epilogue
 *                             (operand)
 *
 * Several products may share one kernel (rfi_gemm_list): their blocks are dealt one product after the other.
 *
 * A factor lies in shared memory as it lies in memory, so that copies are contiguous; rows are padded so that the lanes of a
 * fragment fall on different banks. Order of a sum: sources, k in steps of the instruction; in small tiles each warp takes every
 * fourth step, and the warps' sums are added in order; then splits in order. Nothing of it depends on the number of trials.
 *
 * Precision. A product of two floats cut to tf32 (10 bits) is exact to 2^-10. 3XTF32 cuts x into big = tf32(x) and small = tf32(x - big) and
 * adds small big' + big small' + big big', as exact as float to about 2^-21 (Ootomo and Yokota, "Recovering single precision
 * accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance", 2022).
 */
#ifndef RF_CUDA_GEMM_CUH
#define RF_CUDA_GEMM_CUH

#include "kernels/cuda/cuda_reduce.cuh"
#include "kernels/cuda/ptx.cuh"

/* ------------------------------------------------------------------ shapes */

template <int ROWS_, int COLS_, int WARPS_ROWS_, int WARPS_COLS_, int WARPS_DEPTH_, int STAGES_>
struct rfi_tile {
    static constexpr int ROWS = ROWS_, COLS = COLS_, DEPTH = 32, STAGES = STAGES_;
    static constexpr int WARPS_ROWS = WARPS_ROWS_, WARPS_COLS = WARPS_COLS_, WARPS_DEPTH = WARPS_DEPTH_;
    static constexpr int THREADS = RFI_WARP * WARPS_ROWS * WARPS_COLS * WARPS_DEPTH;
    static constexpr int MMA_ROWS = ROWS / WARPS_ROWS / 16, MMA_COLS = COLS / WARPS_COLS / 8;
};

using RFI_WIDE_TILE = rfi_tile<64, 64, 2, 2, 1, 2>;
using RFI_SMALL_TILE = rfi_tile<16, 32, 1, 1, 4, 4>;

/* A factor in memory: element (i, k) at data[i * ld + k], or at data[k * ld + i] when transposed. */
struct rfi_factor {
    const float *data;
    int64_t ld;
};

struct rfi_source {
    rfi_factor a, b;
    int32_t depth;
};

struct rfi_gemm {
    int32_t rows, cols, n_sources, n_splits;
    rfi_source source[RF_UPDATE_DENSE_MAX];
    float *parts;          /* (n_parts, rows, cols) of each trial when a tile has several blocks */
    unsigned *counters;    /* one a tile                                                      */
    unsigned *all_counter; /* of the kernel                                                   */
    int32_t n_tiles;       /* of the kernel                                                   */
    int32_t n_led;         /* numbers that an operand's leading blocks leave for each row of tiles */
    float *sums;           /* of each trial: (rows, row_pitch), a tile's columns in one number; or
                            * (2, tiles below each other, cols), its rows in two; then (tiles below each other, n_led) */
    int32_t row_pitch, row_first;
};

template <class Tile> __host__ __device__ inline int32_t rfi_tiles_down(const rfi_gemm &g)
{
    return (g.rows + Tile::ROWS - 1) / Tile::ROWS;
}

/* What COL_SUMS leave, and leading blocks behind it. */
template <class Tile> __host__ __device__ inline size_t rfi_col_sums(const rfi_gemm &g)
{
    return 2 * (size_t)g.cols * (size_t)rfi_tiles_down<Tile>(g);
}

template <class Tile> __host__ __device__ inline size_t rfi_own_sums(const rfi_gemm &g)
{
    return rfi_col_sums<Tile>(g) + (size_t)g.n_led * (size_t)rfi_tiles_down<Tile>(g);
}

template <class Tile> __device__ float *rfi_led(const rfi_gemm &g)
{
    return rfi_own(g.sums, rfi_own_sums<Tile>(g)) + rfi_col_sums<Tile>(g);
}

/* ------------------------------------------------------------------ a stage of shared memory */

/* Lines of LENGTH floats that are contiguous in memory; fragments walk along them or across them. */
template <int LINES, int LENGTH, bool ALONG> struct rfi_panel {
    static constexpr int PITCH = LENGTH + (ALONG ? 4 : 8);
    static constexpr int FLOATS = LINES * PITCH;
};

/* `outer` lines from `first_line` on, `inner` floats from `first` on; what lies outside is 0. */
template <int LINES, int LENGTH, int PITCH, int THREADS, int BYTES>
__device__ void rfi_fetch(float *shared, const float *data, int64_t ld, int32_t first_line, int32_t n_lines,
                          int32_t first, int32_t n)
{
    constexpr int FLOATS = BYTES / 4, PER_LINE = LENGTH / FLOATS;
    for (int i = (int)threadIdx.x; i < LINES * PER_LINE; i += THREADS) {
        const int32_t line = first_line + i / PER_LINE, at = first + i % PER_LINE * FLOATS;
        const int32_t left = line < n_lines ? n - at : 0;
        const int given = left <= 0 ? 0 : left < FLOATS ? left : FLOATS;
        rfi_copy_async<BYTES>(shared + i / PER_LINE * PITCH + i % PER_LINE * FLOATS,
                              given > 0 ? data + line * ld + at : data, 4 * given);
    }
}

template <int LINES, int LENGTH, int PITCH, int THREADS>
__device__ void rfi_fetch_any(float *shared, const float *data, int64_t ld, int32_t first_line,
                              int32_t n_lines, int32_t first, int32_t n)
{
    if (ld % 4 == 0 && reinterpret_cast<uintptr_t>(data) % 16 == 0)
        rfi_fetch<LINES, LENGTH, PITCH, THREADS, 16>(shared, data, ld, first_line, n_lines, first, n);
    else
        rfi_fetch<LINES, LENGTH, PITCH, THREADS, 4>(shared, data, ld, first_line, n_lines, first, n);
}

/* ------------------------------------------------------------------ fragments */

template <rf_precision PRECISION> struct rfi_step {
    static constexpr int DEPTH = PRECISION == RF_PRECISION_BF16 ? 16 : 8;
    static constexpr int PARTS = PRECISION == RF_PRECISION_3XTF32 ? 2 : 1; /* big, small */
};

/* N registers of a fragment; at(i, half) is the element that register i holds (bf16: two). */
template <rf_precision PRECISION, int N, class At>
__device__ void rfi_fragment(uint32_t out[rfi_step<PRECISION>::PARTS][N], At at)
{
    for (int i = 0; i < N; i++) {
        if constexpr (PRECISION == RF_PRECISION_BF16) {
            out[0][i] = rfi_bf16_pair(at(i, 0), at(i, 1));
        } else {
            const float x = at(i, 0);
            out[0][i] = rfi_tf32(x);
            if constexpr (PRECISION == RF_PRECISION_3XTF32) {
                const float small = x - rf_f32_of_bits(out[0][i]);
                out[1][i] = rfi_tf32(small == small ? small : 0.0f); /* infinity less itself */
            }
        }
    }
}

template <rf_precision PRECISION>
__device__ void rfi_multiply_step(float c[4], const uint32_t a[rfi_step<PRECISION>::PARTS][4],
                                  const uint32_t b[rfi_step<PRECISION>::PARTS][2])
{
    if constexpr (PRECISION == RF_PRECISION_BF16) {
        rfi_mma_bf16(c, a[0], b[0]);
    } else if constexpr (PRECISION == RF_PRECISION_3XTF32) {
        rfi_mma_tf32(c, a[1], b[0]);
        rfi_mma_tf32(c, a[0], b[1]);
        rfi_mma_tf32(c, a[0], b[0]);
    } else {
        rfi_mma_tf32(c, a[0], b[0]);
    }
}

/* ------------------------------------------------------------------ a factor that is made on its way
 *
 * The first source's a need not lie in memory as it is multiplied: it may be worked out piece by piece in shared memory. An operand says
 * from what:
 *
 *     floats<Tile>()                       what a stage holds behind the two factors
 *     kept<Tile>()                         what the block holds besides
 *     begin<Tile>(kept, g, row, leads)     works that out, once, while the first pieces come; one block in each row of tiles `leads`
 *     fetch<Tile>(room, row, k)            asks for a piece, all threads together
 *     make<Tile, PITCH>(piece, room, kept, row, k, keeps)
 *                                          turns the piece (Tile::ROWS lines of Tile::DEPTH, PITCH apart) into what is multiplied, and writes
 *                                          it to memory where it `keeps`, in one block for each piece
 */
struct rfi_plain_operand {
    static constexpr bool MAKES = false;

    template <class Tile> static constexpr int floats()
    {
        return 0;
    }

    template <class Tile> static constexpr int kept()
    {
        return 0;
    }
};

/* ------------------------------------------------------------------ a tile */

template <class Tile, rf_precision PRECISION, bool A_TRANSPOSED, bool B_TRANSPOSED,
          class Operand = rfi_plain_operand>
struct rfi_tile_product {
    using step = rfi_step<PRECISION>;
    using a_panel = rfi_panel<A_TRANSPOSED ? Tile::DEPTH : Tile::ROWS,
                              A_TRANSPOSED ? Tile::ROWS : Tile::DEPTH, !A_TRANSPOSED>;
    using b_panel = rfi_panel<B_TRANSPOSED ? Tile::COLS : Tile::DEPTH,
                              B_TRANSPOSED ? Tile::DEPTH : Tile::COLS, B_TRANSPOSED>;
    static constexpr int ROOM = a_panel::FLOATS + b_panel::FLOATS;
    static constexpr int STAGE = ROOM + Operand::template floats<Tile>();
    static constexpr int SUMS = Tile::WARPS_DEPTH * Tile::ROWS * Tile::COLS;
    static constexpr int KEPT = STAGE * Tile::STAGES > SUMS ? STAGE *Tile::STAGES : SUMS; /* where it is */
    static constexpr int FLOATS = KEPT + Operand::template kept<Tile>();
    static_assert(FLOATS * 4 <= 48 * 1024, "a tile fits the shared memory that every kernel has");

    /* The source of a piece (32 values of k of one source); `piece` is counted within it afterwards. */
    __device__ static int32_t source_of(const rfi_gemm &g, int32_t *piece)
    {
        int32_t s = 0;
        for (; s + 1 < g.n_sources && *piece * Tile::DEPTH >= g.source[s].depth; s++)
            *piece -= (g.source[s].depth + Tile::DEPTH - 1) / Tile::DEPTH;
        return s;
    }

    /* A piece of the depth into a stage. */
    __device__ static void fetch(float *stage, const rfi_gemm &g, const Operand &operand, int32_t piece,
                                 int32_t row, int32_t col, const rfi_trials &trials)
    {
        const int32_t s = source_of(g, &piece);
        const rfi_source &source = g.source[s];
        const float *a = rfi_at(source.a.data, trials), *b = rfi_at(source.b.data, trials);
        const int32_t k = piece * Tile::DEPTH;
        if constexpr (Operand::MAKES) {
            if (s == 0)
                operand.template fetch<Tile>(stage + ROOM, row, k, trials);
        }
        if constexpr (A_TRANSPOSED)
            rfi_fetch_any<Tile::DEPTH, Tile::ROWS, a_panel::PITCH, Tile::THREADS>(stage, a, source.a.ld, k,
                                                                                  source.depth, row, g.rows);
        else
            rfi_fetch_any<Tile::ROWS, Tile::DEPTH, a_panel::PITCH, Tile::THREADS>(stage, a, source.a.ld, row,
                                                                                  g.rows, k, source.depth);
        stage += a_panel::FLOATS;
        if constexpr (B_TRANSPOSED)
            rfi_fetch_any<Tile::COLS, Tile::DEPTH, b_panel::PITCH, Tile::THREADS>(stage, b, source.b.ld, col,
                                                                                  g.cols, k, source.depth);
        else
            rfi_fetch_any<Tile::DEPTH, Tile::COLS, b_panel::PITCH, Tile::THREADS>(stage, b, source.b.ld, k,
                                                                                  source.depth, col, g.cols);
    }

    __device__ static float a_at(const float *stage, int row, int k)
    {
        return A_TRANSPOSED ? stage[k * a_panel::PITCH + row] : stage[row * a_panel::PITCH + k];
    }

    __device__ static float b_at(const float *stage, int k, int col)
    {
        return B_TRANSPOSED ? stage[a_panel::FLOATS + col * b_panel::PITCH + k]
                            : stage[a_panel::FLOATS + k * b_panel::PITCH + col];
    }

    /* One instruction's depth of a stage, for the warp's part of the tile. */
    __device__ static void multiply(float c[Tile::MMA_ROWS][Tile::MMA_COLS][4], const float *stage, int k,
                                    int row, int col)
    {
        const int lane = (int)(threadIdx.x % RFI_WARP), group = lane / 4, t = lane % 4;
        constexpr bool pairs = PRECISION == RF_PRECISION_BF16;
        uint32_t a[Tile::MMA_ROWS][step::PARTS][4];
        for (int i = 0; i < Tile::MMA_ROWS; i++)
            rfi_fragment<PRECISION, 4>(a[i], [&](int at, int half) {
                const int along = pairs ? 2 * t + half + at / 2 * 8 : t + at / 2 * 4;
                return a_at(stage, row + 16 * i + group + at % 2 * 8, k + along);
            });
        for (int j = 0; j < Tile::MMA_COLS; j++) {
            uint32_t b[step::PARTS][2];
            rfi_fragment<PRECISION, 2>(b, [&](int at, int half) {
                const int along = pairs ? 2 * t + half + at * 8 : t + at * 4;
                return b_at(stage, k + along, col + 8 * j + group);
            });
            for (int i = 0; i < Tile::MMA_ROWS; i++)
                rfi_multiply_step<PRECISION>(c[i][j], a[i], b);
        }
    }

    /* What has arrived becomes what is multiplied. */
    __device__ static void make(float *stage, const float *kept, const rfi_gemm &g, const Operand &operand,
                                int32_t piece, int32_t row, int32_t col, const rfi_trials &trials)
    {
        static_assert(!A_TRANSPOSED, "an operand meets its rows as lines");
        if (source_of(g, &piece) > 0)
            return;
        operand.template make<Tile, a_panel::PITCH>(stage, stage + ROOM, kept, row, piece * Tile::DEPTH,
                                                    col == 0, trials);
        __syncthreads();
    }

    /* The sums of pieces first..end-1, as the block's WARPS_DEPTH tiles of shared memory. */
    __device__ static void run(float *shared, const rfi_gemm &g, const Operand &operand, int32_t row,
                               int32_t col, int32_t first, int32_t end, const rfi_trials &trials)
    {
        const int warp = (int)(threadIdx.x / RFI_WARP), along = warp % Tile::WARPS_DEPTH;
        const int warp_row = warp / Tile::WARPS_DEPTH / Tile::WARPS_COLS * Tile::MMA_ROWS * 16;
        const int warp_col = warp / Tile::WARPS_DEPTH % Tile::WARPS_COLS * Tile::MMA_COLS * 8;
        float c[Tile::MMA_ROWS][Tile::MMA_COLS][4] = {};
        for (int i = 0; i < Tile::STAGES - 1; i++) {
            if (first + i < end)
                fetch(shared + i * STAGE, g, operand, first + i, row, col, trials);
            rfi_copy_commit();
        }
        if constexpr (Operand::MAKES)
            operand.template begin<Tile>(shared + KEPT, g, row, col == 0 && first == 0, trials);
        for (int32_t piece = first; piece < end; piece++) {
            const int32_t next = piece + Tile::STAGES - 1;
            rfi_copy_wait<Tile::STAGES - 2>();
            __syncthreads(); /* the piece is there for all, and nobody reads the stage that is filled next */
            if (next < end)
                fetch(shared + (next - first) % Tile::STAGES * STAGE, g, operand, next, row, col, trials);
            rfi_copy_commit();
            float *stage = shared + (piece - first) % Tile::STAGES * STAGE;
            if constexpr (Operand::MAKES)
                make(stage, shared + KEPT, g, operand, piece, row, col, trials);
            for (int i = along; i < Tile::DEPTH / step::DEPTH; i += Tile::WARPS_DEPTH)
                multiply(c, stage, i * step::DEPTH, warp_row, warp_col);
        }
        rfi_copy_wait<0>();
        __syncthreads();
        store(shared + along * Tile::ROWS * Tile::COLS, c, warp_row, warp_col);
        __syncthreads();
    }

    __device__ static void store(float *tile, const float c[Tile::MMA_ROWS][Tile::MMA_COLS][4], int row,
                                 int col)
    {
        const int lane = (int)(threadIdx.x % RFI_WARP), group = lane / 4, t = lane % 4;
        for (int i = 0; i < Tile::MMA_ROWS; i++)
            for (int j = 0; j < Tile::MMA_COLS; j++)
                for (int e = 0; e < 4; e++)
                    tile[(row + 16 * i + group + e / 2 * 8) * Tile::COLS + col + 8 * j + 2 * t + e % 2] =
                        c[i][j][e];
    }
};

/* ------------------------------------------------------------------ what comes after the product
 *
 * An epilogue takes the finished sums of a tile (Tile::ROWS x Tile::COLS in shared memory):
 *
 *     tile(shared, row, col)    may add to them, all threads together
 *     element(sum, r, c)        takes each one inside the matrix
 *
 * and may have more:
 *
 *     EXTRA       each tile has further blocks, of a row a warp, that run beside the product: extra(slot, …) leaves something for every element
 *                 in scratch, and element(sum, left, r, c) gets it.
 *     ROW_SUMS    element returns a number, whose sums over each row finish(…) finds in scratch: it is run by the block that comes last of
 *                 the whole kernel. Only where sums_rows() says so.
 *     COL_SUMS    element returns two numbers, which make two tiles; column(…) makes two numbers of each of their columns, which finish(…) finds in
 *                 scratch for all tiles below each other: it is run by the block that comes last of those. Only where sums_columns(col) says so.
 *     PAIRED      two products of one shape share the kernel: of two tiles at one place the block that comes last runs paired(row, col).
 *     Operand     and operand(): what the first factor is made from.
 *     ANY_TILE    false: the wide tile has no room for the operand.
 */
struct rfi_epilogue {
    static constexpr bool EXTRA = false, ROW_SUMS = false, COL_SUMS = false, PAIRED = false, ANY_TILE = true;
    using Operand = rfi_plain_operand;

    __device__ Operand operand() const
    {
        return {};
    }

    __device__ bool sums_rows() const
    {
        return true;
    }

    template <class Tile> __device__ void tile(float *, int32_t, int32_t, const rfi_trials &) const
    {
    }
};

template <class Tile, class Epilogue>
inline constexpr int rfi_extra_blocks = Epilogue::EXTRA ? Tile::ROWS *RFI_WARP / Tile::THREADS : 0;

/* ------------------------------------------------------------------ a block */

/* Adds up the warps' sums. */
template <class Tile> __device__ void rfi_add_warps(float *shared)
{
    for (int i = (int)threadIdx.x; i < Tile::ROWS * Tile::COLS; i += Tile::THREADS) {
        float sum = shared[i];
        for (int w = 1; w < Tile::WARPS_DEPTH; w++)
            sum += shared[w * Tile::ROWS * Tile::COLS + i];
        shared[i] = sum;
    }
}

/* A tile between shared memory and the splits' parts: each thread meets the elements that are its own. */
template <class Tile>
__device__ void rfi_leave_split(const float *shared, float *part, const rfi_gemm &g, int32_t row, int32_t col)
{
    for (int i = (int)threadIdx.x; i < Tile::ROWS * Tile::COLS; i += Tile::THREADS) {
        const int32_t r = row + i / Tile::COLS, c = col + i % Tile::COLS;
        if (r < g.rows && c < g.cols)
            part[(size_t)r * (size_t)g.cols + (size_t)c] = shared[i];
    }
}

template <class Tile>
__device__ void rfi_add_splits(float *shared, const float *parts, const rfi_gemm &g, int32_t row, int32_t col)
{
    const size_t n = (size_t)g.rows * (size_t)g.cols;
    for (int i = (int)threadIdx.x; i < Tile::ROWS * Tile::COLS; i += Tile::THREADS) {
        const int32_t r = row + i / Tile::COLS, c = col + i % Tile::COLS;
        float sum = 0.0f;
        for (int32_t s = 0; s < g.n_splits && r < g.rows && c < g.cols; s++)
            sum += __ldcg(parts + (size_t)s * n + (size_t)r * (size_t)g.cols + (size_t)c);
        shared[i] = sum;
    }
}

/* Every element of the tile to the epilogue; what it returns takes the sum's place. */
template <class Tile, class Epilogue>
__device__ void rfi_each_element(float *shared, const float *left, const rfi_gemm &g,
                                 const Epilogue &epilogue, int32_t row, int32_t col, const rfi_trials &trials)
{
    for (int i = (int)threadIdx.x; i < Tile::ROWS * Tile::COLS; i += Tile::THREADS) {
        const int32_t r = row + i / Tile::COLS, c = col + i % Tile::COLS;
        const bool inside = r < g.rows && c < g.cols;
        if constexpr (Epilogue::ROW_SUMS) {
            shared[i] = inside ? epilogue.element(shared[i], r, c, trials) : 0.0f;
        } else if constexpr (Epilogue::COL_SUMS) {
            const float2 both = inside ? epilogue.element(shared[i], r, c, trials) : float2{};
            shared[i] = both.x;
            shared[i + Tile::ROWS * Tile::COLS] = both.y;
        } else if constexpr (Epilogue::EXTRA) {
            if (inside)
                epilogue.element(shared[i], __ldcg(left + (size_t)r * (size_t)g.cols + (size_t)c), r, c,
                                 trials);
        } else {
            if (inside)
                epilogue.element(shared[i], r, c, trials);
        }
    }
}

/* The tile's rows, each summed by a warp. */
template <class Tile>
__device__ void rfi_sum_rows(const float *shared, float *row_sums, const rfi_gemm &g, int32_t row,
                             int32_t col)
{
    for (int i = (int)(threadIdx.x / RFI_WARP); i < Tile::ROWS && row + i < g.rows;
         i += Tile::THREADS / RFI_WARP) {
        float sum = 0.0f;
        for (int c = (int)(threadIdx.x % RFI_WARP); c < Tile::COLS; c += RFI_WARP)
            sum += shared[i * Tile::COLS + c];
        sum = rfi_warp_sum(sum);
        if (threadIdx.x % RFI_WARP == 0)
            row_sums[(size_t)(row + i) * (size_t)g.row_pitch + (size_t)(g.row_first + col / Tile::COLS)] =
                sum;
    }
}

/* The tile's columns, two numbers of each, to their place among the tiles below each other. */
template <class Tile, class Epilogue>
__device__ void rfi_leave_columns(const float *shared, float *sums, const rfi_gemm &g,
                                  const Epilogue &epilogue, int32_t row, int32_t col)
{
    const int32_t i = (int32_t)threadIdx.x, left = g.rows - row;
    const size_t tiles_down = (size_t)rfi_tiles_down<Tile>(g), cols = (size_t)g.cols;
    float *at = sums + (size_t)(row / Tile::ROWS) * cols + (size_t)(col + i);
    if (i >= Tile::COLS || col + i >= g.cols)
        return;
    const float2 both = epilogue.template column<Tile>(shared + i, left < Tile::ROWS ? left : Tile::ROWS);
    at[0] = both.x;
    at[tiles_down * cols] = both.y;
}

/* Sum of term(0) .. term(n - 1) for the tile's column that the thread stands in, by the whole block and always in one order; the same in
 * every thread of the column. */
template <class Tile, class Term> __device__ float rfi_add_tiles(float *shared, int32_t n, const Term &term)
{
    constexpr int GROUPS = Tile::THREADS / Tile::COLS;
    const int x = (int)threadIdx.x % Tile::COLS;
    float sum = 0.0f;
    for (int32_t i = (int32_t)threadIdx.x / Tile::COLS; i < n; i += GROUPS)
        sum += term(i);
    __syncthreads();
    shared[threadIdx.x] = sum;
    __syncthreads();
    sum = shared[x];
    for (int i = 1; i < GROUPS; i++)
        sum += shared[i * Tile::COLS + x];
    return sum;
}

/* Block number `block` of the product: the blocks of a tile lie side by side. */
template <class Tile, rf_precision PRECISION, bool A_TRANSPOSED, bool B_TRANSPOSED, class Epilogue>
__device__ void rfi_gemm_block(float *shared, const rfi_gemm &g, const Epilogue &epilogue, int32_t block,
                               const rfi_trials &trials)
{
    using product = rfi_tile_product<Tile, PRECISION, A_TRANSPOSED, B_TRANSPOSED, typename Epilogue::Operand>;
    constexpr int extra = rfi_extra_blocks<Tile, Epilogue>;
    const int32_t n_blocks = g.n_splits + extra, tile = block / n_blocks, split = block % n_blocks;
    const int32_t tiles_across = (g.cols + Tile::COLS - 1) / Tile::COLS;
    const int32_t row = tile / tiles_across * Tile::ROWS, col = tile % tiles_across * Tile::COLS;
    const size_t n = (size_t)g.rows * (size_t)g.cols;
    float *parts = rfi_own(g.parts, n * (size_t)(g.n_splits + Epilogue::EXTRA));
    if (split < g.n_splits) {
        int32_t pieces = 0;
        for (int32_t s = 0; s < g.n_sources; s++)
            pieces += (g.source[s].depth + Tile::DEPTH - 1) / Tile::DEPTH;
        product::run(shared, g, epilogue.operand(), row, col, (int32_t)((int64_t)pieces * split / g.n_splits),
                     (int32_t)((int64_t)pieces * (split + 1) / g.n_splits), trials);
        rfi_add_warps<Tile>(shared);
        if (n_blocks > 1)
            rfi_leave_split<Tile>(shared, parts + (size_t)split * n, g, row, col);
    } else if constexpr (Epilogue::EXTRA) {
        epilogue.template extra<Tile>(parts + (size_t)g.n_splits * n, row, col, split - g.n_splits, trials);
    }
    if (n_blocks > 1) {
        if (!rfi_is_last_block(rfi_own(g.counters, RFI_COUNTERS) + tile, (unsigned)n_blocks))
            return;
        rfi_add_splits<Tile>(shared, parts, g, row, col);
    }
    __syncthreads();
    epilogue.template tile<Tile>(shared, row, col, trials);
    rfi_each_element<Tile>(shared, parts + (size_t)g.n_splits * n, g, epilogue, row, col, trials);
    if constexpr (Epilogue::PAIRED) {
        if (rfi_is_last_block(rfi_own(g.all_counter, RFI_COUNTERS) - 1 - tile, 2))
            epilogue.template paired<Tile>(row, col, trials);
    }
    if constexpr (Epilogue::COL_SUMS) {
        static_assert(2 * Tile::ROWS * Tile::COLS <= product::FLOATS, "two tiles fit");
        const int32_t tiles_down = rfi_tiles_down<Tile>(g);
        unsigned *counters = rfi_own(g.counters, RFI_COUNTERS) + tiles_down * tiles_across;
        float *sums = rfi_own(g.sums, rfi_own_sums<Tile>(g));
        if (!epilogue.sums_columns(col))
            return;
        __syncthreads();
        rfi_leave_columns<Tile>(shared, sums, g, epilogue, row, col);
        if (rfi_is_last_block(counters + col / Tile::COLS, (unsigned)tiles_down))
            epilogue.template finish<Tile>(shared, sums, tiles_down, col, trials);
    }
    if constexpr (Epilogue::ROW_SUMS) {
        float *row_sums = rfi_own(g.sums, (size_t)g.rows * (size_t)g.row_pitch);
        if (!epilogue.sums_rows())
            return;
        __syncthreads();
        rfi_sum_rows<Tile>(shared, row_sums, g, row, col);
        if (rfi_is_last_block(rfi_own(g.all_counter, RFI_COUNTERS), (unsigned)g.n_tiles))
            epilogue.finish(row_sums, g.row_pitch, trials);
    }
}

/* ------------------------------------------------------------------ a kernel of one product or several */

/* Blocks first[i] .. first[i + 1] - 1 of the grid belong to product i. */
template <class Epilogue, int N> struct rfi_gemm_list {
    int32_t n, first[N + 1];
    rfi_gemm gemm[N];
    Epilogue epilogue[N];
};

template <class Tile, rf_precision PRECISION, bool A_TRANSPOSED, bool B_TRANSPOSED, class Epilogue, int N>
__global__ void __launch_bounds__(Tile::THREADS)
    rfi_gemm_kernel(const __grid_constant__ rfi_gemm_list<Epilogue, N> list,
                    const __grid_constant__ rfi_trials trials)
{
    using product = rfi_tile_product<Tile, PRECISION, A_TRANSPOSED, B_TRANSPOSED, typename Epilogue::Operand>;
    RF_SHARED(float, shared, product::FLOATS);
    int32_t i = 0;
    while (i + 1 < list.n && (int32_t)blockIdx.x >= list.first[i + 1])
        i++;
    rfi_gemm_block<Tile, PRECISION, A_TRANSPOSED, B_TRANSPOSED>(shared, list.gemm[i], list.epilogue[i],
                                                                (int32_t)blockIdx.x - list.first[i], trials);
}

#endif
