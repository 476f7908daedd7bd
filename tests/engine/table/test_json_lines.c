/* Rows as one JSON object a line, and as text for a caller's own use. */
#include "engine/table/json_lines.h"
#include "rf_test.h"

static const char csv[] = "n,x,when,who \"is\",b,skip\n"
                          "1,0.10,2024-01-02,\"a \"\"b\"\"\",true,s1\n"
                          ",2.50,,c\\d,false,s2\n"
                          "3,-7.00,2023-12-31,c\\d,true,s3\n"
                          "4,1.00,2023-12-30,\"a \"\"b\"\"\",,s4\n";

static rf_table *read_table(void)
{
    rf_error err = {0};
    rf_table *table = NULL;
    const rf_type_override types[] = {{.column = "who \"is\"", .kind = RF_KIND_CATEGORICAL},
                                      {.column = "b", .kind = RF_KIND_BOOLEAN},
                                      {.column = "when", .kind = RF_KIND_DATETIME},
                                      {.column = "skip", .kind = RF_KIND_IGNORED}};
    const rf_table_options options = {.types = types, .n_types = 4};
    assert_ok(rf_table_read_bytes(&table, "t.csv", csv, sizeof csv - 1, &options, NULL, &err));
    return table;
}

static void rows_become_objects(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"n\":1,\"x\":0.10,\"when\":\"2024-01-02\",\"who \\\"is\\\"\":\"a \\\"b\\\"\",\"b\":true}\n"
        "{\"n\":null,\"x\":2.50,\"when\":null,\"who \\\"is\\\"\":\"c\\\\d\",\"b\":false}\n"
        "{\"n\":3,\"x\":-7.00,\"when\":\"2023-12-31\",\"who \\\"is\\\"\":\"c\\\\d\",\"b\":true}\n"
        "{\"n\":4,\"x\":1.00,\"when\":\"2023-12-30\",\"who \\\"is\\\"\":\"a \\\"b\\\"\",\"b\":null}\n";
    rf_error err = {0};
    rf_json_lines *lines = NULL;
    rf_buf out;
    rf_table *table = read_table();
    rf_buf_init(&out);
    assert_ok(rf_json_lines_open(&lines, &table->schema, &err));
    for (int64_t row = 0; row < table->n_rows; row++)
        rf_json_lines_row(lines, table, row, &out);
    assert_string_equal(out.data, expected);
    rf_json_lines_close(lines);
    rf_buf_free(&out);
    rf_table_free(table);
}

static rf_code take(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    rf_buf_append(arg, data, size_bytes);
    return rf_buf_check(arg, "text", err);
}

static void text_for_a_caller_is_the_text_of_a_file(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table_writer *writer = NULL;
    rf_buf expected, got;
    rf_table *table = read_table();
    rf_buf_init(&expected);
    rf_buf_init(&got);
    assert_ok(rf_table_format(table, &expected, &err));
    assert_ok(rf_table_writer_open_to(&writer, take, &got, &table->schema, NULL, &err));
    assert_ok(rf_table_writer_append(writer, table, &err));
    assert_ok(rf_table_writer_commit(writer, &err));
    rf_table_writer_close(writer);
    assert_string_equal(got.data, expected.data);
    rf_buf_free(&expected);
    rf_buf_free(&got);
    rf_table_free(table);
}

static rf_code refuse(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    (void)arg;
    (void)data;
    (void)size_bytes;
    return rf_fail(err, RF_INTERRUPTED, "enough");
}

static void caller_who_wants_no_more_is_heard(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_table_writer *writer = NULL;
    rf_table *table = read_table();
    assert_fails(rf_table_writer_open_to(&writer, refuse, NULL, &table->schema, NULL, &err), RF_INTERRUPTED,
                 "enough");
    assert_null(writer);
    rf_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_become_objects),
                                       cmocka_unit_test(text_for_a_caller_is_the_text_of_a_file),
                                       cmocka_unit_test(caller_who_wants_no_more_is_heard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
