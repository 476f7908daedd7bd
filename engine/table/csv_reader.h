/* csv_reader.h - what one thread reads a block with: the ends of its cells, a tile of them at a time, and what they are counted in.
 *
 * With `apart` the texts of a block get the codes of the reader's own dictionaries, so that blocks can be read side by side. Those
 * are kept from block to block; rfi_csv_reader_join, which is called in the order of the blocks, makes the column's codes of
 * them. A column of many texts is not worth two dictionaries: such a one is put off, and read by the join itself.
 *
 * Threads: a reader belongs to one at a time.
 */
#ifndef RF_ENGINE_TABLE_CSV_READER_H
#define RF_ENGINE_TABLE_CSV_READER_H

#include "engine/table/csv_column.h"

enum { RFI_OWN_TEXTS = 4096 }; /* more are forgotten, and a column that has more is better put off */

/* A column's texts as this reader knows them. */
typedef struct rfi_own_texts {
    rfi_dict dict;
    int32_t *map; /* (n_mapped) the column's codes */
    size_t map_capacity;
    int32_t n_mapped; /* texts of blocks that were joined */
    bool same;        /* all of them have the column's codes */
    bool put_off;     /* in this block */
} rfi_own_texts;

typedef struct rfi_csv_reader {
    const rfi_csv_read *read;
    rfi_csv_block block;
    rfi_csv_piece piece; /* its scratch serves the block too */
    uint32_t *tile;      /* (n_columns + 1, tile_rows) */
    int64_t tile_rows;
    rfi_block_count count;
    rfi_own_texts *own; /* (n_columns) NULL: texts get the columns' codes at once */
} rfi_csv_reader;

rf_code rfi_csv_reader_open(rfi_csv_reader *reader, const rfi_csv_read *read, bool apart,
                            rf_error *err) RF_MUST_CHECK;
void rfi_csv_reader_close(rfi_csv_reader *reader);

/* The cells of a block; with `indexed` those of the piece are its own. INPUT for a row with too few or too many. */
rf_code rfi_csv_reader_begin(rfi_csv_reader *reader, const rfi_csv_block *block, bool indexed,
                             rf_error *err) RF_MUST_CHECK;

/* Reads all columns, but for those whose `put_off` was set. What is wrong shows in the count. */
void rfi_csv_reader_read(rfi_csv_reader *reader);

/* After the blocks before: what was read, and what was put off, becomes the column's. */
void rfi_csv_reader_join(rfi_csv_reader *reader, rfi_column_read *column, int32_t c);

#endif
