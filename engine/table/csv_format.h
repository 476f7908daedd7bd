/* csv_format.h - rows of a table as delimited text.
 *
 * Numbers by digit tables, categories by copying texts that were quoted once; blocks of rows are
 * formatted side by side and handed on in their order, so the bytes are the same for any pool.
 * Threads: one at a time.
 */
#ifndef RF_ENGINE_TABLE_CSV_FORMAT_H
#define RF_ENGINE_TABLE_CSV_FORMAT_H

#include "engine/table/table.h"

typedef struct rfi_formatter rfi_formatter;

/* `delimiter` 0: the schema's own. The schema is copied; ignored columns are left out. */
rf_code rfi_formatter_open(rfi_formatter **out, const rf_schema *schema, char delimiter,
                           rf_error *err) RF_MUST_CHECK;
void rfi_formatter_close(rfi_formatter *formatter);

/* The byte order mark and the header, as the dialect has them. Failure shows in the buffer. */
void rfi_formatter_header(const rfi_formatter *formatter, rf_buf *out);

/* Takes the bytes of some rows, in order. */
typedef rf_code rfi_format_sink(void *arg, const void *data, size_t size_bytes, rf_error *err);

rf_code rfi_formatter_rows(rfi_formatter *formatter, const rf_table *rows, rf_pool *pool,
                           rfi_format_sink *sink, void *arg, rf_error *err) RF_MUST_CHECK;

#endif
