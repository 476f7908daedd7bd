/* oracle.h - what the oracles of compounds work with: double precision over the same matrices. */
#ifndef RF_TEST_ORACLE_H
#define RF_TEST_ORACLE_H

#include "rig.h"

/* Zeroed, one more than asked for; the caller frees. */
static inline double *doubles(int64_t n)
{
    double *out = calloc((size_t)n + 1, sizeof *out);
    assert_non_null(out);
    return out;
}

static inline double at(rf_mat mat, int32_t r, int32_t c)
{
    return (double)mat.data[r * mat.ld + c];
}

/* Rows first .. first + n - 1. */
static inline rf_mat rows_of(rf_mat mat, int32_t first, int32_t n)
{
    mat.data += first * mat.ld;
    mat.rows = n;
    return mat;
}

#endif
