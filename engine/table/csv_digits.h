/* csv_digits.h - numbers to digits, for the writer's inner loop. The text is that of rf_format_fixed. */
#ifndef RF_ENGINE_TABLE_CSV_DIGITS_H
#define RF_ENGINE_TABLE_CSV_DIGITS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RFI_FAST_DECIMALS = 15 };

static const uint64_t rfi_whole_tens[RFI_FAST_DECIMALS + 1] = {1,
                                                               10,
                                                               100,
                                                               1000,
                                                               10000,
                                                               100000,
                                                               1000000,
                                                               10000000,
                                                               100000000,
                                                               1000000000,
                                                               10000000000,
                                                               100000000000,
                                                               1000000000000,
                                                               10000000000000,
                                                               100000000000000,
                                                               1000000000000000};

/* Eight digits of a number below 10^8 as bytes of 0 to 9, the first in the lowest: by fours, pairs and
 * ones, all lanes at once; the divisions are products that are exact for so small numbers. */
static inline uint64_t rfi_eight_digits(uint32_t value)
{
    const uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    const uint64_t hundreds = (fours * 10486 >> 20) & 0x7F0000007Fu;
    const uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    const uint64_t tens = (pairs * 103 >> 10) & 0x000F000F000F000Fu;
    return tens | (pairs - tens * 10) << 8;
}

#define RFI_DIGIT_ZEROS 0x3030303030303030u

/* Every function below may write up to 8 bytes behind what it returns, unless it says otherwise. */
static inline char *rfi_put_below_1e8(char *out, uint32_t value)
{
    const uint64_t digits = rfi_eight_digits(value);
    const unsigned zeros = (unsigned)__builtin_ctzll(digits | 1ull << 56) / 8;
    const uint64_t text = (digits | RFI_DIGIT_ZEROS) >> 8 * zeros;
    memcpy(out, &text, sizeof text);
    return out + 8 - zeros;
}

static inline char *rfi_put_whole(char *out, uint64_t value)
{
    if (value < 100000000)
        return rfi_put_below_1e8(out, (uint32_t)value);
    out = rfi_put_whole(out, value / 100000000);
    const uint64_t text = rfi_eight_digits((uint32_t)(value % 100000000)) | RFI_DIGIT_ZEROS;
    memcpy(out, &text, sizeof text);
    return out + 8;
}

/* A point and n digits of `fraction`, which is below 10^n (n 1 to 8), final zeros dropped down to `least`
 * digits; nothing at all when none is left. */
static inline char *rfi_put_fraction(char *out, uint32_t fraction, int n, int least, char point)
{
    const uint64_t digits = rfi_eight_digits(fraction * (uint32_t)rfi_whole_tens[8 - n]);
    const int used = digits ? 8 - __builtin_clzll(digits) / 8 : 0, kept = used > least ? used : least;
    const uint64_t text = digits | RFI_DIGIT_ZEROS;
    *out = point;
    memcpy(out + 1, &text, sizeof text);
    return out + (kept ? 1 + kept : 0);
}

/* The same for n from 9 to 15; it may write up to 16 bytes behind what it returns. */
static inline char *rfi_put_long_fraction(char *out, uint64_t fraction, int n, int least, char point)
{
    fraction *= rfi_whole_tens[16 - n];
    const uint64_t high = rfi_eight_digits((uint32_t)(fraction / 100000000)),
                   low = rfi_eight_digits((uint32_t)(fraction % 100000000));
    const int used = low ? 16 - __builtin_clzll(low) / 8 : high ? 8 - __builtin_clzll(high) / 8 : 0;
    const int kept = used > least ? used : least;
    const uint64_t texts[2] = {high | RFI_DIGIT_ZEROS, low | RFI_DIGIT_ZEROS};
    *out = point;
    memcpy(out + 1, texts, sizeof texts);
    return out + (kept ? 1 + kept : 0);
}

/* A number below 10^8 with the point before its last n (1 to 7) digits. */
static inline char *rfi_put_pointed(char *out, uint32_t value, int n, int least, char point)
{
    const uint64_t digits = rfi_eight_digits(value);
    const int zeros = digits ? __builtin_ctzll(digits) / 8 : 8,
              final_zeros = digits ? __builtin_clzll(digits) / 8 : 8;
    const int skipped = zeros < 7 - n ? zeros : 7 - n, before = 8 - skipped - n;
    const int dropped = final_zeros < n - least ? final_zeros : n - least;
    const uint64_t text = (digits | RFI_DIGIT_ZEROS) >> 8 * skipped, fraction = text >> 8 * before;
    memcpy(out, &text, sizeof text);
    out[before] = point;
    memcpy(out + before + 1, &fraction, sizeof fraction);
    return out + before + (dropped < n ? 1 + n - dropped : 0);
}

/* Added and taken away again, it leaves a number below 2^51 rounded to a whole one, halves to even. */
static const double rfi_round_to_even = 6755399441055744.0; /* 1.5 * 2^52 */

/* The value with up to `decimals` digits after the point, final zeros dropped down to `least`; up to 16 bytes behind
 * it may be written. NULL, and
 * nothing written, when this road is not exact: the product with the power of ten is rounded, and where
 * it lies half way between two whole numbers the rounding may have put it there. Elsewhere the distance to
 * the half is at least one unit in the last place, twice what the rounding can do. */
static inline char *rfi_put_fixed(char *out, double value, int decimals, int least, char point)
{
    const double scaled = value * (double)rfi_whole_tens[decimals], size = fabs(scaled);
    if (!(size < 1e15))
        return NULL;
    const double whole = (size + rfi_round_to_even) - rfi_round_to_even;
    if (fabs(size - whole) == 0.5)
        return NULL;
    *out = '-';
    out += (scaled < 0) & (whole > 0);
    if (!decimals)
        return rfi_put_whole(out, (uint64_t)(int64_t)whole);
    if (whole < 1e8 && decimals < 8)
        return rfi_put_pointed(out, (uint32_t)(int32_t)whole, decimals, least, point);
    /* both are whole and their quotient is no nearer than 1e-15 of itself to the next whole number:
     * rounding does not reach it */
    const int64_t power = (int64_t)rfi_whole_tens[decimals], before = (int64_t)(whole / (double)power);
    uint64_t fraction = (uint64_t)((int64_t)whole - before * power);
    out = rfi_put_whole(out, (uint64_t)before);
    if (decimals <= 8)
        return rfi_put_fraction(out, (uint32_t)fraction, decimals, least, point);
    return rfi_put_long_fraction(out, fraction, decimals, least, point);
}

#endif
