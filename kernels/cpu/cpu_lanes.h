/* cpu_lanes.h - sixteen floats at a time, on every instruction set to the same bit.
 *
 * One AVX-512 register, two of AVX2, or a plain array: an operation rounds each lane once and sums of lanes are taken in
 * one order, so results do not depend on which of the three was compiled. Included only by files that are compiled
 * once for each instruction set (see cpu_isa.h).
 */
#ifndef RF_CPU_LANES_H
#define RF_CPU_LANES_H

#include <math.h>
#include <stdint.h>

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
#include <immintrin.h>
#endif

#define RFI_INLINE static inline __attribute__((always_inline, unused))

enum { RFI_LANES = 16 };

/* Lanes 0..n-1 exist, n in 1..16. v16_load_n gives zeros in the others and touches no memory of theirs. */

#if defined(__AVX512F__)

#define RFI_TILE_VECTORS 4 /* widest tile of a product: 6 x 64, 24 of 32 registers */
typedef __m512 v16;

RFI_INLINE v16 v16_zero(void)
{
    return _mm512_setzero_ps();
}
RFI_INLINE v16 v16_set(float x)
{
    return _mm512_set1_ps(x);
}
RFI_INLINE v16 v16_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
RFI_INLINE void v16_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}
RFI_INLINE v16 v16_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
RFI_INLINE void v16_store_n(float *p, v16 a, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}
RFI_INLINE v16 v16_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
RFI_INLINE v16 v16_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
RFI_INLINE v16 v16_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
/* a b + c, rounded once */
RFI_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* b where a is not larger (so that b wins over a NaN in a) */
RFI_INLINE v16 v16_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
/* lane i: bit i of `bits` ? x : 0 */
RFI_INLINE v16 v16_where(uint32_t bits, v16 x)
{
    return _mm512_maskz_mov_ps((__mmask16)bits, x);
}
/* x where gate > 0, else 0 */
RFI_INLINE v16 v16_where_positive(v16 gate, v16 x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(gate, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
RFI_INLINE void v16_to_array(float out[16], v16 a)
{
    _mm512_storeu_ps(out, a);
}

#elif defined(__AVX2__) && defined(__FMA__)

#define RFI_TILE_VECTORS 1 /* 6 x 16, 12 of 16 registers */
typedef struct v16 {
    __m256 a, b;
} v16;

RFI_INLINE __m256i rfi_lanes_mask(int n) /* n <= 0: none, n >= 8: all */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
RFI_INLINE v16 v16_zero(void)
{
    return (v16){_mm256_setzero_ps(), _mm256_setzero_ps()};
}
RFI_INLINE v16 v16_set(float x)
{
    return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
RFI_INLINE v16 v16_load(const float *p)
{
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
RFI_INLINE void v16_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
RFI_INLINE v16 v16_load_n(const float *p, int n)
{
    return (v16){_mm256_maskload_ps(p, rfi_lanes_mask(n)), _mm256_maskload_ps(p + 8, rfi_lanes_mask(n - 8))};
}
RFI_INLINE void v16_store_n(float *p, v16 x, int n)
{
    _mm256_maskstore_ps(p, rfi_lanes_mask(n), x.a);
    _mm256_maskstore_ps(p + 8, rfi_lanes_mask(n - 8), x.b);
}
RFI_INLINE v16 v16_add(v16 x, v16 y)
{
    return (v16){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
RFI_INLINE v16 v16_sub(v16 x, v16 y)
{
    return (v16){_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
RFI_INLINE v16 v16_mul(v16 x, v16 y)
{
    return (v16){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
RFI_INLINE v16 v16_fma(v16 x, v16 y, v16 z)
{
    return (v16){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
RFI_INLINE v16 v16_max(v16 x, v16 y)
{
    return (v16){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
RFI_INLINE v16 v16_where(uint32_t bits, v16 x)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i low = _mm256_and_si256(_mm256_set1_epi32((int)bits), bit);
    __m256i high = _mm256_and_si256(_mm256_set1_epi32((int)(bits >> 8)), bit);
    return (v16){_mm256_and_ps(x.a, _mm256_castsi256_ps(_mm256_cmpeq_epi32(low, bit))),
                 _mm256_and_ps(x.b, _mm256_castsi256_ps(_mm256_cmpeq_epi32(high, bit)))};
}
RFI_INLINE v16 v16_where_positive(v16 gate, v16 x)
{
    __m256 zero = _mm256_setzero_ps();
    return (v16){_mm256_and_ps(x.a, _mm256_cmp_ps(gate.a, zero, _CMP_GT_OQ)),
                 _mm256_and_ps(x.b, _mm256_cmp_ps(gate.b, zero, _CMP_GT_OQ))};
}
RFI_INLINE void v16_to_array(float out[16], v16 x)
{
    v16_store(out, x);
}

#else

#define RFI_TILE_VECTORS 1
typedef struct v16 {
    float lane[16];
} v16;

#define RFI_EACH_LANE(expression)                                                                            \
    v16 out;                                                                                                 \
    for (int i = 0; i < RFI_LANES; i++)                                                                      \
        out.lane[i] = (expression);                                                                          \
    return out

RFI_INLINE v16 v16_set(float x)
{
    RFI_EACH_LANE(x);
}
RFI_INLINE v16 v16_zero(void)
{
    return v16_set(0.0f);
}
RFI_INLINE v16 v16_load(const float *p)
{
    RFI_EACH_LANE(p[i]);
}
RFI_INLINE void v16_store(float *p, v16 a)
{
    for (int i = 0; i < RFI_LANES; i++)
        p[i] = a.lane[i];
}
RFI_INLINE v16 v16_load_n(const float *p, int n)
{
    RFI_EACH_LANE(i < n ? p[i] : 0.0f);
}
RFI_INLINE void v16_store_n(float *p, v16 a, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = a.lane[i];
}
RFI_INLINE v16 v16_add(v16 a, v16 b)
{
    RFI_EACH_LANE(a.lane[i] + b.lane[i]);
}
RFI_INLINE v16 v16_sub(v16 a, v16 b)
{
    RFI_EACH_LANE(a.lane[i] - b.lane[i]);
}
RFI_INLINE v16 v16_mul(v16 a, v16 b)
{
    RFI_EACH_LANE(a.lane[i] * b.lane[i]);
}
RFI_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    RFI_EACH_LANE(fmaf(a.lane[i], b.lane[i], c.lane[i]));
}
RFI_INLINE v16 v16_max(v16 a, v16 b)
{
    RFI_EACH_LANE(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]);
}
RFI_INLINE v16 v16_where(uint32_t bits, v16 x)
{
    RFI_EACH_LANE(bits >> i & 1 ? x.lane[i] : 0.0f);
}
RFI_INLINE v16 v16_where_positive(v16 gate, v16 x)
{
    RFI_EACH_LANE(gate.lane[i] > 0.0f ? x.lane[i] : 0.0f);
}
RFI_INLINE void v16_to_array(float out[16], v16 a)
{
    v16_store(out, a);
}

#endif

/* The one order of a sum over lanes: halves onto halves, 8, 4, 2, 1. */
RFI_INLINE float v16_sum(v16 a)
{
    float x[16];
    v16_to_array(x, a);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] += x[i + half];
    return x[0];
}

#endif
