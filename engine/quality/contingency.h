/* contingency.h - two columns of categories counted together.
 *
 * An axis is a column as small numbers, one of which stands for "missing": for the reports a missing
 * cell is a category like the others. Any thread.
 */
#ifndef RF_ENGINE_QUALITY_CONTINGENCY_H
#define RF_ENGINE_QUALITY_CONTINGENCY_H

#include <stdint.h>

#include "core/error.h"

/* ids 0..n_ids-1 of one column in one table; exactly one of narrow and wide is set. */
typedef struct rfi_axis {
    int64_t n_rows;
    int32_t n_ids;
    const uint16_t *narrow; /* (n_rows) when n_ids <= 65536 */
    const int32_t *wide;    /* (n_rows) codes: id = code + 1 */
} rfi_axis;

typedef struct rfi_contingency {
    double score;       /* ContingencySimilarity: 1 - half the sum of |p - q| over the cells     */
    double association; /* Cramer's V of the first table (Cramer 1946, 21.4), without correction;
                           NaN when one of its columns has a single category                     */
} rfi_contingency;

/* a and b of the real table, c and d the same columns of the synthetic one (n_ids of a and c are equal,
 * of b and d too; neither table is empty). */
rf_code rfi_contingency_of(rfi_contingency *out, const rfi_axis *a, const rfi_axis *b, const rfi_axis *c,
                           const rfi_axis *d, rf_error *err) RF_MUST_CHECK;

#endif
