/* Files of many blocks: the same table from any number of threads and any instruction set, and the table
 * that a plain reader sees. */
#include <math.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "core/pool.h"
#include "csv_test.h"
#include "engine/table/csv_file.h"
#include "engine/table/csv_scan.h"

static uint32_t draw(uint32_t seed, uint32_t row, uint32_t column)
{
    return rf_philox_u32((rf_draw){.seed = seed, .step = row, .purpose = RF_DRAW_DEMO}, column);
}

/* ---------------------------------------------------------------- a file that has everything */

enum { COLUMNS = 9 };

/* Quoted cells with line ends are frequent, so that some lie where blocks meet. */
static void add_row(rf_buf *out, uint32_t seed, uint32_t row)
{
    static const char *const words[] = {"Oslo", "Rome",       "Paris", "a somewhat longer text here",
                                        "x, y", "say \"hi\"", "NA",    ""};
    const uint32_t w = draw(seed, row, 0);
    rf_buf_printf(out, "%u,", rf_uniform_below(draw(seed, row, 1), 100000));
    rf_buf_printf(out, "%.*f,", (int)(w % 4), draw(seed, row, 2) / 1e6);
    const char *word = words[w % 8];
    if (strpbrk(word, ",\"")) {
        rf_buf_puts(out, w % 8 == 4 ? "\"x, y\"," : "\"say \"\"hi\"\"\",");
    } else {
        rf_buf_printf(out, "%s,", word);
    }
    if (w % 16 == 0)
        rf_buf_printf(out, "\"line %u\n\nand \"\"%u\"\"\nend\",", row % 7, w % 5);
    else
        rf_buf_printf(out, "plain %u,", w % 50);
    rf_buf_printf(out, "id-%u,", row);
    rf_buf_printf(out, "20%02u-%02u-%02u,", w % 20, w % 12 + 1, w % 28 + 1);
    rf_buf_printf(out, "%u,", w % 3);
    rf_buf_printf(out, "%s,", w & 64 ? "true" : "false");
    if (w % 900 == 1)
        rf_buf_puts(out, "odd\n");
    else
        rf_buf_printf(out, "%u\n", w % 977);
}

static char *make_file(uint32_t seed, size_t size, size_t *size_bytes)
{
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "number,decimal,word,lines,key,day,few,flag,mixed\n");
    for (uint32_t row = 0; csv.size_bytes < size; row++)
        add_row(&csv, seed, row);
    *size_bytes = csv.size_bytes;
    return csv.data;
}

/* ---------------------------------------------------------------- the plain reader */

typedef struct plain_table {
    rf_buf *cells; /* n_rows * COLUMNS decoded texts */
    int64_t n_rows;
} plain_table;

static void plain_read(plain_table *out, const char *csv, size_t n)
{
    size_t capacity = 0;
    int64_t n_cells = 0;
    bool inside = false, begins = true;
    *out = (plain_table){0};
    for (size_t i = 0; i < n; i++) {
        if (begins) {
            if ((size_t)n_cells == capacity) {
                capacity = capacity ? capacity * 2 : 1024;
                out->cells = realloc(out->cells, capacity * sizeof *out->cells);
            }
            rf_buf_init(&out->cells[n_cells++]);
        }
        rf_buf *cell = &out->cells[n_cells - 1];
        if (inside && csv[i] == '"' && i + 1 < n && csv[i + 1] == '"')
            rf_buf_append(cell, &csv[i++], 1);
        else if (csv[i] == '"' && (inside || begins))
            inside = !inside;
        else if (inside || (csv[i] != ',' && csv[i] != '\n'))
            rf_buf_append(cell, &csv[i], 1);
        begins = !inside && (csv[i] == ',' || csv[i] == '\n');
    }
    out->n_rows = n_cells / COLUMNS - 1;
}

static void plain_free(plain_table *table)
{
    for (int64_t i = 0; i < (table->n_rows + 1) * COLUMNS; i++)
        rf_buf_free(&table->cells[i]);
    free(table->cells);
}

/* ---------------------------------------------------------------- the tests */

static void any_threads_and_any_instructions_give_the_same_table(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    size_t n;
    char *csv = make_file(1, 5 * RFI_CSV_BLOCK_BYTES + 12345, &n);
    assert_ok(csv_read(f, csv, n, NULL, &err));
    rf_table *first = f->table;
    f->table = NULL;
    csv_kinds(first, &f->text);
    assert_string_equal(
        f->text.data,
        "integer continuous categorical categorical id datetime categorical boolean categorical");
    assert_csv_noted(f, "column mixed: ");
    for (int threads = 1; threads <= 4; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        const rf_table_options options = {.pool = pool};
        for (int path = 0; path < 5; path++) {
            if (!rfi_csv_scan_force(path))
                continue;
            assert_ok(csv_read(f, csv, n, &options, &err));
            csv_assert_same(first, f->table);
        }
        rf_pool_free(pool);
    }
    rfi_csv_scan_force(-1);
    rf_table_free(first);
    free(csv);
}

static void every_cell_is_the_one_a_plain_reader_sees(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    for (uint32_t seed = 2; seed < 5; seed++) {
        size_t n;
        char *csv = make_file(seed, 3 * RFI_CSV_BLOCK_BYTES, &n);
        plain_table plain;
        plain_read(&plain, csv, n);
        assert_ok(csv_read(f, csv, n, NULL, &err));
        assert_int_equal(f->table->n_rows, plain.n_rows);
        for (int64_t r = 0; r < plain.n_rows; r++)
            for (int32_t c = 0; c < COLUMNS; c++) {
                const rf_buf *cell = &plain.cells[(r + 1) * COLUMNS + c];
                const char *text = cell->data ? cell->data : "";
                const rf_column *column = &f->table->columns[c];
                size_t length = 0;
                if (column->values && f->table->schema.fields[c].kind != RF_KIND_DATETIME)
                    assert_true(column->values[r] == strtod(text, NULL));
                if (!column->codes || strcmp(text, "NA") == 0)
                    continue;
                const char *got = rf_dict_text(&column->dict, column->codes[r], &length);
                assert_int_equal(length, cell->size_bytes);
                assert_memory_equal(got, text, length);
            }
        plain_free(&plain);
        free(csv);
    }
}

static void what_is_read_is_written_by_any_threads(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    size_t n;
    char *csv = make_file(7, 2 * RFI_CSV_BLOCK_BYTES, &n);
    assert_ok(csv_read(f, csv, n, NULL, &err));
    char *once = strdup(csv_written(f));
    assert_ok(csv_read(f, once, strlen(once), NULL, &err));
    assert_string_equal(csv_written(f), once);
    free(once);
    free(csv);
}

/* A quoted cell with line ends that is longer than a block. */
static void a_cell_may_be_longer_than_a_block(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const size_t long_bytes = 3 * RFI_CSV_BLOCK_BYTES;
    for (int where = 0; where < 3; where++) {
        rf_buf csv;
        rf_buf_init(&csv);
        rf_buf_puts(&csv, "a,b\n");
        for (int row = 0; row < 3; row++) {
            if (row == where) {
                rf_buf_puts(&csv, "1,\"");
                for (size_t i = 0; i < long_bytes; i++)
                    rf_buf_append(&csv, i % 50 ? "x" : "\n", 1);
                rf_buf_puts(&csv, "\"\n");
            } else {
                rf_buf_puts(&csv, "2,y\n");
            }
        }
        assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
        assert_int_equal(f->table->n_rows, 3);
        size_t length;
        rf_dict_text(&f->table->columns[1].dict, f->table->columns[1].codes[where], &length);
        assert_int_equal(length, long_bytes);
        assert_string_equal(csv_written(f), csv.data);
        rf_buf_puts(&csv, "3,z,w\n"); /* and lines behind it are still counted right */
        const long long line = 1 + 3 + (long long)(long_bytes / 50 + 1) + 1;
        char part[64];
        snprintf(part, sizeof part, "line %lld: 3 cells", line);
        assert_fails(csv_read(f, csv.data, csv.size_bytes, NULL, &err), RF_INPUT, part);
        rf_buf_free(&csv);
    }
}

/* Errors far into a file name the right line, for any number of threads. */
static void the_first_bad_row_is_named(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "a,b\n");
    for (int row = 0; row < 200000; row++)
        rf_buf_puts(&csv, row == 150000   ? "1\n"
                          : row == 180000 ? "1,2,3\n"
                          : row % 1000    ? "12345,x\n"
                                          : "12345,\"x\ny\"\n");
    for (int threads = 1; threads <= 3; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        const rf_table_options options = {.pool = pool};
        assert_fails(csv_read(f, csv.data, csv.size_bytes, &options, &err), RF_INPUT, "line 150152: 1 cell");
        rf_pool_free(pool);
    }
    rf_buf_free(&csv);
}

/* An id column of 100,000 texts keeps each once. */
static void many_distinct_texts_are_kept_once(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "key,x\n");
    for (int row = 0; row < 100000; row++)
        rf_buf_printf(&csv, "k%07d,1\n", row);
    rf_pool *pool = NULL;
    assert_ok(rf_pool_create(&pool, 3, &err));
    const rf_table_options options = {.pool = pool};
    assert_ok(csv_read(f, csv.data, csv.size_bytes, &options, &err));
    const rf_column *key = &f->table->columns[0];
    assert_int_equal(f->table->schema.fields[0].kind, RF_KIND_ID);
    assert_int_equal(key->dict.n, 100000);
    assert_int_equal(key->dict.offsets[100000], 800000);
    for (int row = 0; row < 100000; row++)
        assert_int_equal(key->codes[row], row);
    rf_pool_free(pool);
    rf_buf_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_threads_and_any_instructions_give_the_same_table, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(every_cell_is_the_one_a_plain_reader_sees, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(what_is_read_is_written_by_any_threads, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_cell_may_be_longer_than_a_block, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(the_first_bad_row_is_named, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(many_distinct_texts_are_kept_once, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
