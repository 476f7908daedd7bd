/* cpu_critic.c - what the critic needs beside products: blends, dropout, its last layer and the gradient penalty. */
#include "kernels/cpu/cpu_draw.h"
#include "kernels/cpu/cpu_softmax.h"

enum { CRITIC_ROWS = 8, DROP_PIECE = 512 };

/* ------------------------------------------------------------------ interpolate */

static void interpolate_rows(void *arg, int32_t first, int32_t end)
{
    const rf_interpolate *op = arg;
    const rf_draw draw = rfi_draw_of(&op->noise);
    for (int32_t r = first; r < end; r++) {
        float alpha = rf_uniform_open(rf_philox_u32(draw, (uint32_t)r)), beta = 1.0f - alpha;
        float *out = op->out.data + r * op->out.ld;
        const float *real = op->real.data + r * op->real.ld, *fake = op->fake.data + r * op->fake.ld;
        for (int32_t c = 0; c < op->out.cols; c++)
            out[c] = fmaf(alpha, real[c], beta * fake[c]);
    }
}

void RFI_FN(rfi_interpolate)(rf_device *device, const rf_interpolate *op)
{
    rfi_run_rows(device, op->out.rows, CRITIC_ROWS, interpolate_rows, (void *)op);
}

/* ------------------------------------------------------------------ leaky ReLU and dropout */

/* Sixteen bits of the draw from element on. `words` holds them from word first / 32 on, and one more. */
RFI_INLINE uint32_t bits_at(const uint32_t *words, uint32_t first, uint32_t element)
{
    uint32_t at = element - (first & ~31u);
    uint64_t window = words[at / 32] | (uint64_t)words[at / 32 + 1] << 32;
    return (uint32_t)(window >> (at & 31)) & 0xFFFF;
}

static void leaky_piece(const rf_leaky_dropout *op, const rf_draw *draw, int32_t r, int32_t left, int32_t n)
{
    const uint32_t element = (uint32_t)r * (uint32_t)op->a.cols + (uint32_t)left;
    uint32_t words[DROP_PIECE / 32 + 8];
    int32_t skip;
    RFI_FN(rfi_words_at)(words, &skip, *draw, element / 32, n / 32 + 2);
    const float *a = op->a.data + r * op->a.ld + left;
    float *y = op->y.data + r * op->y.ld + left, *mask = op->mask.data + r * op->mask.ld + left;
    for (int32_t c = 0; c < n; c += RFI_LANES) {
        const int here = rfi_min32(RFI_LANES, n - c);
        const v16 x = v16_load_n(a + c, here);
        const v16 keep = v16_where(bits_at(words + skip, element, element + (uint32_t)c), v16_set(2.0f));
        const v16 slope = v16_add(v16_where_positive(x, v16_set(0.8f)), v16_set(0.2f)); /* exactly 1 or 0.2 */
        const v16 times = v16_mul(keep, slope);
        v16_store_n(mask + c, times, here);
        v16_store_n(y + c, v16_mul(times, x), here);
    }
}

static void leaky_rows(void *arg, int32_t first, int32_t end)
{
    const rf_leaky_dropout *op = arg;
    const rf_draw draw = rfi_draw_of(&op->noise);
    for (int32_t r = first; r < end; r++)
        for (int32_t left = 0; left < op->a.cols; left += DROP_PIECE)
            leaky_piece(op, &draw, r, left, rfi_min32(DROP_PIECE, op->a.cols - left));
}

void RFI_FN(rfi_leaky_dropout)(rf_device *device, const rf_leaky_dropout *op)
{
    rfi_run_rows(device, op->a.rows, CRITIC_ROWS, leaky_rows, (void *)op);
}

/* ------------------------------------------------------------------ head */

static void head_rows(void *arg, int32_t first, int32_t end)
{
    const rf_critic_head *op = arg;
    for (int32_t r = first; r < end; r++) {
        const float *mask = op->mask.data + r * op->mask.ld;
        float *restrict d = op->d.data + r * op->d.ld;
        op->score[r] = rfi_dot(op->h.data + r * op->h.ld, op->w, op->h.cols) + *op->bias;
        float coef = op->coef[r];
        for (int32_t c = 0; c < op->d.cols; c++)
            d[c] = coef * mask[c] * op->w[c];
    }
}

void RFI_FN(rfi_critic_head)(rf_device *device, const rf_critic_head *op)
{
    rfi_run_rows(device, op->h.rows, CRITIC_ROWS, head_rows, (void *)op);
    double sum = 0.0;
    for (int32_t r = 0; r < op->n_loss_rows; r++)
        sum += (double)op->coef[r] * (double)op->score[r];
    if (op->loss)
        *op->loss = (float)sum;
}

/* ------------------------------------------------------------------ penalty */

typedef struct penalty_job {
    const rf_penalty *op;
    float *row_loss;
} penalty_job;

/* Sum of squares; four chains of 16 lanes, since one would wait for itself. */
static float sum_of_squares(const float *x, int32_t n)
{
    v16 sum[4] = {v16_zero(), v16_zero(), v16_zero(), v16_zero()};
    int32_t i = 0;
    for (; i + 4 * RFI_LANES <= n; i += 4 * RFI_LANES)
        for (int j = 0; j < 4; j++) {
            v16 a = v16_load(x + i + j * RFI_LANES);
            sum[j] = v16_fma(a, a, sum[j]);
        }
    for (; i < n; i += RFI_LANES) {
        v16 a = v16_load_n(x + i, n - i < RFI_LANES ? n - i : RFI_LANES);
        sum[0] = v16_fma(a, a, sum[0]);
    }
    return v16_sum(v16_add(v16_add(sum[0], sum[1]), v16_add(sum[2], sum[3])));
}

static void penalty_rows(void *arg, int32_t first, int32_t end)
{
    const penalty_job *job = arg;
    const rf_penalty *op = job->op;
    for (int32_t r = first; r < end; r++) {
        float squares = sum_of_squares(op->g1.data + r * op->g1.ld, op->g1.cols);
        if (op->g2.data)
            squares += sum_of_squares(op->g2.data + r * op->g2.ld, op->g2.cols);
        float norm = sqrtf(squares);
        float scale = norm == 0.0f ? 0.0f : 2.0f * op->lambda / (float)op->g1.rows * (1.0f - 1.0f / norm);
        float *d = op->d.data + r * op->d.ld;
        for (int32_t c = 0; c < op->d.cols; c++)
            d[c] *= scale;
        op->scale[r] = scale;
        job->row_loss[r] = (norm - 1.0f) * (norm - 1.0f);
    }
}

void RFI_FN(rfi_penalty)(rf_device *device, const rf_penalty *op)
{
    int32_t rows = op->g1.rows;
    penalty_job job = {op, rfi_scratch(device, (size_t)rows * sizeof(float))};
    if (!job.row_loss)
        return;
    rfi_run_rows(device, rows, CRITIC_ROWS, penalty_rows, &job);
    double sum = 0.0;
    for (int32_t r = 0; r < rows; r++)
        sum += (double)job.row_loss[r];
    if (op->loss)
        *op->loss = (float)((double)op->lambda * sum / rows);
}
