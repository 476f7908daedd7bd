/* cpu_decode.c - from logits to coded rows: what sampling ends with. */
#include "kernels/cpu/cpu_draw.h"
#include "kernels/cpu/cpu_lanes.h"
#include "kernels/math/math32.h"

enum { DECODE_ROWS = 16, PIECE = 256 };

static float normal_at(const rf_draw *draw, uint32_t element)
{
    rf_philox_block words = rf_philox(*draw, element / 4);
    float pair[2];
    rf_normal_pair(words.word[element & 2], words.word[(element & 2) + 1], &pair[0], &pair[1]);
    return pair[element & 1];
}

static float decode_scalar(const rf_decode *op, int32_t r, const rf_span *span)
{
    float u = rf_tanh_f32(op->logits.data[r * op->logits.ld + span->offset]);
    if (op->sigma) {
        const rf_draw draw = rfi_draw_of(&op->scalar_noise);
        uint32_t element = (uint32_t)r * (uint32_t)op->layout->n_scalars + (uint32_t)span->source;
        u = fmaf(op->sigma[span->source], normal_at(&draw, element), u);
    }
    u = u < -1.0f ? -1.0f : u;
    return u > 1.0f ? 1.0f : u;
}

/* What a code is the largest of, for columns left .. left + n - 1 of a row. */
static void scores(const rf_decode *op, int32_t r, int32_t left, int32_t n, float *restrict score)
{
    const float *restrict logits = op->logits.data + r * op->logits.ld + left;
    if (op->code_noise.step) {
        uint32_t words[PIECE + 6];
        int32_t skip;
        uint32_t element = (uint32_t)r * (uint32_t)op->layout->width + (uint32_t)left;
        RFI_FN(rfi_words_at)(words, &skip, rfi_draw_of(&op->code_noise), element, n);
        const uint32_t *restrict w = words + skip;
        for (int32_t i = 0; i < n; i++)
            score[i] = logits[i] + rf_gumbel_f32(w[i]);
    } else if (op->saturate) {
        for (int32_t i = 0; i < n; i++)
            score[i] = rf_tanh_f32(logits[i]);
    } else {
        for (int32_t i = 0; i < n; i++)
            score[i] = logits[i];
    }
}

/* The first of the largest; no NaN wins, but one at the start is never beaten. */
#if defined(__AVX512F__)
static uint16_t largest_at(const float *score, int32_t n)
{
    const __m512 nothing = _mm512_set1_ps(-INFINITY);
    __m512 top = nothing;
    if (score[0] != score[0])
        return 0;
    for (int32_t i = 0; i < n; i += RFI_LANES) {
        const __mmask16 here = (__mmask16)((1u << rfi_min32(RFI_LANES, n - i)) - 1);
        top = _mm512_max_ps(_mm512_mask_loadu_ps(nothing, here, score + i), top);
    }
    top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    for (int32_t i = 0; i < n; i += RFI_LANES) {
        const __mmask16 here = (__mmask16)((1u << rfi_min32(RFI_LANES, n - i)) - 1);
        const uint32_t equal =
            _mm512_mask_cmp_ps_mask(here, _mm512_maskz_loadu_ps(here, score + i), top, _CMP_EQ_OQ);
        if (equal)
            return (uint16_t)(i + __builtin_ctz(equal));
    }
    return 0;
}
#else
static uint16_t largest_at(const float *score, int32_t n)
{
    float top = score[0];
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (score[i] > top) {
            top = score[i];
            best = i;
        }
    return (uint16_t)best;
}
#endif

/* A span wider than a piece. */
static uint16_t decode_wide(const rf_decode *op, int32_t r, const rf_span *span)
{
    float score[PIECE], top = 0.0f;
    int32_t best = 0;
    for (int32_t c = 0; c < span->width; c += PIECE) {
        int32_t here = rfi_min32(PIECE, span->width - c);
        scores(op, r, span->offset + c, here, score);
        int32_t at = largest_at(score, here);
        if (c == 0 || score[at] > top) {
            top = score[at];
            best = c + at;
        }
    }
    return (uint16_t)best;
}

/* The spans from `first` on that fit a piece together: one run of draws for all of them. Returns the span after them. */
static int32_t group_end(const rf_layout *layout, int32_t first)
{
    const int32_t left = layout->spans[first].offset;
    int32_t i = first;
    while (i < layout->n_spans && layout->spans[i].offset + layout->spans[i].width - left <= PIECE)
        i++;
    return i;
}

static void decode_group(const rf_decode *op, int32_t r, int32_t first, int32_t end)
{
    const rf_layout *layout = op->layout;
    const rf_span *last = &layout->spans[end - 1];
    const int32_t left = layout->spans[first].offset;
    float score[PIECE];
    scores(op, r, left, last->offset + last->width - left, score);
    for (int32_t i = first; i < end; i++) {
        const rf_span *span = &layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            op->scalars[(int64_t)r * layout->n_scalars + span->source] = decode_scalar(op, r, span);
        else
            op->codes[(int64_t)r * layout->n_codes + span->source] =
                largest_at(score + span->offset - left, span->width);
    }
}

static void decode_rows(void *arg, int32_t first, int32_t end)
{
    const rf_decode *op = arg;
    const rf_layout *layout = op->layout;
    for (int32_t r = first; r < end; r++)
        for (int32_t i = 0; i < layout->n_spans;) {
            const int32_t next = group_end(layout, i);
            if (next > i) {
                decode_group(op, r, i, next);
                i = next;
            } else {
                const rf_span *span = &layout->spans[i++];
                op->codes[(int64_t)r * layout->n_codes + span->source] = decode_wide(op, r, span);
            }
        }
}

void RFI_FN(rfi_decode)(rf_device *device, const rf_decode *op)
{
    rf_decode here = *op;
    if (op->slot) {
        const int64_t first = (int64_t)(*op->slot % (uint32_t)op->n_slots) * op->logits.rows;
        here.scalars = op->scalars ? op->scalars + first * op->layout->n_scalars : NULL;
        here.codes = op->codes ? op->codes + first * op->layout->n_codes : NULL;
    }
    rfi_run_rows(device, op->logits.rows, DECODE_ROWS, decode_rows, &here);
}
