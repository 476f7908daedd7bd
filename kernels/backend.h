/* backend.h - a device: memory, a stream, and a table of operations.
 *
 *     rf_device *device = NULL;
 *     RF_TRY(rf_device_open(&device, "auto", 2, err));
 *     float *x = NULL;
 *     RF_TRY(rf_device_alloc(device, (void **)&x, n * sizeof *x, err));
 *     device->ops->draw_normal(device, &(rf_draw_normal){…});
 *     RF_TRY(rf_device_read(device, host, x, n * sizeof *x, err));     // waits, and reports what failed
 *     rf_device_close(device);
 *
 * Models are written once against this header and ops.h and never learn which side they run on. Pointers
 * from rf_device_alloc are device memory: only operations, read and write may follow them. On the CPU an
 * operation is done when it returns; elsewhere it is enqueued. Operations return nothing: the first failure
 * is remembered in the device and comes out of the next read or sync.
 *
 * Threads: one at a time for a device.
 */
#ifndef RF_KERNELS_BACKEND_H
#define RF_KERNELS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/pool.h"

typedef struct rf_device rf_device;
struct rf_ops;

/* How a GPU does a step; the CPU has one way. Each is checked against the one before it.
 * AUTO   the best that there is for the sizes
 * PLAIN  products by cuBLASLt, batch normalisation by cuDNN, everything launched as it comes
 * GRAPH  the same, recorded and replayed
 * FUSED  our own products with everything after them in the same kernel, recorded and replayed */
#define RF_CONSTRUCTION_TABLE(X) X(AUTO, "auto") X(PLAIN, "plain") X(GRAPH, "graph") X(FUSED, "fused")

/* How a GPU multiplies. 3XTF32: three products of tf32 parts, as exact as float; TF32: 10 bits of mantissa; BF16: 7. Sums are float. */
#define RF_PRECISION_TABLE(X) X(3XTF32, "3xtf32") X(TF32, "tf32") X(BF16, "bf16")

typedef enum rf_construction {
#define RF_CONSTRUCTION_ENUM(name, text) RF_CONSTRUCTION_##name,
    RF_CONSTRUCTION_TABLE(RF_CONSTRUCTION_ENUM)
#undef RF_CONSTRUCTION_ENUM
        RF_CONSTRUCTION_COUNT
} rf_construction;

typedef enum rf_precision {
#define RF_PRECISION_ENUM(name, text) RF_PRECISION_##name,
    RF_PRECISION_TABLE(RF_PRECISION_ENUM)
#undef RF_PRECISION_ENUM
        RF_PRECISION_COUNT
} rf_precision;

/* Zero: the defaults. */
typedef struct rf_device_options {
    int n_threads; /* of the CPU, or beside a GPU; 0 = all that this process may use */
    rf_construction construction;
    rf_precision precision;
} rf_device_options;

/* Trials that train side by side in one run of operations: n slabs of the same layout, stride_bytes apart. A pointer of an operation
 * that lies in the first slab (base .. base + size_bytes - 1) means the t-th trial's own; any other is shared. Draws of
 * trial t are those of noise.trial + t. */
typedef struct rf_trials {
    void *base;
    size_t size_bytes, stride_bytes;
    int32_t n;
} rf_trials;

/* What a GPU's side did since it was opened. */
typedef struct rf_device_stats {
    int64_t launches;   /* kernels and library calls that the host started, while recording too */
    int64_t recordings; /* graphs                                                               */
    int64_t nodes;      /* kernels of the last graph for one step                               */
    int64_t replays;    /* of graphs                                                            */
    int64_t waits;      /* times that the host waited for the device                            */
} rf_device_stats;

typedef void (*rf_step_fn)(void *arg);

/* What each side fills in. `self` is its own. The last group may be NULL. */
typedef struct rf_device_class {
    const char *kind; /* "cpu", "cuda" */
    void (*close)(rf_device *device);
    rf_code (*alloc)(rf_device *device, void **out, size_t size_bytes, rf_error *err);
    void (*free)(rf_device *device, void *pointer);
    rf_code (*write)(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err);
    rf_code (*read)(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err);
    rf_code (*sync)(rf_device *device, rf_error *err);

    void (*fetch)(rf_device *device, void *to, const void *from, size_t size_bytes);
    void (*mark)(rf_device *device, int mark);
    rf_code (*await)(rf_device *device, int mark, rf_error *err);

    void (*repeat)(rf_device *device, const void *key, int64_t n, rf_step_fn step, void *arg);
    void (*forget)(rf_device *device, const void *key);
    rf_code (*trials)(rf_device *device, const rf_trials *trials, rf_error *err);
    rf_code (*alloc_shared)(rf_device *device, void **out, size_t size_bytes, rf_error *err);
    void (*free_shared)(rf_device *device, void *pointer);
} rf_device_class;

struct rf_device {
    const rf_device_class *type;
    const struct rf_ops *ops;
    rf_pool *pool;     /* the host's team of threads                        */
    rf_error failure;  /* sticky: the first failed operation                */
    char name[64];     /* "cpu", "cuda:0"                                   */
    char summary[128]; /* "cpu, 2 threads, AVX-512"                         */
    rf_device_stats stats;
    void *self;
};

/* `name`: auto (the first GPU that works, else the CPU), cpu, cuda (the first GPU that works), cuda:N. n_threads 0 = all that
 * this process may use. USAGE for an unknown name, DEVICE (with the reason) for one that is not here. A GPU that failed is
 * lost to this process: it is not opened again. */
rf_code rf_device_open(rf_device **out, const char *name, int n_threads, rf_error *err) RF_MUST_CHECK;
/* DEVICE also for a construction whose library is missing. */
rf_code rf_device_open_with(rf_device **out, const char *name, const rf_device_options *options,
                            rf_error *err) RF_MUST_CHECK;
void rf_device_close(rf_device *device); /* NULL is fine */

/* Zeroed, at a 256-byte boundary. */
rf_code rf_device_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
void rf_device_free(rf_device *device, void *pointer);
rf_code rf_device_write(rf_device *device, void *to, const void *from, size_t size_bytes,
                        rf_error *err) RF_MUST_CHECK;
rf_code rf_device_read(rf_device *device, void *to, const void *from, size_t size_bytes,
                       rf_error *err) RF_MUST_CHECK;
rf_code rf_device_sync(rf_device *device, rf_error *err) RF_MUST_CHECK;

/* Reading without waiting: fetch asks for a copy to `to`, which is memory of rf_device_alloc_shared; mark names everything that was
 * asked for so far (0..RF_DEVICE_MARKS-1, each used again and again); await returns when what was before that mark is done, and
 * reports what failed. Meanwhile the device goes on with what was asked for after the mark. */
enum { RF_DEVICE_MARKS = 2 };
void rf_device_fetch(rf_device *device, void *to, const void *from, size_t size_bytes);
void rf_device_mark(rf_device *device, int mark);
rf_code rf_device_await(rf_device *device, int mark, rf_error *err) RF_MUST_CHECK;
/* Whether operations are still to be done when they return, so that asking early gains time. */
bool rf_device_runs_beside(const rf_device *device);

/* Runs step(arg) n times. A step asks for the same operations with the same arguments each time and does nothing else: what changes
 * between steps lies in device memory. A device may so record the step and replay it; `key` names the recording, and whoever
 * frees memory that the step uses forgets it first. Failures come out of the next read, as ever. */
void rf_device_repeat(rf_device *device, const void *key, int64_t n, rf_step_fn step, void *arg);
void rf_device_forget(rf_device *device, const void *key);

/* From here on operations are done for all trials at once; NULL or n = 1: for one. DEVICE where it cannot be done (the CPU trains
 * one at a time). */
rf_code rf_device_trials(rf_device *device, const rf_trials *trials, rf_error *err) RF_MUST_CHECK;

/* Memory that operations and the host may both follow: slow for operations, good for tests and for staging. Not initialised. */
rf_code rf_device_alloc_shared(rf_device *device, void **out, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
void rf_device_free_shared(rf_device *device, void *pointer);

/* USAGE for an unknown name. */
rf_code rf_construction_parse(rf_construction *out, const char *name, rf_error *err) RF_MUST_CHECK;
rf_code rf_precision_parse(rf_precision *out, const char *name, rf_error *err) RF_MUST_CHECK;

/* One line a device, for `rowforge devices`: what was found, and why the others cannot be used. `json`: one array of
 * objects {name, usable, summary, reason}. */
void rf_device_list(rf_buf *out, bool json);

#endif
