/* test_draws.c - random numbers: equal to their scalar formula to the bit, and of the right distribution. */
#include "rig.h"

#include <math.h>

#include "kernels/math/math32.h"
#include "kernels/math/permute.h"

static rf_noise noise_of(uint32_t purpose)
{
    return (rf_noise){.seed = 0xFEDCBA9876543210u, .step = rig_step(6), .purpose = purpose, .trial = 2};
}

static rf_draw draw_of(uint32_t purpose)
{
    return (rf_draw){.seed = 0xFEDCBA9876543210u, .step = 6, .purpose = purpose, .trial = 2};
}

/* ------------------------------------------------------------------ uniform, normal, Gumbel */

static void uniforms_are_their_words(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 7, 64, 157, 5000};
    for (int i = 0; i < 5; i++) {
        rig_state rig;
        rig_begin(&rig, 61);
        rf_draw_uniform op = {.out = rig_vector(&rig, sizes[i]),
                              .n = sizes[i],
                              .lo = -0.25f,
                              .hi = 0.75f,
                              .noise = noise_of(RF_DRAW_INIT)};
        rig_run(&rig, RIG_OP(draw_uniform, &op));
        for (int64_t e = 0; e < sizes[i]; e++)
            assert_true(op.out[e] == fmaf(1.0f,
                                          rf_uniform_open(rf_philox_u32(draw_of(RF_DRAW_INIT), (uint32_t)e)),
                                          -0.25f));
        rig_end(&rig);
    }
}

static void check_normals(int32_t rows, int32_t cols, int64_t ld)
{
    rig_state rig;
    rig_begin(&rig, 62);
    rf_draw_normal op = {.out = rig_mat(&rig, rows, cols, ld), .noise = noise_of(RF_DRAW_NOISE_D)};
    rig_run(&rig, RIG_OP(draw_normal, &op));
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < cols; c++) {
            uint32_t e = (uint32_t)(r * cols + c);
            float pair[2];
            rf_normal_pair(rf_philox_u32(draw_of(RF_DRAW_NOISE_D), e & ~1u),
                           rf_philox_u32(draw_of(RF_DRAW_NOISE_D), e | 1u), &pair[0], &pair[1]);
            assert_true(op.out.data[r * ld + c] == pair[e & 1]);
        }
    rig_end(&rig);
}

static void normals_are_their_words(void **state)
{
    (void)state;
    check_normals(500, 128, 384);
    check_normals(31, 33, 40);
    check_normals(7, 157, 157);
    check_normals(1, 1, 1);
    check_normals(257, 3, 5);
}

static void moments(const float *x, int64_t n, double out[4])
{
    double mean = 0.0, m2 = 0.0, m3 = 0.0, m4 = 0.0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - mean;
        m2 += d * d / (double)n;
        m3 += d * d * d / (double)n;
        m4 += d * d * d * d / (double)n;
    }
    out[0] = mean, out[1] = m2, out[2] = m3 / pow(m2, 1.5), out[3] = m4 / (m2 * m2);
}

static void normals_have_the_moments_of_a_normal(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    rig_state rig;
    rig_begin(&rig, 63);
    float *x = rig_vector(&rig, N);
    double m[4];
    rf_device *device = rig_device();
    device->ops->draw_normal(
        device, &(rf_draw_normal){.out = {x, 1024, N / 1024, N / 1024}, .noise = noise_of(RF_DRAW_NOISE_G)});
    rig_sync();
    moments(x, N, m);
    assert_near(m[0], 0.0, 5.0 / sqrt(N));
    assert_near(m[1], 1.0, 5.0 * sqrt(2.0 / N));
    assert_near(m[2], 0.0, 5.0 * sqrt(6.0 / N));
    assert_near(m[3], 3.0, 5.0 * sqrt(24.0 / N));
    double cosine = 0.0; /* the two of a pair are independent */
    for (int i = 0; i < N; i += 2)
        cosine += (double)x[i] * (double)x[i + 1];
    assert_near(cosine / (N / 2.0), 0.0, 5.0 / sqrt(N / 2.0));
    rig_end(&rig);
}

static void uniforms_fill_their_range_evenly(void **state)
{
    (void)state;
    enum { N = 1 << 20, BINS = 64 };
    rig_state rig;
    rig_begin(&rig, 64);
    float *x = rig_vector(&rig, N);
    int64_t seen[BINS] = {0};
    double chi = 0.0;
    rf_device *device = rig_device();
    device->ops->draw_uniform(
        device,
        &(rf_draw_uniform){.out = x, .n = N, .lo = 0.0f, .hi = 1.0f, .noise = noise_of(RF_DRAW_INIT)});
    rig_sync();
    for (int i = 0; i < N; i++) {
        assert_true(x[i] > 0.0f && x[i] < 1.0f);
        seen[(int)(x[i] * BINS)]++;
    }
    for (int b = 0; b < BINS; b++)
        chi += pow((double)seen[b] - N / (double)BINS, 2.0) / (N / (double)BINS);
    assert_near(chi, BINS - 1.0, 5.0 * sqrt(2.0 * (BINS - 1.0)));
    rig_end(&rig);
}

static void gumbel_is_finite_for_every_word(void **state)
{
    (void)state;
    double sum = 0.0;
    assert_true(isfinite(rf_gumbel_f32(0)));
    assert_true(isfinite(rf_gumbel_f32(0xFFFFFFFFu)));
    for (uint32_t i = 0; i < 1u << 20; i++)
        sum += (double)rf_gumbel_f32(rf_philox_u32(draw_of(RF_DRAW_GUMBEL_D), i));
    assert_near(sum / (1 << 20), 0.5772156649, 5.0 * 1.2825 / 1024.0); /* Euler's constant */
}

/* ------------------------------------------------------------------ permutations */

static void permute_is_a_bijection(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 7, 16, 17, 50, 500, 4096, 32561, 65537};
    for (int i = 0; i < 11; i++) {
        rf_permute order = rf_permute_make(rf_philox(draw_of(RF_DRAW_PERMUTE), (uint32_t)i).word, sizes[i]);
        uint8_t *seen = calloc(sizes[i], 1);
        for (uint64_t k = 0; k < sizes[i]; k++) {
            uint64_t at = rf_permute_at(&order, k);
            assert_true(at < sizes[i]);
            assert_int_equal(seen[at], 0);
            seen[at] = 1;
        }
        free(seen);
    }
}

static void permute_reaches_beyond_32_bits(void **state)
{
    (void)state;
    uint64_t n = UINT64_C(10000000000);
    rf_permute order = rf_permute_make(rf_philox(draw_of(RF_DRAW_PERMUTE), 77).word, n);
    uint64_t high = 0;
    for (uint64_t k = 0; k < 1000; k++) {
        uint64_t at = rf_permute_at(&order, k * 9999991);
        assert_true(at < n);
        high += at > n / 2;
    }
    assert_near((double)high, 500.0, 80.0);
}

/* Each element lands on each place about equally often over many keys. */
static void permute_shuffles_evenly(void **state)
{
    (void)state;
    enum { N = 10, KEYS = 20000 };
    int64_t seen[N][N] = {0};
    double chi = 0.0;
    for (uint32_t key = 0; key < KEYS; key++) {
        rf_permute order = rf_permute_make(rf_philox(draw_of(RF_DRAW_SHUFFLE), key).word, N);
        for (uint64_t i = 0; i < N; i++)
            seen[i][rf_permute_at(&order, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi += pow((double)seen[i][j] - KEYS / (double)N, 2.0) / (KEYS / (double)N);
    assert_near(chi, (N - 1.0) * (N - 1.0), 6.0 * sqrt(2.0 * 81.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniforms_are_their_words),
        cmocka_unit_test(normals_are_their_words),
        cmocka_unit_test(normals_have_the_moments_of_a_normal),
        cmocka_unit_test(uniforms_fill_their_range_evenly),
        cmocka_unit_test(gumbel_is_finite_for_every_word),
        cmocka_unit_test(permute_is_a_bijection),
        cmocka_unit_test(permute_reaches_beyond_32_bits),
        cmocka_unit_test(permute_shuffles_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
