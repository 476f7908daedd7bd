/* test_autoencoder.c - the latent draw, the two losses with their gradients, and decoding. */
#include "rig.h"

#include <math.h>

#include "kernels/math/math32.h"

static rf_noise noise_of(uint32_t purpose)
{
    return (rf_noise){.seed = 99, .step = rig_step(3), .purpose = purpose};
}

static double normal_of(uint32_t purpose, uint32_t element)
{
    const rf_draw draw = {.seed = 99, .step = 3, .purpose = purpose};
    float pair[2];
    rf_normal_pair(rf_philox_u32(draw, element & ~1u), rf_philox_u32(draw, element | 1u), &pair[0], &pair[1]);
    return (double)pair[element & 1];
}

/* ------------------------------------------------------------------ the latent draw */

static void check_reparameterise(int32_t rows, int32_t width)
{
    rig_state rig;
    rig_begin(&rig, 51);
    rf_reparameterise op = {.z = rig_mat(&rig, rows, width, width + 3),
                            .code = rig_mat(&rig, rows, 2 * width, 2 * width + 1),
                            .eps = rig_mat(&rig, rows, width, width)};
    op.noise = noise_of(RF_DRAW_LATENT);
    double *z = malloc((size_t)rows * (size_t)width * sizeof *z),
           *eps = malloc((size_t)rows * (size_t)width * sizeof *eps);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < width; c++) {
            const float *code = op.code.data + r * op.code.ld;
            eps[r * width + c] = normal_of(RF_DRAW_LATENT, (uint32_t)(r * width + c));
            z[r * width + c] = (double)code[c] + exp((double)code[width + c] / 2.0) * eps[r * width + c];
        }
    rig_run(&rig, RIG_OP(reparameterise, &op));
    rig_near("eps", op.eps, eps, 0.0, 0.0);
    rig_near("z", op.z, z, 1e-6, 1e-6);
    free(z), free(eps);
    rig_end(&rig);
}

static void reparameterise_draws_around_mu(void **state)
{
    (void)state;
    check_reparameterise(50, 128);
    check_reparameterise(7, 31);
    check_reparameterise(1, 1);
    check_reparameterise(33, 33);
}

/* ------------------------------------------------------------------ reconstruction */

static const int32_t mixed[] = {0, 10, 9, 0, 16, 33}, scalars[] = {0, 0, 0}, codes[] = {7, 1, 300};

typedef struct reconstruct_data {
    const rf_layout *layout;
    const rf_coded *rows;
    double *logits, sigma[8], factor;
    int32_t n;
} reconstruct_data;

static double reconstruct_loss(const reconstruct_data *d)
{
    double loss = 0.0;
    for (int32_t r = 0; r < d->n; r++)
        for (int32_t i = 0; i < d->layout->n_spans; i++) {
            const rf_span *span = &d->layout->spans[i];
            const double *l = d->logits + (int64_t)r * d->layout->width + span->offset;
            double sum = 0.0;
            if (span->kind == RF_SPAN_SCALAR) {
                double x = (double)d->rows->scalars[r * d->layout->n_scalars + span->source] - tanh(*l),
                       s = d->sigma[span->source];
                loss += x * x / (2.0 * s * s) + log(s);
                continue;
            }
            for (int32_t c = 0; c < span->width; c++)
                sum += exp(l[c]);
            loss += log(sum) - l[d->rows->codes[r * d->layout->n_codes + span->source]];
        }
    return d->factor * loss / d->n;
}

static double slope(const reconstruct_data *d, double *x)
{
    double was = *x;
    *x = was + 1e-6;
    double up = reconstruct_loss(d);
    *x = was - 1e-6;
    double down = reconstruct_loss(d);
    *x = was;
    return (up - down) / 2e-6;
}

/* The reconstruction and the product behind it, whose dx is what `wanted` dlogits give. */
static void run_gradient(rig_state *rig, const rf_reconstruct *reconstruct, const double *wanted,
                         int32_t hidden)
{
    const int32_t rows = reconstruct->logits.rows, width = reconstruct->logits.cols;
    const rf_mat dx = rig_mat(rig, rows, hidden, hidden + 1), h = rig_mat(rig, rows, hidden, hidden);
    const rf_reconstruct_gradient op = {.reconstruct = *reconstruct,
                                        .back = {.dx = dx,
                                                 .dy = reconstruct->dlogits,
                                                 .w = rig_mat(rig, hidden, width, width),
                                                 .gate = h,
                                                 .gate_kind = RF_GATE_POSITIVE}};
    double *sums = calloc((size_t)rows * (size_t)hidden, sizeof *sums);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t k = 0; k < hidden; k++)
            for (int32_t c = 0; c < width && h.data[r * h.ld + k] > 0.0f; c++)
                sums[r * hidden + k] += wanted[r * width + c] * (double)op.back.w.data[k * width + c];
    rig_run(rig, RIG_OP(reconstruct_gradient, &op));
    rig_near("dx", dx, sums, 2e-4, 1e-4);
    free(sums);
}

/* hidden > 0: with the product behind it, to so many columns. */
static void check_reconstruct(const int32_t *widths, int32_t n_spans, int32_t rows, int32_t n, int32_t hidden)
{
    rig_state rig;
    rig_layout layout;
    rig_begin(&rig, 52);
    rig_layout_make(&layout, widths, n_spans, 0);
    int32_t width = layout.layout.width, n_scalars = layout.layout.n_scalars;
    rf_coded coded = rig_coded(&rig, &layout.layout, rows);
    rf_reconstruct op = {.dlogits = rig_mat(&rig, rows, width, width + 1),
                         .logits = rig_mat(&rig, rows, width, width + 3),
                         .layout = &layout.layout};
    float *sigma = rig_vector(&rig, n_scalars);
    int32_t *live = rig_ids(&rig, 1, 1);
    *live = n;
    op.scalars = coded.scalars;
    op.codes = coded.codes;
    op.sigma = sigma;
    op.dsigma = rig_vector(&rig, n_scalars);
    op.loss = rig_vector(&rig, 1);
    op.factor = 2.0f;
    op.n = live;
    reconstruct_data d = {.layout = &layout.layout, .rows = &coded, .factor = 2.0, .n = n};
    d.logits = malloc((size_t)rows * (size_t)width * sizeof *d.logits);
    double *wanted = calloc((size_t)rows * (size_t)width, sizeof *wanted), dsigma[8];
    for (int32_t j = 0; j < n_scalars; j++)
        d.sigma[j] = (double)(sigma[j] = fabsf(sigma[j]) + 0.05f);
    for (int32_t i = 0; i < rows * width; i++)
        d.logits[i] = (double)op.logits.data[i / width * op.logits.ld + i % width];
    for (int32_t i = 0; i < n * width; i++)
        wanted[i] = slope(&d, &d.logits[i]);
    for (int32_t j = 0; j < n_scalars; j++)
        dsigma[j] = slope(&d, &d.sigma[j]);
    if (hidden > 0)
        run_gradient(&rig, &op, wanted, hidden);
    else
        rig_run(&rig, RIG_OP(reconstruct, &op));
    rig_near("dlogits", op.dlogits, wanted, 1e-5, 1e-4);
    rig_near_vector("dsigma", op.dsigma, dsigma, n_scalars, 1e-4, 1e-4);
    assert_near((double)*op.loss, reconstruct_loss(&d), 1e-3);
    free(d.logits), free(wanted);
    rig_end(&rig);
}

static void reconstruct_meets_finite_differences(void **state)
{
    (void)state;
    check_reconstruct(mixed, 6, 33, 33, 0);
    check_reconstruct(mixed, 6, 31, 7, 0);
    check_reconstruct(scalars, 3, 7, 7, 0);
    check_reconstruct(codes, 3, 3, 1, 0);
}

static void the_product_behind_the_reconstruction_meets_plain_loops(void **state)
{
    (void)state;
    check_reconstruct(mixed, 6, 33, 33, 31);
    check_reconstruct(mixed, 6, 31, 7, 33);
    check_reconstruct(mixed, 6, 40, 20, 1);
    check_reconstruct(scalars, 3, 7, 7, 1);
    check_reconstruct(codes, 3, 3, 1, 70);       /* cut along the depth */
    check_reconstruct(scalars, 3, 100, 90, 257); /* wide tiles: by its parts */
}

/* ------------------------------------------------------------------ divergence */

static void latent_back_meets_finite_differences(void **state)
{
    (void)state;
    enum { ROWS = 33, WIDTH = 31, N = 20 };
    rig_state rig;
    rig_begin(&rig, 53);
    rf_latent_back op = {.dcode = rig_mat(&rig, ROWS, 2 * WIDTH, 2 * WIDTH + 1),
                         .dz = rig_mat(&rig, ROWS, WIDTH, WIDTH + 2),
                         .code = rig_mat(&rig, ROWS, 2 * WIDTH, 2 * WIDTH)};
    op.eps = rig_mat(&rig, ROWS, WIDTH, WIDTH);
    op.loss = rig_vector(&rig, 1);
    int32_t *n = rig_ids(&rig, 1, 1);
    *n = N;
    op.n = n;
    double wanted[ROWS * 2 * WIDTH] = {0}, loss = 0.0;
    for (int32_t r = 0; r < N; r++)
        for (int32_t c = 0; c < WIDTH; c++) {
            double x[2] = {(double)op.code.data[r * op.code.ld + c],
                           (double)op.code.data[r * op.code.ld + WIDTH + c]};
            double dz = (double)op.dz.data[r * op.dz.ld + c], eps = (double)op.eps.data[r * WIDTH + c];
            for (int i = 0; i < 2; i++) {
                double value[2], was = x[i];
                for (int side = 0; side < 2; side++) {
                    x[i] = was + (side == 0 ? 1e-6 : -1e-6);
                    double z = x[0] + exp(x[1] / 2.0) * eps;
                    value[side] = dz * z - 0.5 / N * (1.0 + x[1] - x[0] * x[0] - exp(x[1]));
                }
                x[i] = was;
                wanted[r * 2 * WIDTH + i * WIDTH + c] = (value[0] - value[1]) / 2e-6;
            }
            loss += -0.5 / N * (1.0 + x[1] - x[0] * x[0] - exp(x[1]));
        }
    rig_run(&rig, RIG_OP(latent_back, &op));
    rig_near("dcode", op.dcode, wanted, 1e-6, 1e-5);
    assert_near((double)*op.loss, loss, 1e-4);
    rig_end(&rig);
}

/* ------------------------------------------------------------------ decode */

typedef struct decode_data {
    rig_state rig;
    rig_layout layout;
    rf_decode op;
} decode_data;

static void decode_begin(decode_data *d, const int32_t *widths, int32_t n_spans, int32_t rows, float times)
{
    rig_begin(&d->rig, 54);
    rig_layout_make(&d->layout, widths, n_spans, 0);
    const rf_layout *layout = &d->layout.layout;
    d->op = (rf_decode){.logits = rig_mat(&d->rig, rows, layout->width, layout->width + 3), .layout = layout};
    d->op.scalars = layout->n_scalars > 0 ? rig_vector(&d->rig, (int64_t)rows * layout->n_scalars) : NULL;
    d->op.codes = layout->n_codes > 0 ? rig_bytes(&d->rig, (size_t)rows * (size_t)layout->n_codes * 2) : NULL;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < layout->width; c++)
            d->op.logits.data[r * d->op.logits.ld + c] *= times;
}

static float decode_score(const rf_decode *op, int32_t r, int32_t c)
{
    float l = op->logits.data[r * op->logits.ld + c];
    const rf_draw draw = {.seed = 99, .step = 3, .purpose = RF_DRAW_SAMPLE_CODE};
    if (op->code_noise.step)
        return l + rf_gumbel_f32(rf_philox_u32(draw, (uint32_t)(r * op->layout->width + c)));
    return op->saturate ? rf_tanh_f32(l) : l;
}

static void check_decode(const int32_t *widths, int32_t n_spans, int32_t rows, bool noisy, bool saturate)
{
    decode_data d;
    decode_begin(&d, widths, n_spans, rows, saturate ? 20.0f : 2.0f);
    const rf_layout *layout = &d.layout.layout;
    float *sigma = rig_vector(&d.rig, layout->n_scalars);
    for (int32_t j = 0; j < layout->n_scalars; j++)
        sigma[j] = fabsf(sigma[j]);
    d.op.saturate = saturate;
    if (noisy) {
        d.op.sigma = sigma;
        d.op.scalar_noise = noise_of(RF_DRAW_SAMPLE_SCALAR);
        d.op.code_noise = noise_of(RF_DRAW_SAMPLE_CODE);
    }
    rig_run(&d.rig, RIG_OP(decode, &d.op));
    for (int32_t r = 0; r < rows; r++)
        for (int32_t i = 0; i < layout->n_spans; i++) {
            const rf_span *span = &layout->spans[i];
            if (span->kind == RF_SPAN_SCALAR) {
                uint32_t element = (uint32_t)(r * layout->n_scalars + span->source);
                double u = tanh((double)d.op.logits.data[r * d.op.logits.ld + span->offset]);
                u += noisy ? (double)sigma[span->source] * normal_of(RF_DRAW_SAMPLE_SCALAR, element) : 0.0;
                assert_near((double)d.op.scalars[element], fmax(-1.0, fmin(1.0, u)), 1e-6);
                continue;
            }
            int32_t best = 0;
            for (int32_t c = 1; c < span->width; c++)
                if (decode_score(&d.op, r, span->offset + c) > decode_score(&d.op, r, span->offset + best))
                    best = c;
            assert_int_equal(d.op.codes[r * layout->n_codes + span->source], best);
        }
    rig_end(&d.rig);
}

static void decode_picks_the_largest_and_clips(void **state)
{
    (void)state;
    for (int noisy = 0; noisy < 2; noisy++) {
        check_decode(mixed, 6, 33, noisy, false);
        check_decode(scalars, 3, 7, noisy, false);
        check_decode(codes, 3, 31, noisy, false);
    }
    check_decode(mixed, 6, 33, false, true);
    check_decode(codes, 3, 1, false, true);
}

static void decode_writes_to_the_slot_that_the_counter_names(void **state)
{
    (void)state;
    enum { ROWS = 7, SLOTS = 3 };
    decode_data d;
    decode_begin(&d, mixed, 6, ROWS, 2.0f);
    const rf_layout *layout = &d.layout.layout;
    const size_t n_scalars = (size_t)ROWS * (size_t)layout->n_scalars,
                 n_codes = (size_t)ROWS * (size_t)layout->n_codes;
    float *ring = rig_vector(&d.rig, (int64_t)(SLOTS * n_scalars));
    uint16_t *code_ring = rig_bytes(&d.rig, SLOTS * n_codes * sizeof *code_ring);
    uint32_t *slot = rig_bytes(&d.rig, sizeof *slot);
    rig_run(&d.rig, RIG_OP(decode, &d.op));
    rf_decode other = d.op;
    other.scalars = ring;
    other.codes = code_ring;
    other.slot = slot;
    other.n_slots = SLOTS;
    for (size_t i = 0; i < SLOTS * n_codes; i++)
        code_ring[i] = 9999;
    *slot = 40;
    rig_run(&d.rig, RIG_OP(decode, &other));
    assert_memory_equal(ring + 40 % SLOTS * n_scalars, d.op.scalars, n_scalars * sizeof *ring);
    assert_memory_equal(code_ring + 40 % SLOTS * n_codes, d.op.codes, n_codes * sizeof *code_ring);
    for (size_t i = 0; i < SLOTS * n_codes; i++)
        assert_int_equal(code_ring[i] == 9999, i / n_codes != 40 % SLOTS);
    rig_end(&d.rig);
}

static void decode_draws_codes_by_their_softmax(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    static const int32_t three[] = {3};
    static const double share[] = {0.2, 0.7, 0.1};
    decode_data d;
    decode_begin(&d, three, 1, ROWS, 0.0f);
    for (int32_t r = 0; r < ROWS; r++)
        for (int32_t c = 0; c < 3; c++)
            d.op.logits.data[r * d.op.logits.ld + c] = logf((float)share[c]);
    d.op.code_noise = noise_of(RF_DRAW_SAMPLE_CODE);
    rig_run(&d.rig, RIG_OP(decode, &d.op));
    int64_t seen[3] = {0};
    for (int32_t r = 0; r < ROWS; r++)
        seen[d.op.codes[r]]++;
    for (int c = 0; c < 3; c++)
        assert_near((double)seen[c], ROWS * share[c], 5.0 * sqrt(ROWS * share[c] * (1.0 - share[c])));
    rig_end(&d.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reparameterise_draws_around_mu),
        cmocka_unit_test(reconstruct_meets_finite_differences),
        cmocka_unit_test(the_product_behind_the_reconstruction_meets_plain_loops),
        cmocka_unit_test(latent_back_meets_finite_differences),
        cmocka_unit_test(decode_picks_the_largest_and_clips),
        cmocka_unit_test(decode_writes_to_the_slot_that_the_counter_names),
        cmocka_unit_test(decode_draws_codes_by_their_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
