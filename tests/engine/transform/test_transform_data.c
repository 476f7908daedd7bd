/* Public tables, read from the folder ROWFORGE_DATA (or ../shared/data beside the source); skipped where
 * they are not. */
#include "rf_test.h"

#include <math.h>

#include "engine/transform/transform.h"
#include "engine/transform/transform_internal.h"

/* NULL, and says so, when the table is not there. */
static rf_table *read_public(const char *name)
{
    const char *folder = getenv("ROWFORGE_DATA");
    char path[1024];
    rf_error err = {0};
    rf_table *table = NULL;
    const rf_table_options options = {0};
    snprintf(path, sizeof path, "%s/%s.csv", folder ? folder : RF_TEST_DATA "/../../shared/data", name);
    const rf_code rc = rf_table_read(&table, path, &options, NULL, &err);
    if (rc == RF_NOT_FOUND) {
        print_message("%s is not there: set ROWFORGE_DATA to the folder of the public tables\n", path);
        return NULL;
    }
    if (rc != RF_OK) {
        print_error("%s: %s\n", path, err.message);
        fail();
    }
    return table;
}

static void adult_keeps_as_many_components_as_the_reference(void **state)
{
    (void)state;
    rf_table *table = read_public("adult");
    if (!table)
        skip();
    rf_error err = {0};
    rf_transform *transform = NULL;
    const rf_transform_options options = {.seed = 0, .compat = true};
    assert_ok(rf_transform_fit(&transform, table, &options, NULL, NULL, &err));
    /* scikit-learn at its seed 0; another k-means start moves a count by one or two */
    const struct {
        const char *column;
        int32_t kept;
    } wanted[] = {{"age", 10},         {"fnlwgt", 9},       {"education-num", 10},
                  {"capital-gain", 5}, {"capital-loss", 3}, {"hours-per-week", 10}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const int32_t field = rf_schema_find(&transform->schema, wanted[i].column);
        assert_true(field >= 0);
        const int32_t kept = transform->columns[field].number.mixture.n_kept;
        print_message("%s keeps %d of %d\n", wanted[i].column, kept, wanted[i].kept);
        assert_in_range(kept, wanted[i].kept - 2, wanted[i].kept + 2);
    }
    const rf_layout *layout = rf_transform_layout(transform);
    assert_int_equal(layout->condition_width, 104);
    assert_int_equal(layout->n_conditions, 9);
    assert_in_range(layout->width, 154, 160);
    rf_transform_free(transform);
    rf_table_free(table);
}

/* Texts come back as they were; numbers too, to a millionth of their range (a scalar is a float), but for
 * the few that lie beyond four standard deviations of the component drawn. */
static void check_trip(const char *name, const rf_transform *transform, const rf_table *before,
                       const rf_table *after)
{
    int64_t numbers = 0, same = 0;
    for (int32_t i = 0; i < before->schema.n_fields; i++) {
        const rf_column *a = &before->columns[i], *b = &after->columns[i];
        const rfi_number *number = &transform->columns[i].number;
        for (int64_t row = 0; row < before->n_rows; row++) {
            if (a->values) {
                assert_true(isnan(a->values[row]) == isnan(b->values[row]));
                same += isnan(a->values[row]) ||
                        fabs(a->values[row] - b->values[row]) <= 1e-6 * (number->high - number->low);
                numbers++;
            } else if (before->schema.fields[i].kind != RF_KIND_ID) {
                assert_true((a->codes[row] < 0) == (b->codes[row] < 0));
                size_t n_a = 0, n_b = 0;
                const char *text_a = a->codes[row] < 0 ? "" : rf_dict_text(&a->dict, a->codes[row], &n_a);
                const char *text_b = b->codes[row] < 0 ? "" : rf_dict_text(&b->dict, b->codes[row], &n_b);
                assert_true(n_a == n_b && memcmp(text_a, text_b, n_a) == 0);
            }
        }
    }
    print_message("%s: %.4f of the numbers come back\n", name,
                  numbers > 0 ? (double)same / (double)numbers : 1.0);
    assert_true(same >= 0.9 * (double)numbers);
}

static void public_tables_come_back_from_their_codes(void **state)
{
    (void)state;
    const char *const names[] = {"adult", "default", "magic", "shoppers", "student_placements_real"};
    int found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rf_table *table = read_public(names[i]), *back = NULL;
        if (!table)
            continue;
        found++;
        rf_error err = {0};
        rf_transform *transform = NULL, *loaded = NULL;
        rf_coded coded;
        rf_buf bytes;
        rf_reader reader;
        const rf_transform_options options = {.seed = 1};
        assert_ok(rf_transform_fit(&transform, table, &options, NULL, NULL, &err));
        rf_buf_init(&bytes);
        rf_transform_store(transform, &bytes);
        rf_reader_init(&reader, bytes.data, bytes.size_bytes);
        assert_ok(rf_transform_load(&loaded, &reader, &err));
        assert_ok(rf_transform_apply(loaded, table, 2, NULL, &coded, &err));
        assert_ok(rf_transform_invert(loaded, &coded, 0, 3, NULL, &back, &err));
        check_trip(names[i], transform, table, back);
        rf_buf_free(&bytes);
        rf_coded_free(&coded);
        rf_transform_free(transform);
        rf_transform_free(loaded);
        rf_table_free(table);
        rf_table_free(back);
    }
    if (found == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adult_keeps_as_many_components_as_the_reference),
        cmocka_unit_test(public_tables_come_back_from_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
