/* cpu_transpose.h - rows into lanes and back. Values are only moved, so every path gives the same bits. */
#ifndef RF_CPU_TRANSPOSE_H
#define RF_CPU_TRANSPOSE_H

#include "kernels/cpu/cpu_lanes.h"

RFI_INLINE void rfi_transpose_plain(float *to, int64_t to_ld, const float *from, int64_t from_ld,
                                    int32_t rows, int32_t cols)
{
    for (int32_t c = 0; c < cols; c++)
        for (int32_t r = 0; r < rows; r++)
            to[c * to_ld + r] = from[r * from_ld + c];
}

#if defined(__AVX512F__)

/* Four columns of sixteen rows: a register takes rows i, i + 4, i + 8 and i + 12 as it loads, so that only the 4 x 4 blocks
 * inside its quarters are left to turn. */
RFI_INLINE void rfi_transpose_4(float *to, int64_t to_ld, const float *from, int64_t ld)
{
    __m512 row[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const float *p = from + i * ld;
        row[i] = _mm512_castps128_ps512(_mm_loadu_ps(p));
        row[i] = _mm512_insertf32x4(row[i], _mm_loadu_ps(p + 4 * ld), 1);
        row[i] = _mm512_insertf32x4(row[i], _mm_loadu_ps(p + 8 * ld), 2);
        row[i] = _mm512_insertf32x4(row[i], _mm_loadu_ps(p + 12 * ld), 3);
    }
    __m512 a = _mm512_unpacklo_ps(row[0], row[1]), b = _mm512_unpackhi_ps(row[0], row[1]);
    __m512 c = _mm512_unpacklo_ps(row[2], row[3]), d = _mm512_unpackhi_ps(row[2], row[3]);
    _mm512_storeu_ps(to, _mm512_shuffle_ps(a, c, 0x44));
    _mm512_storeu_ps(to + to_ld, _mm512_shuffle_ps(a, c, 0xEE));
    _mm512_storeu_ps(to + 2 * to_ld, _mm512_shuffle_ps(b, d, 0x44));
    _mm512_storeu_ps(to + 3 * to_ld, _mm512_shuffle_ps(b, d, 0xEE));
}

/* to(c, r) = from(r, c). A last block that is not whole is moved back over the one before it. */
RFI_INLINE void rfi_transpose(float *to, int64_t to_ld, const float *from, int64_t from_ld, int32_t rows,
                              int32_t cols)
{
    if (rows < 16 || cols < 4) {
        rfi_transpose_plain(to, to_ld, from, from_ld, rows, cols);
        return;
    }
    for (int32_t done = 0; done < rows; done += 16) {
        int32_t r = done + 16 <= rows ? done : rows - 16;
        for (int32_t turned = 0; turned < cols; turned += 4) {
            int32_t c = turned + 4 <= cols ? turned : cols - 4;
            rfi_transpose_4(to + c * to_ld + r, to_ld, from + r * from_ld + c, from_ld);
        }
    }
}

#elif defined(__AVX2__)

/* Four columns of eight rows, as above. */
RFI_INLINE void rfi_transpose_4(float *to, int64_t to_ld, const float *from, int64_t ld)
{
    __m256 row[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        row[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * ld)),
                                      _mm_loadu_ps(from + (i + 4) * ld), 1);
    __m256 a = _mm256_unpacklo_ps(row[0], row[1]), b = _mm256_unpackhi_ps(row[0], row[1]);
    __m256 c = _mm256_unpacklo_ps(row[2], row[3]), d = _mm256_unpackhi_ps(row[2], row[3]);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(to + to_ld, _mm256_shuffle_ps(a, c, 0xEE));
    _mm256_storeu_ps(to + 2 * to_ld, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(to + 3 * to_ld, _mm256_shuffle_ps(b, d, 0xEE));
}

RFI_INLINE void rfi_transpose(float *to, int64_t to_ld, const float *from, int64_t from_ld, int32_t rows,
                              int32_t cols)
{
    if (rows < 8 || cols < 4) {
        rfi_transpose_plain(to, to_ld, from, from_ld, rows, cols);
        return;
    }
    for (int32_t done = 0; done < rows; done += 8) {
        int32_t r = done + 8 <= rows ? done : rows - 8;
        for (int32_t turned = 0; turned < cols; turned += 4) {
            int32_t c = turned + 4 <= cols ? turned : cols - 4;
            rfi_transpose_4(to + c * to_ld + r, to_ld, from + r * from_ld + c, from_ld);
        }
    }
}

#else

RFI_INLINE void rfi_transpose(float *to, int64_t to_ld, const float *from, int64_t from_ld, int32_t rows,
                              int32_t cols)
{
    rfi_transpose_plain(to, to_ld, from, from_ld, rows, cols);
}

#endif

#endif
