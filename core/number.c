/* number.c - decimal text as integers and doubles, exactly; number_write.c is the way back.
 *
 * A double is m * 2^e with m < 2^53, a decimal is w * 10^-d = w / 5^d / 2^d. While d <= 27, 5^d fits 63
 * bits, so m * 5^d and (w << s) / 5^d are single 128-bit operations: rounding in either direction is then
 * decided by an exact remainder, not by an approximation and its error bound. That covers every number
 * that a person is likely to write down. The rest (1e-300, 40 digits) takes the slow road: strtod in the
 * "C" locale for reading, long multiplication in base 10^9 for writing.
 */
#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number_internal.h"
#include "core/text.h"

enum {
    FAST_DIGITS = 19,         /* decimal digits that always fit 64 bits                          */
    SLOW_DIGITS = 800,        /* more than the 767 that decide a double's rounding               */
    EXPONENT_LIMIT = 1 << 20, /* exponents are cut here: far outside a double, far from overflow */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static int bit_length128(rfi_u128 x)
{
    const uint64_t high = (uint64_t)(x >> 64);
    return high != 0 ? 64 + rfi_bit_length(high) : rfi_bit_length((uint64_t)x);
}

/* ---------------------------------------------------------------- reading */

bool rf_parse_i64(const char *text, size_t length, int64_t *out)
{
    const bool negative = length > 0 && text[0] == '-';
    const uint64_t limit = (uint64_t)INT64_MAX + negative;
    size_t at = length > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t value = 0;
    if (at == length)
        return false;
    for (; at < length; at++) {
        if (!is_digit(text[at]))
            return false;
        const uint64_t digit = (uint64_t)(text[at] - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* A decimal as it was written: 0.d1d2d3… without its leading zeros. */
typedef struct decimal {
    uint64_t mantissa;  /* the first FAST_DIGITS significant digits             */
    int64_t exponent;   /* value = mantissa * 10^exponent, when nothing was cut */
    const char *digits; /* first significant digit, the point may be among them */
    const char *end;    /* behind the last digit                                */
    int64_t n_digits;   /* significant ones                                     */
    bool negative;
} decimal;

static const char *scan_digits(const char *at, const char *end, decimal *out)
{
    for (; at < end && is_digit(*at); at++) {
        if (out->n_digits == 0 && *at == '0')
            continue;
        if (out->n_digits == 0)
            out->digits = at;
        if (out->n_digits < FAST_DIGITS)
            out->mantissa = out->mantissa * 10 + (uint64_t)(*at - '0');
        else
            out->exponent++;
        out->n_digits++;
    }
    return at;
}

static bool scan_exponent(const char *at, const char *end, int64_t *exponent)
{
    const bool negative = at < end && *at == '-';
    int64_t value = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return false;
        if (value < EXPONENT_LIMIT)
            value = value * 10 + (*at - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

static bool scan_decimal(const char *text, size_t length, decimal *out)
{
    const char *at = text, *const end = text + length;
    *out = (decimal){.negative = length > 0 && *at == '-'};
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const char *const whole = at;
    at = scan_digits(at, end, out);
    int64_t n_seen = at - whole;
    if (at < end && *at == '.') {
        const char *const fraction = ++at;
        at = scan_digits(at, end, out);
        n_seen += at - fraction;
        out->exponent -= at - fraction;
    }
    out->end = at;
    if (n_seen == 0)
        return false;
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    return scan_exponent(at + 1, end, &out->exponent);
}

/* The double nearest to top * 2^exponent, ties to even; `sticky` says that something non-zero, less than
 * one unit of `top`, was left out. The result must be a normal number and top have more than 54 bits. */
static double round_to_double(rfi_u128 top, int exponent, bool sticky)
{
    const int drop = bit_length128(top) - 53;
    const rfi_u128 rest = top & (((rfi_u128)1 << drop) - 1), half = (rfi_u128)1 << (drop - 1);
    uint64_t m = (uint64_t)(top >> drop);
    if (rest > half || (rest == half && (sticky || (m & 1) != 0)))
        m++;
    const uint64_t power_bits = (uint64_t)(1023 + exponent + drop) << 52;
    double power;
    memcpy(&power, &power_bits, sizeof power);
    return (double)m * power;
}

/* w * 10^exponent for w != 0 and |exponent| <= RFI_POW5_MAX, exactly rounded. */
static double scale_exactly(uint64_t w, int exponent)
{
    const int shift = 64 - rfi_bit_length(w);
    w <<= shift;
    if (exponent >= 0) {
        const rfi_u128 product = (rfi_u128)w * rfi_pow5[exponent];
        return round_to_double(product, exponent - shift, false);
    }
    /* w has its top bit set and 5^k is below 2^63, so the quotient has 65 bits or more. */
    const uint64_t divisor = rfi_pow5[-exponent];
    const rfi_u128 dividend = (rfi_u128)w << 64;
    const rfi_u128 quotient = dividend / divisor;
    return round_to_double(quotient, exponent - shift - 64, quotient * divisor != dividend);
}

/* "e-1048576": at most 9 bytes. */
static size_t put_exponent(char *out, int64_t exponent)
{
    size_t n = 0;
    out[n++] = 'e';
    out[n++] = exponent < 0 ? '-' : '+';
    const int64_t size = exponent < 0 ? -exponent : exponent;
    for (int64_t unit = 1000000; unit > 0; unit /= 10)
        out[n++] = (char)('0' + size / unit % 10);
    return n;
}

/* The digits once more, cut to a length that still decides the rounding, for strtod. */
static double parse_slowly(const decimal *number)
{
    char text[SLOW_DIGITS + 32];
    size_t n = 0;
    int64_t exponent = number->exponent;
    bool cut = false;
    for (const char *at = number->digits; at < number->end; at++) {
        if (*at == '.')
            continue;
        if (n < SLOW_DIGITS)
            text[n++] = *at;
        else
            cut |= *at != '0';
    }
    /* scan_digits raised the exponent once for each digit after the 19th; those kept here take it back. */
    exponent -= (int64_t)n > FAST_DIGITS ? (int64_t)n - FAST_DIGITS : 0;
    if (cut) {
        text[n++] = '1';
        exponent--;
    }
    if (exponent > EXPONENT_LIMIT)
        exponent = EXPONENT_LIMIT;
    if (exponent < -EXPONENT_LIMIT)
        exponent = -EXPONENT_LIMIT;
    n += put_exponent(text + n, exponent);
    text[n] = '\0';
    /* glibc's "C" locale is a constant: nothing is allocated, nothing needs freeing. */
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(c_locale != (locale_t)0);
    return strtod_l(text, NULL, c_locale);
}

bool rf_parse_f64(const char *text, size_t length, double *out)
{
    decimal number;
    double value;
    if (!scan_decimal(text, length, &number))
        return false;
    const int64_t e = number.exponent;
    if (number.mantissa == 0)
        value = 0.0;
    else if (number.n_digits > FAST_DIGITS || e < -RFI_POW5_MAX || e > RFI_POW5_MAX)
        value = parse_slowly(&number);
    else if (number.mantissa <= (uint64_t)1 << 53 && e >= -22 && e <= 22)
        /* Both factors are exact, so the one rounding is the right one (Clinger 1990). */
        value = e < 0 ? (double)number.mantissa / rfi_pow10[-e] : (double)number.mantissa * rfi_pow10[e];
    else
        value = scale_exactly(number.mantissa, (int)e);
    if (isinf(value))
        return false;
    *out = number.negative ? -value : value;
    return true;
}
