/* datetime_internal.h - what datetime.c and datetime_guess.c share. */
#ifndef RF_ENGINE_TABLE_DATETIME_INTERNAL_H
#define RF_ENGINE_TABLE_DATETIME_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As rf_datetime_parse. `strict` accepts only what rf_datetime_format would write: two digits where the
 * format pads, no zero in front where it does not, names in its case, exactly its digits of a fraction. */
bool rfi_datetime_parse(const char *text, size_t length, const char *format, bool strict, double *out,
                        int32_t *utc_offset_s);

#endif
