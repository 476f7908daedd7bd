/* csv_names.h - the header's cells, and a name of its own for every column. */
#ifndef RF_ENGINE_TABLE_CSV_NAMES_H
#define RF_ENGINE_TABLE_CSV_NAMES_H

#include "engine/table/csv_file.h"

/* Sets file->n_columns, schema->n_fields and, of each field, name and label, in the arena. Without a
 * header the first record tells how many columns there are. INPUT for more than RF_COLUMNS_MAX. */
rf_code rfi_csv_read_names(rfi_csv_file *file, rf_schema *schema, rf_arena *arena, rf_notes *notes,
                           rf_error *err) RF_MUST_CHECK;

/* Gives every field its label from its name; those that differ are noted when `notes` is not NULL. */
rf_code rfi_labels_make(rf_schema *schema, rf_arena *arena, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

#endif
