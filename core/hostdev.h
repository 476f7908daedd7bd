/* hostdev.h - one formula for the host and the device.
 *
 * Scalar mathematics that both sides must compute to the same bit is written once as RF_HD functions in
 * headers; nvcc compiles them for the GPU, the C compiler for the CPU.
 */
#ifndef RF_CORE_HOSTDEV_H
#define RF_CORE_HOSTDEV_H

#if defined(__CUDACC__)
#define RF_HD static __host__ __device__ __forceinline__
#else
#define RF_HD static inline __attribute__((always_inline, unused))
#endif

#endif
