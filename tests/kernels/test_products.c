/* test_products.c - affine, affine_coded and affine_back against plain loops in double precision. */
#include "rig.h"

#include <math.h>

/* ------------------------------------------------------------------ affine */

typedef struct affine_case {
    int32_t rows, depth, cols, n_ids, stride;
    bool accumulate, relu, bias, scale;
    rf_gate gate;
} affine_case;

static void affine_oracle(double *y, const rf_affine *op)
{
    int32_t cols = op->y.cols;
    for (int32_t r = 0; r < op->y.rows; r++)
        for (int32_t n = 0; n < cols; n++) {
            double sum = op->accumulate ? (double)op->y.data[r * op->y.ld + n] : 0.0;
            for (int32_t k = 0; op->x.data && k < op->x.cols; k++)
                sum += (double)op->x.data[r * op->x.ld + k] * (double)op->w.data[k * op->w.ld + n];
            for (int32_t s = 0; op->gather.data && s < op->n_ids; s++)
                sum += (double)op->gather
                           .data[(s * op->gather_stride + op->ids[r * op->n_ids + s]) * op->gather.ld + n];
            sum += op->bias ? (double)op->bias[n] : 0.0;
            sum = op->relu && sum < 0.0 ? 0.0 : sum;
            sum *= op->row_scale ? (double)op->row_scale[r] : 1.0;
            double gate = op->gate_kind == RF_GATE_NONE ? 1.0 : (double)op->gate.data[r * op->gate.ld + n];
            y[(int64_t)r * cols + n] =
                op->gate_kind == RF_GATE_POSITIVE ? (gate > 0.0 ? sum : 0.0) : sum * gate;
        }
}

static void check_affine(const affine_case *c)
{
    rig_state rig;
    rig_begin(&rig, 11);
    rf_affine op = {
        .y = rig_mat(&rig, c->rows, c->cols, c->cols + 3), .accumulate = c->accumulate, .relu = c->relu};
    if (c->depth > 0) {
        op.x = rig_mat(&rig, c->rows, c->depth, c->depth + 5);
        op.w = rig_mat(&rig, c->depth, c->cols, c->cols);
    }
    op.bias = c->bias ? rig_vector(&rig, c->cols) : NULL;
    op.row_scale = c->scale ? rig_vector(&rig, c->rows) : NULL;
    if (c->n_ids > 0) {
        op.gather = rig_mat(&rig, c->n_ids * c->stride, c->cols, c->cols);
        op.ids = rig_ids(&rig, (int64_t)c->rows * c->n_ids, c->stride);
        op.n_ids = c->n_ids;
        op.gather_stride = c->stride;
    }
    op.gate_kind = c->gate;
    if (c->gate != RF_GATE_NONE)
        op.gate = rig_mat(&rig, c->rows, c->cols, c->cols + 1);
    double *wanted = malloc((size_t)c->rows * (size_t)c->cols * sizeof *wanted);
    affine_oracle(wanted, &op);
    rig_run(&rig, RIG_OP(affine, &op));
    rig_near("y", op.y, wanted, 1e-6 * sqrt(c->depth + c->n_ids + 1.0), 1e-6);
    free(wanted);
    rig_end(&rig);
}

static void affine_agrees_with_plain_loops(void **state)
{
    (void)state;
    static const affine_case cases[] = {
        {.rows = 1, .depth = 1, .cols = 1},
        {.rows = 7, .depth = 31, .cols = 33, .bias = true},
        {.rows = 50, .depth = 157, .cols = 64, .relu = true, .bias = true, .accumulate = true},
        {.rows = 50, .depth = 300, .cols = 256, .n_ids = 10, .stride = 7, .bias = true},
        {.rows = 33, .depth = 129, .cols = 1000, .gate = RF_GATE_MULTIPLY, .scale = true},
        {.rows = 257, .depth = 128, .cols = 157, .n_ids = 1, .stride = 104, .relu = true, .bias = true},
        {.rows = 157, .depth = 385, .cols = 31, .gate = RF_GATE_POSITIVE, .accumulate = true},
        {.rows = 131, .depth = 7, .cols = 17, .n_ids = 1, .stride = 1},
        {.rows = 50, .depth = 0, .cols = 65, .n_ids = 3, .stride = 4, .bias = true},
        {.rows = 200, .depth = 0, .cols = 20, .accumulate = true, .scale = true},
        {.rows = 500, .depth = 0, .cols = 48},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_affine(&cases[i]);
}

/* The promise that makes tiles free to change: one chain of fused multiply-adds over ascending k. */
static void affine_is_one_chain_of_fused_multiply_adds(void **state)
{
    (void)state;
    enum { ROWS = 140, DEPTH = 301, COLS = 70 };
    rig_state rig;
    if (!rig_is_cpu())
        return; /* a GPU's product has an order of its own */
    rig_begin(&rig, 12);
    rf_affine op = {.y = rig_mat(&rig, ROWS, COLS, COLS), .x = rig_mat(&rig, ROWS, DEPTH, DEPTH)};
    op.w = rig_mat(&rig, DEPTH, COLS, COLS);
    rig_run(&rig, RIG_OP(affine, &op));
    for (int32_t r = 0; r < ROWS; r++)
        for (int32_t n = 0; n < COLS; n++) {
            float sum = 0.0f;
            for (int32_t k = 0; k < DEPTH; k++)
                sum = fmaf(op.x.data[r * DEPTH + k], op.w.data[k * COLS + n], sum);
            assert_true(sum == op.y.data[r * COLS + n]);
        }
    rig_end(&rig);
}

/* ------------------------------------------------------------------ affine_coded */

static void coded_oracle(double *y, const rf_affine_coded *op, const rf_coded *rows)
{
    int32_t width = op->layout->width, cols = op->y.cols;
    double *x = malloc((size_t)width * sizeof *x);
    for (int32_t r = 0; r < op->y.rows; r++) {
        double *out = y + (int64_t)r * cols;
        for (int32_t n = 0; n < cols; n++)
            out[n] = op->bias ? (double)op->bias[n] : 0.0;
        for (int32_t s = 0; s < op->pack; s++) {
            rig_encode(x, op->layout, rows, (int64_t)r * op->pack + s);
            for (int32_t k = 0; k < width; k++)
                for (int32_t n = 0; n < cols; n++)
                    out[n] += x[k] * (double)op->w.data[((int64_t)s * width + k) * op->w.ld + n];
            if (!op->gather.data)
                continue;
            int64_t id = (int64_t)s * op->gather_stride + op->ids[r * op->pack + s];
            for (int32_t n = 0; n < cols; n++)
                out[n] += (double)op->gather.data[id * op->gather.ld + n];
        }
        for (int32_t n = 0; op->relu && n < cols; n++)
            out[n] = out[n] < 0.0 ? 0.0 : out[n];
    }
    free(x);
}

static void check_coded(const int32_t *widths, int32_t n, int32_t rows, int32_t cols, int32_t pack,
                        bool gather, bool bias, bool relu)
{
    rig_state rig;
    rig_layout layout;
    rig_begin(&rig, 13);
    rig_layout_make(&layout, widths, n, 0);
    rf_coded coded = rig_coded(&rig, &layout.layout, (int64_t)rows * pack);
    rf_affine_coded op = {.y = rig_mat(&rig, rows, cols, cols + 9),
                          .w = rig_mat(&rig, pack * layout.layout.width, cols, cols),
                          .layout = &layout.layout,
                          .scalars = coded.scalars,
                          .codes = coded.codes,
                          .pack = pack,
                          .relu = relu};
    op.bias = bias ? rig_vector(&rig, cols) : NULL;
    if (gather) {
        op.gather_stride = 5;
        op.gather = rig_mat(&rig, pack * 5, cols, cols);
        op.ids = rig_ids(&rig, (int64_t)rows * pack, 5);
    }
    double *wanted = malloc((size_t)rows * (size_t)cols * sizeof *wanted);
    coded_oracle(wanted, &op, &coded);
    rig_run(&rig, RIG_OP(affine_coded, &op));
    rig_near("y", op.y, wanted, 2e-5, 1e-6);
    free(wanted);
    rig_end(&rig);
}

static void affine_coded_agrees_with_encoded_rows(void **state)
{
    (void)state;
    static const int32_t mixed[] = {0, 10, 9, 0, 16, 1000, 2}, scalars[] = {0, 0, 0}, codes[] = {7, 1, 31};
    check_coded(mixed, 7, 50, 256, 10, true, true, false);
    check_coded(mixed, 7, 33, 157, 1, false, true, true);
    check_coded(scalars, 3, 7, 31, 10, true, false, false);
    check_coded(codes, 3, 31, 70, 10, false, false, true);
    check_coded(codes, 1, 1, 1, 1, false, false, false);
}

/* ------------------------------------------------------------------ affine_back */

static void check_back(int32_t rows, int32_t inputs, int32_t outputs, bool accumulate, rf_gate gate)
{
    rig_state rig;
    rig_begin(&rig, 14);
    rf_affine_back op = {.dx = rig_mat(&rig, rows, inputs, inputs + 2),
                         .dy = rig_mat(&rig, rows, outputs, outputs + 4),
                         .w = rig_mat(&rig, inputs, outputs, outputs),
                         .accumulate = accumulate,
                         .gate_kind = gate};
    if (gate != RF_GATE_NONE)
        op.gate = rig_mat(&rig, rows, inputs, inputs);
    double *wanted = malloc((size_t)rows * (size_t)inputs * sizeof *wanted);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t k = 0; k < inputs; k++) {
            double sum = accumulate ? (double)op.dx.data[r * op.dx.ld + k] : 0.0;
            for (int32_t n = 0; n < outputs; n++)
                sum += (double)op.dy.data[r * op.dy.ld + n] * (double)op.w.data[k * op.w.ld + n];
            double g = gate == RF_GATE_NONE ? 1.0 : (double)op.gate.data[r * inputs + k];
            wanted[(int64_t)r * inputs + k] = gate == RF_GATE_POSITIVE ? (g > 0.0 ? sum : 0.0) : sum * g;
        }
    rig_run(&rig, RIG_OP(affine_back, &op));
    rig_near("dx", op.dx, wanted, 1e-6 * sqrt(outputs + 1.0), 1e-6);
    free(wanted);
    rig_end(&rig);
}

static void affine_back_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_back(1, 1, 1, false, RF_GATE_NONE);
    check_back(50, 1570, 64, false, RF_GATE_NONE);
    check_back(50, 257, 256, true, RF_GATE_MULTIPLY);
    check_back(257, 157, 33, false, RF_GATE_POSITIVE);
    check_back(140, 31, 157, true, RF_GATE_NONE);
    check_back(7, 1000, 129, false, RF_GATE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affine_agrees_with_plain_loops),
        cmocka_unit_test(affine_is_one_chain_of_fused_multiply_adds),
        cmocka_unit_test(affine_coded_agrees_with_encoded_rows),
        cmocka_unit_test(affine_back_agrees_with_plain_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
