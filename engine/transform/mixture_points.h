/* mixture_points.h - a column's values as the points that the mixture's loop walks over: sorted, equal ones
 * merged, and, when there are very many, gathered into bins. */
#ifndef RF_ENGINE_TRANSFORM_MIXTURE_POINTS_H
#define RF_ENGINE_TRANSFORM_MIXTURE_POINTS_H

#include "engine/transform/mixture_step.h"

enum {
    RFI_EXACT_MAX = 65536, /* distinct values up to which every iteration sees them all */
    RFI_BINS = 65536,
    RFI_BINS_ROOM = RFI_BINS + RFI_LANES, /* the highest value may open one more */
};

typedef struct rfi_prepared {
    double *value, *count; /* the distinct values about their mean, and how often each stood there */
    int64_t n, n_values;
    double shift, variance; /* their mean, and their variance (ddof 1) */
} rfi_prepared;

/* n rounded up to whole blocks of RFI_LANES. */
int64_t rfi_points_room(int64_t n);

/* `scratch`: 2 * rfi_points_room(n) numbers, in which the result lives. */
void rfi_points_prepare(rfi_prepared *out, const double *values, int64_t n, double *scratch);

/* Bins: a point stands for neighbouring values, with their mean and their variance. `scratch`: 3 *
 * RFI_BINS_ROOM numbers, in which the result lives. */
void rfi_points_bin(rfi_points *out, const rfi_prepared *data, double *scratch);

#endif
