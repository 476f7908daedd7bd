/* ptx.cuh - the machine instructions that CUDA C++ has no words for; nothing else contains any.
 *
 * Each function has a second body for the emulation, which does the same with plain arithmetic: the fragments of a matrix instruction
 * are exchanged among the lanes of the warp, and asynchronous copies happen when they are waited for, not before.
 *
 * Fragments are those of mma.sync (PTX ISA, "Warp-level matrix instructions"). With g = lane / 4 and t = lane % 4:
 *
 *     m16n8k8, tf32     a[0] (g, t)  a[1] (g + 8, t)  a[2] (g, t + 4)  a[3] (g + 8, t + 4)     b[0] (t, g)  b[1] (t + 4, g)
 *     m16n8k16, bf16    a[0] (g, 2t)  a[1] (g + 8, 2t)  a[2] (g, 2t + 8)  a[3] (g + 8, 2t + 8)   b[0] (2t, g)  b[1] (2t + 8, g)
 *                       each with its right (a) or lower (b) neighbour in the upper half
 *     c                 c[0] (g, 2t)  c[1] (g, 2t + 1)  c[2] (g + 8, 2t)  c[3] (g + 8, 2t + 1)
 */
#ifndef RF_CUDA_PTX_CUH
#define RF_CUDA_PTX_CUH

#include "kernels/cuda/cuda_private.h"

/* ------------------------------------------------------------------ rounding */

/* To 10 bits of mantissa, halves away from zero. The rest of the bits is 0. */
__device__ inline uint32_t rfi_tf32(float x)
{
#if defined(RF_CUDA_EMULATED)
    const uint32_t bits = rf_bits_of_f32(x);
    return (bits & 0x7F800000u) == 0x7F800000u ? bits : (bits + 0x1000u) & ~0x1FFFu;
#else
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits & ~0x1FFFu;
#endif
}

/* Two floats to bf16, halves to even; `low` in the lower half. */
__device__ inline uint32_t rfi_bf16_pair(float low, float high)
{
#if defined(RF_CUDA_EMULATED)
    uint32_t half[2];
    const float x[2] = {low, high};
    for (int i = 0; i < 2; i++) {
        const uint32_t bits = rf_bits_of_f32(x[i]);
        half[i] = x[i] != x[i] ? 0x7FFF : (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    }
    return half[0] | half[1] << 16;
#else
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

/* ------------------------------------------------------------------ products: c += a b, by a whole warp */

#if defined(RF_CUDA_EMULATED)

/* What a lane brings, and where its part of the result goes. */
struct rfi_emulated_lane {
    float *c;
    const uint32_t *a, *b;
};

/* Element (row, k) of a and (k, col) of b as floats; PAIRS: a register holds two of bf16. */
template <bool PAIRS>
static float rfi_emulated_a(const rfi_emulated_lane *lanes[32], unsigned row, unsigned k)
{
    const unsigned step = PAIRS ? k / 2 : k;
    const uint32_t x = lanes[row % 8 * 4 + step % 4]->a[row / 8 + step / 4 * 2];
    return rf_f32_of_bits(!PAIRS ? x : k % 2 ? x & 0xFFFF0000u : x << 16);
}

template <bool PAIRS>
static float rfi_emulated_b(const rfi_emulated_lane *lanes[32], unsigned k, unsigned col)
{
    const unsigned step = PAIRS ? k / 2 : k;
    const uint32_t x = lanes[col * 4 + step % 4]->b[step / 4];
    return rf_f32_of_bits(!PAIRS ? x : k % 2 ? x & 0xFFFF0000u : x << 16);
}

/* k ascending in every element, by the lane that came last, for all of them. */
template <bool PAIRS> static void rfi_emulated_product(void *const all[32])
{
    const unsigned depth = PAIRS ? 16 : 8;
    const rfi_emulated_lane *lanes[32];
    float b[16][8], sum[8];
    for (unsigned i = 0; i < 32; i++)
        lanes[i] = static_cast<const rfi_emulated_lane *>(all[i]);
    for (unsigned k = 0; k < depth; k++)
        for (unsigned col = 0; col < 8; col++)
            b[k][col] = rfi_emulated_b<PAIRS>(lanes, k, col);
    for (unsigned row = 0; row < 16; row++) {
        for (unsigned col = 0; col < 8; col++)
            sum[col] = lanes[row % 8 * 4 + col / 2]->c[row / 8 * 2 + col % 2];
        for (unsigned k = 0; k < depth; k++) {
            const float x = rfi_emulated_a<PAIRS>(lanes, row, k);
            for (unsigned col = 0; col < 8; col++)
                sum[col] = fmaf(x, b[k][col], sum[col]);
        }
        for (unsigned col = 0; col < 8; col++)
            lanes[row % 8 * 4 + col / 2]->c[row / 8 * 2 + col % 2] = sum[col];
    }
}

template <bool PAIRS> static void rfi_emulated_mma(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    rfi_emulated_lane mine = {c, a, b};
    emu_warp_once(&mine, rfi_emulated_product<PAIRS>);
}

#endif

__device__ inline void rfi_mma_tf32(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(RF_CUDA_EMULATED)
    rfi_emulated_mma<false>(c, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

__device__ inline void rfi_mma_bf16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(RF_CUDA_EMULATED)
    rfi_emulated_mma<true>(c, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/* ------------------------------------------------------------------ copies that run beside the arithmetic */

/* BYTES (4 or 16, and both ends so aligned) to shared memory, of which the first `given` come from memory and the rest are zeros. */
template <int BYTES> __device__ inline void rfi_copy_async(void *shared, const void *global, int given)
{
    static_assert(BYTES == 4 || BYTES == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(RF_CUDA_EMULATED)
    emu_async_copy(shared, global, BYTES, given);
#else
    const unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    if (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(given)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(global), "r"(given)
                     : "memory");
#endif
}

/* What was asked for since the last call is one group. */
__device__ inline void rfi_copy_commit()
{
#if defined(RF_CUDA_EMULATED)
    emu_async_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Waits until at most PENDING of this thread's groups are still under way. */
template <int PENDING> __device__ inline void rfi_copy_wait()
{
#if defined(RF_CUDA_EMULATED)
    emu_async_wait(PENDING);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

#endif
