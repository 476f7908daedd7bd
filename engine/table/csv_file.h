/* csv_file.h - a delimited file before anybody asks what its cells mean: its dialect, its bytes, its lines.
 *
 * Errors are INPUT and name the file and the line. Threads: a file that is not being cut may be read from any thread; a
 * scratch belongs to one at a time.
 */
#ifndef RF_ENGINE_TABLE_CSV_FILE_H
#define RF_ENGINE_TABLE_CSV_FILE_H

#include "core/file.h"
#include "engine/table/csv_record.h"
#include "engine/table/table.h"

enum {
    RFI_CSV_BLOCK_BYTES = 256 << 10, /* marks, cells and bytes of one stay in a core's second cache */
    RFI_CSV_LINE_MAX = 64 << 20,     /* bytes of one line, and of one quoted cell                   */
    RFI_CSV_KEEP_BYTES = 16 << 20,   /* of the mapped file, before pages are given back              */
    RFI_CELL_SHOWN = 48,             /* room for a cell in a message                                */
};

/* Whole records. */
typedef struct rfi_csv_block {
    size_t begin, end; /* of the file */
    int64_t first_row, n_rows;
    int64_t first_line; /* 1 = the file's first */
} rfi_csv_block;

typedef struct rfi_csv_file {
    const char *name;
    const char *data;
    size_t size_bytes;
    rf_file_bytes *bytes; /* to release what was read; NULL for bytes in memory */
    rfi_csv_syntax syntax;
    size_t header_begin;   /* after the byte order mark and empty lines        */
    size_t body_begin;     /* the first row                                    */
    size_t body_end;       /* empty lines at the end are left out              */
    rfi_csv_block *blocks; /* found so far (csv_blocks.h), in order          */
    size_t n_blocks, blocks_capacity;
    int64_t n_rows; /* in the blocks */
    int32_t n_columns;
} rfi_csv_file;

/* Fills name, data, syntax, header_begin, body_begin and body_end, and *dialect but for decimal_point.
 * `delimiter` 0: found out. */
rf_code rfi_csv_sniff(rfi_csv_file *file, rf_dialect *dialect, const rf_table_options *options,
                      char delimiter, rf_error *err) RF_MUST_CHECK;
void rfi_csv_file_free(rfi_csv_file *file);

/* Reading has gone from `from` to `to`: what lies before is given back now and then. */
void rfi_csv_release(const rfi_csv_file *file, size_t from, size_t to);

/* Line ends in bytes [begin, end), and the line (from 1) of a byte: counts from the start of the file. */
int64_t rfi_csv_count_newlines(const rfi_csv_file *file, size_t begin, size_t end);
int64_t rfi_csv_line(const rfi_csv_file *file, size_t offset);

/* ---- scratch ------------------------------------------------------------------------------- */

/* For some bytes: their marks and the ends of their cells. */
typedef struct rfi_csv_scratch {
    rfi_csv_marks marks;
    size_t words_capacity;
    uint32_t *ends; /* ends[-1] is there too, and one before 0: a cell begins behind the end before it */
    uint32_t *ends_memory;
    size_t n_ends, ends_capacity;
} rfi_csv_scratch;

rf_code rfi_csv_scratch_scan(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                             rf_error *err) RF_MUST_CHECK;

/* The same, and the cells of bytes that begin at a record; count (may be NULL) is of its records. */
rf_code rfi_csv_scratch_index(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                              rfi_csv_count *count, rf_error *err) RF_MUST_CHECK;
void rfi_csv_scratch_free(rfi_csv_scratch *scratch);

/* ---- places -------------------------------------------------------------------------------- */

/* Where a cell stands: its line, and its raw bytes made fit for a message. For errors and warnings;
 * line 0 when there is no memory to look. The row must lie in the blocks. */
typedef struct rfi_csv_place {
    int64_t line;
    char shown[RFI_CELL_SHOWN];
} rfi_csv_place;
rfi_csv_place rfi_csv_locate(const rfi_csv_file *file, int64_t row, int32_t column);

/* Control characters become blanks, what is too long ends in "..." on a UTF-8 boundary. */
void rfi_shown(char out[RFI_CELL_SHOWN], const char *text, size_t length);

#endif
