/* csv_parse.h - cells become numbers and codes, a few blocks at a time.
 *
 * Each column is read in one of a few ways, chosen from a sample (csv_plan.h). Reading never loses a
 * cell silently: what does not fit the way is counted, with the first row where it stood, and
 * csv_settle.h decides whether that is an error or whether the column is read again as texts.
 *
 * Blocks are read side by side. A block writes its own rows of each column, counts for itself, and has the codes of its
 * reader's own dictionaries (csv_reader.h), which are joined in the order of the file: codes, counts and errors are those of
 * one thread that reads from the start to the end.
 */
#ifndef RF_ENGINE_TABLE_CSV_PARSE_H
#define RF_ENGINE_TABLE_CSV_PARSE_H

#include "core/pool.h"
#include "engine/table/cell_dict.h"
#include "engine/table/cell_number.h"
#include "engine/table/csv_blocks.h"

typedef enum rfi_read_as {
    RFI_READ_NOT, /* this time */
    RFI_READ_NUMBERS,
    RFI_READ_DATETIMES,
    RFI_READ_TEXTS
} rfi_read_as;

/* Cells that are not what they should be. */
typedef struct rfi_strays {
    int64_t n, first_row;
} rfi_strays;

/* What a block, or a whole column, was seen to hold. Sums, extremes and firsts: joined in any order. */
typedef struct rfi_cell_facts {
    rfi_number_facts numbers;
    rfi_strays odd;      /* neither a number (a datetime) nor missing                 */
    rfi_strays codes;    /* numbers whose text would not come back: 007, +5           */
    rfi_strays huge;     /* whole numbers beyond 2^53                                 */
    rfi_strays infinite; /* inf, 1e999                                                */
    rfi_strays offsets;  /* datetimes with another UTC offset than the first          */
    int32_t utc_offset_s;
    int64_t first_offset_row; /* the row that gave utc_offset_s; INT64_MAX: none      */
    int64_t n_quoted, n_quoted_missing;
    int64_t n_uncoded; /* texts: empty cells, and tokens without quotes                */
    int64_t *missing;  /* (tokens) how often each stood there; numbers and datetimes   */
} rfi_cell_facts;

typedef struct rfi_column_read {
    rfi_read_as as;
    bool decimals; /* numbers: expect digits after the point */
    const char *datetime_format;
    double *values; /* numbers, datetimes: (rows_room), NaN = missing or stray */
    int32_t *codes; /* texts: (rows_room), negative = RFI_CODE_TOKEN(j)        */
    rfi_dict dict;  /* texts */
    rfi_cell_facts facts;
} rfi_column_read;

typedef struct rfi_csv_read {
    rfi_csv_file *file;
    rfi_tokens tokens;
    char point;
    rfi_column_read *columns; /* (file->n_columns) */
    int64_t rows_room;        /* of the columns being read */
} rfi_csv_read;

/* Reads the columns whose `as` is not NOT, whose arrays are NULL and whose facts are clear. The first time it also finds the
 * file's blocks. The arrays then have room for file->n_rows. INPUT for what is wrong with the bytes or the
 * quotes, and for a row with too few or too many cells; of several faults the first is told, for any pool. */
rf_code rfi_csv_parse(rfi_csv_read *read, rf_pool *pool, rf_error *err) RF_MUST_CHECK;

void rfi_cell_facts_clear(rfi_cell_facts *facts, int32_t n_tokens); /* keeps facts->missing, zeroed */

#endif
