#include "engine/table/profile.h"

#include <jansson.h>
#include <math.h>

#include "core/alloc.h"
#include "rf_test.h"

/* ---------------------------------------------------------------- tables by hand */

static rf_table *make_table(const rf_field *fields, int32_t n, int64_t n_rows)
{
    rf_table *table = NULL;
    rf_error err = {0};
    rf_field own[16];
    assert_true(n <= 16);
    for (int32_t i = 0; i < n; i++) {
        own[i] = fields[i];
        if (own[i].label == NULL)
            own[i].label = own[i].name;
        own[i].missing_text = "";
    }
    const rf_schema schema = {
        .n_fields = n, .fields = own, .dialect = {.delimiter = ',', .decimal_point = '.'}};
    assert_ok(rf_table_create(&table, &schema, n_rows, &err));
    return table;
}

static rf_table *make_numbers(const double *values, int64_t n)
{
    const rf_field field = {.name = "x", .kind = RF_KIND_CONTINUOUS, .decimals = -1};
    rf_table *const table = make_table(&field, 1, n);
    for (int64_t i = 0; i < n; i++)
        table->columns[0].values[i] = values[i];
    return table;
}

static void set_words(rf_table *table, int32_t index, const char *const *words, int32_t n)
{
    rf_error err = {0};
    int64_t offsets[64] = {0};
    char bytes[1024];
    assert_true(n < 64);
    for (int32_t i = 0; i < n; i++) {
        const size_t length = strlen(words[i]);
        memcpy(bytes + offsets[i], words[i], length);
        offsets[i + 1] = offsets[i] + (int64_t)length;
    }
    const rf_dict dict = {.n = n, .offsets = offsets, .bytes = bytes};
    assert_ok(rf_table_set_dict(table, index, &dict, &err));
}

static rf_profile *profile_of(const rf_table *table, rf_pool *pool)
{
    rf_profile *profile = NULL;
    rf_error err = {0};
    assert_ok(rf_profile_create(&profile, table, pool, &err));
    return profile;
}

/* ---------------------------------------------------------------- numbers */

static void quantiles_mean_and_deviation_are_numpys(void **state)
{
    (void)state;
    static const double values[] = {7, NAN, -1.5, 3, 3, 0.25, NAN, 1e6, -0.0, 0.0};
    rf_table *const table = make_numbers(values, 10);
    rf_profile *const profile = profile_of(table, NULL);
    const rf_profile_column *const x = &profile->columns[0];
    assert_int_equal(profile->n_rows, 10);
    assert_int_equal(x->missing, 2);
    assert_int_equal(x->distinct, 6);
    assert_false(x->constant);
    assert_true(x->min == -1.5 && x->max == 1e6);
    /* sorted: -1.5 0 0 0.25 3 3 7 1e6 */
    assert_true(x->quantile[0] == 0 && x->quantile[1] == 1.625 && x->quantile[2] == 4);
    assert_near(x->mean, 125001.46875, 1e-9);
    assert_near(x->std, 353552.7971386724, 1e-6);
    rf_profile_free(profile);
    rf_table_free(table);
}

static void one_value_none_and_extremes(void **state)
{
    (void)state;
    static const double one[] = {NAN, 5}, none[] = {NAN, NAN}, far[] = {-1.7e308, 1.7e308, 1.7e308, -1.7e308};
    rf_table *table = make_numbers(one, 2);
    rf_profile *profile = profile_of(table, NULL);
    const rf_profile_column *x = &profile->columns[0];
    assert_true(x->constant && x->distinct == 1 && x->min == 5 && x->max == 5 && x->mean == 5 &&
                isnan(x->std));
    assert_true(x->quantile[0] == 5 && x->quantile[2] == 5);
    rf_profile_free(profile);
    rf_table_free(table);

    table = make_numbers(none, 2);
    profile = profile_of(table, NULL);
    x = &profile->columns[0];
    assert_true(x->constant && x->distinct == 0 && x->missing == 2);
    assert_true(isnan(x->min) && isnan(x->max) && isnan(x->mean) && isnan(x->std) && isnan(x->quantile[1]));
    rf_profile_free(profile);
    rf_table_free(table);

    table = make_numbers(far, 4);
    profile = profile_of(table, NULL);
    x = &profile->columns[0];
    assert_true(x->min == -1.7e308 && x->max == 1.7e308);
    assert_true(x->quantile[1] == 0);
    rf_profile_free(profile);
    rf_table_free(table);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void any_column_agrees_with_a_plain_sort(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    static double values[3000];
    for (int round = 0; round < 60; round++) {
        const int64_t n = 1 + (int64_t)(random % 3000);
        for (int64_t i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            values[i] = round % 3 == 0   ? (double)(int64_t)(random % 20) - 10
                        : round % 3 == 1 ? (double)(int64_t)random * 1e-3
                                         : ldexp((double)(int64_t)random, (int)(random % 400) - 200);
        }
        rf_table *const table = make_numbers(values, n);
        rf_profile *const profile = profile_of(table, NULL);
        const rf_profile_column *const x = &profile->columns[0];
        int64_t distinct = 1;
        qsort(values, (size_t)n, sizeof values[0], compare_doubles);
        for (int64_t i = 1; i < n; i++)
            distinct += values[i] != values[i - 1];
        assert_int_equal(x->distinct, distinct);
        assert_true(x->min == values[0] && x->max == values[n - 1]);
        for (int k = 0; k < 3; k++) {
            const double position = 0.25 * (k + 1) * (double)(n - 1), low = values[(int64_t)position];
            const double high = values[(int64_t)ceil(position)];
            const double wanted = low + (high - low) * (position - floor(position));
            assert_near(x->quantile[k], wanted, 1e-12 * (fabs(low) + fabs(high)));
        }
        rf_profile_free(profile);
        rf_table_free(table);
    }
}

static void a_small_spread_around_a_large_number_is_not_lost(void **state)
{
    (void)state;
    enum { N = 100000 };
    double *const values = malloc(N * sizeof values[0]);
    assert_non_null(values);
    for (int i = 0; i < N; i++)
        values[i] = 1.6e9 + (i % 2 == 0 ? 0.5 : -0.5);
    rf_table *const table = make_numbers(values, N);
    rf_profile *const profile = profile_of(table, NULL);
    assert_true(profile->columns[0].mean == 1.6e9);
    assert_near(profile->columns[0].std, sqrt(0.25 * N / (N - 1)), 1e-12);
    rf_profile_free(profile);
    rf_table_free(table);
    free(values);
}

/* ---------------------------------------------------------------- codes */

static void the_most_frequent_come_first_and_equals_in_order(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "unused"};
    static const int32_t codes[] = {0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11, -1};
    const rf_field field = {.name = "w", .kind = RF_KIND_CATEGORICAL};
    rf_table *const table = make_table(&field, 1, 16);
    set_words(table, 0, words, 13);
    memcpy(table->columns[0].codes, codes, sizeof codes);
    rf_profile *const profile = profile_of(table, NULL);
    const rf_profile_column *const w = &profile->columns[0];
    static const int32_t top[] = {11, 2, 0, 1, 3, 4, 5, 6, 7, 8};
    assert_int_equal(w->missing, 1);
    assert_int_equal(w->distinct, 12);
    assert_int_equal(w->n_top, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(w->top_code[i], top[i]);
        assert_int_equal(w->top_count[i], i == 0 ? 3 : i == 1 ? 2 : 1);
    }
    assert_true(isnan(w->min) && isnan(w->mean));
    rf_profile_free(profile);
    rf_table_free(table);
}

/* ---------------------------------------------------------------- a table of everything */

enum { MIXED_ROWS = 40 };

static rf_table *make_mixed(void)
{
    static const rf_field fields[] = {
        {.name = "name \"quoted\"\n", .label = "name \"quoted\"\n", .kind = RF_KIND_CATEGORICAL},
        {.name = "日付", .kind = RF_KIND_DATETIME, .datetime_format = "%d/%m/%Y"},
        {.name = "a name that is far too long for one column of a terminal", .kind = RF_KIND_CONTINUOUS},
        {.name = "", .label = "column 4", .kind = RF_KIND_INTEGER},
        {.name = "key", .kind = RF_KIND_ID},
        {.name = "empty", .kind = RF_KIND_CONTINUOUS},
        {.name = "same", .kind = RF_KIND_BOOLEAN},
    };
    static const char *const words[] = {"é\\\"\t", "plain", "日本語"}, *const truths[] = {"no", "yes"};
    static const char *const keys[] = {"K1", "K2"};
    rf_table *const table = make_table(fields, 7, MIXED_ROWS);
    set_words(table, 0, words, 3);
    set_words(table, 4, keys, 2);
    set_words(table, 6, truths, 2);
    for (int i = 0; i < MIXED_ROWS; i++) {
        table->columns[0].codes[i] = i % 7 == 0 ? 2 : i % 3 == 0;
        table->columns[1].values[i] = 86400.0 * i;
        table->columns[2].values[i] = i % 4 == 0 ? 0.1 * i : NAN;
        table->columns[3].values[i] = i * 1000000.0;
        table->columns[4].codes[i] = i % 2;
        table->columns[6].codes[i] = i == 0 ? -1 : 1;
    }
    return table;
}

static void json_says_exactly_what_was_found(void **state)
{
    (void)state;
    rf_table *const table = make_mixed();
    rf_profile *const profile = profile_of(table, NULL);
    rf_notes notes;
    rf_buf out;
    rf_error err = {0};
    rf_notes_init(&notes);
    rf_buf_init(&out);
    rf_profile_note(profile, table, &notes);
    rf_profile_json(profile, table, &notes, &out);
    assert_ok(rf_buf_check(&out, "json", &err));
    json_error_t error;
    json_t *const root = json_loadb(out.data, out.size_bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        print_error("%s\n%s\n", error.text, out.data);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "n_rows")), MIXED_ROWS);
    const json_t *const columns = json_object_get(root, "columns");
    assert_int_equal(json_array_size(columns), 7);

    const json_t *const words = json_array_get(columns, 0);
    assert_string_equal(json_string_value(json_object_get(words, "name")), "name \"quoted\"\n");
    const json_t *const top = json_object_get(words, "top");
    assert_int_equal(json_array_size(top), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(top, 0), "value")), "é\\\"\t");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(top, 0), "count")),
                     profile->columns[0].top_count[0]);

    const json_t *const day = json_array_get(columns, 1);
    assert_string_equal(json_string_value(json_object_get(day, "min")), "01/01/1970");
    assert_string_equal(json_string_value(json_object_get(day, "max")), "09/02/1970");
    assert_null(json_object_get(day, "std"));
    assert_true(json_is_number(json_object_get(day, "std_s")));

    const json_t *const amount = json_array_get(columns, 2);
    assert_true(json_number_value(json_object_get(amount, "max")) == profile->columns[2].max);
    assert_true(json_number_value(json_object_get(amount, "std")) == profile->columns[2].std);
    assert_true(json_number_value(json_object_get(amount, "q25")) == profile->columns[2].quantile[0]);
    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 3), "label")), "column 4");
    assert_null(json_object_get(json_array_get(columns, 4), "top"));
    assert_true(json_is_null(json_object_get(json_array_get(columns, 5), "min")));
    assert_true(json_is_true(json_object_get(json_array_get(columns, 6), "constant")));
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), notes.n);
    json_decref(root);
    rf_buf_free(&out);
    rf_notes_free(&notes);
    rf_profile_free(profile);
    rf_table_free(table);
}

static bool has_note(const rf_notes *notes, const char *text)
{
    for (int i = 0; i < notes->n; i++)
        if (strcmp(notes->texts[i], text) == 0)
            return true;
    return false;
}

static void what_deserves_a_warning_gets_one(void **state)
{
    (void)state;
    rf_table *const table = make_mixed();
    rf_profile *const profile = profile_of(table, NULL);
    rf_notes notes;
    rf_notes_init(&notes);
    profile->columns[0].distinct = 1001;
    rf_profile_note(profile, table, &notes);
    assert_true(has_note(&notes, "column \"empty\" has no value at all"));
    assert_true(has_note(&notes, "column \"same\" has the same value in every row that has one"));
    assert_true(has_note(&notes, "column \"a name that is far too long for one column of a terminal\" is "
                                 "missing in 75.0 % of the rows"));
    assert_int_equal(notes.n, 4);
    assert_non_null(strstr(notes.texts[0], "has 1001 categories in 40 rows"));
    rf_notes_free(&notes);
    rf_profile_free(profile);
    rf_table_free(table);
}

static void the_text_keeps_its_columns_aligned(void **state)
{
    (void)state;
    rf_table *const table = make_mixed();
    rf_profile *const profile = profile_of(table, NULL);
    rf_buf out;
    rf_buf_init(&out);
    rf_profile_text(profile, table, &out);
    static const char *const wanted[] = {
        "40 rows, 7 columns",
        "",
        "column                        kind          missing   distinct           min        median          "
        "mean"
        "           max",
        /* the line break and the tab are blanks, the quotes stay */
        "name \"quoted\"                 categorical         -          3  é\\\"  55.0 %, plain 30.0 %, "
        "日本語 15.0 %",
        "日付                          datetime            -         40    01/01/1970    21/01/1970    "
        "21/01/1970"
        "    09/02/1970",
        "a name that is far too long…  continuous     75.0 %         10             0           1.8          "
        " 1.8"
        "           3.6",
        "column 4                      integer             -         40             0      19500000      "
        "19500000"
        "      39000000",
        "key                           id                  -          2",
        "empty                         continuous    100.0 %          0                                      "
        "    "
        "              ",
        "same                          boolean         2.5 %          1  yes 100.0 %",
        "",
    };
    const char *at = out.data;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const size_t length = strcspn(at, "\n");
        if (strlen(wanted[i]) != length || memcmp(wanted[i], at, length) != 0)
            print_error("line %zu is\n\"%.*s\"\nnot\n\"%s\"\n", i, (int)length, at, wanted[i]);
        assert_true(strlen(wanted[i]) == length && memcmp(wanted[i], at, length) == 0);
        at += length + (at[length] == '\n');
    }
    rf_buf_free(&out);
    rf_profile_free(profile);
    rf_table_free(table);
}

static void a_table_without_rows_has_a_profile_too(void **state)
{
    (void)state;
    const rf_field fields[] = {{.name = "x", .kind = RF_KIND_CONTINUOUS},
                               {.name = "w", .kind = RF_KIND_CATEGORICAL}};
    rf_table *const table = make_table(fields, 2, 0);
    rf_profile *const profile = profile_of(table, NULL);
    rf_notes notes;
    rf_buf out;
    rf_notes_init(&notes);
    rf_buf_init(&out);
    rf_profile_note(profile, table, &notes);
    rf_profile_text(profile, table, &out);
    rf_profile_json(profile, table, NULL, &out);
    assert_int_equal(notes.n, 0);
    assert_non_null(strstr(out.data, "\"warnings\": []"));
    rf_buf_free(&out);
    rf_notes_free(&notes);
    rf_profile_free(profile);
    rf_table_free(table);
}

/* ---------------------------------------------------------------- threads and memory */

static void threads_do_not_change_the_profile(void **state)
{
    (void)state;
    rf_table *const table = make_mixed();
    rf_error err = {0};
    rf_buf alone, together;
    rf_pool *pool = NULL;
    assert_ok(rf_pool_create(&pool, 4, &err));
    rf_profile *const one = profile_of(table, NULL), *const four = profile_of(table, pool);
    rf_buf_init(&alone);
    rf_buf_init(&together);
    rf_profile_json(one, table, NULL, &alone);
    rf_profile_json(four, table, NULL, &together);
    assert_string_equal(alone.data, together.data);
    rf_buf_free(&together);
    rf_buf_free(&alone);
    rf_profile_free(four);
    rf_profile_free(one);
    rf_pool_free(pool);
    rf_table_free(table);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    rf_table *const table = make_mixed();
    bool done = false;
    for (int64_t nth = 1; !done; nth++) {
        rf_profile *profile = NULL;
        rf_error err = {0};
        rf_alloc_fail_at(nth);
        const rf_code rc = rf_profile_create(&profile, table, NULL, &err);
        done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        assert_int_equal(rc, done ? RF_OK : RF_NO_MEMORY);
        assert_true((profile != NULL) == done);
        rf_profile_free(profile);
        assert_true(nth < 1000);
    }
    rf_profile_free(NULL);
    rf_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_mean_and_deviation_are_numpys),
        cmocka_unit_test(one_value_none_and_extremes),
        cmocka_unit_test(any_column_agrees_with_a_plain_sort),
        cmocka_unit_test(a_small_spread_around_a_large_number_is_not_lost),
        cmocka_unit_test(the_most_frequent_come_first_and_equals_in_order),
        cmocka_unit_test(json_says_exactly_what_was_found),
        cmocka_unit_test(what_deserves_a_warning_gets_one),
        cmocka_unit_test(the_text_keeps_its_columns_aligned),
        cmocka_unit_test(a_table_without_rows_has_a_profile_too),
        cmocka_unit_test(threads_do_not_change_the_profile),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
