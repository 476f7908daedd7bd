/* cpu_softmax.h - sums and softmaxes, in one order on every instruction set.
 *
 * Spans are short (a handful of categories), so a register along a span would be mostly empty. Sixteen rows therefore stand
 * side by side in a tile, element c of row i at t[16 c + i]; each lane then runs through its own row's span in order.
 */
#ifndef RF_CPU_SOFTMAX_H
#define RF_CPU_SOFTMAX_H

#include "kernels/cpu/cpu_lanes.h"
#include "kernels/math/math32.h"

/* e^d for d <= 0 as softmaxes need it. Terms below 2^-64 of the largest are 0: they are far below the rounding of the sum,
 * and their products further on would be denormal numbers, which are slow. */
RFI_INLINE float rfi_exp_term(float d)
{
    float y = rf_exp_f32(d);
    return d < -44.36f ? 0.0f : y;
}

/* ------------------------------------------------------------------ along a row */

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

/* Sixteen elements of x from i on; those past n are -infinity, so that their terms are 0. */
RFI_INLINE void rfi_piece(float out[16], const float *x, int32_t i, int32_t n)
{
    if (i + RFI_LANES <= n) {
        v16_store(out, v16_load(x + i));
        return;
    }
    for (int32_t j = 0; j < RFI_LANES; j++)
        out[j] = -INFINITY;
    v16_store_n(out, v16_load_n(x + i, n - i), n - i);
}

/* Returns -ln softmax(x)[target] and adds scale * (softmax(x) - onehot(target)) to dx. NaN if any x is. */
RFI_INLINE float rfi_cross_entropy_row(const float *x, int32_t n, int32_t target, float scale, float *dx)
{
    float piece[RFI_LANES], top = x[0];
    v16 sums = v16_zero();
    for (int32_t i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int32_t i = 0; i < n; i += RFI_LANES) {
        rfi_piece(piece, x, i, n);
        for (int32_t j = 0; j < RFI_LANES; j++)
            piece[j] = rfi_exp_term(piece[j] - top);
        sums = v16_add(sums, v16_load(piece));
    }
    float sum = v16_sum(sums), share = scale / sum;
    for (int32_t i = 0; i < n; i += RFI_LANES) {
        int32_t here = n - i < RFI_LANES ? n - i : RFI_LANES;
        rfi_piece(piece, x, i, n);
        for (int32_t j = 0; j < RFI_LANES; j++)
            piece[j] = rfi_exp_term(piece[j] - top);
        v16_store_n(dx + i, v16_fma(v16_set(share), v16_load(piece), v16_load_n(dx + i, here)), here);
    }
    dx[target] -= scale;
    return rf_log_f32(sum) - (x[target] - top);
}

/* ------------------------------------------------------------------ sixteen rows side by side */

/* t = e^(t - top of the lane) over n elements; returns the sums, and the tops. */
RFI_INLINE v16 rfi_tile_exponentials(float *t, int32_t n, float top[16])
{
    v16 tops = v16_load(t), sums = v16_zero();
    for (int32_t c = 1; c < n; c++)
        tops = v16_max(v16_load(t + RFI_LANES * c), tops);
    v16_store(top, tops);
    for (int32_t c = 0; c < n; c++) {
        float *x = t + RFI_LANES * c;
        for (int32_t i = 0; i < RFI_LANES; i++)
            x[i] = rfi_exp_term(x[i] - top[i]);
        sums = v16_add(sums, v16_load(x));
    }
    return sums;
}

/* A NaN anywhere in a lane's span makes that whole span NaN. */
RFI_INLINE void rfi_tile_softmax(float *t, int32_t n)
{
    float top[16], scale[16];
    v16_store(scale, rfi_tile_exponentials(t, n, top));
    for (int32_t i = 0; i < RFI_LANES; i++)
        scale[i] = 1.0f / scale[i];
    for (int32_t c = 0; c < n; c++)
        v16_store(t + RFI_LANES * c, v16_mul(v16_load(t + RFI_LANES * c), v16_load(scale)));
}

RFI_INLINE void rfi_tile_tanh(float *t)
{
    for (int32_t i = 0; i < RFI_LANES; i++)
        t[i] = rf_tanh_f32(t[i]);
}

#endif
