/* slab.h - plan, then run: one piece of device memory and the pointers into it.
 *
 * A model names its buffers in one function that takes a slab. Run over a slab without a base the function
 * only adds up the bytes (what rf_model_class.plan reports); run again over the memory that was then
 * allocated, it hands out the pointers. The two can never disagree, and a step of training allocates nothing.
 *
 *     rfi_slab plan = {0};
 *     place_everything(model, &plan);                    // plan.used_bytes
 *     RF_TRY(rf_device_alloc(device, (void **)&slab.base, plan.used_bytes, err));
 *     place_everything(model, &slab);
 */
#ifndef RF_ENGINE_MODEL_SLAB_H
#define RF_ENGINE_MODEL_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/ops.h"

typedef struct rfi_slab {
    uint8_t *base;     /* NULL while planning                                         */
    size_t used_bytes; /* SIZE_MAX once a size did not fit any machine: it stays there */
} rfi_slab;

/* Every piece begins at a multiple of this, as vector loads like it. */
enum { RFI_SLAB_ALIGN = 256 };

static inline void *rfi_slab_take(rfi_slab *slab, size_t count, size_t size_bytes)
{
    size_t bytes, end;
    if (__builtin_mul_overflow(count, size_bytes, &bytes) || bytes > SIZE_MAX / 2 ||
        __builtin_add_overflow(slab->used_bytes, (bytes + RFI_SLAB_ALIGN - 1) & ~(size_t)(RFI_SLAB_ALIGN - 1),
                               &end)) {
        slab->used_bytes = SIZE_MAX;
        return NULL;
    }
    void *at = slab->base ? slab->base + slab->used_bytes : NULL;
    slab->used_bytes = end;
    return at;
}

static inline float *rfi_slab_floats(rfi_slab *slab, size_t rows, size_t cols)
{
    size_t count;
    if (__builtin_mul_overflow(rows, cols, &count))
        count = SIZE_MAX;
    return rfi_slab_take(slab, count, sizeof(float));
}

/* What two plans need together; SIZE_MAX when it fits no machine. */
static inline size_t rfi_slab_sum(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

/* A dense matrix, and a view of `cols` columns of a wider one. */
static inline rf_mat rfi_mat(float *data, int32_t rows, int32_t cols)
{
    return (rf_mat){.data = data, .rows = rows, .cols = cols, .ld = cols};
}

static inline rf_mat rfi_view(float *data, int32_t rows, int32_t cols, int64_t ld)
{
    return (rf_mat){.data = data, .rows = rows, .cols = cols, .ld = ld};
}

#endif
