/* test_cuda_sizes.c - whole trainings at awkward sizes, on the emulated GPU and on the CPU.
 *
 * Each starts from the same weights and meets the same draws, so that after some steps its losses and weights are the CPU's but for the
 * rounding of sums. Where a gradient is nothing but that rounding, Adam makes a whole step of its sign: a few weights may differ by that.
 */
#include "rf_test.h"

#include <math.h>

#include "core/philox.h"
#include "engine/model/model.h"
#include "kernels/ops.h"

enum { SPANS_MAX = 6016, ROWS = 70 };

/* With AddressSanitizer the emulation takes minutes for the largest: a tenth of their width there. */
#if defined(__SANITIZE_ADDRESS__)
enum { SHARE = 10 };
#else
enum { SHARE = 1 };
#endif

/* A table whose columns are listed by their widths: 0 a number, else a column of so many categories, of which the first
 * `n_conditions` take part in conditions. */
typedef struct sizes {
    const char *what;
    rf_model_kind kind;
    int32_t columns[4]; /* widths, up to a -1           */
    int32_t times;      /* the whole list so many times */
    int32_t n_conditions;
    int32_t batch, pack, hidden[2], embedding;
    int64_t steps;
} sizes;

typedef struct table {
    rf_span *spans;
    rf_layout layout;
    rf_coded rows;
    int64_t *counts;
} table;

static void add_column(table *t, int32_t width, int32_t most_conditions)
{
    rf_layout *layout = &t->layout;
    rf_span *span = &t->spans[layout->n_spans++];
    *span = (rf_span){.kind = width ? RF_SPAN_CODE : RF_SPAN_SCALAR,
                      .offset = layout->width,
                      .width = width ? width : 1,
                      .source = width ? layout->n_codes++ : layout->n_scalars++,
                      .condition = -1};
    layout->width += span->width;
    if (width && layout->n_conditions < most_conditions) {
        span->condition = layout->n_conditions++;
        span->cond_offset = layout->condition_width;
        layout->condition_width += width;
    }
}

static void fill_rows(table *t)
{
    const rf_layout *layout = &t->layout;
    const rf_draw draw = {.seed = 8, .purpose = RF_DRAW_DEMO};
    uint32_t at = 0;
    t->rows.n_rows = ROWS;
    t->rows.scalars = calloc((size_t)(ROWS * layout->n_scalars + 1), sizeof(float));
    t->rows.codes = calloc((size_t)(ROWS * layout->n_codes + 1), sizeof(uint16_t));
    t->counts = calloc((size_t)layout->condition_width + 1, sizeof *t->counts);
    assert_true(t->rows.scalars && t->rows.codes && t->counts);
    for (int32_t r = 0; r < ROWS; r++)
        for (int32_t i = 0; i < layout->n_spans; i++) {
            const rf_span *span = &layout->spans[i];
            const uint32_t word = rf_philox_u32(draw, at++);
            if (span->kind == RF_SPAN_SCALAR) {
                t->rows.scalars[r * layout->n_scalars + span->source] = 1.8f * (rf_uniform_open(word) - 0.5f);
                continue;
            }
            const uint16_t code = (uint16_t)rf_uniform_below(word, (uint32_t)span->width);
            t->rows.codes[r * layout->n_codes + span->source] = code;
            if (span->condition >= 0)
                t->counts[span->cond_offset + code]++;
        }
}

static void table_make(table *t, const sizes *s)
{
    *t = (table){.spans = calloc(SPANS_MAX, sizeof(rf_span))};
    assert_non_null(t->spans);
    t->layout.spans = t->spans;
    for (int32_t n = 0; n < s->times; n++)
        for (int32_t i = 0; i < 4 && s->columns[i] >= 0; i++)
            add_column(t, s->columns[i], s->n_conditions);
    fill_rows(t);
}

static void table_free(table *t)
{
    free(t->spans);
    free(t->rows.scalars);
    free(t->rows.codes);
    free(t->counts);
}

/* ------------------------------------------------------------------ a training */

typedef struct trained {
    rf_losses losses;
    rf_buf weights;
    uint16_t *codes; /* of one batch of sampled rows */
} trained;

static rf_model_setup setup_of(const sizes *s, const table *t, rf_device *device)
{
    rf_model_setup setup = {
        .device = device, .layout = &t->layout, .condition_counts = t->counts, .n_rows = ROWS, .seed = 5};
    rf_params *params = &setup.params;
    rf_params_init(params, s->kind);
    params->batch_size = s->batch;
    params->pac = s->pack;
    params->embedding_dim = s->embedding;
    const rf_dims dims = {s->hidden[1] ? 2 : 1, {s->hidden[0], s->hidden[1]}};
    params->generator_dim = params->discriminator_dim = params->compress_dims = params->decompress_dims =
        dims;
    return setup;
}

static trained train_on(const sizes *s, const table *t, const char *name, rf_construction construction)
{
    rf_error err = {0};
    rf_device *device = NULL;
    rf_model *model = NULL;
    trained out = {0};
    const rf_device_options options = {.n_threads = 1, .construction = construction};
    const rf_model_class *type = rf_model_class_find(s->kind);
    assert_ok(rf_device_open_with(&device, name, &options, &err));
    const rf_model_setup setup = setup_of(s, t, device);
    assert_ok(type->create(&model, &setup, &err));
    assert_ok(type->attach(model, &t->rows, &err));
    assert_ok(type->train(model, s->steps, &out.losses, &err));
    rf_buf_init(&out.weights);
    assert_ok(type->store(model, false, &out.weights, &err));
    const size_t n = (size_t)s->batch;
    out.codes = calloc(n * (size_t)t->layout.n_codes + 1, sizeof *out.codes);
    float *scalars = calloc(n * (size_t)t->layout.n_scalars + 1, sizeof *scalars);
    rf_coded rows = {.n_rows = s->batch, .scalars = scalars, .codes = out.codes};
    const rf_sample_request request = {.seed = 2, .n_rows = s->batch, .condition_entry = -1};
    assert_true(out.codes && scalars);
    assert_ok(type->sample(model, &request, &rows, &err));
    free(scalars);
    type->free(model);
    rf_device_close(device);
    return out;
}

static void trained_free(trained *t)
{
    rf_buf_free(&t->weights);
    free(t->codes);
}

/* ------------------------------------------------------------------ the same on both */

static void compare(const sizes *s, const table *t, const trained *cpu, const trained *gpu)
{
    const size_t n = cpu->weights.size_bytes / sizeof(float),
                 n_codes = (size_t)s->batch * (size_t)t->layout.n_codes;
    size_t apart = 0, other_codes = 0;
    double most = 0.0;
    assert_int_equal(cpu->weights.size_bytes, gpu->weights.size_bytes);
    for (size_t i = 0; i < n; i++) {
        float x, y;
        memcpy(&x, cpu->weights.data + i * sizeof x, sizeof x);
        memcpy(&y, gpu->weights.data + i * sizeof y, sizeof y);
        assert_true(isfinite(y));
        const double difference = fabs((double)x - (double)y);
        most = fmax(most, difference);
        apart += difference > 2e-5;
    }
    for (size_t i = 0; i < n_codes; i++)
        other_codes += cpu->codes[i] != gpu->codes[i];
    print_message("%s: %zu of %zu weights differ, by %.2g at most; %zu of %zu codes\n", s->what, apart, n,
                  most, other_codes, n_codes);
    assert_true(apart <= n / 50 + 1);
    assert_true(most < 2.5e-3 * (double)s->steps);
    assert_true(other_codes <= n_codes / 50 + 1);
    assert_near(gpu->losses.generator, cpu->losses.generator, 1e-4 * (1.0 + fabs(cpu->losses.generator)));
    if (s->kind == RF_MODEL_CTGAN)
        assert_near(gpu->losses.discriminator, cpu->losses.discriminator, 1e-4);
}

static void check(const sizes *s, bool plain_too)
{
    table t;
    table_make(&t, s);
    trained cpu = train_on(s, &t, "cpu", RF_CONSTRUCTION_AUTO);
    for (int plain = 0; plain <= plain_too; plain++) {
        trained gpu = train_on(s, &t, "cuda:0", plain ? RF_CONSTRUCTION_PLAIN : RF_CONSTRUCTION_FUSED);
        compare(s, &t, &cpu, &gpu);
        trained_free(&gpu);
    }
    trained_free(&cpu);
    table_free(&t);
}

static void batches_packs_and_widths_of_any_size(void **state)
{
    (void)state;
    static const sizes all[] = {
        {"one row a batch", RF_MODEL_CTGAN, {0, 3, -1}, 1, 1, 1, 1, {7, 1}, 1, 3},
        {"one pack", RF_MODEL_CTGAN, {0, 7, 2, -1}, 1, 2, 7, 7, {1, 0}, 7, 3},
        {"packs of one", RF_MODEL_CTGAN, {0, 31, 1, -1}, 1, 2, 31, 1, {33, 7}, 31, 3},
        {"no conditions", RF_MODEL_CTGAN, {0, 0, -1}, 2, 0, 62, 31, {31, 33}, 33, 3},
        {"wide", RF_MODEL_CTGAN, {0, 33, 257, -1}, 1, 2, 9, 3, {257, 33}, 7, 1},
        {"one row a batch", RF_MODEL_TVAE, {0, 3, -1}, 1, 1, 1, 1, {7, 1}, 1, 3},
        {"a short last batch", RF_MODEL_TVAE, {0, 31, 1, -1}, 1, 2, 33, 1, {33, 7}, 31, 3},
        {"no numbers", RF_MODEL_TVAE, {7, 257, -1}, 1, 2, 31, 1, {257, 33}, 7, 2},
        {"no categories", RF_MODEL_TVAE, {0, -1}, 3, 0, 7, 1, {1, 31}, 33, 3},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        check(&all[i], i % 2 == 0);
}

static void a_column_of_a_thousand_categories(void **state)
{
    (void)state;
    static const sizes all[] = {
        {"1,000 categories", RF_MODEL_CTGAN, {1000 / SHARE, 0, 2, -1}, 1, 2, 14, 7, {31, 7}, 7, 1},
        {"1,000 categories", RF_MODEL_TVAE, {1000 / SHARE, 0, 2, -1}, 1, 2, 31, 1, {31, 7}, 7, 2},
    };
    for (int i = 0; i < 2; i++)
        check(&all[i], false);
}

static void three_thousand_columns(void **state)
{
    (void)state;
    static const sizes all[] = {
        {"3,000 columns", RF_MODEL_CTGAN, {0, 2, 3, -1}, 1000 / SHARE, 40, 4, 2, {7, 0}, 3, 1},
        {"3,000 columns", RF_MODEL_TVAE, {0, 2, 3, -1}, 1000 / SHARE, 40, 4, 1, {7, 0}, 3, 1},
    };
    for (int i = 0; i < 2; i++)
        check(&all[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_packs_and_widths_of_any_size),
        cmocka_unit_test(a_column_of_a_thousand_categories),
        cmocka_unit_test(three_thousand_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
