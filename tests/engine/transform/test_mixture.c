#include "rf_test.h"

#include <math.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/transform/mixture.h"
#include "engine/transform/mixture_loop.h"
#include "engine/transform/mixture_points.h"
#include "engine/transform/sort_f64.h"

/* ------------------------------------------------------------------ reading tests/reference/mixture.txt */

enum { CASE_VALUES_MAX = 512 };

/* The next line's numbers after its tag; returns how many. */
static int read_line(FILE *file, const char *tag, double *out)
{
    char line[16384];
    assert_non_null(fgets(line, sizeof line, file));
    assert_true(strncmp(line, tag, strlen(tag)) == 0);
    int n = 0;
    for (char *at = line + strlen(tag), *end; n < CASE_VALUES_MAX; at = end) {
        double x = strtod(at, &end);
        if (end == at)
            break;
        out[n++] = x;
    }
    return n;
}

/* A difference of `tolerance` times `scale`. */
static void compare(const char *name, const char *what, const double *got, const double *wanted, int n,
                    double scale, double tolerance)
{
    for (int i = 0; i < n; i++) {
        if (!(fabs(got[i] - wanted[i]) <= tolerance * scale)) {
            print_error("%s: %s %d is %.17g, the reference has %.17g\n", name, what, i, got[i], wanted[i]);
            fail();
        }
    }
}

typedef struct golden {
    char name[64];
    int n, k;
    double value[CASE_VALUES_MAX], end[CASE_VALUES_MAX];
} golden;

static bool read_case(FILE *file, golden *out)
{
    char line[256];
    if (!fgets(line, sizeof line, file))
        return false;
    assert_int_equal(sscanf(line, "case %63s %d %d", out->name, &out->n, &out->k), 3);
    assert_int_equal(read_line(file, "v", out->value), out->n);
    assert_int_equal(read_line(file, "e", out->end), out->k);
    return true;
}

/* The case's values about their mean, as points with count 1, and the given clusters. */
static double shifted_points(const golden *g, double *value, double *count, rfi_clusters *clusters,
                             double *variance)
{
    double mean = 0.0, sum = 0.0;
    for (int i = 0; i < g->n; i++)
        mean += g->value[i] / g->n;
    for (int i = 0; i < CASE_VALUES_MAX; i++) {
        value[i] = g->value[i < g->n ? i : g->n - 1] - mean;
        count[i] = i < g->n ? 1.0 : 0.0;
        sum += count[i] * value[i] * value[i];
    }
    *variance = sum / (g->n - 1);
    clusters->n = g->k;
    for (int c = 0; c < g->k; c++) {
        clusters->first[c] = c == 0 ? 0 : (int64_t)g->end[c - 1];
        clusters->end[c] = (int64_t)g->end[c];
        clusters->centre[c] = clusters->first[c] < g->n ? value[clusters->first[c]] : 0.0;
    }
    return mean;
}

static void iterations_equal_the_reference_from_the_same_start(void **state)
{
    (void)state;
    FILE *file = fopen(RF_TEST_DATA "/reference/mixture.txt", "r");
    assert_non_null(file);
    golden g;
    double value[CASE_VALUES_MAX], count[CASE_VALUES_MAX], row[CASE_VALUES_MAX], variance;
    int n_cases = 0;
    for (; read_case(file, &g); n_cases++) {
        rf_mixture mixture = {0};
        rfi_clusters clusters;
        rfi_sums sums;
        const double mean = shifted_points(&g, value, count, &clusters, &variance), sigma = sqrt(variance);
        const rfi_points points = {.value = value, .count = count, .n = g.n};
        rfi_cluster_sums(&points, &clusters, &sums);
        const int32_t limits[] = {1, 5, 100};
        for (int i = 0; i < 3; i++) {
            rfi_variational fit;
            rfi_variational_start(&fit, g.k, variance, RFI_MIXTURE_FLOOR, clusters.centre, &sums);
            int32_t done = rfi_variational_run(&fit, &points, 1, limits[i]);
            rfi_variational_finish(&fit, mean, &mixture);
            assert_int_equal(read_line(file, "r", row), 2);
            assert_int_equal(done, (int)row[0]);
            /* the reference's bound leaves out no more than we do, but for rounding in sums of n terms */
            assert_near(mixture.bound, row[1], 1e-8);
            read_line(file, "m", row);
            compare(g.name, "mean", mixture.mean, row, g.k, sigma, 1e-9);
            read_line(file, "s", row);
            compare(g.name, "variance", mixture.variance, row, g.k, variance, 1e-9);
            read_line(file, "w", row);
            compare(g.name, "weight", mixture.weight, row, g.k, 1.0, 1e-9);
        }
        for (int i = 0; i < 3; i++) {
            double all[RF_MIXTURE_MAX];
            assert_int_equal(read_line(file, "p", row), g.k + 1);
            mixture.n_kept = mixture.n; /* the reference's probabilities are over all */
            double total = 1.0 + 1e-6 * mixture.n;
            for (int32_t k = 0; k < mixture.n; k++)
                mixture.kept[k] = k;
            rf_mixture_posterior(&mixture, row[0], all);
            for (int32_t k = 0; k < mixture.n; k++)
                all[k] = all[k] * total - 1e-6;
            compare(g.name, "probability", all, row + 1, g.k, 1.0, 1e-8);
        }
    }
    fclose(file);
    assert_int_equal(n_cases, 5);
}

/* ------------------------------------------------------------------ builds, bins, ties */

static double draw(uint64_t seed, uint32_t i)
{
    rf_philox_block b = rf_philox((rf_draw){.seed = seed, .purpose = RF_DRAW_DEMO}, i);
    return rf_uniform_f64(b.word[0], b.word[1]);
}

/* A sum of uniforms about one of three places: bell-like, many distinct values. */
static double bell(uint64_t seed, uint32_t i)
{
    double u = draw(seed, 5 * i),
           x = draw(seed, 5 * i + 1) + draw(seed, 5 * i + 2) + draw(seed, 5 * i + 3) - 1.5;
    return u < 0.5 ? x : u < 0.8 ? 10.0 + 3.0 * x : 100.0 * draw(seed, 5 * i + 4);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void every_instruction_set_gives_the_same_bits(void **state)
{
    (void)state;
    enum { N = 1000, ROOM = 1024 };
    double value[ROOM], count[ROOM] = {0}, spread[ROOM], uniform[RFI_LANES];
    for (int i = 0; i < N; i++) {
        value[i] = bell(5, (uint32_t)i);
        count[i] = 1.0 + i % 4;
        spread[i] = 0.01 * (i % 3);
    }
    qsort(value, N, sizeof *value, by_value);
    for (int i = N; i < ROOM; i++) {
        value[i] = value[N - 1];
        spread[i] = 0.0;
    }
    for (int i = 0; i < RFI_LANES; i++)
        uniform[i] = draw(6, (uint32_t)i);
    rfi_density density = {.n = 9};
    const int32_t kept[] = {0, 2, 3, 5, 8};
    for (int32_t k = 0; k < density.n; k++) {
        density.mean[k] = 11.0 * k - 5.0;
        density.minus_half_precision[k] = -0.5 / (0.1 + k * k);
        density.base[k] = -0.3 * k;
    }

    const rfi_step *steps[4];
    const int n_steps = rfi_step_list(steps);
    rfi_sums first = {0}, other = {0};
    int32_t first_choice[RFI_LANES], other_choice[RFI_LANES];
    for (int with_spread = 0; with_spread < 2; with_spread++) {
        const rfi_points points = {
            .value = value, .count = count, .spread = with_spread ? spread : NULL, .n = N};
        for (int i = 0; i < n_steps; i++) {
            steps[i]->accumulate(&points, &density, i == 0 ? &first : &other);
            steps[i]->pick(&density, kept, 5, value + 3 * RFI_LANES, uniform,
                           i == 0 ? first_choice : other_choice);
            if (i == 0)
                continue;
            print_message("%s against %s\n", steps[i]->name, steps[0]->name);
            assert_memory_equal(&first, &other, sizeof first);
            assert_memory_equal(first_choice, other_choice, sizeof first_choice);
        }
    }
}

static void picks_follow_the_posterior(void **state)
{
    (void)state;
    enum { DRAWS = 64 * 2000 };
    rf_mixture m = {.n = 4, .n_kept = 3, .kept = {0, 1, 3}};
    for (int32_t k = 0; k < m.n; k++) {
        m.mean[k] = k;
        m.variance[k] = 0.5 + 0.2 * k;
        m.weight[k] = 0.25;
        m.log_base[k] = -0.5 * log(m.variance[k]) - 0.1 * k;
    }
    const double x = 1.3;
    double wanted[RF_MIXTURE_MAX], p[4], total = 0.0, kept = 0.0, got[3] = {0};
    for (int32_t k = 0; k < 4; k++)
        total += p[k] = exp(m.log_base[k] - 0.5 * (x - m.mean[k]) * (x - m.mean[k]) / m.variance[k]);
    for (int j = 0; j < 3; j++)
        kept += p[m.kept[j]] / total + 1e-6;
    rf_mixture_posterior(&m, x, wanted);
    for (int j = 0; j < 3; j++)
        assert_near(wanted[j], (p[m.kept[j]] / total + 1e-6) / kept, 1e-14);

    rfi_density density;
    rfi_density_of(&m, &density);
    double value[RFI_LANES], uniform[RFI_LANES];
    int32_t choice[RFI_LANES];
    for (int i = 0; i < DRAWS; i += RFI_LANES) {
        for (int j = 0; j < RFI_LANES; j++) {
            value[j] = x;
            uniform[j] = (i + j + 0.5) / DRAWS;
        }
        rfi_step_best()->pick(&density, m.kept, m.n_kept, value, uniform, choice);
        for (int j = 0; j < RFI_LANES; j++)
            got[choice[j]] += 1.0 / DRAWS;
    }
    for (int j = 0; j < 3; j++)
        assert_near(got[j], wanted[j], 2.0 / DRAWS);
}

static const rf_mixture_options options = {.seed = 3, .column = 1};

static void the_order_of_the_values_does_not_matter(void **state)
{
    (void)state;
    enum { N = 5000 };
    static double a[N], b[N];
    rf_error err = {0};
    rf_mixture forward, backward;
    for (int i = 0; i < N; i++)
        b[N - 1 - i] = a[i] = floor(bell(8, (uint32_t)i) * 10.0) / 10.0;
    assert_ok(rf_mixture_fit(&forward, a, N, &options, &err));
    assert_ok(rf_mixture_fit(&backward, b, N, &options, &err));
    assert_memory_equal(&forward, &backward, sizeof forward);
    assert_true(forward.n_kept > 1);
}

/* 100 iterations on all values, and 98 on bins with 2 on all values, from the same clusters. */
static void bins_with_a_polish_equal_a_full_run(void **state)
{
    (void)state;
    enum { N = 80000 };
    rf_error err = {0};
    double *x = malloc(N * sizeof *x), *work = malloc(2 * (N + RFI_LANES) * sizeof *work),
           *bins = malloc(3 * RFI_BINS_ROOM * sizeof *bins);
    for (int i = 0; i < N; i++)
        x[i] = bell(9, (uint32_t)i);
    rfi_prepared data;
    rfi_points coarse;
    rfi_clusters clusters;
    rfi_sums sums;
    rfi_variational fit;
    rf_mixture full, binned;
    rfi_points_prepare(&data, x, N, work);
    rfi_points_bin(&coarse, &data, bins);
    assert_in_range(coarse.n, RFI_BINS / 8, RFI_BINS);
    const rfi_points exact = {.value = data.value, .count = data.count, .n = data.n};
    assert_ok(rfi_kmeans(&clusters, &coarse, 10, 1e-4 * data.variance, 1, 2, &err));
    rfi_cluster_sums(&coarse, &clusters, &sums);

    rfi_variational_start(&fit, 10, data.variance, RFI_MIXTURE_FLOOR, clusters.centre, &sums);
    assert_int_equal(rfi_variational_run(&fit, &exact, 100, 100), 100);
    rfi_variational_finish(&fit, data.shift, &full);
    rfi_variational_start(&fit, 10, data.variance, RFI_MIXTURE_FLOOR, clusters.centre, &sums);
    rfi_variational_run(&fit, &coarse, 98, 98);
    rfi_variational_run(&fit, &exact, 2, 2);
    rfi_variational_finish(&fit, data.shift, &binned);
    compare("bins", "mean", binned.mean, full.mean, full.n, sqrt(data.variance), 2e-6);
    compare("bins", "weight", binned.weight, full.weight, full.n, 1.0, 1e-6);
    free(x);
    free(work);
    free(bins);
}

static void bins_keep_count_mean_and_spread(void **state)
{
    (void)state;
    enum { N = 100000 };
    double *x = malloc(N * sizeof *x), *work = malloc(2 * (N + RFI_LANES) * sizeof *work),
           *bins = malloc(3 * RFI_BINS_ROOM * sizeof *bins);
    for (int i = 0; i < N; i++)
        x[i] = bell(15, (uint32_t)i) * bell(16, (uint32_t)i);
    rfi_prepared data;
    rfi_points points;
    rfi_points_prepare(&data, x, N, work);
    rfi_points_bin(&points, &data, bins);
    double count = 0.0, first = 0.0, second = 0.0, within = 0.0;
    for (int64_t i = 0; i < points.n; i++) {
        assert_true(i == 0 || points.value[i - 1] <= points.value[i]);
        count += points.count[i];
        first += points.count[i] * points.value[i];
        second += points.count[i] * (points.value[i] * points.value[i] + points.spread[i]);
        within += points.count[i] * points.spread[i];
    }
    assert_near(count, N, 0.0);
    assert_near(first / N, 0.0, 1e-9 * sqrt(data.variance));
    assert_near(second / (N - 1), data.variance, 1e-12 * data.variance);
    assert_true(within > 1e-11 * second); /* or the line before would not have noticed */
    free(x);
    free(work);
    free(bins);
}

static void clusters_beyond_the_distinct_points_stay_empty(void **state)
{
    (void)state;
    rf_error err = {0};
    double value[RFI_LANES] = {-2.0, 0.0, 5.0}, count[RFI_LANES] = {3.0, 1.0, 2.0};
    const rfi_points points = {.value = value, .count = count, .n = 3};
    rfi_clusters clusters;
    assert_ok(rfi_kmeans(&clusters, &points, 7, 1e-6, 1, 1, &err));
    int64_t held = 0;
    for (int32_t c = 0; c < 7; c++) {
        held += clusters.end[c] - clusters.first[c];
        assert_int_equal(clusters.end[c] - clusters.first[c], c < 3);
        assert_true(c >= 3 || clusters.centre[c] == value[clusters.first[c]]);
        assert_true(c < 3 || clusters.centre[c] == 0.0);
    }
    assert_int_equal(held, 3);
}

static void very_many_values_take_the_way_over_bins(void **state)
{
    (void)state;
    enum { N = 70000 };
    rf_error err = {0};
    rf_mixture m;
    double *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = i % 4 == 0 ? 1000.0 + draw(14, (uint32_t)i) : 20.0 * draw(14, (uint32_t)i);
    assert_ok(rf_mixture_fit(&m, x, N, &options, &err));
    assert_in_range(m.n_iterations, 3, 100);
    double near = 0.0;
    for (int32_t k = 0; k < m.n; k++)
        if (fabs(m.mean[k] - 1000.5) < 2.0)
            near += m.weight[k];
    assert_near(near, 0.25, 1e-3);
    free(x);
}

static void one_value_and_few_values_are_fitted(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_mixture m;
    const double one[] = {7.0}, same[] = {5.0, 5.0, 5.0}, two[] = {0.0, 1.0, 1.0, 0.0, 1.0};
    assert_ok(rf_mixture_fit(&m, one, 1, &options, &err));
    assert_int_equal(m.n, 1);
    assert_near(m.mean[0], 7.0, 1e-12);
    assert_true(m.variance[0] > 0.0);
    assert_ok(rf_mixture_fit(&m, same, 3, &options, &err));
    assert_true(m.n == 3 && m.n_kept >= 1);
    assert_ok(rf_mixture_fit(&m, two, 5, &options, &err));
    assert_true(m.n == 5 && m.n_kept >= 1);
    double sum = 0.0;
    for (int32_t k = 0; k < m.n; k++) {
        assert_true(isfinite(m.mean[k]) && isfinite(m.log_base[k]) && m.variance[k] > 0.0);
        sum += m.weight[k];
    }
    assert_near(sum, 1.0, 1e-12);
}

static void small_numbers_keep_their_modes_with_the_scaled_floor(void **state)
{
    (void)state;
    enum { N = 4000 };
    static double x[N];
    rf_error err = {0};
    rf_mixture plain, scaled;
    for (int i = 0; i < N; i++)
        x[i] = 1e-6 * bell(10, (uint32_t)i);
    assert_ok(rf_mixture_fit(&plain, x, N, &options, &err));
    rf_mixture_options with = options;
    with.scaled_floor = true;
    assert_ok(rf_mixture_fit(&scaled, x, N, &with, &err));
    double narrow_plain = INFINITY, narrow_scaled = INFINITY;
    for (int32_t k = 0; k < N && k < 10; k++) {
        narrow_plain = fmin(narrow_plain, plain.variance[k]);
        narrow_scaled = fmin(narrow_scaled, scaled.variance[k]);
    }
    assert_true(narrow_plain > 0.9e-6);
    assert_true(narrow_scaled < 2e-12);
}

static void numbers_of_any_size_stay_finite(void **state)
{
    (void)state;
    enum { N = 500 };
    double x[N];
    rf_error err = {0};
    const double scales[] = {1e-320, 1e-200, 1e-20, 1e20, 1e139};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        for (int i = 0; i < N; i++)
            x[i] = scales[s] * (draw(11, (uint32_t)i) - 0.5);
        rf_mixture m;
        rf_mixture_options with = options;
        with.scaled_floor = true;
        assert_ok(rf_mixture_fit(&m, x, N, &with, &err));
        for (int32_t k = 0; k < m.n; k++) {
            if (!isfinite(m.mean[k]) || !isfinite(m.log_base[k]) || !isfinite(m.variance[k]) ||
                !(m.variance[k] > 0.0)) {
                print_error("scale %g: mean %g, variance %g, log base %g\n", scales[s], m.mean[k],
                            m.variance[k], m.log_base[k]);
                fail();
            }
        }
    }
}

static void sorting_puts_every_kind_of_number_in_order(void **state)
{
    (void)state;
    enum { N = 3000 };
    double x[N], scratch[N], wanted[N];
    for (int i = 0; i < N; i++) {
        double u = draw(12, (uint32_t)i);
        x[i] = i % 5 == 0   ? -1e300 * u
               : i % 5 == 1 ? 1e-310 * u
               : i % 5 == 2 ? floor(10 * u)
               : i % 5 == 3 ? -u
                            : 1e9 * u;
    }
    x[17] = -0.0;
    memcpy(wanted, x, sizeof x);
    qsort(wanted, N, sizeof *wanted, by_value);
    rfi_sort_f64(x, scratch, N);
    for (int i = 0; i < N; i++)
        assert_true(x[i] == wanted[i]);
    int64_t distinct = rfi_merge_equal(x, scratch, N), total = 0;
    for (int64_t i = 0; i < distinct; i++) {
        total += (int64_t)scratch[i];
        assert_true(i == 0 || x[i - 1] < x[i]);
    }
    assert_int_equal(total, N);
}

static void every_failing_allocation_is_an_error(void **state)
{
    (void)state;
    enum { N = 70000 };
    double *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = draw(13, (uint32_t)i);
    for (int64_t nth = 1;; nth++) {
        rf_error err = {0};
        rf_mixture m;
        rf_alloc_fail_at(nth);
        rf_code rc = rf_mixture_fit(&m, x, N, &options, &err);
        rf_alloc_fail_at(0);
        if (rc == RF_OK) {
            assert_true(nth > 3);
            break;
        }
        assert_int_equal(rc, RF_NO_MEMORY);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iterations_equal_the_reference_from_the_same_start),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(picks_follow_the_posterior),
        cmocka_unit_test(the_order_of_the_values_does_not_matter),
        cmocka_unit_test(bins_with_a_polish_equal_a_full_run),
        cmocka_unit_test(bins_keep_count_mean_and_spread),
        cmocka_unit_test(clusters_beyond_the_distinct_points_stay_empty),
        cmocka_unit_test(very_many_values_take_the_way_over_bins),
        cmocka_unit_test(one_value_and_few_values_are_fitted),
        cmocka_unit_test(small_numbers_keep_their_modes_with_the_scaled_floor),
        cmocka_unit_test(numbers_of_any_size_stay_finite),
        cmocka_unit_test(sorting_puts_every_kind_of_number_in_order),
        cmocka_unit_test(every_failing_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
