/* csv_numbers.h - the numbers of a tile's column: the straight road for plain ones, and a door for the rest.
 *
 * A plain number is a sign or none, up to 15 digits, and at most one point with a digit on both sides; no zero leads.
 * Anything else (empty cells, quotes, blanks, exponents, "007") goes through the door. How many go there depends on the
 * instruction set; what comes out does not: both roads round to nearest, and minus zero is read as zero.
 */
#ifndef RF_ENGINE_TABLE_CSV_NUMBERS_H
#define RF_ENGINE_TABLE_CSV_NUMBERS_H

#include "engine/table/cell_number.h"
#include "engine/table/csv_tile.h"

/* The value of cell i, which is off the road. */
typedef double rfi_number_door(void *arg, int64_t i);

typedef struct rfi_number_road {
    rfi_csv_cells cells;
    char point;
    bool decimals; /* most have digits after the point: only a hint */
    rfi_number_door *door;
    void *arg;
} rfi_number_road;

/* Fills values (cells.n); what was seen of the plain numbers is added to *facts. */
void rfi_numbers_read(const rfi_number_road *road, double *values, rfi_number_facts *facts);

/* The bodies, each for the machines that have it (csv_numbers_x86.c). */
void rfi_numbers_read_avx2(const rfi_number_road *road, double *values, rfi_number_facts *facts);
void rfi_numbers_read_avx512(const rfi_number_road *road, double *values, rfi_number_facts *facts);

#endif
