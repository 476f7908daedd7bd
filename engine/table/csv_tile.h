/* csv_tile.h - the cells of one column in a tile: some hundreds of rows whose bytes and ends lie in the first cache.
 *
 * The ends of a tile's cells are turned once, so that those of a column lie side by side. A cell is
 * data[begins[i] + 1, ends[i]), where begins[i] is the separator before it; for the first of all it is UINT32_MAX, so the
 * sum must be taken in 32 bits. The '\r' of a line end is outside already.
 */
#ifndef RF_ENGINE_TABLE_CSV_TILE_H
#define RF_ENGINE_TABLE_CSV_TILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct rfi_csv_cells {
    const char *data;
    const uint32_t *begins, *ends; /* (n) offsets into data */
    int64_t n;
    const char *first, *limit; /* bytes outside of [first, limit) must not be read */
} rfi_csv_cells;

static inline const char *rfi_csv_cell_text(const rfi_csv_cells *cells, int64_t i)
{
    return cells->data + (uint32_t)(cells->begins[i] + 1);
}

static inline size_t rfi_csv_cell_length(const rfi_csv_cells *cells, int64_t i)
{
    return cells->ends[i] - (uint32_t)(cells->begins[i] + 1);
}

/* turned (n_columns + 1, room): behind its first row, column c of the cells' ends (n_rows, n_columns) is row c + 1; in front of a
 * column stand the ends before its cells. Only columns `first` to `last` - 1 are turned; ends[-1] is there. */
void rfi_csv_turn_ends(uint32_t *turned, size_t room, const uint32_t *ends, size_t n_rows, size_t n_columns,
                       size_t first, size_t last);

#endif
