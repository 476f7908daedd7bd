#include "toy.h"

#include "core/philox.h"
#include "rf_test_device.h"

static void fill(toy *t)
{
    const rf_draw draw = {.seed = 11, .purpose = RF_DRAW_DEMO};
    for (int r = 0; r < TOY_ROWS; r++) {
        const rf_philox_block w = rf_philox(draw, (uint32_t)r);
        const uint16_t a = (uint16_t)rf_uniform_below(w.word[0], 3);
        const uint16_t b = w.word[1] < UINT32_MAX / 20 ? (uint16_t)((a + 1) % 3) : a;
        const float wobble = 0.2f * (rf_uniform_open(w.word[2]) - 0.5f);
        t->scalars[r * TOY_SCALARS] = (a == 0 ? -0.5f : 0.5f) + wobble;
        t->scalars[r * TOY_SCALARS + 1] = 1.8f * (rf_uniform_open(w.word[3]) - 0.5f);
        t->codes[r * TOY_CODES] = a != 0;
        t->codes[r * TOY_CODES + 1] = a;
        t->codes[r * TOY_CODES + 2] = b;
        t->counts[a]++;
        t->counts[3 + b]++;
    }
}

void toy_init(toy *t, rf_model_kind kind)
{
    *t = (toy){.spans = {{RF_SPAN_SCALAR, 0, 1, 0, -1, 0},
                         {RF_SPAN_CODE, 1, 2, 0, -1, 0},
                         {RF_SPAN_CODE, 3, 3, 1, 0, 0},
                         {RF_SPAN_SCALAR, 6, 1, 1, -1, 0},
                         {RF_SPAN_CODE, 7, 3, 2, 1, 3}},
               .layout = {.n_spans = 5,
                          .width = 10,
                          .n_scalars = TOY_SCALARS,
                          .n_codes = TOY_CODES,
                          .n_conditions = 2,
                          .condition_width = 6}};
    fill(t);
    t->layout.spans = t->spans;
    t->rows = (rf_coded){.n_rows = TOY_ROWS, .scalars = t->scalars, .codes = t->codes};
    t->setup =
        (rf_model_setup){.layout = &t->layout, .condition_counts = t->counts, .n_rows = TOY_ROWS, .seed = 5};
    rf_params_init(&t->setup.params, kind);
    rf_params *params = &t->setup.params;
    params->batch_size = 40;
    params->pac = 4;
    params->embedding_dim = 8;
    params->generator_dim = (rf_dims){2, {24, 16}};
    params->discriminator_dim = (rf_dims){2, {24, 16}};
    params->compress_dims = (rf_dims){2, {24, 16}};
    params->decompress_dims = (rf_dims){2, {16, 24}};
}

void toy_start(toy *t, int n_threads)
{
    rf_error err = {0};
    t->device = rf_test_device(n_threads);
    t->setup.device = t->device;
    const rf_model_class *type = rf_model_class_find(t->setup.params.model);
    assert_ok(type->create(&t->model, &t->setup, &err));
    assert_ok(type->attach(t->model, &t->rows, &err));
}

void toy_end(toy *t)
{
    t->model->type->free(t->model);
    rf_device_close(t->device);
}

rf_losses toy_train(toy *t, int64_t n_steps)
{
    rf_error err = {0};
    rf_losses losses;
    assert_ok(t->model->type->train(t->model, n_steps, &losses, &err));
    return losses;
}

rf_buf toy_store(toy *t, bool training)
{
    rf_error err = {0};
    rf_buf bytes;
    rf_buf_init(&bytes);
    assert_ok(t->model->type->store(t->model, training, &bytes, &err));
    assert_int_equal(bytes.size_bytes, t->model->type->stored_size(&t->setup, training));
    return bytes;
}

void toy_load(toy *t, bool training, const rf_buf *bytes)
{
    rf_error err = {0};
    rf_reader reader;
    rf_reader_init(&reader, bytes->data, bytes->size_bytes);
    assert_ok(t->model->type->load(t->model, training, &reader, &err));
    assert_int_equal(rf_reader_left(&reader), 0);
}
