/* copies.h - rows that are equal: to a real row, or to an earlier row of their own table.
 *
 * Rows are found by hash and then compared cell by cell, so that a number here is never a guess. A
 * missing cell equals a missing cell. Any thread.
 */
#ifndef RF_ENGINE_QUALITY_COPIES_H
#define RF_ENGINE_QUALITY_COPIES_H

#include "engine/quality/facing.h"

/* Rows of the other table that equal some real row in every modelled column; 0 when there is none. */
rf_code rfi_count_copies(int64_t *out, const rfi_facing *faces, int32_t n_faces, rf_pool *pool,
                         rf_error *err) RF_MUST_CHECK;

/* Rows whose key (the cells of `fields`) stood in an earlier row, or is missing altogether. */
rf_code rfi_count_bad_keys(int64_t *out, const rf_table *table, const int32_t *fields, int32_t n_fields,
                           rf_pool *pool, rf_error *err) RF_MUST_CHECK;

#endif
