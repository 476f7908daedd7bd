/* sort64.h - sorting numbers by their bits, in a time that grows with their count alone.
 *
 * Least significant byte first, eight passes, of which those are skipped in which all keys agree: whole
 * numbers held as doubles need two or three. Any thread.
 */
#ifndef RF_ENGINE_QUALITY_SORT64_H
#define RF_ENGINE_QUALITY_SORT64_H

#include <stdint.h>
#include <string.h>

/* Ascending. `scratch` has room for n keys; the sorted keys end in `keys`. */
void rfi_sort64(uint64_t *keys, uint64_t *scratch, int64_t n);

/* Doubles as keys that sort like them; -0 and 0 get the same one. NaN must not come. */
static inline uint64_t rfi_key_of(double value)
{
    uint64_t bits;
    value += 0.0; /* -0 + 0 = 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline double rfi_value_of(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
