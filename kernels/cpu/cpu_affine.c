/* cpu_affine.c - dense layers: the product with its epilogue, and the gradient with respect to the input. */
#include "kernels/cpu/cpu_gemm.h"

/* ------------------------------------------------------------------ forward */

/* Sixteen columns, or what is left of a row. */
typedef struct piece {
    int32_t r, c;
    int n;
} piece;

RFI_INLINE v16 take(const float *x, const piece *at, const bool whole)
{
    return whole ? v16_load(x + at->c) : v16_load_n(x + at->c, at->n);
}

RFI_INLINE void give(float *x, v16 value, const piece *at, const bool whole)
{
    if (whole)
        v16_store(x + at->c, value);
    else
        v16_store_n(x + at->c, value, at->n);
}

RFI_INLINE v16 apply_gate(v16 y, v16 gate, rf_gate kind)
{
    return kind == RF_GATE_MULTIPLY ? v16_mul(y, gate) : v16_where_positive(gate, y);
}

RFI_INLINE void finish_piece(const rf_affine *op, const piece *at, const bool whole)
{
    float *row = op->y.data + at->r * op->y.ld;
    v16 y = take(row, at, whole);
    if (op->gather.data) {
        const int32_t *ids = op->ids + (int64_t)at->r * op->n_ids;
        for (int32_t s = 0; s < op->n_ids; s++) {
            int64_t id = (int64_t)s * op->gather_stride + ids[s];
            y = v16_add(y, take(op->gather.data + id * op->gather.ld, at, whole));
        }
    }
    if (op->bias)
        y = v16_add(y, take(op->bias, at, whole));
    if (op->relu)
        y = v16_max(v16_zero(), y); /* a NaN stays one */
    if (op->row_scale)
        y = v16_mul(y, v16_set(op->row_scale[at->r]));
    if (op->gate_kind != RF_GATE_NONE)
        y = apply_gate(y, take(op->gate.data + at->r * op->gate.ld, at, whole), op->gate_kind);
    give(row, y, at, whole);
}

/* Everything after the product, while the rows are still in the first-level cache. */
static void affine_finish(const void *arg, int32_t first, int32_t end, int32_t left, int32_t right)
{
    const rf_affine op = *(const rf_affine *)arg;
    for (int32_t r = first; r < end; r++) {
        piece at = {r, left, RFI_LANES};
        for (; at.c + RFI_LANES <= right; at.c += RFI_LANES)
            finish_piece(&op, &at, true);
        at.n = right - at.c;
        if (at.n > 0)
            finish_piece(&op, &at, false);
    }
}

void RFI_FN(rfi_affine)(rf_device *device, const rf_affine *op)
{
    bool plain =
        !op->gather.data && !op->bias && !op->relu && !op->row_scale && op->gate_kind == RF_GATE_NONE;
    const rfi_product product = {
        .rows = op->y.rows,
        .a = op->x.data,
        .a_row = op->x.ld,
        .a_step = 1,
        .b = {.data = op->w.data, .ld = op->w.ld, .depth = op->x.data ? op->x.cols : 0, .cols = op->y.cols},
        .c = op->y.data,
        .ldc = op->y.ld,
        .accumulate = op->accumulate,
        .finish = plain ? NULL : affine_finish,
        .finish_arg = op,
    };
    RFI_FN(rfi_multiply)(device, &product);
}

/* ------------------------------------------------------------------ back */

RFI_INLINE void back_piece(const rf_affine_back *op, const piece *at, const bool whole)
{
    float *row = op->dx.data + at->r * op->dx.ld;
    v16 gate = take(op->gate.data + at->r * op->gate.ld, at, whole);
    give(row, apply_gate(take(row, at, whole), gate, op->gate_kind), at, whole);
}

static void back_finish(const void *arg, int32_t first, int32_t end, int32_t left, int32_t right)
{
    const rf_affine_back op = *(const rf_affine_back *)arg;
    for (int32_t r = first; r < end; r++) {
        piece at = {r, left, RFI_LANES};
        for (; at.c + RFI_LANES <= right; at.c += RFI_LANES)
            back_piece(&op, &at, true);
        at.n = right - at.c;
        if (at.n > 0)
            back_piece(&op, &at, false);
    }
}

void RFI_FN(rfi_affine_back)(rf_device *device, const rf_affine_back *op)
{
    const rfi_product product = {
        .rows = op->dx.rows,
        .a = op->dy.data,
        .a_row = op->dy.ld,
        .a_step = 1,
        .b = {.data = op->w.data,
              .ld = op->w.ld,
              .transposed = true,
              .depth = op->dy.cols,
              .cols = op->dx.cols},
        .c = op->dx.data,
        .ldc = op->dx.ld,
        .accumulate = op->accumulate,
        .finish = op->gate_kind == RF_GATE_NONE ? NULL : back_finish,
        .finish_arg = op,
    };
    RFI_FN(rfi_multiply)(device, &product);
}
