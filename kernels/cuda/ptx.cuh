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

/* All lanes' fragments, then every lane's own four elements of c, k ascending. */
struct rfi_fragments {
    uint32_t a[4], b[2];
};

__device__ inline void rfi_emulated_mma(float c[4], const uint32_t a[4], const uint32_t b[2], bool pairs)
{
    const rfi_fragments mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    memcpy(emu_exchange_mine(sizeof mine), &mine, sizeof mine);
    emu_sync_warp(0xFFFFFFFFu);
    const unsigned g = emu_here.lane / 4, t = emu_here.lane % 4;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = g + i / 2 * 8, col = 2 * t + i % 2;
        for (unsigned k = 0; k < (pairs ? 16u : 8u); k++) {
            const unsigned step = pairs ? k / 2 : k; /* registers hold a pair, or one */
            rfi_fragments left, right;
            memcpy(&left, emu_exchange_of(row % 8 * 4 + step % 4), sizeof left);
            memcpy(&right, emu_exchange_of(col * 4 + step % 4), sizeof right);
            uint32_t x = left.a[row / 8 + step / 4 * 2], y = right.b[step / 4];
            if (pairs) {
                x = k % 2 ? x & 0xFFFF0000u : x << 16;
                y = k % 2 ? y & 0xFFFF0000u : y << 16;
            }
            c[i] = fmaf(rf_f32_of_bits(x), rf_f32_of_bits(y), c[i]);
        }
    }
}

#endif

__device__ inline void rfi_mma_tf32(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(RF_CUDA_EMULATED)
    rfi_emulated_mma(c, a, b, false);
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
    rfi_emulated_mma(c, a, b, true);
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
