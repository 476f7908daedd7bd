/* cpu_device.c - the CPU as a device: its memory, its threads, and which instruction set its operations use. */
#include "kernels/cpu/cpu_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/alloc.h"

/* ------------------------------------------------------------------ instruction sets */

#if defined(RFI_HAVE_X86)
extern const rf_ops rfi_ops_avx512, rfi_ops_avx2;
#endif
extern const rf_ops rfi_ops_baseline;

/* Best first. */
static const rfi_isa isas[] = {
#if defined(RFI_HAVE_X86)
    {"avx512", "AVX-512", &rfi_ops_avx512},
    {"avx2", "AVX2", &rfi_ops_avx2},
#endif
    {"baseline", "baseline", &rfi_ops_baseline},
};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

static bool can_run(const rfi_isa *isa)
{
#if defined(RFI_HAVE_X86)
    /* x86-64-v4 and x86-64-v3, as far as our code uses them */
    __builtin_cpu_init();
    bool v3 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (strcmp(isa->name, "avx512") == 0)
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512cd");
    if (strcmp(isa->name, "avx2") == 0)
        return v3;
#endif
    return strcmp(isa->name, "baseline") == 0;
}

rf_code rfi_isa_choose(rfi_isa *out, rf_error *err)
{
    const char *wanted = getenv("ROWFORGE_CPU");
    for (int i = 0; i < N_ISAS; i++) {
        if (wanted && *wanted && strcmp(wanted, isas[i].name) != 0)
            continue;
        if (can_run(&isas[i])) {
            *out = isas[i];
            return RF_OK;
        }
        if (wanted && *wanted)
            return rf_fail(err, RF_DEVICE, "ROWFORGE_CPU asks for %s, which this processor cannot run",
                           isas[i].title);
    }
    return rf_fail(err, RF_USAGE, "ROWFORGE_CPU is \"%.40s\", and must be avx512, avx2 or baseline", wanted);
}

/* ------------------------------------------------------------------ memory */

enum { ALIGNMENT = 256, LARGE_PAGE = 2 << 20, LARGE_FROM = 256 << 10 };

static rf_code cpu_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    (void)device;
    *out = NULL;
    /* one word before the aligned block remembers what to free */
    const bool large = size_bytes >= LARGE_FROM;
    const size_t alignment = large ? LARGE_PAGE : ALIGNMENT;
    /* The last page is a large one too: a table lies at the end, and its rows are read in no order. */
    const size_t padding = (large ? 3 : 2) * alignment;
    void *raw = size_bytes <= SIZE_MAX - padding ? rf_malloc(size_bytes + padding) : NULL;
    if (!raw)
        return rf_fail(err, RF_NO_MEMORY, "no memory for a buffer of %zu bytes of the device", size_bytes);
    uintptr_t at = ((uintptr_t)raw + sizeof(void *) + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((void **)at)[-1] = raw;
#if defined(MADV_HUGEPAGE)
    /* A step walks over tens of megabytes: with small pages, more of them than the processor keeps translations for. */
    if (large)
        madvise((void *)at, (size_bytes + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    memset((void *)at, 0, size_bytes);
    *out = (void *)at;
    return RF_OK;
}

static void cpu_free(rf_device *device, void *pointer)
{
    (void)device;
    if (pointer)
        rf_free(((void **)pointer)[-1]);
}

static rf_code cpu_sync(rf_device *device, rf_error *err)
{
    if (device->failure.code != RF_OK && err)
        *err = device->failure;
    return device->failure.code;
}

static rf_code cpu_write(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    (void)device;
    (void)err;
    if (size_bytes > 0)
        memcpy(to, from, size_bytes);
    return RF_OK;
}

static rf_code cpu_read(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    if (size_bytes > 0)
        memcpy(to, from, size_bytes);
    return cpu_sync(device, err);
}

void *rfi_scratch(rf_device *device, size_t size_bytes)
{
    rfi_cpu *cpu = device->self;
    if (size_bytes <= cpu->scratch_bytes && cpu->scratch)
        return cpu->scratch;
    cpu_free(device, cpu->scratch);
    cpu->scratch = NULL;
    cpu->scratch_bytes = 0;
    rf_error *err = device->failure.code == RF_OK ? &device->failure : NULL;
    if (cpu_alloc(device, &cpu->scratch, size_bytes, err) == RF_OK)
        cpu->scratch_bytes = size_bytes;
    return cpu->scratch;
}

/* ------------------------------------------------------------------ runs */

typedef struct share_job {
    rfi_worker_fn fn;
    void *arg;
    rfi_share *shares;
    int n_shares;
} share_job;

static bool take_front(rfi_share *share, int64_t *task)
{
    uint64_t tasks = atomic_load_explicit(&share->tasks, memory_order_relaxed);
    while (tasks >> 32 < (uint32_t)tasks)
        if (atomic_compare_exchange_weak_explicit(&share->tasks, &tasks, tasks + (UINT64_C(1) << 32),
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *task = (int64_t)(tasks >> 32);
            return true;
        }
    return false;
}

static bool take_back(rfi_share *share, int64_t *task)
{
    uint64_t tasks = atomic_load_explicit(&share->tasks, memory_order_relaxed);
    while (tasks >> 32 < (uint32_t)tasks)
        if (atomic_compare_exchange_weak_explicit(&share->tasks, &tasks, tasks - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            *task = (int64_t)(uint32_t)tasks - 1;
            return true;
        }
    return false;
}

static void share_task(void *arg, int64_t mine)
{
    const share_job *job = arg;
    int64_t task;
    while (take_front(&job->shares[mine], &task))
        job->fn(job->arg, (int)mine, task);
    for (int i = 1; i < job->n_shares; i++)
        while (take_back(&job->shares[(mine + i) % job->n_shares], &task))
            job->fn(job->arg, (int)mine, task);
}

void rfi_run_workers(rf_device *device, rfi_worker_fn fn, void *arg, int64_t n_tasks)
{
    rfi_cpu *cpu = device->self;
    int n = rf_pool_threads(device->pool);
    if (n == 1 || n_tasks <= 1 || n_tasks > UINT32_MAX) {
        for (int64_t task = 0; task < n_tasks; task++)
            fn(arg, 0, task);
        return;
    }
    share_job job = {fn, arg, cpu->shares, n};
    for (int i = 0; i < n; i++) {
        uint64_t front = (uint64_t)(n_tasks * i / n), back = (uint64_t)(n_tasks * (i + 1) / n);
        atomic_store_explicit(&cpu->shares[i].tasks, front << 32 | back, memory_order_relaxed);
    }
    rf_pool_run(device->pool, share_task, &job, n);
}

typedef struct plain_job {
    rf_pool_fn fn;
    void *arg;
} plain_job;

static void plain_task(void *arg, int worker, int64_t task)
{
    (void)worker;
    const plain_job *job = arg;
    job->fn(job->arg, task);
}

void rfi_run(rf_device *device, rf_pool_fn fn, void *arg, int64_t n_tasks)
{
    plain_job job = {fn, arg};
    rfi_run_workers(device, plain_task, &job, n_tasks);
}

/* ------------------------------------------------------------------ rows in blocks */

typedef struct block_job {
    rfi_rows_fn fn;
    void *arg;
    int32_t n_rows, block;
} block_job;

static void block_task(void *arg, int64_t task)
{
    const block_job *job = arg;
    int32_t first = (int32_t)task * job->block;
    job->fn(job->arg, first, rfi_min32(first + job->block, job->n_rows));
}

void rfi_run_rows(rf_device *device, int32_t n_rows, int32_t block, rfi_rows_fn fn, void *arg)
{
    block_job job = {fn, arg, n_rows, block};
    rfi_run(device, block_task, &job, rfi_divide_up(n_rows, block));
}

/* ------------------------------------------------------------------ the device */

static void cpu_close(rf_device *device)
{
    rfi_cpu *cpu = device->self;
    if (cpu) {
        cpu_free(device, cpu->scratch);
        rf_free(cpu->shares);
    }
    rf_free(cpu);
    rf_pool_free(device->pool);
}

static const rf_device_class cpu_class = {
    .kind = "cpu",
    .close = cpu_close,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .write = cpu_write,
    .read = cpu_read,
    .sync = cpu_sync,
};

rf_code rfi_cpu_open(rf_device *device, int n_threads, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_isa isa;
    device->type = &cpu_class;
    RF_TRY(rfi_isa_choose(&isa, err));
    RF_TRY(rf_alloc_array(&device->self, 1, sizeof(rfi_cpu), "the CPU device", err));
    RF_TRY(rf_pool_create(&device->pool, n_threads, err));
    rfi_cpu *cpu = device->self;
    RF_TRY(RF_NEW_ARRAY(&cpu->shares, rf_pool_threads(device->pool), "the CPU device", err));
    device->ops = isa.ops;
    int threads = rf_pool_threads(device->pool);
    snprintf(device->name, sizeof device->name, "cpu");
    snprintf(device->summary, sizeof device->summary, "cpu, %d thread%s, %s", threads,
             threads == 1 ? "" : "s", isa.title);
out:
    return rc;
}
