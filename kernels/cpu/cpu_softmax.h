/* cpu_softmax.h - sums and softmaxes over a run of floats, in one order on every instruction set. */
#ifndef RF_CPU_SOFTMAX_H
#define RF_CPU_SOFTMAX_H

#include "kernels/cpu/cpu_lanes.h"
#include "kernels/math/math32.h"

/* Sum of x y: lane i of 16 takes elements i, i + 16, …; then the lanes' one order. */
RFI_INLINE float rfi_dot(const float *x, const float *y, int32_t n)
{
    v16 sum = v16_zero();
    int32_t i = 0;
    for (; i + RFI_LANES <= n; i += RFI_LANES)
        sum = v16_fma(v16_load(x + i), v16_load(y + i), sum);
    if (i < n)
        sum = v16_fma(v16_load_n(x + i, n - i), v16_load_n(y + i, n - i), sum);
    return v16_sum(sum);
}

RFI_INLINE float rfi_largest(const float *x, int32_t n)
{
    float top = x[0];
    for (int32_t i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* y = e^(x - top), y may be x; returns the sum, taken element by element. Terms below 2^-64 of the largest are 0: they
 * are far below the rounding of the sum, and their products further on would be denormal numbers, which are slow. */
RFI_INLINE float rfi_exponentials(float *y, const float *x, int32_t n, float top)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < n; i++) {
        float d = x[i] - top;
        y[i] = d < -44.36f ? 0.0f : rf_exp_f32(d);
    }
    for (int32_t i = 0; i < n; i++)
        sum += y[i];
    return sum;
}

/* y may be x. A NaN anywhere makes all of y NaN. */
RFI_INLINE void rfi_softmax(float *y, const float *x, int32_t n)
{
    float sum = rfi_exponentials(y, x, n, rfi_largest(x, n));
    float scale = 1.0f / sum;
    for (int32_t i = 0; i < n; i++)
        y[i] *= scale;
}

/* Returns -ln softmax(x)[target], and scale * (softmax(x) - onehot(target)) into dx, or added to it. */
RFI_INLINE float rfi_cross_entropy(const float *x, int32_t n, int32_t target, float scale, float *dx,
                                   bool add)
{
    enum { PIECE_CE = 256 };
    float y[PIECE_CE];
    float top = rfi_largest(x, n), sum = 0.0f;
    for (int32_t c = 0; c < n; c += PIECE_CE)
        sum += rfi_exponentials(y, x + c, n - c < PIECE_CE ? n - c : PIECE_CE, top);
    float share = scale / sum;
    for (int32_t c = 0; c < n; c += PIECE_CE) {
        int32_t here = n - c < PIECE_CE ? n - c : PIECE_CE;
        (void)rfi_exponentials(y, x + c, here, top);
        for (int32_t i = 0; i < here; i++)
            dx[c + i] = add ? fmaf(share, y[i], dx[c + i]) : share * y[i];
    }
    dx[target] -= scale;
    return rf_log_f32(sum) - (x[target] - top);
}

#endif
