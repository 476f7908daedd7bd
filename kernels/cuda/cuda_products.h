/* cuda_products.h - what the plain and the fused way of a product share: what comes after it, and who does it. */
#ifndef RF_CUDA_PRODUCTS_H
#define RF_CUDA_PRODUCTS_H

#include "kernels/cuda/cuda_blas.h"
#include "kernels/cuda/cuda_private.h"

/* ------------------------------------------------------------------ after the product */

__device__ inline float rfi_gated(const rf_mat &gate, rf_gate kind, float y, int32_t r, int32_t c,
                                  const rfi_trials &trials)
{
    if (kind == RF_GATE_NONE)
        return y;
    const float g = rfi_at(gate.data, trials)[r * gate.ld + c];
    return kind == RF_GATE_MULTIPLY ? y * g : g > 0.0f ? y : 0.0f;
}

/* What an element of an affine operation becomes once its product is summed. */
__device__ inline float rfi_affine_finished(const rf_affine &op, float y, int32_t r, int32_t c,
                                            const rfi_trials &trials)
{
    if (op.gather.data) {
        const float *gather = rfi_at(op.gather.data, trials);
        const int32_t *ids = rfi_at(op.ids, trials) + (int64_t)r * op.n_ids;
        for (int32_t s = 0; s < op.n_ids; s++)
            y += gather[((int64_t)s * op.gather_stride + ids[s]) * op.gather.ld + c];
    }
    if (op.bias)
        y += rfi_at(op.bias, trials)[c];
    if (op.relu)
        y = y < 0.0f ? 0.0f : y;
    if (op.row_scale)
        y *= rfi_at(op.row_scale, trials)[r];
    return rfi_gated(op.gate, op.gate_kind, y, r, c, trials);
}

/* The factor of leaky ReLU and dropout for element (r, c) of a matrix that holds x there. */
__device__ inline float rfi_leaky_factor(const rf_leaky_dropout &op, float x, int32_t r, int32_t c,
                                         const rfi_trials &trials)
{
    const uint32_t e = (uint32_t)r * (uint32_t)op.a.cols + (uint32_t)c;
    const bool keep = rf_philox_u32(rfi_draw_of(op.noise, trials), e >> 5) >> (e & 31) & 1;
    return (keep ? 2.0f : 0.0f) * (x > 0.0f ? 1.0f : 0.2f);
}

/* Row r's share of the real row in a blend. */
__device__ inline float rfi_blend_share(const rf_interpolate &op, int32_t r, const rfi_trials &trials)
{
    return rf_uniform_open(rf_philox_u32(rfi_draw_of(op.noise, trials), (uint32_t)r));
}

/* What a row's gradient of that norm is scaled by. */
__device__ inline float rfi_penalty_scale(const rf_penalty &op, float norm)
{
    return norm == 0.0f ? 0.0f : 2.0f * op.lambda / (float)op.g1.rows * (1.0f - 1.0f / norm);
}

/* ------------------------------------------------------------------ who multiplies */

/* Whether a product is one of our own, and a compound with it done in one go. Ours are made for the small matrices of these networks:
 * latency, not arithmetic, is what they save. A large one goes to cuBLASLt where that is found and the construction leaves the
 * choice, which depends on nothing else. */
bool rfi_multiplies_itself(rf_device *device, int64_t rows, int64_t cols, int64_t depth);

static inline bool rfi_fuses(rf_device *device, const rf_affine *op)
{
    return rfi_multiplies_itself(device, op->y.rows, op->y.cols, op->x.data ? op->x.cols : 0);
}

static inline bool rfi_fuses(rf_device *device, const rf_affine_back *op)
{
    return rfi_multiplies_itself(device, op->dx.rows, op->dx.cols, op->dy.cols);
}

static inline bool rfi_same_place(const rf_mat &a, const rf_mat &b)
{
    return a.data == b.data && a.ld == b.ld && a.rows == b.rows && a.cols == b.cols;
}

/* ------------------------------------------------------------------ plain: cuBLASLt */

/* Floats from one trial's to the next; 0 for what all of them share. */
static inline int64_t rfi_trial_stride(const rfi_cuda *cuda, const float *data)
{
    const size_t offset =
        (size_t)(reinterpret_cast<uintptr_t>(data) - reinterpret_cast<uintptr_t>(cuda->trials.base));
    return offset < cuda->trials.size_bytes ? (int64_t)(cuda->trials.stride_bytes / sizeof(float)) : 0;
}

static inline rfi_blas_product rfi_blas_product_of(rf_device *device, rf_mat c, rf_mat a, bool a_transposed,
                                                   rf_mat b, bool b_transposed)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    rfi_blas_product product = {};
    product.rows = c.rows;
    product.cols = c.cols;
    product.depth = a_transposed ? a.rows : a.cols;
    product.a = {a.data, a.ld, rfi_trial_stride(cuda, a.data), a_transposed};
    product.b = {b.data, b.ld, rfi_trial_stride(cuda, b.data), b_transposed};
    product.c = c.data;
    product.ldc = c.ld;
    product.c_stride = rfi_trial_stride(cuda, c.data);
    product.n_trials = cuda->n_trials;
    product.precision = cuda->precision;
    return product;
}

static inline void rfi_blas_bias(rf_device *device, rfi_blas_product *product, const float *bias)
{
    product->bias = bias;
    product->bias_stride = bias ? rfi_trial_stride(static_cast<const rfi_cuda *>(device->self), bias) : 0;
}

static inline void rfi_blas_run(rf_device *device, const rfi_blas_product *product)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    device->stats.launches++;
    (void)rfi_blas_multiply(cuda->blas, product, cuda->stream, &device->failure);
}

/* ------------------------------------------------------------------ fused: our own (cuda_fused.cu, cuda_learn.cu) */

void rfi_fused_affine(rf_device *device, const rf_affine *op);
void rfi_fused_affine_back(rf_device *device, const rf_affine_back *op);
void rfi_fused_update(rf_device *device, const rf_update *op, const rfi_layout *layout);
void rfi_fused_update_vector(rf_device *device, const rf_update_vector *op);
void rfi_fused_updates_begin(rf_device *device, rf_adam *adam);
void rfi_fused_updates_end(rf_device *device, const rf_step_tick *op);

#endif
