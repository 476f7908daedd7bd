#include "engine/quality/pairs.h"
#include "hand_table.h"

/* The pair of two columns of a real and a synthetic table. */
static rf_quality_pair compare(int64_t n_real, hand_column a, hand_column b, int64_t n_other, hand_column c,
                               hand_column d)
{
    rf_error err = {0};
    rf_arena arena;
    rfi_facing *faces;
    rfi_strand *strands;
    int32_t n;
    rf_quality_pair out;
    rf_arena_init(&arena);
    a.name = c.name = "a";
    b.name = d.name = "b";
    rf_table *real = hand_table(n_real, (hand_column[]){a, b, {0}});
    rf_table *other = hand_table(n_other, (hand_column[]){c, d, {0}});
    assert_ok(rfi_face(&faces, &arena, real, other, (const int32_t[]){0, 1}, 2, &err));
    assert_ok(rfi_strands(&strands, &n, &arena, faces, 2, NULL, &err));
    assert_int_equal(n, 2);
    assert_ok(rfi_pair_score(&out, &strands[0], &strands[1], &err));
    rf_arena_free(&arena);
    rf_table_free(real);
    rf_table_free(other);
    return out;
}

#define REAL(...)                                                                                            \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "", RF_KIND_CONTINUOUS, .values = NUMBERS(__VA_ARGS__)                                               \
    }
#define WORDS(...)                                                                                           \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "", RF_KIND_CATEGORICAL, .texts = TEXTS(__VA_ARGS__)                                                 \
    }

static void opposite_correlations_score_0(void **state)
{
    (void)state;
    const rf_quality_pair p = compare(3, REAL(1, 2, 3), REAL(10, 20, 30), 3, REAL(1, 2, 3), REAL(3, 2, 1));
    assert_near(p.score, 0, 1e-15);
    assert_near(p.real_correlation, 1, 1e-15);
    assert_near(p.synthetic_correlation, -1, 1e-15);
    assert_true(p.gated_in && !p.problem && isnan(p.real_association));
    assert_string_equal(p.metric, "CorrelationSimilarity");
}

static void a_correlation_counts_only_rows_that_have_both_values(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(5, REAL(1, 2, 3, NAN, 9), REAL(1, 2, 3, 100, NAN), 4, REAL(1, 2, NAN, 3), REAL(2, 4, 7, 6));
    assert_near(p.score, 1, 1e-15);
}

static void weak_real_correlation_does_not_pass_the_gate(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(4, REAL(0, 0, 1, 1), REAL(0, 1, 0, 1), 4, REAL(0, 0, 1, 1), REAL(0, 0, 1, 1));
    assert_near(p.real_correlation, 0, 1e-15);
    assert_near(p.score, 0.5, 1e-15);
    assert_false(p.gated_in);
}

static void a_constant_column_has_no_correlation(void **state)
{
    (void)state;
    rf_quality_pair p = compare(3, REAL(1, 1, NAN), REAL(1, 2, 3), 3, REAL(1, 2, 3), REAL(1, 2, 3));
    assert_true(isnan(p.score) && isnan(p.real_correlation) && !p.gated_in);
    assert_non_null(strstr(p.problem, "real column is constant"));
    p = compare(3, REAL(1, 2, 3), REAL(1, 2, 3), 3, REAL(4, 4, 4), REAL(1, 2, 3));
    assert_true(isnan(p.score) && !p.gated_in);
    assert_non_null(strstr(p.problem, "synthetic column is constant"));
    p = compare(3, REAL(1, 2, 3), REAL(1, 2, 3), 3, REAL(4, 4, 5), REAL(1, 2, NAN)); /* only where both are */
    assert_true(isnan(p.score) && p.gated_in);
    assert_non_null(strstr(p.problem, "in the rows that have both"));
}

static void too_few_common_rows_have_no_correlation(void **state)
{
    (void)state;
    rf_quality_pair p = compare(3, REAL(1, 2, NAN), REAL(NAN, 2, 3), 3, REAL(1, 2, 3), REAL(1, 2, 3));
    assert_true(isnan(p.score) && isnan(p.real_correlation) && !p.gated_in);
    assert_non_null(p.problem);
    p = compare(2, REAL(NAN, NAN), REAL(1, 2), 2, REAL(1, 2), REAL(1, 2));
    assert_non_null(p.problem);
    p = compare(1, REAL(1), REAL(2), 1, REAL(1), REAL(2));
    assert_non_null(p.problem);
    p = compare(2, REAL(1, 2), REAL(5, 3), 2, REAL(1, 2), REAL(3, 5)); /* two rows are enough */
    assert_near(p.score, 0, 0);
}

static void huge_and_tiny_numbers_correlate_too(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(3, REAL(1e200, 2e200, 3e200), REAL(1e-200, 2e-200, 3e-200), 3, REAL(1, 2, 3), REAL(1, 2, 3));
    assert_near(p.score, 1, 1e-15);
}

static void disjoint_cells_score_0(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(2, WORDS("a", "b"), WORDS("x", "y"), 2, WORDS("a", "b"), WORDS("y", "x"));
    assert_near(p.score, 0, 0);
    assert_near(p.real_association, 1, 1e-15);
    assert_true(p.gated_in && isnan(p.real_correlation));
    assert_string_equal(p.metric, "ContingencySimilarity");
}

static void a_missing_cell_is_a_category_of_its_own(void **state)
{
    (void)state;
    const rf_quality_pair p = compare(4, WORDS("a", "a", NULL, NULL), WORDS("x", "x", "y", "y"), 4,
                                      WORDS("a", "a", "a", NULL), WORDS("x", "x", "y", "y"));
    assert_near(p.score, 0.75, 0);
    assert_near(p.real_association, 1, 1e-15);
}

static void a_single_category_has_no_association_but_a_score(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(2, WORDS("a", "a"), WORDS("x", "y"), 2, WORDS("a", "a"), WORDS("x", "x"));
    assert_true(isnan(p.real_association) && !p.gated_in);
    assert_near(p.score, 0.5, 0);
    assert_null(p.problem);
}

static void independent_columns_have_no_association(void **state)
{
    (void)state;
    const rf_quality_pair p = compare(4, WORDS("a", "a", "b", "b"), WORDS("x", "y", "x", "y"), 4,
                                      WORDS("a", "a", "b", "b"), WORDS("x", "y", "x", "y"));
    assert_near(p.real_association, 0, 0);
    assert_near(p.score, 1, 0);
}

static void the_largest_value_and_a_missing_one_share_a_bin(void **state)
{
    (void)state;
    /* bins of 0, 5, 10: 1, 6 and 11; the synthetic missing cell falls where the real 10 is */
    const rf_quality_pair p =
        compare(3, REAL(0, 5, 10), WORDS("x", "y", "z"), 3, REAL(0, 5, NAN), WORDS("x", "x", "z"));
    /* synthetic bins of 0..5: 0 -> 1, 5 -> 11, missing -> 11 */
    assert_near(p.score, 1 - 0.5 * (1 / 3.0 + 1 / 3.0), 1e-15);
}

static void each_table_is_cut_between_its_own_ends(void **state)
{
    (void)state;
    const rf_quality_pair p =
        compare(3, REAL(0, 5, 10), WORDS("x", "y", "z"), 3, REAL(0, 500, 1000), WORDS("x", "y", "z"));
    assert_near(p.score, 1, 0);
}

static void a_constant_and_an_empty_column_are_binned_as_the_reference_does(void **state)
{
    (void)state;
    rf_quality_pair p = compare(2, REAL(7, 7), WORDS("x", "y"), 2, REAL(9, 9), WORDS("x", "y"));
    assert_near(p.score, 1, 0);
    p = compare(2, REAL(NAN, NAN), WORDS("x", "y"), 2, REAL(NAN, NAN), WORDS("x", "y"));
    assert_near(p.score, 1, 0);
    assert_false(p.gated_in);
    p = compare(2, REAL(1, INFINITY), WORDS("x", "y"), 2, REAL(1, 2), WORDS("x", "y"));
    assert_true(isnan(p.score));
    assert_non_null(strstr(p.problem, "finite"));
    const hand_column day = {"", RF_KIND_DATETIME,
                             .values = NUMBERS(1.6e9, 1.6e9)}; /* in ns: no room for 10 */
    p = compare(2, day, WORDS("x", "y"), 2, day, WORDS("x", "y"));
    assert_true(isnan(p.score) && !p.gated_in);
    assert_non_null(strstr(p.problem, "narrow"));
}

/* Contingency by the formula, with a cell for every pair of ids. */
static rfi_contingency plain(const int32_t *a, const int32_t *b, int64_t n, const int32_t *c,
                             const int32_t *d, int64_t m, int32_t k, int32_t l)
{
    double *p = calloc((size_t)k * (size_t)l, sizeof *p), *q = calloc((size_t)k * (size_t)l, sizeof *q);
    double *row = calloc((size_t)k, sizeof *row), *column = calloc((size_t)l, sizeof *column);
    double distance = 0, chi = 0;
    int used_rows = 0, used_columns = 0;
    for (int64_t i = 0; i < n; i++)
        p[a[i] * l + b[i]]++, row[a[i]]++, column[b[i]]++;
    for (int64_t i = 0; i < m; i++)
        q[c[i] * l + d[i]]++;
    for (int32_t i = 0; i < k; i++)
        used_rows += row[i] > 0;
    for (int32_t j = 0; j < l; j++)
        used_columns += column[j] > 0;
    for (int32_t i = 0; i < k; i++) {
        for (int32_t j = 0; j < l; j++) {
            const double e = row[i] * column[j] / (double)n;
            distance += fabs(p[i * l + j] / (double)n - q[i * l + j] / (double)m);
            chi += e > 0 ? (p[i * l + j] - e) * (p[i * l + j] - e) / e : 0;
        }
    }
    const int least = used_rows < used_columns ? used_rows : used_columns;
    free(p), free(q), free(row), free(column);
    return (rfi_contingency){.score = 1 - distance / 2, .association = sqrt(chi / (double)n / (least - 1))};
}

static void long_axes_are_counted_like_short_ones(void **state)
{
    enum { N = 501, M = 333 };
    static const struct {
        int32_t k, l;
    } sizes[] = {{5, 7}, {300, 400}, {70000, 3}, {2, 70001}}; /* dense; sparse, narrow; sparse, wide */
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int32_t k = sizes[s].k, l = sizes[s].l;
        int32_t ids[4][N], wide[4][N];
        uint16_t narrow[4][N];
        rfi_axis axes[4];
        for (int c = 0; c < 4; c++) {
            const int32_t n_ids = c % 2 ? l : k;
            for (int i = 0; i < N; i++) {
                ids[c][i] = (int32_t)(((int64_t)i * 7919 * (c + 3) + i / 3) % n_ids);
                wide[c][i] = ids[c][i] - 1;
                narrow[c][i] = (uint16_t)ids[c][i];
            }
            axes[c] = (rfi_axis){.n_rows = c < 2 ? N : M, .n_ids = n_ids};
            if (n_ids > 65536)
                axes[c].wide = wide[c];
            else
                axes[c].narrow = narrow[c];
        }
        rf_error err = {0};
        rfi_contingency got;
        assert_ok(rfi_contingency_of(&got, &axes[0], &axes[1], &axes[2], &axes[3], &err));
        const rfi_contingency wanted = plain(ids[0], ids[1], N, ids[2], ids[3], M, k, l);
        assert_near(got.score, wanted.score, 1e-12);
        assert_near(got.association, wanted.association, 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opposite_correlations_score_0),
        cmocka_unit_test(a_correlation_counts_only_rows_that_have_both_values),
        cmocka_unit_test(weak_real_correlation_does_not_pass_the_gate),
        cmocka_unit_test(a_constant_column_has_no_correlation),
        cmocka_unit_test(too_few_common_rows_have_no_correlation),
        cmocka_unit_test(huge_and_tiny_numbers_correlate_too),
        cmocka_unit_test(disjoint_cells_score_0),
        cmocka_unit_test(a_missing_cell_is_a_category_of_its_own),
        cmocka_unit_test(a_single_category_has_no_association_but_a_score),
        cmocka_unit_test(independent_columns_have_no_association),
        cmocka_unit_test(the_largest_value_and_a_missing_one_share_a_bin),
        cmocka_unit_test(each_table_is_cut_between_its_own_ends),
        cmocka_unit_test(a_constant_and_an_empty_column_are_binned_as_the_reference_does),
        cmocka_unit_test(long_axes_are_counted_like_short_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
