/* cpu_draw.c - see cpu_draw.h; and the operations that only draw. */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/cpu/cpu_lanes.h"
#include "kernels/math/math32.h"

enum {
    BLOCKS = 16,       /* Philox blocks side by side         */
    DRAW_CHUNK = 2048, /* elements of a task; a multiple of 4 */
};

/* ------------------------------------------------------------------ words */

/* Blocks block .. block+15, the rounds of rf_philox_raw with a lane for each block. Lane 4 i + j of a register holds block
 * 4 j + i, so that turning the 4 x 4 blocks inside its quarters puts the words in order. */
#if defined(__AVX512F__)

/* Both halves of 32 x 32 bits in every lane: the odd lanes are multiplied beside the even ones, and masked shuffles put the
 * halves together. */
RFI_INLINE void multiply_512(__m512i a, __m512i by, __m512i *high, __m512i *low)
{
    __m512i even = _mm512_mul_epu32(a, by),
            odd = _mm512_mul_epu32(_mm512_shuffle_epi32(a, (_MM_PERM_ENUM)0xF5), by);
    *high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xF5);
    *low = _mm512_mask_shuffle_epi32(even, 0xAAAA, odd, (_MM_PERM_ENUM)0xA0);
}

/* `groups` times sixteen blocks side by side, since one chain of multiplications would wait for itself. */
RFI_INLINE void words_512(uint32_t *out, const rf_draw *draw, uint32_t block, const int groups)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i by0 = _mm512_set1_epi64(0xD2511F53), by1 = _mm512_set1_epi64(0xCD9E8D57);
    __m512i c0[2], c1[2], c2[2], c3[2];
    uint32_t k0 = (uint32_t)draw->seed, k1 = (uint32_t)(draw->seed >> 32);
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++) {
        c0[g] = _mm512_set1_epi32((int)draw->step);
        c1[g] = _mm512_set1_epi32((int)draw->purpose);
        c2[g] = _mm512_add_epi32(_mm512_set1_epi32((int)block + BLOCKS * g), order);
        c3[g] = _mm512_set1_epi32((int)draw->trial);
    }
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const __m512i key0 = _mm512_set1_epi32((int)k0), key1 = _mm512_set1_epi32((int)k1);
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++) {
            __m512i high0, low0, high1, low1;
            multiply_512(c0[g], by0, &high0, &low0);
            multiply_512(c2[g], by1, &high1, &low1);
            c0[g] = _mm512_ternarylogic_epi32(high1, c1[g], key0, 0x96); /* the three xored */
            c2[g] = _mm512_ternarylogic_epi32(high0, c3[g], key1, 0x96);
            c1[g] = low1;
            c3[g] = low0;
        }
    }
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++, out += 4 * BLOCKS) {
        __m512i a = _mm512_unpacklo_epi32(c0[g], c1[g]), b = _mm512_unpackhi_epi32(c0[g], c1[g]);
        __m512i c = _mm512_unpacklo_epi32(c2[g], c3[g]), d = _mm512_unpackhi_epi32(c2[g], c3[g]);
        _mm512_storeu_si512(out, _mm512_unpacklo_epi64(a, c));
        _mm512_storeu_si512(out + 16, _mm512_unpackhi_epi64(a, c));
        _mm512_storeu_si512(out + 32, _mm512_unpacklo_epi64(b, d));
        _mm512_storeu_si512(out + 48, _mm512_unpackhi_epi64(b, d));
    }
}

static void words_16(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    words_512(out, draw, block, 1);
}

static void words_32(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    words_512(out, draw, block, 2);
}

#elif defined(__AVX2__)

RFI_INLINE void multiply_256(__m256i a, uint32_t by, __m256i *high, __m256i *low)
{
    __m256i m = _mm256_set1_epi64x(by);
    __m256i even = _mm256_mul_epu32(a, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), m);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

static void words_8(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m256i c0 = _mm256_set1_epi32((int)draw->step), c1 = _mm256_set1_epi32((int)draw->purpose);
    __m256i c2 = _mm256_add_epi32(_mm256_set1_epi32((int)block), order),
            c3 = _mm256_set1_epi32((int)draw->trial);
    uint32_t k0 = (uint32_t)draw->seed, k1 = (uint32_t)(draw->seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m256i high0, low0, high1, low1;
        multiply_256(c0, 0xD2511F53u, &high0, &low0);
        multiply_256(c2, 0xCD9E8D57u, &high1, &low1);
        c0 = _mm256_xor_si256(_mm256_xor_si256(high1, c1), _mm256_set1_epi32((int)k0));
        c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3), _mm256_set1_epi32((int)k1));
        c1 = low1;
        c3 = low0;
    }
    __m256i a = _mm256_unpacklo_epi32(c0, c1), b = _mm256_unpackhi_epi32(c0, c1);
    __m256i c = _mm256_unpacklo_epi32(c2, c3), d = _mm256_unpackhi_epi32(c2, c3);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_unpacklo_epi64(a, c));
    _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_unpackhi_epi64(a, c));
    _mm256_storeu_si256((__m256i *)(void *)(out + 16), _mm256_unpacklo_epi64(b, d));
    _mm256_storeu_si256((__m256i *)(void *)(out + 24), _mm256_unpackhi_epi64(b, d));
}

static void words_16(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    words_8(out, draw, block);
    words_8(out + 32, draw, block + 8);
}

#else

static void words_16(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        rf_philox_block words = rf_philox(*draw, block + i);
        memcpy(out + 4 * i, words.word, sizeof words.word);
    }
}

#endif

#if !defined(__AVX512F__)
static void words_32(uint32_t *out, const rf_draw *draw, uint32_t block)
{
    words_16(out, draw, block);
    words_16(out + 4 * BLOCKS, draw, block + BLOCKS);
}
#endif

void RFI_FN(rfi_words)(uint32_t *out, rf_draw draw, uint32_t block, int32_t n_blocks)
{
    int32_t i = 0;
    for (; i + 2 * BLOCKS <= n_blocks; i += 2 * BLOCKS)
        words_32(out + 4 * i, &draw, block + (uint32_t)i);
    for (; i + BLOCKS <= n_blocks; i += BLOCKS)
        words_16(out + 4 * i, &draw, block + (uint32_t)i);
    if (i < n_blocks) {
        uint32_t rest[4 * BLOCKS];
        words_16(rest, &draw, block + (uint32_t)i);
        memcpy(out + 4 * i, rest, (size_t)(n_blocks - i) * 4 * sizeof *out);
    }
}

void RFI_FN(rfi_words_at)(uint32_t *buffer, int32_t *skip, rf_draw draw, uint32_t element, int32_t n)
{
    *skip = (int32_t)(element & 3);
    RFI_FN(rfi_words)(buffer, draw, element / 4, (int32_t)rfi_divide_up(*skip + n, 4));
}

/* ------------------------------------------------------------------ normals */

/* Pairs are made sixteen at a time, past the end if need be: a loop with a remainder would make that one by one. */
RFI_INLINE void normals_32(float *restrict out, const uint32_t *restrict w)
{
    for (int32_t j = 0; j < 16; j++)
        rf_normal_pair(w[2 * j], w[2 * j + 1], &out[2 * j], &out[2 * j + 1]);
}

void RFI_FN(rfi_normals)(float *restrict out, rf_draw draw, uint32_t first, int32_t n)
{
    enum { PIECE = 512 };
    uint32_t words[PIECE + 40];
    for (int32_t done = 0; done < n; done += PIECE) {
        int32_t here = rfi_min32(PIECE, n - done), skip, i = 0;
        RFI_FN(rfi_words_at)(words, &skip, draw, first + (uint32_t)done, here + (here & 1));
        for (; i + 32 <= here; i += 32)
            normals_32(out + done + i, words + skip + i);
        if (i < here) {
            float rest[32];
            for (int32_t j = here + (here & 1); j < i + 32; j++)
                words[skip + j] = 0;
            normals_32(rest, words + skip + i);
            memcpy(out + done + i, rest, (size_t)(here - i) * sizeof *out);
        }
    }
}

RFI_INLINE void gumbels_16(float *restrict out, const uint32_t *restrict w)
{
    for (int32_t j = 0; j < 16; j++)
        out[j] = rf_gumbel_f32(w[j]);
}

void RFI_FN(rfi_gumbels)(float *restrict out, rf_draw draw, uint32_t first, int32_t n)
{
    enum { PIECE = 512 };
    uint32_t words[PIECE + 20];
    for (int32_t done = 0; done < n; done += PIECE) {
        int32_t here = rfi_min32(PIECE, n - done), skip, i = 0;
        RFI_FN(rfi_words_at)(words, &skip, draw, first + (uint32_t)done, here);
        for (; i + 16 <= here; i += 16)
            gumbels_16(out + done + i, words + skip + i);
        if (i < here) {
            float rest[16];
            for (int32_t j = here; j < i + 16; j++)
                words[skip + j] = 0;
            gumbels_16(rest, words + skip + i);
            memcpy(out + done + i, rest, (size_t)(here - i) * sizeof *out);
        }
    }
}

static void normal_task(void *arg, int64_t task)
{
    const rf_draw_normal *op = arg;
    const rf_draw draw = rfi_draw_of(&op->noise);
    int64_t n = (int64_t)op->out.rows * op->out.cols, first = task * DRAW_CHUNK;
    int32_t here = (int32_t)(n - first < DRAW_CHUNK ? n - first : DRAW_CHUNK);
    if (op->out.ld == op->out.cols) {
        RFI_FN(rfi_normals)(op->out.data + first, draw, (uint32_t)first, here);
        return;
    }
    float values[DRAW_CHUNK];
    RFI_FN(rfi_normals)(values, draw, (uint32_t)first, here);
    for (int32_t i = 0; i < here;) { /* a row, or what the chunk holds of it */
        int64_t row = (first + i) / op->out.cols, col = (first + i) % op->out.cols;
        int32_t run = rfi_min32(here - i, (int32_t)(op->out.cols - col));
        memcpy(op->out.data + row * op->out.ld + col, values + i, (size_t)run * sizeof *values);
        i += run;
    }
}

void RFI_FN(rfi_draw_normal)(rf_device *device, const rf_draw_normal *op)
{
    rfi_run(device, normal_task, (void *)op, rfi_divide_up((int64_t)op->out.rows * op->out.cols, DRAW_CHUNK));
}

/* ------------------------------------------------------------------ uniforms */

static void uniform_task(void *arg, int64_t task)
{
    const rf_draw_uniform *op = arg;
    int64_t first = task * DRAW_CHUNK;
    int32_t here = (int32_t)(op->n - first < DRAW_CHUNK ? op->n - first : DRAW_CHUNK);
    uint32_t words[DRAW_CHUNK + 4];
    RFI_FN(rfi_words)(words, rfi_draw_of(&op->noise), (uint32_t)(first / 4), (here + 3) / 4);
    float *restrict out = op->out + first;
    float span = op->hi - op->lo, lo = op->lo;
    for (int32_t i = 0; i < here; i++)
        out[i] = fmaf(span, rf_uniform_open(words[i]), lo);
}

void RFI_FN(rfi_draw_uniform)(rf_device *device, const rf_draw_uniform *op)
{
    rfi_run(device, uniform_task, (void *)op, rfi_divide_up(op->n, DRAW_CHUNK));
}
