#include "engine/quality/marginals.h"

#include <math.h>

#include "core/alloc.h"
#include "engine/quality/sort64.h"

/* ---- numbers and datetimes ------------------------------------------------------------------ */

rfi_range rfi_range_of(const rfi_side *side)
{
    rfi_range range = {.min = NAN, .max = NAN};
    for (int64_t row = 0; row < side->n_rows; row++) {
        const double value = side->values[row];
        if (isnan(value))
            continue;
        if (range.n++ == 0)
            range.min = range.max = value;
        range.min = value < range.min ? value : range.min;
        range.max = value > range.max ? value : range.max;
    }
    range.distinct = range.n == 0 ? 0 : range.min == range.max ? 1 : 2;
    return range;
}

/* The present values as sorted keys; returns how many. The reference rounds floating point numbers to
 * 14 decimals, by this very product and quotient, before it looks for ties. */
static int64_t sorted_keys(uint64_t *keys, uint64_t *scratch, const rfi_side *side, bool round)
{
    int64_t n = 0;
    for (int64_t row = 0; row < side->n_rows; row++) {
        const double value = side->values[row];
        if (!isnan(value))
            keys[n++] = rfi_key_of(round ? rint(value * 1e14) / 1e14 : value);
    }
    rfi_sort64(keys, scratch, n);
    return n;
}

/* The largest distance between the two empirical distribution functions (Smirnov's two-sample D), looked
 * up after all copies of a value on both sides. */
static double smirnov_d(const uint64_t *a, int64_t n_a, const uint64_t *b, int64_t n_b)
{
    int64_t i = 0, j = 0;
    double d = 0;
    while (i < n_a && j < n_b) {
        const uint64_t key = a[i] < b[j] ? a[i] : b[j];
        while (i < n_a && a[i] == key)
            i++;
        while (j < n_b && b[j] == key)
            j++;
        const double gap = fabs((double)i / (double)n_a - (double)j / (double)n_b);
        d = gap > d ? gap : d;
    }
    return d;
}

static rf_code ks_complement(rf_quality_column *out, const rfi_facing *face, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *keys = NULL;
    const int64_t n_real = face->real.n_rows, n_other = face->other.n_rows;
    const int64_t longer = n_real > n_other ? n_real : n_other;
    const bool round = face->kind == RF_KIND_CONTINUOUS;
    RF_TRY(RF_NEW_ARRAY(&keys, n_real + n_other + longer, "the comparison of a column", err));
    uint64_t *other_keys = keys + n_real, *scratch = other_keys + n_other;
    const int64_t n_a = sorted_keys(keys, scratch, &face->real, round);
    const int64_t n_b = sorted_keys(other_keys, scratch, &face->other, round);
    if (n_a == 0 || n_b == 0)
        out->problem = n_a == 0 ? "every real cell is missing" : "every synthetic cell is missing";
    else
        out->shape = 1 - smirnov_d(keys, n_a, other_keys, n_b);
out:
    rf_free(keys);
    return rc;
}

static double range_coverage(const rfi_facing *face)
{
    const rfi_range real = rfi_range_of(&face->real), other = rfi_range_of(&face->other);
    const double width = real.max - real.min;
    if (real.n == 0 || other.n == 0 || width == 0)
        return NAN;
    const double low = fmax((other.min - real.min) / width, 0),
                 high = fmax((real.max - other.max) / width, 0);
    return fmax(1 - (low + high), 0);
}

/* ---- categories and booleans ---------------------------------------------------------------- */

void rfi_count_codes(int64_t *counts, int32_t n_categories, const rfi_side *side)
{
    for (int32_t code = 0; code < n_categories; code++)
        counts[code] = 0;
    for (int64_t row = 0; row < side->n_rows; row++) {
        if (side->codes[row] >= 0)
            counts[side->codes[row]]++;
    }
}

/* 1 - half the sum of |f - g|. The reference gives a category that only the synthetic side has a real
 * count of 1e-6, and adds it to the real total; so do we. */
static double tv_complement(const int64_t *real, int64_t n_real, const int64_t *other, int64_t n_other,
                            int32_t n)
{
    const double ghost = 1e-6;
    double total = (double)n_real, distance = 0;
    for (int32_t code = 0; code < n; code++)
        total += real[code] == 0 && other[code] > 0 ? ghost : 0;
    for (int32_t code = 0; code < n; code++) {
        const double count = real[code] == 0 && other[code] > 0 ? ghost : (double)real[code];
        distance += fabs((double)other[code] / (double)n_other - count / total);
    }
    return 1 - 0.5 * distance;
}

static double category_coverage(const int64_t *real, const int64_t *other, int32_t n)
{
    int64_t in_real = 0, in_both = 0;
    for (int32_t code = 0; code < n; code++) {
        in_real += real[code] > 0;
        in_both += real[code] > 0 && other[code] > 0;
    }
    return in_real ? (double)in_both / (double)in_real : NAN;
}

static rf_code discrete_marginals(rf_quality_column *out, const rfi_facing *face, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t *real = NULL;
    const int32_t n = face->n_categories;
    const int64_t n_real = face->real.n_rows - face->real.n_missing;
    const int64_t n_other = face->other.n_rows - face->other.n_missing;
    RF_TRY(RF_NEW_ARRAY(&real, 2 * (size_t)n, "the comparison of a column", err));
    int64_t *other = real + n;
    rfi_count_codes(real, n, &face->real);
    rfi_count_codes(other, n, &face->other);
    if (n_real == 0 || n_other == 0)
        out->problem = n_real == 0 ? "every real cell is missing" : "every synthetic cell is missing";
    else
        out->shape = tv_complement(real, n_real, other, n_other, n);
    out->coverage = category_coverage(real, other, n);
out:
    rf_free(real);
    return rc;
}

/* ---- both ----------------------------------------------------------------------------------- */

static double rate(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

rf_code rfi_marginals(rf_quality_column *out, const rfi_facing *face, rf_error *err)
{
    out->missing_real = rate(face->real.n_missing, face->real.n_rows);
    out->missing_synthetic = rate(face->other.n_missing, face->other.n_rows);
    out->missing_similarity = 1 - fabs(out->missing_real - out->missing_synthetic);
    if (!rfi_kind_is_modelled(face->kind))
        return RF_OK;
    const bool continuous = rfi_kind_is_continuous(face->kind);
    out->metric = continuous ? "KSComplement" : "TVComplement";
    out->coverage_metric = continuous ? "RangeCoverage" : "CategoryCoverage";
    if (face->other_field < 0)
        out->problem = "the synthetic table has no such column";
    else if (face->clash)
        out->problem = "the synthetic column holds another kind of values";
    if (!face->modelled)
        return RF_OK;
    if (!continuous)
        return discrete_marginals(out, face, err);
    out->coverage = range_coverage(face);
    return ks_complement(out, face, err);
}
