#include "rf_test.h"

#include <math.h>

#include "core/alloc.h"
#include "core/notes.h"
#include "core/pool.h"
#include "engine/table/datetime.h"
#include "engine/transform/transform.h"
#include "engine/transform/transform_internal.h"
#include "transform_rig.h"

static const rf_transform_options options = {.seed = 5};

static rf_transform *fit(const rf_table *table, const rf_transform_options *with, rf_notes *notes)
{
    rf_error err = {0};
    rf_transform *transform = NULL;
    assert_ok(rf_transform_fit(&transform, table, with, NULL, notes, &err));
    return transform;
}

/* Column of a result that has no ignored columns. */
static int32_t result(int32_t field)
{
    return field > RIG_SKIP ? field - 1 : field;
}

static const rf_span *span_of(const rf_transform *transform, int32_t n)
{
    return &rf_transform_layout(transform)->spans[n];
}

/* ------------------------------------------------------------------ layout */

static void spans_stand_in_the_order_of_the_columns(void **state)
{
    (void)state;
    rf_table *table = rig_people(2000);
    rf_transform *transform = fit(table, &options, NULL);
    const rf_layout *layout = rf_transform_layout(transform);
    /* age, income and born: scalar and code; city, smoker and bonus: code */
    const int32_t kinds[] = {RF_SPAN_SCALAR, RF_SPAN_CODE, RF_SPAN_SCALAR, RF_SPAN_CODE, RF_SPAN_SCALAR,
                             RF_SPAN_CODE,   RF_SPAN_CODE, RF_SPAN_CODE,   RF_SPAN_CODE};
    assert_int_equal(layout->n_spans, 9);
    assert_int_equal(layout->n_scalars, 3);
    assert_int_equal(layout->n_codes, 6);
    int32_t offset = 0, condition = 0, cond_offset = 0, sources[2] = {0, 0};
    for (int32_t i = 0; i < 9; i++) {
        const rf_span *span = span_of(transform, i);
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
    rf_transform *transform = fit(table, &options, &notes);
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
    assert_fails(rf_transform_fit(&transform, table, &options, NULL, NULL, &err), RF_INPUT,
                 "can be modelled");
    assert_null(transform);
    rf_table_free(table);
}

static void an_infinite_number_is_refused_with_its_row(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    rf_table *table = rig_people(50);
    table->columns[RIG_INCOME].values[40] = -INFINITY;
    assert_fails(rf_transform_fit(&transform, table, &options, NULL, NULL, &err), RF_INPUT,
                 "\"income\" holds an infinite number in row 41");
    table->columns[RIG_INCOME].values[40] = 1e300;
    assert_fails(rf_transform_fit(&transform, table, &options, NULL, NULL, &err), RF_INPUT,
                 "beyond 1e140 in row 41");
    rf_table_free(table);
}

/* ------------------------------------------------------------------ there and back */

typedef struct trip {
    rf_table *table, *back;
    rf_transform *transform;
    rf_coded coded;
} trip;

static trip make_trip(rf_table *table, const rf_transform_options *with)
{
    rf_error err = {0};
    trip t = {.table = table, .transform = fit(table, with, NULL)};
    assert_ok(rf_transform_apply(t.transform, table, 9, NULL, &t.coded, &err));
    assert_ok(rf_transform_invert(t.transform, &t.coded, 0, 9, NULL, &t.back, &err));
    return t;
}

static void end_trip(trip *t)
{
    rf_table_free(t->table);
    rf_table_free(t->back);
    rf_transform_free(t->transform);
    rf_coded_free(&t->coded);
}

/* Share of rows whose number came back as it was; the rest was clipped at four standard deviations. */
static double returned(const trip *t, int32_t field)
{
    int64_t same = 0;
    for (int64_t row = 0; row < t->table->n_rows; row++) {
        const double x = t->table->columns[field].values[row],
                     y = t->back->columns[result(field)].values[row];
        same += x == y || (isnan(x) && isnan(y));
    }
    return (double)same / (double)t->table->n_rows;
}

static void a_result_that_reaches_holds_both_ends_among_its_first_rows(void **state)
{
    (void)state;
    enum { FIRST = 40 };
    trip t = make_trip(rig_people(600), &options);
    rf_transform_reach(t.transform, t.back, FIRST);
    for (int32_t field = RIG_AGE; field <= RIG_BORN; field++) {
        const double *real = t.table->columns[field].values, *made = t.back->columns[result(field)].values;
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
    end_trip(&t);
}

static void a_table_comes_back_from_its_codes(void **state)
{
    (void)state;
    trip t = make_trip(rig_people(3000), &options);
    assert_int_equal(t.back->schema.n_fields, RIG_FIELDS - 1);
    assert_true(returned(&t, RIG_AGE) > 0.97);
    assert_true(returned(&t, RIG_INCOME) > 0.9);
    assert_true(returned(&t, RIG_BORN) > 0.97);
    assert_true(returned(&t, RIG_BONUS) == 1.0);
    for (int64_t row = 0; row < 3000; row++) {
        const int32_t texts[] = {RIG_CITY, RIG_SMOKER, RIG_FIXED, RIG_VOID};
        for (int i = 0; i < 4; i++)
            assert_string_equal(rig_text(t.table, texts[i], row), rig_text(t.back, result(texts[i]), row));
        assert_true(isnan(t.table->columns[RIG_INCOME].values[row]) ==
                    isnan(t.back->columns[RIG_INCOME].values[row]));
    }
    for (int32_t i = 0; i < RIG_FIELDS; i++)
        if (i != RIG_SKIP)
            assert_int_equal(t.back->columns[result(i)].n_missing, t.table->columns[i].n_missing);
    end_trip(&t);
}

static void scalars_and_codes_stay_in_their_spans(void **state)
{
    (void)state;
    trip t = make_trip(rig_people(1000), &options);
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
            assert_int_equal(t.coded.codes[row * layout->n_codes + 1], span_of(t.transform, 3)->width - 1);
            assert_true(t.coded.scalars[row * layout->n_scalars + 1] == 0.0f);
        }
    end_trip(&t);
}

static void results_keep_their_digits_and_stay_in_range(void **state)
{
    (void)state;
    trip t = make_trip(rig_people(1000), &options);
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
    end_trip(&t);
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
    rf_transform *transform = fit(table, &options, NULL);
    rf_coded coded;
    assert_ok(rf_transform_apply(transform, far, 1, NULL, &coded, &err));
    assert_true(coded.scalars[0] == -0.99f);
    assert_true(coded.scalars[1] == 0.99f);
    rf_coded_free(&coded);

    /* and on the way back at 1: what lies beyond means the same. The codes are a middle component's. */
    float scalars[] = {-1.0f, -7.0f, 1.0f, 7.0f};
    uint16_t codes[4] = {0};
    const rf_coded wild = {.n_rows = 4, .scalars = scalars, .codes = codes};
    for (int32_t code = 0; code < span_of(transform, 1)->width; code++) {
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
    rf_transform *transform = fit(table, &options, NULL);
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

static void halves_round_to_even(void **state)
{
    (void)state;
    rf_error err = {0};
    const rf_field fields[] = {rig_field("n", RF_KIND_INTEGER)};
    rf_table *table = rig_table(fields, 1, 100);
    for (int64_t row = 0; row < 100; row++)
        rig_number(table, 0, row, (double)(row % 7));
    rf_transform *transform = fit(table, &options, NULL);
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
    trip t = make_trip(rig_people(2000), &options);
    for (int64_t row = 0; row < 2000; row++)
        if (isnan(t.back->columns[RIG_INCOME].values[row]))
            assert_true(t.back->columns[result(RIG_BONUS)].values[row] == 250.0);
    end_trip(&t);
}

static void compat_puts_missing_numbers_back_at_random(void **state)
{
    (void)state;
    rf_transform_options compat = options;
    compat.compat = true;
    trip t = make_trip(rig_people(4000), &compat);
    int64_t missing = 0, moved = 0;
    for (int64_t row = 0; row < 4000; row++) {
        const bool now = isnan(t.back->columns[RIG_INCOME].values[row]);
        missing += now;
        moved += now != isnan(t.table->columns[RIG_INCOME].values[row]);
    }
    assert_near((double)missing / 4000.0, (double)t.table->columns[RIG_INCOME].n_missing / 4000.0, 0.03);
    assert_true(moved > 800);
    end_trip(&t);
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
    trip t = make_trip(table, &options);
    for (int32_t c = 0; c < 4; c++)
        for (int64_t row = 0; row < 500; row++) {
            const double x = t.back->columns[c].values[row];
            if (c == 2)
                assert_true(x == rint(x * 1e6) / 1e6);
            else
                assert_true(fmod(x + offsets[c], units[c]) == 0.0);
        }
    end_trip(&t);
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
    trip t = make_trip(table, &options);
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
    end_trip(&t);
}

/* ------------------------------------------------------------------ many categories */

static bool many_texts(void *arg, int64_t row, char out[64])
{
    (void)arg;
    /* ten common texts, and hundreds of rare ones */
    const double u = rig_uniform(30, row);
    if (u < 0.7)
        snprintf(out, 64, "common %d", (int)(u * 100.0) % 10);
    else
        snprintf(out, 64, "rare %d", (int)((u - 0.7) * 2000.0));
    return u < 0.99;
}

static void rare_categories_share_a_code_and_come_back_as_real_texts(void **state)
{
    (void)state;
    rf_field fields[] = {rig_field("t", RF_KIND_CATEGORICAL)};
    rf_table *table = rig_table(fields, 1, 5000);
    rig_texts(table, 0, many_texts, NULL);
    rf_transform_options few = options;
    few.max_categories = 10;
    rf_notes notes;
    rf_notes_init(&notes);
    rf_error err = {0};
    rf_transform *transform = NULL;
    assert_ok(rf_transform_fit(&transform, table, &few, NULL, &notes, &err));
    assert_int_equal(notes.n, 1);
    assert_int_equal(rf_transform_layout(transform)->width, 12); /* ten, rare, missing */
    rf_coded coded;
    rf_table *back = NULL;
    assert_ok(rf_transform_apply(transform, table, 1, NULL, &coded, &err));
    assert_ok(rf_transform_invert(transform, &coded, 0, 1, NULL, &back, &err));
    int64_t kept = 0, rare = 0, different = 0;
    for (int64_t row = 0; row < 5000; row++) {
        const char *before = rig_text(table, 0, row), *after = rig_text(back, 0, row);
        if (before[0] == 'r') {
            assert_true(after[0] == 'r');
            rare++;
            bool known = false;
            size_t length;
            for (int32_t code = 0; code < table->columns[0].dict.n && !known; code++) {
                const char *text = rf_dict_text(&table->columns[0].dict, code, &length);
                known = strlen(after) == length && memcmp(text, after, length) == 0;
            }
            assert_true(known);
            different += strcmp(before, after) != 0;
        } else {
            assert_string_equal(before, after);
            kept++;
        }
    }
    assert_true(rare > 1000 && kept > 3000 && different > rare / 2);

    rf_condition c;
    const char *some = rig_text(back, 0, 0);
    (void)some;
    assert_ok(rf_transform_condition(transform, "t=common 3", &c, &err));
    assert_true(c.code >= 0 && c.code < 10 && c.rare_text == -1);
    assert_ok(rf_transform_condition(transform, "t=rare 7", &c, &err));
    assert_int_equal(c.code, 10);
    assert_true(c.rare_text >= 0);
    int64_t met = 0;
    for (int64_t row = 0; row < 5000; row++) {
        const bool holds = rf_condition_holds(transform, &c, back, row);
        assert_int_equal(holds, strcmp(rig_text(back, 0, row), "rare 7") == 0);
        met += holds;
    }
    assert_true(met > 0);
    rf_table_free(back);
    rf_coded_free(&coded);
    rf_notes_free(&notes);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void max_categories_out_of_range_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    rf_table *table = rig_people(20);
    rf_transform_options bad = {.max_categories = 60001};
    assert_fails(rf_transform_fit(&transform, table, &bad, NULL, NULL, &err), RF_USAGE, "1 to 60000");
    rf_table_free(table);
}

/* ------------------------------------------------------------------ ids with missing cells */

static bool name_or_none(void *arg, int64_t row, char out[64])
{
    (void)arg;
    snprintf(out, 64, "N%07d", (int)row * 13);
    return row % 4 != 0;
}

static void missing_ids_stay_missing_unless_they_are_the_key(void **state)
{
    (void)state;
    for (int key = 0; key < 2; key++) {
        rf_field fields[] = {rig_field("id", RF_KIND_ID), rig_field("n", RF_KIND_INTEGER)};
        fields[0].primary_key = key;
        rf_table *table = rig_table(fields, 2, 2000);
        rig_texts(table, 0, name_or_none, NULL);
        for (int64_t row = 0; row < 2000; row++)
            rig_number(table, 1, row, (double)(row % 50));
        trip t = make_trip(table, &options);
        int64_t missing = 0;
        for (int64_t row = 0; row < 2000; row++)
            missing += t.back->columns[0].codes[row] < 0;
        assert_int_equal(missing, t.back->columns[0].n_missing);
        if (key)
            assert_int_equal(missing, 0);
        else
            assert_near((double)missing / 2000.0, 0.25, 0.04);
        end_trip(&t);
    }
}

/* ------------------------------------------------------------------ the same bytes */

static void check_threads_and_pieces(const rf_transform_options *with)
{
    rf_error err = {0};
    rf_table *table = rig_people(9001);
    rf_transform *first = fit(table, with, NULL);
    rf_coded coded;
    rf_table *whole = NULL;
    rf_buf bytes, other_bytes;
    rf_buf_init(&bytes);
    rf_buf_init(&other_bytes);
    rf_transform_store(first, &bytes);
    assert_ok(rf_transform_apply(first, table, 3, NULL, &coded, &err));
    assert_ok(rf_transform_invert(first, &coded, 100, 4, NULL, &whole, &err));
    const rf_layout *layout = rf_transform_layout(first);
    for (int threads = 1; threads <= 4; threads++) {
        rf_pool *pool = NULL;
        rf_transform *transform = NULL;
        rf_coded other;
        assert_ok(rf_pool_create(&pool, threads, &err));
        assert_ok(rf_transform_fit(&transform, table, with, pool, NULL, &err));
        rf_buf_clear(&other_bytes);
        rf_transform_store(transform, &other_bytes);
        assert_int_equal(bytes.size_bytes, other_bytes.size_bytes);
        assert_memory_equal(bytes.data, other_bytes.data, bytes.size_bytes);
        assert_ok(rf_transform_apply(transform, table, 3, pool, &other, &err));
        assert_memory_equal(coded.scalars, other.scalars, 9001 * (size_t)layout->n_scalars * sizeof(float));
        assert_memory_equal(coded.codes, other.codes, 9001 * (size_t)layout->n_codes * sizeof(uint16_t));
        for (int64_t row = 0; row < 9001; row += 1000 * threads) {
            rf_table *piece = NULL;
            const rf_coded part = {.n_rows = row + 1000 * threads < 9001 ? 1000 * threads : 9001 - row,
                                   .scalars = coded.scalars + row * layout->n_scalars,
                                   .codes = coded.codes + row * layout->n_codes};
            assert_ok(rf_transform_invert(transform, &part, 100 + row, 4, pool, &piece, &err));
            assert_true(rig_tables_equal(piece, 0, whole, row, part.n_rows));
            rf_table_free(piece);
        }
        rf_coded_free(&other);
        rf_transform_free(transform);
        rf_pool_free(pool);
    }
    rf_buf_free(&bytes);
    rf_buf_free(&other_bytes);
    rf_coded_free(&coded);
    rf_table_free(whole);
    rf_transform_free(first);
    rf_table_free(table);
}

static void threads_and_pieces_do_not_change_a_byte(void **state)
{
    (void)state;
    check_threads_and_pieces(&options);
    /* rare texts and missing numbers are drawn by row as well */
    const rf_transform_options drawn = {.seed = 5, .compat = true, .max_categories = 2};
    check_threads_and_pieces(&drawn);
}

static void another_table_of_the_same_columns_can_be_coded(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_people(500), *other = rig_people(120);
    rf_transform *transform = fit(table, &options, NULL);
    rf_coded coded;
    assert_ok(rf_transform_apply(transform, other, 1, NULL, &coded, &err));
    assert_int_equal(coded.n_rows, 120);
    rf_coded_free(&coded);
    other->columns[RIG_AGE].values[7] = NAN;
    assert_fails(rf_transform_apply(transform, other, 1, NULL, &coded, &err), RF_INPUT,
                 "\"age\" is empty or infinite in row 8");
    other->schema.fields[RIG_AGE].kind = RF_KIND_CONTINUOUS;
    assert_fails(rf_transform_apply(transform, other, 1, NULL, &coded, &err), RF_INPUT,
                 "does not have the columns");
    rf_transform_free(transform);
    rf_table_free(table);
    rf_table_free(other);
}

/* ------------------------------------------------------------------ conditions */

static void conditions_find_their_column_and_value(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_people(1000);
    rf_transform *transform = fit(table, &options, NULL);
    rf_condition c;
    assert_ok(rf_transform_condition(transform, "city=Oslo", &c, &err));
    assert_int_equal(c.field, RIG_CITY);
    assert_int_equal(c.span, 6);
    const int64_t *counts = rf_transform_condition_counts(transform);
    int64_t in_oslo = 0;
    for (int64_t row = 0; row < 1000; row++)
        in_oslo += strcmp(rig_text(table, RIG_CITY, row), "Oslo") == 0;
    assert_int_equal(counts[span_of(transform, c.span)->cond_offset + c.code], in_oslo);
    assert_ok(rf_transform_condition(transform, "city=", &c, &err));
    assert_int_equal(c.code, 4);
    assert_ok(rf_transform_condition(transform, "smoker=True", &c, &err));
    assert_ok(rf_transform_condition(transform, "bonus=250.00", &c, &err));
    assert_int_equal(c.code, 0);
    assert_ok(rf_transform_condition(transform, "bonus=", &c, &err));
    assert_int_equal(c.code, 1);
    assert_ok(rf_transform_condition(transform, "age=40", &c, &err));
    assert_true(c.span == -1 && c.code == -1 && c.value == 40.0);
    assert_ok(rf_transform_condition(transform, "born=1970-01-02", &c, &err));
    assert_true(c.value == 86400.0);
    assert_ok(rf_transform_condition(transform, "income=", &c, &err));
    assert_true(isnan(c.value) && c.span == -1);
    assert_ok(rf_transform_condition(transform, "fixed=always", &c, &err));
    assert_int_equal(c.span, -1);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void conditions_that_cannot_be_met_are_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_people(1000);
    rf_transform *transform = fit(table, &options, NULL);
    rf_condition c;
    assert_fails(rf_transform_condition(transform, "citty=Oslo", &c, &err), RF_INPUT,
                 "did you mean \"city\"");
    assert_fails(rf_transform_condition(transform, "Oslo", &c, &err), RF_INPUT, "no '='");
    assert_fails(rf_transform_condition(transform, "city=Paris", &c, &err), RF_INPUT,
                 "never holds \"Paris\"");
    assert_fails(rf_transform_condition(transform, "smoker=", &c, &err), RF_INPUT, "never empty");
    assert_fails(rf_transform_condition(transform, "age=", &c, &err), RF_INPUT, "never empty");
    assert_fails(rf_transform_condition(transform, "age=200", &c, &err), RF_INPUT, "outside the range");
    assert_fails(rf_transform_condition(transform, "age=30.5", &c, &err), RF_INPUT, "more digits");
    assert_fails(rf_transform_condition(transform, "age=old", &c, &err), RF_INPUT, "not a number");
    assert_fails(rf_transform_condition(transform, "born=yesterday", &c, &err), RF_INPUT, "not a date");
    assert_fails(rf_transform_condition(transform, "bonus=3", &c, &err), RF_INPUT, "never holds");
    assert_fails(rf_transform_condition(transform, "fixed=no", &c, &err), RF_INPUT, "never holds");
    assert_fails(rf_transform_condition(transform, "name=P-00001", &c, &err), RF_INPUT, "not modelled");
    assert_fails(rf_transform_condition(transform, "skip=x", &c, &err), RF_INPUT, "not modelled");
    rf_transform_free(transform);
    rf_table_free(table);
}

static void conditions_hold_in_the_rows_that_meet_them(void **state)
{
    (void)state;
    rf_error err = {0};
    trip t = make_trip(rig_people(1000), &options);
    const char *const wishes[] = {
        "city=Lima", "city=", "age=45", "income=", "bonus=250", "bonus=", "fixed=always"};
    for (size_t w = 0; w < sizeof wishes / sizeof *wishes; w++) {
        rf_condition c;
        assert_ok(rf_transform_condition(t.transform, wishes[w], &c, &err));
        int64_t met = 0, wanted = 0;
        for (int64_t row = 0; row < 1000; row++) {
            met += rf_condition_holds(t.transform, &c, t.back, row);
            const char *value = strchr(wishes[w], '=') + 1;
            if (t.table->columns[c.field].values) {
                const double x = t.back->columns[result(c.field)].values[row];
                wanted += *value ? x == strtod(value, NULL) : isnan(x);
            } else {
                wanted += strcmp(rig_text(t.table, c.field, row), value) == 0;
            }
        }
        assert_int_equal(met, wanted);
        assert_true(met > 0);
    }
    end_trip(&t);
}

/* ------------------------------------------------------------------ stored */

static void a_stored_transform_comes_back_and_works_the_same(void **state)
{
    (void)state;
    rf_error err = {0};
    trip t = make_trip(rig_people(800), &options);
    rf_buf bytes, again;
    rf_buf_init(&bytes);
    rf_buf_init(&again);
    rf_transform_store(t.transform, &bytes);
    assert_ok(rf_buf_check(&bytes, "the transform", &err));
    rf_reader reader;
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    rf_transform *loaded = NULL;
    assert_ok(rf_transform_load(&loaded, &reader, &err));
    assert_int_equal(rf_reader_left(&reader), 0);
    rf_transform_store(loaded, &again);
    assert_int_equal(bytes.size_bytes, again.size_bytes);
    assert_memory_equal(bytes.data, again.data, bytes.size_bytes);
    rf_table *back = NULL;
    assert_ok(rf_transform_invert(loaded, &t.coded, 0, 9, NULL, &back, &err));
    assert_true(rig_tables_equal(back, 0, t.back, 0, 800));
    assert_int_equal(rf_transform_rows(loaded), 800);
    rf_table_free(back);
    rf_transform_free(loaded);
    rf_buf_free(&bytes);
    rf_buf_free(&again);
    end_trip(&t);
}

static void a_stored_transform_holds_no_row(void **state)
{
    (void)state;
    rf_table *table = rig_people(300);
    rf_transform *transform = fit(table, &options, NULL);
    rf_buf bytes;
    rf_buf_init(&bytes);
    rf_transform_store(transform, &bytes);
    /* neither an id nor an income of any row */
    for (int64_t row = 0; row < 300; row++) {
        const char *id = rig_text(table, RIG_NAME, row);
        assert_null(memmem(bytes.data, bytes.size_bytes, id, strlen(id)));
    }
    rf_buf_free(&bytes);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_people(60);
    rf_transform *transform = fit(table, &options, NULL), *loaded = NULL;
    rf_buf bytes;
    rf_buf_init(&bytes);
    rf_transform_store(transform, &bytes);
    for (size_t size = 0; size < bytes.size_bytes; size++) {
        rf_reader reader;
        char *copy = malloc(size + 1); /* so that a sanitizer sees a read past the end */
        memcpy(copy, bytes.data, size);
        rf_reader_init(&reader, copy, size);
        if (rf_transform_load(&loaded, &reader, &err) != RF_CORRUPT) {
            print_error("%zu of %zu bytes were accepted\n", size, bytes.size_bytes);
            fail();
        }
        free(copy);
    }
    rf_buf_free(&bytes);
    rf_transform_free(transform);
    rf_table_free(table);
}

static void altered_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    rf_table *table = rig_people(60);
    rf_transform *transform = fit(table, &options, NULL);
    rf_buf bytes;
    rf_buf_init(&bytes);
    rf_transform_store(transform, &bytes);
    int64_t refused = 0;
    for (size_t at = 0; at < bytes.size_bytes; at++) {
        const char values[] = {0, 1, 0x7f, (char)0xff, (char)(bytes.data[at] ^ 0x40)};
        for (size_t v = 0; v < sizeof values; v++) {
            rf_error err = {0};
            rf_reader reader;
            rf_transform *loaded = NULL;
            rf_coded coded = {0};
            rf_table *back = NULL;
            const char before = bytes.data[at];
            bytes.data[at] = values[v];
            rf_reader_init(&reader, bytes.data, bytes.size_bytes);
            if (rf_transform_load(&loaded, &reader, &err) == RF_OK) {
                assert_ok(rf_coded_create(&coded, rf_transform_layout(loaded), 3, &err));
                assert_ok(rf_transform_invert(loaded, &coded, 0, 1, NULL, &back, &err));
            } else {
                assert_int_equal(err.code, RF_CORRUPT);
                refused++;
            }
            bytes.data[at] = before;
            rf_coded_free(&coded);
            rf_table_free(back);
            rf_transform_free(loaded);
        }
    }
    assert_true(refused > 100);
    rf_buf_free(&bytes);
    rf_transform_free(transform);
    rf_table_free(table);
}

/* ------------------------------------------------------------------ memory */

static rf_code whole_life(const rf_table *table, const rf_buf *stored, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_transform *transform = NULL, *loaded = NULL;
    rf_coded coded = {0};
    rf_table *back = NULL;
    rf_reader reader;
    rf_transform_options few = options;
    few.max_categories = 2;
    RF_TRY(rf_transform_fit(&transform, table, &few, NULL, NULL, err));
    RF_TRY(rf_transform_apply(transform, table, 1, NULL, &coded, err));
    RF_TRY(rf_transform_invert(transform, &coded, 0, 1, NULL, &back, err));
    rf_reader_init(&reader, stored->data, stored->size_bytes);
    RF_TRY(rf_transform_load(&loaded, &reader, err));
out:
    rf_transform_free(transform);
    rf_transform_free(loaded);
    rf_coded_free(&coded);
    rf_table_free(back);
    return rc;
}

static void every_failing_allocation_is_an_error(void **state)
{
    (void)state;
    rf_table *table = rig_people(60);
    rf_transform *transform = fit(table, &options, NULL);
    rf_buf stored;
    rf_buf_init(&stored);
    rf_transform_store(transform, &stored);
    int64_t nth = 1;
    for (;; nth++) {
        rf_error err = {0};
        rf_alloc_fail_at(nth);
        const rf_code rc = whole_life(table, &stored, &err);
        rf_alloc_fail_at(0);
        if (rc == RF_OK)
            break;
        assert_int_equal(rc, RF_NO_MEMORY);
        assert_int_equal(err.code, RF_NO_MEMORY);
    }
    assert_true(nth > 40);
    rf_buf_free(&stored);
    rf_transform_free(transform);
    rf_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_stand_in_the_order_of_the_columns),
        cmocka_unit_test(constant_and_empty_columns_are_noted),
        cmocka_unit_test(a_table_with_nothing_to_model_is_refused),
        cmocka_unit_test(an_infinite_number_is_refused_with_its_row),
        cmocka_unit_test(a_result_that_reaches_holds_both_ends_among_its_first_rows),
        cmocka_unit_test(a_table_comes_back_from_its_codes),
        cmocka_unit_test(scalars_and_codes_stay_in_their_spans),
        cmocka_unit_test(results_keep_their_digits_and_stay_in_range),
        cmocka_unit_test(scalars_are_cut_at_both_ends),
        cmocka_unit_test(components_are_drawn_by_their_probability),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(missing_cells_keep_company_with_other_columns),
        cmocka_unit_test(compat_puts_missing_numbers_back_at_random),
        cmocka_unit_test(datetimes_keep_the_unit_of_their_format),
        cmocka_unit_test(months_without_a_day_come_back_as_months),
        cmocka_unit_test(rare_categories_share_a_code_and_come_back_as_real_texts),
        cmocka_unit_test(max_categories_out_of_range_is_refused),
        cmocka_unit_test(missing_ids_stay_missing_unless_they_are_the_key),
        cmocka_unit_test(threads_and_pieces_do_not_change_a_byte),
        cmocka_unit_test(another_table_of_the_same_columns_can_be_coded),
        cmocka_unit_test(conditions_find_their_column_and_value),
        cmocka_unit_test(conditions_that_cannot_be_met_are_refused),
        cmocka_unit_test(conditions_hold_in_the_rows_that_meet_them),
        cmocka_unit_test(a_stored_transform_comes_back_and_works_the_same),
        cmocka_unit_test(a_stored_transform_holds_no_row),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(altered_bytes_are_refused_or_harmless),
        cmocka_unit_test(every_failing_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
