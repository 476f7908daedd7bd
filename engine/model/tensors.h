/* tensors.h - the trained numbers of a network: a list of weight matrices with Adam's two moments.
 *
 * A network declares its tensors once, in a fixed order. From the list follow where they lie in device
 * memory, their seeded initial values, and their bytes in model files and checkpoints: row-major float32,
 * tensor after tensor, nothing between them.
 */
#ifndef RF_ENGINE_MODEL_TENSORS_H
#define RF_ENGINE_MODEL_TENSORS_H

#include "core/buf.h"
#include "core/error.h"
#include "engine/model/slab.h"
#include "kernels/backend.h"

enum { RFI_TENSORS_MAX = 48 };

typedef struct rfi_tensor {
    int32_t rows, cols;
    float lo, hi;     /* initial values: uniform between them, or the constant when they are equal */
    float *w, *m, *v; /* device; moments only while training                                     */
} rfi_tensor;

typedef struct rfi_tensors {
    int32_t n;
    uint32_t first_index; /* of the first tensor among all of the model: addresses the initial draws */
    bool too_large;       /* a declared matrix has more rows than a matrix can have                   */
    rfi_tensor items[RFI_TENSORS_MAX];
} rfi_tensors;

/* Declares the next tensor; the pointer stays valid. Uniform in +-1/sqrt(fan_in) (the initial values of
 * PyTorch's linear layer, after He et al., "Delving deep into rectifiers", 2015), or filled with one number.
 */
rfi_tensor *rfi_tensors_add(rfi_tensors *list, int64_t rows, int32_t cols, int64_t fan_in);
rfi_tensor *rfi_tensors_add_filled(rfi_tensors *list, int32_t rows, int32_t cols, float value);

void rfi_tensors_place_weights(rfi_tensors *list, rfi_slab *slab);
void rfi_tensors_place_moments(rfi_tensors *list, rfi_slab *slab);

/* Initial values. `zero` points to a step counter that holds 0, in device memory. */
void rfi_tensors_start(rfi_tensors *list, rf_device *device, uint64_t seed, const uint32_t *zero);

/* Bytes of the weights, and of both moments when `moments`. */
size_t rfi_tensors_size(const rfi_tensors *list, bool moments);

/* Appends weights (then moments) to `out`. DIVERGED when one of them is not finite: such a model is never
 * stored. */
rf_code rfi_tensors_store(const rfi_tensors *list, rf_device *device, bool moments, rf_buf *out,
                          rf_error *err) RF_MUST_CHECK;
/* CORRUPT when bytes are missing or a number is not finite. */
rf_code rfi_tensors_load(rfi_tensors *list, rf_device *device, bool moments, rf_reader *reader,
                         rf_error *err) RF_MUST_CHECK;

#endif
