#include "engine/table/csv_parse.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/table/datetime.h"

enum {
    TILE_CELLS = 2048, /* cells whose bytes and ends stay in the first cache while each column reads them */
    TILE_ROWS_MAX = 512,
};

/* ---- facts --------------------------------------------------------------------------------- */

static const rfi_strays no_strays = {.first_row = INT64_MAX};

void rfi_cell_facts_clear(rfi_cell_facts *facts, int32_t n_tokens)
{
    int64_t *missing = facts->missing;
    if (missing)
        memset(missing, 0, (size_t)n_tokens * sizeof *missing);
    *facts = (rfi_cell_facts){.numbers = RFI_NUMBER_FACTS_NONE,
                              .odd = no_strays,
                              .codes = no_strays,
                              .huge = no_strays,
                              .infinite = no_strays,
                              .offsets = no_strays,
                              .first_offset_row = INT64_MAX,
                              .missing = missing};
}

static void add_stray(rfi_strays *strays, int64_t row)
{
    strays->n++;
    if (row < strays->first_row)
        strays->first_row = row;
}

static void merge_strays(rfi_strays *into, const rfi_strays *from)
{
    into->n += from->n;
    if (from->first_row < into->first_row)
        into->first_row = from->first_row;
}

/* `from` is of a later block: its first offset counts only when there was none, and all of its cells are
 * strays when theirs is another. */
static void merge_offsets(rfi_cell_facts *into, const rfi_cell_facts *from)
{
    if (from->first_offset_row == INT64_MAX)
        return;
    if (into->first_offset_row == INT64_MAX) {
        into->first_offset_row = from->first_offset_row;
        into->utc_offset_s = from->utc_offset_s;
    } else if (into->utc_offset_s != from->utc_offset_s) {
        add_stray(&into->offsets, from->first_offset_row);
    }
    merge_strays(&into->offsets, &from->offsets);
}

static void merge_facts(rfi_cell_facts *into, const rfi_cell_facts *from, int32_t n_tokens)
{
    rfi_number_facts_merge(&into->numbers, &from->numbers);
    merge_strays(&into->odd, &from->odd);
    merge_strays(&into->codes, &from->codes);
    merge_strays(&into->huge, &from->huge);
    merge_strays(&into->infinite, &from->infinite);
    merge_offsets(into, from);
    into->n_quoted += from->n_quoted;
    into->n_quoted_missing += from->n_quoted_missing;
    for (int32_t j = 0; j < n_tokens; j++)
        into->missing[j] += from->missing[j];
}

/* ---- a block being read -------------------------------------------------------------------- */

typedef struct block_slot {
    const rfi_csv_read *read;
    const rfi_csv_block *block;
    rfi_csv_scratch scratch;
    rf_buf text;           /* of quoted cells */
    rfi_cell_facts *facts; /* (n_columns) of this block */
    int64_t *missing;      /* (n_columns, n_tokens) behind the facts */
    rfi_dict *dicts;       /* (n_columns) of this block; NULL: the columns' own are used */
    int64_t bad_quote_row; /* INT64_MAX: none */
    int32_t bad_quote_column;
    rf_error err;
} block_slot;

/* The cells of one column in some rows of a block. */
typedef struct cell_run {
    block_slot *slot;
    const char *data, *limit;
    const uint32_t *ends; /* of this column, in the first of these rows */
    size_t stride;        /* from there to the next row                 */
    int64_t n_rows, first_row;
    int32_t column;
    bool returns; /* a '\r' may stand before the line end, and this is the last column */
} cell_run;

typedef struct raw_cell {
    const char *text;
    size_t length;
} raw_cell;

/* The cell before which `end` stands in the ends. */
static inline raw_cell cell_at(const char *data, const uint32_t *end, bool returns)
{
    const uint32_t begin = end[-1] + 1; /* behind the cell before it; 0 for the first of all */
    const size_t length = *end - begin;
    const bool strip = returns && length && data[begin + length - 1] == '\r';
    return (raw_cell){data + begin, length - strip};
}

/* ---- cells off the straight road ----------------------------------------------------------- */

/* Decodes a quoted or Latin-1 cell; one that does not decode is remembered and reads as empty. */
static rfi_csv_cell decode(const cell_run *run, raw_cell raw, int64_t row)
{
    block_slot *slot = run->slot;
    rfi_csv_cell cell;
    if (!rfi_csv_decode(&cell, raw.text, raw.length, false, &slot->read->file->syntax, &slot->text)) {
        if (row < slot->bad_quote_row) {
            slot->bad_quote_row = row;
            slot->bad_quote_column = run->column;
        }
        cell.length = 0;
    }
    if (slot->text.failed)
        cell.length = 0;
    slot->facts[run->column].n_quoted += cell.quoted;
    return cell;
}

/* The token that a cell is, counted; -1 when it is none. */
static int32_t count_token(const cell_run *run, const rfi_csv_cell *cell)
{
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    const int32_t token = rfi_tokens_find(&run->slot->read->tokens, cell->text, cell->length);
    if (token >= 0) {
        facts->missing[token]++;
        facts->n_quoted_missing += cell->quoted;
    }
    return token;
}

static bool is_token(const cell_run *run, raw_cell raw)
{
    const rfi_csv_cell cell = {.text = raw.text, .length = raw.length};
    return count_token(run, &cell) >= 0;
}

static double stray_number(const cell_run *run, raw_cell raw, int64_t row)
{
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    const rfi_csv_cell cell = decode(run, raw, row);
    double value = NAN;
    if (count_token(run, &cell) >= 0)
        return NAN;
    switch (rfi_number_parse_slow(cell.text, cell.length, run->slot->read->point, &value, &facts->numbers)) {
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

static int32_t stray_text(const cell_run *run, rfi_dict *dict, raw_cell raw, int64_t row)
{
    const rfi_csv_cell cell = decode(run, raw, row);
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    if (cell.length == 0) {
        facts->n_quoted_missing += cell.quoted;
        return RFI_CODE_EMPTY;
    }
    if (cell.quoted)
        return rfi_dict_code_quoted(dict, cell.text, cell.length, cell.text + cell.length);
    return rfi_dict_code(dict, cell.text, cell.length, cell.text + cell.length);
}

static void note_offset(rfi_cell_facts *facts, int32_t offset_s, int64_t row)
{
    if (facts->first_offset_row == INT64_MAX) {
        facts->first_offset_row = row;
        facts->utc_offset_s = offset_s;
    } else if (offset_s != facts->utc_offset_s) {
        add_stray(&facts->offsets, row);
    }
}

static double stray_datetime(const cell_run *run, const char *format, raw_cell raw, int64_t row)
{
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    const rfi_csv_cell cell = decode(run, raw, row);
    double value;
    int32_t offset_s;
    if (count_token(run, &cell) >= 0)
        return NAN;
    if (rf_datetime_parse(cell.text, cell.length, format, &value, &offset_s)) {
        note_offset(facts, offset_s, row);
        return value;
    }
    add_stray(&facts->odd, row);
    return NAN;
}

/* ---- the straight road --------------------------------------------------------------------- */

/* The loops below are functions of their own, or registers would run out. */
#define ALONE __attribute__((noinline))

/* Before this address so many bytes may be read. */
static const char *room_for(const cell_run *run, size_t n)
{
    const size_t left = (size_t)(run->limit - run->data);
    return left > n ? run->limit - n : run->data;
}

static ALONE double number_off_road(const cell_run *run, raw_cell cell, int64_t row)
{
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    const rfi_csv_read *read = run->slot->read;
    double value;
    if (cell.length == 0) {
        facts->missing[0]++;
        return NAN;
    }
    if (read->tokens.with_digits && is_token(run, cell))
        return NAN;
    if (rfi_number_parse(cell.text, cell.length, run->limit, read->point, &value, &facts->numbers) ==
        RFI_NUMBER)
        return value;
    return stray_number(run, cell, row);
}

static inline __attribute__((always_inline)) void read_numbers_as(const cell_run *run, double *values,
                                                                  bool returns)
{
    const char *const data = run->data;
    const uint32_t *end = run->ends;
    const size_t stride = run->stride;
    /* up to here enough bytes may be read; nowhere, when a token might look like a number */
    const char *const last = run->slot->read->tokens.with_digits ? data : room_for(run, RFI_WHOLE_BYTES);
    uint64_t minus = 0;
    int64_t n_off_road = 0;
    for (int64_t r = 0, n = run->n_rows; r < n; r++, end += stride) {
        const raw_cell cell = cell_at(data, end, returns);
        if (__builtin_expect(cell.text < last, 1) &&
            rfi_number_parse_whole(cell.text, cell.length, &values[r], &minus))
            continue;
        values[r] = number_off_road(run, cell, run->first_row + r);
        n_off_road++;
    }
    rfi_number_facts *seen = &run->slot->facts[run->column].numbers;
    seen->minus |= minus != 0;
    if (n_off_road < run->n_rows)
        seen->min_written = 0;
}

/* The same for a column that mostly has digits after the point. */
static ALONE void read_decimals(const cell_run *run, double *values)
{
    const char *const limit = run->slot->read->tokens.with_digits ? run->data : run->limit;
    const char point = run->slot->read->point;
    const uint32_t *end = run->ends;
    rfi_number_facts *facts = &run->slot->facts[run->column].numbers, seen = *facts;
    for (int64_t r = 0; r < run->n_rows; r++, end += run->stride) {
        const raw_cell cell = cell_at(run->data, end, run->returns);
        if (cell.text < limit &&
            rfi_number_parse_decimal(cell.text, cell.length, limit, point, &values[r], &seen))
            continue;
        *facts = seen;
        values[r] = number_off_road(run, cell, run->first_row + r);
        seen = *facts;
    }
    *facts = seen;
}

static ALONE void read_numbers(const cell_run *run, double *values)
{
    if (run->slot->read->columns[run->column].decimals)
        read_decimals(run, values);
    else if (run->returns)
        read_numbers_as(run, values, true);
    else
        read_numbers_as(run, values, false);
}

static ALONE int32_t text_off_road(const cell_run *run, rfi_dict *dict, raw_cell cell, int64_t row)
{
    if (cell.length == 0)
        return RFI_CODE_EMPTY;
    if (cell.text[0] == '"' || run->slot->read->file->syntax.latin1)
        return stray_text(run, dict, cell, row);
    return rfi_dict_code(dict, cell.text, cell.length, run->limit);
}

static inline __attribute__((always_inline)) void read_texts_as(const cell_run *run, rfi_dict *dict,
                                                                int32_t *codes, bool returns)
{
    static const rfi_dict_front nothing;
    const char *const data = run->data;
    const uint32_t *end = run->ends;
    const size_t stride = run->stride;
    /* up to here 16 bytes may be read; nowhere, when they are not UTF-8 yet */
    const char *const last = run->slot->read->file->syntax.latin1 ? data : room_for(run, RFI_DICT_SHORT);
    const rfi_dict_front *front = dict->front ? dict->front : &nothing;
    size_t mask = dict->front ? dict->front_mask : 0;
    for (int64_t r = 0, n = run->n_rows; r < n; r++, end += stride) {
        const raw_cell cell = cell_at(data, end, returns);
        if (__builtin_expect((cell.length - 1 < RFI_DICT_SHORT) & (cell.text < last), 1)) {
            const rfi_dict_front *found = rfi_dict_find_front(front, mask, cell.text, cell.length);
            if (__builtin_expect(found != NULL, 1)) {
                codes[r] = found->code;
                continue;
            }
        }
        codes[r] = text_off_road(run, dict, cell, run->first_row + r);
        front = dict->front ? dict->front : &nothing; /* it may have grown */
        mask = dict->front ? dict->front_mask : 0;
    }
}

static ALONE void read_texts(const cell_run *run, rfi_dict *dict, int32_t *codes)
{
    if (run->returns)
        read_texts_as(run, dict, codes, true);
    else
        read_texts_as(run, dict, codes, false);
}

static ALONE void read_datetimes(const cell_run *run, const char *format, double *values)
{
    rfi_cell_facts *facts = &run->slot->facts[run->column];
    const bool tokens_first = run->slot->read->tokens.with_digits;
    const uint32_t *end = run->ends;
    for (int64_t r = 0; r < run->n_rows; r++, end += run->stride) {
        const raw_cell cell = cell_at(run->data, end, run->returns);
        int32_t offset_s;
        if (cell.length == 0) {
            facts->missing[0]++;
            values[r] = NAN;
        } else if (tokens_first && is_token(run, cell)) {
            values[r] = NAN;
        } else if (rf_datetime_parse(cell.text, cell.length, format, &values[r], &offset_s)) {
            note_offset(facts, offset_s, run->first_row + r);
        } else {
            values[r] = stray_datetime(run, format, cell, run->first_row + r);
        }
    }
}

/* ---- one block ----------------------------------------------------------------------------- */

static rf_code refuse_ragged(const block_slot *slot, rf_error *err)
{
    const rfi_csv_file *file = slot->read->file;
    const char *data = file->data + slot->block->begin;
    const size_t size = slot->block->end - slot->block->begin;
    int64_t line = slot->block->first_line;
    size_t begin = 0;
    for (size_t i = 0, cells = 0; i < slot->scratch.n_ends; i++) {
        const size_t end = slot->scratch.ends[i];
        cells++;
        if (end < size && data[end] != file->syntax.newline)
            continue;
        if (cells != (size_t)file->n_columns) {
            if (cells == 1 && (end == begin || data[begin] == '\r'))
                return rf_fail(err, RF_INPUT,
                               "%s, line %lld: the line is empty, but the table has %d columns", file->name,
                               (long long)line, file->n_columns);
            return rf_fail(err, RF_INPUT, "%s, line %lld: %zu cell%s where the table has %d columns",
                           file->name, (long long)line, cells, cells == 1 ? "" : "s", file->n_columns);
        }
        for (; begin <= end && begin < size; begin++)
            line += data[begin] == file->syntax.newline;
        cells = 0;
    }
    return rf_fail(err, RF_INTERNAL, "%s: the rows could not be counted twice alike", file->name);
}

/* Every record has as many cells as there are columns: each n-th cell ends with the line, and there are
 * no more lines than that. */
static bool is_rectangular(const block_slot *slot)
{
    const rfi_csv_file *file = slot->read->file;
    const char *data = file->data + slot->block->begin;
    const size_t size = slot->block->end - slot->block->begin, n = (size_t)file->n_columns;
    if (slot->scratch.n_ends != (size_t)slot->block->n_rows * n)
        return false;
    for (size_t i = n - 1; i < slot->scratch.n_ends; i += n)
        if (slot->scratch.ends[i] < size && data[slot->scratch.ends[i]] != file->syntax.newline)
            return false;
    return true;
}

static void read_tile(block_slot *slot, int64_t row, int64_t n_rows)
{
    const rfi_csv_read *read = slot->read;
    const int32_t n_columns = read->file->n_columns;
    cell_run run = {.slot = slot,
                    .data = read->file->data + slot->block->begin,
                    .limit = read->file->data + read->file->size_bytes,
                    .stride = (size_t)n_columns,
                    .n_rows = n_rows,
                    .first_row = slot->block->first_row + row};
    for (int32_t c = 0; c < n_columns; c++) {
        const rfi_column_read *column = &read->columns[c];
        run.column = c;
        run.ends = slot->scratch.ends + (size_t)row * run.stride + (size_t)c;
        run.returns = c + 1 == n_columns && read->file->syntax.newline == '\n';
        if (column->as == RFI_READ_NUMBERS)
            read_numbers(&run, column->values + run.first_row);
        else if (column->as == RFI_READ_TEXTS)
            read_texts(&run, slot->dicts ? &slot->dicts[c] : &read->columns[c].dict,
                       column->codes + run.first_row);
        else if (column->as == RFI_READ_DATETIMES)
            read_datetimes(&run, column->datetime_format, column->values + run.first_row);
    }
}

static void clear_slot(block_slot *slot)
{
    const int32_t n_tokens = slot->read->tokens.n;
    for (int32_t c = 0; c < slot->read->file->n_columns; c++) {
        rfi_cell_facts_clear(&slot->facts[c], n_tokens);
        if (slot->dicts)
            rfi_dict_clear(&slot->dicts[c]);
    }
    slot->bad_quote_row = INT64_MAX;
    slot->err = (rf_error){0};
}

static rf_code refuse_quote(const block_slot *slot, rf_error *err)
{
    const rfi_csv_file *file = slot->read->file;
    const rfi_csv_place place = rfi_csv_locate(file, slot->bad_quote_row, slot->bad_quote_column);
    return rf_fail(err, RF_INPUT,
                   "%s, line %lld, column %d: a quoted cell goes on after its closing quote: %s", file->name,
                   (long long)place.line, slot->bad_quote_column + 1, place.shown);
}

static rf_code read_block(block_slot *slot, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_block *block = slot->block;
    const int64_t per_tile = TILE_CELLS / slot->read->file->n_columns;
    const int64_t tile_rows = per_tile < 1 ? 1 : per_tile > TILE_ROWS_MAX ? TILE_ROWS_MAX : per_tile;
    clear_slot(slot);
    RF_TRY(rfi_csv_scratch_index(&slot->scratch, slot->read->file, block->begin, block->end, err));
    if (!is_rectangular(slot))
        RF_TRY(refuse_ragged(slot, err));
    for (int64_t row = 0; row < block->n_rows; row += tile_rows)
        read_tile(slot, row, block->n_rows - row < tile_rows ? block->n_rows - row : tile_rows);
    if (slot->text.failed)
        RF_TRY(rf_buf_check(&slot->text, "a quoted cell", err));
    if (slot->bad_quote_row != INT64_MAX)
        RF_TRY(refuse_quote(slot, err));
out:
    return rc;
}

/* ---- all blocks ---------------------------------------------------------------------------- */

typedef struct wave {
    rfi_csv_read *read;
    block_slot *slots;
    size_t n_slots, n_busy;
    bool apart; /* each slot has dictionaries of its own */
} wave;

static void read_task(void *arg, int64_t task)
{
    wave *all = arg;
    block_slot *slot = &all->slots[task];
    const rf_code rc = read_block(slot, &slot->err);
    slot->err.code = rc;
}

/* The codes of a block's own dictionary become those of the column. */
static void join_codes(rfi_column_read *column, const block_slot *slot, int32_t c)
{
    const rfi_dict *from = &slot->dicts[c];
    int32_t *map = NULL;
    if (RF_NEW_ARRAY(&map, from->n, "a dictionary", NULL) != RF_OK) {
        column->dict.failed = true;
        return;
    }
    rfi_dict_merge(&column->dict, from, map);
    int32_t *codes = column->codes + slot->block->first_row;
    for (int64_t r = 0; r < slot->block->n_rows; r++)
        if (codes[r] >= 0)
            codes[r] = map[codes[r]];
    rf_free(map);
}

static void join_task(void *arg, int64_t task)
{
    wave *all = arg;
    const int32_t c = (int32_t)task;
    rfi_column_read *column = &all->read->columns[c];
    if (column->as == RFI_READ_NOT)
        return;
    for (size_t i = 0; i < all->n_busy; i++) {
        merge_facts(&column->facts, &all->slots[i].facts[c], all->read->tokens.n);
        if (all->apart && column->as == RFI_READ_TEXTS)
            join_codes(column, &all->slots[i], c);
    }
}

static rf_code open_wave(wave *all, rfi_csv_read *read, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    const int threads = rf_pool_threads(pool);
    const size_t n = (size_t)read->file->n_columns, n_tokens = (size_t)read->tokens.n;
    all->read = read;
    all->apart = threads > 1 && read->file->n_blocks > 1;
    all->n_slots = all->apart ? (size_t)threads * 2 : 1;
    RF_TRY(RF_NEW_ARRAY(&all->slots, all->n_slots, read->file->name, err));
    for (size_t i = 0; i < all->n_slots; i++) {
        block_slot *slot = &all->slots[i];
        slot->read = read;
        rf_buf_init(&slot->text);
        RF_TRY(RF_NEW_ARRAY(&slot->facts, n, read->file->name, err));
        RF_TRY(RF_NEW_ARRAY(&slot->missing, n * n_tokens, read->file->name, err));
        for (size_t c = 0; c < n; c++)
            slot->facts[c].missing = slot->missing + c * n_tokens;
        if (!all->apart)
            continue;
        RF_TRY(RF_NEW_ARRAY(&slot->dicts, n, read->file->name, err));
        for (size_t c = 0; c < n; c++)
            rfi_dict_init(&slot->dicts[c], &read->tokens);
    }
out:
    return rc;
}

static void close_wave(wave *all)
{
    for (size_t i = 0; all->slots && i < all->n_slots; i++) {
        block_slot *slot = &all->slots[i];
        for (int32_t c = 0; slot->dicts && c < all->read->file->n_columns; c++)
            rfi_dict_free(&slot->dicts[c]);
        rfi_csv_scratch_free(&slot->scratch);
        rf_buf_free(&slot->text);
        rf_free(slot->facts);
        rf_free(slot->missing);
        rf_free(slot->dicts);
    }
    rf_free(all->slots);
}

static rf_code read_wave(wave *all, size_t first, rf_pool *pool, rf_error *err)
{
    const rfi_csv_file *file = all->read->file;
    all->n_busy = file->n_blocks - first < all->n_slots ? file->n_blocks - first : all->n_slots;
    for (size_t i = 0; i < all->n_busy; i++)
        all->slots[i].block = &file->blocks[first + i];
    rf_pool_run(pool, read_task, all, (int64_t)all->n_busy);
    for (size_t i = 0; i < all->n_busy; i++)
        if (all->slots[i].err.code != RF_OK) {
            if (err)
                *err = all->slots[i].err;
            return all->slots[i].err.code;
        }
    rf_pool_run(pool, join_task, all, file->n_columns);
    rfi_csv_release(file, file->blocks[first].begin, file->blocks[first + all->n_busy - 1].end);
    return RF_OK;
}

rf_code rfi_csv_parse(rfi_csv_read *read, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    wave all = {0};
    RF_TRY(open_wave(&all, read, pool, err));
    for (size_t first = 0; first < read->file->n_blocks; first += all.n_busy)
        RF_TRY(read_wave(&all, first, pool, err));
    for (int32_t c = 0; c < read->file->n_columns; c++)
        if (read->columns[c].as == RFI_READ_TEXTS)
            RF_TRY(rfi_dict_check(&read->columns[c].dict, "of the table", err));
out:
    close_wave(&all);
    return rc;
}
