/* marginals.h - one column at a time: is it shaped like the real one, and does it cover it.
 *
 * All of this is SDMetrics' single-column metrics (version 0.32.0). Any thread.
 */
#ifndef RF_ENGINE_QUALITY_MARGINALS_H
#define RF_ENGINE_QUALITY_MARGINALS_H

#include "engine/quality/facing.h"
#include "engine/quality/quality.h"

/* The present values of one side of a continuous column. */
typedef struct rfi_range {
    int64_t n;        /* present values                       */
    int64_t distinct; /* of them: 0, 1, or 2 for "more"       */
    double min, max;  /* NaN when n is 0                      */
} rfi_range;

rfi_range rfi_range_of(const rfi_side *side);

/* How often each category occurs; counts has room for n_categories. Missing cells are not counted. */
void rfi_count_codes(int64_t *counts, int32_t n_categories, const rfi_side *side);

/* Fills shape, metric, problem, the missing rates and the coverage of `out`. */
rf_code rfi_marginals(rf_quality_column *out, const rfi_facing *face, rf_error *err) RF_MUST_CHECK;

#endif
