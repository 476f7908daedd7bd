/* cuda_record.cu - steps that are recorded once and replayed.
 *
 * The first step of a key runs as it comes: whatever it allocates is there afterwards. Then two graphs are recorded, of one step and of
 * many, so that an epoch is a handful of launches:
 *
 *     step, step, step, …   ->   [many] [many] … [one] [one]
 *
 * A step's arguments never change; what does change lies in device memory.
 */
#include "kernels/cuda/cuda_private.h"

enum { STEPS_OF_MANY = 64 };

/* ------------------------------------------------------------------ the list */

static rfi_recording *find(rfi_cuda *cuda, const void *key)
{
    for (int i = 0; i < RFI_RECORDINGS; i++)
        if (cuda->recordings[i].key == key)
            return &cuda->recordings[i];
    return nullptr;
}

static void drop(rfi_recording *recording)
{
    if (recording->one)
        (void)cudaGraphExecDestroy(recording->one);
    if (recording->many)
        (void)cudaGraphExecDestroy(recording->many);
    *recording = {};
}

/* A free place, or the first one. */
static rfi_recording *take(rfi_cuda *cuda, const void *key)
{
    rfi_recording *recording = find(cuda, key);
    if (recording)
        return recording;
    recording = find(cuda, nullptr);
    if (!recording) {
        recording = &cuda->recordings[0];
        drop(recording);
    }
    recording->key = key;
    return recording;
}

void rfi_forget(rf_device *device, const void *key)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    rfi_recording *recording = key ? find(cuda, key) : nullptr;
    if (!recording)
        return;
    (void)cudaStreamSynchronize(cuda->stream);
    drop(recording);
}

void rfi_forget_all(rf_device *device)
{
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    for (int i = 0; i < RFI_RECORDINGS; i++)
        rfi_forget(device, cuda->recordings[i].key);
}

/* ------------------------------------------------------------------ recording */

static rf_code record(rf_device *device, int64_t steps, rf_step_fn step, void *arg, cudaGraphExec_t *out)
{
    rf_code rc = RF_OK;
    rfi_cuda *cuda = static_cast<rfi_cuda *>(device->self);
    cudaGraph_t graph = nullptr;
    size_t nodes = 0;
    cudaError_t ended;
    RF_CUDA_TRY(device, cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal));
    cuda->recording = true;
    for (int64_t i = 0; i < steps; i++)
        step(arg);
    cuda->recording = false;
    ended = cudaStreamEndCapture(cuda->stream, &graph);
    RF_CUDA_TRY(device, ended);
    RF_CUDA_TRY(device, cudaGraphGetNodes(graph, nullptr, &nodes));
    RF_CUDA_TRY(device, cudaGraphInstantiate(out, graph, 0));
    device->stats.recordings++;
    device->stats.nodes = (int64_t)nodes / steps;
out:
    if (graph)
        (void)cudaGraphDestroy(graph);
    return rc;
}

static bool replay(rf_device *device, cudaGraphExec_t graph)
{
    rf_code rc = RF_OK;
    RF_CUDA_TRY(device, cudaGraphLaunch(graph, static_cast<const rfi_cuda *>(device->self)->stream));
    device->stats.replays++;
out:
    return rc == RF_OK;
}

/* ------------------------------------------------------------------ repeating */

static void repeat_recorded(rf_device *device, rfi_recording *recording, int64_t n, rf_step_fn step,
                            void *arg)
{
    if (!recording->one && record(device, 1, step, arg, &recording->one) != RF_OK)
        return;
    if (n >= STEPS_OF_MANY && !recording->many) {
        recording->steps = STEPS_OF_MANY;
        if (record(device, recording->steps, step, arg, &recording->many) != RF_OK)
            return;
    }
    while (n > 0) {
        const bool many = recording->many && n >= recording->steps;
        if (!replay(device, many ? recording->many : recording->one))
            return;
        n -= many ? recording->steps : 1;
    }
}

void rfi_repeat(rf_device *device, const void *key, int64_t n, rf_step_fn step, void *arg)
{
    rfi_cuda *cuda = rfi_ready(device);
    rfi_recording *recording;
    if (!cuda || n <= 0)
        return;
    if (cuda->construction == RF_CONSTRUCTION_PLAIN) {
        for (int64_t i = 0; i < n; i++)
            step(arg);
        return;
    }
    recording = take(cuda, key);
    if (!recording->warm) {
        step(arg);
        recording->warm = true;
        n--;
    }
    if (n > 0 && rfi_ready(device))
        repeat_recorded(device, recording, n, step, arg);
}
