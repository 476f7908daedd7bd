/* csv_plan.h - how each column will be read: what was declared about it, else what a sample suggests.
 *
 * A wrong suggestion costs a second reading of that column, never a cell.
 */
#ifndef RF_ENGINE_TABLE_CSV_PLAN_H
#define RF_ENGINE_TABLE_CSV_PLAN_H

#include "engine/table/csv_parse.h"

typedef struct rfi_column_plan {
    bool declared;  /* by --type, metadata or the schema of another table */
    rf_kind kind;   /* when declared                                      */
    bool numerical; /* declared as a number: INTEGER or CONTINUOUS by its cells */
    bool lenient;   /* a number or datetime that does not fit becomes missing, with a note */
    bool primary_key;
    const char *datetime_format; /* declared, or NULL: found from the cells */
    const char *regex;
} rfi_column_plan;

/* Fills plan (schema->n_fields, zeroed) from the options, or from `like`. Strings go to the arena. USAGE
 * for a type of a column that is not there, INPUT for metadata that does not fit. */
rf_code rfi_plan_declare(rfi_column_plan *plan, const rf_schema *schema, const rf_table_options *options,
                         const rf_schema *like, rf_arena *arena, rf_notes *notes,
                         rf_error *err) RF_MUST_CHECK;

/* Looks at the first rows, of which there must be one: sets read->point and, of each column, `as` and datetime_format. */
rf_code rfi_plan_sample(rfi_csv_read *read, const rfi_column_plan *plan, rf_error *err) RF_MUST_CHECK;

#endif
