/* csv_blocks.h - a file falls into blocks of whole records, a few at a time, so that whoever reads their cells finds the
 * bytes still in the cache.
 *
 *     cut      a piece between two line ends
 *     look     are its bytes text, where do its cells end, how many records are there? As if it began outside of quotes;
 *              nearly always it does. Pieces may be looked at side by side.
 *     join     pieces in their order become blocks, each with the number of its first row and line. A piece that began
 *              inside a quoted cell with line ends is counted again, and what belongs to the record before it goes to
 *              the block before it: the answer is always the exact one.
 *
 * Threads: a walk belongs to one at a time, a piece to another.
 */
#ifndef RF_ENGINE_TABLE_CSV_BLOCKS_H
#define RF_ENGINE_TABLE_CSV_BLOCKS_H

#include "engine/table/csv_file.h"

typedef struct rfi_csv_piece {
    size_t begin, end;       /* of the file; equal when there is none */
    rfi_csv_scratch scratch; /* after the look: its marks and cells    */
    rfi_csv_count count;
    size_t block;  /* after the join: the block that begins in it, SIZE_MAX when none does   */
    bool is_block; /* it is that block from end to end, so that its cells are the block's */
} rfi_csv_piece;

typedef struct rfi_csv_walk {
    rfi_csv_file *file;
    size_t at; /* where the next piece begins */
    /* after the last piece that was joined: */
    bool inside; /* a quoted cell, so that the last block is not whole yet */
    size_t opened_at;
    int64_t line, row;
    rfi_csv_scratch scratch;
} rfi_csv_walk;

/* Starts at the first row; blocks are added to the file's. */
void rfi_csv_walk_open(rfi_csv_walk *walk, rfi_csv_file *file);
void rfi_csv_walk_close(rfi_csv_walk *walk);

/* INPUT when a line is too long. */
rf_code rfi_csv_walk_cut(rfi_csv_walk *walk, rfi_csv_piece *piece, rf_error *err) RF_MUST_CHECK;

/* INPUT for a byte that is no text. */
rf_code rfi_csv_piece_look(rfi_csv_piece *piece, const rfi_csv_file *file, rf_error *err) RF_MUST_CHECK;
void rfi_csv_piece_free(rfi_csv_piece *piece);

/* INPUT for a quoted cell that is too long or never closed. */
rf_code rfi_csv_walk_join(rfi_csv_walk *walk, rfi_csv_piece *piece, rf_error *err) RF_MUST_CHECK;

/* Blocks, of all that were added so far, whose end is known. */
size_t rfi_csv_walk_ready(const rfi_csv_walk *walk);

/* The header's bytes are text. */
rf_code rfi_csv_check_header(const rfi_csv_file *file, rf_error *err) RF_MUST_CHECK;

#endif
