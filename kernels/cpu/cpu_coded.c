/* cpu_coded.c - the product with one-hot rows, which is never a product: weight rows are gathered and added.
 *
 * First every row's list of weight rows is written down, then tasks own strips of columns. A strip of the weights of one slot of the
 * packs is small enough to stay in the first-level cache while the rows of the batch pass over it again and again.
 */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum {
    STRIP = 64, /* columns that stay in registers           */
    VECTORS = STRIP / RFI_LANES,
    LIST_ROWS = 8,   /* rows of a task that writes lists         */
    STRIP_ROWS = 64, /* rows of a task that adds                 */
};

/* A weight row and what it is multiplied by. */
typedef struct entry {
    int32_t row;
    float times;
} entry;

typedef struct coded_job {
    const rf_affine_coded *op;
    entry *entries; /* (R, pack, n_spans) */
    int32_t n_strips;
} coded_job;

/* ------------------------------------------------------------------ lists */

static void list_rows(void *arg, int32_t first, int32_t end)
{
    const coded_job *job = arg;
    const rf_affine_coded *op = job->op;
    const rf_layout *layout = op->layout;
    for (int64_t coded = (int64_t)first * op->pack; coded < (int64_t)end * op->pack; coded++) {
        const float *scalars = op->scalars + coded * layout->n_scalars;
        const uint16_t *codes = op->codes + coded * layout->n_codes;
        int32_t base = (int32_t)(coded % op->pack) * layout->width;
        entry *out = job->entries + coded * layout->n_spans;
        for (int32_t i = 0; i < layout->n_spans; i++) {
            const rf_span *span = &layout->spans[i];
            bool scalar = span->kind == RF_SPAN_SCALAR;
            out[i].row = base + span->offset + (scalar ? 0 : codes[span->source]);
            out[i].times = scalar ? scalars[span->source] : 1.0f;
        }
    }
}

/* ------------------------------------------------------------------ sums */

/* Registers of a strip; `n` counts the columns of each when the strip is not whole. */
typedef struct strip {
    int32_t left;
    int n[VECTORS];
} strip;

RFI_INLINE v16 take(const float *x, const strip *s, int j, const bool whole)
{
    return whole         ? v16_load(x + j * RFI_LANES)
           : s->n[j] > 0 ? v16_load_n(x + j * RFI_LANES, s->n[j])
                         : v16_zero();
}

/* Everything after the weight rows. */
RFI_INLINE void finish_row(const rf_affine_coded *op, int32_t r, const strip *s, v16 sum[VECTORS],
                           const bool whole)
{
    for (int32_t i = 0; op->gather.data && i < op->pack; i++) {
        int64_t id = (int64_t)i * op->gather_stride + op->ids[(int64_t)r * op->pack + i];
        for (int j = 0; j < VECTORS; j++)
            sum[j] = v16_add(sum[j], take(op->gather.data + id * op->gather.ld + s->left, s, j, whole));
    }
    for (int j = 0; j < VECTORS; j++) {
        sum[j] = op->bias ? v16_add(sum[j], take(op->bias + s->left, s, j, whole)) : sum[j];
        sum[j] = op->relu ? v16_max(v16_zero(), sum[j]) : sum[j];
    }
}

/* What one slot of the pack adds to a row. */
RFI_INLINE void sum_slot(const coded_job *job, int32_t r, int32_t slot, const strip *s, const bool whole)
{
    const rf_affine_coded *op = job->op;
    const entry *list = job->entries + ((int64_t)r * op->pack + slot) * op->layout->n_spans;
    const float *w = op->w.data + s->left;
    float *y = op->y.data + r * op->y.ld + s->left;
    v16 sum[VECTORS];
    for (int j = 0; j < VECTORS; j++)
        sum[j] = slot > 0 ? take(y, s, j, whole) : v16_zero();
    for (int32_t i = 0; i < op->layout->n_spans; i++) {
        const float *row = w + list[i].row * op->w.ld;
        v16 times = v16_set(list[i].times);
        for (int j = 0; j < VECTORS; j++)
            sum[j] = v16_fma(times, take(row, s, j, whole), sum[j]);
    }
    if (slot == op->pack - 1)
        finish_row(op, r, s, sum, whole);
    for (int j = 0; j < VECTORS; j++) {
        if (whole)
            v16_store(y + j * RFI_LANES, sum[j]);
        else if (s->n[j] > 0)
            v16_store_n(y + j * RFI_LANES, sum[j], s->n[j]);
    }
}

/* A share of the next slot's weights, while this one is added. */
static void fetch_next(const rf_affine_coded *op, int32_t slot, int32_t step, int32_t n_steps, const strip *s)
{
    int64_t width = op->layout->width, base = (slot + 1) * width;
    for (int64_t k = width * step / n_steps; slot + 1 < op->pack && k < width * (step + 1) / n_steps; k++)
        for (int j = 0; j < VECTORS; j++)
            __builtin_prefetch(op->w.data + (base + k) * op->w.ld + s->left + j * RFI_LANES, 0, 2);
}

/* Slot by slot: a strip of one slot's weights stays in the first-level cache while all rows pass over it. */
static void strip_task(void *arg, int64_t task)
{
    const coded_job *job = arg;
    const rf_affine_coded *op = job->op;
    int32_t first = (int32_t)(task / job->n_strips) * STRIP_ROWS;
    int32_t end = rfi_min32(first + STRIP_ROWS, op->y.rows);
    strip s = {.left = (int32_t)(task % job->n_strips) * STRIP};
    for (int j = 0; j < VECTORS; j++) {
        int32_t here = op->y.cols - s.left - j * RFI_LANES;
        s.n[j] = here < 0 ? 0 : rfi_min32(here, RFI_LANES);
    }
    for (int32_t slot = 0; slot < op->pack; slot++)
        for (int32_t r = first; r < end; r++) {
            fetch_next(op, slot, r - first, end - first, &s);
            if (s.n[VECTORS - 1] == RFI_LANES)
                sum_slot(job, r, slot, &s, true);
            else
                sum_slot(job, r, slot, &s, false);
        }
}

void RFI_FN(rfi_affine_coded)(rf_device *device, const rf_affine_coded *op)
{
    coded_job job = {.op = op};
    size_t n = (size_t)op->y.rows * (size_t)op->pack * (size_t)op->layout->n_spans;
    job.entries = rfi_scratch(device, n * sizeof *job.entries);
    if (!job.entries)
        return;
    job.n_strips = (int32_t)rfi_divide_up(op->y.cols, STRIP);
    rfi_run_rows(device, op->y.rows, LIST_ROWS, list_rows, &job);
    rfi_run(device, strip_task, &job, rfi_divide_up(op->y.rows, STRIP_ROWS) * job.n_strips);
}
