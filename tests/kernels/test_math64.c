#include "rf_test.h"

#include "kernels/math/math64.h"

/* Arguments and the nearest double to the true value, from 200-bit arithmetic. */
struct pair {
    double x, y;
};

static const struct pair exp_cases[] = {
    {0x0.0p+0, 0x1.0000000000000p+0},
    {0x1.0000000000000p+0, 0x1.5bf0a8b145769p+1},
    {-0x1.0000000000000p+0, 0x1.78b56362cef38p-2},
    {0x1.62e42fefa39bfp-2, 0x1.6a09e667f3bbcp+0},
    {-0x1.62eb1c432ca58p-2, 0x1.6a0773cd678a4p-1},
    {0x1.0000000000000p-1, 0x1.a61298e1e069cp+0},
    {-0x1.4800000000000p+3, 0x1.2899a7a835446p-15},
    {0x1.62ccccccccccdp+6, 0x1.f4705bbffae5cp+127},
    {-0x1.62ccccccccccdp+6, 0x1.05ea01ebcec78p-128},
    {0x1.5e40000000000p+9, 0x1.8625c7d4f56c2p+1010},
    {-0x1.5e40000000000p+9, 0x1.4ff475c68ca02p-1011},
    {0x1.62d999999999ap+9, 0x1.d75ae7a50ee14p+1023},
    {0x1.70ef54646d497p-57, 0x1.0000000000000p+0},
    {-0x1.56e1fc2f8f359p-997, 0x1.0000000000000p+0},
    {0x1.3660e51d25aabp-15, 0x1.00026cc4bada5p+0},
};
static const struct pair log_cases[] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {0x1.0000000000000p+1, 0x1.62e42fefa39efp-1},
    {0x1.0000000000000p-1, -0x1.62e42fefa39efp-1},
    {0x1.6a09e667f3bccp-1, -0x1.62e42fefa39f1p-2},
    {0x1.6a09e667f3bcdp+0, 0x1.62e42fefa39f0p-2},
    {0x1.0000000000001p+0, 0x1.fffffffffffffp-53},
    {0x1.fffffffffffffp-1, -0x1.0000000000000p-53},
    {0x1.4000000000000p+3, 0x1.26bb1bbb55516p+1},
    {0x1.56e1fc2f8f359p-997, -0x1.5963447f87fb5p+9},
    {0x1.7e43c8800759cp+996, 0x1.5963447f87fb5p+9},
    {0x1.0000000000000p-1022, -0x1.6232bdd7abcd2p+9},
    {0x0.0000000000001p-1022, -0x1.74385446d71c3p+9},
    {0x1.8000000000000p+1, 0x1.193ea7aad030bp+0},
    {0x1.999999999999ap-4, -0x1.26bb1bbb55515p+1},
    {0x1.e240c9fbe76c9p+16, 0x1.77281cad8a844p+3},
};
static const struct pair digamma_cases[] = {
    {0x1.0624dd2f1a9fcp-10, -0x1.f449ac574fcf7p+9}, {0x1.0000000000000p-1, -0x1.f6a897d3214fcp+0},
    {0x1.0000000000000p+0, -0x1.2788cfc6fb619p-1},  {0x1.762d86356be3fp+0, -0x1.aa2d9b3ce29e0p-54},
    {0x1.8000000000000p+0, 0x1.2aed059bd608ap-5},   {0x1.0000000000000p+1, 0x1.b0ee6072093cep-2},
    {0x1.3000000000000p+3, 0x1.194f79882a636p+1},   {0x1.4000000000000p+3, 0x1.20396dc85cc95p+1},
    {0x1.0a66666666666p+5, 0x1.bec7a1669a189p+1},   {0x1.f440000000000p+9, 0x1.ba18a9c5bd388p+2},
    {0x1.fcc8000000000p+14, 0x1.4c82231f1eac3p+3},  {0x1.e848000000000p+19, 0x1.ba18a88c907d1p+3},
    {0x1.dcd6500000000p+29, 0x1.4b927f329d9f7p+4},  {0x1.b7cdfd9d7bdbbp-34, -0x1.2a05f20049e23p+33},
};
static const struct pair lgamma_cases[] = {
    {0x1.0624dd2f1a9fcp-10, 0x1.ba0f3807161acp+2},
    {0x1.0000000000000p-1, 0x1.250d048e7a1bdp-1},
    {0x1.0000000000000p+0, 0x0.0p+0},
    {0x1.8000000000000p+0, -0x1.eeb95b094c191p-4},
    {0x1.0000000000000p+1, 0x0.0p+0},
    {0x1.4000000000000p+1, 0x1.2383e809a67e8p-2},
    {0x1.3000000000000p+3, 0x1.760f04f64ba68p+3},
    {0x1.4000000000000p+3, 0x1.99a8921a7f7cfp+3},
    {0x1.0a66666666666p+5, 0x1.4a6a3683bc20cp+6},
    {0x1.f440000000000p+9, 0x1.714ac96c9d5d3p+12},
    {0x1.fcc8000000000p+13, 0x1.14921a1b6cdcep+17},
    {0x1.e848000000000p+19, 0x1.871921236750dp+23},
    {0x1.dcd6500000000p+29, 0x1.25e649c8e03cep+34},
    {0x1.b7cdfd9d7bdbbp-34, 0x1.7069e2aa26ae4p+4},
};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* |got - y| <= tolerance * max(|y|, least) */
static void check(const char *name, double (*f)(double), const struct pair *cases, int n, double tolerance,
                  double least)
{
    for (int i = 0; i < n; i++) {
        const double got = f(cases[i].x), wanted = cases[i].y;
        const double size = fabs(wanted) > least ? fabs(wanted) : least;
        if (!(fabs(got - wanted) <= tolerance * size)) {
            print_error("%s(%.17g) is %.17g, not %.17g\n", name, cases[i].x, got, wanted);
            fail();
        }
    }
}

static double exp64(double x)
{
    return rf_exp_f64(x);
}

static double log64(double x)
{
    return rf_log_f64(x);
}

static double digamma64(double x)
{
    return rf_digamma_f64(x);
}

static double lgamma64(double x)
{
    return rf_lgamma_f64(x);
}

static void values_are_within_their_bounds(void **state)
{
    (void)state;
    check("exp", exp64, exp_cases, COUNT(exp_cases), 0x1p-52, 0.0);
    check("log", log64, log_cases, COUNT(log_cases), 0x1p-52, 0.0);
    check("digamma", digamma64, digamma_cases, COUNT(digamma_cases), 2e-15, 1.0);
    check("lgamma", lgamma64, lgamma_cases, COUNT(lgamma_cases), 1e-14, 1.0);
}

static void ends_of_the_range_are_right(void **state)
{
    (void)state;
    assert_true(rf_exp_f64(710.0) == INFINITY);
    assert_true(rf_exp_f64(INFINITY) == INFINITY);
    assert_true(rf_exp_f64(-746.0) == 0.0);
    assert_true(rf_exp_f64(-INFINITY) == 0.0);
    assert_true(isnan(rf_exp_f64(NAN)));
    assert_true(rf_exp_f64(-740.0) > 0.0 && rf_exp_f64(-740.0) < 0x1p-1022);
    assert_true(rf_exp_nonpositive_f64(0.0) == 1.0);
    assert_true(rf_exp_nonpositive_f64(-708.5) == 0.0);
    assert_true(rf_exp_nonpositive_f64(-INFINITY) == 0.0);
    assert_true(rf_log_f64(0.0) == -INFINITY);
    assert_true(rf_log_f64(-0.0) == -INFINITY);
    assert_true(rf_log_f64(INFINITY) == INFINITY);
    assert_true(isnan(rf_log_f64(-1.0)));
    assert_true(isnan(rf_log_f64(NAN)));
}

static void exp_and_its_short_form_agree(void **state)
{
    (void)state;
    for (int i = 0; i <= 70000; i++) {
        const double x = -0.01 * i;
        assert_true(rf_exp_nonpositive_f64(x) == rf_exp_f64(x));
    }
}

/* One number over many results: any compiler, flag or processor must find it. */
static void the_bits_are_the_same_everywhere(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (int i = 1; i <= 20000; i++) {
        const double x = 0.035 * i;
        sum = sum * 0x9e3779b97f4a7c15u + rf_f64_bits(rf_exp_f64(x - 350.0));
        sum = sum * 0x9e3779b97f4a7c15u + rf_f64_bits(rf_exp_nonpositive_f64(-x));
        sum = sum * 0x9e3779b97f4a7c15u + rf_f64_bits(rf_log_f64(x));
        sum = sum * 0x9e3779b97f4a7c15u + rf_f64_bits(rf_digamma_f64(x));
        sum = sum * 0x9e3779b97f4a7c15u + rf_f64_bits(rf_lgamma_f64(x));
    }
    assert_int_equal(sum, UINT64_C(0x777c906ba980ad14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_within_their_bounds),
        cmocka_unit_test(ends_of_the_range_are_right),
        cmocka_unit_test(exp_and_its_short_form_agree),
        cmocka_unit_test(the_bits_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
