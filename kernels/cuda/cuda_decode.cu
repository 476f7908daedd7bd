/* cuda_decode.cu - from logits to coded rows: what sampling ends with. A block owns a row, its warps take the spans in turn. */
#include "kernels/cuda/cuda_reduce.cuh"

enum { DECODE_THREADS = 128, DECODE_WARPS = DECODE_THREADS / RFI_WARP };

__device__ static float normal_at(rf_draw draw, uint32_t element)
{
    const rf_philox_block words = rf_philox(draw, element / 4);
    float pair[2];
    rf_normal_pair(words.word[element & 2], words.word[(element & 2) + 1], &pair[0], &pair[1]);
    return pair[element & 1];
}

__device__ static float decode_scalar(const rf_decode &op, const rfi_layout &layout, const rf_span &span,
                                      int32_t r, float logit, const rfi_trials &trials)
{
    float u = rf_tanh_f32(logit);
    if (op.sigma) {
        const uint32_t element = (uint32_t)r * (uint32_t)layout.n_scalars + (uint32_t)span.source;
        u = fmaf(rfi_at(op.sigma, trials)[span.source],
                 normal_at(rfi_draw_of(op.scalar_noise, trials), element), u);
    }
    u = u < -1.0f ? -1.0f : u;
    return u > 1.0f ? 1.0f : u;
}

/* What a code is the largest of. */
__device__ static float score_of(const rf_decode &op, const rf_draw &draw, uint32_t element, float logit)
{
    if (op.code_noise.step)
        return logit + rf_gumbel_f32(rf_philox_u32(draw, element));
    return op.saturate ? rf_tanh_f32(logit) : logit;
}

/* The index of the largest score, the lowest among equals, in every lane. A score that is not a number never wins. */
__device__ static int32_t largest_warp(const rf_decode &op, const rf_draw &draw, const float *logits,
                                       uint32_t element, int32_t n)
{
    float top = -INFINITY;
    int32_t best = n;
    for (int32_t c = (int32_t)(threadIdx.x % RFI_WARP); c < n; c += RFI_WARP) {
        const float score = score_of(op, draw, element + (uint32_t)c, logits[c]);
        if (score > top || (best == n && score == top)) {
            top = score;
            best = c;
        }
    }
    for (int flip = RFI_WARP / 2; flip > 0; flip /= 2) {
        const float other = __shfl_xor_sync(RFI_ALL, top, flip);
        const int32_t other_best = __shfl_xor_sync(RFI_ALL, best, flip);
        if (other > top || (other == top && other_best < best)) {
            top = other;
            best = other_best;
        }
    }
    return best < n ? best : 0;
}

__global__ void decode_kernel(rf_decode op, rfi_layout layout, rfi_trials trials)
{
    const int32_t r = (int32_t)blockIdx.x;
    const float *logits = rfi_at(op.logits.data, trials) + r * op.logits.ld;
    const int64_t out_row =
        r + (op.slot ? (int64_t)(*rfi_at(op.slot, trials) % (uint32_t)op.n_slots) * op.logits.rows : 0);
    rf_draw draw = {};
    if (op.code_noise.step)
        draw = rfi_draw_of(op.code_noise, trials);
    for (int32_t i = (int32_t)(threadIdx.x / RFI_WARP); i < layout.n_spans; i += DECODE_WARPS) {
        const rf_span span = layout.spans[i];
        const uint32_t element = (uint32_t)r * (uint32_t)layout.width + (uint32_t)span.offset;
        if (span.kind == RF_SPAN_CODE) {
            const int32_t code = largest_warp(op, draw, logits + span.offset, element, span.width);
            if (threadIdx.x % RFI_WARP == 0)
                rfi_at(op.codes, trials)[out_row * layout.n_codes + span.source] = (uint16_t)code;
        } else if (threadIdx.x % RFI_WARP == 0) {
            rfi_at(op.scalars, trials)[out_row * layout.n_scalars + span.source] =
                decode_scalar(op, layout, span, r, logits[span.offset], trials);
        }
    }
}

void rfi_cuda_decode(rf_device *device, const rf_decode *op)
{
    rfi_layout layout;
    if (!rfi_ready(device) || op->logits.rows == 0 || !rfi_layout_of(device, op->layout, &layout))
        return;
    RFI_LAUNCH(device, decode_kernel, op->logits.rows, 1, DECODE_THREADS, 0, *op, layout);
}
