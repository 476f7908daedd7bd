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

/* What each side fills in. `self` is its own. */
typedef struct rf_device_class {
    const char *kind; /* "cpu", "cuda" */
    void (*close)(rf_device *device);
    rf_code (*alloc)(rf_device *device, void **out, size_t size_bytes, rf_error *err);
    void (*free)(rf_device *device, void *pointer);
    rf_code (*write)(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err);
    rf_code (*read)(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err);
    rf_code (*sync)(rf_device *device, rf_error *err);
} rf_device_class;

struct rf_device {
    const rf_device_class *type;
    const struct rf_ops *ops;
    rf_pool *pool;      /* the CPU's team; NULL elsewhere                    */
    rf_error failure;   /* sticky: the first failed operation                */
    char name[64];      /* "cpu", "cuda:0"                                   */
    char summary[128];  /* "cpu, 2 threads, AVX-512"                         */
    void *self;
};

/* `name`: auto, cpu, cuda, cuda:N. n_threads 0 = all that this process may use. USAGE for an unknown name, DEVICE
 * (with the reason) for one that is not here. */
rf_code rf_device_open(rf_device **out, const char *name, int n_threads, rf_error *err) RF_MUST_CHECK;
void rf_device_close(rf_device *device); /* NULL is fine */

/* Zeroed, at a 256-byte boundary. */
rf_code rf_device_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
void rf_device_free(rf_device *device, void *pointer);
rf_code rf_device_write(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rf_device_read(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rf_device_sync(rf_device *device, rf_error *err) RF_MUST_CHECK;

/* One line a device, for `rowforge devices`: what was found, and why the others cannot be used. `json`: one array of
 * objects {name, usable, summary, reason}. */
void rf_device_list(rf_buf *out, bool json);

#endif
