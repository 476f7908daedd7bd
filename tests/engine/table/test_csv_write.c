/* The writer, the schema's bytes, and what happens when memory or the disk runs out. */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"
#include "core/pool.h"
#include "csv_test.h"

static const char everything[] = "n,d,w,f,t,k\n"
                                 "1,2.50,\"x, y\",yes,2020-01-01,a1\n"
                                 ",3.25,\"say \"\"hi\"\"\",no,,a2\n"
                                 "-30,,z,yes,2021-12-31,a3\n"
                                 "100000000,0.75,\"NA\",,2022-06-15,a4\n"
                                 "5,1.00,NA,no,2020-02-29,\"a5\n\"\n";

/* ---------------------------------------------------------------- files */

typedef struct folder {
    char path[64], file[96];
} folder;

static folder make_folder(void)
{
    folder made = {.path = "/tmp/rf_csv_write_XXXXXX"};
    assert_non_null(mkdtemp(made.path));
    snprintf(made.file, sizeof made.file, "%s/out.csv", made.path);
    return made;
}

/* Fails unless the folder is empty: a temporary file left behind keeps rmdir from working. */
static void remove_folder(const folder *made)
{
    unlink(made->file);
    if (rmdir(made->path) != 0) {
        print_error("%s: %s\n", made->path, strerror(errno));
        fail();
    }
}

static char *content(const char *path)
{
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, path, &err));
    char *copy = strndup(bytes.data, bytes.size_bytes);
    rf_file_bytes_close(&bytes);
    return copy;
}

static rf_code write_table(const rf_table *table, const char *path, const rf_write_options *options,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_writer *writer = NULL;
    RF_TRY(rf_table_writer_open(&writer, path, &table->schema, options, err));
    RF_TRY(rf_table_writer_append(writer, table, err));
    RF_TRY(rf_table_writer_commit(writer, err));
out:
    rf_table_writer_close(writer);
    return rc;
}

static void a_file_gets_the_bytes_that_memory_gets(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const folder made = make_folder();
    assert_ok(csv_read_text(f, everything, NULL, &err));
    for (int threads = 1; threads <= 3; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        const rf_write_options options = {.pool = pool};
        assert_ok(write_table(f->table, made.file, &options, &err));
        char *written = content(made.file);
        assert_string_equal(written, csv_written(f));
        assert_string_equal(written, everything);
        free(written);
        rf_pool_free(pool);
    }
    remove_folder(&made);
}

static void parts_follow_each_other_under_one_header(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const folder made = make_folder();
    assert_ok(csv_read_text(f, "a,b\n1,x\n2,y\n", NULL, &err));
    rf_table_writer *writer = NULL;
    assert_ok(rf_table_writer_open(&writer, made.file, &f->table->schema, NULL, &err));
    assert_ok(rf_table_writer_append(writer, f->table, &err));
    assert_ok(rf_table_writer_append(writer, f->table, &err));
    assert_ok(rf_table_writer_commit(writer, &err));
    rf_table_writer_close(writer);
    char *written = content(made.file);
    assert_string_equal(written, "a,b\n1,x\n2,y\n1,x\n2,y\n");
    free(written);
    remove_folder(&made);
}

static void without_a_commit_nothing_stays(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const folder made = make_folder();
    assert_ok(csv_read_text(f, everything, NULL, &err));
    rf_table_writer *writer = NULL;
    assert_ok(rf_table_writer_open(&writer, made.file, &f->table->schema, NULL, &err));
    assert_ok(rf_table_writer_append(writer, f->table, &err));
    rf_table_writer_close(writer);
    assert_int_equal(access(made.file, F_OK), -1);
    remove_folder(&made);
}

static void a_tsv_file_has_tabs(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    folder made = make_folder();
    assert_ok(csv_read_text(f, "a,b\n1,\"x\ty\"\n2,\"p,q\"\n3,r\n", NULL, &err));
    assert_ok(write_table(f->table, made.file, &(rf_write_options){.format = "tsv"}, &err));
    char *written = content(made.file);
    assert_string_equal(written, "a\tb\n1\t\"x\ty\"\n2\tp,q\n3\tr\n");
    free(written);
    remove_folder(&made);
}

static void a_decimal_comma_between_commas_is_quoted(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "a;b\n1,5;x\n2,25;y\n", NULL, &err));
    f->table->schema.dialect.delimiter = ',';
    assert_string_equal(csv_written(f), "a,b\n\"1,5\",x\n\"2,25\",y\n");
}

/* A table made by hand, as a generator makes them: values that no file ever held. */
static void a_made_table_is_written(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "n,d,e,w\n1,2.5,0.1,x\n2,3.25,1e-20,y\n", NULL, &err));
    rf_table *made = NULL;
    assert_ok(rf_table_create(&made, &f->table->schema, 4, &err));
    assert_int_equal(made->columns[3].codes[0], -1);
    assert_true(isnan(made->columns[0].values[3]));
    assert_ok(rf_table_set_dict(made, 3, &f->table->columns[3].dict, &err));
    static const double n[] = {-123456789, 0.4, -0.2, 1e15}, d[] = {0.125, -0.001, 1e18, 7};
    static const double e[] = {0.30000000000000004, 1e300, -5, 0};
    for (int r = 0; r < 4; r++) {
        made->columns[0].values[r] = n[r];
        made->columns[1].values[r] = d[r];
        made->columns[2].values[r] = e[r];
        made->columns[3].codes[r] = r % 3 - 1;
    }
    rf_buf_clear(&f->text);
    assert_ok(rf_table_format(made, &f->text, &err));
    assert_string_equal(f->text.data, "n,d,e,w\n-123456789,0.12,0.30000000000000004,\n0,0.0,1e+300,x\n0,"
                                      "1000000000000000000.0,-5,y\n1000000000000000,7.0,0,\n");
    rf_table_free(made);
}

static void ignored_columns_are_left_out(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_type_override type = {.column = "b", .kind = RF_KIND_IGNORED};
    const rf_table_options options = {.types = &type, .n_types = 1};
    assert_ok(csv_read_text(f, "a,b,c\n1,x,5\n2,y,6\n", &options, &err));
    assert_string_equal(csv_written(f), "a,c\n1,5\n2,6\n");
    rf_table *made = NULL;
    assert_ok(rf_table_create(&made, &f->table->schema, 1, &err));
    assert_int_equal(made->schema.n_fields, 2);
    assert_string_equal(made->schema.fields[1].name, "c");
    rf_table_free(made);
}

/* ---------------------------------------------------------------- schemas */

static void a_schema_comes_back_from_its_bytes(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_type_override type = {.column = "k", .kind = RF_KIND_ID, .regex = "a\\d", .primary_key = true};
    const rf_table_options options = {.types = &type, .n_types = 1};
    assert_ok(csv_read_text(f, everything, &options, &err));
    rf_buf bytes, again;
    rf_buf_init(&bytes);
    rf_buf_init(&again);
    rf_schema_store(&f->table->schema, &bytes);
    rf_arena arena;
    rf_arena_init(&arena);
    rf_schema loaded;
    rf_reader reader;
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    assert_ok(rf_schema_load(&loaded, &arena, &reader, &err));
    assert_int_equal(rf_reader_left(&reader), 0);
    rf_schema_store(&loaded, &again);
    assert_int_equal(again.size_bytes, bytes.size_bytes);
    assert_memory_equal(again.data, bytes.data, bytes.size_bytes);
    assert_string_equal(loaded.fields[5].regex, "a\\d");
    assert_null(loaded.fields[4].regex);
    assert_true(loaded.fields[5].primary_key && loaded.fields[4].kind == RF_KIND_DATETIME);
    /* cut anywhere, or with a byte turned, it is refused or still a schema: never a crash */
    for (size_t n = 0; n < bytes.size_bytes; n++) {
        rf_reader_init(&reader, bytes.data, n);
        assert_fails(rf_schema_load(&loaded, &arena, &reader, &err), RF_CORRUPT, "schema is damaged");
    }
    for (size_t n = 0; n < bytes.size_bytes; n++) {
        bytes.data[n] = (char)~bytes.data[n];
        rf_reader_init(&reader, bytes.data, bytes.size_bytes);
        const rf_code rc = rf_schema_load(&loaded, &arena, &reader, &err);
        assert_true(rc == RF_OK || rc == RF_CORRUPT);
        bytes.data[n] = (char)~bytes.data[n];
    }
    rf_arena_free(&arena);
    rf_buf_free(&bytes);
    rf_buf_free(&again);
}

/* ---------------------------------------------------------------- failure as an input */

static rf_code read_and_write(const char *csv, size_t n, const char *path, rf_pool *pool)
{
    rf_code rc = RF_OK;
    rf_error error = {0}, *err = &error;
    rf_table *table = NULL;
    const rf_type_override type = {.column = "k", .kind = RF_KIND_ID, .regex = "a\\d"};
    const rf_table_options options = {.pool = pool, .types = &type, .n_types = 1};
    RF_TRY(rf_table_read_bytes(&table, "t.csv", csv, n, &options, NULL, err));
    RF_TRY(write_table(table, path, &(rf_write_options){.pool = pool}, err));
out:
    rf_table_free(table);
    if (rc == RF_OK)
        return rc;
    assert_true(error.code == rc && error.message[0]);
    return rc;
}

/* A late odd cell in `n`, so that the second reading fails too. */
static char *longer(size_t *size)
{
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, everything);
    for (int i = 0; i < 1200; i++)
        rf_buf_printf(&csv, "%d,4.5,w%d,yes,2020-01-%02d,b%d\n", i, i % 30, i % 28 + 1, i);
    rf_buf_puts(&csv, "odd,1,\"a \"\"text\"\" that is longer than the others\",no,2020-01-01,c\n");
    *size = csv.size_bytes;
    return csv.data;
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    rf_error err = {0};
    const folder made = make_folder();
    size_t size;
    char *csv = longer(&size);
    for (int threads = 1; threads <= 2; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        bool done = false;
        int64_t n = 1;
        for (; !done; n++) {
            rf_alloc_fail_at(n);
            const rf_code rc = read_and_write(csv, size, made.file, pool);
            done = rf_alloc_count() < n;
            rf_alloc_fail_at(0);
            if (done)
                assert_int_equal(rc, RF_OK);
            else if (rc != RF_OK)
                assert_int_equal(rc, RF_NO_MEMORY);
            assert_true(rc == RF_OK || access(made.file, F_OK) == -1);
            unlink(made.file);
        }
        assert_true(n > 100);
        rf_pool_free(pool);
    }
    free(csv);
    remove_folder(&made);
}

static void every_failing_write_is_survived(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const folder made = make_folder();
    assert_ok(csv_read_text(f, everything, NULL, &err));
    bool done = false;
    int64_t n = 1;
    for (; !done; n++) {
        rf_file_fail_at(n);
        err = (rf_error){0};
        const rf_code rc = write_table(f->table, made.file, NULL, &err);
        done = rf_file_op_count() < n;
        rf_file_fail_at(0);
        if (done) {
            assert_ok(rc);
        } else {
            assert_int_equal(rc, RF_IO);
            assert_non_null(strstr(err.message, "out.csv"));
            assert_int_equal(access(made.file, F_OK), -1);
        }
    }
    assert_true(n > 3);
    remove_folder(&made);
}

/* ---------------------------------------------------------------- real tables */

static void real_tables_come_back_as_they_were(void **state)
{
    csv_fixture *const f = *state;
    static const char *const names[] = {"adult.csv", "adult_test.csv", "default.csv", "magic.csv",
                                        "student_placements_real.csv"};
    const char *folder_name = getenv("ROWFORGE_DATA");
    int n_read = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rf_error err = {0};
        char path[512];
        rf_file_bytes bytes;
        snprintf(path, sizeof path, "%s/%s", folder_name ? folder_name : RF_TEST_DATA "/../../shared/data",
                 names[i]);
        if (rf_file_bytes_open(&bytes, path, &err) != RF_OK)
            continue;
        assert_ok(csv_read(f, bytes.data, bytes.size_bytes, NULL, &err));
        const char *back = csv_written(f);
        assert_int_equal(f->text.size_bytes, bytes.size_bytes);
        assert_memory_equal(back, bytes.data, bytes.size_bytes);
        rf_file_bytes_close(&bytes);
        n_read++;
    }
    if (!n_read) {
        print_message("no real tables here (ROWFORGE_DATA): skipped\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_gets_the_bytes_that_memory_gets, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(parts_follow_each_other_under_one_header, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(without_a_commit_nothing_stays, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_tsv_file_has_tabs, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_decimal_comma_between_commas_is_quoted, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_made_table_is_written, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(ignored_columns_are_left_out, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_schema_comes_back_from_its_bytes, csv_set_up, csv_tear_down),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test_setup_teardown(every_failing_write_is_survived, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(real_tables_come_back_as_they_were, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
