/* number_write.c - integers and doubles as decimal text, exactly (see number.c). */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/number_internal.h"
#include "core/text.h"

enum {
    BIG_LIMBS = 128, /* base 10^9; 5^1074 * 2^53 has 767 digits = 86 limbs */
    BIG_DIGITS = BIG_LIMBS * 9,
};

/* clang-format off */
static const uint64_t pow10_u64[20] = {
    1u, 10u, 100u, 1000u,
    10000u, 100000u, 1000000u, 10000000u,
    100000000u, 1000000000u, 10000000000u, 100000000000u,
    1000000000000u, 10000000000000u, 100000000000000u, 1000000000000000u,
    10000000000000000u, 100000000000000000u, 1000000000000000000u, 10000000000000000000u,
};
/* clang-format on */

/* ---------------------------------------------------------------- writing integers */

static const char digit_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

static int digits_u64(uint64_t value)
{
    /* 1233/4096 is log10(2) closely enough for 64 bits; the table settles the rest. */
    const int guess = rfi_bit_length(value | 1) * 1233 >> 12;
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

/* Up to 15 digits, as nearly all numbers in tables have: w / 10^k with w < 10^15 and k <= 22. Both are exact, so the
 * division gives what reading would give; and 15 digits survive a double, so no other decimal of this length
 * does: its final zeros dropped, it is the shortest. */
static bool shortest_by_trial(double value, uint64_t *w, int *exponent)
{
    static const double to_even =
        4503599627370496.0; /* 2^52: added and taken away, it rounds what is below */
    int e;
    (void)split_double(value, &e);
    int k = 14 - ((e + 52) * 1233 >> 12); /* 15 or 16 digits: 1233/4096 is a little less than log10(2) */
    if (k < 0 || k > 22)
        return false;
    double scaled = value * rfi_pow10[k];
    if (scaled >= 999999999999999.5) {
        if (k == 0)
            return false;
        scaled = value * rfi_pow10[--k];
    }
    const double m = (scaled + to_even) - to_even;
    if (m / rfi_pow10[k] != value)
        return false;
    uint64_t digits = (uint64_t)m;
    for (int step = 8; step > 1; step /= 2) /* zeros by the handful; write_decimal takes the last */
        if (digits % pow10_u64[step] == 0) {
            digits /= pow10_u64[step];
            k -= step;
        }
    *w = digits;
    *exponent = -k;
    return true;
}

/* What reads back as the same double: between the halfway points to its neighbours, which belong to it
 * when its mantissa is even. Below a power of two the neighbour is nearer. */
typedef struct interval {
    rfi_u128 low, centre, high;
    bool closed;
} interval;

static bool is_inside(const interval *range, rfi_u128 x)
{
    return range->closed ? x >= range->low && x <= range->high : x > range->low && x < range->high;
}

/* The multiple of `unit` in the interval that is nearest to its centre, ties to even. */
static bool find_multiple(const interval *range, rfi_u128 unit, rfi_u128 *quotient)
{
    const rfi_u128 below = range->centre / unit, rest = range->centre - below * unit, other = unit - rest;
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
    if (d < 0 || d > RFI_POW5_MAX || shift < 0)
        return false;
    const int below = m == (uint64_t)1 << 52 ? 1 : 2; /* 4m * 5^d < 2^55 * 2^63 */
    const interval range = {.low = (rfi_u128)(4 * m - (uint64_t)below) * rfi_pow5[d],
                            .centre = (rfi_u128)(4 * m) * rfi_pow5[d],
                            .high = (rfi_u128)(4 * m + 2) * rfi_pow5[d],
                            .closed = (m & 1) == 0};
    rfi_u128 quotient, best = 0;
    int dropped = -1;
    for (rfi_u128 unit = (rfi_u128)1 << shift; unit <= range.high && find_multiple(&range, unit, &quotient);
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
    const double scaled = value * rfi_pow10[decimals];
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
    const rfi_u128 product = (rfi_u128)m * rfi_pow5[decimals];
    const int shift = -(e + decimals);
    if (shift <= 0) {
        *out = (uint64_t)(product << -shift);
        return true;
    }
    if (shift > 120) { /* product < 2^93 */
        *out = 0;
        return true;
    }
    const rfi_u128 whole = product >> shift, rest = product - (whole << shift),
                   half = (rfi_u128)1 << (shift - 1);
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
