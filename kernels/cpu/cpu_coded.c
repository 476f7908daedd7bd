/* cpu_coded.c - the product with one-hot rows, which is never a product: weight rows are gathered and added. */
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum {
    LIST_MAX = 64, /* weight rows that are added in one go */
    STRIP = 64,    /* columns that stay in registers       */
    ROWS_A_TASK = 4,
};

/* Weight rows and what they are multiplied by, waiting to be added to one row of y. */
typedef struct rows_list {
    const float *row[LIST_MAX];
    float times[LIST_MAX];
    int n;
} rows_list;

static void add_strip(float *y, const rows_list *list, int32_t left, int32_t width)
{
    v16 sum[STRIP / RFI_LANES];
    for (int j = 0; j < STRIP / RFI_LANES; j++)
        sum[j] = v16_load(y + left + j * RFI_LANES);
    (void)width;
    for (int i = 0; i < list->n; i++) {
        v16 times = v16_set(list->times[i]);
        const float *row = list->row[i] + left;
        for (int j = 0; j < STRIP / RFI_LANES; j++)
            sum[j] = v16_fma(times, v16_load(row + j * RFI_LANES), sum[j]);
    }
    for (int j = 0; j < STRIP / RFI_LANES; j++)
        v16_store(y + left + j * RFI_LANES, sum[j]);
}

static void add_tail(float *y, const rows_list *list, int32_t left, int32_t width)
{
    for (; width > 0; left += RFI_LANES, width -= RFI_LANES) {
        int n = rfi_min32(width, RFI_LANES);
        v16 sum = v16_load_n(y + left, n);
        for (int i = 0; i < list->n; i++)
            sum = v16_fma(v16_set(list->times[i]), v16_load_n(list->row[i] + left, n), sum);
        v16_store_n(y + left, sum, n);
    }
}

static void add_list(float *y, int32_t cols, rows_list *list)
{
    int32_t left = 0;
    for (; left + STRIP <= cols; left += STRIP)
        add_strip(y, list, left, STRIP);
    add_tail(y, list, left, cols - left);
    list->n = 0;
}

static void push(float *y, int32_t cols, rows_list *list, const float *row, float times)
{
    if (list->n == LIST_MAX)
        add_list(y, cols, list);
    list->row[list->n] = row;
    list->times[list->n++] = times;
}

static void push_slot(const rf_affine_coded *op, float *y, rows_list *list, int32_t r, int32_t s)
{
    const rf_layout *layout = op->layout;
    int64_t coded = (int64_t)r * op->pack + s;
    const float *scalars = op->scalars + coded * layout->n_scalars;
    const uint16_t *codes = op->codes + coded * layout->n_codes;
    const float *w = op->w.data + (int64_t)s * layout->width * op->w.ld;
    for (int32_t i = 0; i < layout->n_spans; i++) {
        const rf_span *span = &layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            push(y, op->y.cols, list, w + span->offset * op->w.ld, scalars[span->source]);
        else
            push(y, op->y.cols, list, w + (span->offset + codes[span->source]) * op->w.ld, 1.0f);
    }
}

static void coded_row(const rf_affine_coded *op, int32_t r)
{
    float *restrict y = op->y.data + r * op->y.ld;
    rows_list list = {.n = 0};
    for (int32_t c = 0; c < op->y.cols; c++)
        y[c] = 0.0f;
    for (int32_t s = 0; s < op->pack; s++)
        push_slot(op, y, &list, r, s);
    for (int32_t s = 0; op->gather.data && s < op->pack; s++) {
        int64_t id = (int64_t)s * op->gather_stride + op->ids[(int64_t)r * op->pack + s];
        push(y, op->y.cols, &list, op->gather.data + id * op->gather.ld, 1.0f);
    }
    add_list(y, op->y.cols, &list);
    if (op->bias)
        for (int32_t c = 0; c < op->y.cols; c++)
            y[c] += op->bias[c];
    if (op->relu)
        for (int32_t c = 0; c < op->y.cols; c++)
            y[c] = y[c] < 0.0f ? 0.0f : y[c];
}

static void coded_rows(void *arg, int32_t first, int32_t end)
{
    for (int32_t r = first; r < end; r++)
        coded_row(arg, r);
}

void RFI_FN(rfi_affine_coded)(rf_device *device, const rf_affine_coded *op)
{
    rfi_run_rows(device, op->y.rows, ROWS_A_TASK, coded_rows, (void *)op);
}
