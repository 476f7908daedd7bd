/* csv_slots.h - the numbers of a tile's column as texts of up to 16 bytes, ready to be copied into their rows.
 *
 * Each with its delimiter or line end behind it. What does not fit, or cannot be rounded this way, is left to the caller.
 * The texts are those of rf_format_fixed.
 */
#ifndef RF_ENGINE_TABLE_CSV_SLOTS_H
#define RF_ENGINE_TABLE_CSV_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RFI_SLOT_BYTES = 16, RFI_SLOT_DECIMALS = 15 };

typedef struct rfi_slot {
    char text[RFI_SLOT_BYTES];
} rfi_slot;

typedef struct rfi_slot_format {
    int decimals, least; /* digits after the point, at most (0..RFI_SLOT_DECIMALS) and at least */
    char point;
    char end[2]; /* behind each; zeros behind it */
    uint8_t n_end;
    rfi_slot missing;  /* ended */
    uint8_t n_missing; /* 0: it does not fit */
} rfi_slot_format;

/* Fills slots and lengths (n), NaN being missing. A length of 0: the cell must be written another way. */
void rfi_slots_fill(const rfi_slot_format *format, const double *values, int64_t n, rfi_slot *slots,
                    uint8_t *lengths);

/* For machines with AVX-512 (csv_slots_x86.c): eight at a time. Returns how many were done. */
int64_t rfi_slots_fill_avx512(const rfi_slot_format *format, const double *values, int64_t n, rfi_slot *slots,
                              uint8_t *lengths);

#endif
