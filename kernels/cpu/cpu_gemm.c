/* cpu_gemm.c - see cpu_gemm.h. */
#include "kernels/cpu/cpu_gemm.h"

#include <string.h>

#include "kernels/cpu/cpu_transpose.h"

/* ------------------------------------------------------------------ packing */

static int32_t padded_cols(int32_t cols)
{
    return (cols + RFI_LANES - 1) / RFI_LANES * RFI_LANES;
}

static void pack_rows(float *to, const rfi_factor *b, int32_t k0, int32_t kc, int32_t left, int32_t width)
{
    int32_t here = rfi_min32(width, b->cols - left);
    for (int32_t k = 0; k < kc; k++) {
        const float *from = b->data + (int64_t)(k0 + k) * b->ld + left;
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

typedef struct pack_job {
    float *packed;
    const rfi_factor *b;
    int32_t n_panels;
} pack_job;

static void pack_task(void *arg, int64_t task)
{
    const pack_job *job = arg;
    int32_t k0 = (int32_t)(task / job->n_panels) * RFI_DEPTH;
    int32_t left = (int32_t)(task % job->n_panels) * RFI_PANEL;
    int32_t kc = rfi_min32(RFI_DEPTH, job->b->depth - k0);
    pack_panel(packed_block(job->packed, job->b, k0, kc, left), job->b, k0, kc, left,
               panel_width(job->b->cols, left));
}

void RFI_FN(rfi_pack)(rf_device *device, float *packed, const rfi_factor *b)
{
    pack_job job = {packed, b, (int32_t)rfi_divide_up(b->cols, RFI_PANEL)};
    rfi_run(device, pack_task, &job, rfi_divide_up(b->depth, RFI_DEPTH) * job.n_panels);
}

/* ------------------------------------------------------------------ the tile */

typedef struct tile {
    const float *a;
    int64_t a_row, a_step;
    const float *b; /* packed: [depth][vectors * 16] */
    int32_t depth;
    float *c;
    int64_t ldc;
    bool load;                /* begin with c, else with 0      */
    int last;                 /* lanes of the last vector, 1..16 */
    const char *const *ahead; /* for every four values of k, where four lines are fetched */
} tile;

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

/* rows x vectors are constants wherever this is inlined, so that `sum` becomes registers. */
RFI_INLINE void multiply_tile(const tile *from, const int rows, const int vectors, const bool by_columns,
                              const bool tall)
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
    int32_t k = 0;
    for (; tall && k + 4 <= t->depth; k += 4) {
        const char *ahead = t->ahead[k / 4];
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++, a += a_step, b += vectors * RFI_LANES) {
            __builtin_prefetch(ahead + 64 * u);
            multiply_step(rows, vectors, sum, a, a_row, b);
        }
    }
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

/* Tiles of all heights finish a block; only the tallest, which do nearly all the work, fetch ahead. */
#define TILE(rows, vectors, tall)                                                                            \
    static void tile_##rows##x##vectors(const tile *t)                                                       \
    {                                                                                                        \
        if (t->a_row == 1)                                                                                   \
            multiply_tile(t, rows, vectors, true, tall);                                                     \
        else                                                                                                 \
            multiply_tile(t, rows, vectors, false, tall);                                                    \
    }

typedef void (*tile_fn)(const tile *t);

TILE(1, 1, false)
TILE(2, 1, false)
TILE(3, 1, false) TILE(4, 1, false) TILE(5, 1, false)
#if RFI_TILE_VECTORS == 4
    TILE(6, 1, false) TILE(7, 1, false) TILE(8, 1, false) TILE(9, 1, false) TILE(10, 1, false)
        TILE(11, 1, false) TILE(12, 1, true) TILE(1, 2, false) TILE(2, 2, false) TILE(3, 2, false)
            TILE(4, 2, false) TILE(5, 2, false) TILE(6, 2, false) TILE(7, 2, false) TILE(8, 2, false)
                TILE(9, 2, false) TILE(10, 2, false) TILE(11, 2, false) TILE(12, 2, true) TILE(1, 3, false)
                    TILE(2, 3, false) TILE(3, 3, false) TILE(4, 3, false) TILE(5, 3, false) TILE(6, 3, false)
                        TILE(7, 3, false) TILE(8, 3, true) TILE(1, 4, false) TILE(2, 4, false)
                            TILE(3, 4, false) TILE(4, 4, false) TILE(5, 4, false) TILE(6, 4, true)

                                static const tile_fn tile_table[4][12] = {
                                    {tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1, tile_7x1,
                                     tile_8x1, tile_9x1, tile_10x1, tile_11x1, tile_12x1},
                                    {tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2, tile_6x2, tile_7x2,
                                     tile_8x2, tile_9x2, tile_10x2, tile_11x2, tile_12x2},
                                    {tile_1x3, tile_2x3, tile_3x3, tile_4x3, tile_5x3, tile_6x3, tile_7x3,
                                     tile_8x3},
                                    {tile_1x4, tile_2x4, tile_3x4, tile_4x4, tile_5x4, tile_6x4},
};
static const int32_t tile_rows[4] = {12, 12, 8, 6};
#else
    TILE(6, 1, true) static const tile_fn tile_table[1][6] = {
        {tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1}};
static const int32_t tile_rows[1] = {6};
#endif

/* A block of the product: rows of a and of c that begin at the pointers, `depth` values of k. */
typedef struct block {
    const float *a;
    int64_t a_row, a_step;
    float *c;
    int64_t ldc;
    int32_t rows, depth;
    bool load;
} block;

enum { AHEAD_MAX = RFI_DEPTH / 4, GROUP_FLOATS = 64 };

/* What the tile at row i fetches meanwhile: rows of a and c for the tile after it, then what the caller wants. */
static void fill_ahead(const char **list, const block *p, int32_t i, int32_t rows, rfi_ahead *ahead,
                       const float *idle)
{
    int n = 0, room = p->depth / 4;
    int32_t end = rfi_min32(i + 2 * rows, p->rows);
    for (int32_t r = i + rows; r < end; r++) {
        for (int32_t k = 0; p->a_step == 1 && k < p->depth && n < room; k += GROUP_FLOATS)
            list[n++] = (const char *)(p->a + r * p->a_row + k);
        if (p->load && n < room)
            list[n++] = (const char *)(p->c + r * p->ldc);
    }
    while (n < room && ahead && ahead->n > 0) {
        int last = ahead->n - 1;
        list[n++] = ahead->stream[last].at;
        ahead->stream[last].at += ahead->stream[last].step;
        if (--ahead->stream[last].groups <= 0)
            ahead->n--;
    }
    while (n < room)
        list[n++] = (const char *)idle;
}

/* One panel of the block, left..left+width-1. */
static void multiply_panel(const block *p, const float *packed, int32_t cols, int32_t left, rfi_ahead *ahead)
{
    const char *list[AHEAD_MAX];
    int32_t vectors = panel_width(cols, left) / RFI_LANES;
    int32_t at_most = tile_rows[vectors - 1];
    tile t = {.a_row = p->a_row,
              .a_step = p->a_step,
              .b = packed,
              .depth = p->depth,
              .ldc = p->ldc,
              .load = p->load};
    t.last = rfi_min32(cols - left - (vectors - 1) * RFI_LANES, RFI_LANES);
    t.ahead = list;
    for (int32_t i = 0; i < p->rows; i += at_most) {
        int32_t rows = rfi_min32(at_most, p->rows - i);
        t.a = p->a + i * p->a_row;
        t.c = p->c + i * p->ldc;
        fill_ahead(list, p, i, at_most, ahead, packed);
        tile_table[vectors - 1][rows - 1](&t);
    }
}

/* ------------------------------------------------------------------ the product */

static void clear(const rfi_product *p, int32_t first, int32_t end, int32_t left, int32_t right)
{
    for (int32_t i = first; i < end; i++)
        memset(p->c + i * p->ldc + (left - p->c_left), 0, (size_t)(right - left) * sizeof(float));
}

static block block_of(const rfi_product *p, int32_t first, int32_t end, int32_t k0)
{
    return (block){.a = p->a + first * p->a_row + k0 * p->a_step,
                   .a_row = p->a_row,
                   .a_step = p->a_step,
                   .c = p->c + first * p->ldc - p->c_left,
                   .ldc = p->ldc,
                   .rows = end - first,
                   .depth = rfi_min32(RFI_DEPTH, p->b.depth - k0),
                   .load = p->accumulate || k0 > 0};
}

/* Copies the block's columns of a, at most RFI_COLUMN_ROWS rows, to where they lie close together. */
static void gather_columns(block *p, float *copy)
{
    for (int32_t k = 0; k < p->depth; k++) {
        const float *from = p->a + k * p->a_step;
        float *to = copy + k * RFI_COLUMN_ROWS;
        int32_t i = 0;
        for (; i + RFI_LANES <= p->rows; i += RFI_LANES)
            v16_store(to + i, v16_load(from + i));
        if (i < p->rows)
            v16_store(to + i, v16_load_n(from + i, p->rows - i));
    }
    p->a = copy;
    p->a_step = RFI_COLUMN_ROWS;
}

static void multiply_rows(const rfi_product *p, const float *packed, int32_t first, int32_t end, int32_t left,
                          int32_t right, rfi_ahead *ahead)
{
    _Alignas(64) float copy[RFI_DEPTH * RFI_COLUMN_ROWS];
    if (p->b.depth == 0 && !p->accumulate)
        clear(p, first, end, left, right);
    for (int32_t k0 = 0; k0 < p->b.depth; k0 += RFI_DEPTH) {
        block here = block_of(p, first, end, k0);
        if (p->a_row == 1)
            gather_columns(&here, copy);
        float *c = here.c;
        for (int32_t at = left; at < right; at += RFI_PANEL) {
            here.c = c + at;
            multiply_panel(&here, packed_block(packed, &p->b, k0, here.depth, at), p->b.cols, at, ahead);
        }
    }
    if (p->finish)
        p->finish(p->finish_arg, first, end, left, right);
}

void RFI_FN(rfi_multiply_packed)(const rfi_product *p, const float *packed, int32_t first, int32_t end,
                                 int32_t left, int32_t right, rfi_ahead *ahead)
{
    int32_t at_once = p->a_row == 1 ? RFI_COLUMN_ROWS : end - first;
    for (int32_t i = first; i < end; i += at_once)
        multiply_rows(p, packed, i, rfi_min32(i + at_once, end), left, right, ahead);
}

typedef struct rows_job {
    const rfi_product *product;
    const float *packed;
    int32_t rows_a_task;
} rows_job;

/* Many rows: b is packed once, and tasks are blocks of rows. */
static void rows_task(void *arg, int64_t task)
{
    const rows_job *job = arg;
    int32_t first = (int32_t)task * job->rows_a_task;
    int32_t end = rfi_min32(first + job->rows_a_task, job->product->rows);
    RFI_FN(rfi_multiply_packed)(job->product, job->packed, first, end, 0, job->product->b.cols, NULL);
}

/* The piece of b that a panel's task packs next: its next values of k, or those that the next panel begins with. */
static rfi_ahead look_ahead(const rfi_factor *b, int32_t k0, int32_t left)
{
    rfi_ahead ahead = {.n = 0};
    int32_t k = k0 + RFI_DEPTH < b->depth ? k0 + RFI_DEPTH : 0;
    int32_t at = k > 0 ? left : left + RFI_PANEL;
    if (at >= b->cols)
        return ahead;
    const float *first = b->data + (b->transposed ? at * b->ld + k : k * b->ld + at);
    int32_t rows = b->transposed ? rfi_min32(RFI_PANEL, b->cols - at) : rfi_min32(RFI_DEPTH, b->depth - k);
    int32_t row_floats = b->transposed ? rfi_min32(RFI_DEPTH, b->depth - k) : RFI_PANEL;
    for (; ahead.n * GROUP_FLOATS < row_floats; ahead.n++) {
        ahead.stream[ahead.n].at = (const char *)(first + ahead.n * GROUP_FLOATS);
        ahead.stream[ahead.n].step = b->ld * (int64_t)sizeof(float);
        ahead.stream[ahead.n].groups = rows;
    }
    return ahead;
}

/* Few rows: tasks are panels, each packs its own as it goes, and it is never written to memory. */
static void panel_task(void *arg, int64_t task)
{
    const rfi_product *p = arg;
    _Alignas(64) float packed[RFI_DEPTH * RFI_PANEL];
    int32_t left = (int32_t)task * RFI_PANEL;
    int32_t right = rfi_min32(left + RFI_PANEL, p->b.cols);
    if (p->b.depth == 0 && !p->accumulate)
        clear(p, 0, p->rows, left, right);
    for (int32_t k0 = 0; k0 < p->b.depth; k0 += RFI_DEPTH) {
        rfi_ahead ahead = look_ahead(&p->b, k0, left);
        block here = block_of(p, 0, p->rows, k0);
        here.c += left;
        pack_panel(packed, &p->b, k0, here.depth, left, panel_width(p->b.cols, left));
        multiply_panel(&here, packed, p->b.cols, left, &ahead);
    }
    if (p->finish)
        p->finish(p->finish_arg, 0, p->rows, left, right);
}

/* About three tasks for each thread, so that one that is held up elsewhere leaves work to the others; whole tiles. */
static int32_t rows_of_a_task(rf_device *device, int32_t rows)
{
    int64_t tasks = (rows < 300 ? 1 : 3) * (int64_t)rf_pool_threads(device->pool);
    return (int32_t)rfi_divide_up(rfi_divide_up(rows, tasks), 12) * 12;
}

void RFI_FN(rfi_multiply)(rf_device *device, const rfi_product *product)
{
    if (product->rows < RFI_MANY_ROWS) {
        rfi_run(device, panel_task, (void *)product, rfi_divide_up(product->b.cols, RFI_PANEL));
        return;
    }
    rows_job job = {product, NULL, rows_of_a_task(device, product->rows)};
    float *packed = rfi_scratch(device, RFI_FN(rfi_packed_size)(&product->b) * sizeof(float));
    if (!packed)
        return;
    RFI_FN(rfi_pack)(device, packed, &product->b);
    job.packed = packed;
    rfi_run(device, rows_task, &job, rfi_divide_up(product->rows, job.rows_a_task));
}
