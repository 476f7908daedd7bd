/* bench_step.c - a training step of each network on the shapes of the Adult table, operation by operation.
 *
 * The steps are written out as a model would run them: 500 rows, 157 encoded entries, 104 condition entries, generator 232 ->
 * 256 -> 256 -> 157 with concatenation, critic 2610 -> 256 -> 256 -> 1 over 50 packs of 10; autoencoder with layers of 128.
 */
#include "bench_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/philox.h"

enum {
    B = 500,
    PACK = 10,
    PACKS = B / PACK,
    Z = 128,
    H = 256,
    D = 157,
    C = 104,
    N_SPANS = 21,
    IN3 = 2 * H + Z, /* [h2 | h1 | z], the wide input of the generator's last layer */
    CODE = 128,      /* TVAE's layers */
    TABLE_ROWS = 32561,
    SLAB_BYTES = 32 << 20,
};

/* ------------------------------------------------------------------ memory, weights */

static uint32_t crc;

/* All buffers lie in one block of memory, as a model's do. */
static struct {
    uint8_t *block; /* NULL: none yet on this device */
    size_t used_bytes;
} slab;

void network_forget(rf_device *device)
{
    rf_device_free(device, slab.block);
    slab.block = NULL;
}

static void *memory(rf_device *device, size_t size_bytes)
{
    rf_error err = {0};
    if (!slab.block) {
        slab.used_bytes = 0;
        if (rf_device_alloc(device, (void **)&slab.block, SLAB_BYTES, &err) != RF_OK)
            bench_die(err.message);
    }
    void *out = slab.block + slab.used_bytes;
    slab.used_bytes += (size_bytes + 255) & ~(size_t)255;
    if (slab.used_bytes > SLAB_BYTES)
        bench_die("the slab is too small");
    return out;
}

static rf_mat matrix(rf_device *device, int32_t rows, int32_t cols)
{
    return (rf_mat){memory(device, (size_t)rows * (size_t)cols * sizeof(float)), rows, cols, cols};
}

static rf_mat view(rf_mat m, int32_t row, int32_t rows, int32_t col, int32_t cols)
{
    return (rf_mat){m.data + row * m.ld + col, rows, cols, m.ld};
}

/* A weight matrix or vector with its moments. */
typedef struct weight {
    float *w, *m, *v;
    int32_t rows, cols;
} weight;

static const uint32_t step_zero = 0;

static weight weight_new(rf_device *device, int32_t rows, int32_t cols, uint32_t tensor)
{
    size_t n = (size_t)rows * (size_t)cols;
    weight out = {memory(device, n * 4), memory(device, n * 4), memory(device, n * 4), rows, cols};
    float bound = 1.0f / sqrtf((float)rows);
    device->ops->draw_uniform(
        device,
        &(rf_draw_uniform){out.w, (int64_t)n, -bound, bound, {7, &step_zero, RF_DRAW_INIT + 64 * tensor, 0}});
    return out;
}

static rf_mat part(weight w, int32_t first, int32_t rows)
{
    return (rf_mat){w.w + (int64_t)first * w.cols, rows, w.cols, w.cols};
}

static void weight_crc(rf_device *device, weight w)
{
    rf_error err = {0};
    size_t n = (size_t)w.rows * (size_t)w.cols;
    float *host = malloc(n * sizeof *host);
    if (!host || rf_device_read(device, host, w.w, n * sizeof *host, &err) != RF_OK)
        bench_die(host ? err.message : "no memory");
    crc = rf_crc32c(crc, host, n * sizeof *host);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(host[i]))
            bench_die("a weight is not finite");
    free(host);
}

/* ------------------------------------------------------------------ the table */

static rf_span spans[N_SPANS];
static rf_layout layout = {.n_spans = N_SPANS, .spans = spans};
static int32_t condition_span[9], condition_offsets[10];

void networks_init(void)
{
    /* 0 a scalar, negative the modes of the scalar before it, positive a category column */
    static const int32_t widths[N_SPANS] = {0, -10, 9, 0,  -9, 16, 0, -10, 7,  15, 6,
                                            5, 2,   0, -5, 0,  -3, 0, -10, 42, 2};
    for (int32_t i = 0; i < N_SPANS; i++) {
        spans[i] = (rf_span){RF_SPAN_SCALAR, layout.width, 1, 0, -1, 0};
        if (widths[i] == 0) {
            spans[i].source = layout.n_scalars++;
        } else {
            spans[i].kind = RF_SPAN_CODE;
            spans[i].width = abs(widths[i]);
            spans[i].source = layout.n_codes++;
        }
        if (widths[i] > 0) {
            condition_span[layout.n_conditions] = i;
            spans[i].condition = layout.n_conditions;
            spans[i].cond_offset = layout.condition_width;
            layout.condition_width += widths[i];
            condition_offsets[++layout.n_conditions] = layout.condition_width;
        }
        layout.width += spans[i].width;
    }
    if (layout.width != D || layout.condition_width != C)
        bench_die("the layout is not Adult's");
}

typedef struct adult {
    rf_coded rows;
    rf_condition_table conditions;
} adult;

static adult make_table(rf_device *device)
{
    adult t = {.rows = {.n_rows = TABLE_ROWS}};
    double *cumulative = memory(device, C * sizeof *cumulative);
    int64_t *offsets = memory(device, (C + 1) * sizeof *offsets), n = 0;
    uint32_t *list = memory(device, 9 * TABLE_ROWS * sizeof *list);
    t.rows.scalars = memory(device, TABLE_ROWS * 6 * sizeof(float));
    t.rows.codes = memory(device, TABLE_ROWS * 15 * sizeof(uint16_t));
    for (uint32_t i = 0; i < TABLE_ROWS * 6; i++)
        t.rows.scalars[i] = 2.0f * rf_uniform_open(rf_philox_u32((rf_draw){.seed = 1}, i)) - 1.0f;
    for (int32_t s = 0; s < N_SPANS; s++)
        for (uint32_t r = 0; spans[s].kind == RF_SPAN_CODE && r < TABLE_ROWS; r++) {
            uint32_t word = rf_philox_u32((rf_draw){.seed = 2, .step = (uint32_t)s}, r);
            uint32_t code =
                r < (uint32_t)spans[s].width ? r : rf_uniform_below(word, (uint32_t)spans[s].width);
            t.rows.codes[r * 15 + (uint32_t)spans[s].source] = (uint16_t)code;
        }
    for (int32_t j = 0; j < 9; j++) {
        const rf_span *span = &spans[condition_span[j]];
        for (int32_t c = 0; c < span->width; c++) {
            cumulative[condition_offsets[j] + c] = c + 1 == span->width ? 1.0 : (c + 1.0) / span->width;
            offsets[condition_offsets[j] + c] = n;
            for (uint32_t r = 0; r < TABLE_ROWS; r++)
                if (t.rows.codes[r * 15 + (uint32_t)span->source] == c)
                    list[n++] = r;
        }
    }
    offsets[C] = n;
    t.conditions = (rf_condition_table){9, C, condition_offsets, cumulative, offsets, list};
    return t;
}

/* ------------------------------------------------------------------ CTGAN */

typedef struct ctgan {
    adult table;
    uint32_t *step;
    rf_adam *adam_g, *adam_d;
    weight w1, w2, w3, b3, gamma1, gamma2, beta1, beta2; /* generator */
    weight v1d, v1c, v2, v3, c1, c2, c3;                 /* critic    */
    rf_mat x, a1, a2, logits, fake, dx, da1, da2, dlogits, dfake;
    rf_mat h1, h2, m1, m2, d1, d2, g1, g2;
    float *mean1, *rstd1, *mean2, *rstd2, *dgamma, *dbeta, *score, *coef_d, *coef_g, *coef_3, *scale, *loss;
    float *scalars;
    uint16_t *codes;
    int32_t *entries, *columns, *real_entries;
} ctgan;

static rf_adam *adam_new(rf_device *device, float lr, float beta1, float beta2, float decay)
{
    rf_adam *adam = memory(device, sizeof *adam);
    *adam = (rf_adam){1.0, 1.0, lr, beta1, beta2, 1e-8f, decay, 0.0f, 0.0f};
    return adam;
}

static float *floats(rf_device *device, int32_t n)
{
    return memory(device, (size_t)n * sizeof(float));
}

static void ctgan_weights(ctgan *t, rf_device *d)
{
    t->w1 = weight_new(d, Z + C, H, 0), t->w2 = weight_new(d, H + Z + C, H, 1),
    t->w3 = weight_new(d, IN3 + C, D, 2);
    t->b3 = weight_new(d, 1, D, 5);
    t->gamma1 = weight_new(d, 1, H, 6), t->gamma2 = weight_new(d, 1, H, 7);
    t->beta1 = weight_new(d, 1, H, 8), t->beta2 = weight_new(d, 1, H, 9);
    t->v1d = weight_new(d, PACK * D, H, 10), t->v1c = weight_new(d, PACK * C, H, 11),
    t->v2 = weight_new(d, H, H, 12);
    t->v3 = weight_new(d, 1, H, 13), t->c1 = weight_new(d, 1, H, 14), t->c2 = weight_new(d, 1, H, 15),
    t->c3 = weight_new(d, 1, 1, 16);
    t->adam_g = adam_new(d, 2e-4f, 0.5f, 0.9f, 1e-6f);
    t->adam_d = adam_new(d, 2e-4f, 0.5f, 0.9f, 1e-6f);
}

static void ctgan_new(ctgan *t, rf_device *d)
{
    t->table = make_table(d);
    t->step = memory(d, sizeof *t->step);
    ctgan_weights(t, d);
    t->x = matrix(d, B, IN3), t->a1 = matrix(d, B, H), t->a2 = matrix(d, B, H), t->logits = matrix(d, B, D),
    t->fake = matrix(d, B, D);
    t->dx = matrix(d, B, 2 * H), t->da1 = matrix(d, B, H), t->da2 = matrix(d, B, H),
    t->dlogits = matrix(d, B, D), t->dfake = matrix(d, B, D);
    t->h1 = matrix(d, 3 * PACKS, H), t->h2 = matrix(d, 3 * PACKS, H), t->m1 = matrix(d, 3 * PACKS, H),
    t->m2 = matrix(d, 3 * PACKS, H);
    t->d1 = matrix(d, 3 * PACKS, H), t->d2 = matrix(d, 3 * PACKS, H), t->g1 = matrix(d, PACKS, PACK * D),
    t->g2 = matrix(d, PACKS, PACK * C);
    t->mean1 = floats(d, H), t->rstd1 = floats(d, H), t->mean2 = floats(d, H), t->rstd2 = floats(d, H);
    t->dgamma = floats(d, H), t->dbeta = floats(d, H), t->score = floats(d, 3 * PACKS),
    t->scale = floats(d, PACKS), t->loss = floats(d, 4);
    t->coef_d = floats(d, 3 * PACKS), t->coef_g = floats(d, PACKS), t->coef_3 = floats(d, 3 * PACKS);
    for (int r = 0; r < 3 * PACKS; r++) {
        t->coef_d[r] = r < PACKS ? 1.0f / PACKS : r < 2 * PACKS ? -1.0f / PACKS : 1.0f;
        t->coef_g[r % PACKS] = -1.0f / PACKS;
    }
    t->scalars = floats(d, B * 6);
    t->codes = memory(d, B * 15 * sizeof *t->codes);
    t->entries = memory(d, B * sizeof *t->entries), t->columns = memory(d, B * sizeof *t->columns);
    t->real_entries = memory(d, B * sizeof *t->real_entries);
}

static rf_noise noise(const ctgan *t, uint32_t purpose)
{
    return (rf_noise){.seed = 7, .step = t->step, .purpose = purpose};
}

static double mf(double rows, double depth, double cols)
{
    return 2e-6 * rows * depth * cols;
}

static void generator_forward(bench *b, ctgan *t, bool critic_step)
{
    rf_mat z = view(t->x, 0, B, 2 * H, Z), x2 = view(t->x, 0, B, H, H + Z), h1 = view(t->x, 0, B, H, H),
           h2 = view(t->x, 0, B, 0, H);
    rf_noise zn = noise(t, critic_step ? RF_DRAW_NOISE_D : RF_DRAW_NOISE_G);
    rf_noise gn = noise(t, critic_step ? RF_DRAW_GUMBEL_D : RF_DRAW_GUMBEL_G);
    RUN(b, "draw_normal z", 0, draw_normal, .out = z, .noise = zn);
    RUN(b, "draw_conditions", 0, draw_conditions, .out = t->entries, .out_column = t->columns, .n = B,
        .fixed_entry = -1, .table = &t->table.conditions,
        .noise = noise(t, critic_step ? RF_DRAW_COND_D : RF_DRAW_COND_G));
    RUN(b, "affine g1 128>256", mf(B, Z, H), affine, .y = t->a1, .x = z, .w = part(t->w1, 0, Z),
        .gather = part(t->w1, Z, C), .ids = t->entries, .n_ids = 1, .gather_stride = C);
    RUN(b, "batchnorm_relu 1", 0, batchnorm_relu, .h = h1, .a = t->a1, .gamma = t->gamma1.w,
        .beta = t->beta1.w, .mean = t->mean1, .rstd = t->rstd1);
    RUN(b, "affine g2 384>256", mf(B, H + Z, H), affine, .y = t->a2, .x = x2, .w = part(t->w2, 0, H + Z),
        .gather = part(t->w2, H + Z, C), .ids = t->entries, .n_ids = 1, .gather_stride = C);
    RUN(b, "batchnorm_relu 2", 0, batchnorm_relu, .h = h2, .a = t->a2, .gamma = t->gamma2.w,
        .beta = t->beta2.w, .mean = t->mean2, .rstd = t->rstd2);
    RUN(b, "affine g3 640>157", mf(B, IN3, D), affine, .y = t->logits, .x = t->x, .w = part(t->w3, 0, IN3),
        .bias = t->b3.w, .gather = part(t->w3, IN3, C), .ids = t->entries, .n_ids = 1, .gather_stride = C);
    RUN(b, "activate", 0, activate, .out = t->fake, .logits = t->logits, .layout = &layout, .tau = 0.2f,
        .noise = gn);
}

static rf_mat packs_of(rf_mat rows)
{
    return (rf_mat){rows.data, PACKS, PACK * D, PACK * D};
}

static void critic_forward(bench *b, ctgan *t, int32_t rows, bool critic_step)
{
    rf_mat h1 = view(t->h1, 0, rows, 0, H), h2 = view(t->h2, 0, rows, 0, H), m1 = view(t->m1, 0, rows, 0, H),
           m2 = view(t->m2, 0, rows, 0, H);
    RUN(b, "affine c1 fake 1570>256", mf(PACKS, PACK * D, H), affine, .y = view(t->h1, 0, PACKS, 0, H),
        .x = packs_of(t->fake), .w = part(t->v1d, 0, PACK * D), .bias = t->c1.w,
        .gather = part(t->v1c, 0, PACK * C), .ids = t->entries, .n_ids = PACK, .gather_stride = C);
    if (critic_step) {
        RUN(b, "affine_coded c1 real", mf(PACKS, 210, H), affine_coded, .y = view(t->h1, PACKS, PACKS, 0, H),
            .w = part(t->v1d, 0, PACK * D), .bias = t->c1.w, .layout = &layout, .scalars = t->scalars,
            .codes = t->codes, .pack = PACK, .gather = part(t->v1c, 0, PACK * C), .ids = t->real_entries,
            .gather_stride = C);
        RUN(b, "interpolate", 0, interpolate, .out = view(t->h1, 2 * PACKS, PACKS, 0, H),
            .real = view(t->h1, PACKS, PACKS, 0, H), .fake = view(t->h1, 0, PACKS, 0, H),
            .noise = noise(t, RF_DRAW_ALPHA));
    }
    RUN(b, "leaky_dropout 1", 0, leaky_dropout, .y = h1, .a = h1, .mask = m1,
        .noise = noise(t, critic_step ? RF_DRAW_DROPOUT_D1 : RF_DRAW_DROPOUT_G1));
    RUN(b, "affine c2 256>256", mf(rows, H, H), affine, .y = h2, .x = h1, .w = part(t->v2, 0, H),
        .bias = t->c2.w);
    RUN(b, "leaky_dropout 2", 0, leaky_dropout, .y = h2, .a = h2, .mask = m2,
        .noise = noise(t, critic_step ? RF_DRAW_DROPOUT_D2 : RF_DRAW_DROPOUT_G2));
    RUN(b, "critic_head", 0, critic_head, .h = h2, .mask = m2, .d = view(t->d2, 0, rows, 0, H), .w = t->v3.w,
        .bias = t->c3.w, .coef = critic_step ? t->coef_d : t->coef_g, .score = t->score,
        .n_loss_rows = critic_step ? 2 * PACKS : rows, .loss = t->loss);
    RUN(b, "affine_back c2", mf(rows, H, H), affine_back, .dx = view(t->d1, 0, rows, 0, H),
        .dy = view(t->d2, 0, rows, 0, H), .w = part(t->v2, 0, H), .gate = m1, .gate_kind = RF_GATE_MULTIPLY);
}

static void penalty_chain(bench *b, ctgan *t)
{
    rf_mat d = view(t->d1, 2 * PACKS, PACKS, 0, H), q = view(t->h1, 2 * PACKS, PACKS, 0, H);
    RUN(b, "affine_back g1 256>1570", mf(PACKS, PACK * D, H), affine_back, .dx = t->g1, .dy = d,
        .w = part(t->v1d, 0, PACK * D));
    RUN(b, "affine_back g2 256>1040", mf(PACKS, PACK * C, H), affine_back, .dx = t->g2, .dy = d,
        .w = part(t->v1c, 0, PACK * C));
    RUN(b, "penalty", 0, penalty, .g1 = t->g1, .g2 = t->g2, .d = d, .scale = t->scale, .lambda = 10.0f,
        .loss = t->loss + 1);
    RUN(b, "affine q1 1570>256", mf(PACKS, PACK * D, H), affine, .y = q, .x = t->g1,
        .w = part(t->v1d, 0, PACK * D));
    RUN(b, "affine q1 += 1040>256", mf(PACKS, PACK * C, H), affine, .y = q, .x = t->g2,
        .w = part(t->v1c, 0, PACK * C), .accumulate = true, .row_scale = t->scale,
        .gate = view(t->m1, 2 * PACKS, PACKS, 0, H), .gate_kind = RF_GATE_MULTIPLY);
    RUN(b, "affine u2 256>256", mf(PACKS, H, H), affine, .y = view(t->h2, 2 * PACKS, PACKS, 0, H), .x = q,
        .w = part(t->v2, 0, H), .gate = view(t->m2, 2 * PACKS, PACKS, 0, H), .gate_kind = RF_GATE_MULTIPLY);
}

#define WEIGHT(x) .w = (x).w, .m = (x).m, .v = (x).v
#define MATRIX(x) WEIGHT(x), .rows = (x).rows, .cols = (x).cols
#define ROWS_OF(x, from, n)                                                                                  \
    .w = (x).w + (from) * (x).cols, .m = (x).m + (from) * (x).cols, .v = (x).v + (from) * (x).cols,          \
    .rows = (n), .cols = (x).cols

static void critic_update(bench *b, ctgan *t)
{
    rf_mat fake = view(t->d1, 0, PACKS, 0, H), real = view(t->d1, PACKS, PACKS, 0, H),
           mix = view(t->d1, 2 * PACKS, PACKS, 0, H);
    b->device->ops->adam_tick(b->device, t->adam_d);
    RUN(b, "update c1 data 1570x256", 2 * mf(PACKS, PACK * D, H) + mf(PACKS, 210, H), update, MATRIX(t->v1d),
        .n_dense = 2, .dense = {{packs_of(t->fake), fake}, {t->g1, mix}},
        .coded = {.b = real, .layout = &layout, .scalars = t->scalars, .codes = t->codes, .pack = PACK},
        .adam = t->adam_d);
    RUN(b, "update c1 conditions 1040x256", mf(PACKS, PACK * C, H), update, MATRIX(t->v1c), .n_dense = 1,
        .dense = {{t->g2, mix}}, .n_gather = 2,
        .gather = {{fake, t->entries, PACK, C}, {real, t->real_entries, PACK, C}}, .adam = t->adam_d);
    RUN(b, "update c2 256x256", mf(3 * PACKS, H, H), update, MATRIX(t->v2), .n_dense = 1,
        .dense = {{t->h1, t->d2}}, .adam = t->adam_d);
    RUN(b, "update_vector c1 bias", 0, update_vector, WEIGHT(t->c1), .n = H,
        .b = view(t->d1, 0, 2 * PACKS, 0, H), .adam = t->adam_d);
    RUN(b, "update_vector c2 bias", 0, update_vector, WEIGHT(t->c2), .n = H,
        .b = view(t->d2, 0, 2 * PACKS, 0, H), .adam = t->adam_d);
    RUN(b, "update_vector c3", 0, update_vector, WEIGHT(t->v3), .n = H, .b = t->h2, .coef = t->coef_d,
        .adam = t->adam_d);
}

static void generator_norm_back(bench *b, ctgan *t, rf_mat da, rf_mat dh, rf_mat h, rf_mat a, weight gamma,
                                weight beta, const float *mean, const float *rstd)
{
    RUN(b, "batchnorm_relu_back", 0, batchnorm_relu_back, .da = da, .dh = dh, .h = h, .a = a,
        .gamma = gamma.w, .mean = mean, .rstd = rstd, .dgamma = t->dgamma, .dbeta = t->dbeta);
    RUN(b, "update_vector gamma", 0, update_vector, WEIGHT(gamma), .n = H, .given = t->dgamma,
        .adam = t->adam_g);
    RUN(b, "update_vector beta", 0, update_vector, WEIGHT(beta), .n = H, .given = t->dbeta,
        .adam = t->adam_g);
}

static void generator_update(bench *b, ctgan *t)
{
    rf_mat z = view(t->x, 0, B, 2 * H, Z), x2 = view(t->x, 0, B, H, H + Z), h1 = view(t->x, 0, B, H, H),
           h2 = view(t->x, 0, B, 0, H);
    rf_mat dh2 = view(t->dx, 0, B, 0, H), dh1 = view(t->dx, 0, B, H, H);
    RUN(b, "affine_back c1 256>1570", mf(PACKS, PACK * D, H), affine_back, .dx = packs_of(t->dfake),
        .dy = view(t->d1, 0, PACKS, 0, H), .w = part(t->v1d, 0, PACK * D));
    RUN(b, "activate_back", 0, activate_back, .dlogits = t->dlogits, .dout = t->dfake, .out = t->fake,
        .logits = t->logits, .layout = &layout, .tau = 0.2f, .entries = t->entries, .columns = t->columns,
        .condition_span = condition_span, .loss = t->loss + 2);
    b->device->ops->adam_tick(b->device, t->adam_g);
    RUN(b, "affine_back g3 157>512", mf(B, 2 * H, D), affine_back, .dx = t->dx, .dy = t->dlogits,
        .w = part(t->w3, 0, 2 * H));
    RUN(b, "update g3 640x157", mf(B, IN3, D), update, ROWS_OF(t->w3, 0, IN3), .n_dense = 1,
        .dense = {{t->x, t->dlogits}}, .adam = t->adam_g);
    RUN(b, "update g3 conditions", 0, update, ROWS_OF(t->w3, IN3, C), .n_gather = 1,
        .gather = {{t->dlogits, t->entries, 1, C}}, .adam = t->adam_g);
    RUN(b, "update_vector g3 bias", 0, update_vector, WEIGHT(t->b3), .n = D, .b = t->dlogits,
        .adam = t->adam_g);
    generator_norm_back(b, t, t->da2, dh2, h2, t->a2, t->gamma2, t->beta2, t->mean2, t->rstd2);
    RUN(b, "affine_back g2 256>256", mf(B, H, H), affine_back, .dx = dh1, .dy = t->da2,
        .w = part(t->w2, 0, H), .accumulate = true);
    RUN(b, "update g2 384x256", mf(B, H + Z, H), update, ROWS_OF(t->w2, 0, H + Z), .n_dense = 1,
        .dense = {{x2, t->da2}}, .adam = t->adam_g);
    RUN(b, "update g2 conditions", 0, update, ROWS_OF(t->w2, H + Z, C), .n_gather = 1,
        .gather = {{t->da2, t->entries, 1, C}}, .adam = t->adam_g);
    generator_norm_back(b, t, t->da1, dh1, h1, t->a1, t->gamma1, t->beta1, t->mean1, t->rstd1);
    RUN(b, "update g1 128x256", mf(B, Z, H), update, ROWS_OF(t->w1, 0, Z), .n_dense = 1,
        .dense = {{z, t->da1}}, .adam = t->adam_g);
    RUN(b, "update g1 conditions", 0, update, ROWS_OF(t->w1, Z, C), .n_gather = 1,
        .gather = {{t->da1, t->entries, 1, C}}, .adam = t->adam_g);
}

static void ctgan_step(bench *b, void *model)
{
    ctgan *t = model;
    generator_forward(b, t, true);
    RUN(b, "draw_rows", 0, draw_rows, .n = B, .entries = t->entries, .out_entries = t->real_entries,
        .out_scalars = t->scalars, .out_codes = t->codes, .layout = &layout, .table = &t->table.rows,
        .conditions = &t->table.conditions, .noise = noise(t, RF_DRAW_ROWS),
        .permute = noise(t, RF_DRAW_PERMUTE));
    critic_forward(b, t, 3 * PACKS, true);
    penalty_chain(b, t);
    critic_update(b, t);
    generator_forward(b, t, false);
    critic_forward(b, t, PACKS, false);
    generator_update(b, t);
    b->device->ops->step_tick(b->device, &(rf_step_tick){.step = t->step});
}

static uint32_t ctgan_crc(rf_device *d, void *model)
{
    const ctgan *t = model;
    const weight all[] = {t->w1,  t->w2,  t->w3, t->b3, t->gamma1, t->gamma2, t->beta1, t->beta2,
                          t->v1d, t->v1c, t->v2, t->v3, t->c1,     t->c2,     t->c3};
    crc = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        weight_crc(d, all[i]);
    return crc;
}

/* ------------------------------------------------------------------ TVAE */

typedef struct tvae {
    adult table;
    uint32_t *step;
    int32_t *n;
    rf_adam *adam;
    weight e1, e2, code, d1, d2, d3, be1, be2, bcode, bd1, bd2, bd3, sigma;
    rf_mat h1, h2, mu, eps, z, k1, k2, logits, dlogits, dk2, dk1, dz, dcode, dh2, dh1;
    float *scalars, *dsigma, *loss;
    uint16_t *codes;
} tvae;

static void tvae_new(tvae *t, rf_device *d)
{
    t->table = make_table(d);
    t->step = memory(d, sizeof *t->step);
    t->n = memory(d, sizeof *t->n);
    t->adam = adam_new(d, 1e-3f, 0.9f, 0.999f, 1e-5f);
    t->e1 = weight_new(d, D, CODE, 0), t->e2 = weight_new(d, CODE, CODE, 1),
    t->code = weight_new(d, CODE, 2 * CODE, 2);
    t->d1 = weight_new(d, CODE, CODE, 3), t->d2 = weight_new(d, CODE, CODE, 4),
    t->d3 = weight_new(d, CODE, D, 5);
    t->be1 = weight_new(d, 1, CODE, 6), t->be2 = weight_new(d, 1, CODE, 7),
    t->bcode = weight_new(d, 1, 2 * CODE, 8);
    t->bd1 = weight_new(d, 1, CODE, 9), t->bd2 = weight_new(d, 1, CODE, 10), t->bd3 = weight_new(d, 1, D, 11),
    t->sigma = weight_new(d, 1, 6, 12);
    for (int i = 0; i < 6; i++)
        t->sigma.w[i] = 0.1f;
    t->h1 = matrix(d, B, CODE), t->h2 = matrix(d, B, CODE), t->mu = matrix(d, B, 2 * CODE),
    t->eps = matrix(d, B, CODE), t->z = matrix(d, B, CODE);
    t->k1 = matrix(d, B, CODE), t->k2 = matrix(d, B, CODE), t->logits = matrix(d, B, D),
    t->dlogits = matrix(d, B, D), t->dk2 = matrix(d, B, CODE);
    t->dk1 = matrix(d, B, CODE), t->dz = matrix(d, B, CODE), t->dcode = matrix(d, B, 2 * CODE),
    t->dh2 = matrix(d, B, CODE), t->dh1 = matrix(d, B, CODE);
    t->scalars = floats(d, B * 6), t->dsigma = floats(d, 6), t->loss = floats(d, 2);
    t->codes = memory(d, B * 15 * sizeof *t->codes);
}

static void layer(bench *b, rf_mat y, rf_mat x, weight w, weight bias, bool relu)
{
    RUN(b, "affine", mf(B, w.rows, w.cols), affine, .y = y, .x = x, .w = part(w, 0, w.rows), .bias = bias.w,
        .relu = relu);
}

static void layer_back(bench *b, tvae *t, rf_mat dx, rf_mat dy, rf_mat x, weight w, weight bias, bool gate)
{
    RUN(b, "affine_back", mf(B, w.rows, w.cols), affine_back, .dx = dx, .dy = dy, .w = part(w, 0, w.rows),
        .gate = x, .gate_kind = gate ? RF_GATE_POSITIVE : RF_GATE_NONE);
    RUN(b, "update", mf(B, w.rows, w.cols), update, MATRIX(w), .n_dense = 1, .dense = {{x, dy}},
        .adam = t->adam);
    RUN(b, "update_vector bias", 0, update_vector, WEIGHT(bias), .n = bias.cols, .b = dy, .adam = t->adam);
}

static void tvae_step(bench *b, void *model)
{
    tvae *t = model;
    rf_noise shuffle = {7, t->step, RF_DRAW_SHUFFLE, 0}, latent = {7, t->step, RF_DRAW_LATENT, 0};
    RUN(b, "take_rows", 0, take_rows, .batch = B, .steps_per_epoch = 66, .out_n = t->n,
        .out_scalars = t->scalars, .out_codes = t->codes, .layout = &layout, .table = &t->table.rows,
        .noise = shuffle);
    RUN(b, "affine_coded", mf(B, 21, CODE), affine_coded, .y = t->h1, .w = part(t->e1, 0, D),
        .bias = t->be1.w, .layout = &layout, .scalars = t->scalars, .codes = t->codes, .pack = 1,
        .relu = true);
    layer(b, t->h2, t->h1, t->e2, t->be2, true);
    layer(b, t->mu, t->h2, t->code, t->bcode, false);
    RUN(b, "reparameterise", 0, reparameterise, .z = t->z, .code = t->mu, .eps = t->eps, .noise = latent);
    layer(b, t->k1, t->z, t->d1, t->bd1, true);
    layer(b, t->k2, t->k1, t->d2, t->bd2, true);
    layer(b, t->logits, t->k2, t->d3, t->bd3, false);
    RUN(b, "reconstruct", 0, reconstruct, .dlogits = t->dlogits, .logits = t->logits, .layout = &layout,
        .scalars = t->scalars, .codes = t->codes, .sigma = t->sigma.w, .dsigma = t->dsigma, .loss = t->loss,
        .factor = 2.0f, .n = t->n);
    b->device->ops->adam_tick(b->device, t->adam);
    layer_back(b, t, t->dk2, t->dlogits, t->k2, t->d3, t->bd3, true);
    layer_back(b, t, t->dk1, t->dk2, t->k1, t->d2, t->bd2, true);
    layer_back(b, t, t->dz, t->dk1, t->z, t->d1, t->bd1, false);
    RUN(b, "latent_back", 0, latent_back, .dcode = t->dcode, .dz = t->dz, .code = t->mu, .eps = t->eps,
        .loss = t->loss + 1, .n = t->n);
    layer_back(b, t, t->dh2, t->dcode, t->h2, t->code, t->bcode, true);
    layer_back(b, t, t->dh1, t->dh2, t->h1, t->e2, t->be2, true);
    RUN(b, "update coded", mf(B, 21, CODE), update, MATRIX(t->e1),
        .coded = {.b = t->dh1, .layout = &layout, .scalars = t->scalars, .codes = t->codes, .pack = 1},
        .adam = t->adam);
    RUN(b, "update_vector bias", 0, update_vector, WEIGHT(t->be1), .n = CODE, .b = t->dh1, .adam = t->adam);
    RUN(b, "update_vector sigma", 0, update_vector, WEIGHT(t->sigma), .n = 6, .given = t->dsigma, .lo = 0.01f,
        .hi = 1.0f, .adam = t->adam);
    b->device->ops->step_tick(b->device, &(rf_step_tick){.step = t->step});
}

static uint32_t tvae_crc(rf_device *d, void *model)
{
    const tvae *t = model;
    const weight all[] = {t->e1,  t->e2,    t->code, t->d1,  t->d2,  t->d3,   t->be1,
                          t->be2, t->bcode, t->bd1,  t->bd2, t->bd3, t->sigma};
    crc = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        weight_crc(d, all[i]);
    return crc;
}

/* ------------------------------------------------------------------ both */

static void ctgan_create(void *model, rf_device *device)
{
    ctgan_new(model, device);
}

static void tvae_create(void *model, rf_device *device)
{
    tvae_new(model, device);
}

const network networks[N_NETWORKS] = {
    {"ctgan", ctgan_create, ctgan_step, ctgan_crc, 1292.0},
    {"tvae", tvae_create, tvae_step, tvae_crc, 311.0},
};

typedef union model {
    ctgan ctgan;
    tvae tvae;
} model;

void *network_memory(void)
{
    model *out = calloc(1, sizeof *out);
    if (!out)
        bench_die("no memory");
    return out;
}
