/* What is wrong with a file, and the sentence for it. */
#include "csv_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

/* ---------------------------------------------------------------- content */

typedef struct bad_example {
    const char *title, *csv;
    size_t size_bytes; /* 0: as a string */
    rf_code code;
    const char *part;
} bad_example;

static const bad_example examples[] = {
    {"nothing", "", 0, RF_INPUT, "t.csv is empty"},
    {"only line ends", "\n\r\n\n", 0, RF_INPUT, "t.csv is empty"},
    {"only a byte order mark", "\xEF\xBB\xBF", 0, RF_INPUT, "is empty"},
    {"header only", "a,b\n", 0, RF_INPUT, "has a header but no rows"},
    {"header without its line end", "a,b", 0, RF_INPUT, "has a header but no rows"},
    {"one row", "a,b\n1,2\n", 0, RF_INPUT, "has only one row"},
    {"a short row", "a,b,c\n1,2,3\n1,2\n1,2,3\n", 0, RF_INPUT, "line 3: 2 cells where the table has 3"},
    {"a long row", "a,b\n1,2\n1,2\n1,2,3\n", 0, RF_INPUT, "line 4: 3 cells where the table has 2"},
    {"one cell", "a,b\n1,2\nx\n", 0, RF_INPUT, "line 3: 1 cell where the table has 2"},
    {"short and long rows that even out", "a,b\n1\n1,2,3\n", 0, RF_INPUT, "line 2: 1 cell where"},
    {"an empty line between rows", "a,b\n1,2\n\n3,4\n", 0, RF_INPUT, "line 3: the line is empty"},
    {"the line after a quoted line end", "a,b\n\"x\ny\",2\n1\n", 0, RF_INPUT, "line 4: 1 cell"},
    {"an unclosed quote", "a,b\n1,\"x\n2,y\n3,z\n", 0, RF_INPUT,
     "line 2: a quote opens a cell and is never closed"},
    {"an unclosed quote later", "a,b\n1,x\n\"q\nr\",y\n2,\"x\n2,y\n", 0, RF_INPUT, "line 5: a quote opens"},
    {"an unclosed quote in the header", "a,\"b\n1,x\n", 0, RF_INPUT, "line 1: a quote opens in the header"},
    {"text after a closing quote", "a,b\n1,x\n2,\"y\"z\n3,w\n", 0, RF_INPUT,
     "line 3, column 2: a quoted cell goes on after its closing quote: \"y\"z"},
    {"a name after its closing quote", "\"a\"b,c\n1,2\n3,4\n", 0, RF_INPUT, "line 1: a quoted name"},
    {"a zero byte", "a,b\n1,\0\n2,3\n", 12, RF_INPUT, "is a binary file"},
    {"an invalid byte", "a,b\n1,x\n2,J\xE9\n", 0, RF_INPUT,
     "line 3: byte 12 of the file (0xE9) is not UTF-8"},
    {"an invalid byte in the header", "a,\xFF\n1,x\n2,y\n", 0, RF_INPUT, "line 1: byte 3 of the file (0xFF)"},
    {"half a character at the end", "a,b\n1,x\n2,\xC3", 0, RF_INPUT, "line 3: byte 11 of the file (0xC3)"},
    {"a surrogate", "a,b\n1,\xED\xA0\x80\n2,y\n", 0, RF_INPUT, "line 2: byte 7"},
    {"gzip", "\x1F\x8B\x08\x00", 4, RF_INPUT, "is compressed with gzip; unpack it first"},
    {"zip",
     "PK\x03\x04"
     "abc",
     0, RF_INPUT, "zip archive or a spreadsheet"},
    {"Parquet", "PAR1abc", 0, RF_INPUT, "Parquet"},
    {"UTF-16",
     "\xFF\xFE"
     "a\0",
     4, RF_INPUT, "is UTF-16; save it as UTF-8"},
    {"infinity", "a,b\n1,x\ninf,y\n3,z\n", 0, RF_INPUT, "line 3, column a: \"inf\" is not a finite number"},
    {"minus infinity", "a,b\n1.5,x\n2.5,z\n-Infinity,y\n", 0, RF_INPUT, "line 4, column a: \"-Infinity\""},
    {"beyond a double", "a,b\n1,x\n1e999,y\n", 0, RF_INPUT, "line 3, column a: \"1e999\""},
};

static void each_bad_file_gets_its_sentence(void **state)
{
    csv_fixture *const f = *state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        rf_error err = {0};
        const size_t n = examples[i].size_bytes ? examples[i].size_bytes : strlen(examples[i].csv);
        const rf_code rc = csv_read(f, examples[i].csv, n, NULL, &err);
        if (rc != examples[i].code || !strstr(err.message, examples[i].part)) {
            print_error("%s: %s \"%s\" instead of \"%s\"\n", examples[i].title, rf_code_name(rc), err.message,
                        examples[i].part);
            fail();
        }
        assert_null(f->table);
    }
}

static void infinity_late_among_few_values_is_found(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "a,b\n");
    for (int i = 0; i < 3000; i++)
        rf_buf_printf(&csv, "%d,x\n", i % 3);
    rf_buf_puts(&csv, "inf,x\n");
    assert_fails(csv_read(f, csv.data, csv.size_bytes, NULL, &err), RF_INPUT, "line 3002, column a");
    rf_buf_free(&csv);
}

static void one_column_is_no_plural(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_fails(csv_read_text(f, "a\n1\n2,3\n", NULL, &err), RF_INPUT,
                 "line 3: 2 cells where the table has 1");
    assert_null(strstr(err.message, "columns"));
}

static void one_row_may_be_allowed(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_table_options options = {.allow_one_row = true};
    assert_ok(csv_read_text(f, "a,b\n1,x\n", &options, &err));
    assert_int_equal(f->table->n_rows, 1);
}

/* ---------------------------------------------------------------- declared kinds */

static void a_cell_that_does_not_fit_its_declared_kind_is_refused(void **state)
{
    csv_fixture *const f = *state;
    static const struct {
        rf_kind kind;
        const char *csv, *part, *format;
    } cases[] = {
        {RF_KIND_INTEGER, "a,b\n1,x\nabc,y\n", "line 3, column a: \"abc\" is not a number", NULL},
        {RF_KIND_INTEGER, "a,b\n1,x\n2.5,y\n", "line 3, column a: \"2.5\" is not a whole number", NULL},
        {RF_KIND_INTEGER, "a,b\n1,x\n12345678901234567,y\n", "is beyond 2^53", NULL},
        {RF_KIND_CONTINUOUS, "a,b\n1.5,x\n1.5.5,y\n", "line 3, column a: \"1.5.5\"", NULL},
        {RF_KIND_CONTINUOUS, "a,b\n1.5,x\n-inf,y\n", "is not a finite number", NULL},
        {RF_KIND_BOOLEAN, "a,b\non,x\noff,y\nmaybe,z\n", "line 4, column a: \"maybe\" is a third text", NULL},
        {RF_KIND_DATETIME, "a,b\n2020-01-01,x\nsoon,y\n", "column a", NULL},
        {RF_KIND_DATETIME, "a,b\n01.02.2020,x\n2020-01-01,y\n",
         "line 3, column a: \"2020-01-01\" is not in the date format", "%d.%m.%Y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_error err = {0};
        const rf_type_override type = {
            .column = "a", .kind = cases[i].kind, .datetime_format = cases[i].format};
        const rf_table_options options = {.types = &type, .n_types = 1};
        assert_fails(csv_read_text(f, cases[i].csv, &options, &err), RF_INPUT, cases[i].part);
    }
}

static void a_type_for_a_column_that_is_not_there_is_usage(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_type_override type = {.column = "ages", .kind = RF_KIND_INTEGER};
    const rf_table_options options = {.types = &type, .n_types = 1};
    assert_fails(csv_read_text(f, "age,b\n1,x\n2,y\n", &options, &err), RF_USAGE, "no column \"ages\"");
    assert_non_null(strstr(err.message, "did you mean \"age\"?"));
    const rf_type_override bad = {.column = "age", .kind = RF_KIND_DATETIME, .datetime_format = "%Q"};
    const rf_table_options options_bad = {.types = &bad, .n_types = 1};
    assert_fails(csv_read_text(f, "age,b\n1,x\n2,y\n", &options_bad, &err), RF_USAGE, "datetime format");
}

/* ---------------------------------------------------------------- files */

static void files_that_are_none_are_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table *table = NULL;
    assert_fails(rf_table_read(&table, "/nowhere/at/all.csv", NULL, NULL, &err), RF_NOT_FOUND,
                 "does not exist");
    assert_fails(rf_table_read(&table, "/tmp", NULL, NULL, &err), RF_INPUT, "/tmp is a folder");
    assert_fails(rf_table_read(&table, "people.xlsx", NULL, NULL, &err), RF_INPUT,
                 "not read by this version");
    assert_fails(rf_table_read(&table, "people.PARQUET", NULL, NULL, &err), RF_INPUT,
                 "not read by this version");
    assert_fails(rf_table_read(&table, "people.jsonl", NULL, NULL, &err), RF_INPUT,
                 "not read by this version");
    assert_fails(rf_table_read(&table, "x.csv", &(rf_table_options){.format = "yaml"}, NULL, &err), RF_USAGE,
                 "no format \"yaml\"");
    assert_fails(rf_table_format_check("out.json", NULL, true, &err), RF_INPUT,
                 "not written by this version");
    assert_fails(rf_table_format_check("out.csv.gz", NULL, true, &err), RF_INPUT,
                 "compressed files are not written");
    assert_int_equal(rf_table_format_check("in.csv.gz", NULL, false, &err), RF_OK);
    assert_int_equal(rf_table_format_check("out.csv", NULL, true, &err), RF_OK);
    assert_int_equal(rf_table_format_check("-", NULL, true, &err), RF_OK);
    assert_int_equal(rf_table_format_check("out.d/x", NULL, true, &err), RF_OK);
    assert_null(table);
}

/* ---------------------------------------------------------------- sizes */

static void more_than_ten_thousand_columns_are_refused(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    for (int n = RF_COLUMNS_MAX; n <= RF_COLUMNS_MAX + 1; n++) {
        rf_buf csv;
        rf_buf_init(&csv);
        for (int row = 0; row < 3; row++)
            for (int c = 0; c < n; c++)
                rf_buf_printf(&csv, "%s%d%s", row ? "" : "c", c, c + 1 < n ? "," : "\n");
        if (n <= RF_COLUMNS_MAX) {
            assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
            assert_int_equal(f->table->schema.n_fields, n);
            assert_string_equal(csv_written(f), csv.data);
        } else {
            assert_fails(csv_read(f, csv.data, csv.size_bytes, NULL, &err), RF_INPUT,
                         "10001 columns; at most 10000");
        }
        rf_buf_free(&csv);
    }
}

/* A file of holes: 65 MiB of nothing between two line ends. */
static void a_line_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *part;
        bool in_header;
    } cases[] = {
        {"a,b\n1,2\n3,", "line 3: the line is longer than 64 MiB", false},
        {"a,", "line 1: the header is longer than 64 MiB", true},
    };
    const size_t size = (size_t)66 << 20;
    char *bytes = malloc(size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_error err = {0};
        rf_table *table = NULL;
        memset(bytes, 'x', size);
        memcpy(bytes, cases[i].begin, strlen(cases[i].begin));
        memcpy(bytes + size - 5, "\n4,5\n", 5);
        assert_fails(rf_table_read_bytes(&table, "t.csv", bytes, size, NULL, NULL, &err), RF_INPUT,
                     cases[i].part);
    }
    /* the same in one quoted cell with line ends */
    rf_error err = {0};
    rf_table *table = NULL;
    for (size_t i = 0; i < size; i++)
        bytes[i] = i % 1000 ? 'x' : '\n';
    memcpy(bytes, "a,b\n1,2\n3,\"", 11);
    memcpy(bytes + size - 6, "\"\n4,5\n", 6);
    assert_fails(rf_table_read_bytes(&table, "t.csv", bytes, size, NULL, NULL, &err), RF_INPUT,
                 "line 3: a quote opens a cell of more than 64 MiB");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_bad_file_gets_its_sentence, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(infinity_late_among_few_values_is_found, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(one_column_is_no_plural, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(one_row_may_be_allowed, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_cell_that_does_not_fit_its_declared_kind_is_refused, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(a_type_for_a_column_that_is_not_there_is_usage, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test(files_that_are_none_are_refused),
        cmocka_unit_test_setup_teardown(more_than_ten_thousand_columns_are_refused, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test(a_line_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
