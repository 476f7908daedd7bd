#include "engine/table/csv_parse.h"

#include <string.h>

#include "core/alloc.h"
#include "engine/table/csv_column.h"

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

/* ---- one block ----------------------------------------------------------------------------- */

typedef struct block_slot {
    const rfi_csv_read *read;
    rfi_csv_block block;
    rfi_csv_piece piece; /* its scratch serves the block too */
    uint32_t *tile;      /* (n_columns + 1, tile_rows) */
    int64_t tile_rows;
    rfi_block_count count;
    rf_error err;
} block_slot;

static rf_code refuse_ragged(const block_slot *slot, rf_error *err)
{
    const rfi_csv_file *file = slot->read->file;
    const char *data = file->data + slot->block.begin;
    const size_t size = slot->block.end - slot->block.begin;
    int64_t line = slot->block.first_line;
    size_t begin = 0;
    for (size_t i = 0, cells = 0; i < slot->piece.scratch.n_ends; i++) {
        const size_t end = slot->piece.scratch.ends[i];
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
static bool is_rectangular(const block_slot *slot)
{
    const rfi_csv_file *file = slot->read->file;
    const char *data = file->data + slot->block.begin;
    const size_t size = slot->block.end - slot->block.begin, n = (size_t)file->n_columns;
    if (slot->piece.scratch.n_ends != (size_t)slot->block.n_rows * n)
        return false;
    for (size_t i = n - 1; i < slot->piece.scratch.n_ends; i += n)
        if (slot->piece.scratch.ends[i] < size && data[slot->piece.scratch.ends[i]] != file->syntax.newline)
            return false;
    return true;
}

/* A '\r' before a line end belongs to it. */
static void strip_returns(const char *data, const uint32_t *begins, uint32_t *ends, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ends[i] -= ends[i] != begins[i] + 1 && data[ends[i] - 1] == '\r';
}

static void read_tile(block_slot *slot, int64_t row, int64_t n_rows)
{
    const rfi_csv_file *file = slot->read->file;
    uint32_t *const ends = slot->tile + slot->tile_rows; /* of column 0 */
    rfi_csv_cells cells = {.data = file->data + slot->block.begin,
                           .n = n_rows,
                           .first = file->data,
                           .limit = file->data + file->size_bytes};
    rfi_csv_turn_ends(slot->tile, (size_t)slot->tile_rows, slot->piece.scratch.ends + row * file->n_columns,
                      (size_t)n_rows, (size_t)file->n_columns);
    for (int32_t c = 0; c < file->n_columns; c++) {
        cells.ends = ends + c * slot->tile_rows;
        cells.begins = cells.ends - slot->tile_rows;
        if (c + 1 == file->n_columns && file->syntax.newline == '\n')
            strip_returns(cells.data, cells.begins, ends + c * slot->tile_rows, n_rows);
        rfi_column_read_tile(&slot->count, c, &cells, slot->block.first_row + row);
    }
}

static void clear_slot(block_slot *slot)
{
    const int32_t n_tokens = slot->read->tokens.n;
    for (int32_t c = 0; c < slot->read->file->n_columns; c++) {
        rfi_cell_facts_clear(&slot->count.facts[c], n_tokens);
        if (slot->count.dicts)
            rfi_dict_clear(&slot->count.dicts[c]);
    }
    slot->count.bad_quote_row = INT64_MAX;
    slot->err = (rf_error){0};
}

static rf_code refuse_quote(const block_slot *slot, rf_error *err)
{
    const rfi_csv_file *file = slot->read->file;
    const int32_t column = slot->count.bad_quote_column;
    const rfi_csv_place place = rfi_csv_locate(file, slot->count.bad_quote_row, column);
    return rf_fail(err, RF_INPUT,
                   "%s, line %lld, column %d: a quoted cell goes on after its closing quote: %s", file->name,
                   (long long)place.line, column + 1, place.shown);
}

static rf_code read_block(block_slot *slot, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_block *block = &slot->block;
    clear_slot(slot);
    if (!slot->piece.is_block)
        RF_TRY(rfi_csv_scratch_index(&slot->piece.scratch, slot->read->file, block->begin, block->end, NULL,
                                     err));
    if (!is_rectangular(slot))
        RF_TRY(refuse_ragged(slot, err));
    for (int64_t row = 0; row < block->n_rows; row += slot->tile_rows)
        read_tile(slot, row, block->n_rows - row < slot->tile_rows ? block->n_rows - row : slot->tile_rows);
    if (slot->count.text.failed)
        RF_TRY(rf_buf_check(&slot->count.text, "a quoted cell", err));
    if (slot->count.bad_quote_row != INT64_MAX)
        RF_TRY(refuse_quote(slot, err));
out:
    return rc;
}

/* ---- a wave of blocks ---------------------------------------------------------------------- */

/* A few blocks, read side by side. */
typedef struct wave {
    rfi_csv_read *read;
    rf_pool *pool;
    bool apart;        /* each slot has dictionaries of its own */
    block_slot *slots; /* (n_slots + 1) the last for a block that began in an earlier wave */
    size_t n_slots;
    block_slot **busy; /* (n_slots + 1) in the order of their blocks */
    size_t n_busy;
    size_t next_block; /* to be read */
} wave;

static void look_task(void *arg, int64_t task)
{
    block_slot *slot = &((wave *)arg)->slots[task];
    slot->err.code = rfi_csv_piece_look(&slot->piece, slot->read->file, &slot->err);
}

static void read_task(void *arg, int64_t task)
{
    block_slot *slot = ((wave *)arg)->busy[task];
    slot->err.code = read_block(slot, &slot->err);
}

/* The codes of a block's own dictionary become those of the column. */
static void join_codes(rfi_column_read *column, const block_slot *slot, int32_t c)
{
    const rfi_dict *from = &slot->count.dicts[c];
    int32_t *map = NULL;
    if (RF_NEW_ARRAY(&map, from->n, "a dictionary", NULL) != RF_OK) {
        column->dict.failed = true;
        return;
    }
    rfi_dict_merge(&column->dict, from, map);
    int32_t *codes = column->codes + slot->block.first_row;
    for (int64_t r = 0; r < slot->block.n_rows; r++)
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
        merge_facts(&column->facts, &all->busy[i]->count.facts[c], all->read->tokens.n);
        if (all->apart && column->as == RFI_READ_TEXTS)
            join_codes(column, all->busy[i], c);
    }
}

/* Reads the busy slots' blocks. */
static rf_code read_busy(wave *all, rf_error *err)
{
    const rfi_csv_file *file = all->read->file;
    if (!all->n_busy)
        return RF_OK;
    rf_pool_run(all->pool, read_task, all, (int64_t)all->n_busy);
    for (size_t i = 0; i < all->n_busy; i++)
        if (all->busy[i]->err.code != RF_OK) {
            if (err)
                *err = all->busy[i]->err;
            return all->busy[i]->err.code;
        }
    rf_pool_run(all->pool, join_task, all, file->n_columns);
    rfi_csv_release(file, all->busy[0]->block.begin, all->busy[all->n_busy - 1]->block.end);
    return RF_OK;
}

/* A few rows at least, so that eight cells of a column may be read at once. */
static int64_t tile_rows_of(int32_t n_columns)
{
    const int64_t rows = TILE_CELLS / n_columns / TILE_ROWS_STEP * TILE_ROWS_STEP;
    return rows < TILE_ROWS_STEP ? TILE_ROWS_STEP : rows > TILE_ROWS_MAX ? TILE_ROWS_MAX : rows;
}

static rf_code open_slot(block_slot *slot, const rfi_csv_read *read, bool apart, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t n = (size_t)read->file->n_columns, n_tokens = (size_t)read->tokens.n;
    const char *name = read->file->name;
    rfi_block_count *count = &slot->count;
    slot->read = count->read = read;
    slot->tile_rows = tile_rows_of(read->file->n_columns);
    rf_buf_init(&count->text);
    RF_TRY(RF_NEW_ARRAY(&slot->tile, (n + 1) * (size_t)slot->tile_rows, name, err));
    RF_TRY(RF_NEW_ARRAY(&count->facts, n, name, err));
    RF_TRY(RF_NEW_ARRAY(&count->missing, n * n_tokens, name, err));
    for (size_t c = 0; c < n; c++)
        count->facts[c].missing = count->missing + c * n_tokens;
    if (!apart)
        goto out;
    RF_TRY(RF_NEW_ARRAY(&count->dicts, n, name, err));
    for (size_t c = 0; c < n; c++)
        rfi_dict_init(&count->dicts[c], &read->tokens);
out:
    return rc;
}

static rf_code open_wave(wave *all, rfi_csv_read *read, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_file *file = read->file;
    const int threads = rf_pool_threads(pool);
    *all = (wave){.read = read, .pool = pool};
    all->apart = threads > 1 && file->body_end - file->body_begin > RFI_CSV_BLOCK_BYTES;
    all->n_slots = all->apart ? (size_t)threads * 2 : 1;
    RF_TRY(RF_NEW_ARRAY(&all->slots, all->n_slots + 1, file->name, err));
    RF_TRY(RF_NEW_ARRAY(&all->busy, all->n_slots + 1, file->name, err));
    for (size_t i = 0; i <= all->n_slots; i++)
        RF_TRY(open_slot(&all->slots[i], read, all->apart, err));
out:
    return rc;
}

static void close_wave(wave *all)
{
    for (size_t i = 0; all->slots && i <= all->n_slots; i++) {
        block_slot *slot = &all->slots[i];
        for (int32_t c = 0; slot->count.dicts && c < all->read->file->n_columns; c++)
            rfi_dict_free(&slot->count.dicts[c]);
        rfi_csv_piece_free(&slot->piece);
        rf_free(slot->tile);
        rf_buf_free(&slot->count.text);
        rf_free(slot->count.facts);
        rf_free(slot->count.missing);
        rf_free(slot->count.dicts);
    }
    rf_free(all->slots);
    rf_free(all->busy);
}

/* ---- the first time ------------------------------------------------------------------------ */

/* Cuts and looks at the next pieces. Returns how many of them are good, with *held the fault of the one behind them. */
static size_t look_ahead(wave *all, rfi_csv_walk *walk, rf_error *held)
{
    size_t n = 0, n_good = 0;
    *held = (rf_error){0};
    while (n < all->n_slots && walk->at < walk->file->body_end && held->code == RF_OK) {
        held->code = rfi_csv_walk_cut(walk, &all->slots[n].piece, held);
        n += held->code == RF_OK;
    }
    rf_pool_run(all->pool, look_task, all, (int64_t)n);
    while (n_good < n && all->slots[n_good].err.code == RF_OK)
        n_good++;
    if (n_good < n)
        *held = all->slots[n_good].err;
    return n_good;
}

/* The rows so far tell how many the rest will have; a little more is asked for, so that once is enough. */
static rf_code make_room(wave *all, const rfi_csv_walk *walk, rf_error *err)
{
    rfi_csv_read *read = all->read;
    const rfi_csv_file *file = read->file;
    if (walk->row <= read->rows_room)
        return RF_OK;
    const double share = (double)(file->body_end - file->body_begin) / (double)(walk->at - file->body_begin);
    const bool all_seen = walk->at == file->body_end;
    return rfi_columns_make_room(
        read, all_seen ? walk->row : walk->row + 64 + (int64_t)((double)walk->row * (share * 1.05 - 1)), err);
}

/* Every block whose end is known gets the slot of the piece that it begins in. */
static void make_busy(wave *all, const rfi_csv_walk *walk, size_t n_pieces)
{
    size_t piece = 0;
    for (all->n_busy = 0; all->next_block < rfi_csv_walk_ready(walk); all->next_block++) {
        while (piece < n_pieces &&
               (all->slots[piece].piece.block == SIZE_MAX || all->slots[piece].piece.block < all->next_block))
            piece++;
        const bool here = piece < n_pieces && all->slots[piece].piece.block == all->next_block;
        block_slot *slot = &all->slots[here ? piece : all->n_slots];
        slot->block = walk->file->blocks[all->next_block];
        all->busy[all->n_busy++] = slot;
    }
}

static rf_code read_ahead(wave *all, rfi_csv_walk *walk, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_error held;
    const size_t n = look_ahead(all, walk, &held);
    for (size_t i = 0; i < n && held.code == RF_OK; i++)
        held.code = rfi_csv_walk_join(walk, &all->slots[i].piece, &held);
    make_busy(all, walk, n);
    RF_TRY(make_room(all, walk, err));
    RF_TRY(read_busy(all, err));
    if (held.code != RF_OK) {
        if (err)
            *err = held;
        rc = held.code;
    }
out:
    return rc;
}

static rf_code read_all_ahead(wave *all, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_walk walk;
    rfi_csv_walk_open(&walk, all->read->file);
    while (walk.at < walk.file->body_end)
        RF_TRY(read_ahead(all, &walk, err));
out:
    rfi_csv_walk_close(&walk);
    return rc;
}

/* ---- again --------------------------------------------------------------------------------- */

static rf_code read_all_again(wave *all, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_file *file = all->read->file;
    RF_TRY(rfi_columns_make_room(all->read, file->n_rows, err));
    while (all->next_block < file->n_blocks) {
        for (all->n_busy = 0; all->n_busy < all->n_slots && all->next_block < file->n_blocks; all->n_busy++) {
            block_slot *slot = all->busy[all->n_busy] = &all->slots[all->n_busy];
            slot->block = file->blocks[all->next_block++];
        }
        RF_TRY(read_busy(all, err));
    }
out:
    return rc;
}

rf_code rfi_csv_parse(rfi_csv_read *read, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    wave all = {0};
    read->rows_room = 0;
    RF_TRY(open_wave(&all, read, pool, err));
    RF_TRY(read->file->n_blocks ? read_all_again(&all, err) : read_all_ahead(&all, err));
    rfi_columns_trim(read, read->file->n_rows);
    for (int32_t c = 0; c < read->file->n_columns; c++)
        if (read->columns[c].as == RFI_READ_TEXTS)
            RF_TRY(rfi_dict_check(&read->columns[c].dict, "of the table", err));
out:
    close_wave(&all);
    return rc;
}
