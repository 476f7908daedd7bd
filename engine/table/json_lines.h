/* json_lines.h - rows of a table as one JSON object a line (NDJSON).
 *
 * Numbers have the digits that the table's CSV form would have, with a point; what is missing is null; datetimes are
 * texts in the column's own format; a boolean that the table writes as true and false (in any case) is one, other
 * states are texts as they stand. Keys are the columns' labels, which are unique. Ignored columns are left out.
 *
 * Threads: one at a time.
 */
#ifndef RF_ENGINE_TABLE_JSON_LINES_H
#define RF_ENGINE_TABLE_JSON_LINES_H

#include "engine/table/table.h"

typedef struct rf_json_lines rf_json_lines;

/* `schema` is lent for the life of the result. */
rf_code rf_json_lines_open(rf_json_lines **out, const rf_schema *schema, rf_error *err) RF_MUST_CHECK;
/* Appends one row of `rows`, whose schema is that of open, with or without its ignored columns. Failure shows in the
 * buffer. */
void rf_json_lines_row(const rf_json_lines *lines, const rf_table *rows, int64_t row, rf_buf *out);
void rf_json_lines_close(rf_json_lines *lines); /* NULL is fine */

#endif
