/* cpu_affine.c - dense layers: the product with its epilogue, and the gradient with respect to the input. */
#include "kernels/cpu/cpu_gemm.h"

/* ------------------------------------------------------------------ forward */

static void add_gathered(const rf_affine *op, int32_t r, int32_t left, int32_t right)
{
    float *restrict y = op->y.data + r * op->y.ld;
    const int32_t *ids = op->ids + (int64_t)r * op->n_ids;
    for (int32_t s = 0; s < op->n_ids; s++) {
        const float *restrict row =
            op->gather.data + ((int64_t)s * op->gather_stride + ids[s]) * op->gather.ld;
        for (int32_t c = left; c < right; c++)
            y[c] += row[c];
    }
}

static void apply_gate(float *restrict y, const float *restrict gate, rf_gate kind, int32_t left,
                       int32_t right)
{
    if (kind == RF_GATE_MULTIPLY)
        for (int32_t c = left; c < right; c++)
            y[c] *= gate[c];
    else
        for (int32_t c = left; c < right; c++)
            y[c] = gate[c] > 0.0f ? y[c] : 0.0f;
}

/* Everything after the product, while the rows are still in the first-level cache. */
static void affine_finish(const void *arg, int32_t first, int32_t end, int32_t left, int32_t right)
{
    const rf_affine *op = arg;
    const float *restrict bias = op->bias;
    for (int32_t r = first; r < end; r++) {
        float *restrict y = op->y.data + r * op->y.ld;
        if (op->gather.data)
            add_gathered(op, r, left, right);
        if (bias)
            for (int32_t c = left; c < right; c++)
                y[c] += bias[c];
        if (op->relu)
            for (int32_t c = left; c < right; c++)
                y[c] = y[c] < 0.0f ? 0.0f : y[c];
        if (op->row_scale)
            for (int32_t c = left; c < right; c++)
                y[c] *= op->row_scale[r];
        if (op->gate_kind != RF_GATE_NONE)
            apply_gate(y, op->gate.data + r * op->gate.ld, op->gate_kind, left, right);
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

static void back_finish(const void *arg, int32_t first, int32_t end, int32_t left, int32_t right)
{
    const rf_affine_back *op = arg;
    for (int32_t r = first; r < end; r++)
        apply_gate(op->dx.data + r * op->dx.ld, op->gate.data + r * op->gate.ld, op->gate_kind, left, right);
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
