/* TVAE behind the model interface: its memory, its steps, its rows. */
#include "engine/model/tvae.h"

#include <math.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/model/models.h"

static rfi_tvae *tvae_of(rf_model *model)
{
    return (rfi_tvae *)model;
}

/* ------------------------------------------------------------------ the plan */

static void shape(rfi_tvae *m, const rf_model_setup *setup)
{
    m->base = (rf_model){.type = &rfi_tvae_class, .setup = *setup};
    m->b = (int32_t)setup->params.batch_size;
    m->d = setup->layout->width;
    m->z = (int32_t)setup->params.embedding_dim;
    m->base.steps_per_epoch = (setup->n_rows + m->b - 1) / m->b;
    rfi_tvae_shape(m);
}

/* What sampling needs. */
static void place_kept(rfi_tvae *m, rfi_slab *slab)
{
    m->zero = rfi_slab_take(slab, 1, sizeof *m->zero);
    rfi_batches_place(&m->batches, &m->base.setup, slab);
    rfi_tvae_place(m, slab);
}

/* What training needs besides. */
static void place_training(rfi_tvae *m, rfi_slab *slab)
{
    const rf_layout *layout = m->base.setup.layout;
    const size_t n_rows = (size_t)m->base.setup.n_rows;
    m->step = rfi_slab_take(slab, 1, sizeof *m->step);
    m->n = rfi_slab_take(slab, 1, sizeof *m->n);
    m->adam = rfi_slab_take(slab, 1, sizeof *m->adam);
    m->losses = rfi_slab_floats(slab, 1, RFI_TVAE_LOSSES);
    m->ring = rfi_slab_floats(slab, RFI_RING_STEPS, RFI_TVAE_LOSSES);
    rfi_tvae_place_training(m, slab);
    m->scalars = rfi_slab_floats(slab, (size_t)m->b, (size_t)layout->n_scalars);
    m->codes = rfi_slab_take(slab, (size_t)m->b * (size_t)layout->n_codes, sizeof *m->codes);
    m->table.scalars = rfi_slab_floats(slab, n_rows, (size_t)layout->n_scalars);
    m->table.codes = rfi_slab_take(slab, n_rows * (size_t)layout->n_codes, sizeof *m->table.codes);
}

static size_t plan(const rf_model_setup *setup)
{
    rfi_tvae m = {0};
    rfi_slab kept = {0}, training = {0};
    shape(&m, setup);
    place_kept(&m, &kept);
    place_training(&m, &training);
    return rfi_slab_sum(rfi_slab_sum(kept.used_bytes, training.used_bytes), rfi_batches_host_bytes(setup));
}

static size_t plan_sampling(const rf_model_setup *setup)
{
    rfi_tvae m = {0};
    rfi_slab kept = {0};
    shape(&m, setup);
    place_kept(&m, &kept);
    return rfi_slab_sum(kept.used_bytes, rfi_batches_host_bytes(setup));
}

/* ------------------------------------------------------------------ life */

static void tvae_free(rf_model *model)
{
    if (!model)
        return;
    rfi_tvae *m = tvae_of(model);
    rf_device_forget(m->base.setup.device, m);
    rfi_batches_free(&m->batches, m->base.setup.device);
    rf_device_free(m->base.setup.device, m->training);
    rf_device_free(m->base.setup.device, m->kept);
    rf_free(m);
}

static void make_batch(void *arg); /* rows, below */

static rf_code create(rf_model **out, const rf_model_setup *setup, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_tvae *m = NULL;
    rfi_slab slab = {0};
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&m, 1, "the model", err));
    shape(m, setup);
    m->batches.make = make_batch;
    place_kept(m, &slab);
    RF_TRY(rf_device_alloc(setup->device, &m->kept, slab.used_bytes, err));
    slab = (rfi_slab){.base = m->kept};
    place_kept(m, &slab);
    rfi_tensors_start(&m->decoder.tensors, setup->device, setup->seed, m->zero);
    RF_TRY(rf_device_sync(setup->device, err));
    *out = &m->base;
    m = NULL;
out:
    tvae_free(m ? &m->base : NULL);
    return rc;
}

static rf_code attach(rf_model *model, const rf_coded *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_tvae *m = tvae_of(model);
    rf_device *device = model->setup.device;
    const rf_params *params = &model->setup.params;
    const rf_adam adam = rfi_adam(params->learning_rate, 0.9, 0.999, params->l2scale);
    rfi_slab slab = {0};
    place_training(m, &slab);
    RF_TRY(rf_device_alloc(device, &m->training, slab.used_bytes, err));
    slab = (rfi_slab){.base = m->training};
    place_training(m, &slab);
    RF_TRY(rfi_rows_write(model, rows, &m->table, err));
    RF_TRY(rf_device_write(device, m->adam, &adam, sizeof adam, err));
    rfi_tensors_start(&m->encoder.tensors, device, model->setup.seed, m->zero);
    RF_TRY(rf_device_sync(device, err));
out:
    return rc;
}

static void detach(rf_model *model)
{
    rfi_tvae *m = tvae_of(model);
    rf_device_forget(model->setup.device, m);
    rf_device_free(model->setup.device, m->training);
    m->training = NULL;
}

/* ------------------------------------------------------------------ training */

/* The same operations with the same arguments each time, so that a device may record it. */
static void train_step(void *arg)
{
    rfi_tvae *m = arg;
    rfi_tvae_learn(m);
}

static bool losses_of(const rf_model *model, const float *kept, rf_losses *out)
{
    (void)model;
    out->generator = (double)kept[RFI_TVAE_RECONSTRUCTION] + (double)kept[RFI_TVAE_DIVERGENCE];
    out->discriminator = (double)NAN;
    return isfinite(out->generator);
}

static rf_code train(rf_model *model, int64_t n_steps, rf_losses *losses, rf_error *err)
{
    rfi_batches_drop(&tvae_of(model)->batches);
    return rfi_train_steps(model,
                           &(rfi_training){.step = train_step,
                                           .ring = tvae_of(model)->ring,
                                           .width = RFI_TVAE_LOSSES,
                                           .losses = losses_of,
                                           .rates = "learning_rate"},
                           n_steps, losses, err);
}

/* ------------------------------------------------------------------ bytes */

static size_t stored_size(const rf_model_setup *setup, bool training)
{
    rfi_tvae m = {0};
    shape(&m, setup);
    const size_t decoder = rfi_tensors_size(&m.decoder.tensors, training);
    if (!training)
        return decoder;
    return sizeof(int64_t) + decoder + rfi_tensors_size(&m.encoder.tensors, true) + RFI_ADAM_BYTES;
}

static rf_code store(rf_model *model, bool training, rf_buf *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_tvae *m = tvae_of(model);
    rf_device *device = model->setup.device;
    if (training)
        rf_put_i64(out, model->step);
    RF_TRY(rfi_tensors_store(&m->decoder.tensors, device, training, out, err));
    if (training) {
        RF_TRY(rfi_tensors_store(&m->encoder.tensors, device, true, out, err));
        RF_TRY(rfi_adam_store(device, m->adam, out, err));
    }
    RF_TRY(rf_buf_check(out, "the model's bytes", err));
out:
    return rc;
}

static rf_code load(rf_model *model, bool training, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_tvae *m = tvae_of(model);
    rf_device *device = model->setup.device;
    int64_t step = 0;
    rfi_batches_drop(&m->batches);
    if (training)
        RF_TRY(rfi_step_load(&step, reader, err));
    RF_TRY(rfi_tensors_load(&m->decoder.tensors, device, training, reader, err));
    if (training) {
        const uint32_t counter = (uint32_t)step;
        RF_TRY(rfi_tensors_load(&m->encoder.tensors, device, true, reader, err));
        RF_TRY(rfi_adam_load(device, m->adam, reader, err));
        RF_TRY(rf_device_write(device, m->step, &counter, sizeof counter, err));
        model->step = step;
        model->epoch = (rf_epoch_losses){0};
    }
out:
    return rc;
}

/* ------------------------------------------------------------------ rows */

/* The batch that the counter names. The public reference takes the largest of tanh(logit), which loses
 * rare categories and lets saturated ones tie; here a category is drawn from the softmax of its logits, as
 * the loss describes it. */
static void make_batch(void *arg)
{
    rfi_tvae *m = arg;
    const rfi_batches *batches = &m->batches;
    rf_device *device = m->base.setup.device;
    const bool compat = m->base.setup.compat;
    const rf_noise noise = {.seed = batches->seed, .step = batches->counter, .purpose = RF_DRAW_SAMPLE_NOISE};
    rf_noise scalars = noise, codes = noise;
    scalars.purpose = RF_DRAW_SAMPLE_SCALAR;
    codes.purpose = RF_DRAW_SAMPLE_CODE;
    device->ops->draw_normal(device,
                             &(rf_draw_normal){.out = rfi_mat(m->latent, m->b, m->z), .noise = noise});
    rfi_tvae_decode(m);
    device->ops->decode(device, &(rf_decode){.logits = rfi_mat(m->decoder.out, m->b, m->d),
                                             .layout = m->base.setup.layout,
                                             .scalars = batches->scalars,
                                             .codes = batches->codes,
                                             .sigma = m->sigma ? m->sigma->w : NULL,
                                             .scalar_noise = scalars,
                                             .code_noise = compat ? (rf_noise){0} : codes,
                                             .saturate = compat,
                                             .slot = batches->counter,
                                             .n_slots = batches->n_slots});
    device->ops->step_tick(device, &(rf_step_tick){.step = batches->counter});
}

static rf_code sample(rf_model *model, const rf_sample_request *request, rf_coded *out, rf_error *err)
{
    return rfi_batches_sample(model, &tvae_of(model)->batches, request, out, err);
}

static rf_code sample_ahead(rf_model *model, const rf_sample_request *request, rf_error *err)
{
    return rfi_batches_ahead(model, &tvae_of(model)->batches, request, err);
}

const rf_model_class rfi_tvae_class = {.kind = RF_MODEL_TVAE,
                                       .plan = plan,
                                       .plan_sampling = plan_sampling,
                                       .create = create,
                                       .free = tvae_free,
                                       .attach = attach,
                                       .detach = detach,
                                       .train = train,
                                       .store = store,
                                       .load = load,
                                       .stored_size = stored_size,
                                       .sample = sample,
                                       .sample_ahead = sample_ahead};
