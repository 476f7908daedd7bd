/* kmeans.h - k-means of sorted, weighted numbers: the start of the mixture.
 *
 * k-means++ seeding (Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007)
 * with 2 + floor(ln k) candidates a centre, then Lloyd's iterations. On a line a cluster is a run of
 * neighbours, so that with prefix sums an iteration costs k binary searches, whatever the number of points.
 */
#ifndef RF_ENGINE_TRANSFORM_KMEANS_H
#define RF_ENGINE_TRANSFORM_KMEANS_H

#include <stdint.h>

#include "engine/transform/mixture_step.h"

/* In the order in which they were seeded; cluster c has the points first[c] .. end[c]-1, maybe none. */
typedef struct rfi_clusters {
    int32_t n;
    int64_t first[RF_MIXTURE_MAX], end[RF_MIXTURE_MAX];
    double centre[RF_MIXTURE_MAX];
} rfi_clusters;

/* `tolerance`: of the summed squared moves of the centres, at which it stops; at most 300 iterations. 1 <=
 * k <= RF_MIXTURE_MAX; with fewer distinct points than k the last clusters stay empty. */
rf_code rfi_kmeans(rfi_clusters *out, const rfi_points *points, int32_t k, double tolerance, uint64_t seed,
                   uint32_t column, rf_error *err) RF_MUST_CHECK;

#endif
