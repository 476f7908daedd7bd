/* cpu_gemm.c - see cpu_gemm.h. */
#include "kernels/cpu/cpu_gemm.h"

#include <string.h>

#include "kernels/cpu/cpu_transpose.h"

enum {
    GROUP_FLOATS = 64,  /* fetched at a time                                  */
    TASKS_A_THREAD = 8, /* so many, if their rows are not fewer than TASK_ROWS */
    TASK_ROWS = 24,
};

/* ------------------------------------------------------------------ packing */

static int32_t padded_cols(int32_t cols)
{
    return (cols + RFI_LANES - 1) / RFI_LANES * RFI_LANES;
}

static const float *row_of(const rfi_factor *b, int32_t k)
{
    return b->more && k >= b->split ? b->more + (k - b->split) * b->more_ld : b->data + k * b->ld;
}

static void pack_rows(float *to, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left, int32_t width)
{
    int32_t here = rfi_min32(width, b->cols - left);
    for (int32_t k = 0; k < kc; k++) {
        const float *from = row_of(b, k0 + k) + left;
        float *row = to + (int64_t)k * width;
        int32_t j = 0;
        for (; j + RFI_LANES <= here; j += RFI_LANES)
            v16_store(row + j, v16_load(from + j));
        if (j < here)
            v16_store(row + j, v16_load_n(from + j, here - j));
    }
}

static void pack_columns(float *to, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left, int32_t width)
{
    int32_t here = rfi_min32(width, b->cols - left);
    rfi_transpose(to, width, b->data + (int64_t)left * b->ld + k0, b->ld, here, kc);
    for (int32_t k = 0; here < width && k < kc; k++)
        memset(to + (int64_t)k * width + here, 0, (size_t)(width - here) * sizeof *to);
}

static void pack_panel(float *to, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left, int32_t width)
{
    if (b->transposed)
        pack_columns(to, b, k0, kc, left, width);
    else
        pack_rows(to, b, k0, kc, left, width);
}

size_t RFI_FN(rfi_packed_size)(const rfi_factor *b)
{
    return (size_t)b->depth * (size_t)padded_cols(b->cols);
}

/* Width of the panel that begins at column `left`. */
static int32_t panel_width(int32_t cols, int32_t left)
{
    return rfi_min32(RFI_PANEL, padded_cols(cols) - left);
}

static float *packed_block(const float *packed, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left)
{
    return (float *)packed + (int64_t)k0 * padded_cols(b->cols) + (int64_t)kc * left;
}

void RFI_FN(rfi_pack)(float *packed, const rfi_factor *b)
{
    for (int32_t k0 = 0; k0 < b->depth; k0 += RFI_DEPTH)
        for (int32_t left = 0; left < b->cols; left += RFI_PANEL) {
            int32_t kc = rfi_min32(RFI_DEPTH, b->depth - k0);
            pack_panel(packed_block(packed, b, k0, kc, left), b, k0, kc, left, panel_width(b->cols, left));
        }
}

/* ------------------------------------------------------------------ the tile */

typedef struct tile {
    const float *a;
    int64_t a_row, a_step;
    const float *b; /* packed: [depth][vectors * 16] */
    int32_t depth;
    float *c;
    int64_t ldc;
    bool load;           /* begin with c, else with 0                                */
    int last;            /* lanes of the last vector, 1..16                          */
    const char *ahead;   /* for every four values of k, four lines are fetched here, */
    int64_t ahead_step;  /* and this many bytes further on the next time            */
    const float *source; /* a packing tile reads b here and leaves it packed        */
    int64_t source_ld;
} tile;

typedef enum errand { NONE, FETCH, PACK } errand; /* what a tile does besides */

/* One value of k. */
RFI_INLINE void multiply_step(const int rows, const int vectors, v16 sum[12][4], const float *a,
                              int64_t a_row, const float *b)
{
    v16 line[4];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++)
        line[j] = v16_load(b + j * RFI_LANES);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        v16 x = v16_set(a[i * a_row]);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = v16_fma(x, line[j], sum[i][j]);
    }
}

/* Into the second-level cache: the first holds the panel. */
RFI_INLINE void fetch_group(const char *at)
{
#pragma GCC unroll 4
    for (int u = 0; u < 4; u++)
        __builtin_prefetch(at + 64 * u, 0, 2);
}

/* rows x vectors are constants wherever this is inlined, so that `sum` becomes registers. */
RFI_INLINE void multiply_tile(const tile *from, const int rows, const int vectors, const bool by_columns,
                              const errand besides)
{
    const tile copy = *from, *t = &copy; /* floats stored into c might alias the struct, not a copy */
    const int64_t a_row = by_columns ? 1 : t->a_row;
    const int64_t a_step = by_columns ? t->a_step : 1;
    v16 sum[12][4];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            const float *at = t->c + i * t->ldc + j * RFI_LANES;
            sum[i][j] = !t->load ? v16_zero() : j < vectors - 1 ? v16_load(at) : v16_load_n(at, t->last);
        }
    const float *a = t->a, *b = t->b;
    const char *ahead = t->ahead;
    int32_t k = 0;
    for (; besides == FETCH && k + 4 <= t->depth; k += 4, ahead += t->ahead_step) {
        fetch_group(ahead);
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++, a += a_step, b += vectors * RFI_LANES)
            multiply_step(rows, vectors, sum, a, a_row, b);
    }
    const float *source = t->source;
    for (; besides == PACK && k < t->depth;
         k++, a += a_step, b += vectors * RFI_LANES, source += t->source_ld) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            v16_store((float *)b + j * RFI_LANES, v16_load(source + j * RFI_LANES));
        multiply_step(rows, vectors, sum, a, a_row, b);
    }
#pragma GCC unroll 4
    for (; k < t->depth; k++, a += a_step, b += vectors * RFI_LANES)
        multiply_step(rows, vectors, sum, a, a_row, b);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            float *at = t->c + i * t->ldc + j * RFI_LANES;
            if (j < vectors - 1 || t->last == RFI_LANES)
                v16_store(at, sum[i][j]);
            else
                v16_store_n(at, sum[i][j], t->last);
        }
}

#define TILE_AS(name, rows, vectors, besides)                                                                \
    static void name(const tile *t)                                                                          \
    {                                                                                                        \
        if (t->a_row == 1)                                                                                   \
            multiply_tile(t, rows, vectors, true, besides);                                                  \
        else                                                                                                 \
            multiply_tile(t, rows, vectors, false, besides);                                                 \
    }
#define TILE(rows, vectors) TILE_AS(tile_##rows##x##vectors, rows, vectors, NONE)

typedef void (*tile_fn)(const tile *t);

/* Tiles of all heights, and those that do nearly all the work twice more: to fetch what comes next, and to pack. */
// clang-format off
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
#if RFI_TILE_VECTORS == 4
TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(5, 3) TILE(6, 3) TILE(7, 3) TILE(8, 3)
TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)
TILE_AS(fetching_tile, 6, 4, FETCH)
TILE_AS(packing_tile, 6, 4, PACK)

static const tile_fn tile_table[4][12] = {
    {tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1, tile_7x1, tile_8x1, tile_9x1, tile_10x1, tile_11x1, tile_12x1},
    {tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2, tile_6x2, tile_7x2, tile_8x2, tile_9x2, tile_10x2, tile_11x2, tile_12x2},
    {tile_1x3, tile_2x3, tile_3x3, tile_4x3, tile_5x3, tile_6x3, tile_7x3, tile_8x3},
    {tile_1x4, tile_2x4, tile_3x4, tile_4x4, tile_5x4, tile_6x4},
};
static const int32_t tile_rows[4] = {12, 12, 8, 6};
#else
TILE_AS(fetching_tile, 6, 1, FETCH)
TILE_AS(packing_tile, 6, 1, PACK)

static const tile_fn tile_table[1][6] = {{tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1}};
static const int32_t tile_rows[1] = {6};
#endif
// clang-format on

/* A block of the product: rows of a and of c that begin at the pointers, `depth` values of k. */
typedef struct block {
    const float *a;
    int64_t a_row, a_step;
    float *c;
    int64_t ldc;
    int32_t rows, depth;
    bool load;
    const float
        *source; /* b(k, j) at source[k * source_ld + j], to be packed by the first tile; NULL: b is packed */
    int64_t source_ld;
} block;

/* Takes a tile's groups from the last stream; false when there is nothing to fetch. */
static bool take_ahead(tile *t, rfi_ahead *ahead)
{
    if (!ahead || ahead->n == 0)
        return false;
    int last = ahead->n - 1;
    int32_t groups = t->depth / 4;
    t->ahead = ahead->stream[last].at;
    t->ahead_step = ahead->stream[last].step;
    ahead->stream[last].at += groups * t->ahead_step;
    ahead->stream[last].groups -= groups;
    if (ahead->stream[last].groups <= 0)
        ahead->n--;
    return true;
}

/* One panel of the block, left..left+width-1. */
static void multiply_panel(const block *p, const float *packed, int32_t cols, int32_t left, rfi_ahead *ahead)
{
    int32_t vectors = panel_width(cols, left) / RFI_LANES;
    int32_t at_most = tile_rows[vectors - 1];
    tile t = {.a_row = p->a_row,
              .a_step = p->a_step,
              .b = packed,
              .depth = p->depth,
              .ldc = p->ldc,
              .load = p->load,
              .source = p->source,
              .source_ld = p->source_ld};
    t.last = rfi_min32(cols - left - (vectors - 1) * RFI_LANES, RFI_LANES);
    for (int32_t i = 0; i < p->rows; i += at_most) {
        int32_t rows = rfi_min32(at_most, p->rows - i);
        t.a = p->a + i * p->a_row;
        t.c = p->c + i * p->ldc;
        if (i == 0 && p->source)
            packing_tile(&t);
        else if (rows == at_most && vectors == RFI_TILE_VECTORS && take_ahead(&t, ahead))
            fetching_tile(&t);
        else
            tile_table[vectors - 1][rows - 1](&t);
    }
}

/* ------------------------------------------------------------------ the product */

static void clear(const rfi_product *p, int32_t first, int32_t end, int32_t left, int32_t right)
{
    for (int32_t i = first; i < end; i++)
        memset(p->c + i * p->ldc + left, 0, (size_t)(right - left) * sizeof(float));
}

static block block_of(const rfi_product *p, int32_t first, int32_t end, int32_t k0)
{
    return (block){.a = p->a + first * p->a_row + k0 * p->a_step,
                   .a_row = p->a_row,
                   .a_step = p->a_step,
                   .c = p->c + first * p->ldc,
                   .ldc = p->ldc,
                   .rows = end - first,
                   .depth = rfi_min32(RFI_DEPTH, p->b.depth - k0),
                   .load = p->accumulate || k0 > 0};
}

/* Copies columns of a, at most RFI_COLUMN_ROWS of them, to where they lie close together. */
static void gather_columns(block *here, const rfi_product *p, int32_t first, int32_t k0, float *copy)
{
    for (int32_t k = 0; k < here->depth; k++) {
        const int32_t more = k0 + k - p->b.split;
        const float *from = first + (p->a_more && more >= 0 ? p->a_more + more * p->a_more_step
                                                            : p->a + (k0 + k) * p->a_step);
        float *to = copy + k * RFI_COLUMN_ROWS;
        int32_t i = 0;
        for (; i + RFI_LANES <= here->rows; i += RFI_LANES)
            v16_store(to + i, v16_load(from + i));
        if (i < here->rows)
            v16_store(to + i, v16_load_n(from + i, here->rows - i));
    }
    here->a = copy;
    here->a_step = RFI_COLUMN_ROWS;
}

static void multiply_rows(const rfi_product *p, const float *packed, int32_t first, int32_t end,
                          rfi_ahead *ahead)
{
    _Alignas(64) float copy[RFI_DEPTH * RFI_COLUMN_ROWS];
    if (p->b.depth == 0 && !p->accumulate)
        clear(p, first, end, 0, p->b.cols);
    for (int32_t k0 = 0; k0 < p->b.depth; k0 += RFI_DEPTH) {
        block here = block_of(p, first, end, k0);
        if (p->a_row == 1)
            gather_columns(&here, p, first, k0, copy);
        float *c = here.c;
        for (int32_t left = 0; left < p->b.cols; left += RFI_PANEL) {
            here.c = c + left;
            multiply_panel(&here, packed_block(packed, &p->b, k0, here.depth, left), p->b.cols, left, ahead);
        }
    }
}

void RFI_FN(rfi_multiply_packed)(const rfi_product *p, const float *packed, rfi_ahead *ahead)
{
    int32_t at_once = p->a_row == 1 ? RFI_COLUMN_ROWS : p->rows;
    for (int32_t i = 0; i < p->rows; i += at_once)
        multiply_rows(p, packed, i, rfi_min32(i + at_once, p->rows), ahead);
}

/* The piece of b that is packed next: the next values of k, or those that the panel of the next task begins with. */
static rfi_ahead look_ahead(const rfi_factor *b, int32_t k0, int32_t left)
{
    rfi_ahead ahead = {.n = 0};
    int32_t k = k0 + RFI_DEPTH;
    if (k >= b->depth) {
        k = 0;
        left += RFI_PANEL;
    }
    if (left >= b->cols)
        return ahead;
    int32_t width = rfi_min32(RFI_PANEL, b->cols - left), depth = rfi_min32(RFI_DEPTH, b->depth - k);
    const float *first = b->data + (b->transposed ? left * b->ld + k : k * b->ld + left);
    int32_t rows = b->transposed ? width : depth, row_floats = b->transposed ? depth : width;
    for (; ahead.n * GROUP_FLOATS < row_floats; ahead.n++) {
        ahead.stream[ahead.n].at = (const char *)(first + ahead.n * GROUP_FLOATS);
        ahead.stream[ahead.n].step = b->ld * (int64_t)sizeof(float);
        ahead.stream[ahead.n].groups = rows;
    }
    return ahead;
}

/* Whether the first tile of a block can pack b: a whole panel, and a whole tile. */
static bool packs_itself(const block *p, const rfi_factor *b, int32_t left)
{
    return !b->transposed && !b->more && left + RFI_PANEL <= b->cols &&
           p->rows >= tile_rows[RFI_TILE_VECTORS - 1];
}

typedef struct parts_job {
    const rfi_product *product;
    int32_t rows_a_task, n_panels;
} parts_job;

/* Some rows and one panel of c. b is packed on the way, into memory that stays in the first-level cache: to do that once for
 * every block of rows costs less than to hand packed panels from one processor to another. */
static void part_task(void *arg, int64_t task)
{
    const parts_job *job = arg;
    const rfi_product *p = job->product;
    const rfi_factor *b = &p->b;
    _Alignas(64) float packed[RFI_DEPTH * RFI_PANEL];
    int32_t first = (int32_t)(task / job->n_panels) * job->rows_a_task;
    int32_t end = rfi_min32(first + job->rows_a_task, p->rows);
    int32_t left = (int32_t)(task % job->n_panels) * RFI_PANEL;
    int32_t right = rfi_min32(left + RFI_PANEL, b->cols);
    if (b->depth == 0 && !p->accumulate)
        clear(p, first, end, left, right);
    for (int32_t k0 = 0; k0 < b->depth; k0 += RFI_DEPTH) {
        rfi_ahead ahead = look_ahead(b, k0, left);
        block here = block_of(p, first, end, k0);
        here.c += left;
        if (packs_itself(&here, b, left)) {
            here.source = row_of(b, k0) + left;
            here.source_ld = b->ld;
        } else
            pack_panel(packed, b, k0, here.depth, left, panel_width(b->cols, left));
        multiply_panel(&here, packed, b->cols, left, &ahead);
    }
    if (p->finish)
        p->finish(p->finish_arg, first, end, left, right);
}

/* Cuts c into enough tasks that a thread which is held up, or whose processor is slower at the moment, leaves work to the
 * others; an even number of rows in each, and enough that packing is a small part of it. */
static int32_t rows_of_a_task(rf_device *device, const rfi_product *p, int32_t n_panels)
{
    const int threads = rf_pool_threads(device->pool);
    int64_t blocks = threads == 1 ? 1 : rfi_divide_up(TASKS_A_THREAD * (int64_t)threads, n_panels);
    blocks = blocks < p->rows / TASK_ROWS ? blocks : p->rows / TASK_ROWS;
    return blocks > 1 ? (int32_t)rfi_divide_up(p->rows, 2 * blocks) * 2 : p->rows > 0 ? p->rows : 1;
}

void RFI_FN(rfi_multiply)(rf_device *device, const rfi_product *product)
{
    parts_job job = {product, 0, (int32_t)rfi_divide_up(product->b.cols, RFI_PANEL)};
    job.rows_a_task = rows_of_a_task(device, product, job.n_panels);
    rfi_run(device, part_task, &job, rfi_divide_up(product->rows, job.rows_a_task) * job.n_panels);
}
