/* A stored transform: whole, truncated, altered; and every allocation that fails. */
#include "core/alloc.h"
#include "transform_trip.h"

/* ------------------------------------------------------------------ stored */

static void a_stored_transform_comes_back_and_works_the_same(void **state)
{
    (void)state;
    rf_error err = {0};
    trip t = trip_make(rig_people(800), &trip_options);
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
    trip_end(&t);
}

static void a_stored_transform_holds_no_row(void **state)
{
    (void)state;
    rf_table *table = rig_people(300);
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
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
    rf_transform *transform = trip_fit(table, &trip_options, NULL), *loaded = NULL;
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
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
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
    rf_transform_options few = trip_options;
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
    rf_transform *transform = trip_fit(table, &trip_options, NULL);
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
        cmocka_unit_test(a_stored_transform_comes_back_and_works_the_same),
        cmocka_unit_test(a_stored_transform_holds_no_row),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(altered_bytes_are_refused_or_harmless),
        cmocka_unit_test(every_failing_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
