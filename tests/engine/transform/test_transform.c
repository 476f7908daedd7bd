/* A table becomes coded rows and comes back: its layout, and its numbers and dates. */
#include <math.h>

#include "core/notes.h"
#include "core/text.h"
#include "engine/table/datetime.h"
#include "engine/transform/transform_internal.h"
#include "transform_trip.h"

/* ------------------------------------------------------------------ layout */

static void spans_stand_in_the_order_of_the_columns(void **state)
{
    (void)state;
    rf_table *table = rig_people(2000);
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
    const rf_layout *layout = rf_transform_layout(transform);
    /* age, income and born: scalar and code; city, smoker and bonus: code */
    const int32_t kinds[] = {RF_SPAN_SCALAR, RF_SPAN_CODE, RF_SPAN_SCALAR, RF_SPAN_CODE, RF_SPAN_SCALAR,
                             RF_SPAN_CODE,   RF_SPAN_CODE, RF_SPAN_CODE,   RF_SPAN_CODE};
    assert_int_equal(layout->n_spans, 9);
    assert_int_equal(layout->n_scalars, 3);
    assert_int_equal(layout->n_codes, 6);
    int32_t offset = 0, condition = 0, cond_offset = 0, sources[2] = {0, 0};
    for (int32_t i = 0; i < 9; i++) {
        const rf_span *span = trip_span(transform, i);
        assert_int_equal(span->kind, kinds[i]);
        assert_int_equal(span->offset, offset);
        assert_int_equal(span->source, sources[span->kind == RF_SPAN_CODE]++);
        offset += span->width;
        if (i < 6) {
            assert_int_equal(span->condition, -1);
        } else {
            assert_int_equal(span->condition, condition++);
            assert_int_equal(span->cond_offset, cond_offset);
            cond_offset += span->width;
        }
    }
    assert_int_equal(layout->width, offset);
    assert_int_equal(layout->n_conditions, 3);
    assert_int_equal(layout->condition_width,
                     5 + 2 + 2); /* four cities or none; two states; a bonus or none */
    assert_int_equal(cond_offset, layout->condition_width);
    int64_t sum = 0;
    for (int32_t e = 0; e < 5; e++)
        sum += rf_transform_condition_counts(transform)[e];
    assert_int_equal(sum, 2000);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void constant_and_empty_columns_are_noted(void **state)
{
    (void)state;
    rf_table *table = rig_people(100);
    rf_notes notes;
    rf_notes_init(&notes);
    rf_transform *transform = trip_fit(table, &trip_options, &notes);
    assert_int_equal(notes.n, 2);
    assert_non_null(strstr(notes.texts[0], "\"fixed\" holds one value only"));
    assert_non_null(strstr(notes.texts[1], "\"void\" is empty"));
    rf_notes_free(&notes);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void a_table_with_nothing_to_model_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    const rf_field fields[] = {rig_field("a", RF_KIND_INTEGER), rig_field("b", RF_KIND_CATEGORICAL)};
    rf_table *table = rig_table(fields, 2, 3);
    for (int64_t row = 0; row < 3; row++)
        rig_number(table, 0, row, 4.0);
    assert_fails(rf_transform_fit(&transform, table, &trip_options, NULL, NULL, &err), RF_INPUT,
                 "can be modelled");
    assert_null(transform);
    rf_table_free(table);
}

static void a_single_column_with_nothing_to_model_hints_at_the_delimiter(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    const rf_field field = rig_field("Chins Situps Jumps", RF_KIND_ID);
    rf_table *table = rig_table(&field, 1, 3);
    assert_fails(rf_transform_fit(&transform, table, &trip_options, NULL, NULL, &err), RF_INPUT,
                 "\"Chins Situps Jumps\", is an id, ignored, constant or empty");
    assert_non_null(strstr(err.message, "what divides them"));
    rf_table_free(table);
}

static void an_infinite_number_is_refused_with_its_row(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    rf_table *table = rig_people(50);
    table->columns[RIG_INCOME].values[40] = -INFINITY;
    assert_fails(rf_transform_fit(&transform, table, &trip_options, NULL, NULL, &err), RF_INPUT,
                 "\"income\" holds an infinite number in row 41");
    table->columns[RIG_INCOME].values[40] = 1e300;
    assert_fails(rf_transform_fit(&transform, table, &trip_options, NULL, NULL, &err), RF_INPUT,
                 "beyond 1e140 in row 41");
    rf_table_free(table);
}

/* ------------------------------------------------------------------ there and back */

/* Share of rows whose number came back as it was; the rest was clipped at four standard deviations. */
static double returned(const trip *t, int32_t field)
{
    int64_t same = 0;
    for (int64_t row = 0; row < t->table->n_rows; row++) {
        const double x = t->table->columns[field].values[row],
                     y = t->back->columns[trip_result(field)].values[row];
        same += x == y || (isnan(x) && isnan(y));
    }
    return (double)same / (double)t->table->n_rows;
}

static void a_result_that_reaches_holds_both_ends_among_its_first_rows(void **state)
{
    (void)state;
    enum { FIRST = 40 };
    trip t = trip_make(rig_people(600), &trip_options);
    rf_transform_reach(t.transform, t.back, FIRST);
    for (int32_t field = RIG_AGE; field <= RIG_BORN; field++) {
        const double *real = t.table->columns[field].values,
                     *made = t.back->columns[trip_result(field)].values;
        double low = INFINITY, high = -INFINITY, made_low = INFINITY, made_high = -INFINITY;
        for (int64_t row = 0; row < t.table->n_rows; row++) {
            low = fmin(low, real[row]);
            high = fmax(high, real[row]);
        }
        for (int64_t row = 0; row < FIRST; row++) {
            made_low = fmin(made_low, made[row]);
            made_high = fmax(made_high, made[row]);
        }
        assert_near(made_low, low, 0.0);
        assert_near(made_high, high, 0.0);
    }
    rf_transform_reach(t.transform, t.back, 0);
    trip_end(&t);
}

static void a_table_comes_back_from_its_codes(void **state)
{
    (void)state;
    trip t = trip_make(rig_people(3000), &trip_options);
    assert_int_equal(t.back->schema.n_fields, RIG_FIELDS - 1);
    assert_true(returned(&t, RIG_AGE) > 0.97);
    assert_true(returned(&t, RIG_INCOME) > 0.9);
    assert_true(returned(&t, RIG_BORN) > 0.97);
    assert_true(returned(&t, RIG_BONUS) == 1.0);
    for (int64_t row = 0; row < 3000; row++) {
        const int32_t texts[] = {RIG_CITY, RIG_SMOKER, RIG_FIXED, RIG_VOID};
        for (int i = 0; i < 4; i++)
            assert_string_equal(rig_text(t.table, texts[i], row),
                                rig_text(t.back, trip_result(texts[i]), row));
        assert_true(isnan(t.table->columns[RIG_INCOME].values[row]) ==
                    isnan(t.back->columns[RIG_INCOME].values[row]));
    }
    for (int32_t i = 0; i < RIG_FIELDS; i++)
        if (i != RIG_SKIP)
            assert_int_equal(t.back->columns[trip_result(i)].n_missing, t.table->columns[i].n_missing);
    trip_end(&t);
}

static void scalars_and_codes_stay_in_their_spans(void **state)
{
    (void)state;
    trip t = trip_make(rig_people(1000), &trip_options);
    const rf_layout *layout = rf_transform_layout(t.transform);
    for (int64_t i = 0; i < 1000 * layout->n_scalars; i++)
        assert_true(fabsf(t.coded.scalars[i]) <= 0.99f);
    for (int32_t s = 0; s < layout->n_spans; s++) {
        const rf_span *span = &layout->spans[s];
        for (int64_t row = 0; span->kind == RF_SPAN_CODE && row < 1000; row++)
            assert_true(t.coded.codes[row * layout->n_codes + span->source] < span->width);
    }
    /* missing: the last category, scalar 0 */
    for (int64_t row = 0; row < 1000; row++)
        if (isnan(t.table->columns[RIG_INCOME].values[row])) {
            assert_int_equal(t.coded.codes[row * layout->n_codes + 1], trip_span(t.transform, 3)->width - 1);
            assert_true(t.coded.scalars[row * layout->n_scalars + 1] == 0.0f);
        }
    trip_end(&t);
}

static void results_keep_their_digits_and_stay_in_range(void **state)
{
    (void)state;
    trip t = trip_make(rig_people(1000), &trip_options);
    rf_error err = {0};
    rf_table *wild = NULL;
    const rf_layout *layout = rf_transform_layout(t.transform);
    for (int64_t i = 0; i < 1000 * layout->n_scalars; i++)
        t.coded.scalars[i] = (float)(4.0 * rig_uniform(7, i) - 2.0); /* beyond [-1, 1] too */
    t.coded.scalars[5] = NAN;
    assert_ok(rf_transform_invert(t.transform, &t.coded, 0, 1, NULL, &wild, &err));
    const int32_t columns[] = {RIG_AGE, RIG_INCOME, RIG_BORN};
    const double units[] = {1.0, 0.01, 86400.0};
    for (int c = 0; c < 3; c++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t row = 0; row < 1000; row++) {
            low = fmin(low, t.table->columns[columns[c]].values[row]);
            high = fmax(high, t.table->columns[columns[c]].values[row]);
        }
        for (int64_t row = 0; row < 1000; row++) {
            const double x = wild->columns[columns[c]].values[row];
            if (isnan(x))
                continue;
            assert_true(x >= low && x <= high);
            assert_true(c == 1 ? x == rint(x * 100.0) / 100.0 : fmod(x, units[c]) == 0.0);
        }
    }
    rf_table_free(wild);
    trip_end(&t);
}

static void scalars_are_cut_at_both_ends(void **state)
{
    (void)state;
    rf_error err = {0};
    const rf_field fields[] = {rig_field("x", RF_KIND_CONTINUOUS)};
    rf_table *table = rig_table(fields, 1, 400), *far = rig_table(fields, 1, 2), *ends = NULL;
    for (int64_t row = 0; row < 400; row++)
        rig_number(table, 0, row, rint(1e4 * rig_uniform(40, row)) / 100.0);
    rig_number(far, 0, 0, -1e6);
    rig_number(far, 0, 1, 1e6);
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
    rf_coded coded;
    assert_ok(rf_transform_apply(transform, far, 1, NULL, &coded, &err));
    assert_true(coded.scalars[0] == -0.99f);
    assert_true(coded.scalars[1] == 0.99f);
    rf_coded_free(&coded);

    /* and on the way back at 1: what lies beyond means the same. The codes are a middle component's. */
    float scalars[] = {-1.0f, -7.0f, 1.0f, 7.0f};
    uint16_t codes[4] = {0};
    const rf_coded wild = {.n_rows = 4, .scalars = scalars, .codes = codes};
    for (int32_t code = 0; code < trip_span(transform, 1)->width; code++) {
        for (int i = 0; i < 4; i++)
            codes[i] = (uint16_t)code;
        assert_ok(rf_transform_invert(transform, &wild, 0, 1, NULL, &ends, &err));
        const double *x = ends->columns[0].values;
        assert_true(x[0] == x[1] && x[2] == x[3] && x[0] < x[2]);
        rf_table_free(ends);
    }
    rf_transform_free(transform);
    rf_table_free(table);
    rf_table_free(far);
}

static void components_are_drawn_by_their_probability(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    rf_error err = {0};
    const rf_field fields[] = {rig_field("x", RF_KIND_CONTINUOUS)};
    rf_table *table = rig_table(fields, 1, 3000), *same = rig_table(fields, 1, ROWS);
    for (int64_t row = 0; row < 3000; row++)
        rig_number(table, 0, row, rint(1e4 * (rig_uniform(41, row) + rig_uniform(42, row))) / 100.0);
    for (int64_t row = 0; row < ROWS; row++)
        rig_number(same, 0, row, 101.37);
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
    rf_coded coded;
    assert_ok(rf_transform_apply(transform, same, 1, NULL, &coded, &err));
    double wanted[RF_MIXTURE_MAX], got[RF_MIXTURE_MAX] = {0}, alike_wanted = 0.0;
    const rf_mixture *mixture = &transform->columns[0].number.mixture;
    rf_mixture_posterior(mixture, 101.37, wanted);
    for (int64_t row = 0; row < ROWS; row++)
        got[coded.codes[row]] += 1.0 / ROWS;
    for (int32_t j = 0; j < mixture->n_kept; j++) {
        assert_near(got[j], wanted[j], 0.02);
        alike_wanted += wanted[j] * wanted[j];
    }
    assert_true(alike_wanted < 0.9);
    /* neighbours at any small distance are alike as often as chance has it */
    for (int64_t distance = 1; distance <= 70; distance++) {
        int64_t alike = 0;
        for (int64_t row = 0; row + distance < ROWS; row++)
            alike += coded.codes[row] == coded.codes[row + distance];
        assert_near((double)alike / (double)(ROWS - distance), alike_wanted, 0.03);
    }
    rf_coded_free(&coded);
    rf_transform_free(transform);
    rf_table_free(table);
    rf_table_free(same);
}

/* Two heaps of numbers whose squares are none to a double. */
static void smallest_numbers_keep_their_shape_and_digits(void **state)
{
    (void)state;
    rf_field fields[] = {rig_field("tiny", RF_KIND_CONTINUOUS), rig_field("x", RF_KIND_CONTINUOUS)};
    fields[0].decimals = -1 - 3;
    rf_table *table = rig_table(fields, 2, 1000);
    for (int64_t row = 0; row < 1000; row++) {
        const double heap = row % 2 ? 1e-300 : 9e-300;
        rig_number(table, 0, row, heap + 1e-302 * (double)(row % 50));
        rig_number(table, 1, row, (double)row);
    }
    trip t = trip_make(table, &trip_options);
    assert_true(t.transform->columns[0].number.mixture.n_kept >= 2);
    for (int64_t row = 0; row < 1000; row++) {
        const double before = table->columns[0].values[row], after = t.back->columns[0].values[row];
        char text[40];
        assert_near(after / 1e-300, before / 1e-300, 0.02);
        assert_true(rf_format_f64(text, after) <= strlen("1.23e-300"));
    }
    trip_end(&t);
}

static void halves_round_to_even(void **state)
{
    (void)state;
    rf_error err = {0};
    const rf_field fields[] = {rig_field("n", RF_KIND_INTEGER)};
    rf_table *table = rig_table(fields, 1, 100);
    for (int64_t row = 0; row < 100; row++)
        rig_number(table, 0, row, (double)(row % 7));
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
    rf_condition c;
    /* 2.5 rounds to 2, 3.5 to 4: neither is 2.5 or 3.5, which no row can hold */
    assert_fails(rf_transform_condition(transform, "n=2.5", &c, &err), RF_INPUT, "more digits");
    assert_ok(rf_transform_condition(transform, "n=3.0", &c, &err));
    assert_true(c.value == 3.0);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void missing_cells_keep_company_with_other_columns(void **state)
{
    (void)state;
    /* in the rig the bonus is missing exactly where u >= 0.4; income is missing where u < 0.2 */
    trip t = trip_make(rig_people(2000), &trip_options);
    for (int64_t row = 0; row < 2000; row++)
        if (isnan(t.back->columns[RIG_INCOME].values[row]))
            assert_true(t.back->columns[trip_result(RIG_BONUS)].values[row] == 250.0);
    trip_end(&t);
}

static void compat_puts_missing_numbers_back_at_random(void **state)
{
    (void)state;
    rf_transform_options compat = trip_options;
    compat.compat = true;
    trip t = trip_make(rig_people(4000), &compat);
    int64_t missing = 0, moved = 0;
    for (int64_t row = 0; row < 4000; row++) {
        const bool now = isnan(t.back->columns[RIG_INCOME].values[row]);
        missing += now;
        moved += now != isnan(t.table->columns[RIG_INCOME].values[row]);
    }
    assert_near((double)missing / 4000.0, (double)t.table->columns[RIG_INCOME].n_missing / 4000.0, 0.03);
    assert_true(moved > 800);
    trip_end(&t);
}

static void datetimes_keep_the_unit_of_their_format(void **state)
{
    (void)state;
    rf_field fields[] = {rig_field("day", RF_KIND_DATETIME), rig_field("minute", RF_KIND_DATETIME),
                         rig_field("micro", RF_KIND_DATETIME), rig_field("zone", RF_KIND_DATETIME)};
    fields[1].datetime_format = "%Y-%m-%d %H:%M";
    fields[2].datetime_format = "%Y-%m-%dT%H:%M:%S.%f";
    fields[3].datetime_format = "%Y-%m-%d";
    fields[3].utc_offset_s = 5400;
    const double units[] = {86400.0, 60.0, 1e-6, 86400.0}, offsets[] = {0, 0, 0, 5400.0};
    rf_table *table = rig_table(fields, 4, 500);
    for (int64_t row = 0; row < 500; row++) {
        const double seconds = 1.6e9 + 1e7 * rig_uniform(20, row);
        for (int32_t c = 0; c < 4; c++)
            rig_number(table, c, row, rint((seconds + offsets[c]) / units[c]) * units[c] - offsets[c]);
    }
    trip t = trip_make(table, &trip_options);
    for (int32_t c = 0; c < 4; c++)
        for (int64_t row = 0; row < 500; row++) {
            const double x = t.back->columns[c].values[row];
            if (c == 2)
                assert_true(x == rint(x * 1e6) / 1e6);
            else
                assert_true(fmod(x + offsets[c], units[c]) == 0.0);
        }
    trip_end(&t);
}

static void months_without_a_day_come_back_as_months(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_field fields[] = {rig_field("month", RF_KIND_DATETIME)};
    fields[0].datetime_format = "%Y-%m";
    rf_table *table = rig_table(fields, 1, 600);
    for (int64_t row = 0; row < 600; row++) {
        char text[16];
        double value;
        int32_t offset;
        snprintf(text, sizeof text, "%04d-%02d", 1990 + (int)(row % 31), 1 + (int)(row % 12));
        assert_true(rf_datetime_parse(text, 7, "%Y-%m", &value, &offset));
        rig_number(table, 0, row, value);
    }
    trip t = trip_make(table, &trip_options);
    for (int64_t i = 0; i < 600; i++) /* as a model would fill them */
        t.coded.scalars[i] += (float)(0.1 * rig_uniform(31, i) - 0.05);
    rf_table *moved = NULL;
    assert_ok(rf_transform_invert(t.transform, &t.coded, 0, 9, NULL, &moved, &err));
    rf_condition c;
    int64_t met = 0, firsts = 0;
    assert_ok(rf_transform_condition(t.transform, "month=2000-11", &c, &err));
    for (int64_t row = 0; row < 600; row++) {
        char text[16];
        double value;
        int32_t offset;
        const size_t length =
            rf_datetime_format(text, sizeof text, moved->columns[0].values[row], "%Y-%m", 0);
        assert_true(rf_datetime_parse(text, length, "%Y-%m", &value, &offset));
        firsts += value == moved->columns[0].values[row];
        met += rf_condition_holds(t.transform, &c, t.back, row);
    }
    assert_int_equal(firsts, 600);
    assert_true(met > 0);
    rf_table_free(moved);
    trip_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_stand_in_the_order_of_the_columns),
        cmocka_unit_test(constant_and_empty_columns_are_noted),
        cmocka_unit_test(a_table_with_nothing_to_model_is_refused),
        cmocka_unit_test(a_single_column_with_nothing_to_model_hints_at_the_delimiter),
        cmocka_unit_test(an_infinite_number_is_refused_with_its_row),
        cmocka_unit_test(a_result_that_reaches_holds_both_ends_among_its_first_rows),
        cmocka_unit_test(a_table_comes_back_from_its_codes),
        cmocka_unit_test(scalars_and_codes_stay_in_their_spans),
        cmocka_unit_test(results_keep_their_digits_and_stay_in_range),
        cmocka_unit_test(scalars_are_cut_at_both_ends),
        cmocka_unit_test(components_are_drawn_by_their_probability),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(smallest_numbers_keep_their_shape_and_digits),
        cmocka_unit_test(missing_cells_keep_company_with_other_columns),
        cmocka_unit_test(compat_puts_missing_numbers_back_at_random),
        cmocka_unit_test(datetimes_keep_the_unit_of_their_format),
        cmocka_unit_test(months_without_a_day_come_back_as_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
