/* cuda_rows.cu - what is picked, not computed: conditions, rows of the table, and the small counters of a step. */
#include "kernels/cuda/cuda_draw.cuh"

extern "C" {
#include "kernels/parts.h"
}

enum {
    CONDITION_THREADS = RFI_DRAW_THREADS,
    ROW_THREADS = RFI_DRAW_THREADS, /* four rows: a warp copies one */
    WARP = 32,
};

/* ------------------------------------------------------------------ conditions */

__device__ static int32_t pick_entry(const rf_condition_table &table, int32_t column, double u)
{
    int32_t low = table.offsets[column], high = table.offsets[column + 1] - 1;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (table.cumulative[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

__device__ static int32_t column_of_entry(const rf_condition_table &table, int32_t entry)
{
    int32_t column = 0;
    while (column + 1 < table.n_conditions && table.offsets[column + 1] <= entry)
        column++;
    return column;
}

__device__ static rf_condition_table table_at(rf_condition_table table, const rfi_trials &trials)
{
    table.offsets = rfi_at(table.offsets, trials);
    table.cumulative = rfi_at(table.cumulative, trials);
    table.list_offsets = rfi_at(table.list_offsets, trials);
    table.list = rfi_at(table.list, trials);
    return table;
}

/* The condition of row r. */
__device__ static int32_t condition_of(const rf_draw_conditions &op, const rf_condition_table &table,
                                       int32_t r, int32_t *column, const rfi_trials &trials)
{
    if (op.fixed_entry >= 0) {
        *column = column_of_entry(table, op.fixed_entry);
        return op.fixed_entry;
    }
    const rf_philox_block block = rf_philox(rfi_draw_of(op.noise, trials), (uint32_t)r);
    *column = (int32_t)rf_uniform_below(block.word[0], (uint32_t)table.n_conditions);
    return pick_entry(table, *column, ((double)block.word[1] + 0.5) * 0x1p-32);
}

__device__ static void draw_conditions_block(const rf_draw_conditions &op,
                                             const rf_condition_table &shared_table, int32_t block,
                                             const rfi_trials &trials)
{
    const int32_t r = block * CONDITION_THREADS + (int32_t)threadIdx.x;
    if (r >= op.n)
        return;
    int32_t column;
    rfi_at(op.out, trials)[r] = condition_of(op, table_at(shared_table, trials), r, &column, trials);
    rfi_at(op.out_column, trials)[r] = column;
}

__global__ void draw_conditions_kernel(rf_draw_conditions op, rf_condition_table shared_table,
                                       rfi_trials trials)
{
    draw_conditions_block(op, shared_table, (int32_t)blockIdx.x, trials);
}

void rfi_cuda_draw_conditions(rf_device *device, const rf_draw_conditions *op)
{
    if (!rfi_ready(device) || op->n == 0)
        return;
    RFI_LAUNCH(device, draw_conditions_kernel, rfi_divide_up(op->n, CONDITION_THREADS), 1, CONDITION_THREADS,
               0, *op, *op->table);
}

/* ------------------------------------------------------------------ rows */

/* One coded row of the table into row `to` of a batch, by a warp. */
__device__ static void copy_row(const rfi_layout &layout, const rf_coded &table, int64_t from, float *scalars,
                                uint16_t *codes, int64_t to)
{
    const int32_t lane = (int32_t)(threadIdx.x % WARP);
    for (int32_t i = lane; i < layout.n_scalars; i += WARP)
        scalars[to * layout.n_scalars + i] = table.scalars[from * layout.n_scalars + i];
    for (int32_t i = lane; i < layout.n_codes; i += WARP)
        codes[to * layout.n_codes + i] = table.codes[from * layout.n_codes + i];
}

__device__ static rf_coded coded_at(rf_coded table, const rfi_trials &trials)
{
    table.scalars = rfi_at(table.scalars, trials);
    table.codes = rfi_at(table.codes, trials);
    return table;
}

/* Where real rows come from. */
struct row_source {
    rfi_layout layout;
    rf_coded rows;
    rf_condition_table conditions;
};

/* Rows of `block`: every lane works out its row for itself, it is a few dozen instructions. With `drawn` the entries are drawn
 * in the same kernel and may not be there yet: they are worked out once more. */
__device__ static void draw_rows_block(const rf_draw_rows &op, const row_source &source,
                                       const rf_draw_conditions *drawn, int32_t block,
                                       const rfi_trials &trials)
{
    const int32_t i = block * (ROW_THREADS / WARP) + (int32_t)(threadIdx.x / WARP);
    if (i >= op.n)
        return;
    const rf_philox_block words = rf_philox(rfi_draw_of(op.noise, trials), (uint32_t)i / 2);
    const uint32_t high = words.word[2 * (i & 1)], low = words.word[2 * (i & 1) + 1];
    const rf_coded rows = coded_at(source.rows, trials);
    int64_t row;
    if (op.entries) {
        const rf_condition_table table = table_at(source.conditions, trials);
        const rf_philox_block key = rf_philox(rfi_draw_of(op.permute, trials), 0);
        const rf_permute order = rf_permute_make(key.word, (uint64_t)op.n);
        const int32_t from = (int32_t)rf_permute_at(&order, (uint64_t)i);
        int32_t column;
        const int32_t entry =
            drawn ? condition_of(*drawn, table, from, &column, trials) : rfi_at(op.entries, trials)[from];
        const int64_t first = table.list_offsets[entry], end = table.list_offsets[entry + 1];
        row = (int64_t)table.list[first + (int64_t)rf_uniform_below64(high, low, (uint64_t)(end - first))];
        rfi_at(op.out_entries, trials)[i] = entry;
    } else {
        row = (int64_t)rf_uniform_below64(high, low, (uint64_t)rows.n_rows);
    }
    copy_row(source.layout, rows, row, rfi_at(op.out_scalars, trials), rfi_at(op.out_codes, trials), i);
}

__global__ void draw_rows_kernel(const __grid_constant__ rf_draw_rows op,
                                 const __grid_constant__ row_source source, rfi_trials trials)
{
    draw_rows_block(op, source, nullptr, (int32_t)blockIdx.x, trials);
}

static bool source_of(rf_device *device, const rf_draw_rows *op, row_source *out)
{
    *out = {};
    out->rows = *op->table;
    if (op->entries)
        out->conditions = *op->conditions;
    return rfi_layout_of(device, op->layout, &out->layout);
}

void rfi_cuda_draw_rows(rf_device *device, const rf_draw_rows *op)
{
    row_source source;
    if (!rfi_ready(device) || op->n == 0 || !source_of(device, op, &source))
        return;
    RFI_LAUNCH(device, draw_rows_kernel, rfi_divide_up(op->n, ROW_THREADS / WARP), 1, ROW_THREADS, 0, *op,
               source);
}

/* ------------------------------------------------------------------ all draws of a step
 *
 * Blocks of the grid: normals of each batch, conditions of each batch, real rows.
 */
enum { DRAW_PARTS = 2 * RF_BATCHES_MAX + 1 };

struct draw_list {
    rf_draw_batches op;
    rf_condition_table table[RF_BATCHES_MAX];
    row_source source;
    int32_t first[DRAW_PARTS + 1];
};

__global__ void draw_batches_kernel(const __grid_constant__ draw_list list,
                                    const __grid_constant__ rfi_trials trials)
{
    const int32_t at = (int32_t)blockIdx.x, n = RF_BATCHES_MAX;
    int32_t part = 0;
    while (part + 1 < DRAW_PARTS && at >= list.first[part + 1])
        part++;
    const int32_t block = at - list.first[part];
    if (part < n)
        rfi_draw_normals(list.op.normal[part], block, trials);
    else if (part < 2 * n)
        draw_conditions_block(list.op.conditions[part - n], list.table[part - n], block, trials);
    else
        draw_rows_block(list.op.rows, list.source, list.op.rows.entries ? &list.op.conditions[0] : nullptr,
                        block, trials);
}

/* Deals the blocks. */
static void deal(draw_list *list)
{
    const rf_draw_batches *op = &list->op;
    int64_t blocks[DRAW_PARTS] = {};
    for (int32_t i = 0; i < op->n; i++) {
        blocks[i] = rfi_normal_blocks(&op->normal[i]);
        if (op->conditions[i].out)
            blocks[RF_BATCHES_MAX + i] = rfi_divide_up(op->conditions[i].n, CONDITION_THREADS);
    }
    if (op->rows.layout)
        blocks[DRAW_PARTS - 1] = rfi_divide_up(op->rows.n, ROW_THREADS / WARP);
    for (int32_t i = 0; i < DRAW_PARTS; i++)
        list->first[i + 1] = list->first[i] + (int32_t)blocks[i];
}

void rfi_cuda_draw_batches(rf_device *device, const rf_draw_batches *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    draw_list list = {};
    if (!cuda)
        return;
    /* Rows follow the entries of the first batch, or none, and find them in the same table. */
    const bool follows = !op->rows.layout || !op->rows.entries ||
                         (op->rows.entries == op->conditions[0].out && op->rows.n == op->conditions[0].n &&
                          op->rows.conditions->cumulative == op->conditions[0].table->cumulative);
    if (!rfi_is_fused(cuda) || !follows) {
        rf_parts_draw_batches(device, op);
        return;
    }
    list.op = *op;
    for (int32_t i = 0; i < op->n; i++)
        if (op->conditions[i].out)
            list.table[i] = *op->conditions[i].table;
    if (op->rows.layout && !source_of(device, &op->rows, &list.source))
        return;
    deal(&list);
    if (list.first[DRAW_PARTS] > 0)
        RFI_LAUNCH(device, draw_batches_kernel, list.first[DRAW_PARTS], 1, RFI_DRAW_THREADS, 0, list);
}

/* ------------------------------------------------------------------ rows in the order of an epoch */

__global__ void take_rows_kernel(rf_take_rows op, rfi_layout layout, rf_coded shared_rows, rfi_trials trials)
{
    const int32_t i = (int32_t)(blockIdx.x * (ROW_THREADS / WARP) + threadIdx.x / WARP);
    const rf_coded rows = coded_at(shared_rows, trials);
    int32_t n;
    const int64_t row = rfi_taken_row(op, rows, i, &n, trials);
    if (blockIdx.x == 0 && threadIdx.x == 0)
        *rfi_at(op.out_n, trials) = n;
    if (row < 0)
        return;
    copy_row(layout, rows, row, rfi_at(op.out_scalars, trials), rfi_at(op.out_codes, trials), i);
}

void rfi_cuda_take_rows(rf_device *device, const rf_take_rows *op)
{
    rfi_layout layout;
    if (!rfi_ready(device) || op->batch == 0 || !rfi_layout_of(device, op->layout, &layout))
        return;
    RFI_LAUNCH(device, take_rows_kernel, rfi_divide_up(op->batch, ROW_THREADS / WARP), 1, ROW_THREADS, 0, *op,
               layout, *op->table);
}

/* ------------------------------------------------------------------ counters */

__global__ void step_tick_kernel(rf_step_tick op, rfi_trials trials)
{
    rfi_tick(op, trials);
}

void rfi_cuda_step_tick(rf_device *device, const rf_step_tick *op)
{
    if (rfi_ready(device))
        RFI_LAUNCH(device, step_tick_kernel, 1, 1, 1, 0, *op);
}

__global__ void adam_tick_kernel(rf_adam *shared_adam, rfi_trials trials)
{
    rf_adam *adam = rfi_at(shared_adam, trials);
    rf_adam_scalars(&adam->power1, &adam->power2, adam->lr, adam->beta1, adam->beta2, &adam->rate,
                    &adam->root);
}

void rfi_cuda_adam_tick(rf_device *device, rf_adam *adam)
{
    if (rfi_ready(device))
        RFI_LAUNCH(device, adam_tick_kernel, 1, 1, 1, 0, adam);
}
