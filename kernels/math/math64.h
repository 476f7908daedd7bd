/* math64.h - double-precision exp, log, digamma and log-gamma with the same bits everywhere.
 *
 * The C library's versions differ in their last bit between releases and between processors. These are
 * built from additions, multiplications, divisions, explicit fma and bit moves, each of which IEEE 754
 * fixes to the bit, so that a compiler may vectorise them, a processor may lack FMA (fma() is then the
 * library's exact one), and nothing changes. Compile with -ffp-contract=off.
 *
 *     function                  argument   error
 *     rf_exp_f64                any        <= 1 ulp; denormal results are rounded twice
 *     rf_exp_nonpositive_f64    x <= 0     <= 1 ulp; below -708 it is 0
 *     rf_log_f64                any        <= 1 ulp
 *     rf_digamma_f64            x > 0      below 2e-15 of max(|psi|, 1)
 *     rf_lgamma_f64             x > 0      below 1e-14 of max(|lgamma|, 1): absolute near the zeros 1, 2
 *
 * No branches in the first three, so that a loop over an array vectorises. The series are Taylor's and
 * Stirling's (Abramowitz and Stegun, "Handbook of mathematical functions", 4.1, 4.2, 6.1.40, 6.3.18);
 * argument reduction after Cody and Waite, "Software manual for the elementary functions", 1980.
 */
#ifndef RF_KERNELS_MATH_MATH64_H
#define RF_KERNELS_MATH_MATH64_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/hostdev.h"

#define RF_LN2_HIGH    0x1.62e42fefa0000p-1  /* ln 2 to 33 bits: a product with an exponent is exact */
#define RF_LN2_LOW     0x1.cf79abc9e3b39p-40 /* the rest                                             */
#define RF_LOG2_E      0x1.71547652b82fep+0
#define RF_ROUND_MAGIC 0x1.8p52 /* adding it leaves the nearest integer in the low bits */
#define RF_HALF_LN_2PI 0x1.d67f1c864beb5p-1

RF_HD uint64_t rf_f64_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

RF_HD double rf_f64_from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ------------------------------------------------------------------ exp */

/* e^r for |r| <= ln(2)/2: Taylor to r^13, whose remainder is below 2^-57. */
RF_HD double rf_exp_reduced_f64(double r)
{
    double p = 1.0 / 6227020800.0;
    p = fma(p, r, 1.0 / 479001600.0);
    p = fma(p, r, 1.0 / 39916800.0);
    p = fma(p, r, 1.0 / 3628800.0);
    p = fma(p, r, 1.0 / 362880.0);
    p = fma(p, r, 1.0 / 40320.0);
    p = fma(p, r, 1.0 / 5040.0);
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    return fma(p, r, 1.0);
}

/* For x <= 0 only. A result below about 1e-307 is 0: for probabilities that is nothing, and it saves the
 * second scaling. */
RF_HD double rf_exp_nonpositive_f64(double x)
{
    double clamped = x < -708.0 ? -708.0 : x;
    double shifted = fma(clamped, RF_LOG2_E, RF_ROUND_MAGIC);
    double n = shifted - RF_ROUND_MAGIC;
    double r = fma(-n, RF_LN2_LOW, fma(-n, RF_LN2_HIGH, clamped));
    uint64_t scaled = rf_f64_bits(rf_exp_reduced_f64(r)) + (rf_f64_bits(shifted) << 52);
    return x < -708.0 ? 0.0 : rf_f64_from_bits(scaled);
}

RF_HD double rf_exp_f64(double x)
{
    double low = x < -746.0 ? -746.0 : x; /* NaN passes both comparisons */
    double clamped = low > 710.0 ? 710.0 : low;
    double n = fma(clamped, RF_LOG2_E, RF_ROUND_MAGIC) - RF_ROUND_MAGIC;
    double r = fma(-n, RF_LN2_LOW, fma(-n, RF_LN2_HIGH, clamped));

    /* 2^n in two factors: n may pass both ends of the exponent */
    double half = fma(n, 0.5, RF_ROUND_MAGIC);
    double rest = (n - (half - RF_ROUND_MAGIC)) + RF_ROUND_MAGIC;
    double scale_a = rf_f64_from_bits((rf_f64_bits(half) + 1023) << 52);
    double scale_b = rf_f64_from_bits((rf_f64_bits(rest) + 1023) << 52);
    return rf_exp_reduced_f64(r) * scale_a * scale_b;
}

/* ------------------------------------------------------------------ log */

/* ln(1+f) - f for 1+f in [sqrt(1/2), sqrt(2)): with s = f/(2+f) and h = f*f/2 it is -(h - s*(h + R(s^2))),
 * where R(z) = 2/3 z + 2/5 z^2 + ... is the tail of 2 artanh(s). */
RF_HD double rf_log1p_tail_f64(double f, double extra)
{
    double s = f / (2.0 + f);
    double z = s * s;
    double h = 0.5 * f * f;
    double p = 2.0 / 23.0;
    p = fma(p, z, 2.0 / 21.0);
    p = fma(p, z, 2.0 / 19.0);
    p = fma(p, z, 2.0 / 17.0);
    p = fma(p, z, 2.0 / 15.0);
    p = fma(p, z, 2.0 / 13.0);
    p = fma(p, z, 2.0 / 11.0);
    p = fma(p, z, 2.0 / 9.0);
    p = fma(p, z, 2.0 / 7.0);
    p = fma(p, z, 2.0 / 5.0);
    p = fma(p, z, 2.0 / 3.0);
    return h - fma(s, fma(p, z, h), extra);
}

RF_HD double rf_log_f64(double x)
{
    double tiny = x < 0x1p-1022 ? 1.0 : 0.0; /* denormals are lifted into the normal range first */
    double lifted = x < 0x1p-1022 ? x * 0x1p54 : x;
    uint64_t bits = rf_f64_bits(lifted);

    /* x = m * 2^e with m in [sqrt(1/2), sqrt(2)) */
    const uint64_t half_sqrt = 0x3fe6a09e667f3bcdu;
    uint64_t biased = (bits + (0x3ff0000000000000u - half_sqrt)) >> 52;
    double e = rf_f64_from_bits(biased | 0x4330000000000000u) - (0x1p52 + 1023.0) - 54.0 * tiny;
    double f = rf_f64_from_bits(bits - ((biased - 1023) << 52)) - 1.0;

    double result = fma(e, RF_LN2_HIGH, f - rf_log1p_tail_f64(f, e * RF_LN2_LOW));
    result = x < INFINITY ? result : x; /* +inf and NaN are their own logarithms */
    result = x == 0.0 ? -INFINITY : result;
    return x < 0.0 ? NAN : result;
}

/* ------------------------------------------------------------------ digamma, log-gamma */

/* psi(x) = ln x - 1/(2x) - sum B_2n / (2n x^2n); below 10 psi(x) = psi(x+1) - 1/x leads there. */
RF_HD double rf_digamma_f64(double x)
{
    double below = 0.0;
    while (x < 10.0) {
        below += 1.0 / x;
        x += 1.0;
    }
    double inverse = 1.0 / x;
    double z = inverse * inverse;
    double p = 1.0 / 12.0;
    p = fma(p, -z, 691.0 / 32760.0);
    p = fma(p, -z, 1.0 / 132.0);
    p = fma(p, -z, 1.0 / 240.0);
    p = fma(p, -z, 1.0 / 252.0);
    p = fma(p, -z, 1.0 / 120.0);
    p = fma(p, -z, 1.0 / 12.0);
    return rf_log_f64(x) - fma(0.5, inverse, p * z) - below;
}

/* Stirling's series; below 10 the recurrence lgamma(x) = lgamma(x+n) - ln(x (x+1) ... (x+n-1)). */
RF_HD double rf_lgamma_f64(double x)
{
    double product = 1.0;
    while (x < 10.0) {
        product *= x;
        x += 1.0;
    }
    double inverse = 1.0 / x;
    double z = inverse * inverse;
    double p = 1.0 / 156.0;
    p = fma(p, -z, 691.0 / 360360.0);
    p = fma(p, -z, 1.0 / 1188.0);
    p = fma(p, -z, 1.0 / 1680.0);
    p = fma(p, -z, 1.0 / 1260.0);
    p = fma(p, -z, 1.0 / 360.0);
    p = fma(p, -z, 1.0 / 12.0);
    double series = fma(p, inverse, RF_HALF_LN_2PI);
    return fma(x - 0.5, rf_log_f64(x), series - x) - rf_log_f64(product);
}

#endif
