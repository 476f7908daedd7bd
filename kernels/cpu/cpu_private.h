/* cpu_private.h - what the files of the CPU's side share.
 */
#ifndef RF_CPU_PRIVATE_H
#define RF_CPU_PRIVATE_H

#include <stdatomic.h>

#include "core/philox.h"
#include "core/pool.h"
#include "kernels/backend.h"
#include "kernels/ops.h"

/* A thread's share of a run: tasks front..back-1 are still to be taken (front << 32 | back). */
typedef struct rfi_share {
    _Alignas(64) _Atomic uint64_t tasks;
} rfi_share;

/* device->self. Scratch serves one operation at a time and grows to the largest that was asked for. */
typedef struct rfi_cpu {
    void *scratch;
    size_t scratch_bytes;
    rfi_share *shares; /* one for each thread */
} rfi_cpu;

/* `size_bytes` at a 64-byte boundary, not initialised, until the next call; NULL when there is no memory: the failure is kept in the
 * device and the operation should return. */
void *rfi_scratch(rf_device *device, size_t size_bytes);

/* The tables of operations that were built, and the one that this processor (or ROWFORGE_CPU) chooses. */
typedef struct rfi_isa {
    const char *name;  /* as in ROWFORGE_CPU */
    const char *title; /* for people         */
    const rf_ops *ops;
} rfi_isa;
/* USAGE when ROWFORGE_CPU names one that does not exist or that this processor cannot run. */
rf_code rfi_isa_choose(rfi_isa *out, rf_error *err) RF_MUST_CHECK;

rf_code rfi_cpu_open(rf_device *device, int n_threads, rf_error *err) RF_MUST_CHECK;

/* Integer work, the same on every instruction set. */
void rfi_draw_conditions(rf_device *device, const rf_draw_conditions *op);
void rfi_draw_rows(rf_device *device, const rf_draw_rows *op);
void rfi_take_rows(rf_device *device, const rf_take_rows *op);
void rfi_step_tick(rf_device *device, const rf_step_tick *op);
void rfi_adam_tick(rf_device *device, rf_adam *adam);

static inline __attribute__((unused)) rf_draw rfi_draw_of(const rf_noise *noise)
{
    return (rf_draw){
        .seed = noise->seed, .step = *noise->step, .purpose = noise->purpose, .trial = noise->trial};
}

static inline __attribute__((unused)) int64_t rfi_divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static inline __attribute__((unused)) int32_t rfi_min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Calls fn(arg, i) for i in 0..n_tasks-1. Every thread begins with its own part of them, the same part of every run that is cut in the
 * same way, so that it finds in its cache what it wrote in the operation before; who is done early takes from the others' ends. */
void rfi_run(rf_device *device, rf_pool_fn fn, void *arg, int64_t n_tasks);

/* The same for tasks with memory of their own: calls fn(arg, worker, i), worker in 0..threads-1. Two tasks with the same
 * worker never run at the same time. Results must not depend on it. */
typedef void (*rfi_worker_fn)(void *arg, int worker, int64_t task);
void rfi_run_workers(rf_device *device, rfi_worker_fn fn, void *arg, int64_t n_tasks);

/* Rows handed out a block at a time: calls fn(arg, first, end). Blocks do not depend on the number of threads. */
typedef void (*rfi_rows_fn)(void *arg, int32_t first, int32_t end);
void rfi_run_rows(rf_device *device, int32_t n_rows, int32_t block, rfi_rows_fn fn, void *arg);

#endif
