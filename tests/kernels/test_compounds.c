/* test_compounds.c - the compounds of ops.h against plain loops in double precision. */
#include "oracle.h"

#include <math.h>

#include "kernels/math/math32.h"

static rf_noise noise_of(uint32_t purpose)
{
    return (rf_noise){.seed = 987654321098u, .step = rig_step(6), .purpose = purpose, .trial = 2};
}

static rf_draw draw_of(uint32_t purpose)
{
    return (rf_draw){.seed = 987654321098u, .step = 6, .purpose = purpose, .trial = 2};
}

/* ------------------------------------------------------------------ parts of the oracles */

static double affine_at(const rf_affine *op, int32_t r, int32_t c)
{
    double y = op->bias ? (double)op->bias[c] : 0.0;
    for (int32_t k = 0; op->x.data && k < op->x.cols; k++)
        y += at(op->x, r, k) * at(op->w, k, c);
    for (int32_t s = 0; s < op->n_ids; s++)
        y += at(op->gather, s * op->gather_stride + op->ids[r * op->n_ids + s], c);
    return y;
}

static double coded_at(const rf_affine_coded *op, const rf_coded *rows, int32_t r, int32_t c)
{
    double y = op->bias ? (double)op->bias[c] : 0.0;
    for (int32_t s = 0; s < op->pack; s++) {
        double x[64];
        rig_encode(x, op->layout, rows, (int64_t)r * op->pack + s);
        for (int32_t k = 0; k < op->layout->width; k++)
            y += x[k] * at(op->w, s * op->layout->width + k, c);
        if (op->gather.data)
            y += at(op->gather, s * op->gather_stride + op->ids[r * op->pack + s], c);
    }
    return y;
}

static double mask_at(int32_t r, int32_t c, int32_t cols, double x)
{
    const uint32_t e = (uint32_t)(r * cols + c);
    const bool keep = rf_philox_u32(draw_of(RF_DRAW_DROPOUT_D1), e >> 5) >> (e & 31) & 1;
    return !keep ? 0.0 : x > 0.0 ? 2.0 : (double)(2.0f * 0.2f);
}

/* ------------------------------------------------------------------ a layer of the critic */

typedef struct layer_case {
    int32_t rows, inputs, cols, n_ids, entries;
    bool head;
    int32_t n_loss_rows;
} layer_case;

typedef struct layer_wanted {
    double *mask, *y, *d, *score, loss;
} layer_wanted;

static void layer_oracle(layer_wanted *out, const layer_case *c, const rf_critic_layer *op)
{
    const int64_t n = (int64_t)c->rows * c->cols;
    *out = (layer_wanted){doubles(n), doubles(n), doubles(n), doubles(c->rows), 0.0};
    for (int32_t r = 0; r < c->rows; r++) {
        out->score[r] = c->head ? (double)*op->head.bias : 0.0;
        for (int32_t i = 0; i < c->cols; i++) {
            const int64_t e = (int64_t)r * c->cols + i;
            const double x = affine_at(&op->affine, r, i);
            out->mask[e] = mask_at(r, i, c->cols, x);
            out->y[e] = out->mask[e] * x;
            if (c->head) {
                out->score[r] += out->y[e] * (double)op->head.w[i];
                out->d[e] = (double)op->head.coef[r] * out->mask[e] * (double)op->head.w[i];
            }
        }
        out->loss += c->head && r < c->n_loss_rows ? (double)op->head.coef[r] * out->score[r] : 0.0;
    }
}

static void layer_make(rig_state *rig, const layer_case *c, rf_critic_layer *op)
{
    const rf_mat y = rig_mat(rig, c->rows, c->cols, c->cols + 3);
    const rf_mat mask = rig_mat(rig, c->rows, c->cols, c->cols + 1);
    *op = (rf_critic_layer){.affine = {.y = y,
                                       .x = rig_mat(rig, c->rows, c->inputs, c->inputs + 2),
                                       .w = rig_mat(rig, c->inputs, c->cols, c->cols),
                                       .bias = rig_vector(rig, c->cols)},
                            .drop = {.y = y, .a = y, .mask = mask, .noise = noise_of(RF_DRAW_DROPOUT_D1)}};
    if (c->n_ids > 0) {
        op->affine.gather = rig_mat(rig, c->n_ids * c->entries, c->cols, c->cols);
        op->affine.ids = rig_ids(rig, (int64_t)c->rows * c->n_ids, c->entries);
        op->affine.n_ids = c->n_ids;
        op->affine.gather_stride = c->entries;
    }
    if (c->head)
        op->head = (rf_critic_head){.h = y,
                                    .mask = mask,
                                    .d = rig_mat(rig, c->rows, c->cols, c->cols + 2),
                                    .w = rig_vector(rig, c->cols),
                                    .bias = rig_vector(rig, 1),
                                    .coef = rig_vector(rig, c->rows),
                                    .score = rig_vector(rig, c->rows),
                                    .n_loss_rows = c->n_loss_rows,
                                    .loss = rig_vector(rig, 1)};
}

static void check_layer(const layer_case *c)
{
    rig_state rig;
    rf_critic_layer op;
    layer_wanted wanted;
    rig_begin(&rig, 51);
    layer_make(&rig, c, &op);
    layer_oracle(&wanted, c, &op);
    rig_run(&rig, RIG_OP(critic_layer, &op));
    rig_near("mask", op.drop.mask, wanted.mask, 0.0, 0.0);
    rig_near("y", op.drop.y, wanted.y, 3e-5, 1e-6);
    if (c->head) {
        rig_near("d", op.head.d, wanted.d, 1e-7, 1e-6);
        rig_near_vector("score", op.head.score, wanted.score, c->rows, 2e-4, 1e-6);
        assert_near((double)*op.head.loss, wanted.loss, 2e-3);
    }
    free(wanted.mask), free(wanted.y), free(wanted.d), free(wanted.score);
    rig_end(&rig);
}

static void a_critic_layer_agrees_with_plain_loops(void **state)
{
    (void)state;
    static const layer_case cases[] = {
        {.rows = 1, .inputs = 1, .cols = 1, .head = true, .n_loss_rows = 1},
        {.rows = 33, .inputs = 31, .cols = 70, .head = true, .n_loss_rows = 22},
        {.rows = 31, .inputs = 200, .cols = 33, .n_ids = 3, .entries = 7},
        {.rows = 15, .inputs = 400, .cols = 40, .head = true, .n_loss_rows = 9},
        {.rows = 150, .inputs = 33, .cols = 257, .head = true, .n_loss_rows = 100},
        {.rows = 7, .inputs = 157, .cols = 31, .n_ids = 1, .entries = 5, .head = true},
        {.rows = 520, .inputs = 9, .cols = 520, .head = true, .n_loss_rows = 257},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_layer(&cases[i]);
}

/* ------------------------------------------------------------------ the first layer */

static const int32_t span_widths[] = {0, 10, 3, 0, 16};
enum { WIDTH = 1 + 10 + 3 + 1 + 16, ENTRIES = 5 };

static void first_make(rig_state *rig, int32_t m, int32_t pack, int32_t cols, bool conditions,
                       const rf_layout *layout, const rf_coded *rows, rf_critic_first *op)
{
    const rf_mat y = rig_mat(rig, 3 * m, cols, cols + 1), w = rig_mat(rig, pack * WIDTH, cols, cols);
    const float *bias = rig_vector(rig, cols);
    *op = (rf_critic_first){.fake = {.y = rows_of(y, 0, m),
                                     .x = rig_mat(rig, m, pack * WIDTH, pack * WIDTH),
                                     .w = w,
                                     .bias = bias},
                            .real = {.y = rows_of(y, m, m),
                                     .w = w,
                                     .bias = bias,
                                     .layout = layout,
                                     .scalars = rows->scalars,
                                     .codes = rows->codes,
                                     .pack = pack},
                            .between = {.out = rows_of(y, 2 * m, m),
                                        .real = rows_of(y, m, m),
                                        .fake = rows_of(y, 0, m),
                                        .noise = noise_of(RF_DRAW_ALPHA)},
                            .drop = {.y = y,
                                     .a = y,
                                     .mask = rig_mat(rig, 3 * m, cols, cols + 2),
                                     .noise = noise_of(RF_DRAW_DROPOUT_D1)}};
    if (!conditions)
        return;
    op->fake.gather = op->real.gather = rig_mat(rig, pack * ENTRIES, cols, cols);
    op->fake.ids = rig_ids(rig, (int64_t)m * pack, ENTRIES);
    op->real.ids = rig_ids(rig, (int64_t)m * pack, ENTRIES);
    op->fake.n_ids = pack;
    op->fake.gather_stride = op->real.gather_stride = ENTRIES;
}

static void check_first(int32_t m, int32_t pack, int32_t cols, bool conditions)
{
    rig_state rig;
    rig_layout layout;
    rf_critic_first op;
    rig_begin(&rig, 52);
    rig_layout_make(&layout, span_widths, 5, 0);
    const rf_coded rows = rig_coded(&rig, &layout.layout, (int64_t)m * pack);
    first_make(&rig, m, pack, cols, conditions, &layout.layout, &rows, &op);
    double *mask = doubles(3 * (int64_t)m * cols), *y = doubles(3 * (int64_t)m * cols);
    for (int32_t r = 0; r < m; r++)
        for (int32_t c = 0; c < cols; c++) {
            const double alpha = (double)rf_uniform_open(rf_philox_u32(draw_of(RF_DRAW_ALPHA), (uint32_t)r));
            const double fake = affine_at(&op.fake, r, c), real = coded_at(&op.real, &rows, r, c);
            const double x[3] = {fake, real, alpha * real + (1.0 - alpha) * fake};
            for (int32_t i = 0; i < 3; i++) {
                const int32_t e = (i * m + r) * cols + c;
                mask[e] = mask_at(i * m + r, c, cols, x[i]);
                y[e] = mask[e] * x[i];
            }
        }
    rig_run(&rig, RIG_OP(critic_first, &op));
    rig_near("mask", op.drop.mask, mask, 0.0, 0.0);
    rig_near("y", op.drop.y, y, 5e-5, 1e-6);
    free(mask), free(y);
    rig_end(&rig);
}

static void the_critics_first_layer_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_first(1, 1, 1, false);
    check_first(7, 4, 33, true);
    check_first(13, 20, 31, true); /* deep enough to be cut */
    check_first(33, 10, 70, true);
    check_first(31, 3, 257, false);
    check_first(530, 1, 520, true);
}

/* ------------------------------------------------------------------ the penalty */

typedef struct penalty_wanted {
    double *g[2], *scale, *d, *y, loss;
} penalty_wanted;

static void penalty_oracle(penalty_wanted *out, const rf_gradient_penalty *op)
{
    const int32_t rows = op->penalty.d.rows, cols = op->penalty.d.cols;
    const float *gate = op->again[op->n - 1].gate.data;
    *out = (penalty_wanted){
        {NULL, NULL}, doubles(rows), doubles((int64_t)rows * cols), doubles((int64_t)rows * cols), 0.0};
    for (int32_t i = 0; i < op->n; i++)
        out->g[i] = doubles((int64_t)rows * op->back[i].dx.cols);
    for (int32_t r = 0; r < rows; r++) {
        double squares = 0.0;
        for (int32_t i = 0; i < op->n; i++)
            for (int32_t k = 0, depth = op->back[i].dx.cols; k < depth; k++) {
                double *g = &out->g[i][r * depth + k];
                for (int32_t c = 0; c < cols; c++)
                    *g += at(op->back[i].dy, r, c) * at(op->back[i].w, k, c);
                squares += *g * *g;
            }
        const double norm = sqrt(squares);
        out->scale[r] = norm > 0.0 ? 2.0 * 10.0 / rows * (1.0 - 1.0 / norm) : 0.0;
        out->loss += 10.0 * (norm - 1.0) * (norm - 1.0) / rows;
        for (int32_t c = 0; c < cols; c++) {
            double y = 0.0;
            for (int32_t i = 0; i < op->n; i++)
                for (int32_t k = 0, depth = op->back[i].dx.cols; k < depth; k++)
                    y += out->g[i][r * depth + k] * at(op->back[i].w, k, c);
            out->d[r * cols + c] = out->scale[r] * at(op->penalty.d, r, c);
            out->y[r * cols + c] = out->scale[r] * y * (double)gate[r * op->again[op->n - 1].gate.ld + c];
        }
    }
}

static void check_penalty(int32_t rows, int32_t data, int32_t conditions, int32_t cols)
{
    rig_state rig;
    rig_begin(&rig, 53);
    const int32_t depth[2] = {data, conditions};
    const rf_mat d = rig_mat(&rig, rows, cols, cols + 1), y = rig_mat(&rig, rows, cols, cols);
    const rf_mat gate = rig_mat(&rig, rows, cols, cols + 2);
    rf_gradient_penalty op = {.n = conditions ? 2 : 1, .penalty = {.d = d, .lambda = 10.0f}};
    op.penalty.scale = rig_vector(&rig, rows);
    op.penalty.loss = rig_vector(&rig, 1);
    for (int32_t i = 0; i < op.n; i++) {
        const rf_mat g = rig_mat(&rig, rows, depth[i], depth[i]), w = rig_mat(&rig, depth[i], cols, cols);
        *(i ? &op.penalty.g2 : &op.penalty.g1) = g;
        op.back[i] = (rf_affine_back){.dx = g, .dy = d, .w = w};
        op.again[i] = (rf_affine){.y = y, .x = g, .w = w, .accumulate = i > 0};
    }
    rf_affine *last = &op.again[op.n - 1];
    last->row_scale = op.penalty.scale;
    last->gate = gate;
    last->gate_kind = RF_GATE_MULTIPLY;
    if (rows > 5)
        memset(d.data + 5 * d.ld, 0, (size_t)cols * sizeof(float)); /* a gradient of zero */
    penalty_wanted wanted;
    penalty_oracle(&wanted, &op);
    rig_run(&rig, RIG_OP(gradient_penalty, &op));
    rig_near("g1", op.penalty.g1, wanted.g[0], 3e-5, 1e-6);
    if (conditions)
        rig_near("g2", op.penalty.g2, wanted.g[1], 3e-5, 1e-6);
    rig_near_vector("scale", op.penalty.scale, wanted.scale, rows, 1e-5, 1e-5);
    rig_near("d", d, wanted.d, 1e-5, 1e-5);
    rig_near("y", y, wanted.y, 2e-3, 2e-5);
    assert_near((double)*op.penalty.loss / wanted.loss, 1.0, 1e-5);
    free(wanted.g[0]), free(wanted.g[1]), free(wanted.scale), free(wanted.d), free(wanted.y);
    rig_end(&rig);
}

static void the_gradient_penalty_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_penalty(1, 1, 0, 1);
    check_penalty(33, 157, 31, 70);
    check_penalty(9, 500, 100, 30);
    check_penalty(50, 300, 1, 33);
    check_penalty(7, 70, 0, 257);
    check_penalty(260, 520, 260, 31);
}

/* ------------------------------------------------------------------ the latent space */

static void check_latent(int32_t rows, int32_t inputs, int32_t width)
{
    rig_state rig;
    rig_begin(&rig, 56);
    const rf_mat code = rig_mat(&rig, rows, 2 * width, 2 * width + 1);
    rf_latent op = {.affine = {.y = code,
                               .x = rig_mat(&rig, rows, inputs, inputs + 1),
                               .w = rig_mat(&rig, inputs, 2 * width, 2 * width),
                               .bias = rig_vector(&rig, 2 * width)},
                    .draw = {.z = rig_mat(&rig, rows, width, width + 2),
                             .code = code,
                             .eps = rig_mat(&rig, rows, width, width),
                             .noise = noise_of(RF_DRAW_LATENT)}};
    double *y = doubles(2 * (int64_t)rows * width), *z = doubles((int64_t)rows * width);
    double *eps = doubles((int64_t)rows * width);
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < 2 * width; c++)
            y[r * 2 * width + c] = affine_at(&op.affine, r, c);
        for (int32_t c = 0; c < width; c++) {
            const uint32_t e = (uint32_t)(r * width + c);
            float pair[2];
            rf_normal_pair(rf_philox_u32(draw_of(RF_DRAW_LATENT), e & ~1u),
                           rf_philox_u32(draw_of(RF_DRAW_LATENT), e | 1u), &pair[0], &pair[1]);
            eps[e] = (double)pair[e & 1];
            z[e] = y[r * 2 * width + c] + exp(0.5 * y[r * 2 * width + width + c]) * eps[e];
        }
    }
    rig_run(&rig, RIG_OP(latent, &op));
    rig_near("code", code, y, 3e-5, 1e-6);
    rig_near("eps", op.draw.eps, eps, 0.0, 0.0);
    rig_near("z", op.draw.z, z, 1e-4, 1e-4);
    free(y), free(z), free(eps);
    rig_end(&rig);
}

static void the_latent_draw_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_latent(1, 1, 1);
    check_latent(33, 31, 17);
    check_latent(7, 300, 33);
    check_latent(257, 9, 130);
}

static void check_latent_gradient(int32_t rows, int32_t cols, int32_t width, int32_t n)
{
    rig_state rig;
    rig_begin(&rig, 57);
    const rf_mat dz = rig_mat(&rig, rows, width, width + 1);
    rf_latent_gradient op = {
        .back = {.dx = dz, .dy = rig_mat(&rig, rows, cols, cols + 2), .w = rig_mat(&rig, width, cols, cols)},
        .latent = {.dcode = rig_mat(&rig, rows, 2 * width, 2 * width),
                   .dz = dz,
                   .code = rig_mat(&rig, rows, 2 * width, 2 * width + 1),
                   .eps = rig_mat(&rig, rows, width, width),
                   .loss = rig_vector(&rig, 1),
                   .n = rig_copy(&rig, &n, sizeof n)}};
    double *g = doubles((int64_t)rows * width), *dcode = doubles(2 * (int64_t)rows * width), loss = 0.0;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < width; c++) {
            const double mu = at(op.latent.code, r, c), logvar = at(op.latent.code, r, width + c);
            double *from = &g[r * width + c];
            for (int32_t i = 0; i < cols; i++)
                *from += at(op.back.dy, r, i) * at(op.back.w, c, i);
            if (r >= n)
                continue;
            dcode[r * 2 * width + c] = *from + mu / n;
            dcode[r * 2 * width + width + c] =
                0.5 * *from * at(op.latent.eps, r, c) * exp(0.5 * logvar) + 0.5 / n * (exp(logvar) - 1.0);
            loss += -0.5 / n * (1.0 + logvar - mu * mu - exp(logvar));
        }
    rig_run(&rig, RIG_OP(latent_gradient, &op));
    rig_near("dz", dz, g, 3e-5, 1e-6);
    rig_near("dcode", op.latent.dcode, dcode, 3e-5, 1e-5);
    assert_near((double)*op.latent.loss, loss, 1e-4);
    free(g), free(dcode);
    rig_end(&rig);
}

static void the_way_back_through_the_latent_draw_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_latent_gradient(1, 1, 1, 1);
    check_latent_gradient(33, 70, 31, 20);
    check_latent_gradient(15, 400, 7, 15);
    check_latent_gradient(257, 17, 130, 256);
    check_latent_gradient(5, 3, 4, 0);
}

/* ------------------------------------------------------------------ batches side by side */

static void check_normalised(int32_t rows, int32_t cols)
{
    rig_state rig;
    rig_begin(&rig, 54);
    rf_batchnorm_batches op = {.n = 2}, alone = {.n = 2};
    const float *gamma = rig_vector(&rig, cols), *beta = rig_vector(&rig, cols);
    for (int32_t i = 0; i < 2; i++) {
        const rf_mat a = rig_mat(&rig, rows, cols, cols + i);
        for (int32_t k = 0; k < 2; k++)
            (k ? &alone : &op)->batch[i] = (rf_batchnorm_relu){.h = rig_mat(&rig, rows, cols, cols + 3),
                                                               .a = a,
                                                               .gamma = gamma,
                                                               .beta = beta,
                                                               .mean = rig_vector(&rig, cols),
                                                               .rstd = rig_vector(&rig, cols)};
    }
    rig_run(&rig, RIG_OP(batchnorm_batches, &op));
    for (int32_t i = 0; i < 2; i++) {
        rig_run(&rig, RIG_OP(batchnorm_relu, &alone.batch[i]));
        for (int32_t r = 0; r < rows; r++)
            assert_memory_equal(op.batch[i].h.data + r * op.batch[i].h.ld,
                                alone.batch[i].h.data + r * alone.batch[i].h.ld,
                                (size_t)cols * sizeof(float));
        assert_memory_equal(op.batch[i].mean, alone.batch[i].mean, (size_t)cols * sizeof(float));
        assert_memory_equal(op.batch[i].rstd, alone.batch[i].rstd, (size_t)cols * sizeof(float));
    }
    rig_end(&rig);
}

static void batches_are_normalised_by_their_own_statistics(void **state)
{
    (void)state;
    check_normalised(1, 1);
    check_normalised(33, 31);
    check_normalised(157, 70);
}

static void check_activated(int32_t rows)
{
    rig_state rig;
    rig_layout layout;
    rig_begin(&rig, 55);
    rig_layout_make(&layout, span_widths, 5, 0);
    rf_activate_batches op = {.n = 2}, alone = {.n = 2};
    for (int32_t i = 0; i < 2; i++) {
        const rf_mat logits = rig_mat(&rig, rows, WIDTH, WIDTH + i);
        for (int32_t k = 0; k < 2; k++)
            (k ? &alone : &op)->batch[i] =
                (rf_activate){.out = rig_mat(&rig, rows, WIDTH, WIDTH),
                              .logits = logits,
                              .layout = &layout.layout,
                              .tau = 0.2f,
                              .noise = noise_of(i ? RF_DRAW_GUMBEL_G : RF_DRAW_GUMBEL_D)};
    }
    rig_run(&rig, RIG_OP(activate_batches, &op));
    for (int32_t i = 0; i < 2; i++) {
        rig_run(&rig, RIG_OP(activate, &alone.batch[i]));
        assert_memory_equal(op.batch[i].out.data, alone.batch[i].out.data,
                            (size_t)rows * WIDTH * sizeof(float));
    }
    rig_end(&rig);
}

static void batches_are_activated_with_their_own_noise(void **state)
{
    (void)state;
    check_activated(1);
    check_activated(33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_critic_layer_agrees_with_plain_loops),
        cmocka_unit_test(the_critics_first_layer_agrees_with_plain_loops),
        cmocka_unit_test(the_gradient_penalty_agrees_with_plain_loops),
        cmocka_unit_test(the_latent_draw_agrees_with_plain_loops),
        cmocka_unit_test(the_way_back_through_the_latent_draw_agrees_with_plain_loops),
        cmocka_unit_test(batches_are_normalised_by_their_own_statistics),
        cmocka_unit_test(batches_are_activated_with_their_own_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
