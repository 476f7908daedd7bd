/* cuda_reduce.cuh - sums among the threads of a warp, a block and a grid, always in one order.
 *
 * Floats are never added atomically. Where a number is summed over blocks, every block writes its part, and the block that
 * arrives last (an integer counter tells) adds them all up in their order.
 */
#ifndef RF_CUDA_REDUCE_CUH
#define RF_CUDA_REDUCE_CUH

#include "kernels/cuda/cuda_private.h"

enum { RFI_WARP = 32 };
#define RFI_ALL 0xFFFFFFFFu

/* The same value in every lane. */
template <typename T> __device__ T rfi_warp_sum(T value)
{
    for (int flip = RFI_WARP / 2; flip > 0; flip /= 2)
        value += __shfl_xor_sync(RFI_ALL, value, flip);
    return value;
}

__device__ inline float rfi_warp_max(float value)
{
    for (int flip = RFI_WARP / 2; flip > 0; flip /= 2) {
        const float other = __shfl_xor_sync(RFI_ALL, value, flip);
        value = other > value ? other : value;
    }
    return value;
}

/* The same value in every thread of a block of whole warps. `parts` is shared memory for one value a warp. */
template <typename T> __device__ T rfi_block_sum(T value, T *parts)
{
    const unsigned warp = threadIdx.x / RFI_WARP, n_warps = blockDim.x / RFI_WARP;
    value = rfi_warp_sum(value);
    __syncthreads();
    if (threadIdx.x % RFI_WARP == 0)
        parts[warp] = value;
    __syncthreads();
    value = parts[0];
    for (unsigned i = 1; i < n_warps; i++)
        value += parts[i];
    return value;
}

/* True in every thread of the block that comes here last of n_blocks; what the others wrote before can then be read. The
 * counter is 0 again afterwards. */
__device__ inline bool rfi_is_last_block(unsigned *counter, unsigned n_blocks)
{
    RF_SHARED(unsigned, came, 1);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        came[0] = atomicAdd(counter, 1u);
        if (came[0] == n_blocks - 1)
            *counter = 0;
    }
    __syncthreads();
    const bool last = came[0] == n_blocks - 1;
    __threadfence();
    return last;
}

/* Sum of values[0..n-1] by a whole block, read past the first-level cache; the same in every thread. */
__device__ inline double rfi_block_total(const float *values, int32_t n, double *parts)
{
    double sum = 0.0;
    for (int32_t i = (int32_t)threadIdx.x; i < n; i += (int32_t)blockDim.x)
        sum += (double)__ldcg(values + i);
    return rfi_block_sum(sum, parts);
}

/* e^d for d <= 0 as a softmax needs it: terms below 2^-64 of the largest are 0, as ops.h says. */
__device__ inline float rfi_exp_term(float d)
{
    const float y = rf_exp_f32(d);
    return d < -44.36f ? 0.0f : y;
}

#endif
