/* dcr.h - how far each row of a table is from the real row that is nearest to it.
 *
 * The distance is SDMetrics' (0.32.0, `calculate_dcr`): the mean over the modelled columns of
 *   numbers, datetimes   min(|s - r| / (max - min of the real column), 1); 0 or 1 when that column is constant
 *   categories           0 if equal, else 1
 *   a missing cell       0 against a missing cell, else 1
 * The ranges are always those of the whole real table, whichever rows are searched, so that two summaries
 * against the same real table can be compared.
 */
#ifndef RF_ENGINE_QUALITY_DCR_H
#define RF_ENGINE_QUALITY_DCR_H

#include "engine/quality/facing.h"
#include "engine/quality/quality.h"

typedef struct rfi_dcr_plan {
    int64_t most_rows;      /* of the other table; more are drawn without replacement, in their order */
    int64_t most_real_rows; /* the same                                                               */
    uint64_t seed;
    const atomic_int *stop; /* or NULL; once it is not 0 the distances are not computed to the end */
} rfi_dcr_plan;

/* Fills *out; all 0 and NaN when there is no row or no modelled column. */
rf_code rfi_dcr(rf_dcr_summary *out, const rfi_facing *faces, int32_t n_faces, const rfi_dcr_plan *plan,
                rf_pool *pool, rf_error *err) RF_MUST_CHECK;

/* The distances themselves, of at most plan->most_rows rows: *distances (*n) is the caller's to free. */
rf_code rfi_dcr_distances(double **distances, int64_t *n, int64_t *n_real, const rfi_facing *faces,
                          int32_t n_faces, const rfi_dcr_plan *plan, rf_pool *pool,
                          rf_error *err) RF_MUST_CHECK;

#endif
