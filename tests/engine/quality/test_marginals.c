#include "engine/quality/marginals.h"
#include "engine/quality/sort64.h"
#include "hand_table.h"

/* One column of a real and a synthetic table, as the report sees it. */
static rf_quality_column compare(int64_t n_real, hand_column real, int64_t n_other, hand_column other)
{
    rf_error err = {0};
    rf_arena arena;
    rfi_facing *face;
    rf_quality_column out = {.shape = NAN, .coverage = NAN};
    const int32_t field = 0;
    rf_arena_init(&arena);
    rf_table *a = hand_table(n_real, (hand_column[]){real, {0}}),
             *b = hand_table(n_other, (hand_column[]){other, {0}});
    assert_ok(rfi_face(&face, &arena, a, b, &field, 1, &err));
    assert_ok(rfi_marginals(&out, face, &err));
    rf_arena_free(&arena);
    rf_table_free(a);
    rf_table_free(b);
    return out;
}

#define REAL(...)                                                                                            \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "x", RF_KIND_CONTINUOUS, .values = NUMBERS(__VA_ARGS__)                                              \
    }
#define WORDS(...)                                                                                           \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "x", RF_KIND_CATEGORICAL, .texts = TEXTS(__VA_ARGS__)                                                \
    }

static void ks_is_the_largest_gap_of_two_distribution_functions(void **state)
{
    (void)state;
    assert_near(compare(4, REAL(1, 2, 3, 4), 4, REAL(3, 4, 5, 6)).shape, 0.5, 0);
    assert_near(compare(4, REAL(1, 2, 3, 4), 4, REAL(4, 3, 2, 1)).shape, 1, 0);
    assert_near(compare(2, REAL(1, 2), 3, REAL(10, 11, 12)).shape, 0, 0);
    assert_near(compare(5, REAL(1, 1, 1, 2, 2), 2, REAL(1, 2)).shape, 0.9, 1e-15);
    assert_near(compare(4, REAL(1, NAN, 2, NAN), 3, REAL(NAN, 2, 1)).shape, 1, 0);
    assert_near(compare(2, REAL(-0.0, 1), 2, REAL(0.0, 1)).shape, 1, 0);
}

static void ks_takes_numbers_that_differ_after_14_decimals_for_equal(void **state)
{
    (void)state;
    assert_near(compare(1, REAL(0.1), 1, REAL(0.1 + 1e-16)).shape, 1, 0);
    assert_near(compare(1, REAL(0.1), 1, REAL(0.1 + 1e-13)).shape, 0, 0);
}

static void tv_is_half_the_sum_of_frequency_gaps(void **state)
{
    (void)state;
    assert_near(compare(4, WORDS("a", "a", "b", "b"), 4, WORDS("a", "a", "a", "c")).shape, 0.5, 1e-6);
    assert_near(compare(4, WORDS("a", "a", "b", "b"), 4, WORDS("b", "a", "b", "a")).shape, 1, 0);
    assert_near(compare(2, WORDS("a", "b"), 2, WORDS("c", "d")).shape, 0, 1e-5);
    assert_near(compare(3, WORDS("a", NULL, "b"), 4, WORDS("b", "a", NULL, NULL)).shape, 1, 0);
}

static void a_column_without_values_has_no_shape_and_says_so(void **state)
{
    (void)state;
    rf_quality_column c = compare(2, REAL(NAN, NAN), 2, REAL(1, 2));
    assert_true(isnan(c.shape) && isnan(c.coverage));
    assert_non_null(strstr(c.problem, "real"));
    c = compare(2, REAL(1, 2), 2, REAL(NAN, NAN));
    assert_true(isnan(c.shape) && isnan(c.coverage));
    assert_non_null(strstr(c.problem, "synthetic"));
    c = compare(2, WORDS(NULL, NULL), 2, WORDS("a", "b"));
    assert_true(isnan(c.shape) && isnan(c.coverage));
    assert_non_null(c.problem);
    c = compare(1, WORDS("a"), 1, WORDS(NULL));
    assert_true(isnan(c.shape));
    assert_near(c.coverage, 0, 0);
}

static void range_coverage_counts_what_both_ends_lack(void **state)
{
    (void)state;
    assert_near(compare(2, REAL(0, 10), 2, REAL(1, 8)).coverage, 0.7, 1e-15);
    assert_near(compare(2, REAL(0, 10), 2, REAL(-5, 20)).coverage, 1, 0);
    assert_near(compare(2, REAL(0, 10), 2, REAL(15, 20)).coverage, 0, 0);
    assert_true(isnan(compare(2, REAL(3, 3), 2, REAL(1, 8)).coverage)); /* a constant has no range */
}

static void category_coverage_is_the_share_of_real_categories_that_occur(void **state)
{
    (void)state;
    assert_near(compare(4, WORDS("a", "b", "c", "d"), 3, WORDS("d", "x", "a")).coverage, 0.5, 0);
    assert_near(compare(1, WORDS("a"), 1, WORDS("a")).coverage, 1, 0);
}

static void missing_rates_are_compared(void **state)
{
    (void)state;
    rf_quality_column c = compare(4, REAL(1, NAN, NAN, 2), 4, REAL(1, 2, 3, NAN));
    assert_near(c.missing_real, 0.5, 0);
    assert_near(c.missing_synthetic, 0.25, 0);
    assert_near(c.missing_similarity, 0.75, 0);
}

static void categories_are_matched_by_their_text_and_not_by_their_code(void **state)
{
    (void)state;
    assert_near(compare(3, WORDS("x", "y", "y"), 3, WORDS("y", "x", "y")).shape, 1, 0);
    assert_near(compare(2, WORDS("1", "2"), 2, WORDS("2.0", "1.0")).shape, 1,
                0); /* numbers, as frames read them */
    assert_near(compare(2, WORDS("True", "False"), 2, WORDS("FALSE", "true")).shape, 1, 0);
    assert_near(compare(2, WORDS("yes", "no"), 2, WORDS("Yes", "No")).shape, 0, 1e-5);
    assert_near(compare(2, WORDS("1", "a"), 2, WORDS("1.0", "a")).shape, 0.5, 1e-5);
}

static void the_real_tables_kind_decides_how_the_other_is_read(void **state)
{
    (void)state;
    const hand_column numbers = {"x", RF_KIND_INTEGER, .values = NUMBERS(1, 2, NAN)};
    const hand_column dates = {"x", RF_KIND_DATETIME, .values = NUMBERS(0, 86400),
                               .datetime_format = "%Y-%m-%d"};
    assert_near(compare(3, WORDS("2", "1", NULL), 3, numbers).shape, 1, 0);
    assert_near(compare(3, numbers, 3, WORDS("2", NULL, "1")).shape, 1, 0);
    assert_near(compare(2, dates, 2, WORDS("1970-01-02", "1970-01-01")).shape, 1, 0);
    assert_near(compare(2, WORDS("1970-01-02", "1970-01-01"), 2, dates).shape, 1, 0);
    const rf_quality_column clash = compare(3, numbers, 2, WORDS("1", "many"));
    assert_true(isnan(clash.shape));
    assert_non_null(strstr(clash.problem, "another kind"));
    assert_non_null(compare(3, numbers, 2, dates).problem);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sorting_by_bits_is_sorting_by_value(void **state)
{
    enum { N = 1001 };
    double values[N];
    uint64_t keys[N], scratch[N];
    (void)state;
    for (int n = 0; n <= N; n += 77) {
        for (int i = 0; i < n; i++) {
            const double sign = i % 3 ? 1 : -1;
            values[i] = i % 5 == 0 ? sign * 1e300 / (i + 1) : sign * ((i * 7919) % 1009) / 8.0;
            values[i] = i % 11 == 0 ? -INFINITY : i % 13 == 0 ? INFINITY : values[i];
            keys[i] = rfi_key_of(values[i]);
        }
        rfi_sort64(keys, scratch, n);
        qsort(values, (size_t)n, sizeof *values, by_value);
        for (int i = 0; i < n; i++)
            assert_true(rfi_value_of(keys[i]) == values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ks_is_the_largest_gap_of_two_distribution_functions),
        cmocka_unit_test(ks_takes_numbers_that_differ_after_14_decimals_for_equal),
        cmocka_unit_test(tv_is_half_the_sum_of_frequency_gaps),
        cmocka_unit_test(a_column_without_values_has_no_shape_and_says_so),
        cmocka_unit_test(range_coverage_counts_what_both_ends_lack),
        cmocka_unit_test(category_coverage_is_the_share_of_real_categories_that_occur),
        cmocka_unit_test(missing_rates_are_compared),
        cmocka_unit_test(categories_are_matched_by_their_text_and_not_by_their_code),
        cmocka_unit_test(the_real_tables_kind_decides_how_the_other_is_read),
        cmocka_unit_test(sorting_by_bits_is_sorting_by_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
