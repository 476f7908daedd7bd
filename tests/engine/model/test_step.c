/* Whole training steps against PyTorch's numbers, on the same noise (tests/reference/make_ctgan_step.py,
 * make_tvae_step.py). After one step Adam's first moment is the gradient times a constant, so it tells of
 * every product on the way. */
#include "rf_test_device.h"

#include <math.h>

#include "golden.h"

typedef struct step_case {
    const char *file;
    const char *kept, *trained; /* the names of the two networks */
    int n_steps;
} step_case;

/* Numbers as float32 sums of some hundred products may differ from double precision, relative to the array's
 * largest. */
static const double tolerance = 2e-5;

static int number(const golden *g, const char *name, int i)
{
    const golden_array *array = golden_find(g, name);
    assert_true(i < array->n);
    return (int)array->values[i];
}

static rf_dims dims(const golden *g, const char *name)
{
    const golden_array *array = golden_find(g, name);
    rf_dims out = {.n = array->n};
    for (int i = 0; i < array->n; i++)
        out.width[i] = (int32_t)array->values[i];
    return out;
}

static rf_params params_of(const golden *g, rf_model_kind kind)
{
    rf_params params;
    rf_params_init(&params, kind);
    params.batch_size = number(g, "shape", 0);
    if (kind == RF_MODEL_CTGAN) {
        params.pac = number(g, "shape", 1);
        params.embedding_dim = number(g, "shape", 2);
        params.discriminator_steps = number(g, "shape", 3);
        params.generator_dim = dims(g, "generator_dim");
        params.discriminator_dim = dims(g, "discriminator_dim");
    } else {
        params.embedding_dim = number(g, "shape", 1);
        params.compress_dims = dims(g, "compress_dims");
        params.decompress_dims = dims(g, "decompress_dims");
    }
    return params;
}

static void compare(const char *file, const golden_array *wanted, const float *got)
{
    double largest = 0, worst = 0;
    int at = 0;
    for (int i = 0; i < wanted->n; i++)
        largest = fmax(largest, fabs(wanted->values[i]));
    for (int i = 0; i < wanted->n; i++) {
        const double apart = fabs(wanted->values[i] - (double)got[i]);
        at = apart > worst ? i : at;
        worst = fmax(worst, apart);
    }
    if (!(worst <= tolerance * largest))
        fail_msg("%s: %s[%d] is %.9g, PyTorch has %.9g (largest %.3g)", file, wanted->name, at,
                 (double)got[at], wanted->values[at], largest);
}

/* The stored training state is: step, then weights and both moments of each network. */
static void compare_state(const golden *g, const step_case *c, const char *when, rf_model *model)
{
    rf_error err = {0};
    rf_buf bytes;
    rf_buf_init(&bytes);
    assert_ok(model->type->store(model, true, &bytes, &err));
    const float *at = (const float *)(const void *)(bytes.data + sizeof(int64_t));
    for (int net = 0; net < 2; net++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s_w", when, net ? c->trained : c->kept);
        const golden_array *w = golden_find(g, name);
        snprintf(name, sizeof name, "%s_%s_m", when, net ? c->trained : c->kept);
        compare(c->file, w, at);
        compare(c->file, golden_find(g, name), at + w->n);
        at += 3 * w->n;
    }
    rf_buf_free(&bytes);
}

static void compare_losses(const golden *g, const step_case *c, int step, const rf_losses *losses)
{
    char name[64];
    snprintf(name, sizeof name, "losses_%d", step);
    const golden_array *wanted = golden_find(g, name);
    if (wanted->n == 2) {
        assert_near(losses->discriminator, wanted->values[0], 2e-6);
        assert_near(losses->generator, wanted->values[1], 2e-5);
    } else {
        assert_near(losses->generator / wanted->values[0], 1.0, 2e-5);
        assert_true(isnan(losses->discriminator));
    }
    (void)c;
}

static void run(rf_model_kind kind, const step_case *c, int n_threads)
{
    rf_error err = {0};
    golden g;
    golden_table table;
    rf_device *device = rf_test_device(n_threads);
    rf_model *model = NULL;
    golden_open(&g, c->file);
    golden_table_open(&table, &g);
    const rf_model_setup setup = {.device = device,
                                  .layout = &table.layout,
                                  .condition_counts = table.counts,
                                  .params = params_of(&g, kind),
                                  .n_rows = table.rows.n_rows,
                                  .seed = (uint64_t)number(&g, "seed", 0)};
    const rf_model_class *type = rf_model_class_find(kind);
    assert_ok(type->create(&model, &setup, &err));
    assert_ok(type->attach(model, &table.rows, &err));
    for (int step = 0; step < c->n_steps; step++) {
        rf_losses losses;
        assert_ok(type->train(model, 1, &losses, &err));
        compare_losses(&g, c, step, &losses);
        if (step == 0)
            compare_state(&g, c, "first", model);
    }
    compare_state(&g, c, "last", model);
    type->free(model);
    rf_device_close(device);
    golden_table_close(&table);
    golden_close(&g);
}

static void ctgan_takes_the_steps_that_pytorch_takes(void **state)
{
    (void)state;
    const step_case c = {"ctgan_step_mixed.txt", "generator", "critic", 3};
    run(RF_MODEL_CTGAN, &c, 1);
    run(RF_MODEL_CTGAN, &c, 2);
}

static void ctgan_without_conditions_scalars_or_packs_takes_them_too(void **state)
{
    (void)state;
    const step_case c = {"ctgan_step_plain.txt", "generator", "critic", 3};
    run(RF_MODEL_CTGAN, &c, 1);
}

static void tvae_takes_the_steps_that_pytorch_takes(void **state)
{
    (void)state;
    const step_case c = {"tvae_step_mixed.txt", "decoder", "encoder", 5};
    run(RF_MODEL_TVAE, &c, 1);
    run(RF_MODEL_TVAE, &c, 2);
}

static void tvae_without_scalars_takes_them_too(void **state)
{
    (void)state;
    const step_case c = {"tvae_step_plain.txt", "decoder", "encoder", 5};
    run(RF_MODEL_TVAE, &c, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ctgan_takes_the_steps_that_pytorch_takes),
        cmocka_unit_test(ctgan_without_conditions_scalars_or_packs_takes_them_too),
        cmocka_unit_test(tvae_takes_the_steps_that_pytorch_takes),
        cmocka_unit_test(tvae_without_scalars_takes_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
