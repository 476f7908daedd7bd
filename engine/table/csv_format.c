#include "engine/table/csv_format.h"

#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/csv_digits.h"
#include "engine/table/csv_quote.h"
#include "engine/table/csv_slots.h"
#include "engine/table/datetime.h"

enum {
    COPY_BYTES = 32,       /* short texts are copied so many bytes at once;
                              behind every buffer there is room                */
    COPY_LONGEST = 256,    /* in steps of so many                              */
    DATETIME_BYTES = 512,  /* a formatted datetime, quoted                     */
    BLOCK_CELLS = 1 << 15, /* formatted by one task: a few hundred kilobytes   */
    TILE_SLOTS = 2048,     /* numbers that wait for their rows in the first cache */
    TILE_ROWS = 64,
    TILE_ROWS_MIN = 8,
    FAR_BYTES = 256 << 10,
};

struct rfi_formatter {
    rf_arena arena;
    rf_schema schema; /* without ignored columns          */
    int32_t *from;    /* (n_fields) column of the schema given at open */
    int32_t n_given;  /* columns of that schema           */
    char delimiter, point;
    const char *line_end;
};

typedef enum how { WRITE_CODE, WRITE_SLOT, WRITE_NUMBER, WRITE_DATETIME } how;

/* How one column is written, with its delimiter or line end behind each cell. */
typedef struct cell_format {
    how how;
    const rf_field *field;
    const double *values;
    const int32_t *codes;
    int64_t *offsets; /* texts: (dict.n + 2) into bytes; quoted and ended, the missing one first */
    char *bytes;
    bool far; /* they do not stay in a core's caches */
    rfi_slot_format slot;
    char *missing; /* quoted and ended */
    size_t n_missing;
    char end[2];
    size_t n_end;
    int decimals, least;
    bool quoted;
    size_t room; /* the longest cell, and COPY_BYTES */
} cell_format;

/* ---- preparing a column -------------------------------------------------------------------- */

/* All texts of the dictionary as they will stand in the file. */
static rf_code prepare_texts(cell_format *cell, const rf_dict *dict, char delimiter, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *label = cell->field->label;
    const char *own = cell->field->missing_text ? cell->field->missing_text : "";
    const size_t n_own = strlen(own);
    size_t needed = COPY_BYTES + cell->n_missing, longest = cell->n_missing, n = cell->n_missing;
    if (dict->n)
        needed +=
            2 * (size_t)(dict->offsets[dict->n] - dict->offsets[0]) + (size_t)dict->n * (2 + cell->n_end);
    cell->offsets = rf_malloc_long(((size_t)dict->n + 2) * sizeof *cell->offsets);
    cell->bytes = rf_malloc_long(needed);
    if (!cell->offsets || !cell->bytes)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "not enough memory for the texts of the column %.60s", label));
    memcpy(cell->bytes, cell->missing, n);
    cell->offsets[0] = 0;
    for (int32_t code = 0; code < dict->n; code++) {
        size_t length;
        const char *text = rf_dict_text(dict, code, &length);
        const bool quoted = cell->quoted || rfi_quote_special(text, length, delimiter) ||
                            rfi_quote_missing(text, length, own, n_own) || rfi_quote_sep_line(text, length);
        cell->offsets[code + 1] = (int64_t)n;
        const size_t begin = n;
        n += rfi_quote_put(cell->bytes + n, text, length, quoted);
        memcpy(cell->bytes + n, cell->end, sizeof cell->end); /* there is room for both, needed or not */
        n += cell->n_end;
        longest = n - begin > longest ? n - begin : longest;
    }
    cell->offsets[dict->n + 1] = (int64_t)n;
    cell->far = n > FAR_BYTES;
    memset(cell->bytes + n, 0, COPY_BYTES);
    cell->room = longest + COPY_BYTES;
out:
    return rc;
}

static void prepare_slots(cell_format *cell, char point)
{
    cell->slot = (rfi_slot_format){.decimals = cell->decimals,
                                   .least = cell->least,
                                   .point = point,
                                   .end = {cell->end[0], cell->end[1]},
                                   .n_end = (uint8_t)cell->n_end};
    if (cell->n_missing <= RFI_SLOT_BYTES) {
        memcpy(cell->slot.missing.text, cell->missing, cell->n_missing);
        cell->slot.n_missing = (uint8_t)cell->n_missing;
    }
}

static void prepare_numbers(cell_format *cell, const rfi_formatter *formatter)
{
    const rf_field *field = cell->field;
    cell->least = field->min_decimals;
    cell->decimals = field->decimals < 0                     ? -1
                     : field->decimals > field->min_decimals ? field->decimals
                                                             : field->min_decimals;
    if (formatter->point == formatter->delimiter && cell->decimals != 0)
        cell->quoted = true; /* a decimal comma between commas */
    cell->how =
        cell->decimals < 0 || cell->decimals > RFI_SLOT_DECIMALS || cell->quoted ? WRITE_NUMBER : WRITE_SLOT;
    cell->room = RF_NUMBER_TEXT_MAX + 32;
    if (cell->how == WRITE_SLOT)
        prepare_slots(cell, formatter->point);
    if (field->kind == RF_KIND_DATETIME) {
        cell->how = WRITE_DATETIME;
        cell->quoted |=
            rfi_quote_special(field->datetime_format, strlen(field->datetime_format), formatter->delimiter);
        cell->room = DATETIME_BYTES + 32;
    }
}

static rf_code prepare(cell_format *cell, const rfi_formatter *formatter, int32_t c, const rf_column *column,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_field *field = &formatter->schema.fields[c];
    const bool alone = formatter->schema.n_fields == 1;
    const char *missing = field->missing_text ? field->missing_text : "";
    const size_t n = strlen(missing);
    *cell = (cell_format){
        .field = field, .values = column->values, .codes = column->codes, .quoted = field->quoted};
    if (c + 1 < formatter->schema.n_fields) {
        cell->end[0] = formatter->delimiter;
        cell->n_end = 1;
    } else {
        cell->n_end = strlen(formatter->line_end);
        memcpy(cell->end, formatter->line_end, cell->n_end);
    }
    RF_TRY(RF_NEW_ARRAY(&cell->missing, 2 * n + RFI_QUOTE_ROOM, field->label, err));
    /* an empty line would be no row at all */
    cell->n_missing = rfi_quote_put(cell->missing, missing, n,
                                    rfi_quote_special(missing, n, formatter->delimiter) || (alone && !n));
    memcpy(cell->missing + cell->n_missing, cell->end, cell->n_end);
    cell->n_missing += cell->n_end;
    if (column->codes)
        RF_TRY(prepare_texts(cell, &column->dict, formatter->delimiter, err));
    else
        prepare_numbers(cell, formatter);
    cell->room += cell->n_missing;
out:
    return rc;
}

static void free_cells(cell_format *cells, int32_t n)
{
    for (int32_t c = 0; cells && c < n; c++) {
        rf_free(cells[c].offsets);
        rf_free(cells[c].bytes);
        rf_free(cells[c].missing);
    }
    rf_free(cells);
}

/* ---- cells --------------------------------------------------------------------------------- */

static inline char *put_bytes(char *out, const char *bytes, size_t length)
{
    memcpy(out, bytes, length);
    return out + length;
}

static char *put_missing(char *out, const cell_format *cell)
{
    return put_bytes(out, cell->missing, cell->n_missing);
}

/* The shortest form, with as many zeros as the column always writes. */
static size_t format_shortest(char *out, double value, int least)
{
    size_t n = rf_format_f64(out, value);
    if (memchr(out, 'e', n))
        return n;
    const char *dot = memchr(out, '.', n);
    int written = dot ? (int)(out + n - dot) - 1 : 0;
    if (!dot && least)
        out[n++] = '.';
    for (; written < least; written++)
        out[n++] = '0';
    return n;
}

static char *put_number_slowly(char *out, const cell_format *cell, double value, char point)
{
    const size_t n = cell->decimals < 0 ? format_shortest(out, value, cell->least)
                                        : rf_format_fixed(out, value, cell->decimals, cell->least);
    char *dot = memchr(out, '.', n);
    if (dot)
        *dot = point;
    return out + n;
}

static char *put_number(char *out, const cell_format *cell, double value, char point)
{
    if (value != value)
        return put_missing(out, cell);
    if (cell->quoted)
        *out++ = '"';
    char *end = cell->decimals >= 0 && cell->decimals <= RFI_FAST_DECIMALS
                    ? rfi_put_fixed(out, value, cell->decimals, cell->least, point)
                    : NULL;
    if (!end)
        end = put_number_slowly(out, cell, value, point);
    if (cell->quoted)
        *end++ = '"';
    memcpy(end, cell->end, 2); /* there is room for both, needed or not */
    return end + cell->n_end;
}

static char *put_datetime(char *out, const cell_format *cell, double value)
{
    char text[DATETIME_BYTES / 2];
    const size_t n = value != value
                         ? 0
                         : rf_datetime_format(text, sizeof text, value, cell->field->datetime_format,
                                              cell->field->utc_offset_s);
    if (!n)
        return put_missing(out, cell);
    out += rfi_quote_put(out, text, n, cell->quoted);
    return put_bytes(out, cell->end, cell->n_end);
}

/* ---- tiles of rows ------------------------------------------------------------------------- */

/* A few rows, whose short numbers are turned into texts column by column before the rows are put together: there
 * nothing depends on how long a number is. */
typedef struct tile {
    rfi_slot *slots;  /* (n_columns, rows) of columns that have them */
    uint8_t *lengths; /* (n_columns, rows)                           */
    int64_t rows;     /* at most                                     */
} tile;

typedef struct format_run {
    const cell_format *cells;
    int32_t n_columns;
    int64_t n_rows, first_row, block_rows;
    char point;
    size_t row_room;
    rf_buf *buffers;
    tile *tiles;
} format_run;

/* The texts of a tile are fetched all together: one after another, each row would wait for its own. Inline, or GCC takes it for a
 * function without effect and leaves its calls away. */
__attribute__((always_inline)) static inline void fetch_texts(const cell_format *cell, int64_t row,
                                                              int64_t n_rows)
{
    enum { LINE = 64 };
    const int32_t *codes = cell->codes + row;
    for (int64_t i = 0; i < n_rows; i++)
        __builtin_prefetch(&cell->offsets[codes[i] + 1]);
    for (int64_t i = 0; i < n_rows; i++) {
        const int64_t begin = cell->offsets[codes[i] + 1], end = cell->offsets[codes[i] + 2];
        __builtin_prefetch(cell->bytes + begin);
        if (end - begin > LINE / 2)
            __builtin_prefetch(cell->bytes + begin + LINE);
    }
}

static void fill_tile(const tile *to, const format_run *run, int64_t row, int64_t n_rows)
{
    for (int32_t c = 0; c < run->n_columns; c++) {
        const cell_format *cell = &run->cells[c];
        if (cell->how == WRITE_SLOT)
            rfi_slots_fill(&cell->slot, cell->values + row, n_rows, to->slots + c * to->rows,
                           to->lengths + c * to->rows);
        else if (cell->far)
            fetch_texts(cell, row, n_rows);
    }
}

static char *put_long(char *out, const char *text, size_t length)
{
    if (length > COPY_LONGEST)
        return put_bytes(out, text, length);
    for (size_t at = 0; at < length; at += COPY_BYTES)
        memcpy(out + at, text + at, COPY_BYTES);
    return out + length;
}

/* Steps of COPY_BYTES, of which most texts take one: there is room behind every text, and behind every cell. */
static inline char *put_code(char *out, const cell_format *cell, int32_t code)
{
    const int64_t *offset = &cell->offsets[code + 1];
    const char *text = cell->bytes + offset[0];
    const size_t length = (size_t)(offset[1] - offset[0]);
    if (__builtin_expect(length > COPY_BYTES, 0))
        return put_long(out, text, length);
    memcpy(out, text, COPY_BYTES);
    return out + length;
}

/* Row `row`, the i-th of the tile. */
static inline char *put_row(char *out, const format_run *run, const tile *from, int64_t row, int64_t i)
{
    const rfi_slot *slot = from->slots + i;
    const uint8_t *length = from->lengths + i;
    const cell_format *const end = run->cells + run->n_columns;
    for (const cell_format *cell = run->cells; cell < end; cell++, slot += from->rows, length += from->rows) {
        switch (cell->how) {
        case WRITE_CODE:
            out = put_code(out, cell, cell->codes[row]);
            break;
        case WRITE_SLOT:
            if (__builtin_expect(*length == 0, 0)) {
                out = put_number(out, cell, cell->values[row], run->point);
                break;
            }
            memcpy(out, slot, sizeof *slot);
            out += *length;
            break;
        case WRITE_NUMBER:
            out = put_number(out, cell, cell->values[row], run->point);
            break;
        case WRITE_DATETIME:
            out = put_datetime(out, cell, cell->values[row]);
            break;
        }
    }
    return out;
}

/* ---- blocks of rows ------------------------------------------------------------------------ */

/* Threads would fight over neighbouring buffers if each row wrote its size there. */
static void format_task(void *arg, int64_t task)
{
    const format_run *run = arg;
    const tile *part = &run->tiles[task];
    rf_buf *buf = &run->buffers[task];
    const int64_t begin = run->first_row + task * run->block_rows;
    const int64_t end = begin + run->block_rows < run->n_rows ? begin + run->block_rows : run->n_rows;
    rf_buf_clear(buf);
    for (int64_t row = begin; row < end; row += part->rows) {
        const int64_t n = end - row < part->rows ? end - row : part->rows;
        fill_tile(part, run, row, n);
        for (int64_t i = 0; i < n;) {
            if ((!buf->data || buf->capacity - buf->size_bytes <= run->row_room) &&
                !rf_buf_reserve(buf, run->row_room))
                return;
            char *out = buf->data + buf->size_bytes;
            const char *const last = buf->data + buf->capacity - run->row_room;
            for (; i < n && out < last; i++)
                out = put_row(out, run, part, row + i, i);
            buf->size_bytes = (size_t)(out - buf->data);
        }
    }
}

static rf_code open_tile(tile *out, int32_t n_columns, rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t rows = TILE_SLOTS / n_columns / TILE_ROWS_MIN * TILE_ROWS_MIN;
    out->rows = rows < TILE_ROWS_MIN ? TILE_ROWS_MIN : rows > TILE_ROWS ? TILE_ROWS : rows;
    const size_t n = (size_t)n_columns * (size_t)out->rows;
    RF_TRY(RF_NEW_ARRAY(&out->slots, n, "rows to write", err));
    RF_TRY(RF_NEW_ARRAY(&out->lengths, n, "rows to write", err));
out:
    return rc;
}

static void close_tile(tile *from)
{
    rf_free(from->slots);
    rf_free(from->lengths);
}

static rf_code run_blocks(format_run *run, rf_pool *pool, rfi_format_sink *sink, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    const int threads = rf_pool_threads(pool);
    const int64_t n_slots = threads > 1 ? (int64_t)threads * 2 : 1;
    const int64_t block_rows = BLOCK_CELLS / run->n_columns;
    run->block_rows = block_rows ? block_rows : 1;
    RF_TRY(RF_NEW_ARRAY(&run->buffers, n_slots, "rows to write", err));
    RF_TRY(RF_NEW_ARRAY(&run->tiles, n_slots, "rows to write", err));
    for (int64_t i = 0; i < n_slots; i++)
        RF_TRY(open_tile(&run->tiles[i], run->n_columns, err));
    for (run->first_row = 0; run->first_row < run->n_rows; run->first_row += n_slots * run->block_rows) {
        const int64_t left = (run->n_rows - run->first_row + run->block_rows - 1) / run->block_rows;
        const int64_t n = left < n_slots ? left : n_slots;
        rf_pool_run(pool, format_task, run, n);
        for (int64_t i = 0; i < n; i++) {
            RF_TRY(rf_buf_check(&run->buffers[i], "rows to write", err));
            RF_TRY(sink(arg, run->buffers[i].data, run->buffers[i].size_bytes, err));
        }
    }
out:
    for (int64_t i = 0; run->buffers && i < n_slots; i++)
        rf_buf_free(&run->buffers[i]);
    for (int64_t i = 0; run->tiles && i < n_slots; i++)
        close_tile(&run->tiles[i]);
    rf_free(run->buffers);
    rf_free(run->tiles);
    return rc;
}

rf_code rfi_formatter_rows(rfi_formatter *formatter, const rf_table *rows, rf_pool *pool,
                           rfi_format_sink *sink, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t n = formatter->schema.n_fields;
    cell_format *cells = NULL;
    if (rows->schema.n_fields != n && rows->schema.n_fields != formatter->n_given)
        RF_TRY(rf_fail(err, RF_INTERNAL, "rows with %d columns were given to a table with %d",
                       rows->schema.n_fields, n));
    if (!n || !rows->n_rows)
        goto out;
    RF_TRY(RF_NEW_ARRAY(&cells, n, "rows to write", err));
    format_run run = {
        .cells = cells, .n_columns = n, .n_rows = rows->n_rows, .point = formatter->point, .row_room = 1};
    for (int32_t c = 0; c < n; c++) {
        const int32_t from = rows->schema.n_fields == n ? c : formatter->from[c];
        RF_TRY(prepare(&cells[c], formatter, c, &rows->columns[from], err));
        run.row_room += cells[c].room;
    }
    RF_TRY(run_blocks(&run, pool, sink, arg, err));
out:
    free_cells(cells, n);
    return rc;
}

/* ---- the formatter ------------------------------------------------------------------------- */

rf_code rfi_formatter_open(rfi_formatter **out, const rf_schema *schema, char delimiter, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_formatter *formatter = NULL;
    int32_t n = 0;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&formatter, 1, "a writer", err));
    rf_arena_init(&formatter->arena);
    RF_TRY(rf_schema_copy(&formatter->schema, schema, &formatter->arena, err));
    formatter->n_given = schema->n_fields;
    formatter->from = RF_ARENA_ARRAY(&formatter->arena, int32_t, schema->n_fields ? schema->n_fields : 1);
    RF_TRY(rf_arena_check(&formatter->arena, "a writer", err));
    for (int32_t c = 0; c < schema->n_fields; c++)
        if (schema->fields[c].kind != RF_KIND_IGNORED) {
            formatter->schema.fields[n] = formatter->schema.fields[c];
            formatter->from[n++] = c;
        }
    formatter->schema.n_fields = n;
    formatter->delimiter = delimiter                   ? delimiter
                           : schema->dialect.delimiter ? schema->dialect.delimiter
                                                       : ',';
    formatter->point = schema->dialect.decimal_point ? schema->dialect.decimal_point : '.';
    formatter->line_end = schema->dialect.crlf ? "\r\n" : "\n";
    *out = formatter;
    formatter = NULL;
out:
    rfi_formatter_close(formatter);
    return rc;
}

void rfi_formatter_close(rfi_formatter *formatter)
{
    if (!formatter)
        return;
    rf_arena_free(&formatter->arena);
    rf_free(formatter);
}

void rfi_formatter_header(const rfi_formatter *formatter, rf_buf *out)
{
    const int32_t n = formatter->schema.n_fields;
    if (formatter->schema.dialect.bom)
        rf_buf_append(out, "\xEF\xBB\xBF", 3);
    if (formatter->schema.dialect.no_header)
        return;
    for (int32_t c = 0; c < n; c++) {
        const char *name = formatter->schema.fields[c].name ? formatter->schema.fields[c].name : "";
        const size_t length = strlen(name);
        if (!rf_buf_reserve(out, 2 * length + RFI_QUOTE_ROOM))
            return;
        const bool quoted = rfi_quote_special(name, length, formatter->delimiter) || (n == 1 && !length) ||
                            rfi_quote_sep_line(name, length);
        out->size_bytes += rfi_quote_put(out->data + out->size_bytes, name, length, quoted);
        rf_buf_append(out, c + 1 < n ? &formatter->delimiter : formatter->line_end,
                      c + 1 < n ? 1 : strlen(formatter->line_end));
    }
}
