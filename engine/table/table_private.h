/* table_private.h - handing finished cells to a table. */
#ifndef RF_ENGINE_TABLE_TABLE_PRIVATE_H
#define RF_ENGINE_TABLE_TABLE_PRIVATE_H

#include "engine/table/table.h"

/* A table with the fields of its schema (already in its arena) and room for columns; no cells yet. */
rf_code rfi_table_make_columns(rf_table *table, rf_error *err) RF_MUST_CHECK;

/* The arrays came from core/alloc.h and are the table's from now on; what the column had is freed. */
void rfi_table_take_values(rf_table *table, int32_t column, double *values);
void rfi_table_take_codes(rf_table *table, int32_t column, int32_t *codes);
void rfi_table_take_dict(rf_table *table, int32_t column, rf_dict dict);

/* The suffix of a path or a format's name as one of the formats that tables have. */
typedef enum rfi_format {
    RFI_FORMAT_CSV,
    RFI_FORMAT_TSV,
    RFI_FORMAT_TXT,
    RFI_FORMAT_LATER,
    RFI_FORMAT_PACKED,
    RFI_FORMAT_UNKNOWN
} rfi_format;
rfi_format rfi_format_find(const char *path, const char *format, const char **name);

#endif
