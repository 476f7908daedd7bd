/* profile.h - what a table looks like, column by column: `rowforge profile`, and later the upload's answer.
 *
 *     rf_profile *profile = NULL;
 *     RF_TRY(rf_profile_create(&profile, table, pool, err));
 *     rf_profile_note(profile, table, notes);
 *     rf_profile_json(profile, table, notes, &out);
 *
 * Quantiles and counts of distinct values are exact: each column of numbers is sorted, which takes 16 bytes
 * a row for as many columns as there are threads. The result does not depend on the number of threads.
 */
#ifndef RF_ENGINE_TABLE_PROFILE_H
#define RF_ENGINE_TABLE_PROFILE_H

#include "core/buf.h"
#include "engine/table/table.h"

enum { RF_PROFILE_TOP = 10 };

typedef struct rf_profile_column {
    int64_t missing, distinct;
    bool constant;                    /* one distinct value, or none                             */
    double min, max, mean, std;       /* VALUES kinds; NaN when empty; std with ddof 1           */
    double quantile[3];               /* 25, 50, 75 %, linear interpolation                      */
    int32_t n_top;                    /* coded kinds: the most frequent, at most RF_PROFILE_TOP, */
    int32_t top_code[RF_PROFILE_TOP]; /* the first in the dictionary before its equals    */
    int64_t top_count[RF_PROFILE_TOP];
} rf_profile_column;

typedef struct rf_profile {
    int64_t n_rows;
    int32_t n_columns;
    rf_profile_column *columns; /* as the table's */
} rf_profile;

/* `pool` may be NULL. NO_MEMORY only. */
rf_code rf_profile_create(rf_profile **out, const rf_table *table, rf_pool *pool,
                          rf_error *err) RF_MUST_CHECK;
void rf_profile_free(rf_profile *profile); /* NULL is fine */

/* Warns of columns that are constant, all or mostly missing, or of very many categories. */
void rf_profile_note(const rf_profile *profile, const rf_table *table, rf_notes *notes);

/* One JSON document: {"rows", "columns": [{"name", "label", "kind", "missing", "distinct", "constant", …}],
 * "warnings"}. Numbers are in their shortest exact form, datetimes texts in the column's format, what does
 * not exist is null. The top values of an id are left out: they say nothing and name somebody. `notes`
 * (may be NULL) are the warnings. */
void rf_profile_json(const rf_profile *profile, const rf_table *table, const rf_notes *notes, rf_buf *out);

/* A fixed-width text for a terminal, one line a column; long names and values are cut. */
void rf_profile_text(const rf_profile *profile, const rf_table *table, rf_buf *out);

#endif
