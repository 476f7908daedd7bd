/* metadata.h - what a table's columns are, in SDV's JSON form.
 *
 * Accepts `tables` with exactly one table (whatever the version says), and the older single-table form with
 * `columns` at the top. sdtypes become kinds:
 *
 *     numerical              integer or continuous (by computer_representation, else by the cells)
 *     datetime, boolean, categorical, id      themselves
 *     unknown and the personal ones (email, phone_number, …)      id; categorical where "pii" is false
 *
 * What we do not know or do not use is a note: unknown keys and sdtypes (an unknown sdtype is taken for a
 * personal one, as the reference does), composite keys, sequences, relationships. A file that is not JSON is
 * INPUT with line and column; one whose content is wrong (a list where an object belongs, a key that
 * names no column, a datetime_format that cannot be) is INPUT with the column's name.
 *
 * Beside the reference's keys a numerical or datetime column may have "range_min" and "range_max" (a datetime's
 * in its own datetime_format): its values were never outside, and synthetic ones shall not be either. A
 * category or boolean may have "range_values", any column "range_is_nullable"; both are for the report.
 */
#ifndef RF_ENGINE_TABLE_METADATA_H
#define RF_ENGINE_TABLE_METADATA_H

#include "core/arena.h"
#include "core/notes.h"
#include "engine/table/table.h"

typedef struct rf_metadata_column {
    const char *name, *sdtype;
    const char *datetime_format; /* NULL: to be found from the cells                      */
    const char *regex;           /* regex_format of an id, or NULL                        */
    bool numerical;              /* kind is INTEGER or CONTINUOUS, to be decided by the cells */
    rf_kind kind;
    bool primary_key, alternate_key;
    bool composite_key;              /* one of several columns that are the primary key together */
    bool sequence_index;             /* says in which order the rows of a sequence come       */
    double range_min, range_max;     /* NaN when absent                                       */
    const char *const *range_values; /* (n_range_values) the texts that are allowed, or NULL */
    int32_t n_range_values;
    bool range_has_null; /* null is among them                                    */
    int8_t nullable;     /* range_is_nullable: 1 true, -1 false, 0 absent         */
} rf_metadata_column;

typedef struct rf_metadata {
    const char *table_name; /* "table" when the file names none */
    int32_t n_columns;
    rf_metadata_column *columns; /* in the file's order: the order of the report */
} rf_metadata;

/* Everything lives in `arena`; `notes` may be NULL; `name` stands for the path in messages. */
rf_code rf_metadata_read(rf_metadata *out, rf_arena *arena, const char *path, rf_notes *notes,
                         rf_error *err) RF_MUST_CHECK;
rf_code rf_metadata_parse(rf_metadata *out, rf_arena *arena, const char *name, const char *json,
                          size_t size_bytes, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

#endif
