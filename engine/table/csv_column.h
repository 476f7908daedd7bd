/* csv_column.h - the cells of one column in a tile become values or codes, in the way its column is read.
 *
 * Nearly all cells take a straight road (csv_numbers.h, or the front of a dictionary); the others are decoded, counted,
 * and read slowly here. Threads: a block belongs to one at a time.
 */
#ifndef RF_ENGINE_TABLE_CSV_COLUMN_H
#define RF_ENGINE_TABLE_CSV_COLUMN_H

#include "engine/table/csv_batch.h"
#include "engine/table/csv_parse.h"
#include "engine/table/csv_tile.h"

/* What a block's cells are counted in. */
typedef struct rfi_block_count {
    const rfi_csv_read *read;
    rf_buf text;           /* of quoted cells                                             */
    rfi_cell_facts *facts; /* (n_columns)                                                 */
    int64_t *missing;      /* (n_columns, n_tokens) behind the facts                      */
    int64_t bad_quote_row; /* the first with a cell that goes on after its closing quote; INT64_MAX: none */
    int32_t bad_quote_column;
    rfi_batch batch; /* of the column that is being read */
} rfi_block_count;

/* Room for n_rows in the arrays of the columns being read; the rows that were there stay. */
rf_code rfi_columns_make_room(rfi_csv_read *read, int64_t n_rows, rf_error *err) RF_MUST_CHECK;

/* Gives back what the first n_rows do not need. */
void rfi_columns_trim(rfi_csv_read *read, int64_t n_rows);

/* Asks the system for what lies some blocks behind n_rows read from `first_row` on, so that threads do not meet where the memory of a
 * column begins to be used: each would make the same large page, and one of the two would be thrown away. */
void rfi_columns_touch(const rfi_csv_read *read, int64_t first_row, int64_t n_rows);

/* Writes cells->n rows of the column from `first_row` on, texts by their codes in `dict`. Memory that ran out shows in
 * text.failed and in the dictionary. */
void rfi_column_read_tile(rfi_block_count *block, int32_t column, rfi_dict *dict, const rfi_csv_cells *cells,
                          int64_t first_row);

#endif
