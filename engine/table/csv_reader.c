#include "engine/table/csv_reader.h"

#include <string.h>

#include "core/alloc.h"

enum {
    TILE_CELLS = 2048, /* cells whose bytes and ends stay in the first cache while each column reads them */
    TILE_ROWS_MAX = 512,
    TILE_ROWS_STEP = 16,
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
    into->n_uncoded += from->n_uncoded;
    for (int32_t j = 0; j < n_tokens; j++)
        into->missing[j] += from->missing[j];
}

/* ---- rows ---------------------------------------------------------------------------------- */

static rf_code refuse_ragged(const rfi_csv_reader *reader, rf_error *err)
{
    const rfi_csv_file *file = reader->read->file;
    const char *data = file->data + reader->block.begin;
    const size_t size = reader->block.end - reader->block.begin;
    int64_t line = reader->block.first_line;
    size_t begin = 0;
    for (size_t i = 0, cells = 0; i < reader->piece.scratch.n_ends; i++) {
        const size_t end = reader->piece.scratch.ends[i];
        cells++;
        if (end < size && data[end] != file->syntax.newline)
            continue;
        if (cells != (size_t)file->n_columns) {
            if (cells == 1 && (end == begin || data[begin] == '\r'))
                return rf_fail(err, RF_INPUT,
                               "%s, line %lld: the line is empty, but the table has %d column%s", file->name,
                               (long long)line, file->n_columns, file->n_columns == 1 ? "" : "s");
            return rf_fail(err, RF_INPUT, "%s, line %lld: %zu cell%s where the table has %d column%s",
                           file->name, (long long)line, cells, cells == 1 ? "" : "s", file->n_columns,
                           file->n_columns == 1 ? "" : "s");
        }
        for (; begin <= end && begin < size; begin++)
            line += data[begin] == file->syntax.newline;
        cells = 0;
    }
    return rf_fail(err, RF_INTERNAL, "%s: the rows could not be counted twice alike", file->name);
}

/* Every record has as many cells as there are columns: each n-th cell ends with the line, and there are
 * no more lines than that. */
static bool is_rectangular(const rfi_csv_reader *reader)
{
    const rfi_csv_file *file = reader->read->file;
    const char *data = file->data + reader->block.begin;
    const size_t size = reader->block.end - reader->block.begin, n = (size_t)file->n_columns;
    if (reader->piece.scratch.n_ends != (size_t)reader->block.n_rows * n)
        return false;
    for (size_t i = n - 1; i < reader->piece.scratch.n_ends; i += n)
        if (reader->piece.scratch.ends[i] < size &&
            data[reader->piece.scratch.ends[i]] != file->syntax.newline)
            return false;
    return true;
}

/* A '\r' before a line end belongs to it. */
static void strip_returns(const char *data, const uint32_t *begins, uint32_t *ends, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ends[i] -= ends[i] != begins[i] + 1 && data[ends[i] - 1] == '\r';
}

/* ---- tiles --------------------------------------------------------------------------------- */

/* A few rows at least, so that eight cells of a column may be read at once. */
static int64_t tile_rows_of(int32_t n_columns)
{
    const int64_t rows = TILE_CELLS / n_columns / TILE_ROWS_STEP * TILE_ROWS_STEP;
    return rows < TILE_ROWS_STEP ? TILE_ROWS_STEP : rows > TILE_ROWS_MAX ? TILE_ROWS_MAX : rows;
}

/* The ends of a tile's cells in columns `first` to `last` - 1, and those before them. */
static void turn_tile(rfi_csv_reader *reader, int64_t row, int64_t n_rows, int32_t first, int32_t last)
{
    const rfi_csv_file *file = reader->read->file;
    rfi_csv_turn_ends(reader->tile, (size_t)reader->tile_rows,
                      reader->piece.scratch.ends + row * file->n_columns, (size_t)n_rows,
                      (size_t)file->n_columns, (size_t)first, (size_t)last);
    uint32_t *const ends = reader->tile + last * reader->tile_rows;
    if (last == file->n_columns && file->syntax.newline == '\n')
        strip_returns(file->data + reader->block.begin, ends - reader->tile_rows, ends, n_rows);
}

static void read_cells(rfi_csv_reader *reader, int32_t c, rfi_dict *dict, int64_t row, int64_t n_rows)
{
    const rfi_csv_file *file = reader->read->file;
    const uint32_t *const begins = reader->tile + c * reader->tile_rows;
    const rfi_csv_cells cells = {.data = file->data + reader->block.begin,
                                 .begins = begins,
                                 .ends = begins + reader->tile_rows,
                                 .n = n_rows,
                                 .first = file->data,
                                 .limit = file->data + file->size_bytes};
    rfi_column_read_tile(&reader->count, c, dict, &cells, reader->block.first_row + row);
}

static int64_t rows_of_tile(const rfi_csv_reader *reader, int64_t row)
{
    const int64_t left = reader->block.n_rows - row;
    return left < reader->tile_rows ? left : reader->tile_rows;
}

void rfi_csv_reader_read(rfi_csv_reader *reader)
{
    const int32_t n_columns = reader->read->file->n_columns;
    for (int64_t row = 0; row < reader->block.n_rows; row += reader->tile_rows) {
        const int64_t n = rows_of_tile(reader, row);
        turn_tile(reader, row, n, 0, n_columns);
        for (int32_t c = 0; c < n_columns; c++) {
            rfi_own_texts *own = reader->own ? &reader->own[c] : NULL;
            if (!own || !own->put_off)
                read_cells(reader, c, own ? &own->dict : &reader->read->columns[c].dict, row, n);
        }
    }
}

/* ---- joining ------------------------------------------------------------------------------- */

static void read_put_off(rfi_csv_reader *reader, rfi_column_read *column, int32_t c)
{
    for (int64_t row = 0; row < reader->block.n_rows; row += reader->tile_rows) {
        const int64_t n = rows_of_tile(reader, row);
        turn_tile(reader, row, n, c, c + 1);
        read_cells(reader, c, &column->dict, row, n);
    }
}

static bool map_has_room(rfi_own_texts *own, int32_t n)
{
    void *map = own->map;
    const rf_code rc = rf_grow_array(&map, &own->map_capacity, (size_t)n, sizeof *own->map, "", NULL);
    own->map = map;
    return rc == RF_OK;
}

static void forget(rfi_own_texts *own)
{
    rfi_dict_clear(&own->dict);
    own->n_mapped = 0;
    own->same = true;
}

/* The texts that the block brought become the column's. */
static void map_new(rfi_own_texts *own, rfi_dict *dict)
{
    if (!map_has_room(own, own->dict.n)) {
        dict->failed = true;
        return;
    }
    rfi_dict_merge(dict, &own->dict, own->n_mapped, own->map);
    for (; own->n_mapped < own->dict.n; own->n_mapped++)
        own->same &= own->map[own->n_mapped] == own->n_mapped;
}

/* The column's texts in their order: their codes need no map. */
static void learn(rfi_own_texts *own, const rfi_dict *dict)
{
    forget(own);
    if (!map_has_room(own, dict->n)) {
        own->dict.failed = true;
        return;
    }
    rfi_dict_merge(&own->dict, dict, 0, own->map);
    own->n_mapped = own->dict.n;
}

static void join_codes(rfi_csv_reader *reader, rfi_column_read *column, int32_t c)
{
    rfi_own_texts *own = &reader->own[c];
    const bool has_new = own->dict.n > own->n_mapped;
    map_new(own, &column->dict);
    if (own->same || column->dict.failed)
        return;
    int32_t *codes = column->codes + reader->block.first_row;
    for (int64_t r = 0; r < reader->block.n_rows; r++)
        if (codes[r] >= 0)
            codes[r] = own->map[codes[r]];
    if (!has_new && column->dict.n <= RFI_OWN_TEXTS)
        learn(own, &column->dict);
}

void rfi_csv_reader_join(rfi_csv_reader *reader, rfi_column_read *column, int32_t c)
{
    if (reader->own && reader->own[c].put_off)
        read_put_off(reader, column, c);
    else if (reader->own && column->as == RFI_READ_TEXTS)
        join_codes(reader, column, c);
    merge_facts(&column->facts, &reader->count.facts[c], reader->read->tokens.n);
}

/* ---- a block ------------------------------------------------------------------------------- */

static void clear(rfi_csv_reader *reader)
{
    for (int32_t c = 0; c < reader->read->file->n_columns; c++) {
        rfi_cell_facts_clear(&reader->count.facts[c], reader->read->tokens.n);
        if (!reader->own)
            continue;
        reader->own[c].put_off = false;
        if (reader->own[c].dict.n > RFI_OWN_TEXTS)
            forget(&reader->own[c]);
    }
    reader->count.bad_quote_row = INT64_MAX;
}

rf_code rfi_csv_reader_begin(rfi_csv_reader *reader, const rfi_csv_block *block, bool indexed, rf_error *err)
{
    rf_code rc = RF_OK;
    reader->block = *block;
    clear(reader);
    if (!indexed)
        RF_TRY(rfi_csv_scratch_index(&reader->piece.scratch, reader->read->file, block->begin, block->end,
                                     NULL, err));
    if (!is_rectangular(reader))
        RF_TRY(refuse_ragged(reader, err));
out:
    return rc;
}

/* ---- life ---------------------------------------------------------------------------------- */

rf_code rfi_csv_reader_open(rfi_csv_reader *reader, const rfi_csv_read *read, bool apart, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t n = (size_t)read->file->n_columns, n_tokens = (size_t)read->tokens.n;
    const char *name = read->file->name;
    rfi_block_count *count = &reader->count;
    reader->read = count->read = read;
    reader->tile_rows = tile_rows_of(read->file->n_columns);
    rf_buf_init(&count->text);
    RF_TRY(RF_NEW_ARRAY(&reader->tile, (n + 1) * (size_t)reader->tile_rows, name, err));
    RF_TRY(RF_NEW_ARRAY(&count->facts, n, name, err));
    RF_TRY(RF_NEW_ARRAY(&count->missing, n * n_tokens, name, err));
    for (size_t c = 0; c < n; c++)
        count->facts[c].missing = count->missing + c * n_tokens;
    if (!apart)
        goto out;
    RF_TRY(RF_NEW_ARRAY(&reader->own, n, name, err));
    for (size_t c = 0; c < n; c++) {
        rfi_dict_init(&reader->own[c].dict, &read->tokens);
        reader->own[c].same = true;
    }
out:
    return rc;
}

void rfi_csv_reader_close(rfi_csv_reader *reader)
{
    for (int32_t c = 0; reader->own && c < reader->read->file->n_columns; c++) {
        rfi_dict_free(&reader->own[c].dict);
        rf_free(reader->own[c].map);
    }
    rf_free(reader->own);
    rfi_csv_piece_free(&reader->piece);
    rf_free(reader->tile);
    rf_buf_free(&reader->count.text);
    rf_free(reader->count.facts);
    rf_free(reader->count.missing);
}
