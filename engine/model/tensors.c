#include "engine/model/tensors.h"

#include <assert.h>
#include <math.h>

#include "core/alloc.h"
#include "core/philox.h"

/* ------------------------------------------------------------------ declaring and placing */

static rfi_tensor *add(rfi_tensors *list, int64_t rows, int32_t cols)
{
    assert(list->n < RFI_TENSORS_MAX);
    rfi_tensor *tensor = &list->items[list->n++];
    list->too_large |= rows > INT32_MAX;
    *tensor = (rfi_tensor){.rows = list->too_large ? INT32_MAX : (int32_t)rows, .cols = cols};
    return tensor;
}

rfi_tensor *rfi_tensors_add(rfi_tensors *list, int64_t rows, int32_t cols, int64_t fan_in)
{
    rfi_tensor *tensor = add(list, rows, cols);
    tensor->hi = (float)(1.0 / sqrt((double)fan_in));
    tensor->lo = -tensor->hi;
    return tensor;
}

rfi_tensor *rfi_tensors_add_filled(rfi_tensors *list, int32_t rows, int32_t cols, float value)
{
    rfi_tensor *tensor = add(list, rows, cols);
    tensor->lo = tensor->hi = value;
    return tensor;
}

static size_t count_of(const rfi_tensor *tensor)
{
    return (size_t)tensor->rows * (size_t)tensor->cols;
}

void rfi_tensors_place_weights(rfi_tensors *list, rfi_slab *slab)
{
    for (int32_t i = 0; i < list->n; i++)
        list->items[i].w = rfi_slab_take(slab, count_of(&list->items[i]), sizeof(float));
}

void rfi_tensors_place_moments(rfi_tensors *list, rfi_slab *slab)
{
    for (int32_t i = 0; i < list->n; i++) {
        list->items[i].m = rfi_slab_take(slab, count_of(&list->items[i]), sizeof(float));
        list->items[i].v = rfi_slab_take(slab, count_of(&list->items[i]), sizeof(float));
    }
}

void rfi_tensors_start(rfi_tensors *list, rf_device *device, uint64_t seed, const uint32_t *zero)
{
    for (int32_t i = 0; i < list->n; i++) {
        const rfi_tensor *tensor = &list->items[i];
        const uint32_t purpose = RF_DRAW_INIT + 64 * (list->first_index + (uint32_t)i);
        device->ops->draw_uniform(
            device, &(rf_draw_uniform){.out = tensor->w,
                                       .n = (int64_t)count_of(tensor),
                                       .lo = tensor->lo,
                                       .hi = tensor->hi,
                                       .noise = {.seed = seed, .step = zero, .purpose = purpose}});
    }
}

/* ------------------------------------------------------------------ bytes */

size_t rfi_tensors_size(const rfi_tensors *list, bool moments)
{
    size_t count = 0;
    for (int32_t i = 0; i < list->n; i++)
        count += count_of(&list->items[i]);
    return count * sizeof(float) * (moments ? 3 : 1);
}

static size_t largest(const rfi_tensors *list)
{
    size_t most = 1;
    for (int32_t i = 0; i < list->n; i++)
        most = count_of(&list->items[i]) > most ? count_of(&list->items[i]) : most;
    return most;
}

/* A sum of x - x is 0 for finite numbers only; without a branch it costs no more than reading them. */
static bool all_finite(const float *values, size_t count)
{
    float sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i] - values[i];
    return sum == 0;
}

/* The k-th block of a tensor: its weights, first and second moments. */
static float *block(const rfi_tensor *tensor, int k)
{
    return k == 0 ? tensor->w : k == 1 ? tensor->m : tensor->v;
}

rf_code rfi_tensors_store(const rfi_tensors *list, rf_device *device, bool moments, rf_buf *out,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    float *host = NULL;
    RF_TRY(RF_NEW_ARRAY(&host, largest(list), "the model's weights", err));
    for (int k = 0; k < (moments ? 3 : 1); k++) {
        for (int32_t i = 0; i < list->n; i++) {
            const size_t count = count_of(&list->items[i]);
            RF_TRY(rf_device_read(device, host, block(&list->items[i], k), count * sizeof *host, err));
            if (!all_finite(host, count)) {
                rc = rf_fail(err, RF_DIVERGED,
                             "training diverged: the model's weights are no longer finite; try a smaller "
                             "learning rate");
                goto out;
            }
            rf_put_f32s(out, host, count);
        }
    }
    RF_TRY(rf_buf_check(out, "the model's weights", err));
out:
    rf_free(host);
    return rc;
}

rf_code rfi_tensors_load(rfi_tensors *list, rf_device *device, bool moments, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    float *host = NULL;
    if (rf_reader_left(reader) < rfi_tensors_size(list, moments))
        return rf_fail(err, RF_CORRUPT, "the model's weights are cut short");
    RF_TRY(RF_NEW_ARRAY(&host, largest(list), "the model's weights", err));
    for (int k = 0; k < (moments ? 3 : 1); k++) {
        for (int32_t i = 0; i < list->n; i++) {
            const size_t count = count_of(&list->items[i]);
            rf_get_f32s(reader, host, count);
            if (!all_finite(host, count)) {
                rc = rf_fail(err, RF_CORRUPT, "the model's weights hold a number that is not finite");
                goto out;
            }
            RF_TRY(rf_device_write(device, block(&list->items[i], k), host, count * sizeof *host, err));
        }
    }
out:
    rf_free(host);
    return rc;
}
