/* transform_rig.h - small tables made by hand, for the tests of this folder. */
#ifndef RF_TEST_TRANSFORM_RIG_H
#define RF_TEST_TRANSFORM_RIG_H

#include "engine/table/table.h"

/* A field of that name and kind; the rest as the reader would leave it. */
rf_field rig_field(const char *name, rf_kind kind);

/* An empty table with these fields; fails the test when it cannot be made. */
rf_table *rig_table(const rf_field *fields, int32_t n_fields, int64_t n_rows);

/* Sets a cell of a column of values; NaN is missing. */
void rig_number(rf_table *table, int32_t column, int64_t row, double value);

/* Sets all cells of a column of texts: cell(arg, row, buffer) writes a text into the buffer and returns
 * true, or false for a missing cell. */
typedef bool (*rig_text_fn)(void *arg, int64_t row, char out[64]);
void rig_texts(rf_table *table, int32_t column, rig_text_fn cell, void *arg);

/* The text of a cell; "" when it is missing. Lent until the next call but three. */
const char *rig_text(const rf_table *table, int32_t column, int64_t row);

/* A uniform number for a test's data. */
double rig_uniform(uint64_t seed, int64_t i);

/* The mixed table that most tests share (fields below), of n_rows rows. */
enum {
    RIG_AGE,
    RIG_INCOME,
    RIG_BORN,
    RIG_CITY,
    RIG_SMOKER,
    RIG_NAME,
    RIG_SKIP,
    RIG_FIXED,
    RIG_VOID,
    RIG_BONUS,
    RIG_FIELDS
};
rf_table *rig_people(int64_t n_rows);

/* True when both hold the same cells (texts compared as texts). */
bool rig_tables_equal(const rf_table *a, int64_t a_first, const rf_table *b, int64_t b_first, int64_t n_rows);

#endif
