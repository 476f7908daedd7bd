/* cpu_rows.c - what is picked, not computed: conditions, rows of the table, and the small counters of a step. */
#include "kernels/cpu/cpu_private.h"

#include <string.h>

#include "kernels/math/adam.h"
#include "kernels/math/permute.h"

enum { PICK_ROWS = 64 };

/* ------------------------------------------------------------------ conditions */

/* Halves the column without a branch: which half is a coin. */
static int32_t pick_entry(const rf_condition_table *table, int32_t column, double u)
{
    int32_t low = table->offsets[column], n = table->offsets[column + 1] - low;
    while (n > 1) {
        int32_t half = n / 2;
        low += table->cumulative[low + half - 1] > u ? 0 : half;
        n -= half;
    }
    return low;
}

static void condition_rows(void *arg, int32_t first, int32_t end)
{
    const rf_draw_conditions *op = arg;
    for (int32_t r = first; r < end; r++) {
        rf_philox_block block = rf_philox(rfi_draw_of(&op->noise), (uint32_t)r);
        int32_t column = (int32_t)rf_uniform_below(block.word[0], (uint32_t)op->table->n_conditions);
        double u = ((double)block.word[1] + 0.5) * 0x1p-32;
        op->out_column[r] = column;
        op->out[r] = pick_entry(op->table, column, u);
    }
}

static int32_t column_of_entry(const rf_condition_table *table, int32_t entry)
{
    int32_t column = 0;
    while (column + 1 < table->n_conditions && table->offsets[column + 1] <= entry)
        column++;
    return column;
}

void rfi_draw_conditions(rf_device *device, const rf_draw_conditions *op)
{
    if (op->fixed_entry < 0) {
        rfi_run_rows(device, op->n, PICK_ROWS, condition_rows, (void *)op);
        return;
    }
    int32_t column = column_of_entry(op->table, op->fixed_entry);
    for (int32_t r = 0; r < op->n; r++) {
        op->out[r] = op->fixed_entry;
        op->out_column[r] = column;
    }
}

/* ------------------------------------------------------------------ rows */

/* One coded row of the table into row `to` of a batch. */
static void copy_row(const rf_layout *layout, const rf_coded *table, int64_t from, float *scalars,
                     uint16_t *codes, int64_t to)
{
    size_t n_scalars = (size_t)layout->n_scalars, n_codes = (size_t)layout->n_codes;
    if (n_scalars > 0)
        memcpy(scalars + to * layout->n_scalars, table->scalars + from * layout->n_scalars,
               n_scalars * sizeof *scalars);
    if (n_codes > 0)
        memcpy(codes + to * layout->n_codes, table->codes + from * layout->n_codes, n_codes * sizeof *codes);
}

/* out[j] = permute(first + j), j = 0..n-1, n <= PICK_ROWS. A number may need several passes: one pass for all that still need
 * one, so that a processor can work on several at a time. */
static void permute_rows(const rf_permute *order, uint64_t first, int32_t n, uint64_t out[PICK_ROWS])
{
    int32_t left[PICK_ROWS], n_left = n;
    for (int32_t j = 0; j < n; j++) {
        out[j] = first + (uint64_t)j;
        left[j] = j;
    }
    while (n_left > 0) {
        int32_t kept = 0;
        for (int32_t k = 0; k < n_left; k++) {
            const int32_t j = left[k];
            out[j] = rf_permute_pass(order, out[j]);
            left[kept] = j;
            kept += out[j] >= order->n;
        }
        n_left = kept;
    }
}

typedef struct rows_job {
    const rf_draw_rows *op;
    rf_permute order;
} rows_job;

static void fetch_row(const rf_layout *layout, const rf_coded *table, int64_t row)
{
    if (layout->n_scalars > 0)
        __builtin_prefetch(table->scalars + row * layout->n_scalars);
    if (layout->n_codes > 0)
        __builtin_prefetch(table->codes + row * layout->n_codes);
}

/* Where in the lists row i of the batch, which `permuted` gives its entry, is named; without conditions, the row itself. */
static int64_t place_of(const rows_job *job, const rf_draw *draw, int32_t i, uint64_t permuted)
{
    const rf_draw_rows *op = job->op;
    const rf_philox_block words = rf_philox(*draw, (uint32_t)i / 2);
    const uint32_t *word = words.word + 2 * (i & 1);
    if (!op->entries)
        return (int64_t)rf_uniform_below64(word[0], word[1], (uint64_t)op->table->n_rows);
    int32_t entry = op->entries[permuted];
    const int64_t *list = op->conditions->list_offsets + entry;
    op->out_entries[i] = entry;
    return list[0] + (int64_t)rf_uniform_below64(word[0], word[1], (uint64_t)(list[1] - list[0]));
}

/* Every draw touches memory that no one has touched lately. So: all places, then all rows, then all copies, each fetched
 * while the others are on their way. */
static void pick_rows(void *arg, int32_t first, int32_t end)
{
    const rows_job *job = arg;
    const rf_draw_rows *op = job->op;
    const rf_draw draw = rfi_draw_of(&op->noise);
    int64_t place[PICK_ROWS];
    uint64_t permuted[PICK_ROWS] = {0};
    if (op->entries)
        permute_rows(&job->order, (uint64_t)first, end - first, permuted);
    for (int32_t i = first; i < end; i++) {
        place[i - first] = place_of(job, &draw, i, permuted[i - first]);
        if (op->entries)
            __builtin_prefetch(op->conditions->list + place[i - first]);
    }
    for (int32_t i = first; i < end; i++) {
        if (op->entries)
            place[i - first] = op->conditions->list[place[i - first]];
        fetch_row(op->layout, op->table, place[i - first]);
    }
    for (int32_t i = first; i < end; i++)
        copy_row(op->layout, op->table, place[i - first], op->out_scalars, op->out_codes, i);
}

void rfi_draw_rows(rf_device *device, const rf_draw_rows *op)
{
    rows_job job = {.op = op};
    if (op->entries)
        job.order = rf_permute_make(rf_philox(rfi_draw_of(&op->permute), 0).word, (uint64_t)op->n);
    rfi_run_rows(device, op->n, PICK_ROWS, pick_rows, &job);
}

typedef struct epoch_job {
    const rf_take_rows *op;
    rf_permute order;
    int64_t first;
} epoch_job;

static void take_block(void *arg, int32_t first, int32_t end)
{
    const epoch_job *job = arg;
    const rf_take_rows *op = job->op;
    uint64_t row[PICK_ROWS];
    permute_rows(&job->order, (uint64_t)(job->first + first), end - first, row);
    for (int32_t i = first; i < end; i++)
        fetch_row(op->layout, op->table, (int64_t)row[i - first]);
    for (int32_t i = first; i < end; i++)
        copy_row(op->layout, op->table, (int64_t)row[i - first], op->out_scalars, op->out_codes, i);
}

void rfi_take_rows(rf_device *device, const rf_take_rows *op)
{
    int64_t step = *op->noise.step, n_rows = op->table->n_rows;
    rf_draw draw = rfi_draw_of(&op->noise);
    draw.step = (uint32_t)(step / op->steps_per_epoch);
    epoch_job job = {.op = op, .first = step % op->steps_per_epoch * op->batch};
    job.order = rf_permute_make(rf_philox(draw, 0).word, (uint64_t)n_rows);
    int64_t left = n_rows - job.first;
    *op->out_n = left < 0 ? 0 : left < op->batch ? (int32_t)left : op->batch;
    rfi_run_rows(device, *op->out_n, PICK_ROWS, take_block, &job);
}

/* ------------------------------------------------------------------ counters */

void rfi_step_tick(rf_device *device, const rf_step_tick *op)
{
    (void)device;
    if (op->losses) {
        float *kept = op->ring + (int64_t)(*op->step % (uint32_t)op->length) * op->n;
        for (int32_t i = 0; i < op->n; i++)
            kept[i] = op->losses[i];
    }
    *op->step += 1;
}

void rfi_adam_tick(rf_device *device, rf_adam *adam)
{
    (void)device;
    rf_adam_scalars(&adam->power1, &adam->power2, adam->lr, adam->beta1, adam->beta2, &adam->rate,
                    &adam->root);
}
