/* test_updates.c - gradients of weights and Adam, against plain loops in double precision. */
#include "rig.h"

#include <math.h>

#include "kernels/math/adam.h"

/* ------------------------------------------------------------------ the matrix */

typedef struct update_case {
    int32_t rows, cols, dense_rows[2], coded_rows, pack, gather_rows[2], n_ids[2], stride;
    bool adam, grad;
} update_case;

static const int32_t span_widths[] = {0, 10, 9, 0, 16, 42};
enum { CODED_WIDTH = 1 + 10 + 9 + 1 + 16 + 42 };

static void gradient_oracle(double *g, const rf_update *op, const rf_coded *coded)
{
    int32_t cols = op->cols;
    for (int32_t d = 0; d < op->n_dense; d++)
        for (int32_t r = 0; r < op->dense[d].a.rows; r++)
            for (int32_t k = 0; k < op->rows; k++)
                for (int32_t n = 0; n < cols; n++)
                    g[k * cols + n] += (double)op->dense[d].a.data[r * op->dense[d].a.ld + k] *
                                       (double)op->dense[d].b.data[r * op->dense[d].b.ld + n];
    for (int32_t r = 0; op->coded.b.data && r < op->coded.b.rows; r++)
        for (int32_t s = 0; s < op->coded.pack; s++) {
            double x[CODED_WIDTH];
            rig_encode(x, op->coded.layout, coded, (int64_t)r * op->coded.pack + s);
            for (int32_t k = 0; k < CODED_WIDTH; k++)
                for (int32_t n = 0; n < cols; n++)
                    g[(s * CODED_WIDTH + k) * cols + n] +=
                        x[k] * (double)op->coded.b.data[r * op->coded.b.ld + n];
        }
    for (int32_t i = 0; i < op->n_gather; i++)
        for (int32_t r = 0; r < op->gather[i].b.rows; r++)
            for (int32_t s = 0; s < op->gather[i].n_ids; s++) {
                int32_t k = s * op->gather[i].stride + op->gather[i].ids[r * op->gather[i].n_ids + s];
                for (int32_t n = 0; n < cols; n++)
                    g[k * cols + n] += (double)op->gather[i].b.data[r * op->gather[i].b.ld + n];
            }
}

static rf_adam some_adam(void)
{
    rf_adam adam = {.power1 = 1.0,
                    .power2 = 1.0,
                    .lr = 1e-2f,
                    .beta1 = 0.5f,
                    .beta2 = 0.9f,
                    .eps = 1e-8f,
                    .decay = 1e-3f};
    rf_adam_scalars(&adam.power1, &adam.power2, adam.lr, adam.beta1, adam.beta2, &adam.rate, &adam.root);
    return adam;
}

/* Algorithm 1 of the paper in double precision, for step 1. */
static void adam_oracle(double *w, double *m, double *v, const double *g, int64_t n, const rf_adam *a)
{
    double b1 = (double)a->beta1, b2 = (double)a->beta2;
    for (int64_t i = 0; i < n; i++) {
        double grad = g[i] + (double)a->decay * w[i];
        m[i] = b1 * m[i] + (1.0 - b1) * grad;
        v[i] = b2 * v[i] + (1.0 - b2) * grad * grad;
        w[i] -= (double)a->lr * (m[i] / (1.0 - b1)) / (sqrt(v[i] / (1.0 - b2)) + (double)a->eps);
    }
}

static double *doubles_of(const float *values, int64_t n)
{
    double *out = malloc((size_t)n * sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)values[i];
    return out;
}

static float *positive_vector(rig_state *rig, int64_t n)
{
    float *v = rig_vector(rig, n);
    for (int64_t i = 0; i < n; i++)
        v[i] = fabsf(v[i]) + 0.1f;
    return v;
}

static void fill_sources(rig_state *rig, const update_case *c, rf_update *op)
{
    for (int32_t d = 0; d < 2; d++)
        if (c->dense_rows[d] > 0) {
            op->dense[d].a = rig_mat(rig, c->dense_rows[d], c->rows, c->rows + 3);
            op->dense[d].b = rig_mat(rig, c->dense_rows[d], c->cols, c->cols + 1);
            op->n_dense++;
        }
    for (int32_t i = 0; i < 2; i++)
        if (c->gather_rows[i] > 0) {
            op->gather[i].b = rig_mat(rig, c->gather_rows[i], c->cols, c->cols + 2);
            op->gather[i].ids = rig_ids(rig, (int64_t)c->gather_rows[i] * c->n_ids[i], c->stride);
            op->gather[i].n_ids = c->n_ids[i];
            op->gather[i].stride = c->stride;
            op->n_gather++;
        }
}

static void check_update(const update_case *c)
{
    rig_state rig;
    rig_layout layout;
    rf_coded coded = {0};
    rig_begin(&rig, 21);
    int64_t n = (int64_t)c->rows * c->cols;
    const rf_adam adam = some_adam();
    rf_update op = {
        .rows = c->rows, .cols = c->cols, .adam = c->adam ? rig_copy(&rig, &adam, sizeof adam) : NULL};
    op.w = rig_vector(&rig, n);
    op.m = rig_vector(&rig, n);
    op.v = positive_vector(&rig, n);
    op.grad = c->grad ? rig_vector(&rig, n) : NULL;
    fill_sources(&rig, c, &op);
    if (c->coded_rows > 0) {
        rig_layout_make(&layout, span_widths, 6, 0);
        coded = rig_coded(&rig, &layout.layout, (int64_t)c->coded_rows * c->pack);
        op.coded.b = rig_mat(&rig, c->coded_rows, c->cols, c->cols + 5);
        op.coded.layout = &layout.layout;
        op.coded.scalars = coded.scalars;
        op.coded.codes = coded.codes;
        op.coded.pack = c->pack;
    }
    double *g = calloc((size_t)n, sizeof *g), *w = doubles_of(op.w, n), *m = doubles_of(op.m, n),
           *v = doubles_of(op.v, n);
    gradient_oracle(g, &op, &coded);
    if (c->adam)
        adam_oracle(w, m, v, g, n, &adam);
    rig_run(&rig, RIG_OP(update, &op));
    if (op.grad)
        rig_near_vector("grad", op.grad, g, n, 5e-5, 1e-6);
    rig_near_vector("m", op.m, m, n, 5e-5, 1e-6);
    rig_near_vector("v", op.v, v, n, 5e-5, 1e-5);
    rig_near_vector("w", op.w, w, n, 5e-6, 1e-6);
    free(g), free(w), free(m), free(v);
    rig_end(&rig);
}

static void update_agrees_with_plain_loops(void **state)
{
    (void)state;
    static const update_case cases[] = {
        {.rows = 1, .cols = 1, .dense_rows = {1}, .adam = true, .grad = true},
        {.rows = 33, .cols = 157, .dense_rows = {50, 7}, .adam = true, .grad = true},
        {.rows = 257, .cols = 31, .dense_rows = {257}, .grad = true},
        {.rows = 3 * CODED_WIDTH, .cols = 64, .coded_rows = 50, .pack = 3, .adam = true, .grad = true},
        {.rows = CODED_WIDTH, .cols = 33, .dense_rows = {31}, .coded_rows = 33, .pack = 1, .adam = true},
        {.rows = 70,
         .cols = 20,
         .gather_rows = {50, 31},
         .n_ids = {10, 10},
         .stride = 7,
         .adam = true,
         .grad = true},
        {.rows = 104,
         .cols = 256,
         .gather_rows = {157},
         .n_ids = {1},
         .stride = 104,
         .adam = true,
         .grad = true},
        {.rows = 7, .cols = 1000, .dense_rows = {33}, .adam = true, .grad = true},
        {.rows = 40, .cols = 17, .adam = true, .grad = true},
        {.rows = 2, .cols = 11000, .dense_rows = {7}, .grad = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_update(&cases[i]);
}

/* ------------------------------------------------------------------ the vector */

static void check_vector(int32_t rows, int32_t n, bool coef, bool given, bool clamp)
{
    rig_state rig;
    rig_begin(&rig, 22);
    const rf_adam adam = some_adam();
    rf_update_vector op = {.n = n,
                           .adam = rig_copy(&rig, &adam, sizeof adam),
                           .lo = clamp ? -0.2f : 0.0f,
                           .hi = clamp ? 0.3f : 0.0f};
    op.w = rig_vector(&rig, n);
    op.m = rig_vector(&rig, n);
    op.v = positive_vector(&rig, n);
    op.grad = rig_vector(&rig, n);
    op.coef = coef ? rig_vector(&rig, rows) : NULL;
    op.given = given ? rig_vector(&rig, n) : NULL;
    if (rows > 0)
        op.b = rig_mat(&rig, rows, n, n + 3);
    double *g = calloc((size_t)n, sizeof *g), *w = doubles_of(op.w, n), *m = doubles_of(op.m, n),
           *v = doubles_of(op.v, n);
    for (int32_t c = 0; c < n; c++) {
        g[c] = given ? (double)op.given[c] : 0.0;
        for (int32_t r = 0; r < rows; r++)
            g[c] += (coef ? (double)op.coef[r] : 1.0) * (double)op.b.data[r * op.b.ld + c];
    }
    adam_oracle(w, m, v, g, n, &adam);
    for (int32_t c = 0; clamp && c < n; c++)
        w[c] = fmin(fmax(w[c], (double)op.lo), (double)op.hi);
    rig_run(&rig, RIG_OP(update_vector, &op));
    rig_near_vector("grad", op.grad, g, n, 3e-5, 1e-6);
    rig_near_vector("m", op.m, m, n, 3e-5, 1e-6);
    rig_near_vector("w", op.w, w, n, 5e-6, 1e-6);
    free(g), free(w), free(m), free(v);
    rig_end(&rig);
}

static void update_vector_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_vector(500, 256, false, false, false);
    check_vector(50, 157, true, true, false);
    check_vector(0, 7, false, true, true);
    check_vector(1, 1, true, false, true);
    check_vector(33, 1000, true, false, false);
}

/* ------------------------------------------------------------------ a whole network
 *
 * More tensors than a device takes at once, of awkward sizes, between updates_begin and updates_end.
 */
enum { MATRICES = 8, VECTORS = 11 };

typedef struct network {
    rf_update matrix[MATRICES];
    rf_update_vector vector[VECTORS];
    rf_adam *adam;
    rf_step_tick tick;
} network;

static void rig_network(rf_device *device, const void *op)
{
    const network *net = op;
    device->ops->updates_begin(device, net->adam);
    for (int i = 0; i < VECTORS; i++) {
        if (i < MATRICES)
            device->ops->update(device, &net->matrix[i]);
        device->ops->update_vector(device, &net->vector[i]);
    }
    device->ops->updates_end(device, &net->tick);
}

static void network_matrix(rig_state *rig, rf_update *op, int i)
{
    static const update_case cases[MATRICES] = {
        {.rows = 1, .cols = 1, .dense_rows = {1}},
        {.rows = 33, .cols = 70, .dense_rows = {50, 7}},
        {.rows = 7, .cols = 31, .gather_rows = {31}, .n_ids = {1}, .stride = 7},
        {.rows = 20, .cols = 17, .dense_rows = {33}, .gather_rows = {9, 33}, .n_ids = {2, 2}, .stride = 10},
        {.rows = 40, .cols = 17},
        {.rows = 130, .cols = 129, .dense_rows = {257}},
        {.rows = 3, .cols = 257, .dense_rows = {31}},
        {.rows = 31, .cols = 5, .dense_rows = {400}},
    };
    const update_case *c = &cases[i];
    const int64_t n = (int64_t)c->rows * c->cols;
    *op = (rf_update){.rows = c->rows, .cols = c->cols};
    fill_sources(rig, c, op);
    float *all = rig_vector(rig, 3 * n); /* one block for three arrays: a rig has so many */
    op->w = all;
    op->m = all + n;
    op->v = all + 2 * n;
    for (int64_t k = 0; k < n; k++)
        op->v[k] = fabsf(op->v[k]) + 0.1f;
}

static void network_vector(rig_state *rig, rf_update_vector *op, int i)
{
    static const int32_t n[VECTORS] = {1, 7, 8, 9, 31, 33, 157, 257, 5, 12, 64};
    *op = (rf_update_vector){.n = n[i], .lo = i % 4 == 1 ? -0.2f : 0.0f, .hi = i % 4 == 1 ? 0.3f : 0.0f};
    if (i % 3 > 0)
        op->b = rig_mat(rig, 1 + 37 * i, n[i], n[i] + 1);
    float *all = rig_vector(rig, 4 * n[i]);
    op->w = all;
    op->m = all + n[i];
    op->v = all + 2 * n[i];
    if (i % 3 < 2)
        op->given = all + 3 * n[i];
    for (int32_t k = 0; k < n[i]; k++)
        op->v[k] = fabsf(op->v[k]) + 0.1f;
}

/* What double precision makes of w, m and v: 3 n numbers. */
static double *matrix_oracle(const rf_update *op, const rf_adam *adam)
{
    const int64_t n = (int64_t)op->rows * op->cols;
    double *g = calloc((size_t)n, sizeof *g), *all = doubles_of(op->w, 3 * n);
    gradient_oracle(g, op, NULL);
    adam_oracle(all, all + n, all + 2 * n, g, n, adam);
    free(g);
    return all;
}

static double *vector_oracle(const rf_update_vector *op, const rf_adam *adam)
{
    double *g = calloc((size_t)op->n, sizeof *g), *all = doubles_of(op->w, 3 * (int64_t)op->n);
    for (int32_t c = 0; c < op->n; c++) {
        g[c] = op->given ? (double)op->given[c] : 0.0;
        for (int32_t r = 0; op->b.data && r < op->b.rows; r++)
            g[c] += (double)op->b.data[r * op->b.ld + c];
    }
    adam_oracle(all, all + op->n, all + 2 * op->n, g, op->n, adam);
    for (int32_t c = 0; op->lo < op->hi && c < op->n; c++)
        all[c] = fmin(fmax(all[c], (double)op->lo), (double)op->hi);
    free(g);
    return all;
}

static void check_updated(const float *got, double *wanted, int64_t n)
{
    rig_near_vector("w", got, wanted, n, 1e-5, 1e-6);
    rig_near_vector("m", got + n, wanted + n, n, 1e-4, 1e-6);
    rig_near_vector("v", got + 2 * n, wanted + 2 * n, n, 1e-4, 2e-5);
    free(wanted);
}

static void the_updates_of_a_network_are_those_of_its_tensors(void **state)
{
    (void)state;
    rig_state rig;
    network net = {0};
    double *matrix[MATRICES], *vector[VECTORS];
    rf_adam adam = some_adam();
    rig_begin(&rig, 25);
    adam.power1 = adam.power2 = 1.0;
    adam.rate = adam.root = 0.0f;
    net.adam = rig_copy(&rig, &adam, sizeof adam);
    net.tick.step = rig_bytes(&rig, sizeof *net.tick.step);
    for (int i = 0; i < MATRICES; i++) {
        network_matrix(&rig, &net.matrix[i], i);
        net.matrix[i].adam = net.adam;
        matrix[i] = matrix_oracle(&net.matrix[i], &adam);
    }
    for (int i = 0; i < VECTORS; i++) {
        network_vector(&rig, &net.vector[i], i);
        net.vector[i].adam = net.adam;
        vector[i] = vector_oracle(&net.vector[i], &adam);
    }
    rig_run(&rig, rig_network, &net);
    adam = some_adam();
    assert_memory_equal(net.adam, &adam, sizeof adam);
    assert_int_equal(*net.tick.step, 1);
    for (int i = 0; i < MATRICES; i++)
        check_updated(net.matrix[i].w, matrix[i], (int64_t)net.matrix[i].rows * net.matrix[i].cols);
    for (int i = 0; i < VECTORS; i++)
        check_updated(net.vector[i].w, vector[i], net.vector[i].n);
    rig_end(&rig);
}

/* ------------------------------------------------------------------ over many steps */

static void adam_follows_its_paper_for_many_steps(void **state)
{
    (void)state;
    rig_state rig;
    rig_begin(&rig, 23);
    rf_adam *adam = rig_bytes(&rig, sizeof *adam);
    *adam = (rf_adam){.power1 = 1.0, .power2 = 1.0, .lr = 2e-4f, .beta1 = 0.5f, .beta2 = 0.9f, .eps = 1e-8f};
    rf_device *device = rig_device();
    float *w = rig_vector(&rig, 1), *m = rig_vector(&rig, 1), *v = rig_vector(&rig, 1),
          *g = rig_vector(&rig, 1);
    *w = 0.5f, *m = 0.0f, *v = 0.0f;
    double wd = 0.5, md = 0.0, vd = 0.0;
    for (int t = 1; t <= 2000; t++) {
        *g = 0.1f * sinf(0.01f * (float)t) + *w;
        device->ops->adam_tick(device, adam);
        const rf_update_vector op = {.w = w, .m = m, .v = v, .n = 1, .given = g, .adam = adam};
        device->ops->update_vector(device, &op);
        rig_sync();
        double gd = 0.1 * (double)sinf(0.01f * (float)t) + wd;
        md = 0.5 * md + 0.5 * gd;
        vd = (double)0.9f * vd + (1.0 - (double)0.9f) * gd * gd;
        wd -= (double)2e-4f * (md / (1.0 - pow(0.5, t))) / (sqrt(vd / (1.0 - pow((double)0.9f, t))) + 1e-8);
    }
    assert_near((double)*w, wd, 1e-4);
    rig_end(&rig);
}

static void rig_tick(rf_device *device, const void *op)
{
    device->ops->step_tick(device, op);
}

static void step_tick_adds_one_and_keeps_the_losses_of_the_step(void **state)
{
    (void)state;
    rig_state rig;
    rig_begin(&rig, 24);
    uint32_t *step = rig_bytes(&rig, sizeof *step);
    float *losses = rig_bytes(&rig, 3 * sizeof *losses), *ring = rig_bytes(&rig, 5 * 3 * sizeof *ring);
    for (int i = 0; i < 15; i++)
        ring[i] = -1;
    *step = 41;
    rf_step_tick op = {.step = step, .ring = ring, .n = 3, .length = 5};
    rig_run(&rig, rig_tick, &op);
    assert_int_equal(*step, 42);
    op.losses = losses;
    for (int i = 0; i < 3; i++)
        losses[i] = (float)i;
    rig_run(&rig, rig_tick, &op);
    assert_int_equal(*step, 43);
    for (int i = 0; i < 15; i++)
        assert_true(ring[i] == (i / 3 == 42 % 5 ? (float)(i % 3) : -1.0f));
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_agrees_with_plain_loops),
        cmocka_unit_test(update_vector_agrees_with_plain_loops),
        cmocka_unit_test(the_updates_of_a_network_are_those_of_its_tensors),
        cmocka_unit_test(adam_follows_its_paper_for_many_steps),
        cmocka_unit_test(step_tick_adds_one_and_keeps_the_losses_of_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
