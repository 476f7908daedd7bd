/* profile.h - what a table looks like, column by column: `rowforge profile`, and later the upload's answer. */
#ifndef RF_ENGINE_TABLE_PROFILE_H
#define RF_ENGINE_TABLE_PROFILE_H

#include "core/buf.h"
#include "engine/table/table.h"

typedef struct rf_profile_column {
    int64_t missing, distinct;
    bool constant;               /* one distinct value, or none                              */
    double min, max, mean, std;  /* VALUES kinds; NaN when empty; std with ddof 1            */
    double quantile[3];          /* 25, 50, 75 %, linear interpolation                       */
    int32_t n_top;               /* coded kinds: the most frequent, at most 10               */
    int32_t top_code[10];
    int64_t top_count[10];
} rf_profile_column;

typedef struct rf_profile {
    int64_t n_rows;
    int32_t n_columns;
    rf_profile_column *columns; /* as the table's */
} rf_profile;

rf_code rf_profile_create(rf_profile **out, const rf_table *table, rf_pool *pool, rf_error *err) RF_MUST_CHECK;
void rf_profile_free(rf_profile *profile);

/* One JSON document; a fixed-width text for a terminal. Warnings (constant, many missing, …) go to notes. */
void rf_profile_json(const rf_profile *profile, const rf_table *table, const rf_notes *notes, rf_buf *out);
void rf_profile_text(const rf_profile *profile, const rf_table *table, rf_buf *out);

#endif
