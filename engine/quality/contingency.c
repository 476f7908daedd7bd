/* Two ways to count, with the same sums in the same order (by cell, the first axis slowest):
 *
 *   dense    an array of all cells, when there are few against the rows
 *   sparse   the cells that occur, by sorting the rows' cell numbers, when the axes are long
 */
#include "engine/quality/contingency.h"

#include <math.h>
#include <stdbool.h>

#include "core/alloc.h"
#include "engine/quality/sort64.h"

enum { SMALL_TABLE_CELLS = 1 << 14 };

/* ---- association ---------------------------------------------------------------------------- */

/* Collects Pearson's chi-squared of the real table cell by cell. Cells that are empty hold an expected
 * count too: all expected counts add up to n, so theirs is n less those of the cells that were seen. */
typedef struct chi_squared {
    const int64_t *row, *column; /* marginal counts */
    double n, sum, expected;
} chi_squared;

static void chi_squared_add(chi_squared *chi, int64_t row, int64_t column, int64_t count)
{
    const double expected = (double)chi->row[row] * (double)chi->column[column] / chi->n;
    const double gap = (double)count - expected;
    chi->sum += gap * gap / expected;
    chi->expected += expected;
}

static int32_t count_used(const int64_t *counts, int32_t n)
{
    int32_t used = 0;
    for (int32_t i = 0; i < n; i++)
        used += counts[i] > 0;
    return used;
}

static double cramers_v(const chi_squared *chi, int32_t n_a, int32_t n_b)
{
    const int32_t rows = count_used(chi->row, n_a), columns = count_used(chi->column, n_b);
    const int32_t shorter = rows < columns ? rows : columns;
    if (shorter < 2)
        return NAN;
    const double total = chi->sum + fmax(chi->n - chi->expected, 0);
    return sqrt(total / chi->n / (shorter - 1));
}

/* ---- dense ---------------------------------------------------------------------------------- */

static void count_cells(int64_t *cells, const rfi_axis *a, const rfi_axis *b)
{
    const uint16_t *x = a->narrow, *y = b->narrow;
    const int64_t width = b->n_ids;
    for (int64_t row = 0; row < a->n_rows; row++)
        cells[x[row] * width + y[row]]++;
}

static void marginals_of_cells(int64_t *row, int64_t *column, const int64_t *cells, int32_t n_a, int32_t n_b)
{
    for (int32_t i = 0; i < n_a; i++) {
        for (int32_t j = 0; j < n_b; j++) {
            row[i] += cells[(int64_t)i * n_b + j];
            column[j] += cells[(int64_t)i * n_b + j];
        }
    }
}

static rf_code dense(rfi_contingency *out, const rfi_axis *a, const rfi_axis *b, const rfi_axis *c,
                     const rfi_axis *d, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t *real = NULL;
    const int32_t n_a = a->n_ids, n_b = b->n_ids;
    const int64_t n_cells = (int64_t)n_a * n_b;
    RF_TRY(RF_NEW_ARRAY(&real, 2 * n_cells + n_a + n_b, "the counts of two columns", err));
    int64_t *other = real + n_cells, *row = other + n_cells, *column = row + n_a;
    count_cells(real, a, b);
    count_cells(other, c, d);
    marginals_of_cells(row, column, real, n_a, n_b);

    chi_squared chi = {.row = row, .column = column, .n = (double)a->n_rows};
    double distance = 0;
    for (int32_t i = 0; i < n_a; i++) {
        for (int32_t j = 0; j < n_b; j++) {
            const int64_t r = real[(int64_t)i * n_b + j], s = other[(int64_t)i * n_b + j];
            if (r)
                chi_squared_add(&chi, i, j, r);
            if (r || s)
                distance += fabs((double)r / (double)a->n_rows - (double)s / (double)c->n_rows);
        }
    }
    *out = (rfi_contingency){.score = fmax(1 - distance / 2, 0), .association = cramers_v(&chi, n_a, n_b)};
out:
    rf_free(real);
    return rc;
}

/* ---- sparse --------------------------------------------------------------------------------- */

static uint64_t id_at(const rfi_axis *axis, int64_t row)
{
    return axis->narrow ? axis->narrow[row] : (uint64_t)(axis->wide[row] + 1);
}

static void sorted_cells(uint64_t *cells, uint64_t *scratch, const rfi_axis *a, const rfi_axis *b)
{
    for (int64_t row = 0; row < a->n_rows; row++)
        cells[row] = id_at(a, row) * (uint64_t)b->n_ids + id_at(b, row);
    rfi_sort64(cells, scratch, a->n_rows);
}

static int64_t run_length(const uint64_t *cells, int64_t at, int64_t n, uint64_t cell)
{
    int64_t end = at;
    while (end < n && cells[end] == cell)
        end++;
    return end - at;
}

static rf_code sparse(rfi_contingency *out, const rfi_axis *a, const rfi_axis *b, const rfi_axis *c,
                      const rfi_axis *d, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *real = NULL;
    int64_t *row = NULL;
    const int64_t n_real = a->n_rows, n_other = c->n_rows;
    RF_TRY(RF_NEW_ARRAY(&real, n_real + n_other + (n_real > n_other ? n_real : n_other),
                        "the counts of two columns", err));
    RF_TRY(RF_NEW_ARRAY(&row, (int64_t)a->n_ids + b->n_ids, "the counts of two columns", err));
    uint64_t *other = real + n_real, *scratch = other + n_other;
    int64_t *column = row + a->n_ids;
    for (int64_t i = 0; i < n_real; i++) {
        row[id_at(a, i)]++;
        column[id_at(b, i)]++;
    }
    sorted_cells(real, scratch, a, b);
    sorted_cells(other, scratch, c, d);

    chi_squared chi = {.row = row, .column = column, .n = (double)n_real};
    double distance = 0;
    for (int64_t i = 0, j = 0; i < n_real || j < n_other;) {
        const uint64_t cell = j >= n_other || (i < n_real && real[i] < other[j]) ? real[i] : other[j];
        const int64_t r = run_length(real, i, n_real, cell), s = run_length(other, j, n_other, cell);
        if (r)
            chi_squared_add(&chi, (int64_t)(cell / (uint64_t)b->n_ids), (int64_t)(cell % (uint64_t)b->n_ids),
                            r);
        distance += fabs((double)r / (double)n_real - (double)s / (double)n_other);
        i += r;
        j += s;
    }
    *out = (rfi_contingency){.score = fmax(1 - distance / 2, 0),
                             .association = cramers_v(&chi, a->n_ids, b->n_ids)};
out:
    rf_free(row);
    rf_free(real);
    return rc;
}

/* ---- the choice ----------------------------------------------------------------------------- */

rf_code rfi_contingency_of(rfi_contingency *out, const rfi_axis *a, const rfi_axis *b, const rfi_axis *c,
                           const rfi_axis *d, rf_error *err)
{
    const int64_t cells = (int64_t)a->n_ids * b->n_ids;
    const bool few = cells <= SMALL_TABLE_CELLS || cells / 2 <= a->n_rows + c->n_rows;
    if (few && a->narrow && b->narrow)
        return dense(out, a, b, c, d, err);
    return sparse(out, a, b, c, d, err);
}
