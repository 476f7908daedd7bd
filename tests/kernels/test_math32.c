/* test_math32.c - the single-precision functions against the C library in double precision. */
#include "rf_test.h"

#include <math.h>

#include "kernels/math/math32.h"

/* Every 101st float of [lo, hi], both signs when lo < 0. */
static double worst(float (*ours)(float), double (*exact)(double), float lo, float hi, bool relative)
{
    double top = 0.0;
    for (uint32_t bits = 0; bits < 0x7F800000u; bits += 101)
        for (int sign = 0; sign < 2; sign++) {
            float x = rf_f32_of_bits(bits | (uint32_t)sign << 31);
            if (x < lo || x > hi)
                continue;
            double wanted = exact((double)x), error = fabs((double)ours(x) - wanted);
            if (relative)
                error = wanted == 0.0 ? error : error / fabs(wanted);
            top = error > top ? error : top;
        }
    return top;
}

static float exp_of(float x)
{
    return rf_exp_f32(x);
}
static float log_of(float x)
{
    return rf_log_f32(x);
}
static float tanh_of(float x)
{
    return rf_tanh_f32(x);
}
static float reciprocal_of(float x)
{
    return rf_reciprocal_f32(x);
}
static double one_over(double x)
{
    return 1.0 / x;
}

static void functions_are_as_exact_as_their_header_says(void **state)
{
    (void)state;
    assert_near(worst(exp_of, exp, -87.3f, 88.3f, true), 0.0, 1e-7);
    assert_near(worst(log_of, log, 1.1754944e-38f, INFINITY, true), 0.0, 1.2e-7);
    assert_near(worst(reciprocal_of, one_over, 1e-37f, 1e37f, true), 0.0, 7e-8);
    assert_near(worst(tanh_of, tanh, -30.0f, 30.0f, true), 0.0, 2e-7);
}

static void functions_answer_at_their_ends(void **state)
{
    (void)state;
    assert_true(rf_exp_f32(0.0f) == 1.0f);
    assert_true(rf_exp_f32(-INFINITY) == 0.0f);
    assert_true(rf_exp_f32(-100.0f) == 0.0f);
    assert_true(rf_exp_f32(INFINITY) == INFINITY);
    assert_true(rf_exp_f32(89.0f) == INFINITY);
    assert_true(isnan(rf_exp_f32(NAN)));
    assert_true(rf_log_f32(1.0f) == 0.0f);
    assert_true(rf_log_f32(0.0f) == -INFINITY);
    assert_true(rf_log_f32(INFINITY) == INFINITY);
    assert_true(isnan(rf_log_f32(-1.0f)));
    assert_true(isnan(rf_log_f32(NAN)));
    assert_true(rf_tanh_f32(0.0f) == 0.0f);
    assert_true(rf_tanh_f32(9.1f) == 1.0f);
    assert_true(rf_tanh_f32(-INFINITY) == -1.0f);
    assert_true(isnan(rf_tanh_f32(NAN)));
}

static void a_turn_goes_round_the_circle(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 1u << 23; k += 7) {
        float u = rf_uniform_open(k << 9), c, s;
        rf_turn_f32(u, &c, &s);
        assert_near((double)c, cos(2.0 * M_PI * (double)u), 1.2e-7);
        assert_near((double)s, sin(2.0 * M_PI * (double)u), 1.2e-7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_as_exact_as_their_header_says),
        cmocka_unit_test(functions_answer_at_their_ends),
        cmocka_unit_test(a_turn_goes_round_the_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
