/* sort_f64.h - sorting doubles, and merging equal ones. Any thread. */
#ifndef RF_ENGINE_TRANSFORM_SORT_F64_H
#define RF_ENGINE_TRANSFORM_SORT_F64_H

#include <stdint.h>

/* Ascending, -0 before +0; no NaN. `scratch` is as large as `values`. Linear: a radix sort. */
void rfi_sort_f64(double *values, double *scratch, int64_t n);

/* Sorted values to distinct ones in place, with how often each stood there. Returns how many there are.
 * n >= 1. */
int64_t rfi_merge_equal(double *values, double *counts, int64_t n);

#endif
