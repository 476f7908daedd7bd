/* emu_cuda.h - CUDA's kernel language and the part of its runtime that rowforge uses, for machines without a GPU.
 *
 * A kernel's source is compiled as C++ against this header instead of cuda_runtime.h. A launch then really runs: every
 * thread of a block is a fiber with its own stack, blocks run one after the other, and whatever makes threads
 * wait for each other (__syncthreads, __syncwarp, shuffles, votes, matrix instructions, a cooperative grid's barrier) switches
 * fibers. So indexing, guards, reductions and barriers are executed as written, under whatever sanitizer the build
 * has.
 *
 *     shared memory        a piece of the heap for each RF_SHARED of each block, full of NaNs: sanitizers see its ends
 *     order of threads     forward, backward or shuffled (rf_emu_order): a missing barrier gives another result
 *     a barrier that not all threads reach, lanes that disagree on a mask
 *                          the program stops and says so
 *     streams              work waits in a queue until somebody waits for it, as it may on a GPU
 *     capture and replay   the queue goes to a graph instead
 *     errors               any call can be made to fail (emu_control.h)
 *
 * One host thread at a time.
 */
#ifndef RF_EMU_CUDA_H
#define RF_EMU_CUDA_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

/* ------------------------------------------------------------------ words of the language */

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

/* What a thread knows of itself. */
struct emu_place {
    dim3 thread, block, block_size, grid_size;
    unsigned lane, warp;
};
extern emu_place emu_here;
#define threadIdx (emu_here.thread)
#define blockIdx  (emu_here.block)
#define blockDim  (emu_here.block_size)
#define gridDim   (emu_here.grid_size)

/* ------------------------------------------------------------------ threads that meet */

void emu_sync_block();
void emu_sync_warp(unsigned mask);
void emu_sync_grid();
void *emu_shared(int site, size_t size_bytes, size_t alignment);
void *emu_shared_dynamic();
/* Lane's place for an exchange among the lanes of its warp, valid until the exchange after the next. */
void *emu_exchange_mine(size_t size_bytes);
const void *emu_exchange_of(unsigned lane);

/* All 32 lanes come; the last one does the work with what each of them brought. */
void emu_warp_once(void *mine, void (*work)(void *const all[32]));
/* Copies that a thread started: they happen when it waits for them. */
void emu_async_copy(void *to, const void *from, int size_bytes, int given_bytes);
void emu_async_commit();
void emu_async_wait(int pending_groups);

#define RF_SHARED(type, name, count)                                                                         \
    type *name = static_cast<type *>(emu_shared(__COUNTER__, sizeof(type) * (size_t)(count), alignof(type)))
#define RF_SHARED_DYNAMIC(type, name) type *name = static_cast<type *>(emu_shared_dynamic())

static inline void __syncthreads()
{
    emu_sync_block();
}

static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu)
{
    emu_sync_warp(mask);
}

static inline void rf_grid_sync()
{
    emu_sync_grid();
}

template <typename T> T emu_exchange(unsigned mask, T value, unsigned from)
{
    memcpy(emu_exchange_mine(sizeof value), &value, sizeof value);
    emu_sync_warp(mask);
    memcpy(&value, emu_exchange_of(from), sizeof value);
    return value;
}

template <typename T> T __shfl_sync(unsigned mask, T value, int from, int width = 32)
{
    const unsigned w = (unsigned)width, lane = emu_here.lane;
    return emu_exchange(mask, value, lane / w * w + (unsigned)from % w);
}

template <typename T> T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32)
{
    const unsigned w = (unsigned)width, lane = emu_here.lane, from = lane ^ (unsigned)flip;
    return emu_exchange(mask, value, from / w == lane / w ? from : lane);
}

template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    const unsigned w = (unsigned)width, lane = emu_here.lane;
    return emu_exchange(mask, value, lane % w + by < w ? lane + by : lane);
}

unsigned emu_ballot(unsigned mask, bool predicate);

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    return emu_ballot(mask, predicate != 0);
}

static inline int __any_sync(unsigned mask, int predicate)
{
    return emu_ballot(mask, predicate != 0) != 0;
}

static inline int __all_sync(unsigned mask, int predicate)
{
    return emu_ballot(mask, predicate != 0) == mask;
}

static inline int __syncthreads_or(int predicate)
{
    unsigned *any = static_cast<unsigned *>(emu_shared(-1, sizeof *any, alignof(unsigned)));
    emu_sync_block();
    *any = 0;
    emu_sync_block();
    *any |= predicate != 0;
    emu_sync_block();
    return (int)*any;
}

/* Threads run one at a time: a plain read and write is atomic. */
template <typename T> T atomicAdd(T *at, T by)
{
    const T was = *at;
    *at = was + by;
    return was;
}

static inline void __threadfence()
{
}

/* ------------------------------------------------------------------ small functions */

static inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

static inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

template <typename T> T __ldg(const T *at)
{
    return *at;
}

template <typename T> T __ldcg(const T *at)
{
    return *at;
}

static inline unsigned __float_as_uint(float x)
{
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ------------------------------------------------------------------ the runtime */

/* Names and numbers as in CUDA's documentation. */
typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorECCUncorrectable = 214,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorUnknown = 999,
} cudaError_t;

typedef enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
} cudaMemcpyKind;

typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed
} cudaStreamCaptureMode;

typedef enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 } cudaFuncAttribute;

enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2 };

typedef struct emu_stream *cudaStream_t;
typedef struct emu_event *cudaEvent_t;
typedef struct emu_graph *cudaGraph_t;
typedef struct emu_graph *cudaGraphExec_t;

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlockOptin;
    int major, minor, multiProcessorCount, l2CacheSize;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceReset();
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *available, size_t *total);
cudaError_t cudaMalloc(void **out, size_t size_bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaHostAlloc(void **out, size_t size_bytes, unsigned flags);
cudaError_t cudaFreeHost(void *pointer);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void *nodes, size_t *count);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaGetLastError();
const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);

template <typename F> cudaError_t cudaFuncSetAttribute(F *, cudaFuncAttribute, int)
{
    return cudaSuccess;
}

/* ------------------------------------------------------------------ launches */

/* Work on a stream that is not a kernel's (the stand-ins of the libraries). */
void emu_enqueue(cudaStream_t stream, std::function<void()> work);
void emu_launch(dim3 grid, dim3 block, size_t shared_bytes, bool cooperative, cudaStream_t stream,
                std::function<void()> thread);

/* Copies the arguments as the kernel takes them: what they point to must live until the work is done. */
template <typename... P, typename... A>
void emu_launch_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, bool cooperative,
                       cudaStream_t stream, A &&...args)
{
    std::tuple<std::decay_t<P>...> copies(static_cast<A &&>(args)...);
    emu_launch(grid, block, shared_bytes, cooperative, stream, [=] { std::apply(kernel, copies); });
}

#define RF_CUDA_LAUNCH(kernel, grid, block, shared, stream, ...)                                             \
    emu_launch_kernel(kernel, grid, block, shared, false, stream, __VA_ARGS__)
#define RF_CUDA_LAUNCH_COOPERATIVE(kernel, grid, block, shared, stream, ...)                                 \
    emu_launch_kernel(kernel, grid, block, shared, true, stream, __VA_ARGS__)

#endif
