/* csv_digits.h - numbers to digits, for the writer's inner loop. The text is that of rf_format_fixed. */
#ifndef RF_ENGINE_TABLE_CSV_DIGITS_H
#define RF_ENGINE_TABLE_CSV_DIGITS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { RFI_FAST_DECIMALS = 15 };

static const char rfi_digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

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

static inline char *rfi_put_pair(char *out, uint32_t below_100)
{
    memcpy(out, rfi_digit_pairs + 2 * below_100, 2);
    return out + 2;
}

/* Four digits, zeros included. */
static inline char *rfi_put_four(char *out, uint32_t below_10000)
{
    return rfi_put_pair(rfi_put_pair(out, below_10000 / 100), below_10000 % 100);
}

static inline char *rfi_put_small(char *out, uint32_t below_10000)
{
    if (below_10000 < 10) {
        *out = (char)('0' + below_10000);
        return out + 1;
    }
    if (below_10000 < 100)
        return rfi_put_pair(out, below_10000);
    if (below_10000 < 1000) {
        *out = (char)('0' + below_10000 / 100);
        return rfi_put_pair(out + 1, below_10000 % 100);
    }
    return rfi_put_four(out, below_10000);
}

static inline char *rfi_put_whole(char *out, uint64_t value)
{
    if (value < 10000)
        return rfi_put_small(out, (uint32_t)value);
    if (value < 100000000) {
        out = rfi_put_small(out, (uint32_t)value / 10000);
        return rfi_put_four(out, (uint32_t)value % 10000);
    }
    out = rfi_put_whole(out, value / 100000000);
    const uint32_t low = (uint32_t)(value % 100000000);
    return rfi_put_four(rfi_put_four(out, low / 10000), low % 10000);
}

/* The value with up to `decimals` digits after the point, final zeros dropped down to `least`. NULL, and
 * nothing written, when this road is not exact: the product with the power of ten is rounded, and where
 * it lies half way between two whole numbers the rounding may have put it there. Elsewhere the distance to
 * the half is at least one unit in the last place, twice what the rounding can do. */
static inline char *rfi_put_fixed(char *out, double value, int decimals, int least, char point)
{
    const double scaled = value * (double)rfi_whole_tens[decimals], whole = rint(scaled);
    if (!(fabs(whole) < 1e15) || fabs(scaled - whole) == 0.5)
        return NULL;
    uint64_t digits = (uint64_t)fabs(whole);
    if (whole < 0)
        *out++ = '-';
    if (!decimals)
        return rfi_put_whole(out, digits);
    const uint64_t power = rfi_whole_tens[decimals];
    uint64_t fraction = digits % power;
    out = rfi_put_whole(out, digits / power);
    int n = decimals;
    for (; n > least && fraction % 10 == 0; n--)
        fraction /= 10;
    if (n == 0)
        return out;
    *out++ = point;
    for (int i = n - 1; i >= 0; i--, fraction /= 10)
        out[i] = (char)('0' + fraction % 10);
    return out + n;
}

#endif
