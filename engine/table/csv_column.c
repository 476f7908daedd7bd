#include "engine/table/csv_column.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/table/csv_numbers.h"
#include "engine/table/csv_texts.h"
#include "engine/table/datetime.h"

enum { TOUCH_AHEAD = 8, TOUCH_SPREAD = 64 }; /* blocks */

/* ---- room ---------------------------------------------------------------------------------- */

static size_t cell_bytes(const rfi_column_read *column)
{
    return column->as == RFI_READ_TEXTS ? sizeof *column->codes : sizeof *column->values;
}

/* Not zeroed: every cell is written before it is read. */
static void *more_room(void *cells, size_t size, int64_t n_old, int64_t n_rows)
{
    void *grown = (size_t)n_rows <= SIZE_MAX / size ? rf_malloc_long((size_t)n_rows * size) : NULL;
    if (grown && cells)
        memcpy(grown, cells, (size_t)n_old * size);
    return grown;
}

rf_code rfi_columns_make_room(rfi_csv_read *read, int64_t n_rows, rf_error *err)
{
    for (int32_t c = 0; c < read->file->n_columns; c++) {
        rfi_column_read *column = &read->columns[c];
        if (column->as == RFI_READ_NOT)
            continue;
        void *old = column->as == RFI_READ_TEXTS ? (void *)column->codes : (void *)column->values;
        void *cells = more_room(old, cell_bytes(column), read->rows_room, n_rows);
        if (!cells)
            return rf_fail(err, RF_NO_MEMORY, "not enough memory for %lld cells of column %d of %s",
                           (long long)n_rows, c + 1, read->file->name);
        rf_free(old);
        column->codes = column->as == RFI_READ_TEXTS ? cells : NULL;
        column->values = column->as == RFI_READ_TEXTS ? NULL : cells;
    }
    read->rows_room = n_rows;
    return RF_OK;
}

void rfi_columns_trim(rfi_csv_read *read, int64_t n_rows)
{
    for (int32_t c = 0; c < read->file->n_columns && n_rows < read->rows_room; c++) {
        rfi_column_read *column = &read->columns[c];
        void *old = column->codes ? (void *)column->codes : (void *)column->values;
        void *cells =
            column->as == RFI_READ_NOT ? NULL : rf_realloc(old, (size_t)n_rows * cell_bytes(column));
        if (cells && column->codes)
            column->codes = cells;
        else if (cells)
            column->values = cells;
    }
    read->rows_room = n_rows;
}

/* Columns of one width would all begin a page in the same block: each has another distance. */
void rfi_columns_touch(const rfi_csv_read *read, int64_t first_row, int64_t n_rows)
{
    for (int32_t c = 0; c < read->file->n_columns; c++) {
        const rfi_column_read *column = &read->columns[c];
        const int64_t row = first_row + (TOUCH_AHEAD + c % TOUCH_SPREAD) * n_rows;
        if (column->as == RFI_READ_NOT || row >= read->rows_room)
            continue;
        void *cells = column->as == RFI_READ_TEXTS ? (void *)column->codes : (void *)column->values;
        const size_t size = cell_bytes(column);
        rf_touch_long(cells, (size_t)read->rows_room * size, (size_t)row * size, (size_t)n_rows * size);
    }
}

/* ---- one run ------------------------------------------------------------------------------- */

/* A column in a tile. */
typedef struct column_run {
    rfi_block_count *block;
    const rfi_csv_read *read;
    const rfi_csv_cells *cells;
    rfi_cell_facts *facts;
    rfi_dict *dict; /* of texts */
    int32_t column;
    int64_t first_row;
    int64_t n_unknown; /* texts that were not in front */
} column_run;

typedef struct raw_cell {
    const char *text;
    size_t length;
} raw_cell;

static inline raw_cell cell_at(const rfi_csv_cells *cells, int64_t i)
{
    return (raw_cell){rfi_csv_cell_text(cells, i), rfi_csv_cell_length(cells, i)};
}

/* ---- cells off the straight road ----------------------------------------------------------- */

/* Decodes a quoted or Latin-1 cell; one that does not decode is remembered and reads as empty. */
static rfi_csv_cell decode(const column_run *run, raw_cell raw, int64_t row)
{
    rfi_block_count *block = run->block;
    rfi_csv_cell cell;
    if (!rfi_csv_decode(&cell, raw.text, raw.length, false, &run->read->file->syntax, &block->text)) {
        if (row < block->bad_quote_row) {
            block->bad_quote_row = row;
            block->bad_quote_column = run->column;
        }
        cell.length = 0;
    }
    if (block->text.failed)
        cell.length = 0;
    run->facts->n_quoted += cell.quoted;
    return cell;
}

/* The token that a cell is, counted; -1 when it is none. */
static int32_t count_token(const column_run *run, const rfi_csv_cell *cell)
{
    const int32_t token = rfi_tokens_find(&run->read->tokens, cell->text, cell->length);
    if (token >= 0) {
        run->facts->missing[token]++;
        run->facts->n_quoted_missing += cell->quoted;
    }
    return token;
}

static bool is_token(const column_run *run, raw_cell raw)
{
    const rfi_csv_cell cell = {.text = raw.text, .length = raw.length};
    return count_token(run, &cell) >= 0;
}

static void add_stray(rfi_strays *strays, int64_t row)
{
    strays->n++;
    if (row < strays->first_row)
        strays->first_row = row;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static double read_number_slowly(void *arg, int64_t i)
{
    const column_run *run = arg;
    rfi_cell_facts *facts = run->facts;
    const int64_t row = run->first_row + i;
    const raw_cell raw = cell_at(run->cells, i);
    if (raw.length == 0) {
        facts->missing[0]++;
        return NAN;
    }
    const rfi_csv_cell cell = decode(run, raw, row);
    double value = NAN;
    if (count_token(run, &cell) >= 0)
        return NAN;
    switch (rfi_number_parse_slow(cell.text, cell.length, run->read->point, &value, &facts->numbers)) {
    case RFI_NUMBER:
        return value;
    case RFI_NUMBER_CODE:
        add_stray(&facts->codes, row);
        return value;
    case RFI_NUMBER_HUGE:
        add_stray(&facts->huge, row);
        return value;
    case RFI_NUMBER_INFINITE:
        add_stray(&facts->infinite, row);
        return NAN;
    default:
        add_stray(&facts->odd, row);
        return NAN;
    }
}

static void read_numbers(column_run *run, double *values)
{
    const rfi_number_road road = {.cells = *run->cells,
                                  .point = run->read->point,
                                  .decimals = run->read->columns[run->column].decimals,
                                  .door = read_number_slowly,
                                  .arg = run};
    if (!run->read->tokens.with_digits) {
        rfi_numbers_read(&road, values, &run->facts->numbers);
        return;
    }
    for (int64_t i = 0; i < run->cells->n;
         i++) /* a token might look like a number: it must be asked for first */
        values[i] = read_number_slowly(run, i);
}

/* ---- texts --------------------------------------------------------------------------------- */

static void add_uncoded(const column_run *run, int64_t i)
{
    run->block->batch.codes[i] = RFI_CODE_EMPTY;
    run->facts->n_uncoded++;
}

/* Broken, or longer than the batch keeps: its text lives only until the next one is decoded. */
static void add_decoded(const column_run *run, raw_cell raw, int64_t i)
{
    rfi_batch *batch = &run->block->batch;
    const rfi_csv_cell cell = decode(run, raw, run->first_row + i);
    if (cell.length == 0) {
        run->facts->n_quoted_missing += cell.quoted;
        add_uncoded(run, i);
        return;
    }
    rfi_batch_add(batch, i, cell.text, cell.length, cell.text + cell.length, cell.quoted);
    rfi_batch_flush(batch);
}

static void add_text(void *arg, int64_t i)
{
    const column_run *run = arg;
    rfi_batch *batch = &run->block->batch;
    const raw_cell raw = cell_at(run->cells, i);
    if (raw.length == 0) {
        add_uncoded(run, i);
    } else if (raw.text[0] != '"') {
        rfi_batch_add(batch, i, raw.text, raw.length, run->cells->limit, false);
    } else if (raw.length < 3 || raw.text[raw.length - 1] != '"') {
        add_decoded(run, raw, i);
    } else if (!memchr(raw.text + 1, '"', raw.length - 2)) {
        rfi_batch_add(batch, i, raw.text + 1, raw.length - 2, run->cells->limit, true);
        run->facts->n_quoted++;
    } else if (rfi_batch_add_doubled(batch, i, raw.text + 1, raw.length - 2)) {
        run->facts->n_quoted++;
    } else {
        add_decoded(run, raw, i);
    }
}

static void add_unknown_text(void *arg, int64_t i)
{
    column_run *run = arg;
    run->n_unknown++;
    add_text(arg, i);
}

/* The bytes are no UTF-8 yet. */
static void add_latin1(const column_run *run, int64_t i)
{
    const raw_cell raw = cell_at(run->cells, i);
    if (raw.length == 0)
        add_uncoded(run, i);
    else
        add_decoded(run, raw, i);
}

static void read_texts(column_run *run, int32_t *codes)
{
    const rfi_text_road road = {
        .cells = *run->cells, .dict = run->dict, .door = add_unknown_text, .arg = run};
    rfi_text_facts seen = {0};
    rfi_batch_open(&run->block->batch, run->dict, codes);
    if (run->read->file->syntax.latin1) {
        for (int64_t i = 0; i < run->cells->n; i++)
            add_latin1(run, i);
    } else if (rfi_dict_front_rests(run->dict)) {
        for (int64_t i = 0; i < run->cells->n; i++)
            add_text(run, i);
    } else {
        rfi_texts_read(&road, codes, &seen);
        rfi_dict_note_front(run->dict, run->n_unknown, run->cells->n);
    }
    run->facts->n_quoted += seen.n_quoted;
    run->facts->n_uncoded += seen.n_uncoded + rfi_batch_close(&run->block->batch);
}

/* ---- datetimes ----------------------------------------------------------------------------- */

static void note_offset(rfi_cell_facts *facts, int32_t offset_s, int64_t row)
{
    if (facts->first_offset_row == INT64_MAX) {
        facts->first_offset_row = row;
        facts->utc_offset_s = offset_s;
    } else if (offset_s != facts->utc_offset_s) {
        add_stray(&facts->offsets, row);
    }
}

static double read_datetime_slowly(const column_run *run, const char *format, raw_cell raw, int64_t row)
{
    const rfi_csv_cell cell = decode(run, raw, row);
    double value;
    int32_t offset_s;
    if (count_token(run, &cell) >= 0)
        return NAN;
    if (rf_datetime_parse(cell.text, cell.length, format, &value, &offset_s)) {
        note_offset(run->facts, offset_s, row);
        return value;
    }
    add_stray(&run->facts->odd, row);
    return NAN;
}

static void read_datetimes(const column_run *run, const char *format, double *values)
{
    rfi_cell_facts *facts = run->facts;
    const bool tokens_first = run->read->tokens.with_digits;
    for (int64_t i = 0; i < run->cells->n; i++) {
        const raw_cell cell = cell_at(run->cells, i);
        const int64_t row = run->first_row + i;
        int32_t offset_s;
        if (cell.length == 0) {
            facts->missing[0]++;
            values[i] = NAN;
        } else if (tokens_first && is_token(run, cell)) {
            values[i] = NAN;
        } else if (rf_datetime_parse(cell.text, cell.length, format, &values[i], &offset_s)) {
            note_offset(facts, offset_s, row);
        } else {
            values[i] = read_datetime_slowly(run, format, cell, row);
        }
    }
}

/* ---- the choice ---------------------------------------------------------------------------- */

void rfi_column_read_tile(rfi_block_count *block, int32_t column, rfi_dict *dict, const rfi_csv_cells *cells,
                          int64_t first_row)
{
    const rfi_csv_read *read = block->read;
    const rfi_column_read *to = &read->columns[column];
    column_run run = {.block = block,
                      .read = read,
                      .cells = cells,
                      .facts = &block->facts[column],
                      .dict = dict,
                      .column = column,
                      .first_row = first_row};
    if (to->as == RFI_READ_NUMBERS)
        read_numbers(&run, to->values + first_row);
    else if (to->as == RFI_READ_TEXTS)
        read_texts(&run, to->codes + first_row);
    else if (to->as == RFI_READ_DATETIMES)
        read_datetimes(&run, to->datetime_format, to->values + first_row);
}
