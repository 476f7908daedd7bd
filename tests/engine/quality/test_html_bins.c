/* Where a histogram's edges lie, and that nothing is lost between them. */
#include "rf_test.h"

#include <math.h>

#include "core/buf.h"
#include "core/text.h"
#include "engine/quality/html_page.h"

enum { N = 5000 };

static double scratch[RFI_SAMPLE_MAX], real_values[N], synthetic_values[N];

/* 0.5, 1.5, … of n in some other order: spread evenly, without a random number. */
static double spread(int64_t i)
{
    return ((double)((i * 7919) % N) + 0.5) / N;
}

static void fill(double (*value)(double))
{
    for (int64_t i = 0; i < N; i++)
        real_values[i] = synthetic_values[i] = value(spread(i));
}

static bool make(rfi_bins *bins, rf_field field, int64_t n)
{
    const rfi_side real = {.n_rows = n, .values = real_values},
                   synthetic = {.n_rows = n, .values = synthetic_values};
    return rfi_bins_make(bins, &field, &real, &synthetic, scratch);
}

static double total(const rfi_bins *bins, int side)
{
    double sum = bins->below[side] + bins->above[side];
    for (int32_t i = 0; i < bins->n; i++)
        sum += bins->share[side][i];
    return sum;
}

static double to_age(double u)
{
    return floor(17 + 60 * u * u);
}

static double to_measure(double u)
{
    return 0.137 + 12.5 * u;
}

static double to_tailed(double u)
{
    return 10 / ((1 - u) * (1 - u)); /* Pareto: 10 to a billion, half of it under 40 */
}

static double to_spiked(double u)
{
    return u < 0.9 ? 0 : floor(3000 * (u - 0.9)) * 10 + 13;
}

static double to_day(double u)
{
    return 86400 * floor(14610 + 3 * 365 * u); /* three years from 2010-01-01 */
}

static const rf_field whole = {.name = "w", .kind = RF_KIND_INTEGER};
static const rf_field real_number = {.name = "r", .kind = RF_KIND_CONTINUOUS, .decimals = -1};
static const rf_field date = {.name = "d", .kind = RF_KIND_DATETIME, .datetime_format = "%Y-%m-%d"};

static void every_value_is_counted_once(void **state)
{
    (void)state;
    static const struct {
        double (*value)(double);
        const rf_field *field;
    } cases[] = {{to_age, &whole},
                 {to_measure, &real_number},
                 {to_tailed, &real_number},
                 {to_spiked, &whole},
                 {to_day, &date}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rfi_bins bins;
        fill(cases[i].value);
        assert_true(make(&bins, *cases[i].field, N));
        assert_near(total(&bins, 0), 1, 1e-12);
        assert_near(total(&bins, 1), 1, 1e-12);
        assert_in_range(bins.n, 2, RFI_BINS_MAX);
        assert_true(bins.n_ticks >= 2);
        for (int32_t k = 0; k < bins.n; k++) {
            assert_true(bins.edge[k] < bins.edge[k + 1]);
            assert_true(bins.position[k] < bins.position[k + 1]);
            assert_memory_equal(&bins.share[0][k], &bins.share[1][k], sizeof(double));
        }
    }
}

static void whole_numbers_have_bins_of_whole_width(void **state)
{
    (void)state;
    rfi_bins bins;
    char text[RFI_RANGE_TEXT];
    fill(to_age);
    assert_true(make(&bins, whole, N));
    for (int32_t k = 0; k < bins.n; k++)
        assert_near(bins.edge[k + 1] - bins.edge[k], rint(bins.edge[k + 1] - bins.edge[k]), 0);
    assert_near(bins.edge[0], 16.5, 0);
    rfi_bins_range_text(&bins, 0, text);
    assert_string_equal(text, "17");
}

static void axis_ends_at_round_numbers_not_at_cells(void **state)
{
    (void)state;
    rfi_bins bins;
    char text[RFI_EDGE_TEXT];
    fill(to_measure);
    assert_true(make(&bins, real_number, N));
    rfi_bins_value_text(&bins, bins.edge[0], text);
    assert_string_equal(text, "0");
    rfi_bins_value_text(&bins, bins.edge[bins.n], text);
    assert_true(strlen(text) <= 5);
    assert_true(bins.edge[bins.n] >= 12.637);
    assert_string_equal(bins.tick_text[0], "0");
}

static void long_tail_gets_a_logarithmic_axis(void **state)
{
    (void)state;
    rfi_bins bins;
    fill(to_tailed);
    assert_true(make(&bins, real_number, N));
    assert_true(bins.logarithmic);
    assert_near(bins.edge[0], 10, 0);
    assert_string_equal(bins.tick_text[0], "100"); /* every second power of ten */
    fill(to_measure);
    assert_true(make(&bins, real_number, N));
    assert_false(bins.logarithmic);
}

static void value_that_most_rows_have_stands_apart(void **state)
{
    (void)state;
    rfi_bins bins;
    char text[RFI_EDGE_TEXT];
    fill(to_spiked);
    assert_true(make(&bins, whole, N));
    assert_true(bins.has_spike);
    rfi_bins_spike_text(&bins, text);
    assert_string_equal(text, "0");
    assert_near(bins.spike_share[0], 0.9, 1e-12);
    assert_int_equal(bins.n_binned[0], N / 10);
}

static void zeros_at_the_low_end_stand_apart_from_a_tenth_on(void **state)
{
    (void)state;
    rfi_bins bins;
    for (int share = 5; share <= 15; share += 10) {
        for (int64_t k = 0; k < N; k++)
            real_values[k] = synthetic_values[k] = k % 100 < share ? 0 : 50 + 1000 * spread(k);
        assert_true(make(&bins, real_number, N));
        assert_int_equal(bins.has_spike, share == 15);
        real_values[1] = -1; /* not the low end any more */
        assert_true(make(&bins, real_number, N));
        assert_false(bins.has_spike);
    }
}

static void dates_begin_with_months_and_are_ticked_by_years(void **state)
{
    (void)state;
    rfi_bins bins;
    char text[RFI_RANGE_TEXT];
    fill(to_day);
    assert_true(make(&bins, date, N));
    assert_int_equal(bins.n, 36);
    rfi_bins_range_text(&bins, 1, text);
    assert_string_equal(text, "from Feb 2010");
    assert_string_equal(bins.tick_text[0], "2010");
    assert_string_equal(bins.tick_text[2], "2012");
}

static void tail_beyond_the_middle_is_one_bin_on_either_side(void **state)
{
    (void)state;
    rfi_bins bins;
    fill(to_measure);
    real_values[0] = -4000;
    real_values[1] = 9000;
    synthetic_values[2] = INFINITY;
    assert_true(make(&bins, real_number, N));
    assert_near(bins.below[0], 1.0 / N, 1e-15);
    assert_true(bins.above[0] >= 1.0 / N);
    assert_true(bins.edge[bins.n] < 20);
    assert_near(total(&bins, 0), 1, 1e-12);
    assert_near(total(&bins, 1), 1, 1e-12);
}

static void column_of_one_value_stands_in_the_middle(void **state)
{
    (void)state;
    static const double values[] = {0, 7, -3.25, 1e-300, 1e12};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        rfi_bins bins;
        for (int64_t k = 0; k < N; k++)
            real_values[k] = synthetic_values[k] = values[i];
        assert_true(make(&bins, real_number, N));
        assert_near(bins.below[0] + bins.above[0], 0, 0);
    }
}

static void missing_values_are_left_out(void **state)
{
    (void)state;
    rfi_bins bins;
    for (int64_t k = 0; k < N; k++)
        real_values[k] = synthetic_values[k] = k % 2 ? NAN : (double)(k % 50);
    assert_true(make(&bins, whole, N));
    assert_int_equal(bins.n_present[0], N / 2);
    assert_near(total(&bins, 0), 1, 1e-12);
    for (int64_t k = 0; k < N; k++)
        real_values[k] = NAN;
    assert_false(make(&bins, whole, N));
    assert_false(make(&bins, whole, 0));
}

static void steps_are_round_and_large_enough(void **state)
{
    (void)state;
    static const struct {
        double raw, unit, width;
    } cases[] = {{1, 0, 1},        {1.01, 0, 2},        {2.2, 0, 2.5},    {2.2, 1, 5},
                 {0.013, 0, 0.02}, {0.013, 0.01, 0.02}, {0.3, 1, 1},      {26, 1, 50},
                 {21, 1, 25},      {1e-300, 0, 1e-300}, {7e200, 0, 1e201}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_near(rfi_step_times(rfi_step_nice(cases[i].raw, cases[i].unit), 1) / cases[i].width, 1, 1e-12);
}

static void numbers_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        double share;
        const char *text;
    } cases[] = {{0, "0&nbsp;%"},
                 {1, "100&nbsp;%"},
                 {0.1234, "12.3&nbsp;%"},
                 {0.0002, "&lt; 0.1&nbsp;%"},
                 {0.9997, "&gt; 99.9&nbsp;%"},
                 {NAN, "—"}};
    rf_buf out;
    rf_buf_init(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rf_buf_clear(&out);
        rfi_html_share(&out, cases[i].share);
        assert_string_equal(out.data, cases[i].text);
    }
    rf_buf_clear(&out);
    rfi_html_count(&out, -1234567);
    rf_buf_puts(&out, " ");
    rfi_html_count(&out, 999);
    assert_string_equal(out.data, "-1,234,567 999");
    rf_buf_free(&out);
}

static void texts_are_escaped_and_mended(void **state)
{
    (void)state;
    static const struct {
        const char *text, *html;
    } cases[] = {{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
                 {"é 漢 😀", "é 漢 😀"},
                 {"\xFFx\xC3", "\xEF\xBF\xBDx\xEF\xBF\xBD"},
                 {"\x01\x7F", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"\xC0\xBC", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                 {"", ""}};
    rf_buf out;
    rf_buf_init(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rf_buf_clear(&out);
        rf_buf_puts(&out, ".");
        rfi_html_puts(&out, cases[i].text);
        assert_string_equal(out.data + 1, cases[i].html);
    }
    rf_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_counted_once),
        cmocka_unit_test(whole_numbers_have_bins_of_whole_width),
        cmocka_unit_test(axis_ends_at_round_numbers_not_at_cells),
        cmocka_unit_test(long_tail_gets_a_logarithmic_axis),
        cmocka_unit_test(value_that_most_rows_have_stands_apart),
        cmocka_unit_test(zeros_at_the_low_end_stand_apart_from_a_tenth_on),
        cmocka_unit_test(dates_begin_with_months_and_are_ticked_by_years),
        cmocka_unit_test(tail_beyond_the_middle_is_one_bin_on_either_side),
        cmocka_unit_test(column_of_one_value_stands_in_the_middle),
        cmocka_unit_test(missing_values_are_left_out),
        cmocka_unit_test(steps_are_round_and_large_enough),
        cmocka_unit_test(numbers_read_as_people_write_them),
        cmocka_unit_test(texts_are_escaped_and_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
