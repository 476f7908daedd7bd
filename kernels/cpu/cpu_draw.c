/* cpu_draw.c - see cpu_draw.h; and the operations that only draw. */
#include "kernels/cpu/cpu_draw.h"

#include <string.h>

#include "kernels/math/math32.h"

enum {
    BLOCKS = 16,       /* Philox blocks side by side         */
    DRAW_CHUNK = 2048, /* elements of a task; a multiple of 4 */
};

/* ------------------------------------------------------------------ words */

/* Sixteen blocks at once: the same rounds as rf_philox_raw, a lane per block. */
static void words_16(uint32_t *restrict out, const rf_draw *draw, uint32_t block)
{
    uint32_t c0[BLOCKS], c1[BLOCKS], c2[BLOCKS], c3[BLOCKS];
    uint32_t k0 = (uint32_t)draw->seed, k1 = (uint32_t)(draw->seed >> 32);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        c0[i] = draw->step;
        c1[i] = draw->purpose;
        c2[i] = block + i;
        c3[i] = draw->trial;
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < BLOCKS; i++) {
            uint32_t c[4] = {c0[i], c1[i], c2[i], c3[i]};
            rf_philox_round(c, k0, k1);
            c0[i] = c[0];
            c1[i] = c[1];
            c2[i] = c[2];
            c3[i] = c[3];
        }
    for (int i = 0; i < BLOCKS; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

void RFI_FN(rfi_words)(uint32_t *out, rf_draw draw, uint32_t block, int32_t n_blocks)
{
    int32_t i = 0;
    for (; i + BLOCKS <= n_blocks; i += BLOCKS)
        words_16(out + 4 * i, &draw, block + (uint32_t)i);
    if (i < n_blocks) {
        uint32_t rest[4 * BLOCKS];
        words_16(rest, &draw, block + (uint32_t)i);
        memcpy(out + 4 * i, rest, (size_t)(n_blocks - i) * 4 * sizeof *out);
    }
}

void RFI_FN(rfi_words_at)(uint32_t *buffer, int32_t *skip, rf_draw draw, uint32_t element, int32_t n)
{
    *skip = (int32_t)(element & 3);
    RFI_FN(rfi_words)(buffer, draw, element / 4, (int32_t)rfi_divide_up(*skip + n, 4));
}

/* ------------------------------------------------------------------ normals */

void RFI_FN(rfi_normals)(float *restrict out, rf_draw draw, uint32_t first, int32_t n)
{
    enum { PIECE = 256 };
    uint32_t words[PIECE + 6];
    float pair[PIECE + 2];
    for (int32_t done = 0; done < n; done += PIECE) {
        int32_t here = rfi_min32(PIECE, n - done), skip;
        int32_t even = here + (here & 1);
        RFI_FN(rfi_words_at)(words, &skip, draw, first + (uint32_t)done, even);
        const uint32_t *restrict w = words + skip;
        for (int32_t i = 0; i < even / 2; i++)
            rf_normal_pair(w[2 * i], w[2 * i + 1], &pair[2 * i], &pair[2 * i + 1]);
        memcpy(out + done, pair, (size_t)here * sizeof *out);
    }
}

static void normal_task(void *arg, int64_t task)
{
    const rf_draw_normal *op = arg;
    const rf_draw draw = rfi_draw_of(&op->noise);
    int64_t n = (int64_t)op->out.rows * op->out.cols, first = task * DRAW_CHUNK;
    int32_t here = (int32_t)(n - first < DRAW_CHUNK ? n - first : DRAW_CHUNK);
    if (op->out.ld == op->out.cols) {
        RFI_FN(rfi_normals)(op->out.data + first, draw, (uint32_t)first, here);
        return;
    }
    float values[DRAW_CHUNK];
    RFI_FN(rfi_normals)(values, draw, (uint32_t)first, here);
    for (int32_t i = 0; i < here;) { /* a row, or what the chunk holds of it */
        int64_t row = (first + i) / op->out.cols, col = (first + i) % op->out.cols;
        int32_t run = rfi_min32(here - i, (int32_t)(op->out.cols - col));
        memcpy(op->out.data + row * op->out.ld + col, values + i, (size_t)run * sizeof *values);
        i += run;
    }
}

void RFI_FN(rfi_draw_normal)(rf_device *device, const rf_draw_normal *op)
{
    rf_pool_run(device->pool, normal_task, (void *)op,
                rfi_divide_up((int64_t)op->out.rows * op->out.cols, DRAW_CHUNK));
}

/* ------------------------------------------------------------------ uniforms */

static void uniform_task(void *arg, int64_t task)
{
    const rf_draw_uniform *op = arg;
    int64_t first = task * DRAW_CHUNK;
    int32_t here = (int32_t)(op->n - first < DRAW_CHUNK ? op->n - first : DRAW_CHUNK);
    uint32_t words[DRAW_CHUNK + 4];
    RFI_FN(rfi_words)(words, rfi_draw_of(&op->noise), (uint32_t)(first / 4), (here + 3) / 4);
    float *restrict out = op->out + first;
    float span = op->hi - op->lo;
    for (int32_t i = 0; i < here; i++)
        out[i] = fmaf(span, rf_uniform_open(words[i]), op->lo);
}

void RFI_FN(rfi_draw_uniform)(rf_device *device, const rf_draw_uniform *op)
{
    rf_pool_run(device->pool, uniform_task, (void *)op, rfi_divide_up(op->n, DRAW_CHUNK));
}
