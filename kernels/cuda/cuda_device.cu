/* cuda_device.cu - a GPU as a device: opened, asked for memory, waited for, and given up when it fails.
 *
 * Everything goes to one stream. Nothing waits but read, sync and giving memory back. A failure is kept in the device; one
 * that the GPU does not recover from marks the GPU as lost, and this process does not open it again.
 */
#include "kernels/cuda/cuda_private.h"

#include <atomic>

#include "kernels/cuda/cuda_blas.h"
#include "kernels/cuda/cuda_dnn.h"

/* ------------------------------------------------------------------ failures */

enum { GPUS_MAX = 64 };
static std::atomic<bool> lost[GPUS_MAX];

/* Errors after which a GPU still works are those of memory and of wrong arguments. */
static bool is_lasting(cudaError_t error)
{
    return error != cudaErrorMemoryAllocation && error != cudaErrorInvalidValue;
}

rf_code rfi_cuda_failed(rf_device *device, cudaError_t error, const char *call)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    rf_error *kept = &device->failure;
    if (kept->code != RF_OK)
        return kept->code;
    if (error == cudaErrorMemoryAllocation)
        return rf_fail(kept, RF_NO_MEMORY, "the device %s has no memory left for this", device->name);
    if (is_lasting(error) && cuda->ordinal < GPUS_MAX)
        lost[cuda->ordinal] = true;
    rf_fail(kept, RF_DEVICE, "the device %s failed%s (%s); take another device or go on with --resume",
            device->name, is_lasting(error) ? " and is lost to this run" : "", cudaGetErrorString(error));
    snprintf(kept->detail, sizeof kept->detail, "%s in %.180s", cudaGetErrorName(error), call);
    return kept->code;
}

/* CUDA's current GPU is a thread's, and a device may be handed from thread to thread. */
static rfi_cuda *here(rf_device *device)
{
    static thread_local int current = -1;
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    if (current != cuda->ordinal && cudaSetDevice(cuda->ordinal) == cudaSuccess)
        current = cuda->ordinal;
    return cuda;
}

rfi_cuda *rfi_ready(rf_device *device)
{
    return device->failure.code == RF_OK ? here(device) : nullptr;
}

void rfi_launched(rf_device *device, const char *kernel)
{
    const cudaError_t error = cudaGetLastError();
    device->stats.launches++;
    if (error != cudaSuccess)
        (void)rfi_cuda_failed(device, error, kernel);
}

static rf_code tell(const rf_device *device, rf_error *err)
{
    if (device->failure.code != RF_OK && err)
        *err = device->failure;
    return device->failure.code;
}

/* ------------------------------------------------------------------ memory */

static rf_code no_memory(rf_device *device, size_t size_bytes, rf_error *err)
{
    size_t available = 0, total = 0;
    (void)cudaGetLastError(); /* running out of memory is no failure of the GPU */
    (void)cudaMemGetInfo(&available, &total);
    return rf_fail(
        err, RF_NO_MEMORY,
        "the device %s has %.2f of %.2f GiB free, and %.2f are needed; take a smaller batch or cpu",
        device->name, (double)available / 0x1p30, (double)total / 0x1p30, (double)size_bytes / 0x1p30);
}

static rf_code gpu_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cuda *cuda = here(device);
    cudaError_t error;
    void *pointer = nullptr;
    *out = nullptr;
    RF_TRY(tell(device, err));
    error = cudaMalloc(&pointer, size_bytes > 0 ? size_bytes : 1);
    if (error == cudaErrorMemoryAllocation)
        return no_memory(device, size_bytes, err);
    RF_CUDA_TRY(device, error);
    RF_CUDA_TRY(device, cudaMemsetAsync(pointer, 0, size_bytes, cuda->stream));
    *out = pointer;
    pointer = nullptr;
out:
    if (pointer)
        (void)cudaFree(pointer);
    return rc == RF_OK ? RF_OK : tell(device, err);
}

/* cudaFree waits for the stream by itself. */
static void gpu_free(rf_device *device, void *pointer)
{
    if (!pointer)
        return;
    device->stats.waits++;
    (void)cudaStreamSynchronize(here(device)->stream);
    (void)cudaFree(pointer);
}

static rf_code gpu_sync(rf_device *device, rf_error *err)
{
    rf_code rc = RF_OK;
    if (!rfi_ready(device))
        return tell(device, err);
    device->stats.waits++;
    RF_CUDA_TRY(device, cudaStreamSynchronize(static_cast<const rfi_cuda *>(device->self)->stream));
out:
    return rc == RF_OK ? RF_OK : tell(device, err);
}

static rf_code gpu_write(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return tell(device, err);
    if (size_bytes > 0)
        RF_CUDA_TRY(device, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyHostToDevice, cuda->stream));
out:
    return rc == RF_OK ? RF_OK : tell(device, err);
}

static rf_code gpu_read(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return tell(device, err);
    if (size_bytes > 0)
        RF_CUDA_TRY(device, cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToHost, cuda->stream));
    RF_TRY(gpu_sync(device, err));
out:
    return rc == RF_OK ? RF_OK : tell(device, err);
}

static void gpu_fetch(rf_device *device, void *to, const void *from, size_t size_bytes)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || size_bytes == 0)
        return;
    const cudaError_t error = cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToHost, cuda->stream);
    if (error != cudaSuccess)
        (void)rfi_cuda_failed(device, error, "cudaMemcpyAsync");
}

static void gpu_mark(rf_device *device, int mark)
{
    rfi_cuda *cuda = rfi_ready(device);
    cudaError_t error = cudaSuccess;
    if (!cuda)
        return;
    if (!cuda->marks[mark])
        error = cudaEventCreateWithFlags(&cuda->marks[mark], cudaEventDisableTiming);
    if (error == cudaSuccess)
        error = cudaEventRecord(cuda->marks[mark], cuda->stream);
    if (error != cudaSuccess)
        (void)rfi_cuda_failed(device, error, "cudaEventRecord");
}

static rf_code gpu_await(rf_device *device, int mark, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda)
        return tell(device, err);
    device->stats.waits++;
    if (cuda->marks[mark])
        RF_CUDA_TRY(device, cudaEventSynchronize(cuda->marks[mark]));
out:
    return rc == RF_OK ? RF_OK : tell(device, err);
}

static rf_code gpu_alloc_shared(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = nullptr;
    RF_CUDA_TRY(device, cudaHostAlloc(out, size_bytes, cudaHostAllocPortable | cudaHostAllocMapped));
out:
    return rc == RF_OK ? RF_OK : tell(device, err);
}

static void gpu_free_shared(rf_device *device, void *pointer)
{
    if (pointer) {
        (void)gpu_sync(device, nullptr);
        (void)cudaFreeHost(pointer);
    }
}

char *rfi_scratch(rf_device *device, size_t size_bytes)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    const size_t total = size_bytes * (size_t)cuda->n_trials;
    void *larger = nullptr;
    rf_code rc = RF_OK;
    if (total <= cuda->scratch_bytes)
        return cuda->scratch;
    if (cuda->recording || cuda->n_retired == RFI_RETIRED) {
        rf_fail(&device->failure, RF_INTERNAL, "an operation asked for more scratch while it was recorded");
        return nullptr;
    }
    RF_CUDA_TRY(device,
                cudaMalloc(&larger, 2 * total)); /* twice: growing step by step would leave many behind */
    if (cuda->scratch)
        cuda->retired[cuda->n_retired++] = cuda->scratch;
    cuda->scratch = static_cast<char *>(larger);
    cuda->scratch_bytes = 2 * total;
out:
    return rc == RF_OK ? cuda->scratch : nullptr;
}

/* ------------------------------------------------------------------ lists of spans */

static bool same_spans(const rfi_kept_layout *kept, const rf_layout *layout)
{
    return kept->layout.n_spans == layout->n_spans && kept->layout.n_scalars == layout->n_scalars &&
           kept->layout.n_codes == layout->n_codes &&
           memcmp(kept->host, layout->spans, (size_t)layout->n_spans * sizeof *layout->spans) == 0;
}

static rf_code keep_layout(rf_device *device, const rf_layout *layout, rfi_kept_layout *kept)
{
    rf_code rc = RF_OK;
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    const size_t size = (size_t)layout->n_spans * sizeof *layout->spans;
    void *spans = nullptr;
    rf_span *host = nullptr;
    RF_TRY(RF_NEW_ARRAY(&host, layout->n_spans, "a list of spans", &device->failure));
    memcpy(host, layout->spans, size);
    RF_CUDA_TRY(device, cudaMalloc(&spans, size > 0 ? size : 1));
    RF_CUDA_TRY(device, cudaMemcpyAsync(spans, host, size, cudaMemcpyHostToDevice, cuda->stream));
    kept->host = host;
    kept->layout.n_spans = layout->n_spans;
    kept->layout.width = layout->width;
    kept->layout.n_scalars = layout->n_scalars;
    kept->layout.n_codes = layout->n_codes;
    kept->layout.spans = static_cast<const rf_span *>(spans);
    return RF_OK;
out:
    (void)cudaFree(spans);
    rf_free(host);
    return rc;
}

bool rfi_layout_of(rf_device *device, const rf_layout *layout, rfi_layout *out)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    for (int i = 0; i < cuda->n_layouts; i++)
        if (same_spans(&cuda->layouts[i], layout)) {
            *out = cuda->layouts[i].layout;
            return true;
        }
    if (cuda->recording || cuda->n_layouts == RFI_LAYOUTS) {
        rf_fail(&device->failure, RF_INTERNAL,
                "a device met too many lists of spans, or a new one while recording");
        return false;
    }
    rfi_kept_layout *kept = &cuda->layouts[cuda->n_layouts];
    if (keep_layout(device, layout, kept) != RF_OK)
        return false;
    cuda->n_layouts++;
    *out = kept->layout;
    return true;
}

/* ------------------------------------------------------------------ trials */

static rf_code gpu_trials(rf_device *device, const rf_trials *trials, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    const int32_t n = trials && trials->n > 1 ? trials->n : 1;
    const size_t size = (size_t)n * RFI_COUNTERS * sizeof *cuda->counters;
    void *counters = nullptr;
    if (n > RFI_TRIALS_MAX)
        return rf_fail(err, RF_USAGE, "at most %d trials fit one run of operations", (int)RFI_TRIALS_MAX);
    RF_TRY(tell(device, err));
    rfi_forget_all(device);
    RF_TRY(gpu_sync(device, err));
    RF_CUDA_TRY(device, cudaMalloc(&counters, size));
    RF_CUDA_TRY(device, cudaMemsetAsync(counters, 0, size, cuda->stream));
    (void)cudaFree(cuda->counters);
    cuda->counters = static_cast<unsigned *>(counters);
    cuda->n_trials = n;
    cuda->trials = {};
    if (n > 1)
        cuda->trials = {static_cast<const char *>(trials->base), trials->size_bytes, trials->stride_bytes};
    return RF_OK;
out:
    (void)cudaFree(counters);
    return tell(device, err) == RF_OK ? rc : device->failure.code;
}

/* ------------------------------------------------------------------ open, close */

static void gpu_close(rf_device *device)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    if (!cuda)
        return;
    (void)here(device);
    rfi_forget_all(device);
    if (cuda->stream)
        (void)cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < RF_DEVICE_MARKS; i++)
        if (cuda->marks[i])
            (void)cudaEventDestroy(cuda->marks[i]);
    rfi_blas_close(cuda->blas);
    rfi_dnn_close(cuda->dnn);
    for (int i = 0; i < cuda->n_layouts; i++) {
        (void)cudaFree(const_cast<rf_span *>(cuda->layouts[i].layout.spans));
        rf_free(cuda->layouts[i].host);
    }
    for (int i = 0; i < cuda->n_retired; i++)
        (void)cudaFree(cuda->retired[i]);
    (void)cudaFree(cuda->scratch);
    (void)cudaFree(cuda->counters);
    if (cuda->stream)
        (void)cudaStreamDestroy(cuda->stream);
    (void)cudaGetLastError();
    rf_free(cuda);
    device->self = nullptr;
}

static const rf_device_class gpu_class = {
    .kind = "cuda",
    .close = gpu_close,
    .alloc = gpu_alloc,
    .free = gpu_free,
    .write = gpu_write,
    .read = gpu_read,
    .sync = gpu_sync,
    .fetch = gpu_fetch,
    .mark = gpu_mark,
    .await = gpu_await,
    .repeat = rfi_repeat,
    .forget = rfi_forget,
    .trials = gpu_trials,
    .alloc_shared = gpu_alloc_shared,
    .free_shared = gpu_free_shared,
};

/* cuBLASLt and cuDNN belong to the constructions plain and graph; FUSED does without. */
static rf_code open_libraries(rf_device *device, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    rf_error reason = {};
    const bool wanted =
        cuda->construction == RF_CONSTRUCTION_PLAIN || cuda->construction == RF_CONSTRUCTION_GRAPH;
    if (!wanted)
        return RF_OK;
    if (rfi_blas_open(&cuda->blas, &reason) != RF_OK ||
        rfi_dnn_open(&cuda->dnn, cuda->stream, &reason) != RF_OK)
        rc = rf_fail(err, RF_DEVICE, "the constructions plain and graph cannot be used: %.180s; take fused",
                     reason.message);
    return rc;
}

static rf_code look(int ordinal, cudaDeviceProp *properties, rf_error *err)
{
    const cudaError_t error = cudaGetDeviceProperties(properties, ordinal);
    (void)cudaGetLastError();
    if (ordinal < GPUS_MAX && lost[ordinal])
        return rf_fail(err, RF_DEVICE, "cuda:%d failed earlier in this process", ordinal);
    if (error != cudaSuccess)
        return rf_fail(err, RF_DEVICE, "cuda:%d does not answer (%s)", ordinal, cudaGetErrorString(error));
    if (properties->major < 8)
        return rf_fail(err, RF_DEVICE, "cuda:%d (%.80s) is of compute capability %d.%d; 8.0 is needed",
                       ordinal, properties->name, properties->major, properties->minor);
    return RF_OK;
}

static rf_code gpu_open(rf_device *device, int ordinal, const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_cuda *cuda = nullptr;
    cudaDeviceProp properties;
    RF_TRY(look(ordinal, &properties, err));
    RF_TRY(RF_NEW_ARRAY(&cuda, 1, "the GPU's device", err));
    device->type = &gpu_class;
    device->ops = &rfi_cuda_ops;
    device->self = cuda;
    cuda->ordinal = ordinal;
    cuda->n_multiprocessors = properties.multiProcessorCount;
    cuda->construction = options->construction;
    cuda->precision = options->precision;
    snprintf(device->name, sizeof device->name, "cuda:%d", ordinal);
    snprintf(device->summary, sizeof device->summary, "cuda:%d, %.64s, %.0f GiB", ordinal, properties.name,
             (double)properties.totalGlobalMem / 0x1p30);
    RF_CUDA_TRY(device, cudaSetDevice(ordinal));
    (void)here(device);
    RF_CUDA_TRY(device, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking));
    RF_TRY(gpu_trials(device, nullptr, err));
    RF_TRY(open_libraries(device, err));
out:
    if (rc != RF_OK) {
        (void)(device->failure.code != RF_OK && tell(device, err));
        gpu_close(device);
        *device = {};
    }
    return rc;
}

/* ------------------------------------------------------------------ the door */

static rf_code gpu_count(int *out, rf_error *err)
{
    int driver = 0, runtime = 0;
    *out = 0;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    const cudaError_t error = cudaGetDeviceCount(out);
    (void)cudaGetLastError();
    if (error == cudaSuccess && *out > 0)
        return RF_OK;
    *out = 0;
    if (driver == 0)
        return rf_fail(err, RF_DEVICE, "there is no NVIDIA driver on this machine");
    if (error == cudaErrorInsufficientDriver)
        return rf_fail(err, RF_DEVICE,
                       "the NVIDIA driver is too old: it knows CUDA %d.%d, and %d.%d is needed",
                       driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorNoDevice || error == cudaSuccess)
        return rf_fail(err, RF_DEVICE, "the NVIDIA driver shows no GPU");
    return rf_fail(err, RF_DEVICE, "the NVIDIA driver does not answer (%s)", cudaGetErrorString(error));
}

static rf_code gpu_describe(int ordinal, char *summary, size_t size, rf_error *err)
{
    rf_code rc = RF_OK;
    cudaDeviceProp properties;
    RF_TRY(look(ordinal, &properties, err));
    snprintf(summary, size, "%.64s, %.0f GiB, compute capability %d.%d", properties.name,
             (double)properties.totalGlobalMem / 0x1p30, properties.major, properties.minor);
out:
    return rc;
}

extern "C" __attribute__((visibility("default"))) const rf_cuda_plugin *rf_cuda_plugin_get(void);

const rf_cuda_plugin *rf_cuda_plugin_get(void)
{
    static const rf_cuda_plugin plugin = {
        .contract = {RF_CUDA_CONTRACT, sizeof(rf_ops), sizeof(rf_device), sizeof(rf_device_class)},
        .count = gpu_count,
        .describe = gpu_describe,
        .open = gpu_open,
    };
    return &plugin;
}
