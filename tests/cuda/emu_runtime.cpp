/* emu_runtime.cpp - the emulated GPUs: memory, streams, graphs and errors; see emu_cuda.h and emu_control.h. */
#include "emu_internal.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

/* Work that waits. Nothing runs before somebody asks for its result, so that whoever looks too early sees too little. */
struct emu_stream {
    std::vector<std::function<void()>> queue;
    emu_graph *recording = nullptr;
};

/* A place in a stream's queue. */
struct emu_event {
    cudaStream_t stream = nullptr;
    uint64_t recorded = 0, reached = 0;
};

struct emu_graph {
    std::vector<std::function<void()>> nodes;
};

namespace
{

constexpr int STICKY = 700;

struct machine {
    int devices = 1, driver = 13000;
    size_t memory_bytes = (size_t)4 << 30;
    size_t used_bytes = 0;
    std::map<void *, size_t> allocations, pinned;
    rf_emu_counts counts = {};
    int fail_call = -1, fail_error = 0;
    int64_t fail_after = 0;
    cudaError_t lost = cudaSuccess, last = cudaSuccess;
};

int64_t from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, nullptr, 10) : otherwise;
}

int call_of(const char *name, size_t length)
{
    static const char *const names[RF_EMU_CALLS] = {"launch", "malloc", "copy", "sync", "capture", "replay"};
    for (int i = 0; i < RF_EMU_CALLS; i++)
        if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0)
            return i;
    return -1;
}

machine started()
{
    machine m;
    m.devices = (int)from_environment("RF_EMU_DEVICES", m.devices);
    m.driver = (int)from_environment("RF_EMU_DRIVER", m.driver);
    m.memory_bytes = (size_t)from_environment("RF_EMU_MEMORY", (int64_t)m.memory_bytes);
    const char *fail = getenv("RF_EMU_FAIL"), *colon = fail ? strchr(fail, ':') : nullptr;
    if (colon) {
        char *end;
        m.fail_call = call_of(fail, (size_t)(colon - fail));
        m.fail_after = strtoll(colon + 1, &end, 10);
        m.fail_error = *end ? atoi(end + 1) : (int)cudaErrorLaunchFailure;
    }
    return m;
}

machine &gpu()
{
    static machine m = started();
    return m;
}

cudaError_t fail(cudaError_t error)
{
    machine &m = gpu();
    if ((int)error >= STICKY && error != cudaErrorStreamCaptureUnsupported)
        m.lost = error;
    return m.last = error;
}

/* Counts a call; the error that it ends with. */
cudaError_t begin(rf_emu_call call)
{
    machine &m = gpu();
    m.counts.calls[call]++;
    if (m.lost != cudaSuccess)
        return m.last = m.lost;
    if (m.fail_call == call && m.fail_after > 0 && --m.fail_after == 0)
        return fail((cudaError_t)m.fail_error);
    return cudaSuccess;
}

void run_queue(cudaStream_t stream)
{
    std::vector<std::function<void()>> queue;
    queue.swap(stream->queue);
    for (auto &work : queue)
        work();
}

/* Kernels that this process ran; at its end they are added to the file that RF_EMU_TALLY names, a line a process. */
struct tally {
    uint64_t kernels = 0;
    ~tally()
    {
        const char *path = getenv("RF_EMU_TALLY");
        FILE *file = path && kernels > 0 ? fopen(path, "a") : nullptr;
        if (file) {
            fprintf(file, "%llu\n", (unsigned long long)kernels);
            fclose(file);
        }
    }
} ran;

} // namespace

void emu_enqueue(cudaStream_t stream, std::function<void()> work)
{
    enum { LONG = 4096 }; /* a GPU does not wait forever either */
    if (stream->recording) {
        stream->recording->nodes.push_back(std::move(work));
        return;
    }
    stream->queue.push_back(std::move(work));
    if (stream->queue.size() > LONG)
        run_queue(stream);
}

void emu_library_call(cudaStream_t stream, std::function<void()> work)
{
    emu_enqueue(stream, [work = std::move(work)] {
        gpu().counts.library_calls++;
        work();
    });
}

void emu_launch(dim3 grid, dim3 block, size_t shared_bytes, bool cooperative, cudaStream_t stream,
                std::function<void()> thread)
{
    if (begin(RF_EMU_LAUNCH) != cudaSuccess)
        return;
    const unsigned n_threads = block.x * block.y * block.z;
    if (grid.x * grid.y * grid.z == 0 || n_threads == 0 || n_threads > 1024 || shared_bytes > 227 * 1024) {
        (void)fail(cudaErrorInvalidValue);
        return;
    }
    emu_enqueue(stream, [=, thread = std::move(thread)] {
        gpu().counts.kernels++;
        ran.kernels++;
        emu_run_grid(grid, block, shared_bytes, cooperative, thread);
    });
}

/* ------------------------------------------------------------------ the machine */

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = gpu().driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 0;
    if (gpu().driver < 13000)
        return cudaErrorInsufficientDriver;
    *count = gpu().devices;
    return gpu().devices > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (device < 0 || device >= gpu().devices)
        return fail(cudaErrorInvalidDevice);
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "emulated GPU");
    properties->totalGlobalMem = gpu().memory_bytes;
    properties->sharedMemPerBlockOptin = 227 * 1024;
    properties->major = 9;
    properties->multiProcessorCount = 8;
    properties->l2CacheSize = 1 << 20;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device >= 0 && device < gpu().devices ? gpu().lost : fail(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceReset()
{
    machine &m = gpu();
    for (auto &[at, size] : m.allocations)
        free(at);
    m.allocations.clear();
    m.used_bytes = 0;
    return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
    machine &m = gpu();
    const cudaError_t error = m.last;
    m.last = m.lost;
    return error;
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    default:
        return "cudaErrorUnknown";
    }
}

const char *cudaGetErrorString(cudaError_t)
{
    return "an emulated failure";
}

/* ------------------------------------------------------------------ memory */

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *total = gpu().memory_bytes;
    *available = gpu().memory_bytes - gpu().used_bytes;
    return gpu().lost;
}

cudaError_t cudaMalloc(void **out, size_t size_bytes)
{
    machine &m = gpu();
    *out = nullptr;
    const cudaError_t error = begin(RF_EMU_MALLOC);
    if (error != cudaSuccess)
        return error;
    if (size_bytes > m.memory_bytes - m.used_bytes)
        return fail(cudaErrorMemoryAllocation);
    *out = aligned_alloc(256, (size_bytes + 255) / 256 * 256);
    if (!*out)
        return fail(cudaErrorMemoryAllocation);
    memset(*out, 0xFF, size_bytes); /* nobody may count on zeros */
    m.allocations[*out] = size_bytes;
    m.used_bytes += size_bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *pointer)
{
    machine &m = gpu();
    const auto it = m.allocations.find(pointer);
    if (it == m.allocations.end())
        return pointer ? fail(cudaErrorInvalidValue) : cudaSuccess;
    m.used_bytes -= it->second;
    m.allocations.erase(it);
    free(pointer);
    return m.lost;
}

cudaError_t cudaHostAlloc(void **out, size_t size_bytes, unsigned)
{
    *out = malloc(size_bytes ? size_bytes : 1);
    if (!*out)
        return fail(cudaErrorMemoryAllocation);
    gpu().pinned[*out] = size_bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *pointer)
{
    gpu().pinned.erase(pointer);
    free(pointer);
    return cudaSuccess;
}

static bool is_pinned(const void *at)
{
    const auto &pinned = gpu().pinned;
    auto it = pinned.upper_bound(const_cast<void *>(at));
    if (it == pinned.begin())
        return false;
    --it;
    return (const char *)at < (const char *)it->first + it->second;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const cudaError_t error = begin(RF_EMU_COPY);
    if (error != cudaSuccess)
        return error;
    if (kind == cudaMemcpyHostToDevice && !is_pinned(from)) { /* the driver stages it before it returns */
        const unsigned char *bytes = static_cast<const unsigned char *>(from);
        std::vector<unsigned char> staged(bytes, bytes + size_bytes);
        emu_enqueue(stream, [=, staged = std::move(staged)] { memcpy(to, staged.data(), size_bytes); });
        return cudaSuccess;
    }
    emu_enqueue(stream, [=] { memcpy(to, from, size_bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size_bytes, cudaStream_t stream)
{
    emu_enqueue(stream, [=] { memset(to, value, size_bytes); });
    return gpu().lost;
}

/* ------------------------------------------------------------------ streams and graphs */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new emu_stream;
    return gpu().lost;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (gpu().lost == cudaSuccess)
        run_queue(stream);
    delete stream;
    return gpu().lost;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const cudaError_t error = begin(RF_EMU_SYNC);
    if (error != cudaSuccess) {
        stream->queue.clear(); /* a lost GPU finishes nothing */
        return error;
    }
    if (stream->recording)
        return fail(cudaErrorStreamCaptureUnsupported);
    run_queue(stream);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new emu_event;
    return gpu().lost;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (gpu().lost != cudaSuccess)
        return gpu().lost;
    event->stream = stream;
    const uint64_t time = ++event->recorded;
    emu_enqueue(stream, [=] { event->reached = time; });
    return cudaSuccess;
}

/* Runs what lies before the event, and nothing after it. */
cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const cudaError_t error = begin(RF_EMU_SYNC);
    if (error != cudaSuccess) {
        if (event->stream)
            event->stream->queue.clear();
        return error;
    }
    if (event->reached == event->recorded)
        return cudaSuccess;
    auto &queue = event->stream->queue;
    size_t n = 0;
    while (event->reached < event->recorded)
        queue[n++]();
    queue.erase(queue.begin(), queue.begin() + (ptrdiff_t)n);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    const cudaError_t error = begin(RF_EMU_CAPTURE);
    if (error == cudaSuccess)
        stream->recording = new emu_graph;
    return error;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = stream->recording;
    stream->recording = nullptr;
    if (gpu().lost != cudaSuccess) {
        delete *graph;
        *graph = nullptr;
    }
    return gpu().lost;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
    *out = gpu().lost == cudaSuccess ? new emu_graph(*graph) : nullptr;
    return gpu().lost;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream)
{
    const cudaError_t error = begin(RF_EMU_REPLAY);
    if (error != cudaSuccess)
        return error;
    for (const auto &node : graph->nodes)
        emu_enqueue(stream, node);
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, void *, size_t *count)
{
    *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
    delete graph;
    return cudaSuccess;
}

/* ------------------------------------------------------------------ for tests */

void rf_emu_read(rf_emu_counts *out)
{
    *out = gpu().counts;
    out->allocated_bytes = gpu().used_bytes;
}

void rf_emu_reset(void)
{
    gpu().counts = {};
}

void rf_emu_fail(int call, int64_t nth, int error)
{
    machine &m = gpu();
    m.fail_call = nth > 0 ? call : -1;
    m.fail_after = nth;
    m.fail_error = error;
    m.lost = m.last = cudaSuccess;
}

void rf_emu_machine(int devices, int driver_version, int64_t memory_bytes)
{
    machine &m = gpu();
    m.devices = devices;
    m.driver = driver_version;
    m.memory_bytes = (size_t)memory_bytes;
}
