/* test_critic.c - blends, dropout, the critic's head, and the gradient penalty carried through the whole critic. */
#include "rig.h"

#include <math.h>

static rf_noise noise_of(uint32_t purpose)
{
    return (rf_noise){.seed = 1234567890123u, .step = rig_step(9), .purpose = purpose, .trial = 3};
}

static rf_draw draw_of(uint32_t purpose)
{
    return (rf_draw){.seed = 1234567890123u, .step = 9, .purpose = purpose, .trial = 3};
}

/* ------------------------------------------------------------------ interpolate */

static void interpolate_blends_each_row_with_its_own_share(void **state)
{
    (void)state;
    rig_state rig;
    rig_begin(&rig, 41);
    rf_interpolate op = {.out = rig_mat(&rig, 31, 157, 160),
                         .real = rig_mat(&rig, 31, 157, 157),
                         .fake = rig_mat(&rig, 31, 157, 158)};
    op.noise = noise_of(RF_DRAW_ALPHA);
    double wanted[31 * 157];
    for (int32_t r = 0; r < 31; r++) {
        double alpha = (double)rf_uniform_open(rf_philox_u32(draw_of(RF_DRAW_ALPHA), (uint32_t)r));
        for (int32_t c = 0; c < 157; c++)
            wanted[r * 157 + c] = alpha * (double)op.real.data[r * op.real.ld + c] +
                                  (1.0 - alpha) * (double)op.fake.data[r * op.fake.ld + c];
    }
    rig_run(&rig, RIG_OP(interpolate, &op));
    rig_near("out", op.out, wanted, 3e-7, 0.0);
    rig_end(&rig);
}

/* ------------------------------------------------------------------ leaky ReLU and dropout */

static void check_leaky(int32_t rows, int32_t cols, bool in_place)
{
    rig_state rig;
    rig_begin(&rig, 42);
    rf_leaky_dropout op = {.a = rig_mat(&rig, rows, cols, cols + 3),
                           .mask = rig_mat(&rig, rows, cols, cols + 1)};
    op.y = in_place ? op.a : rig_mat(&rig, rows, cols, cols);
    op.noise = noise_of(RF_DRAW_DROPOUT_D1);
    double *y = malloc((size_t)rows * (size_t)cols * sizeof *y),
           *mask = malloc((size_t)rows * (size_t)cols * sizeof *mask);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < cols; c++) {
            uint32_t e = (uint32_t)(r * cols + c);
            bool keep = rf_philox_u32(draw_of(RF_DRAW_DROPOUT_D1), e >> 5) >> (e & 31) & 1;
            float a = op.a.data[r * op.a.ld + c];
            mask[r * cols + c] = !keep ? 0.0 : a > 0.0f ? 2.0 : (double)(2.0f * 0.2f);
            y[r * cols + c] = (double)((float)mask[r * cols + c] * a);
        }
    rig_run(&rig, RIG_OP(leaky_dropout, &op));
    rig_near("mask", op.mask, mask, 0.0, 0.0);
    rig_near("y", op.y, y, 0.0, 0.0);
    free(y), free(mask);
    rig_end(&rig);
}

static void leaky_dropout_keeps_by_addressed_bits(void **state)
{
    (void)state;
    check_leaky(50, 256, true);
    check_leaky(33, 157, false);
    check_leaky(7, 1000, false);
    check_leaky(31, 31, true);
    check_leaky(1, 1, false);
    check_leaky(257, 33, true);
}

static void dropout_keeps_half_of_all_units(void **state)
{
    (void)state;
    enum { ROWS = 400, COLS = 256 };
    rig_state rig;
    rig_begin(&rig, 43);
    rf_leaky_dropout op = {.a = rig_mat(&rig, ROWS, COLS, COLS), .mask = rig_mat(&rig, ROWS, COLS, COLS)};
    op.y = op.a;
    op.noise = noise_of(RF_DRAW_DROPOUT_D2);
    rig_run(&rig, RIG_OP(leaky_dropout, &op));
    int64_t kept = 0;
    for (int32_t i = 0; i < ROWS * COLS; i++)
        kept += op.mask.data[i] > 0.0f;
    assert_near((double)kept, ROWS * COLS / 2.0, 5.0 * sqrt(ROWS * COLS) / 2.0);
    rig_end(&rig);
}

/* ------------------------------------------------------------------ head */

static void check_head(int32_t rows, int32_t cols, int32_t n_loss_rows)
{
    rig_state rig;
    rig_begin(&rig, 44);
    rf_critic_head op = {.h = rig_mat(&rig, rows, cols, cols + 3),
                         .mask = rig_mat(&rig, rows, cols, cols),
                         .d = rig_mat(&rig, rows, cols, cols + 1)};
    float *w = rig_vector(&rig, cols), *bias = rig_vector(&rig, 1), *coef = rig_vector(&rig, rows);
    op.w = w;
    op.bias = bias;
    op.coef = coef;
    op.score = rig_vector(&rig, rows);
    op.n_loss_rows = n_loss_rows;
    op.loss = rig_vector(&rig, 1);
    double *d = malloc((size_t)rows * (size_t)cols * sizeof *d),
           *score = malloc((size_t)rows * sizeof *score), loss = 0.0;
    for (int32_t r = 0; r < rows; r++) {
        score[r] = (double)*bias;
        for (int32_t c = 0; c < cols; c++) {
            score[r] += (double)op.h.data[r * op.h.ld + c] * (double)w[c];
            d[r * cols + c] = (double)coef[r] * (double)op.mask.data[r * cols + c] * (double)w[c];
        }
        loss += r < n_loss_rows ? (double)coef[r] * score[r] : 0.0;
    }
    rig_run(&rig, RIG_OP(critic_head, &op));
    rig_near("d", op.d, d, 1e-7, 1e-6);
    rig_near_vector("score", op.score, score, rows, 1e-5, 1e-6);
    assert_near((double)*op.loss, loss, 1e-4);
    free(d), free(score);
    rig_end(&rig);
}

static void critic_head_agrees_with_plain_loops(void **state)
{
    (void)state;
    check_head(150, 256, 100);
    check_head(7, 33, 7);
    check_head(1, 1, 0);
    check_head(31, 157, 31);
}

/* ------------------------------------------------------------------ penalty */

static void penalty_scales_by_the_distance_of_the_norm_from_one(void **state)
{
    (void)state;
    rig_state rig;
    rig_begin(&rig, 45);
    rf_penalty op = {.g1 = rig_mat(&rig, 33, 157, 160),
                     .g2 = rig_mat(&rig, 33, 31, 31),
                     .d = rig_mat(&rig, 33, 70, 71),
                     .lambda = 10.0f};
    op.scale = rig_vector(&rig, 33);
    op.loss = rig_vector(&rig, 1);
    memset(op.g1.data + 5 * op.g1.ld, 0, 157 * sizeof(float)); /* row 5: a gradient of zero */
    memset(op.g2.data + 5 * op.g2.ld, 0, 31 * sizeof(float));
    double d[33 * 70], scale[33], loss = 0.0;
    for (int32_t r = 0; r < 33; r++) {
        double squares = 0.0;
        for (int32_t c = 0; c < 157; c++)
            squares += (double)op.g1.data[r * op.g1.ld + c] * (double)op.g1.data[r * op.g1.ld + c];
        for (int32_t c = 0; c < 31; c++)
            squares += (double)op.g2.data[r * op.g2.ld + c] * (double)op.g2.data[r * op.g2.ld + c];
        double norm = sqrt(squares);
        scale[r] = norm > 0.0 ? 2.0 * 10.0 / 33.0 * (1.0 - 1.0 / norm) : 0.0;
        loss += 10.0 * (norm - 1.0) * (norm - 1.0) / 33.0;
        for (int32_t c = 0; c < 70; c++)
            d[r * 70 + c] = scale[r] * (double)op.d.data[r * op.d.ld + c];
    }
    rig_run(&rig, RIG_OP(penalty, &op));
    rig_near_vector("scale", op.scale, scale, 33, 1e-6, 1e-5);
    rig_near("d", op.d, d, 1e-6, 1e-5);
    assert_near((double)*op.loss, loss, 1e-3);
    rig_end(&rig);
}

/* ------------------------------------------------------------------ the chain
 *
 * A critic x -> m1 (W1' x) -> m2 (W2' .) -> w3 with fixed masks m = slope * dropout is linear, so that its input gradient is
 *     d2 = m2 w3      d1 = m1 (W2 d2)      g = W1 d1              pen = lambda mean (|g| - 1)^2
 * and the derivatives of pen with respect to W1, W2 and w3 come from the same operations that a training step uses:
 *     penalty (scale, d1 *= scale)    dW1 = g' d1    q1 = scale (g W1) m1    dW2 = q1' d2    u2 = (q1 W2) m2    dw3 = sum u2
 */
enum { PACKS = 7, IN = 13, H1 = 11, H2 = 9 };

typedef struct chain {
    double w1[IN * H1], w2[H1 * H2], w3[H2], m1[PACKS * H1], m2[PACKS * H2];
} chain;

static double chain_penalty(const chain *c)
{
    double loss = 0.0;
    for (int p = 0; p < PACKS; p++) {
        double d1[H1], squares = 0.0;
        for (int i = 0; i < H1; i++) {
            d1[i] = 0.0;
            for (int j = 0; j < H2; j++)
                d1[i] += c->w2[i * H2 + j] * c->m2[p * H2 + j] * c->w3[j];
            d1[i] *= c->m1[p * H1 + i];
        }
        for (int k = 0; k < IN; k++) {
            double g = 0.0;
            for (int i = 0; i < H1; i++)
                g += c->w1[k * H1 + i] * d1[i];
            squares += g * g;
        }
        loss += 10.0 * (sqrt(squares) - 1.0) * (sqrt(squares) - 1.0) / PACKS;
    }
    return loss;
}

static void slopes(double *out, const chain *c, double *x, int n)
{
    for (int i = 0; i < n; i++) {
        double was = x[i];
        x[i] = was + 1e-6;
        double up = chain_penalty(c);
        x[i] = was - 1e-6;
        out[i] = (up - chain_penalty(c)) / 2e-6;
        x[i] = was;
    }
}

static void copy_doubles(double *out, const float *from, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (double)from[i];
}

static void penalty_chain_meets_finite_differences(void **state)
{
    (void)state;
    rig_state rig;
    rig_begin(&rig, 46);
    rf_device *device = rig_device();
    const rf_ops *ops = device->ops;
    rf_mat w1 = rig_mat(&rig, IN, H1, H1), w2 = rig_mat(&rig, H1, H2, H2), m1 = rig_mat(&rig, PACKS, H1, H1),
           m2 = rig_mat(&rig, PACKS, H2, H2);
    rf_mat h = rig_mat(&rig, PACKS, H2, H2), d2 = rig_mat(&rig, PACKS, H2, H2),
           d1 = rig_mat(&rig, PACKS, H1, H1), g = rig_mat(&rig, PACKS, IN, IN);
    rf_mat q1 = rig_mat(&rig, PACKS, H1, H1), u2 = rig_mat(&rig, PACKS, H2, H2);
    float *w3 = rig_vector(&rig, H2), *bias = rig_vector(&rig, 1), *score = rig_vector(&rig, PACKS),
          *scale = rig_vector(&rig, PACKS);
    float *ones = rig_vector(&rig, PACKS), *loss = rig_vector(&rig, 1), *dw1 = rig_vector(&rig, IN * H1),
          *dw2 = rig_vector(&rig, H1 * H2), *dw3 = rig_vector(&rig, H2);
    for (int p = 0; p < PACKS; p++)
        ones[p] = 1.0f;
    chain c;
    copy_doubles(c.w1, w1.data, IN * H1), copy_doubles(c.w2, w2.data, H1 * H2), copy_doubles(c.w3, w3, H2);
    copy_doubles(c.m1, m1.data, PACKS * H1), copy_doubles(c.m2, m2.data, PACKS * H2);

    ops->critic_head(
        device,
        &(rf_critic_head){
            .h = h, .mask = m2, .d = d2, .w = w3, .bias = bias, .coef = ones, .score = score, .loss = loss});
    ops->affine_back(
        device, &(rf_affine_back){.dx = d1, .dy = d2, .w = w2, .gate = m1, .gate_kind = RF_GATE_MULTIPLY});
    ops->affine_back(device, &(rf_affine_back){.dx = g, .dy = d1, .w = w1});
    ops->penalty(device, &(rf_penalty){.g1 = g, .d = d1, .scale = scale, .lambda = 10.0f, .loss = loss});
    ops->update(device, &(rf_update){.rows = IN, .cols = H1, .n_dense = 1, .dense = {{g, d1}}, .grad = dw1});
    ops->affine(device,
                &(rf_affine){
                    .y = q1, .x = g, .w = w1, .row_scale = scale, .gate = m1, .gate_kind = RF_GATE_MULTIPLY});
    ops->update(device, &(rf_update){.rows = H1, .cols = H2, .n_dense = 1, .dense = {{q1, d2}}, .grad = dw2});
    ops->affine(device, &(rf_affine){.y = u2, .x = q1, .w = w2, .gate = m2, .gate_kind = RF_GATE_MULTIPLY});
    ops->update_vector(device, &(rf_update_vector){.n = H2, .b = u2, .grad = dw3});

    rig_sync();
    double s1[IN * H1], s2[H1 * H2], s3[H2];
    slopes(s1, &c, c.w1, IN * H1), slopes(s2, &c, c.w2, H1 * H2), slopes(s3, &c, c.w3, H2);
    assert_near((double)*loss, chain_penalty(&c), 1e-4);
    rig_near_vector("dW1", dw1, s1, IN * H1, 1e-4, 1e-4);
    rig_near_vector("dW2", dw2, s2, H1 * H2, 1e-4, 1e-4);
    rig_near_vector("dw3", dw3, s3, H2, 1e-4, 1e-4);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interpolate_blends_each_row_with_its_own_share),
        cmocka_unit_test(leaky_dropout_keeps_by_addressed_bits),
        cmocka_unit_test(dropout_keeps_half_of_all_units),
        cmocka_unit_test(critic_head_agrees_with_plain_loops),
        cmocka_unit_test(penalty_scales_by_the_distance_of_the_norm_from_one),
        cmocka_unit_test(penalty_chain_meets_finite_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
