/* Files that several threads read: the same table, and the same first fault, as from one. */
#include "core/alloc.h"
#include "core/philox.h"
#include "core/pool.h"
#include "csv_test.h"
#include "engine/table/csv_file.h"
#include "engine/table/csv_reader.h"

enum { THREADS_MAX = 4 };

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 12, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- the same table */

static void assert_any_threads_agree(csv_fixture *f, const rf_buf *csv)
{
    rf_error err = {0};
    assert_ok(csv_read(f, csv->data, csv->size_bytes, NULL, &err));
    rf_table *alone = f->table;
    f->table = NULL;
    for (int threads = 2; threads <= THREADS_MAX; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        const rf_table_options options = {.pool = pool};
        assert_ok(csv_read(f, csv->data, csv->size_bytes, &options, &err));
        csv_assert_same(alone, f->table);
        rf_pool_free(pool);
    }
    rf_table_free(alone);
}

/* Few texts, known early; few that come late; so many that a reader forgets them; so many that the column is put off; and tokens,
 * with quotes and without. */
static void texts_of_any_number_have_the_same_codes(void **state)
{
    csv_fixture *const f = *state;
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "few,late,some,many,tokens,all\n");
    for (uint32_t row = 0; csv.size_bytes < 12 * RFI_CSV_BLOCK_BYTES; row++) {
        const uint32_t w = draw(row, 0), slow = 1 + row / 2000;
        rf_buf_printf(&csv, "%s,w%u,\"s%u, twice\",a longer text \"%u,", w & 1 ? "yes" : "perhaps",
                      draw(row, 1) % slow, draw(row, 2) % RFI_OWN_TEXTS, draw(row, 3) % 30000);
        rf_buf_printf(&csv, "%s,\"\"\"%u\"\" of all\"\n",
                      w % 7 == 0   ? "NA"
                      : w % 7 == 1 ? "\"NA\""
                      : w % 7 == 2 ? "\" null \""
                      : w % 7 == 3 ? ""
                                   : "text",
                      row);
    }
    assert_any_threads_agree(f, &csv);
    assert_true(f->table->columns[2].dict.n == RFI_OWN_TEXTS && f->table->columns[3].dict.n > RFI_OWN_TEXTS);
    rf_buf_free(&csv);
}

/* The first rows are long: far more follow than they let expect, and the columns move while blocks are read. */
static void more_rows_come_than_were_expected(void **state)
{
    csv_fixture *const f = *state;
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "number,text,decimal\n");
    for (uint32_t row = 0; csv.size_bytes < 10 * RFI_CSV_BLOCK_BYTES; row++) {
        const int width = csv.size_bytes < RFI_CSV_BLOCK_BYTES ? 900 : csv.size_bytes < 4 << 20 ? 40 : 1;
        rf_buf_printf(&csv, "%u,%0*u,%u.5\n", row, width, draw(row, 0) % 100, row % 90);
    }
    assert_any_threads_agree(f, &csv);
    rf_buf_free(&csv);
}

/* Quoted cells with line ends: some span a few pieces, so that a block is read by a later task, or two by one. */
static void cells_that_span_pieces_are_read_once(void **state)
{
    csv_fixture *const f = *state;
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "a,b\n");
    for (uint32_t row = 0; csv.size_bytes < 12 * RFI_CSV_BLOCK_BYTES; row++) {
        const uint32_t lines = row % 3000 == 2999 ? 40000 : draw(row, 0) % 20;
        rf_buf_printf(&csv, "%u,\"", row);
        for (uint32_t i = 0; i < lines; i++)
            rf_buf_printf(&csv, "line %u, \"\"x\"\"\n", i % 10);
        rf_buf_puts(&csv, "\"\n");
    }
    assert_any_threads_agree(f, &csv);
    rf_buf_free(&csv);
}

/* Every reader's own texts of so many columns would need many times the table's memory. */
static void readers_of_a_wide_table_keep_no_texts(void **state)
{
    enum { COLUMNS = 3000, TEXTS = 100, THREADS = 4 };
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_pool *pool = NULL;
    rf_buf csv;
    rf_buf_init(&csv);
    for (uint32_t c = 0; c < COLUMNS; c++)
        rf_buf_printf(&csv, "c%u%c", c, c + 1 < COLUMNS ? ',' : '\n');
    for (uint32_t row = 0; csv.size_bytes < 12 * RFI_CSV_BLOCK_BYTES; row++)
        for (uint32_t c = 0; c < COLUMNS; c++)
            rf_buf_printf(&csv, "t%u%c", draw(row, c) % TEXTS, c + 1 < COLUMNS ? ',' : '\n');
    assert_any_threads_agree(f, &csv);
    rf_alloc_fail_at(0);
    assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
    const int64_t n_alone = rf_alloc_count();
    assert_ok(rf_pool_create(&pool, THREADS, &err));
    const rf_table_options options = {.pool = pool};
    rf_alloc_fail_at(0);
    assert_ok(csv_read(f, csv.data, csv.size_bytes, &options, &err));
    assert_true(rf_alloc_count() < n_alone + COLUMNS);
    rf_pool_free(pool);
    rf_buf_free(&csv);
}

/* ---------------------------------------------------------------- the same fault */

typedef struct fault {
    const char *row, *part;
} fault;

static const fault faults[] = {
    {"1,2,3\n", "3 cells where the table has 2"},
    {"1,\"x\"y\n", "a quoted cell goes on after its closing quote: \"x\"y"},
    {"1,\xFF\n", "is not UTF-8"},
    {"1\n", "1 cell where the table has 2"},
};
enum { FAULTS = sizeof faults / sizeof *faults };

/* Two faults, as far from each other as some pieces, or one. Closer ones lie in one piece, which is looked at as a whole before its rows are read. */
static void the_first_of_two_faults_is_told(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    static const size_t distances[] = {5 * RFI_CSV_BLOCK_BYTES / 2, RFI_CSV_BLOCK_BYTES};
    for (int first = 0; first < FAULTS; first++)
        for (int second = 0; second < FAULTS; second++)
            for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
                rf_buf csv;
                int64_t line = 1;
                rf_buf_init(&csv);
                rf_buf_puts(&csv, "a,b\n");
                for (; csv.size_bytes < 2 * RFI_CSV_BLOCK_BYTES; line++)
                    rf_buf_puts(&csv, "12345,\"a text\"\n");
                rf_buf_puts(&csv, faults[first].row);
                const size_t until = csv.size_bytes + distances[d];
                while (csv.size_bytes < until)
                    rf_buf_puts(&csv, "12345,\"a text\"\n");
                rf_buf_puts(&csv, faults[second].row);
                char where[64];
                snprintf(where, sizeof where, "line %lld", (long long)line + 1);
                for (int threads = 1; threads <= THREADS_MAX; threads++) {
                    rf_pool *pool = NULL;
                    assert_ok(rf_pool_create(&pool, threads, &err));
                    const rf_table_options options = {.pool = pool};
                    assert_fails(csv_read(f, csv.data, csv.size_bytes, &options, &err), RF_INPUT,
                                 faults[first].part);
                    assert_non_null(strstr(err.message, where));
                    rf_pool_free(pool);
                }
                rf_buf_free(&csv);
            }
}

static void an_unclosed_quote_is_told_after_the_faults_before_it(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    for (int with_fault = 0; with_fault < 2; with_fault++) {
        rf_buf csv;
        rf_buf_init(&csv);
        rf_buf_puts(&csv, "a,b\n");
        for (uint32_t row = 0; csv.size_bytes < 3 * RFI_CSV_BLOCK_BYTES; row++)
            rf_buf_puts(&csv, with_fault && row == 30000 ? "1,\"x\"y\n" : "12345,text\n");
        rf_buf_puts(&csv, "1,\"open\n");
        while (csv.size_bytes < 6 * RFI_CSV_BLOCK_BYTES)
            rf_buf_puts(&csv, "12345,text\n");
        for (int threads = 1; threads <= THREADS_MAX; threads++) {
            rf_pool *pool = NULL;
            assert_ok(rf_pool_create(&pool, threads, &err));
            const rf_table_options options = {.pool = pool};
            assert_fails(csv_read(f, csv.data, csv.size_bytes, &options, &err), RF_INPUT,
                         with_fault ? "line 30002, column 2: a quoted cell goes on" : "is never closed");
            rf_pool_free(pool);
        }
        rf_buf_free(&csv);
    }
}

/* ---------------------------------------------------------------- without memory */

static void any_allocation_may_fail(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "a,b,c\n");
    for (uint32_t row = 0; csv.size_bytes < 2 * RFI_CSV_BLOCK_BYTES; row++)
        rf_buf_printf(&csv, "%u,\"key \"\"%u\"\"\",%s\n", row % 500 == 77 ? 0 : row, row,
                      row % 3 ? "some text" : "another which is somewhat longer than others are");
    assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
    rf_table *whole = f->table;
    f->table = NULL;
    for (int threads = 2; threads <= 3; threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, threads, &err));
        const rf_table_options options = {.pool = pool};
        bool done = false;
        for (int64_t nth = 1; !done; nth++) {
            rf_alloc_fail_at(nth);
            const rf_code rc = csv_read(f, csv.data, csv.size_bytes, &options, &err);
            done = rf_alloc_count() < nth;
            rf_alloc_fail_at(0);
            assert_true(rc == RF_OK || (rc == RF_NO_MEMORY && !done));
            if (rc == RF_OK)
                csv_assert_same(whole, f->table);
        }
        rf_pool_free(pool);
    }
    rf_table_free(whole);
    rf_buf_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(texts_of_any_number_have_the_same_codes, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(more_rows_come_than_were_expected, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(cells_that_span_pieces_are_read_once, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(readers_of_a_wide_table_keep_no_texts, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(the_first_of_two_faults_is_told, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(an_unclosed_quote_is_told_after_the_faults_before_it, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(any_allocation_may_fail, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
