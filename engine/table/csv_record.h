/* csv_record.h - records and cells, by the quoting rules of RFC 4180.
 *
 * A quote opens a quoted cell only as the first byte of a cell; inside, two quotes are one, and one
 * ends it. A quote inside a cell that did not begin with one is an ordinary byte (5'11" is a text).
 * Any thread.
 */
#ifndef RF_ENGINE_TABLE_CSV_RECORD_H
#define RF_ENGINE_TABLE_CSV_RECORD_H

#include "core/buf.h"
#include "engine/table/csv_scan.h"

/* How records are cut. `newline` is '\n' (a '\r' before it belongs to it) or '\r' alone. */
typedef struct rfi_csv_syntax {
    char delimiter, newline;
    bool latin1; /* texts are ISO 8859-1 and become UTF-8 */
} rfi_csv_syntax;

typedef struct rfi_csv_count {
    int64_t n_ends;   /* line ends that end a record                                     */
    size_t first_end; /* the byte after the first of them; the size when there is none,
                         or when nobody may ask (rfi_csv_index_cells)                     */
    bool open;        /* the bytes end inside a quoted cell                              */
    size_t opened_at; /* where that began; 0 when it was open from the start             */
} rfi_csv_count;

/* Counts the records of bytes that begin at a record (inside = false) or in a quoted cell. */
void rfi_csv_count_records(rfi_csv_count *out, const rfi_csv_marks *marks, const char *data,
                           size_t size_bytes, const rfi_csv_syntax *syntax, bool inside);

/* The offset of the byte after each cell of bytes that begin at a record and end with one (with or
 * without its line end). ends has room for marks->n_separators + 1 + RFI_CSV_EXPAND_ROOM. Returns how many
 * there are. count, which may be NULL, is that of the records; the marks of separators and line ends in quotes may be
 * gone afterwards. */
size_t rfi_csv_index_cells(uint32_t *ends, rfi_csv_marks *marks, const char *data, size_t size_bytes,
                           const rfi_csv_syntax *syntax, rfi_csv_count *count);

/* One cell, without its quotes. The text is a view into the data or into the scratch that decoding
 * used: good until that is used again. */
typedef struct rfi_csv_cell {
    const char *text;
    size_t length;
    bool quoted;
} rfi_csv_cell;

/* Makes one quote of each two; out has room for length + RFI_CSV_UNDOUBLE_ROOM. Returns the length of the result, SIZE_MAX
 * when a quote stands alone. */
enum { RFI_CSV_UNDOUBLE_ROOM = 8 };
size_t rfi_csv_undouble(char *out, const char *text, size_t length);

/* raw: the cell's bytes as they stand, a '\r' before the line end included when `last`. False when a
 * quoted cell does not end with its quote. Memory that ran out shows in scratch->failed. */
bool rfi_csv_decode(rfi_csv_cell *cell, const char *raw, size_t length, bool last,
                    const rfi_csv_syntax *syntax, rf_buf *scratch);

#endif
