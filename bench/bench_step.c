/* bench_step.c - trainings on a table of the shapes of Adult.
 *
 * 32,561 rows of 157 encoded and 104 condition entries: generator 232 -> 256 -> 256 -> 157 with concatenation, critic 2610 -> 256 -> 256
 * -> 1 over 50 packs of 10; autoencoder with layers of 128. The cells are drawn: what they hold does not change how long a step takes.
 */
#include "bench_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/philox.h"

enum { N_SPANS = 21, N_SCALARS = 6, N_CODES = 15, WIDTH = 157, CONDITION_WIDTH = 104, TABLE_ROWS = 32561 };

const network networks[N_NETWORKS] = {
    {"ctgan", RF_MODEL_CTGAN, 1292.0},
    {"tvae", RF_MODEL_TVAE, 311.0},
};

/* ------------------------------------------------------------------ the table */

static rf_span spans[N_SPANS];
static rf_layout layout;
static int64_t condition_counts[CONDITION_WIDTH];
static float scalars[TABLE_ROWS * N_SCALARS];
static uint16_t codes[TABLE_ROWS * N_CODES];

static void lay_out(void)
{
    /* 0 a scalar, negative the modes of the scalar before it, positive a category column */
    static const int32_t widths[N_SPANS] = {0, -10, 9, 0,  -9, 16, 0, -10, 7,  15, 6,
                                            5, 2,   0, -5, 0,  -3, 0, -10, 42, 2};
    layout = (rf_layout){.n_spans = N_SPANS, .spans = spans};
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
            spans[i].condition = layout.n_conditions++;
            spans[i].cond_offset = layout.condition_width;
            layout.condition_width += widths[i];
        }
        layout.width += spans[i].width;
    }
    if (layout.width != WIDTH || layout.condition_width != CONDITION_WIDTH || layout.n_codes != N_CODES)
        bench_die("the layout is not Adult's");
}

/* Every category occurs. */
static void draw_codes(const rf_span *span, uint32_t stream)
{
    for (uint32_t r = 0; r < TABLE_ROWS; r++) {
        const uint32_t word = rf_philox_u32((rf_draw){.seed = 2, .step = stream}, r);
        const uint32_t code = r < (uint32_t)span->width ? r : rf_uniform_below(word, (uint32_t)span->width);
        codes[r * N_CODES + (uint32_t)span->source] = (uint16_t)code;
        if (span->condition >= 0)
            condition_counts[span->cond_offset + (int32_t)code]++;
    }
}

static void make_table(void)
{
    lay_out();
    memset(condition_counts, 0, sizeof condition_counts);
    for (uint32_t i = 0; i < TABLE_ROWS * N_SCALARS; i++)
        scalars[i] = 2.0f * rf_uniform_open(rf_philox_u32((rf_draw){.seed = 1}, i)) - 1.0f;
    for (uint32_t s = 0; s < N_SPANS; s++)
        if (spans[s].kind == RF_SPAN_CODE)
            draw_codes(&spans[s], s);
}

/* ------------------------------------------------------------------ a training */

static void demand(rf_code rc, const rf_error *err)
{
    if (rc != RF_OK)
        bench_die(err->message);
}

rf_model *network_create(const network *n, bench *b)
{
    rf_error err = {0};
    rf_model *model = NULL;
    make_table();
    rf_model_setup setup = {.device = b->device,
                            .layout = &layout,
                            .condition_counts = condition_counts,
                            .n_rows = TABLE_ROWS,
                            .seed = 7};
    rf_params_init(&setup.params, n->kind);
    setup.params.batch_size = 500;
    const rf_model_class *type = rf_model_class_find(n->kind);
    demand(type->create(&model, &setup, &err), &err);
    demand(type->attach(model, &(rf_coded){.n_rows = TABLE_ROWS, .scalars = scalars, .codes = codes}, &err),
           &err);
    bench_watch(b);
    return model;
}

void network_step(rf_model *model)
{
    rf_error err = {0};
    rf_losses losses;
    demand(model->type->train(model, 1, &losses, &err), &err);
}

uint32_t network_crc(rf_model *model)
{
    rf_error err = {0};
    rf_buf bytes;
    rf_buf_init(&bytes);
    demand(model->type->store(model, true, &bytes, &err), &err);
    const uint32_t crc = rf_crc32c(0, bytes.data, bytes.size_bytes);
    rf_buf_free(&bytes);
    return crc;
}

void network_free(rf_model *model)
{
    model->type->free(model);
}
