/* From a table to a model file and to rows: the promises of pipeline.h. */
#include "rf_test.h"

#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"
#include "engine/fitted.h"
#include "pipeline_rig.h"

static const rf_model_kind kinds[] = {RF_MODEL_CTGAN, RF_MODEL_TVAE};
enum { KINDS = 2 };

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* ------------------------------------------------------------------ files */

static void a_stored_model_gives_the_same_rows(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(2);
    for (int k = 0; k < KINDS; k++) {
        const rf_fit_options options = rig_options(kinds[k], device, 3);
        rf_fitted *fitted = rig_fit(table, &options), *loaded = NULL;
        const char *path = rig_path("model.rfm");
        assert_ok(rf_fitted_store(fitted, path, &err));
        assert_ok(rf_fitted_load(&loaded, path, device, &err));
        char *before = rig_sample(fitted, 500, 3, NULL, 0), *after = rig_sample(loaded, 500, 3, NULL, 0);
        assert_string_equal(before, after);
        assert_int_equal(count_lines(after), 501);
        rf_buf first = rig_bytes(fitted), second = rig_bytes(loaded);
        assert_int_equal(first.size_bytes, second.size_bytes);
        assert_memory_equal(first.data, second.data, first.size_bytes);
        rf_fitted_info info;
        rf_fitted_describe(loaded, &info);
        assert_int_equal(info.n_rows, 600);
        assert_int_equal(info.seed, 7);
        assert_int_equal(info.epochs_done, 3);
        assert_int_equal(info.params.batch_size, 40);
        rf_buf_free(&first);
        rf_buf_free(&second);
        free(before);
        free(after);
        rf_fitted_free(fitted);
        rf_fitted_free(loaded);
        assert_int_equal(unlink(path), 0);
    }
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

static void every_cut_and_every_changed_byte_of_a_model_file_is_refused(void **state)
{
    (void)state;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    rf_fit_options options = rig_options(RF_MODEL_TVAE, device, 1);
    options.params.decompress_dims = (rf_dims){1, {4}};
    rf_fitted *fitted = rig_fit(table, &options), *loaded = NULL;
    rf_buf bytes = rig_bytes(fitted);
    for (size_t cut = 0; cut < bytes.size_bytes; cut++) {
        rf_error err = {0};
        assert_int_equal(rfi_model_file_parse(&loaded, "cut.rfm", bytes.data, cut, device, &err), RF_CORRUPT);
        assert_null(loaded);
        assert_non_null(strstr(err.message, "cut.rfm"));
    }
    for (size_t at = 0; at < bytes.size_bytes; at++) {
        rf_error err = {0};
        bytes.data[at] ^= 0x10;
        assert_int_equal(rfi_model_file_parse(&loaded, "bad.rfm", bytes.data, bytes.size_bytes, device, &err),
                         RF_CORRUPT);
        bytes.data[at] ^= 0x10;
    }
    rf_buf_free(&bytes);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

static void foreign_and_newer_files_are_refused_by_name(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *loaded = NULL;
    rf_device *device = rig_device(1);
    static const char csv[] = "age,city\n1,Lyon\n2,Graz\n3,Oslo\n4,Oslo\n";
    assert_fails(rfi_model_file_parse(&loaded, "a.csv", csv, sizeof csv - 1, device, &err), RF_CORRUPT,
                 "a.csv is not a rowforge model file");
    static const char checkpoint[64] = "\x89RFC\r\n\x1a\n";
    assert_fails(rfi_model_file_parse(&loaded, "x.ckpt", checkpoint, sizeof checkpoint, device, &err),
                 RF_CORRUPT, "is a rowforge checkpoint");
    static const char newer[64] = "\x89RFM\r\n\x1a\n\x02";
    assert_fails(rfi_model_file_parse(&loaded, "n.rfm", newer, sizeof newer, device, &err), RF_CORRUPT,
                 "newer rowforge");
    assert_fails(rf_fitted_load(&loaded, "/nonexistent/model.rfm", device, &err), RF_NOT_FOUND,
                 "/nonexistent/model.rfm");
    rf_device_close(device);
}

/* A file that is whole and whose checksums are right may still lie. */
static void sizes_that_do_not_belong_together_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    rf_fitted *fitted = rig_fit(table, &options), *loaded = NULL;
    rf_params *params = &fitted->info.params;
    params->generator_dim = (rf_dims){8, {8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192}};
    rf_buf bytes = rig_bytes(fitted);
    assert_fails(rfi_model_file_parse(&loaded, "liar.rfm", bytes.data, bytes.size_bytes, device, &err),
                 RF_CORRUPT, "weights do not fit");
    rf_buf_free(&bytes);
    params->generator_dim = options.params.generator_dim;
    params->pac = 7; /* does not divide 40 */
    bytes = rig_bytes(fitted);
    assert_fails(rfi_model_file_parse(&loaded, "liar.rfm", bytes.data, bytes.size_bytes, device, &err),
                 RF_CORRUPT, "do not fit");
    rf_buf_free(&bytes);
    params->pac = 4;
    fitted->info.n_rows = 599;
    bytes = rig_bytes(fitted);
    assert_fails(rfi_model_file_parse(&loaded, "liar.rfm", bytes.data, bytes.size_bytes, device, &err),
                 RF_CORRUPT, "two numbers of rows");
    rf_buf_free(&bytes);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

static void no_row_of_the_table_is_in_the_file(void **state)
{
    (void)state;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    rf_fitted *fitted = rig_fit(table, &options);
    rf_buf bytes = rig_bytes(fitted);
    /* Heights are distinct numbers and ids distinct texts: neither may be found. */
    for (int row = 100; row < 600; row += 100) {
        char id[16];
        snprintf(id, sizeof id, "K%04d", row);
        assert_null(memmem(bytes.data, bytes.size_bytes, id, strlen(id)));
    }
    int found = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double height = table->columns[2].values[row];
        found += memmem(bytes.data, bytes.size_bytes, &height, sizeof height) != NULL;
    }
    assert_true(found <= 20); /* the ends of the range, which some rows share */
    rf_buf_free(&bytes);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

/* ------------------------------------------------------------------ failing memory and files */

static rf_code store_and_load(rf_fitted *fitted, const char *path, rf_device *device, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_fitted *loaded = NULL;
    RF_TRY(rf_fitted_store(fitted, path, err));
    RF_TRY(rf_fitted_load(&loaded, path, device, err));
out:
    rf_fitted_free(loaded);
    return rc;
}

static void a_model_file_survives_every_failed_allocation_and_write(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    rf_fitted *fitted = rig_fit(table, &options);
    const char *path = rig_path("model.rfm");
    assert_ok(store_and_load(fitted, path, device, &err));
    rf_alloc_fail_at(0);
    assert_ok(store_and_load(fitted, path, device, &err));
    const int64_t allocations = rf_alloc_count();
    assert_true(allocations > 5);
    for (int64_t i = 1; i <= allocations; i++) {
        rf_alloc_fail_at(i);
        assert_fails(store_and_load(fitted, path, device, &err), RF_NO_MEMORY, "");
    }
    rf_alloc_fail_at(0);
    assert_int_equal(unlink(path), 0);
    rf_file_fail_at(0);
    const int64_t before = rf_file_op_count();
    assert_ok(rf_fitted_store(fitted, path, &err));
    const int64_t writes = rf_file_op_count() - before;
    assert_true(writes >= 3);
    assert_int_equal(unlink(path), 0);
    for (int64_t i = 1; i <= writes; i++) {
        rf_file_fail_at(i);
        assert_fails(rf_fitted_store(fitted, path, &err), RF_IO, path);
        assert_int_not_equal(access(path, F_OK), 0); /* nothing half-written under the name */
    }
    rf_file_fail_at(0);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

static void a_fit_survives_every_failed_allocation(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    for (int k = 0; k < KINDS; k++) {
        rf_fitted *fitted = NULL;
        const rf_fit_options options = rig_options(kinds[k], device, 1);
        rf_fitted_free(rig_fit(table, &options));
        rf_alloc_fail_at(0);
        rf_fitted_free(rig_fit(table, &options));
        const int64_t n = rf_alloc_count();
        /* Early ones each, later ones at a stride: the mixtures make many alike. */
        for (int64_t i = 1; i <= n; i += i < 200 ? 1 : 7) {
            rf_alloc_fail_at(i);
            assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_NO_MEMORY, "");
            assert_null(fitted);
        }
        rf_alloc_fail_at(0);
    }
    rf_device_close(device);
    rf_table_free(table);
}

/* ------------------------------------------------------------------ rows */

static void rows_are_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 4};
    rf_table *table = rig_table(1);
    for (int k = 0; k < KINDS; k++) {
        char *first = NULL;
        for (int i = 0; i < 3; i++) {
            rf_device *device = rig_device(threads[i]);
            const rf_fit_options options = rig_options(kinds[k], device, 2);
            rf_fitted *fitted = rig_fit(table, &options);
            char *text = rig_sample(fitted, 333, 9, NULL, 0);
            if (i == 0)
                first = strdup(text);
            assert_string_equal(first, text);
            free(text);
            rf_fitted_free(fitted);
            rf_device_close(device);
        }
        free(first);
    }
    rf_table_free(table);
}

/* More rows than a piece has: what comes first does not depend on how much follows. */
static void a_short_result_is_the_beginning_of_a_long_one(void **state)
{
    (void)state;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(2);
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    rf_fitted *fitted = rig_fit(table, &options);
    char *whole = rig_sample(fitted, 40000, 9, NULL, 0), *part = rig_sample(fitted, 33000, 9, NULL, 0);
    assert_int_equal(count_lines(whole), 40001);
    assert_int_equal(count_lines(part), 33001);
    assert_true(strncmp(whole, part, strlen(part)) == 0);
    free(whole);
    free(part);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

static void no_rows_and_one_row_are_fine(void **state)
{
    (void)state;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const rf_fit_options options = rig_options(RF_MODEL_TVAE, device, 1);
    rf_fitted *fitted = rig_fit(table, &options);
    char *none = rig_sample(fitted, 0, 9, NULL, 0), *one = rig_sample(fitted, 1, 9, NULL, 0);
    assert_string_equal(none, "");
    assert_int_equal(count_lines(one), 2);
    free(none);
    free(one);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

/* ------------------------------------------------------------------ conditions */

/* Every line after the header holds `part`. */
static void assert_every_line_holds(const char *text, const char *part)
{
    const char *line = strchr(text, '\n') + 1;
    while (*line) {
        const char *end = strchr(line, '\n');
        const char *at = strstr(line, part);
        if (!at || at > end)
            fail_msg("%.*s does not hold %s", (int)(end - line), line, part);
        line = end + 1;
    }
}

static void every_row_meets_every_condition(void **state)
{
    (void)state;
    static const char *const where[] = {"city=Graz", "member=yes"};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(2);
    for (int k = 0; k < KINDS; k++) {
        const rf_fit_options options = rig_options(kinds[k], device, 10);
        rf_fitted *fitted = rig_fit(table, &options);
        char *text = rig_sample(fitted, 300, 4, where, 2);
        assert_int_equal(count_lines(text), 301);
        assert_every_line_holds(text, ",Graz,");
        assert_every_line_holds(text, ",yes,");
        char *fewer = rig_sample(fitted, 100, 4, where, 2);
        assert_true(strncmp(text, fewer, strlen(fewer)) == 0);
        free(text);
        free(fewer);
        rf_fitted_free(fitted);
    }
    rf_device_close(device);
    rf_table_free(table);
}

static void numbers_and_missing_cells_are_conditions_too(void **state)
{
    (void)state;
    static const char *const number[] = {"age=40"}, *const missing[] = {"age="};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(2);
    const rf_fit_options options = rig_options(RF_MODEL_TVAE, device, 60);
    rf_fitted *fitted = rig_fit(table, &options);
    char *text = rig_sample(fitted, 20, 4, number, 1);
    assert_int_equal(count_lines(text), 21);
    assert_every_line_holds(text, "40,");
    free(text);
    text = rig_sample(fitted, 5, 4, missing, 1);
    for (const char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1)
        assert_int_equal(line[0], ',');
    free(text);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

static rf_code ignore_rows(void *arg, const rf_table *rows, rf_error *err)
{
    (void)rows;
    (void)err;
    ++*(int *)arg;
    return RF_OK;
}

static void what_cannot_be_met_is_told_with_the_share(void **state)
{
    (void)state;
    rf_error err = {0};
    int calls = 0;
    /* No row of the table has both, and the model has learned nothing of it: ages of 18 and 77 at once are
     * impossible. */
    static const char *const never[] = {"age=18", "age=77"}, *const unknown[] = {"city=Paris"},
                             *const nowhere[] = {"town=Lyon"};
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(2);
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    rf_fitted *fitted = rig_fit(table, &options);
    const rf_sample_options impossible = {.n_rows = 10, .seed = 1, .where = never, .n_where = 2};
    assert_fails(rf_fitted_sample(fitted, &impossible, ignore_rows, &calls, &err), RF_EXHAUSTED,
                 "after 1000 batches only 0 of 10 rows");
    const rf_sample_options unseen = {.n_rows = 10, .seed = 1, .where = unknown, .n_where = 1};
    assert_fails(rf_fitted_sample(fitted, &unseen, ignore_rows, &calls, &err), RF_INPUT, "Paris");
    const rf_sample_options nameless = {.n_rows = 10, .seed = 1, .where = nowhere, .n_where = 1};
    assert_fails(rf_fitted_sample(fitted, &nameless, ignore_rows, &calls, &err), RF_INPUT, "town");
    assert_int_equal(calls, 0);
    rf_fitted_free(fitted);
    rf_device_close(device);
    rf_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_model_gives_the_same_rows),
        cmocka_unit_test(every_cut_and_every_changed_byte_of_a_model_file_is_refused),
        cmocka_unit_test(foreign_and_newer_files_are_refused_by_name),
        cmocka_unit_test(sizes_that_do_not_belong_together_are_refused_before_memory_is_taken),
        cmocka_unit_test(no_row_of_the_table_is_in_the_file),
        cmocka_unit_test(a_model_file_survives_every_failed_allocation_and_write),
        cmocka_unit_test(a_fit_survives_every_failed_allocation),
        cmocka_unit_test(rows_are_the_same_for_any_number_of_threads),
        cmocka_unit_test(a_short_result_is_the_beginning_of_a_long_one),
        cmocka_unit_test(no_rows_and_one_row_are_fine),
        cmocka_unit_test(every_row_meets_every_condition),
        cmocka_unit_test(numbers_and_missing_cells_are_conditions_too),
        cmocka_unit_test(what_cannot_be_met_is_told_with_the_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
