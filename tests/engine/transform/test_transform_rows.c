/* What is drawn row by row: rare texts, missing ids, the same bytes for any threads and pieces, and conditions. */
#include <math.h>

#include "core/notes.h"
#include "core/pool.h"
#include "transform_trip.h"

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
    rf_transform_options few = trip_options;
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

static void fit_that_is_stopped_ends_without_a_transform(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_transform *transform = NULL;
    rf_table *table = rig_people(20);
    atomic_int stop = 1;
    const rf_transform_options stopped = {.stop = &stop};
    assert_fails(rf_transform_fit(&transform, table, &stopped, NULL, NULL, &err), RF_INTERRUPTED, "stopped");
    assert_null(transform);
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
        trip t = trip_make(table, &trip_options);
        int64_t missing = 0;
        for (int64_t row = 0; row < 2000; row++)
            missing += t.back->columns[0].codes[row] < 0;
        assert_int_equal(missing, t.back->columns[0].n_missing);
        if (key)
            assert_int_equal(missing, 0);
        else
            assert_near((double)missing / 2000.0, 0.25, 0.04);
        trip_end(&t);
    }
}

/* ------------------------------------------------------------------ the same bytes */

static void check_threads_and_pieces(const rf_transform_options *with)
{
    rf_error err = {0};
    rf_table *table = rig_people(9001);
    rf_transform *first = trip_fit(table, with, NULL);
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
    check_threads_and_pieces(&trip_options);
    /* rare texts and missing numbers are drawn by row as well */
    const rf_transform_options drawn = {.seed = 5, .compat = true, .max_categories = 2};
    check_threads_and_pieces(&drawn);
}

static void another_table_of_the_same_columns_can_be_coded(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_people(500), *other = rig_people(120);
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
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
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
    rf_condition c;
    assert_ok(rf_transform_condition(transform, "city=Oslo", &c, &err));
    assert_int_equal(c.field, RIG_CITY);
    assert_int_equal(c.span, 6);
    const int64_t *counts = rf_transform_condition_counts(transform);
    int64_t in_oslo = 0;
    for (int64_t row = 0; row < 1000; row++)
        in_oslo += strcmp(rig_text(table, RIG_CITY, row), "Oslo") == 0;
    assert_int_equal(counts[trip_span(transform, c.span)->cond_offset + c.code], in_oslo);
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
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
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
    trip t = trip_make(rig_people(1000), &trip_options);
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
                const double x = t.back->columns[trip_result(c.field)].values[row];
                wanted += *value ? x == strtod(value, NULL) : isnan(x);
            } else {
                wanted += strcmp(rig_text(t.table, c.field, row), value) == 0;
            }
        }
        assert_int_equal(met, wanted);
        assert_true(met > 0);
    }
    trip_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_categories_share_a_code_and_come_back_as_real_texts),
        cmocka_unit_test(max_categories_out_of_range_is_refused),
        cmocka_unit_test(fit_that_is_stopped_ends_without_a_transform),
        cmocka_unit_test(missing_ids_stay_missing_unless_they_are_the_key),
        cmocka_unit_test(threads_and_pieces_do_not_change_a_byte),
        cmocka_unit_test(another_table_of_the_same_columns_can_be_coded),
        cmocka_unit_test(conditions_find_their_column_and_value),
        cmocka_unit_test(conditions_that_cannot_be_met_are_refused),
        cmocka_unit_test(conditions_hold_in_the_rows_that_meet_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
