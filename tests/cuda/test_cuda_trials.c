/* test_cuda_trials.c - trials side by side: each equals the same trial alone, to the bit. */
#include "rf_test.h"

#include "core/philox.h"
#include "kernels/ops.h"

enum {
    ROWS = 33,
    INPUTS = 70,
    HIDDEN = 31,
    ENTRIES = 7,
    TRIALS = 3,
    RING = 4,
    SHARED_FLOATS = ROWS * INPUTS,
    FIRST = 31, /* the generator: its layers, its noise, its output */
    SECOND = 7,
    NOISE = 9,
    LOGITS = 33,
    X = SECOND + FIRST + NOISE
};

/* One trial's memory. The input x is shared by all. */
typedef struct slab {
    uint32_t step;
    int32_t entries[ROWS], columns[ROWS];
    rf_adam adam;
    float w[INPUTS * HIDDEN], m[INPUTS * HIDDEN], v[INPUTS * HIDDEN], bias[HIDDEN], bias_m[HIDDEN],
        bias_v[HIDDEN], a[ROWS * HIDDEN], h[ROWS * HIDDEN];
    float mask[ROWS * HIDDEN], d[ROWS * HIDDEN], mean[HIDDEN], rstd[HIDDEN], gamma[HIDDEN], beta[HIDDEN];
    float head[HIDDEN], head_bias, coef[ROWS], score[ROWS], loss, ring[RING], fill[64];
    float x[ROWS * X], first_w[NOISE * FIRST], second_w[(FIRST + NOISE) * SECOND], out_w[X * LOGITS];
    float first_a[ROWS * FIRST], second_a[ROWS * SECOND], logits[ROWS * LOGITS];
    float dx[ROWS * (SECOND + FIRST)], da[ROWS * (SECOND + FIRST)];
    float dout[ROWS * LOGITS], out[ROWS * LOGITS], dlogits[ROWS * LOGITS], condition_loss;
    int32_t condition_span[2], n_rows;
    float scalars[ROWS * 2], sigma[2], dsigma[2], reconstruction, pulled[ROWS * LOGITS], dh[ROWS * FIRST];
    uint16_t codes[ROWS * 3];
    float generator_vector[2][6][FIRST]; /* of each layer: gamma, beta, mean, rstd, dgamma, dbeta */
} slab;

static void fill(float *out, size_t n, uint32_t what, int32_t trial)
{
    const rf_draw draw = {.seed = 3, .purpose = what, .trial = (uint32_t)trial};
    for (size_t i = 0; i < n; i++)
        out[i] = rf_uniform_open(rf_philox_u32(draw, (uint32_t)i)) - 0.5f;
}

/* What a trial starts from: its own weights and its own learning rate. */
static void slab_start(slab *s, int32_t trial)
{
    memset(s, 0, sizeof *s);
    fill(s->w, INPUTS * HIDDEN, 1, trial);
    fill(s->bias, HIDDEN, 2, trial);
    fill(s->gamma, HIDDEN, 3, trial);
    fill(s->beta, HIDDEN, 4, trial);
    fill(s->head, HIDDEN, 5, trial);
    fill(s->coef, ROWS, 6, trial);
    fill(s->x, ROWS * X, 8, trial);
    fill(s->first_w, NOISE * FIRST, 9, trial);
    fill(s->second_w, (FIRST + NOISE) * SECOND, 10, trial);
    fill(s->out_w, X * LOGITS, 11, trial);
    fill(s->generator_vector[0][0], 2 * 6 * FIRST, 12, trial);
    fill(s->dout, ROWS * LOGITS, 13, trial);
    fill(s->out, ROWS * LOGITS, 14, trial);
    fill(s->scalars, ROWS * 2, 15, trial);
    s->sigma[0] = 0.25f;
    s->sigma[1] = 0.5f + 0.125f * (float)trial;
    s->n_rows = ROWS - 1 - trial;
    s->condition_span[0] = 1;
    s->condition_span[1] = 3;
    for (int32_t r = 0; r < ROWS; r++) {
        s->columns[r] = (r + trial) % 2;
        s->entries[r] = s->columns[r] ? 10 + r % 18 : (r + 3 * trial) % 10;
        for (int32_t i = 0; i < 3; i++)
            s->codes[3 * r + i] = (uint16_t)((r + trial) % 3);
    }
    s->step = 4;
    s->adam = (rf_adam){.power1 = 1,
                        .power2 = 1,
                        .lr = 1e-2f / (float)(1 + trial),
                        .beta1 = 0.5f,
                        .beta2 = 0.9f,
                        .eps = 1e-8f};
}

/* What the generator's logits are: 33 of them, two codes with conditions. */
static const rf_span spans[] = {{RF_SPAN_SCALAR, 0, 1, 0, -1, 0},
                                {RF_SPAN_CODE, 1, 10, 0, 0, 0},
                                {RF_SPAN_SCALAR, 11, 1, 1, -1, 0},
                                {RF_SPAN_CODE, 12, 18, 1, 1, 10},
                                {RF_SPAN_CODE, 30, 3, 2, -1, 0}};
static const rf_layout layout = {.n_spans = 5,
                                 .width = LOGITS,
                                 .n_scalars = 2,
                                 .n_codes = 3,
                                 .n_conditions = 2,
                                 .condition_width = 28,
                                 .spans = spans};

static rf_batchnorm_batches norm_of(slab *at, int l, rf_mat h, rf_mat a)
{
    float(*vector)[FIRST] = at->generator_vector[l];
    return (rf_batchnorm_batches){
        .n = 1,
        .batch = {
            {.h = h, .a = a, .gamma = vector[0], .beta = vector[1], .mean = vector[2], .rstd = vector[3]}}};
}

static rf_batchnorm_relu_back norm_back_of(slab *at, int l, const rf_batchnorm_batches *norm, rf_mat da,
                                           rf_mat dh)
{
    const rf_batchnorm_relu *op = &norm->batch[0];
    return (rf_batchnorm_relu_back){.da = da,
                                    .dh = dh,
                                    .h = op->h,
                                    .a = op->a,
                                    .gamma = op->gamma,
                                    .mean = op->mean,
                                    .rstd = op->rstd,
                                    .dgamma = at->generator_vector[l][4],
                                    .dbeta = at->generator_vector[l][5]};
}

/* The generator's way there, and back. */
static void generator_of(rf_device *device, slab *at)
{
    const int32_t hidden = SECOND + FIRST;
    const rf_mat x = {at->x, ROWS, X, X}, z = {at->x + hidden, ROWS, NOISE, X},
                 h1 = {at->x + SECOND, ROWS, FIRST, X}, h2 = {at->x, ROWS, SECOND, X},
                 behind = {at->x + SECOND, ROWS, FIRST + NOISE, X}, a1 = {at->first_a, ROWS, FIRST, FIRST},
                 a2 = {at->second_a, ROWS, SECOND, SECOND}, logits = {at->logits, ROWS, LOGITS, LOGITS};
    const rf_mat dx = {at->dx, ROWS, hidden, hidden}, dh1 = {at->dx + SECOND, ROWS, FIRST, hidden},
                 dh2 = {at->dx, ROWS, SECOND, hidden}, da1 = {at->da + SECOND, ROWS, FIRST, hidden},
                 da2 = {at->da, ROWS, SECOND, hidden}, dlogits = {at->dlogits, ROWS, LOGITS, LOGITS};
    const rf_batchnorm_batches norm1 = norm_of(at, 0, h1, a1), norm2 = norm_of(at, 1, h2, a2);
    device->ops->generate(
        device,
        &(rf_generate){
            .n_layers = 2,
            .layer = {{{.y = a1, .x = z, .w = {at->first_w, NOISE, FIRST, FIRST}}, norm1},
                      {{.y = a2, .x = behind, .w = {at->second_w, FIRST + NOISE, SECOND, SECOND}}, norm2}},
            .output = {.y = logits, .x = x, .w = {at->out_w, X, LOGITS, LOGITS}}});
    device->ops->generate_back(
        device,
        &(rf_generate_back){
            .activate = {.dlogits = dlogits,
                         .dout = {at->dout, ROWS, LOGITS, LOGITS},
                         .out = {at->out, ROWS, LOGITS, LOGITS},
                         .logits = logits,
                         .layout = &layout,
                         .tau = 0.2f,
                         .entries = at->entries,
                         .columns = at->columns,
                         .condition_span = at->condition_span,
                         .loss = &at->condition_loss},
            .n_layers = 2,
            .output = {.dx = dx, .dy = dlogits, .w = {at->out_w, hidden, LOGITS, LOGITS}},
            .layer = {
                {norm_back_of(at, 1, &norm2, da2, dh2),
                 {.dx = dh1, .dy = da2, .w = {at->second_w, FIRST, SECOND, SECOND}, .accumulate = true}},
                {.norm = norm_back_of(at, 0, &norm1, da1, dh1)}}});
}

/* The generator's logits as if they were the autoencoder's. */
static void autoencoder_of(rf_device *device, slab *at)
{
    const rf_mat pulled = {at->pulled, ROWS, LOGITS, LOGITS};
    device->ops->reconstruct_gradient(
        device, &(rf_reconstruct_gradient){.reconstruct = {.dlogits = pulled,
                                                           .logits = {at->logits, ROWS, LOGITS, LOGITS},
                                                           .layout = &layout,
                                                           .scalars = at->scalars,
                                                           .codes = at->codes,
                                                           .sigma = at->sigma,
                                                           .dsigma = at->dsigma,
                                                           .loss = &at->reconstruction,
                                                           .factor = 2.0f,
                                                           .n = &at->n_rows},
                                           .back = {.dx = {at->dh, ROWS, FIRST, FIRST},
                                                    .dy = pulled,
                                                    .w = {at->out_w, FIRST, LOGITS, LOGITS}}});
}

/* A step in small: a product, a normalisation, dropout, a head with its loss, an update. `at` is the first trial's slab on the device. */
static void step_of(rf_device *device, slab *at, float *x, uint32_t trial)
{
    const rf_ops *ops = device->ops;
    const rf_mat input = {x, ROWS, INPUTS, INPUTS}, w = {at->w, INPUTS, HIDDEN, HIDDEN},
                 a = {at->a, ROWS, HIDDEN, HIDDEN};
    const rf_mat h = {at->h, ROWS, HIDDEN, HIDDEN}, mask = {at->mask, ROWS, HIDDEN, HIDDEN},
                 d = {at->d, ROWS, HIDDEN, HIDDEN};
    const rf_noise noise = {.seed = 9, .step = &at->step, .purpose = RF_DRAW_DROPOUT_D1, .trial = trial};
    generator_of(device, at);
    autoencoder_of(device, at);
    ops->affine(device, &(rf_affine){.y = a, .x = input, .w = w, .bias = at->bias});
    ops->batchnorm_relu(
        device,
        &(rf_batchnorm_relu){
            .h = h, .a = a, .gamma = at->gamma, .beta = at->beta, .mean = at->mean, .rstd = at->rstd});
    ops->leaky_dropout(device, &(rf_leaky_dropout){.y = h, .a = h, .mask = mask, .noise = noise});
    ops->critic_head(device, &(rf_critic_head){.h = h,
                                               .mask = mask,
                                               .d = d,
                                               .w = at->head,
                                               .bias = &at->head_bias,
                                               .coef = at->coef,
                                               .score = at->score,
                                               .n_loss_rows = ROWS,
                                               .loss = &at->loss});
    ops->updates_begin(device, &at->adam);
    ops->update(device, &(rf_update){.w = at->w,
                                     .m = at->m,
                                     .v = at->v,
                                     .rows = INPUTS,
                                     .cols = HIDDEN,
                                     .n_dense = 1,
                                     .dense = {{input, d}},
                                     .adam = &at->adam});
    ops->update_vector(
        device, &(rf_update_vector){
                    .w = at->bias, .m = at->bias_m, .v = at->bias_v, .n = HIDDEN, .b = d, .adam = &at->adam});
    ops->updates_end(
        device,
        &(rf_step_tick){.step = &at->step, .losses = &at->loss, .ring = at->ring, .n = 1, .length = RING});
}

/* Three steps of trials first .. first + n - 1 in one run of operations; their slabs come back. */
static void train(rf_construction construction, int32_t first, int32_t n, slab *out)
{
    rf_error err = {0};
    rf_device *device = NULL;
    slab *slabs = NULL;
    float *x = NULL, host_x[SHARED_FLOATS];
    const rf_device_options options = {.n_threads = 1, .construction = construction};
    assert_ok(rf_device_open_with(&device, "cuda:0", &options, &err));
    assert_ok(rf_device_alloc(device, (void **)&slabs, (size_t)n * sizeof *slabs, &err));
    assert_ok(rf_device_alloc(device, (void **)&x, sizeof host_x, &err));
    fill(host_x, SHARED_FLOATS, 7, 0);
    for (int32_t t = 0; t < n; t++)
        slab_start(&out[t], first + t);
    assert_ok(rf_device_write(device, slabs, out, (size_t)n * sizeof *slabs, &err));
    assert_ok(rf_device_write(device, x, host_x, sizeof host_x, &err));
    assert_ok(rf_device_trials(
        device,
        &(rf_trials){.base = slabs, .size_bytes = sizeof *slabs, .stride_bytes = sizeof *slabs, .n = n},
        &err));
    for (int i = 0; i < 3; i++)
        step_of(device, slabs, x, (uint32_t)first);
    assert_ok(rf_device_read(device, out, slabs, (size_t)n * sizeof *slabs, &err));
    rf_device_free(device, x);
    rf_device_free(device, slabs);
    rf_device_close(device);
}

static void a_trial_among_others_equals_the_same_trial_alone(void **state)
{
    (void)state;
    static const rf_construction ways[] = {RF_CONSTRUCTION_PLAIN, RF_CONSTRUCTION_FUSED};
    static slab together[TRIALS], alone;
    for (int i = 0; i < 2; i++) {
        train(ways[i], 0, TRIALS, together);
        for (int32_t t = 0; t < TRIALS; t++) {
            train(ways[i], t, 1, &alone);
            assert_memory_equal(&together[t], &alone, sizeof alone);
        }
        assert_memory_not_equal(together[0].w, together[1].w, sizeof alone.w);
        assert_memory_not_equal(together[0].mask, together[1].mask, sizeof alone.mask);
        assert_memory_not_equal(together[0].da, together[1].da, sizeof alone.da);
        assert_true(together[0].condition_loss != together[1].condition_loss);
        assert_true(together[0].reconstruction != together[1].reconstruction);
    }
}

static void the_cpu_trains_one_at_a_time(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_device *device = NULL;
    assert_ok(rf_device_open(&device, "cpu", 1, &err));
    assert_ok(rf_device_trials(device, NULL, &err));
    assert_fails(rf_device_trials(device, &(rf_trials){.n = 2}, &err), RF_DEVICE, "one trial");
    rf_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_among_others_equals_the_same_trial_alone),
        cmocka_unit_test(the_cpu_trains_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
