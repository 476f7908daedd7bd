#include "engine/table/csv_slots.h"

#include <string.h>

#include "engine/table/csv_digits.h"
#include "engine/table/csv_scan.h"

enum { ROOM_BYTES = 48 };

static uint8_t fill_one(const rfi_slot_format *format, double value, rfi_slot *slot)
{
    char text[ROOM_BYTES] = {0};
    if (value != value) {
        *slot = format->missing;
        return format->n_missing;
    }
    char *end = rfi_put_fixed(text, value, format->decimals, format->least, format->point);
    if (!end || end - text + format->n_end > RFI_SLOT_BYTES)
        return 0;
    memcpy(end, format->end, sizeof format->end);
    memcpy(slot, text, sizeof *slot);
    return (uint8_t)(end - text + format->n_end);
}

void rfi_slots_fill(const rfi_slot_format *format, const double *values, int64_t n, rfi_slot *slots,
                    uint8_t *lengths)
{
    int64_t i = 0;
#if defined(__x86_64__)
    if (rfi_csv_path() >= RFI_CSV_AVX512)
        i = rfi_slots_fill_avx512(format, values, n, slots, lengths);
#endif
    for (; i < n; i++)
        lengths[i] = fill_one(format, values[i], &slots[i]);
}
