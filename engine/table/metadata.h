/* metadata.h - what a table's columns are, in SDV's JSON form.
 *
 * Accepts `tables` with exactly one table (whatever the version says), and the older single-table form with `columns` at the top.
 * sdtypes become kinds: numerical -> integer or continuous (by computer_representation and the cells), datetime, categorical,
 * boolean, id and the PII types -> id, unknown -> id. Unknown keys are notes; a malformed file is INPUT with line and column.
 */
#ifndef RF_ENGINE_TABLE_METADATA_H
#define RF_ENGINE_TABLE_METADATA_H

#include "core/arena.h"
#include "core/notes.h"
#include "engine/table/table.h"

typedef struct rf_metadata_column {
    const char *name, *sdtype, *datetime_format, *regex;
    bool numerical;          /* kind is INTEGER or CONTINUOUS, to be decided by the cells */
    rf_kind kind;
    bool primary_key, alternate_key;
    double range_min, range_max; /* NaN when absent */
} rf_metadata_column;

typedef struct rf_metadata {
    const char *table_name; /* "table" when the file names none */
    int32_t n_columns;
    rf_metadata_column *columns; /* in the file's order: the order of the report */
} rf_metadata;

/* Everything lives in `arena`. */
rf_code rf_metadata_read(rf_metadata *out, rf_arena *arena, const char *path, rf_notes *notes, rf_error *err) RF_MUST_CHECK;
rf_code rf_metadata_parse(rf_metadata *out, rf_arena *arena, const char *name, const char *json, size_t size_bytes, rf_notes *notes,
                          rf_error *err) RF_MUST_CHECK;

#endif
