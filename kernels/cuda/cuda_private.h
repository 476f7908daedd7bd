/* cuda_private.h - what the files of the CUDA side share: the device's state, and how an operation finds its data.
 *
 * An operation's launcher picks grid and block, gives the kernel the operation's own struct by value and returns; nothing in it
 * waits or allocates, so that it may be recorded. Trials are the grid's third dimension: a kernel moves every pointer that it
 * takes from its struct by rfi_at.
 */
#ifndef RF_CUDA_PRIVATE_H
#define RF_CUDA_PRIVATE_H

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/cuda/cuda_api.h"

extern "C" {
#include "core/alloc.h"
#include "core/philox.h"
#include "kernels/cuda_plugin.h"
#include "kernels/math/adam.h"
#include "kernels/math/math32.h"
#include "kernels/math/permute.h"
}

/* ------------------------------------------------------------------ trials */

/* size_bytes is 0 when there is one trial only: then no pointer moves. */
struct rfi_trials {
    const char *base;
    size_t size_bytes, stride_bytes;
};

template <typename T> __device__ T *rfi_at(T *pointer, const rfi_trials &trials)
{
    const size_t offset =
        (size_t)(reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(trials.base));
    if (offset >= trials.size_bytes)
        return pointer;
    return reinterpret_cast<T *>(reinterpret_cast<uintptr_t>(pointer) + blockIdx.z * trials.stride_bytes);
}

__device__ inline rf_mat rfi_mat_at(rf_mat mat, const rfi_trials &trials)
{
    mat.data = rfi_at(mat.data, trials);
    return mat;
}

__device__ inline rf_draw rfi_draw_of(const rf_noise &noise, const rfi_trials &trials)
{
    rf_draw draw;
    draw.seed = noise.seed;
    draw.step = *rfi_at(noise.step, trials);
    draw.purpose = noise.purpose;
    draw.trial = noise.trial + blockIdx.z;
    return draw;
}

/* The end of a step, by one thread. */
__device__ inline void rfi_tick(const rf_step_tick &op, const rfi_trials &trials)
{
    uint32_t *step = rfi_at(op.step, trials);
    if (op.losses) {
        float *kept = rfi_at(op.ring, trials) + (int64_t)(*step % (uint32_t)op.length) * op.n;
        for (int32_t i = 0; i < op.n; i++)
            kept[i] = rfi_at(op.losses, trials)[i];
    }
    *step += 1;
}

/* ------------------------------------------------------------------ layouts */

/* A list of spans on the device. */
struct rfi_layout {
    int32_t n_spans, width, n_scalars, n_codes;
    const rf_span *spans;
};

/* ------------------------------------------------------------------ the device */

struct rfi_blas;
struct rfi_dnn;

enum {
    RFI_LAYOUTS = 32, /* different lists of spans that one device may meet */
    RFI_RECORDINGS = 8,
    RFI_RETIRED = 32,
    RFI_COUNTERS = 2048, /* of each trial                                    */
    RFI_TRIALS_MAX = 1024,
};

struct rfi_kept_layout {
    rfi_layout layout;
    rf_span *host; /* what `spans` was copied from */
};

struct rfi_recording {
    const void *key;
    bool warm;     /* ran once as it comes, so that nothing is allocated any more */
    int64_t steps; /* of `many` */
    cudaGraphExec_t one, many;
};

enum { RFI_LEARN_MATRICES = 6, RFI_LEARN_VECTORS = 8 }; /* of one kernel: its arguments have 4 KB */

/* Updates between updates_begin and updates_end, put off to the end (cuda_learn.cu). */
struct rfi_learn {
    rf_adam *adam; /* NULL: outside of the two */
    int32_t n_matrices, n_vectors;
    struct {
        rf_update op;
        rfi_layout layout;
    } matrix[RFI_LEARN_MATRICES];
    rf_update_vector vector[RFI_LEARN_VECTORS];
};

struct rfi_cuda {
    int ordinal, n_multiprocessors;
    cudaStream_t stream;
    rf_construction construction;
    rf_precision precision;
    bool recording;

    /* Scratch serves one operation at a time. Larger pieces replace smaller ones, which recordings may still use: those are freed at the end. */
    char *scratch;
    size_t scratch_bytes;
    void *retired[RFI_RETIRED];
    int n_retired;
    unsigned *counters; /* (trials, RFI_COUNTERS) zero between operations: blocks that arrive */

    rfi_trials trials;
    int32_t n_trials;
    cudaEvent_t marks[RF_DEVICE_MARKS];

    rfi_learn learn;
    rfi_kept_layout layouts[RFI_LAYOUTS];
    int n_layouts;
    rfi_recording recordings[RFI_RECORDINGS];

    rfi_blas *blas; /* NULL: this machine has none, or nothing asked for it yet */
    rfi_dnn *dnn;
    bool has_no_blas; /* it was looked for */
};

/* The device's state when it is well; NULL when something failed before: then an operation does nothing. */
rfi_cuda *rfi_ready(rf_device *device);

/* Keeps the first failure in the device; `call` names what failed. Returns the code. */
rf_code rfi_cuda_failed(rf_device *device, cudaError_t error, const char *call);
/* Looks whether the launch before it was taken, and counts it. */
void rfi_launched(rf_device *device, const char *kernel);

/* `size_bytes` for each trial, the t-th at t * size_bytes; not initialised; NULL when there is none: the failure is kept. */
char *rfi_scratch(rf_device *device, size_t size_bytes);

/* The list of spans on the device; false: the failure is kept. */
bool rfi_layout_of(rf_device *device, const rf_layout *layout, rfi_layout *out);

/* A scratch of n values for a kernel: the trial's own part. */
template <typename T> __device__ T *rfi_own(T *scratch, size_t n)
{
    return scratch + blockIdx.z * n;
}

/* For calls of the runtime in functions that end in `out:`. */
#define RF_CUDA_TRY(device, call)                                                                            \
    do {                                                                                                     \
        const cudaError_t rfi_error = (call);                                                                \
        if (rfi_error != cudaSuccess) {                                                                      \
            rc = rfi_cuda_failed((device), rfi_error, #call);                                                \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

/* Launches for all trials: grid_x x grid_y x trials blocks. Arguments follow; the last is always the trials. */
#define RFI_LAUNCH(device, kernel, grid_x, grid_y, threads, shared_bytes, ...)                               \
    do {                                                                                                     \
        const rfi_cuda *rfi_c = static_cast<const rfi_cuda *>((device)->self);                               \
        RF_CUDA_LAUNCH(kernel, dim3((unsigned)(grid_x), (unsigned)(grid_y), (unsigned)rfi_c->n_trials),      \
                       dim3((unsigned)(threads)), (shared_bytes), rfi_c->stream, __VA_ARGS__,                \
                       rfi_c->trials);                                                                       \
        rfi_launched((device), #kernel);                                                                     \
    } while (0)

static inline int64_t rfi_divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static inline int32_t rfi_min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------ constructions */

static inline bool rfi_is_fused(const rfi_cuda *cuda)
{
    return cuda->construction == RF_CONSTRUCTION_AUTO || cuda->construction == RF_CONSTRUCTION_FUSED;
}

/* ------------------------------------------------------------------ recordings (cuda_record.cu) */

void rfi_repeat(rf_device *device, const void *key, int64_t n, rf_step_fn step, void *arg);
void rfi_forget(rf_device *device, const void *key);
void rfi_forget_all(rf_device *device);

/* ------------------------------------------------------------------ operations */

#define RFI_OP_DECLARE(name, args) void rfi_cuda_##name(rf_device *device, const args *op);
RF_OPS_TABLE(RFI_OP_DECLARE)
#undef RFI_OP_DECLARE
void rfi_cuda_step_tick(rf_device *device, const rf_step_tick *op);
void rfi_cuda_adam_tick(rf_device *device, rf_adam *adam);
void rfi_cuda_updates_begin(rf_device *device, rf_adam *adam);
void rfi_cuda_updates_end(rf_device *device, const rf_step_tick *op);
extern const rf_ops rfi_cuda_ops;

#endif
