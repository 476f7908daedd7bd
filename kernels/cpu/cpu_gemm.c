/* cpu_gemm.c - see cpu_gemm.h. */
#include "kernels/cpu/cpu_gemm.h"

#include <string.h>

#include "kernels/cpu/cpu_transpose.h"

enum {
    GROUP_FLOATS = 64,  /* fetched at a time                                  */
    TASKS_A_THREAD = 8, /* so many, if their rows are not fewer than TASK_ROWS */
    TASK_ROWS = 24,
    DEEP_ROWS = 96, /* a panel that so many rows pass over may be deep   */
};

/* ------------------------------------------------------------------ packing */

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
    return (size_t)b->depth * (size_t)rfi_padded(b->cols);
}

/* Width of the panel that begins at column `left`. */
static int32_t panel_width(int32_t cols, int32_t left)
{
    return rfi_min32(RFI_PANEL, rfi_padded(cols) - left);
}

static float *packed_block(float *packed, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left)
{
    return packed + (int64_t)k0 * rfi_padded(b->cols) + (int64_t)kc * left;
}

void RFI_FN(rfi_pack)(float *packed, const rfi_factor *b)
{
    for (int32_t k0 = 0; k0 < b->depth; k0 += b->block)
        for (int32_t left = 0; left < b->cols; left += RFI_PANEL) {
            int32_t kc = rfi_min32(b->block, b->depth - k0);
            pack_panel(packed_block(packed, b, k0, kc, left), b, k0, kc, left, panel_width(b->cols, left));
        }
}

/* ------------------------------------------------------------------ tiles */

/* Tiles one under the other, all of one panel: a tile of rows x panel begins at a, c and row, the next `rows` further on. */
typedef struct tiles {
    const float *a;
    int64_t a_row, a_step;
    float *b; /* packed: [depth][vectors * 16] */
    int32_t depth;
    float *c;
    int64_t ldc;
    bool load;           /* begin with c, else with 0                        */
    int last;            /* lanes of the last vector, 1..16                  */
    rfi_ahead *ahead;    /* what fetching tiles fetch                        */
    const float *source; /* a packing tile reads b here and leaves it packed */
    int64_t source_ld;
    rfi_finish_fn finish; /* for each tile that is done; or NULL */
    const void *finish_arg;
    int32_t row, left, right;
} tiles;

typedef enum errand { NONE, FETCH, PACK } errand; /* what tiles do besides */

enum { STEPS = 16 }; /* values of k between two looks ahead: a line of a row of a */

/* From c, or from 0 when it is NULL; the last vector has `last` lanes. */
RFI_INLINE void begin_sums(const int rows, const int vectors, v16 sum[12][4], const float *c, int64_t ldc,
                           int last)
{
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            const float *at = c ? c + i * ldc + j * RFI_LANES : NULL;
            sum[i][j] = !at ? v16_zero() : j < vectors - 1 ? v16_load(at) : v16_load_n(at, last);
        }
}

RFI_INLINE void end_sums(const int rows, const int vectors, v16 sum[12][4], float *c, int64_t ldc, int last)
{
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            float *at = c + i * ldc + j * RFI_LANES;
            if (j < vectors - 1 || last == RFI_LANES)
                v16_store(at, sum[i][j]);
            else
                v16_store_n(at, sum[i][j], last);
        }
}

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

/* The rows of a that the next tile reads, a line of each. */
RFI_INLINE void fetch_rows(const int rows, const float *a, int64_t a_row)
{
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
        __builtin_prefetch(a + (rows + i) * a_row, 0, 3);
}

/* Into the second-level cache: the first holds the panel. */
RFI_INLINE void fetch_group(const char *at)
{
#pragma GCC unroll 4
    for (int u = 0; u < 4; u++)
        __builtin_prefetch(at + 64 * u, 0, 2);
}

typedef struct stream {
    const char *at;
    int64_t step;
} stream;

/* Takes a tile's groups from the last stream; false when there is nothing to fetch. */
static bool take_ahead(stream *out, rfi_ahead *ahead, int32_t groups)
{
    if (!ahead || ahead->n == 0)
        return false;
    int last = ahead->n - 1;
    out->at = ahead->stream[last].at;
    out->step = ahead->stream[last].step;
    ahead->stream[last].at += groups * out->step;
    ahead->stream[last].groups -= groups;
    if (ahead->stream[last].groups <= 0)
        ahead->n--;
    return true;
}

/* Up to n tiles, moving on in t; fetching tiles end where there is nothing left to fetch. rows x vectors are constants wherever this
 * is inlined, so that `sum` becomes registers. What the loops need is copied: floats stored into c might alias the struct. */
RFI_INLINE void multiply_tiles(tiles *t, int32_t n, const int rows, const int vectors, const bool by_columns,
                               const errand besides)
{
    const int64_t a_row = by_columns ? 1 : t->a_row, a_step = by_columns ? t->a_step : 1;
    const int64_t ldc = t->ldc, source_ld = t->source_ld;
    const int32_t depth = t->depth;
    const int last = t->last;
    const bool load = t->load;
    const float *top = t->a;
    float *c = t->c;
    int32_t row = t->row;
    stream ahead = {NULL, 0};
    for (; n > 0; n--, top += rows * a_row, c += rows * ldc, row += rows) {
        if (besides == FETCH && !take_ahead(&ahead, t->ahead, depth / 4))
            break;
        v16 sum[12][4];
        begin_sums(rows, vectors, sum, load ? c : NULL, ldc, last);
        const float *a = top, *source = t->source;
        float *b = t->b;
        int32_t k = 0;
        for (; besides != PACK && k + STEPS <= depth; k += STEPS) {
            if (!by_columns)
                fetch_rows(rows, a, a_row);
            for (int u = 0; u < STEPS; u += 4) {
                if (besides == FETCH) {
                    fetch_group(ahead.at);
                    ahead.at += ahead.step;
                }
#pragma GCC unroll 4
                for (int v = 0; v < 4; v++, a += a_step, b += vectors * RFI_LANES)
                    multiply_step(rows, vectors, sum, a, a_row, b);
            }
        }
        for (; besides == PACK && k < depth;
             k++, a += a_step, b += vectors * RFI_LANES, source += source_ld) {
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                v16_store(b + j * RFI_LANES, v16_load(source + j * RFI_LANES));
            multiply_step(rows, vectors, sum, a, a_row, b);
        }
        for (; k < depth; k++, a += a_step, b += vectors * RFI_LANES)
            multiply_step(rows, vectors, sum, a, a_row, b);
        end_sums(rows, vectors, sum, c, ldc, last);
        if (t->finish)
            t->finish(t->finish_arg, row, row + rows, t->left, t->right);
    }
    t->a = top;
    t->c = c;
    t->row = row;
}

#define TILES_AS(name, rows, vectors, besides)                                                               \
    static void name(tiles *t, int32_t n)                                                                    \
    {                                                                                                        \
        if (t->a_row == 1)                                                                                   \
            multiply_tiles(t, n, rows, vectors, true, besides);                                              \
        else                                                                                                 \
            multiply_tiles(t, n, rows, vectors, false, besides);                                             \
    }
#define TILES(rows, vectors) TILES_AS(tiles_##rows##x##vectors, rows, vectors, NONE)

typedef void (*tiles_fn)(tiles *t, int32_t n);

/* Tiles of all heights, and those that do nearly all the work twice more: to fetch what comes next, and to pack. */
// clang-format off
TILES(1, 1) TILES(2, 1) TILES(3, 1) TILES(4, 1) TILES(5, 1) TILES(6, 1)
#if RFI_TILE_VECTORS == 4
TILES(7, 1) TILES(8, 1) TILES(9, 1) TILES(10, 1) TILES(11, 1) TILES(12, 1)
TILES(1, 2) TILES(2, 2) TILES(3, 2) TILES(4, 2) TILES(5, 2) TILES(6, 2)
TILES(7, 2) TILES(8, 2) TILES(9, 2) TILES(10, 2) TILES(11, 2) TILES(12, 2)
TILES(1, 3) TILES(2, 3) TILES(3, 3) TILES(4, 3) TILES(5, 3) TILES(6, 3) TILES(7, 3) TILES(8, 3)
TILES(1, 4) TILES(2, 4) TILES(3, 4) TILES(4, 4) TILES(5, 4) TILES(6, 4)
TILES_AS(fetching_tiles, 6, 4, FETCH)
TILES_AS(packing_tiles, 6, 4, PACK)

static const tiles_fn tiles_table[4][12] = {
    {tiles_1x1, tiles_2x1, tiles_3x1, tiles_4x1, tiles_5x1, tiles_6x1, tiles_7x1, tiles_8x1, tiles_9x1, tiles_10x1, tiles_11x1, tiles_12x1},
    {tiles_1x2, tiles_2x2, tiles_3x2, tiles_4x2, tiles_5x2, tiles_6x2, tiles_7x2, tiles_8x2, tiles_9x2, tiles_10x2, tiles_11x2, tiles_12x2},
    {tiles_1x3, tiles_2x3, tiles_3x3, tiles_4x3, tiles_5x3, tiles_6x3, tiles_7x3, tiles_8x3},
    {tiles_1x4, tiles_2x4, tiles_3x4, tiles_4x4, tiles_5x4, tiles_6x4},
};
static const int32_t rows_of_tiles[4] = {12, 12, 8, 6};
#else
TILES_AS(fetching_tiles, 6, 1, FETCH)
TILES_AS(packing_tiles, 6, 1, PACK)

static const tiles_fn tiles_table[1][6] = {{tiles_1x1, tiles_2x1, tiles_3x1, tiles_4x1, tiles_5x1, tiles_6x1}};
static const int32_t rows_of_tiles[1] = {6};
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
    rfi_finish_fn finish; /* of the last values of k */
    const void *finish_arg;
    int32_t first; /* row of the product */
} block;

/* One panel of the block, left..left+width-1. */
static void multiply_panel(const block *p, float *packed, int32_t cols, int32_t left, rfi_ahead *ahead)
{
    const int32_t vectors = panel_width(cols, left) / RFI_LANES;
    const int32_t rows = rows_of_tiles[vectors - 1];
    int32_t whole = p->rows / rows, rest = p->rows % rows;
    tiles t = {.a = p->a,
               .a_row = p->a_row,
               .a_step = p->a_step,
               .b = packed,
               .depth = p->depth,
               .c = p->c,
               .ldc = p->ldc,
               .load = p->load,
               .last = rfi_min32(cols - left - (vectors - 1) * RFI_LANES, RFI_LANES),
               .ahead = ahead,
               .source = p->source,
               .source_ld = p->source_ld,
               .finish = p->finish,
               .finish_arg = p->finish_arg,
               .row = p->first,
               .left = left,
               .right = rfi_min32(left + RFI_PANEL, cols)};
    const int32_t end = t.row + whole * rows;
    if (p->source)
        packing_tiles(&t, 1);
    if (vectors == RFI_TILE_VECTORS)
        fetching_tiles(&t, (end - t.row) / rows);
    tiles_table[vectors - 1][rows - 1](&t, (end - t.row) / rows);
    if (rest > 0)
        tiles_table[vectors - 1][rest - 1](&t, 1);
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
                   .depth = rfi_min32(p->b.block, p->b.depth - k0),
                   .load = p->accumulate || k0 > 0,
                   .finish = k0 + p->b.block < p->b.depth ? NULL : p->finish,
                   .finish_arg = p->finish_arg,
                   .first = first};
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

static void multiply_rows(const rfi_product *p, float *packed, int32_t first, int32_t end, rfi_ahead *ahead)
{
    _Alignas(64) float copy[RFI_DEEP * RFI_COLUMN_ROWS];
    if (p->b.depth == 0 && !p->accumulate)
        clear(p, first, end, 0, p->b.cols);
    for (int32_t k0 = 0; k0 < p->b.depth; k0 += p->b.block) {
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

void RFI_FN(rfi_multiply_packed)(const rfi_product *p, float *packed, rfi_ahead *ahead)
{
    int32_t at_once = p->a_row == 1 ? RFI_COLUMN_ROWS : p->rows;
    for (int32_t i = 0; i < p->rows; i += at_once)
        multiply_rows(p, packed, i, rfi_min32(i + at_once, p->rows), ahead);
}

/* The piece of b that is packed next: the next values of k, or those that the panel of the next task begins with. */
static rfi_ahead look_ahead(const rfi_factor *b, int32_t k0, int32_t left)
{
    rfi_ahead ahead = {.n = 0};
    int32_t k = k0 + b->block;
    if (k >= b->depth) {
        k = 0;
        left += RFI_PANEL;
    }
    if (left >= b->cols)
        return ahead;
    int32_t width = rfi_min32(RFI_PANEL, b->cols - left), depth = rfi_min32(b->block, b->depth - k);
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
           p->rows >= rows_of_tiles[RFI_TILE_VECTORS - 1];
}

typedef struct parts_job {
    const rfi_product *product;
    int32_t rows_a_task, n_blocks, n_panels;
    bool
        by_panels; /* a panel's blocks follow each other, so that a thread reads its panels of b alone; else a block's panels */
} parts_job;

/* Some rows and one panel of c. b is packed on the way, into memory that stays in the first-level cache: to do that once for
 * every block of rows costs less than to hand packed panels from one processor to another. */
static void part_task(void *arg, int64_t task)
{
    const parts_job *job = arg;
    const rfi_product *p = job->product;
    const rfi_factor *b = &p->b;
    _Alignas(64) float packed[RFI_DEEP * RFI_PANEL];
    const int32_t place = (int32_t)task;
    const int32_t panel = job->by_panels ? place / job->n_blocks : place % job->n_panels;
    int32_t first = (job->by_panels ? place % job->n_blocks : place / job->n_panels) * job->rows_a_task;
    int32_t end = rfi_min32(first + job->rows_a_task, p->rows);
    int32_t left = panel * RFI_PANEL;
    int32_t right = rfi_min32(left + RFI_PANEL, b->cols);
    if (b->depth == 0 && !p->accumulate)
        clear(p, first, end, left, right);
    for (int32_t k0 = 0; k0 < b->depth; k0 += b->block) {
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
    if (b->depth == 0 && p->finish)
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
    rfi_product whole = *product;
    parts_job job = {&whole, 0, 0, (int32_t)rfi_divide_up(product->b.cols, RFI_PANEL), false};
    const int threads = rf_pool_threads(device->pool);
    job.by_panels = product->rows < product->b.cols && job.n_panels >= threads;
    job.rows_a_task = job.by_panels && job.n_panels % threads == 0
                          ? product->rows > 0 ? product->rows : 1
                          : rows_of_a_task(device, product, job.n_panels);
    job.n_blocks = (int32_t)rfi_divide_up(product->rows, job.rows_a_task);
    whole.b.block = job.rows_a_task < DEEP_ROWS ? RFI_DEPTH : RFI_DEEP;
    rfi_run(device, part_task, &job, (int64_t)job.n_blocks * job.n_panels);
}
