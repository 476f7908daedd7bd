/* cuda_api.h - CUDA's language and runtime, or their emulation on the CPU.
 *
 * Kernels are launched by RF_CUDA_LAUNCH only and declare shared memory by RF_SHARED only, so that the same source runs on a GPU
 * and, compiled as C++ against the emulation of tests/cuda, without one.
 */
#ifndef RF_CUDA_API_H
#define RF_CUDA_API_H

#if defined(RF_CUDA_EMULATED)

#include "emu_cuda.h"

#else

#include <cuda_runtime.h>

#define RF_CUDA_LAUNCH(kernel, grid, block, shared, stream, ...)                                             \
    (kernel)<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#define RF_SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define RF_SHARED_DYNAMIC(type, name)                                                                        \
    extern __shared__ __align__(16) unsigned char rf_dynamic_shared[];                                       \
    type *name = reinterpret_cast<type *>(rf_dynamic_shared)

#endif
#endif
