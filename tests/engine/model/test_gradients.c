/* Gradients of whole losses, the penalty's included, against finite differences.
 *
 * After the first step Adam's first moment is the gradient times (1 - beta1). The weights of one tensor are
 * moved a little along its own gradient, both ways, and the step is taken again on the same draws: the losses
 * must differ by the gradient's length. */
#include "rf_test.h"

#include <math.h>

#include "engine/model/ctgan.h"
#include "engine/model/tvae.h"
#include "toy.h"

/* Steps small enough that few ReLUs change sides, and large enough for float32 losses. */
static const double reach = 4e-3;

typedef struct view {
    rfi_tensors *tensors;
    double beta1;
    double (*loss)(toy *t);
} view;

static void set_no_decay(toy *t)
{
    rf_params *params = &t->setup.params;
    params->generator_decay = params->discriminator_decay = params->l2scale = 0;
}

/* One step from `start`; what it reported. */
static double loss_from(toy *t, const rf_buf *start, const view *v, const rfi_tensor *moved, const float *w)
{
    rf_error err = {0};
    toy_load(t, true, start);
    assert_ok(
        rf_device_write(t->device, moved->w, w, (size_t)moved->rows * (size_t)moved->cols * sizeof *w, &err));
    toy_train(t, 1);
    return v->loss(t);
}

static void check_tensor(toy *t, const rf_buf *start, const view *v, int32_t index)
{
    rf_error err = {0};
    const rfi_tensor *tensor = &v->tensors->items[index];
    const size_t n = (size_t)tensor->rows * (size_t)tensor->cols;
    float *w = calloc(n, sizeof *w), *g = calloc(n, sizeof *g), *moved = calloc(n, sizeof *moved);
    double norm = 0, loss[2];
    toy_load(t, true, start);
    assert_ok(rf_device_read(t->device, w, tensor->w, n * sizeof *w, &err));
    toy_train(t, 1);
    assert_ok(rf_device_read(t->device, g, tensor->m, n * sizeof *g, &err));
    for (size_t i = 0; i < n; i++)
        norm += (double)g[i] * (double)g[i];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n && norm > 0; i++)
            moved[i] = w[i] + (float)((side ? reach : -reach) * (double)g[i] / norm);
        loss[side] = loss_from(t, start, v, tensor, norm > 0 ? moved : w);
    }
    const double gradient = norm / (1 - v->beta1), difference = (loss[1] - loss[0]) / (2 * reach);
    if (!(fabs(gradient - difference) <= 0.02 * gradient + 2e-4))
        fail_msg("tensor %d (%d x %d): gradient %.6g, finite difference %.6g", index, tensor->rows,
                 tensor->cols, gradient, difference);
    free(w);
    free(g);
    free(moved);
}

static void check(toy *t, const view *v)
{
    rf_buf start = toy_store(t, true);
    for (int32_t i = 0; i < v->tensors->n; i++)
        check_tensor(t, &start, v, i);
    rf_buf_free(&start);
}

static float read_loss(toy *t, const float *losses, int i)
{
    rf_error err = {0};
    float value;
    assert_ok(rf_device_read(t->device, &value, losses + i, sizeof value, &err));
    return value;
}

static double critic_loss(toy *t)
{
    const rfi_ctgan *m = (const rfi_ctgan *)t->model;
    return (double)read_loss(t, m->losses, RFI_LOSS_CRITIC) +
           (double)read_loss(t, m->losses, RFI_LOSS_PENALTY);
}

static double generator_loss(toy *t)
{
    const rfi_ctgan *m = (const rfi_ctgan *)t->model;
    return (double)read_loss(t, m->losses, RFI_LOSS_SCORE) +
           (double)read_loss(t, m->losses, RFI_LOSS_CONDITION);
}

static double tvae_loss(toy *t)
{
    const rfi_tvae *m = (const rfi_tvae *)t->model;
    return (double)read_loss(t, m->losses, RFI_TVAE_RECONSTRUCTION) +
           (double)read_loss(t, m->losses, RFI_TVAE_DIVERGENCE);
}

static void the_critic_follows_its_loss_and_penalty(void **state)
{
    (void)state;
    toy t;
    toy_init(&t, RF_MODEL_CTGAN);
    set_no_decay(&t);
    t.setup.params.discriminator_dim = (rf_dims){3, {20, 16, 12}};
    toy_start(&t, 1);
    toy_train(&t, 20);
    /* The first moment is the gradient alone only when it begins at zero. */
    rfi_ctgan *m = (rfi_ctgan *)t.model;
    for (int32_t i = 0; i < m->critic.tensors.n; i++) {
        const rfi_tensor *tensor = &m->critic.tensors.items[i];
        memset(tensor->m, 0, (size_t)tensor->rows * (size_t)tensor->cols * sizeof(float));
    }
    check(&t, &(view){&m->critic.tensors, 0.5, critic_loss});
    toy_end(&t);
}

static void the_generator_follows_its_loss(void **state)
{
    (void)state;
    toy t;
    toy_init(&t, RF_MODEL_CTGAN);
    set_no_decay(&t);
    /* The critic learns first in a step, and from the generator: it must hold still. */
    t.setup.params.discriminator_lr = 1e-12;
    t.setup.params.generator_dim = (rf_dims){3, {20, 16, 12}};
    toy_start(&t, 1);
    check(&t, &(view){&((rfi_ctgan *)t.model)->generator.tensors, 0.5, generator_loss});
    toy_end(&t);
}

static void the_autoencoder_follows_its_loss(void **state)
{
    (void)state;
    for (int net = 0; net < 2; net++) {
        toy t;
        toy_init(&t, RF_MODEL_TVAE);
        set_no_decay(&t);
        toy_start(&t, 1);
        rfi_tvae *m = (rfi_tvae *)t.model;
        check(&t, &(view){net ? &m->encoder.tensors : &m->decoder.tensors, 0.9, tvae_loss});
        toy_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_critic_follows_its_loss_and_penalty),
        cmocka_unit_test(the_generator_follows_its_loss),
        cmocka_unit_test(the_autoencoder_follows_its_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
