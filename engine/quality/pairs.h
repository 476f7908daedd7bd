/* pairs.h - two columns at a time: does the synthetic table relate them as the real one does.
 *
 * SDMetrics' column pair trends (version 0.32.0): CorrelationSimilarity for two continuous columns,
 * ContingencySimilarity for all others, where a continuous column of a mixed pair is cut into ten bins
 * of equal width, for each table between its own smallest and largest value. The largest value and a
 * missing cell share the eleventh bin, as they do there.
 *
 * Threads: axes are made once with the pool; then any thread may score any pair.
 */
#ifndef RF_ENGINE_QUALITY_PAIRS_H
#define RF_ENGINE_QUALITY_PAIRS_H

#include "engine/quality/contingency.h"
#include "engine/quality/facing.h"
#include "engine/quality/marginals.h"
#include "engine/quality/quality.h"

/* A modelled column as the pairs need it. */
typedef struct rfi_strand {
    const rfi_facing *face;
    rfi_axis real, other;              /* categories, or bins of a continuous column    */
    rfi_range real_range, other_range; /* of a continuous column                        */
    bool unbinnable;                   /* no ten bins fit between its ends               */
} rfi_strand;

/* One strand for each face that is modelled, in order; the arrays live in `arena`. */
rf_code rfi_strands(rfi_strand **out, int32_t *n_out, rf_arena *arena, const rfi_facing *faces,
                    int32_t n_faces, rf_pool *pool, rf_error *err) RF_MUST_CHECK;

/* Everything of `out`. */
rf_code rfi_pair_score(rf_quality_pair *out, const rfi_strand *a, const rfi_strand *b,
                       rf_error *err) RF_MUST_CHECK;

#endif
