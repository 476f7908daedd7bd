/* atoms.h - the values at which a numeric column piles up.
 *
 * A capital gain is 0 in nine rows of ten and never between 0 and 114. A mixture gives that pile a component with a width,
 * and a network puts its noise into it, so that the result would be full of gains of 3. An atom is a value that at least one present
 * row in a hundred holds; a decoded number that falls nearer to it than to its neighbours in the table becomes the atom.
 * Nothing moves where the table itself is dense: between neighbours of one unit there is nothing to snap.
 */
#ifndef RF_ENGINE_TRANSFORM_ATOMS_H
#define RF_ENGINE_TRANSFORM_ATOMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

enum { RFI_ATOMS_MAX = 32 };

typedef struct rfi_atom {
    double value, low, high; /* low <= value <= high: what lies between them becomes value */
} rfi_atom;

typedef struct rfi_atoms {
    int32_t n;
    rfi_atom atom[RFI_ATOMS_MAX]; /* ascending, disjoint */
} rfi_atoms;

/* `values`: n finite numbers in any order. `unit`: the smallest step that the column can write. When more than RFI_ATOMS_MAX
 * values pile up, the most frequent are taken, ties to the smaller. */
rf_code rfi_atoms_learn(rfi_atoms *out, const double *values, int64_t n, double unit,
                        rf_error *err) RF_MUST_CHECK;

double rfi_atoms_snap(const rfi_atoms *atoms, double value);

void rfi_atoms_store(const rfi_atoms *atoms, rf_buf *out);
/* False for what learn cannot have made. */
bool rfi_atoms_load(rfi_atoms *out, rf_reader *reader) RF_MUST_CHECK;

#endif
