/* csv_texts.h - the codes of a tile's column of texts: the straight road for what stands in front of the dictionary, and
 * a door for the rest.
 *
 * Cells of up to 32 bytes, in quotes or not, that were met before take the road; so do empty ones. New texts, long ones,
 * doubled quotes and tokens in quotes go through the door, which may change the dictionary.
 */
#ifndef RF_ENGINE_TABLE_CSV_TEXTS_H
#define RF_ENGINE_TABLE_CSV_TEXTS_H

#include "engine/table/cell_dict.h"
#include "engine/table/csv_tile.h"

/* Cell i is off the road: whoever is asked fills its place in codes, now or later, and counts it. */
typedef void rfi_text_door(void *arg, int64_t i);

typedef struct rfi_text_road {
    rfi_csv_cells cells;
    const rfi_dict *dict;
    rfi_text_door *door;
    void *arg;
} rfi_text_road;

typedef struct rfi_text_facts {
    int64_t n_quoted;  /* cells on the road that stood in quotes  */
    int64_t n_uncoded; /* cells on it without a code of their own */
} rfi_text_facts;

/* Fills codes (cells.n), but for cells that went through the door, and adds to *facts. */
void rfi_texts_read(const rfi_text_road *road, int32_t *codes, rfi_text_facts *facts);

/* For machines with AVX-512 (csv_texts_x86.c): chosen by the first, and leaves to the last what is no whole step. */
void rfi_texts_read_avx512(const rfi_text_road *road, int32_t *codes, rfi_text_facts *facts);

/* Cells begin to end - 1, one after another. */
void rfi_texts_read_some(const rfi_text_road *road, int64_t begin, int64_t end, int32_t *codes,
                         rfi_text_facts *facts);

#endif
