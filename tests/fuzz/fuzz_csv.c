/* fuzz_csv.c - any bytes as a table: a table or a sentence, never a crash. The first byte chooses options.
 *
 * What was read is written, and the text that comes out must be a table with as many rows that is written
 * as the same text again; and the plain scanner must see what the fast one sees.
 */
#include <string.h>

#include "core/buf.h"
#include "engine/table/csv_scan.h"
#include "engine/table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NO_HEADER = 1, LATIN1 = 2, TOKENS = 4, DELIMITER = 8 };

static void must(bool truth)
{
    if (!truth)
        __builtin_trap();
}

/* False when it is no table, which must come with a sentence. */
static bool read_and_write(const char *csv, size_t size, const rf_table_options *options, rf_buf *text,
                           int64_t *n_rows, char *delimiter)
{
    rf_error err = {0};
    rf_notes notes;
    rf_notes_init(&notes);
    rf_table *table = NULL;
    const rf_code rc = rf_table_read_bytes(&table, "fuzz", csv, size, options, &notes, &err);
    must(rc == RF_OK || err.message[0] != '\0');
    rf_buf_clear(text);
    if (rc == RF_OK) {
        must(rf_table_format(table, text, &err) == RF_OK);
        *n_rows = table->n_rows;
        *delimiter = table->schema.dialect.delimiter;
    }
    rf_table_free(table);
    rf_notes_free(&notes);
    return rc == RF_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const tokens[] = {"?", "-1", "x y"};
    if (!size)
        return 0;
    const uint8_t flags = data[0];
    rf_table_options options = {
        .no_header = flags & NO_HEADER, .latin1 = flags & LATIN1, .allow_one_row = true};
    if (flags & TOKENS) {
        options.missing = tokens;
        options.n_missing = 3;
    }
    options.delimiter = flags & DELIMITER ? ';' : 0;
    const char *csv = (const char *)data + 1;
    int64_t n_rows = 0, n_again = 0;
    char delimiter = 0;
    rf_buf once, again;
    rf_buf_init(&once);
    rf_buf_init(&again);
    rfi_csv_scan_force(-1);
    const bool good = read_and_write(csv, size - 1, &options, &once, &n_rows, &delimiter);
    rfi_csv_scan_force(0);
    must(read_and_write(csv, size - 1, &options, &again, &n_again, &delimiter) == good);
    must(once.size_bytes == again.size_bytes && n_rows == n_again);
    must(!once.size_bytes || memcmp(once.data, again.data, once.size_bytes) == 0);
    if (good) {
        options.latin1 = false;
        options.delimiter = delimiter; /* quotes may now hide what it was guessed from */
        must(read_and_write(once.data, once.size_bytes, &options, &again, &n_again, &delimiter));
        must(n_rows == n_again);
    }
    rf_buf_free(&once);
    rf_buf_free(&again);
    return 0;
}
