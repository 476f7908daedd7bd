/* bench_gpu_limits.cu - what a GPU's parts cost apart from arithmetic, on which the choice between kernels of a step depends.
 *
 *     bench_gpu_limits [0]
 *
 *     a barrier among all blocks of a cooperative grid, by the library's call and by one counter in memory
 *     a barrier within a cluster of 8 and of 16 blocks, and how many such clusters the chip holds at once
 *     a kernel launched as it comes, and a node of a recorded graph of 65 steps of 18 dependent kernels: empty, and of a whole grid
 *     a dependent read from the second-level cache, and from another block's shared memory
 *
 * Barriers are checked while they run: after each, a block must find its neighbour's mark. Times are medians of several runs by the
 * GPU's own clock, in microseconds. One JSON document; what this GPU cannot do is null.
 */
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace cg = cooperative_groups;

constexpr int BARRIERS = 2000, RUNS = 7, STEPS = 65, KERNELS = 18, THREADS = 256, CHASE = 4096, HOPS = 20000;

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        const cudaError_t error_ = (call);                                                                   \
        if (error_ != cudaSuccess) {                                                                         \
            fprintf(stderr, "bench_gpu_limits: %s in %s\n", cudaGetErrorString(error_), #call);              \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* ------------------------------------------------------------------ kernels */

/* A neighbour's mark of this round must be there after the barrier. */
__device__ static void check(volatile unsigned *marks, unsigned n, unsigned me, unsigned round,
                             unsigned *wrong)
{
    if (threadIdx.x == 0 && marks[(me + 1) % n] < round)
        atomicAdd(wrong, 1u);
}

__global__ void grid_barrier_kernel(unsigned *marks, unsigned *wrong)
{
    cg::grid_group grid = cg::this_grid();
    for (unsigned round = 1; round <= (unsigned)BARRIERS; round++) {
        if (threadIdx.x == 0)
            marks[blockIdx.x] = round;
        grid.sync();
        check(marks, gridDim.x, blockIdx.x, round, wrong);
    }
}

/* The last to arrive lets all go: one atomic addition a block, and a word that everybody reads. */
__global__ void counter_barrier_kernel(unsigned *marks, unsigned *wrong, unsigned *counter)
{
    for (unsigned round = 1; round <= (unsigned)BARRIERS; round++) {
        if (threadIdx.x == 0) {
            marks[blockIdx.x] = round;
            __threadfence();
            atomicAdd(counter, 1u);
            while (*(volatile unsigned *)counter < round * gridDim.x)
                ;
            __threadfence();
        }
        __syncthreads();
        check(marks, gridDim.x, blockIdx.x, round, wrong);
    }
}

__global__ void cluster_barrier_kernel(unsigned *marks, unsigned *wrong)
{
#if __CUDA_ARCH__ >= 900
    cg::cluster_group cluster = cg::this_cluster();
    const unsigned n = cluster.num_blocks(), me = cluster.block_rank(), first = blockIdx.x - me;
    for (unsigned round = 1; round <= (unsigned)BARRIERS; round++) {
        if (threadIdx.x == 0)
            marks[blockIdx.x] = round;
        cluster.sync();
        check(marks + first, n, me, round, wrong);
    }
#endif
}

__global__ void empty_kernel(unsigned *)
{
}

/* Every block reads what the kernel before it wrote. */
__global__ void grid_kernel(unsigned *words)
{
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    words[i] += 1;
}

__global__ void chase_kernel(const unsigned *next, unsigned *out)
{
    unsigned at = 0;
    for (int i = 0; i < HOPS; i++)
        at = __ldcg(next + at);
    *out = at;
}

__global__ void shared_chase_kernel(unsigned *out)
{
#if __CUDA_ARCH__ >= 900
    __shared__ unsigned next[256];
    cg::cluster_group cluster = cg::this_cluster();
    next[threadIdx.x] = (threadIdx.x * 7 + 1) % 256;
    cluster.sync();
    if (cluster.block_rank() == 0 && threadIdx.x == 0) {
        const volatile unsigned *other = cluster.map_shared_rank(next, cluster.num_blocks() - 1);
        unsigned at = 0;
        for (int i = 0; i < HOPS; i++)
            at = other[at];
        *out = at;
    }
    cluster.sync();
#endif
}

/* ------------------------------------------------------------------ timing */

static cudaStream_t stream;
static unsigned *words, *wrong;

template <class Run> static double median_us(Run run)
{
    double times[RUNS];
    cudaEvent_t from, to;
    TRY(cudaEventCreate(&from));
    TRY(cudaEventCreate(&to));
    for (int i = -1; i < RUNS; i++) {
        float ms = 0;
        TRY(cudaEventRecord(from, stream));
        run();
        TRY(cudaEventRecord(to, stream));
        TRY(cudaEventSynchronize(to));
        TRY(cudaEventElapsedTime(&ms, from, to));
        if (i >= 0)
            times[i] = (double)ms * 1e3;
    }
    TRY(cudaEventDestroy(from));
    TRY(cudaEventDestroy(to));
    std::sort(times, times + RUNS);
    return times[RUNS / 2];
}

static void check_marks()
{
    unsigned count = 0;
    TRY(cudaMemcpy(&count, wrong, sizeof count, cudaMemcpyDeviceToHost));
    if (count > 0) {
        fprintf(stderr, "bench_gpu_limits: %u blocks passed a barrier too early\n", count);
        exit(1);
    }
}

static void put(const char *name, double value, bool known)
{
    if (known)
        printf(",\n  \"%s\": %.4g", name, value);
    else
        printf(",\n  \"%s\": null", name);
}

/* ------------------------------------------------------------------ barriers */

static void time_grid_barriers(int blocks)
{
    unsigned *counter = words + 65536;
    void *grid_args[] = {&words, &wrong}, *counter_args[] = {&words, &wrong, &counter};
    const double library = median_us([&] {
        TRY(cudaMemsetAsync(words, 0, 4 * sizeof *words * (size_t)blocks, stream));
        TRY(cudaLaunchCooperativeKernel((void *)grid_barrier_kernel, blocks, THREADS, grid_args, 0, stream));
    });
    check_marks();
    const double own = median_us([&] {
        TRY(cudaMemsetAsync(words, 0, 4 * sizeof *words * (size_t)blocks, stream));
        TRY(cudaMemsetAsync(counter, 0, sizeof *counter, stream));
        TRY(cudaLaunchCooperativeKernel((void *)counter_barrier_kernel, blocks, THREADS, counter_args, 0,
                                        stream));
    });
    check_marks();
    printf(",\n  \"barrier_blocks\": %d", blocks);
    put("grid_barrier_us", library / BARRIERS, true);
    put("counter_barrier_us", own / BARRIERS, true);
}

/* A launch of `clusters` clusters of `size` blocks. */
static cudaLaunchConfig_t cluster_config(cudaLaunchAttribute *attribute, int size, int clusters)
{
    cudaLaunchConfig_t config = {};
    attribute->id = cudaLaunchAttributeClusterDimension;
    attribute->val.clusterDim.x = (unsigned)size;
    attribute->val.clusterDim.y = attribute->val.clusterDim.z = 1;
    config.gridDim = dim3((unsigned)(size * clusters));
    config.blockDim = dim3(THREADS);
    config.attrs = attribute;
    config.numAttrs = 1;
    config.stream = stream;
    return config;
}

static void time_clusters(int size, bool can)
{
    char name[64];
    int most = 0;
    double us = 0, chase = 0;
    cudaLaunchAttribute attribute;
    if (can) {
        TRY(cudaFuncSetAttribute(cluster_barrier_kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
        TRY(cudaFuncSetAttribute(shared_chase_kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
        cudaLaunchConfig_t config = cluster_config(&attribute, size, 1);
        can =
            cudaOccupancyMaxActiveClusters(&most, cluster_barrier_kernel, &config) == cudaSuccess && most > 0;
        (void)cudaGetLastError();
    }
    if (can) {
        cudaLaunchConfig_t all = cluster_config(&attribute, size, most);
        us = median_us([&] {
            TRY(cudaMemsetAsync(words, 0, sizeof *words * (size_t)(size * most), stream));
            TRY(cudaLaunchKernelEx(&all, cluster_barrier_kernel, words, wrong));
        });
        check_marks();
        cudaLaunchConfig_t one = cluster_config(&attribute, size, 1);
        chase = median_us([&] { TRY(cudaLaunchKernelEx(&one, shared_chase_kernel, words)); });
    }
    snprintf(name, sizeof name, "clusters_of_%d_at_once", size);
    put(name, most, can);
    snprintf(name, sizeof name, "cluster_of_%d_barrier_us", size);
    put(name, us / BARRIERS, can);
    snprintf(name, sizeof name, "cluster_of_%d_shared_read_us", size);
    put(name, chase / HOPS, can);
}

/* ------------------------------------------------------------------ launches */

template <class Kernel> static double graph_node_us(Kernel kernel, int blocks, int threads)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    TRY(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < STEPS * KERNELS; i++)
        kernel<<<blocks, threads, 0, stream>>>(words);
    TRY(cudaStreamEndCapture(stream, &graph));
    TRY(cudaGraphInstantiate(&exec, graph, 0));
    const double us = median_us([&] { TRY(cudaGraphLaunch(exec, stream)); });
    TRY(cudaGraphExecDestroy(exec));
    TRY(cudaGraphDestroy(graph));
    return us / (STEPS * KERNELS);
}

static void time_launches(int blocks)
{
    const double plain = median_us([&] {
        for (int i = 0; i < STEPS * KERNELS; i++)
            empty_kernel<<<1, 32, 0, stream>>>(words);
    });
    put("launch_us", plain / (STEPS * KERNELS), true);
    put("graph_node_empty_us", graph_node_us(empty_kernel, 1, 32), true);
    put("graph_node_grid_us", graph_node_us(grid_kernel, blocks, THREADS), true);
}

static void time_cache()
{
    unsigned next[CHASE];
    for (unsigned i = 0; i < (unsigned)CHASE; i++)
        next[i] = (i + 33 * 32 + 1) % (unsigned)CHASE; /* another line each time */
    TRY(cudaMemcpy(words, next, sizeof next, cudaMemcpyHostToDevice));
    const double us = median_us([&] { chase_kernel<<<1, 1, 0, stream>>>(words, wrong + 1); });
    put("cache_read_us", us / HOPS, true);
}

/* ------------------------------------------------------------------ everything */

int main(int argc, char **argv)
{
    const int ordinal = argc > 1 ? atoi(argv[1]) : 0;
    int count = 0, blocks = 0;
    cudaDeviceProp gpu;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        printf("{\"skipped\": \"no GPU\"}\n");
        return argc > 1; /* a GPU that was named must be there */
    }
    TRY(cudaSetDevice(ordinal));
    TRY(cudaGetDeviceProperties(&gpu, ordinal));
    TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    TRY(cudaMalloc(&words, 1 << 20));
    TRY(cudaMalloc(&wrong, 2 * sizeof *wrong));
    TRY(cudaMemset(words, 0, 1 << 20));
    TRY(cudaMemset(wrong, 0, 2 * sizeof *wrong));
    blocks = gpu.multiProcessorCount;
    printf("{\"gpu\": \"%s\", \"multiprocessors\": %d", gpu.name, blocks);
    time_grid_barriers(blocks);
    time_clusters(8, gpu.major >= 9);
    time_clusters(16, gpu.major >= 9);
    time_launches(blocks);
    time_cache();
    printf("}\n");
    return 0;
}
