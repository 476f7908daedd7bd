#include "engine/transform/atoms.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/transform/sort_f64.h"

static const double share_least = 0.01;
static const double count_least = 5.0;

/* ------------------------------------------------------------------ learning */

/* The place of the rarest of the chosen values: the one that a more frequent value replaces. Ties: the larger goes. */
static int32_t find_rarest(const double *counts, const int64_t *chosen, int32_t n)
{
    int32_t rarest = 0;
    for (int32_t i = 1; i < n; i++)
        if (counts[chosen[i]] <= counts[chosen[rarest]])
            rarest = i;
    return rarest;
}

/* The middle between a value and its neighbour, from the value's side. */
static rfi_atom atom_at(const double *values, int64_t n, int64_t i)
{
    const double value = values[i];
    return (rfi_atom){.value = value,
                      .low = i > 0 ? value - (value - values[i - 1]) / 2.0 : value,
                      .high = i + 1 < n ? value + (values[i + 1] - value) / 2.0 : value};
}

/* Indices into the distinct values, ascending. */
static int32_t choose(const double *values, const double *counts, int64_t n, double least, double unit,
                      int64_t chosen[RFI_ATOMS_MAX])
{
    int32_t n_chosen = 0;
    for (int64_t i = 0; i < n; i++) {
        const rfi_atom atom = atom_at(values, n, i);
        if (counts[i] < least || atom.high - atom.low <= unit * 1.5)
            continue;
        if (n_chosen == RFI_ATOMS_MAX) {
            const int32_t rarest = find_rarest(counts, chosen, n_chosen);
            if (counts[i] <= counts[chosen[rarest]])
                continue;
            n_chosen--;
            memmove(chosen + rarest, chosen + rarest + 1, (size_t)(n_chosen - rarest) * sizeof *chosen);
        }
        chosen[n_chosen++] = i;
    }
    return n_chosen;
}

rf_code rfi_atoms_learn(rfi_atoms *out, const double *values, int64_t n, double unit, rf_error *err)
{
    rf_code rc = RF_OK;
    double *distinct = NULL, *counts = NULL;
    int64_t chosen[RFI_ATOMS_MAX];
    out->n = 0;
    RF_TRY(RF_NEW_ARRAY(&distinct, n, "the values of a column", err));
    RF_TRY(RF_NEW_ARRAY(&counts, n, "the values of a column", err));
    memcpy(distinct, values, (size_t)n * sizeof *distinct);
    rfi_sort_f64(distinct, counts, n);
    const int64_t n_distinct = rfi_merge_equal(distinct, counts, n);
    const double least = share_least * (double)n > count_least ? share_least * (double)n : count_least;
    out->n = choose(distinct, counts, n_distinct, least, unit, chosen);
    for (int32_t i = 0; i < out->n; i++)
        out->atom[i] = atom_at(distinct, n_distinct, chosen[i]);
out:
    rf_free(distinct);
    rf_free(counts);
    return rc;
}

/* ------------------------------------------------------------------ using */

double rfi_atoms_snap(const rfi_atoms *atoms, double value)
{
    for (int32_t i = 0; i < atoms->n && atoms->atom[i].low <= value; i++)
        if (value <= atoms->atom[i].high)
            return atoms->atom[i].value;
    return value;
}

void rfi_atoms_store(const rfi_atoms *atoms, rf_buf *out)
{
    rf_put_u8(out, (uint8_t)atoms->n);
    for (int32_t i = 0; i < atoms->n; i++) {
        rf_put_f64(out, atoms->atom[i].value);
        rf_put_f64(out, atoms->atom[i].low);
        rf_put_f64(out, atoms->atom[i].high);
    }
}

bool rfi_atoms_load(rfi_atoms *out, rf_reader *reader)
{
    out->n = rf_get_u8(reader);
    if (out->n > RFI_ATOMS_MAX)
        return false;
    for (int32_t i = 0; i < out->n; i++) {
        rfi_atom *atom = &out->atom[i];
        atom->value = rf_get_f64(reader);
        atom->low = rf_get_f64(reader);
        atom->high = rf_get_f64(reader);
        if (!isfinite(atom->low) || !isfinite(atom->high) || !(atom->low <= atom->value) ||
            !(atom->value <= atom->high) || (i > 0 && atom->low < atom[-1].high))
            return false;
    }
    return !reader->failed;
}
