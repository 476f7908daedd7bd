/* number.c - doubles and integers as decimal text, exactly.
 *
 * A double is m * 2^e with m < 2^53, a decimal is w * 10^-d = w / 5^d / 2^d. While d <= 27, 5^d fits 63
 * bits, so m * 5^d and (w << s) / 5^d are single 128-bit operations: rounding in either direction is then
 * decided by an exact remainder, not by an approximation and its error bound. That covers every number
 * that a person is likely to write down. The rest (1e-300, 40 digits) takes the slow road: strtod in the
 * "C" locale for reading, long multiplication in base 10^9 for writing.
 */
#include "core/text.h"

#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

enum {
    POW5_MAX = 27,            /* 5^27 < 2^63                                                  */
    FAST_DIGITS = 19,         /* decimal digits that always fit 64 bits                       */
    SLOW_DIGITS = 800,        /* more than the 767 that decide a double's rounding            */
    EXPONENT_LIMIT = 1 << 20, /* exponents are cut here: far outside a double, far from overflow */
    BIG_LIMBS = 128,          /* base 10^9; 5^1074 * 2^53 has 767 digits = 86 limbs           */
    BIG_DIGITS = BIG_LIMBS * 9,
};

static const uint64_t pow5[POW5_MAX + 1] = {1u,
                                            5u,
                                            25u,
                                            125u,
                                            625u,
                                            3125u,
                                            15625u,
                                            78125u,
                                            390625u,
                                            1953125u,
                                            9765625u,
                                            48828125u,
                                            244140625u,
                                            1220703125u,
                                            6103515625u,
                                            30517578125u,
                                            152587890625u,
                                            762939453125u,
                                            3814697265625u,
                                            19073486328125u,
                                            95367431640625u,
                                            476837158203125u,
                                            2384185791015625u,
                                            11920928955078125u,
                                            59604644775390625u,
                                            298023223876953125u,
                                            1490116119384765625u,
                                            7450580596923828125u};

static const uint64_t pow10_u64[20] = {1u,
                                       10u,
                                       100u,
                                       1000u,
                                       10000u,
                                       100000u,
                                       1000000u,
                                       10000000u,
                                       100000000u,
                                       1000000000u,
                                       10000000000u,
                                       100000000000u,
                                       1000000000000u,
                                       10000000000000u,
                                       100000000000000u,
                                       1000000000000000u,
                                       10000000000000000u,
                                       100000000000000000u,
                                       1000000000000000000u,
                                       10000000000000000000u};

static const double pow10_f64[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static int bit_length64(uint64_t x)
{
    return x == 0 ? 0 : 64 - __builtin_clzll(x);
}

static int bit_length128(u128 x)
{
    const uint64_t high = (uint64_t)(x >> 64);
    return high != 0 ? 64 + bit_length64(high) : bit_length64((uint64_t)x);
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
static double round_to_double(u128 top, int exponent, bool sticky)
{
    const int drop = bit_length128(top) - 53;
    const u128 rest = top & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
    uint64_t m = (uint64_t)(top >> drop);
    if (rest > half || (rest == half && (sticky || (m & 1) != 0)))
        m++;
    const uint64_t power_bits = (uint64_t)(1023 + exponent + drop) << 52;
    double power;
    memcpy(&power, &power_bits, sizeof power);
    return (double)m * power;
}

/* w * 10^exponent for w != 0 and |exponent| <= POW5_MAX, exactly rounded. */
static double scale_exactly(uint64_t w, int exponent)
{
    const int shift = 64 - bit_length64(w);
    w <<= shift;
    if (exponent >= 0) {
        const u128 product = (u128)w * pow5[exponent];
        return round_to_double(product, exponent - shift, false);
    }
    /* w has its top bit set and 5^k is below 2^63, so the quotient has 65 bits or more. */
    const uint64_t divisor = pow5[-exponent];
    const u128 dividend = (u128)w << 64;
    const u128 quotient = dividend / divisor;
    return round_to_double(quotient, exponent - shift - 64, quotient * divisor != dividend);
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
    text[n++] = 'e';
    n += rf_format_i64(text + n, exponent);
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
    else if (number.n_digits > FAST_DIGITS || e < -POW5_MAX || e > POW5_MAX)
        value = parse_slowly(&number);
    else if (number.mantissa <= (uint64_t)1 << 53 && e >= -22 && e <= 22)
        /* Both factors are exact, so the one rounding is the right one (Clinger 1990). */
        value = e < 0 ? (double)number.mantissa / pow10_f64[-e] : (double)number.mantissa * pow10_f64[e];
    else
        value = scale_exactly(number.mantissa, (int)e);
    if (isinf(value))
        return false;
    *out = number.negative ? -value : value;
    return true;
}

/* ---------------------------------------------------------------- writing integers */

static const char digit_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

static int digits_u64(uint64_t value)
{
    /* 1233/4096 is log10(2) closely enough for 64 bits; the table settles the rest. */
    const int guess = bit_length64(value | 1) * 1233 >> 12;
    return guess + (value >= pow10_u64[guess]) + (guess == 0 && value == 0);
}

/* Exactly n digits, zeros in front. */
static void write_digits(char *out, uint64_t value, int n)
{
    while (n >= 2) {
        const uint64_t rest = value / 100;
        memcpy(out + n - 2, digit_pairs + 2 * (value - rest * 100), 2);
        value = rest;
        n -= 2;
    }
    if (n > 0)
        out[0] = (char)('0' + value % 10);
}

size_t rf_format_i64(char *out, int64_t value)
{
    char *at = out;
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        *at++ = '-';
        magnitude = 0 - magnitude;
    }
    const int n = digits_u64(magnitude);
    write_digits(at, magnitude, n);
    at[n] = '\0';
    return (size_t)(at + n - out);
}

/* ---------------------------------------------------------------- long decimals */

/* |value| = m * 2^e, exactly; m = 0 for zero. */
static uint64_t split_double(double value, int *e)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int biased = (int)(bits >> 52 & 0x7FF);
    const uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    *e = biased == 0 ? -1074 : biased - 1075;
    return biased == 0 ? fraction : fraction | (uint64_t)1 << 52;
}

typedef struct big {
    uint32_t limb[BIG_LIMBS]; /* base 10^9, the least first */
    int n;
} big;

static void big_multiply(big *number, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < number->n; i++) {
        carry += (uint64_t)number->limb[i] * factor;
        number->limb[i] = (uint32_t)(carry % 1000000000u);
        carry /= 1000000000u;
    }
    if (carry > 0) {
        assert(number->n < BIG_LIMBS);
        number->limb[number->n++] = (uint32_t)carry;
    }
}

/* All digits of a finite |value|, no zeros in front (none at all for 0): digits * 10^-*scale. */
static int exact_digits(double value, char digits[BIG_DIGITS], int *scale)
{
    int e;
    const uint64_t m = split_double(value, &e);
    big number = {{(uint32_t)(m % 1000000000u), (uint32_t)(m / 1000000000u)}, 2};
    const uint32_t base = e < 0 ? 5 : 2;
    const int step = 12; /* a factor below 10^9 carries less than one limb */
    int left = e < 0 ? -e : e;
    *scale = e < 0 ? -e : 0;
    uint32_t power = 1;
    for (int i = 0; i < step; i++)
        power *= base;
    for (; left >= step; left -= step)
        big_multiply(&number, power);
    for (; left > 0; left--)
        big_multiply(&number, base);
    for (int i = 0; i < number.n; i++)
        write_digits(digits + 9 * (number.n - 1 - i), number.limb[i], 9);
    const int n = number.n * 9;
    int zeros = 0;
    while (zeros < n && digits[zeros] == '0')
        zeros++;
    memmove(digits, digits + zeros, (size_t)(n - zeros));
    return n - zeros;
}

/* Rounds the n digits to their first `keep` (0 <= keep <= n), half to even. Returns how many there are
 * then: one more than `keep` when 9…9 became 10…0. */
static int round_digits(char *digits, int n, int keep)
{
    bool up = false;
    if (keep < n) {
        bool above = digits[keep] > '5';
        for (int i = keep + 1; i < n && digits[keep] == '5' && !above; i++)
            above = digits[i] != '0';
        up = above || (digits[keep] == '5' && keep > 0 && (digits[keep - 1] & 1) != 0);
    }
    for (int i = keep - 1; up && i >= 0; i--) {
        up = digits[i] == '9';
        digits[i] = up ? '0' : (char)(digits[i] + 1);
    }
    if (!up)
        return keep;
    memmove(digits + 1, digits, (size_t)keep);
    digits[0] = '1';
    return keep + 1;
}

/* ---------------------------------------------------------------- writing doubles, shortest */

static size_t write_special(char *out, double value)
{
    const char *text = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    const size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return length;
}

/* The digits of w * 10^exponent, as C's %g would lay them out: plain from 1e-4 to below 1e16, else with
 * an exponent of two digits or more. */
static size_t write_decimal(char *out, bool negative, uint64_t w, int exponent)
{
    char digits[20], *at = out;
    while (w != 0 && w % 10 == 0) {
        w /= 10;
        exponent++;
    }
    const int n = digits_u64(w), point = n + exponent; /* 0.DIGITS * 10^point */
    write_digits(digits, w, n);
    if (negative)
        *at++ = '-';
    if (point > 16 || point < -3) {
        const int shown = point - 1;
        *at++ = digits[0];
        if (n > 1) {
            *at++ = '.';
            memcpy(at, digits + 1, (size_t)n - 1);
            at += n - 1;
        }
        *at++ = 'e';
        *at++ = shown < 0 ? '-' : '+';
        const int size = shown < 0 ? -shown : shown;
        const int width = size < 100 ? 2 : 3;
        write_digits(at, (uint64_t)size, width);
        at += width;
    } else if (point <= 0) {
        memcpy(at, "0.000", 5);
        at += 2 - point;
        memcpy(at, digits, (size_t)n);
        at += n;
    } else {
        const int whole = n < point ? n : point;
        memcpy(at, digits, (size_t)whole);
        at += whole;
        for (int i = whole; i < point; i++)
            *at++ = '0';
        if (n > point) {
            *at++ = '.';
            memcpy(at, digits + point, (size_t)(n - point));
            at += n - point;
        }
    }
    *at = '\0';
    return (size_t)(at - out);
}

/* Few decimals, as most tables have them: m / 10^d with m < 10^15. Both are exact, so the division gives
 * what reading would give; and 15 digits survive a double, so no other m of this length does. */
static bool shortest_by_trial(double value, uint64_t *w, int *exponent)
{
    for (int d = 0; d <= 6; d++) {
        const double scaled = value * pow10_f64[d];
        if (scaled >= 1e15)
            return false;
        const double m = rint(scaled);
        if (m / pow10_f64[d] == value) {
            *w = (uint64_t)m;
            *exponent = -d;
            return true;
        }
    }
    return false;
}

/* What reads back as the same double: between the halfway points to its neighbours, which belong to it
 * when its mantissa is even. Below a power of two the neighbour is nearer. */
typedef struct interval {
    u128 low, centre, high;
    bool closed;
} interval;

static bool is_inside(const interval *range, u128 x)
{
    return range->closed ? x >= range->low && x <= range->high : x > range->low && x < range->high;
}

/* The multiple of `unit` in the interval that is nearest to its centre, ties to even. */
static bool find_multiple(const interval *range, u128 unit, u128 *quotient)
{
    const u128 below = range->centre / unit, rest = range->centre - below * unit, other = unit - rest;
    const bool down = is_inside(range, below * unit), up = is_inside(range, (below + 1) * unit);
    const bool nearer_up = rest > other || (rest == other && (below & 1) != 0);
    *quotient = below + (up && (nearer_up || !down));
    return down || up;
}

/* Numbers whose 17 digits need a scale of at most 10^27. The interval of |value| * 10^d is counted in
 * units of 2^-shift, which makes it exact in 128 bits; digits are dropped while a rounder number is left
 * inside. */
static bool shortest_exactly(double value, uint64_t *w, int *exponent)
{
    int e;
    const uint64_t m = split_double(value, &e);
    /* 1233/4096 is a little less than log10(2): d gives 17 or 18 digits. */
    const int d = 16 - ((e + 52) * 1233 >> 12), shift = 2 - e - d;
    if (d < 0 || d > POW5_MAX || shift < 0)
        return false;
    const int below = m == (uint64_t)1 << 52 ? 1 : 2; /* 4m * 5^d < 2^55 * 2^63 */
    const interval range = {.low = (u128)(4 * m - (uint64_t)below) * pow5[d],
                            .centre = (u128)(4 * m) * pow5[d],
                            .high = (u128)(4 * m + 2) * pow5[d],
                            .closed = (m & 1) == 0};
    u128 quotient, best = 0;
    int dropped = -1;
    for (u128 unit = (u128)1 << shift; unit <= range.high && find_multiple(&range, unit, &quotient);
         unit *= 10) {
        best = quotient;
        dropped++;
    }
    assert(dropped >= 0);
    *w = (uint64_t)best;
    *exponent = dropped - d;
    return true;
}

static bool reads_back(double value, uint64_t w, int exponent)
{
    char text[32];
    double back = 0;
    const size_t length = write_decimal(text, false, w, exponent);
    return rf_parse_f64(text, length, &back) && back == value;
}

/* Any other number: more and more digits of the exact expansion until they read back. A normal number that
 * has a form of 15 digits or fewer has one only, so its search starts there and ends by dropping zeros. */
static void shortest_slowly(double value, uint64_t *w, int *exponent)
{
    char all[BIG_DIGITS], digits[BIG_DIGITS + 1];
    int scale, e;
    const int n = exact_digits(value, all, &scale);
    const bool at_power = split_double(value, &e) == (uint64_t)1 << 52;
    for (int keep = value < 0x1p-1022 ? 1 : 15; keep <= 17; keep++) {
        int64_t whole = 0;
        const int used = keep < n ? keep : n;
        memcpy(digits, all, (size_t)n);
        const int count = round_digits(digits, n, used);
        const bool fits = rf_parse_i64(digits, (size_t)count, &whole);
        assert(fits);
        (void)fits;
        *w = (uint64_t)whole;
        *exponent = n - used - scale;
        if (reads_back(value, *w, *exponent))
            return;
        /* Above a power of two there is twice the room: the next one up may do where the nearest does not. */
        if (at_power && reads_back(value, *w + 1, *exponent)) {
            *w += 1;
            return;
        }
    }
}

size_t rf_format_f64(char *out, double value)
{
    uint64_t w = 0;
    int exponent = 0;
    const bool negative = signbit(value) != 0;
    const double magnitude = fabs(value);
    if (!isfinite(value))
        return write_special(out, value);
    if (magnitude != 0 && !shortest_by_trial(magnitude, &w, &exponent) &&
        !shortest_exactly(magnitude, &w, &exponent))
        shortest_slowly(magnitude, &w, &exponent);
    return write_decimal(out, negative, w, exponent);
}

/* ---------------------------------------------------------------- writing doubles, fixed */

/* |value| * 10^decimals rounded half to even, when that is below 2^63. */
static bool scale_fixed(double value, int decimals, uint64_t *out)
{
    const double scaled = value * pow10_f64[decimals];
    if (scaled < 4503599627370496.0) { /* 2^52: the product is off by at most half an ulp of itself */
        const double whole = floor(scaled), fraction = scaled - whole;
        if (fabs(fraction - 0.5) > scaled * 0x1p-52) {
            *out = (uint64_t)whole + (fraction > 0.5);
            return true;
        }
    }
    if (scaled >= 9.0e18)
        return false;
    int e;
    const uint64_t m = split_double(value, &e);
    const u128 product = (u128)m * pow5[decimals];
    const int shift = -(e + decimals);
    if (shift <= 0) {
        *out = (uint64_t)(product << -shift);
        return true;
    }
    if (shift > 120) { /* product < 2^93 */
        *out = 0;
        return true;
    }
    const u128 whole = product >> shift, rest = product - (whole << shift), half = (u128)1 << (shift - 1);
    *out = (uint64_t)whole + (rest > half || (rest == half && (whole & 1) != 0));
    return true;
}

/* Digits of a number with its last `decimals` behind the point, cut by the zeros that may go. */
static size_t write_fixed(char *out, bool negative, const char *digits, int n, int decimals, int min_decimals)
{
    char *at = out;
    if (negative)
        *at++ = '-';
    const int whole = n - decimals;
    if (whole <= 0) {
        *at++ = '0';
    } else {
        memcpy(at, digits, (size_t)whole);
        at += whole;
    }
    if (decimals > 0) {
        *at++ = '.';
        for (int i = whole; i < 0; i++)
            *at++ = '0';
        const int from = whole > 0 ? whole : 0;
        memcpy(at, digits + from, (size_t)(n - from));
        at += n - from;
        while (decimals > min_decimals && at[-1] == '0') {
            at--;
            decimals--;
        }
        at -= decimals == 0; /* the point itself */
    }
    *at = '\0';
    return (size_t)(at - out);
}

size_t rf_format_fixed(char *out, double value, int decimals, int min_decimals)
{
    const double magnitude = fabs(value);
    uint64_t scaled;
    assert(decimals >= 0 && decimals <= 17 && min_decimals >= 0 && min_decimals <= decimals);
    if (!isfinite(value))
        return write_special(out, value);
    if (scale_fixed(magnitude, decimals, &scaled)) {
        char digits[20];
        const int n = digits_u64(scaled);
        write_digits(digits, scaled, n);
        return write_fixed(out, value < 0 && scaled != 0, digits, n, decimals, min_decimals);
    }
    char digits[BIG_DIGITS + 32];
    int scale;
    int n = exact_digits(magnitude, digits, &scale);
    if (scale > decimals) { /* n > scale here: the number is large */
        n = round_digits(digits, n, n - (scale - decimals));
    } else {
        memset(digits + n, '0', (size_t)(decimals - scale));
        n += decimals - scale;
    }
    return write_fixed(out, value < 0, digits, n, decimals, min_decimals);
}
