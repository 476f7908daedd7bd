#include "engine/table/demo.h"

#include <math.h>

#include "core/alloc.h"
#include "core/crc32c.h"
#include "core/text.h"
#include "rf_test.h"

static rf_table *make(int64_t n_rows, uint64_t seed)
{
    rf_table *table = NULL;
    rf_error err = {0};
    assert_ok(rf_demo_table(&table, n_rows, seed, &err));
    return table;
}

static const rf_column *column(const rf_table *table, const char *name)
{
    const int32_t at = rf_schema_find(&table->schema, name);
    assert_true(at >= 0);
    return &table->columns[at];
}

static const char *text_of(const rf_column *from, int64_t row, size_t *length)
{
    return rf_dict_text(&from->dict, from->codes[row], length);
}

static bool is(const rf_column *from, int64_t row, const char *text)
{
    size_t length;
    const char *const got = text_of(from, row, &length);
    return length == strlen(text) && memcmp(got, text, length) == 0;
}

/* Every cell of the first n_rows, as bytes. */
static uint32_t checksum(const rf_table *table, int64_t n_rows)
{
    uint32_t crc = 0;
    for (int32_t c = 0; c < table->schema.n_fields; c++) {
        const rf_column *const from = &table->columns[c];
        for (int64_t row = 0; row < n_rows; row++) {
            char number[RF_NUMBER_TEXT_MAX];
            size_t length = 0;
            const char *text = number;
            if (from->values == NULL)
                text = text_of(from, row, &length);
            else if (!isnan(from->values[row]))
                length = rf_format_f64(number, from->values[row]);
            crc = rf_crc32c(crc, text, length);
            crc = rf_crc32c(crc, ",", 1);
        }
    }
    return crc;
}

/* ---------------------------------------------------------------- the same for everybody */

static void a_seed_gives_the_same_bytes_on_every_machine(void **state)
{
    (void)state;
    rf_table *const table = make(1000, 7);
    const uint32_t crc = checksum(table, 1000);
    rf_table_free(table);
    assert_int_equal(crc, 0xF5E9C87Du);
}

static void another_seed_gives_another_table(void **state)
{
    (void)state;
    rf_table *const one = make(100, 1), *const two = make(100, 2),
                    *const far = make(100, (uint64_t)1 << 40 | 1);
    assert_true(checksum(one, 100) != checksum(two, 100));
    assert_true(checksum(one, 100) != checksum(far, 100));
    rf_table_free(far);
    rf_table_free(two);
    rf_table_free(one);
}

static void a_long_table_begins_like_a_short_one(void **state)
{
    (void)state;
    rf_table *const small = make(50, 3), *const large = make(5000, 3);
    assert_int_equal(checksum(small, 50), checksum(large, 50));
    rf_table_free(large);
    rf_table_free(small);
}

static void any_number_of_rows_can_be_had(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 63};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rf_table *const table = make(sizes[i], 5);
        assert_int_equal(table->n_rows, sizes[i]);
        rf_table_free(table);
    }
    rf_table *table = NULL;
    rf_error err = {0};
    assert_fails(rf_demo_table(&table, -1, 5, &err), RF_USAGE, "0 to 2000000000 rows, not -1");
    assert_fails(rf_demo_table(&table, 2000000001, 5, &err), RF_USAGE, "2000000001");
    assert_null(table);
}

/* ---------------------------------------------------------------- well formed */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

static void ids_are_unique_and_not_in_order(void **state)
{
    (void)state;
    enum { N = 20000 };
    rf_table *const table = make(N, 11);
    const rf_column *const ids = column(table, "customer_id");
    char(*const all)[12] = malloc(N * sizeof all[0]);
    assert_non_null(all);
    int rising = 0;
    for (int i = 0; i < N; i++) {
        size_t length;
        const char *const text = text_of(ids, i, &length);
        assert_int_equal(length, 12);
        assert_memory_equal(text, "C-", 2);
        memcpy(all[i], text, 12);
        rising += i > 0 && memcmp(all[i - 1], all[i], 12) < 0;
    }
    assert_true(rising < N * 9 / 10);
    qsort(all, N, 12, compare_ids);
    for (int i = 1; i < N; i++)
        assert_true(memcmp(all[i - 1], all[i], 12) != 0);
    free(all);
    rf_table_free(table);
}

static void cells_are_what_their_kind_says(void **state)
{
    (void)state;
    rf_table *const table = make(5000, 13);
    for (int32_t c = 0; c < table->schema.n_fields; c++) {
        const rf_field *const field = &table->schema.fields[c];
        const rf_column *const from = &table->columns[c];
        int64_t n_missing = 0;
        int32_t seen = 0;
        for (int64_t row = 0; row < table->n_rows; row++) {
            if (from->codes != NULL) {
                /* order of first appearance: a new code is always the next */
                assert_true(from->codes[row] >= 0 && from->codes[row] <= seen &&
                            from->codes[row] < from->dict.n);
                seen += from->codes[row] == seen;
                continue;
            }
            const double value = from->values[row];
            n_missing += isnan(value);
            if (field->kind == RF_KIND_INTEGER && !isnan(value))
                assert_true(value == floor(value));
            if (field->kind == RF_KIND_CONTINUOUS && !isnan(value)) {
                char text[RF_NUMBER_TEXT_MAX];
                double back;
                const size_t length = rf_format_fixed(text, value, field->decimals, field->min_decimals);
                assert_true(rf_parse_f64(text, length, &back) && back == value && value >= 0);
            }
        }
        assert_int_equal(from->n_missing, n_missing);
        if (from->codes != NULL) {
            assert_int_equal(seen, from->dict.n);
            for (int32_t i = 0; i < from->dict.n; i++) {
                size_t length;
                const char *const text = rf_dict_text(&from->dict, i, &length);
                assert_true(length > 0 && rf_utf8_find_invalid(text, length) < 0);
            }
        }
    }
    rf_table_free(table);
}

/* ---------------------------------------------------------------- worth a report */

/* Share of the rows with a = text_a in which b = text_b. */
static double share(const rf_table *table, const char *a, const char *text_a, const char *b,
                    const char *text_b)
{
    int64_t n = 0, both = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        if (!is(column(table, a), row, text_a))
            continue;
        n++;
        both += is(column(table, b), row, text_b);
    }
    assert_true(n > 0);
    return (double)both / (double)n;
}

/* Mean of a column of numbers where another has a text; missing ones left out. */
static double mean_where(const rf_table *table, const char *values, const char *where, const char *text)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double value = column(table, values)->values[row];
        if (isnan(value) || !is(column(table, where), row, text))
            continue;
        sum += value;
        n++;
    }
    assert_true(n > 0);
    return sum / (double)n;
}

static double missing_where(const rf_table *table, const char *values, const char *where, const char *text)
{
    int64_t n = 0, missing = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        if (!is(column(table, where), row, text))
            continue;
        n++;
        missing += isnan(column(table, values)->values[row]);
    }
    assert_true(n > 0);
    return (double)missing / (double)n;
}

static void columns_depend_on_each_other(void **state)
{
    (void)state;
    rf_table *const table = make(20000, 17);
    assert_true(share(table, "city", "Tromsø", "region", "Nordic") == 1.0);
    assert_true(share(table, "education", "Doctorate", "job", "Physician") > 0.1);
    assert_true(share(table, "education", "Primary", "job", "Physician") == 0.0);
    assert_true(mean_where(table, "income", "job", "Pilot") >
                3 * mean_where(table, "income", "job", "Cleaner"));
    assert_true(mean_where(table, "income", "region", "Alps") >
                1.2 * mean_where(table, "income", "region", "Baltic"));
    assert_true(mean_where(table, "age", "job", "Retired") > 60);
    assert_true(mean_where(table, "age", "channel", "app") <
                mean_where(table, "age", "channel", "phone") - 8);
    assert_true(missing_where(table, "income", "job", "Self-employed") > 0.2);
    assert_true(missing_where(table, "income", "job", "Teacher") < 0.07);
    rf_table_free(table);
}

static void shapes_are_those_of_real_columns(void **state)
{
    (void)state;
    rf_table *const table = make(20000, 19);
    const double *const spend = column(table, "spend")->values, *const age = column(table, "age")->values;
    const double *const last = column(table, "last_order")->values, *const signup =
                                                                        column(table, "signup_date")->values;
    const double *const mark = column(table, "satisfaction")->values;
    int64_t zeros = 0, young = 0, rare = 0, without_mark = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        zeros += spend[row] == 0;
        young += age[row] == 18;
        rare += is(column(table, "sex"), row, "X");
        assert_true(age[row] >= 18 && age[row] <= 100);
        assert_true(isnan(last[row]) == (spend[row] == 0));
        assert_true(isnan(mark[row]) || (spend[row] > 0 && mark[row] >= 1 && mark[row] <= 5));
        if (!isnan(last[row]))
            assert_true(last[row] > signup[row] && last[row] < 1735689600.0);
        without_mark += isnan(mark[row]);
    }
    assert_in_range(zeros, 6000, 10000);
    assert_in_range(young, 1, 1500);
    assert_in_range(rare, 80, 220);
    assert_in_range(without_mark, 9000, 14000);
    rf_table_free(table);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int64_t nth = 1; nth < 1000; nth++) {
        rf_table *table = NULL;
        rf_error err = {0};
        rf_alloc_fail_at(nth);
        const rf_code rc = rf_demo_table(&table, 20, 1, &err);
        const bool done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        assert_true((table != NULL) == (rc == RF_OK));
        assert_int_equal(rc, done ? RF_OK : RF_NO_MEMORY);
        rf_table_free(table);
        if (done)
            return;
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_bytes_on_every_machine),
        cmocka_unit_test(another_seed_gives_another_table),
        cmocka_unit_test(a_long_table_begins_like_a_short_one),
        cmocka_unit_test(any_number_of_rows_can_be_had),
        cmocka_unit_test(ids_are_unique_and_not_in_order),
        cmocka_unit_test(cells_are_what_their_kind_says),
        cmocka_unit_test(columns_depend_on_each_other),
        cmocka_unit_test(shapes_are_those_of_real_columns),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
