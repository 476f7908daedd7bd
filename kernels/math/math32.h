/* math32.h - single-precision functions with one answer everywhere.
 *
 * exp, log, tanh and a whole turn of sine and cosine, and what is made of them: normals and Gumbel draws. Each is a
 * chain of fused multiply-adds and correctly rounded operations, so it gives the same bits on every CPU path, for any
 * thread count, and on a GPU compiled with contraction off. Nothing here calls a library function whose last bit may
 * differ from one machine to the next: fmaf, sqrtf, fabsf and copysignf are exact by IEEE 754.
 *
 * Branches are written as selections, so that a loop over any of these becomes vector code.
 * Polynomials are our own near-minimax fits (Lawson's reweighted least squares on Chebyshev nodes); the relative errors
 * below are measured over every float of the range.
 */
#ifndef RF_KERNELS_MATH32_H
#define RF_KERNELS_MATH32_H

#include <math.h>
#include <string.h>

#include "core/hostdev.h"
#include "core/philox.h"

RF_HD uint32_t rf_bits_of_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

RF_HD float rf_f32_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1.5 * 2^23: added to a small number, it leaves the nearest integer in the low bits. */
#define RF_ROUNDER_F32 12582912.0f

/* 1 / x of a positive x between 1e-37 and 1e37; relative error below 7e-8. A guess from the bits, then Newton's steps, each
 * of which squares the error: a processor divides on one slow unit, which Adam needs for its roots. */
RF_HD float rf_reciprocal_f32(float x)
{
    float y = rf_f32_of_bits(0x7EF311C7u - rf_bits_of_f32(x));
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    return fmaf(y, fmaf(-x, y, 1.0f), y);
}

/* e^x; relative error below 1e-7. 0 below -87.33 (no denormals), infinity above 88.37, NaN stays. */
RF_HD float rf_exp_f32(float x)
{
    float t = fmaf(x, 1.44269504f, RF_ROUNDER_F32);
    float n = t - RF_ROUNDER_F32;
    float r = fmaf(n, -0.693145751953125f, x); /* ln 2 in two parts; the first times n is exact */
    r = fmaf(n, -1.42860677e-6f, r);
    float p = fmaf(1.3814221871e-03f, r, 8.3688987995e-03f);
    p = fmaf(p, r, 4.1668405731e-02f);
    p = fmaf(p, r, 1.6666519129e-01f);
    p = fmaf(p, r, 4.9999993346e-01f);
    p = fmaf(r * r, p, r) + 1.0f;
    float y = p * rf_f32_of_bits((rf_bits_of_f32(t) << 23) + 0x3F800000u);
    y = x > 88.37f ? INFINITY : y;
    return x < -87.33f ? 0.0f : y;
}

/* ln x of a positive, finite, normal x; relative error below 1.2e-7. */
RF_HD float rf_log_normal_f32(float x)
{
    uint32_t bits = rf_bits_of_f32(x);
    int32_t shift = (int32_t)(bits - 0x3F3504F3u) >> 23; /* mantissa into [sqrt 1/2, sqrt 2) */
    float f = rf_f32_of_bits(bits - ((uint32_t)shift << 23)) - 1.0f;
    float n = (float)shift;
    float z = f * f;
    float p = fmaf(-7.6461058071e-02f, f, 1.2779120372e-01f);
    p = fmaf(p, f, -1.3164188027e-01f);
    p = fmaf(p, f, 1.4199695059e-01f);
    p = fmaf(p, f, -1.6622764672e-01f);
    p = fmaf(p, f, 2.0001292717e-01f);
    p = fmaf(p, f, -2.5000837968e-01f);
    p = fmaf(p, f, 3.3333331197e-01f);
    float y = fmaf(p, z * f, n * 1.42860677e-6f);
    y = fmaf(-0.5f, z, y) + f;
    return fmaf(n, 0.693145751953125f, y);
}

/* ln x of any x. -infinity at 0, NaN below it; denormals are counted as 0. */
RF_HD float rf_log_f32(float x)
{
    float y = rf_log_normal_f32(x);
    y = x < INFINITY ? y : x;
    y = x < 1.17549435e-38f ? -INFINITY : y;
    return x < 0.0f ? NAN : y;
}

/* Hyperbolic tangent; relative error below 2e-7, exactly 1 in size above about 9. */
RF_HD float rf_tanh_f32(float x)
{
    float size = fabsf(x);
    float z = x * x;
    float p = fmaf(-5.6669743017e-03f, z, 2.0606174195e-02f);
    p = fmaf(p, z, -5.3730006412e-02f);
    p = fmaf(p, z, 1.3331330994e-01f);
    p = fmaf(p, z, -3.3333278058e-01f);
    float near = fmaf(p, z * x, x);
    float e = rf_exp_f32(-2.0f * size);
    float far = copysignf(1.0f - 2.0f * e / (1.0f + e), x);
    return size < 0.625f ? near : far;
}

/* cos and sin of 2 pi u, u in [0, 1]; absolute error below 1e-7. */
RF_HD void rf_turn_f32(float u, float *cosine, float *sine)
{
    float t = fmaf(u, 4.0f, RF_ROUNDER_F32);
    uint32_t quadrant = rf_bits_of_f32(t);
    float f = fmaf(t - RF_ROUNDER_F32, -0.25f, u); /* exact, within 1/8 */
    float z = f * f;
    float s = fmaf(-7.5393586986e+01f, z, 8.1592354403e+01f);
    s = fmaf(s, z, -4.1341661463e+01f);
    s = fmaf(s, z, 6.2831852869e+00f) * f;
    float c = fmaf(5.9245947151e+01f, z, -8.5443741283e+01f);
    c = fmaf(c, z, 6.4939326468e+01f);
    c = fmaf(c, z, -1.9739208694e+01f);
    c = fmaf(c, z, 1.0f);
    float x = (quadrant & 1) ? s : c;
    float y = (quadrant & 1) ? c : s;
    *cosine = rf_f32_of_bits(rf_bits_of_f32(x) ^ (((quadrant + 1) & 2) << 30));
    *sine = rf_f32_of_bits(rf_bits_of_f32(y) ^ ((quadrant & 2) << 30));
}

/* Two standard normals from two words (Box and Muller, "A note on the generation of random normal deviates", 1958). */
RF_HD void rf_normal_pair(uint32_t word0, uint32_t word1, float *first, float *second)
{
    float radius = sqrtf(-2.0f * rf_log_normal_f32(rf_uniform_open(word0)));
    float cosine, sine;
    rf_turn_f32(rf_uniform_open(word1), &cosine, &sine);
    *first = radius * cosine;
    *second = radius * sine;
}

/* A standard Gumbel draw: -ln(-ln u). Its maximum over l + g picks from softmax(l) (Gumbel, "Statistical theory of extreme
 * values and some practical applications", 1954). */
RF_HD float rf_gumbel_f32(uint32_t word)
{
    return -rf_log_normal_f32(-rf_log_normal_f32(rf_uniform_open(word)));
}

#endif
