/* CTGAN behind the model interface: its memory, its steps, its rows. */
#include "engine/model/ctgan.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/model/conditions.h"
#include "engine/model/models.h"

static rfi_ctgan *ctgan_of(rf_model *model)
{
    return (rfi_ctgan *)model;
}

/* ------------------------------------------------------------------ the plan */

static void shape(rfi_ctgan *m, const rf_model_setup *setup)
{
    const rf_params *params = &setup->params;
    m->base = (rf_model){.type = &rfi_ctgan_class, .setup = *setup};
    m->b = (int32_t)params->batch_size;
    m->p = (int32_t)params->pac;
    m->m = m->b / m->p;
    m->d = setup->layout->width;
    m->c = setup->layout->condition_width;
    m->z = (int32_t)params->embedding_dim;
    m->base.steps_per_epoch = setup->n_rows / m->b > 1 ? setup->n_rows / m->b : 1;
    rfi_generator_shape(m);
    m->critic.tensors.first_index = RFI_TENSORS_MAX;
    rfi_critic_shape(m);
}

/* What sampling needs. */
static void place_kept(rfi_ctgan *m, rfi_slab *slab)
{
    const rf_layout *layout = m->base.setup.layout;
    const size_t n = (size_t)layout->n_conditions;
    m->zero = rfi_slab_take(slab, 1, sizeof *m->zero);
    rfi_batches_place(&m->batches, &m->base.setup, slab);
    rfi_generator_place(m, slab);
    m->condition_offsets = rfi_slab_take(slab, n + 1, sizeof *m->condition_offsets);
    m->condition_spans = rfi_slab_take(slab, n, sizeof *m->condition_spans);
    m->sampling_cumulative = rfi_slab_take(slab, (size_t)m->c, sizeof *m->sampling_cumulative);
}

/* What training needs besides. */
static void place_training(rfi_ctgan *m, rfi_slab *slab)
{
    const rf_layout *layout = m->base.setup.layout;
    const size_t b = (size_t)m->b, n_rows = (size_t)m->base.setup.n_rows;
    m->step = rfi_slab_take(slab, 1, sizeof *m->step);
    m->critic_step = rfi_slab_take(slab, 1, sizeof *m->critic_step);
    m->generator_adam = rfi_slab_take(slab, 1, sizeof *m->generator_adam);
    m->critic_adam = rfi_slab_take(slab, 1, sizeof *m->critic_adam);
    m->losses = rfi_slab_floats(slab, 1, RFI_LOSSES);
    m->ring = rfi_slab_floats(slab, RFI_RING_STEPS, RFI_LOSSES);
    rfi_generator_place_training(m, slab);
    rfi_critic_place(m, slab);
    m->fake = rfi_slab_floats(slab, (size_t)m->generator.trained.n * b, (size_t)m->d);
    m->real_scalars = rfi_slab_floats(slab, b, (size_t)layout->n_scalars);
    m->real_codes = rfi_slab_take(slab, b * (size_t)layout->n_codes, sizeof *m->real_codes);
    m->real_entries = rfi_slab_take(slab, (size_t)m->b, sizeof *m->real_entries);
    m->training_cumulative = rfi_slab_take(slab, (size_t)m->c, sizeof *m->training_cumulative);
    m->list_offsets = rfi_slab_take(slab, (size_t)m->c + 1, sizeof *m->list_offsets);
    m->list = rfi_slab_take(slab, n_rows * (size_t)layout->n_conditions, sizeof *m->list);
    m->table.scalars = rfi_slab_floats(slab, n_rows, (size_t)layout->n_scalars);
    m->table.codes = rfi_slab_take(slab, n_rows * (size_t)layout->n_codes, sizeof *m->table.codes);
}

static size_t plan(const rf_model_setup *setup)
{
    rfi_ctgan m = {0};
    rfi_slab kept = {0}, training = {0};
    shape(&m, setup);
    place_kept(&m, &kept);
    place_training(&m, &training);
    if (m.generator.tensors.too_large || m.critic.tensors.too_large)
        return SIZE_MAX;
    const size_t staging = (size_t)setup->n_rows * sizeof(uint32_t) * (m.c > 0);
    return rfi_slab_sum(rfi_slab_sum(kept.used_bytes, training.used_bytes),
                        rfi_slab_sum(staging, rfi_batches_host_bytes(setup)));
}

static size_t plan_sampling(const rf_model_setup *setup)
{
    rfi_ctgan m = {0};
    rfi_slab kept = {0};
    shape(&m, setup);
    place_kept(&m, &kept);
    if (m.generator.tensors.too_large)
        return SIZE_MAX;
    return rfi_slab_sum(kept.used_bytes, rfi_batches_host_bytes(setup));
}

/* ------------------------------------------------------------------ life */

static void ctgan_free(rf_model *model)
{
    if (!model)
        return;
    rfi_ctgan *m = ctgan_of(model);
    rf_device_forget(m->base.setup.device, m);
    rfi_batches_free(&m->batches, m->base.setup.device);
    rf_device_free(m->base.setup.device, m->training);
    rf_device_free(m->base.setup.device, m->kept);
    rf_free(m);
}

/* Writes the condition columns and the probabilities of sampling. The public reference samples by the
 * training's (logarithmic) frequencies, which gives rare categories more than their share; here they are
 * drawn as often as they stood in the table. */
static rf_code write_conditions(rfi_ctgan *m, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_model_setup *setup = &m->base.setup;
    const size_t n = (size_t)setup->layout->n_conditions, c = (size_t)m->c;
    const bool log_frequency = setup->compat && setup->params.log_frequency;
    int32_t *offsets = NULL, *spans = NULL;
    double *cumulative = NULL;
    RF_TRY(RF_NEW_ARRAY(&offsets, n + 1, "the conditions", err));
    RF_TRY(RF_NEW_ARRAY(&spans, n, "the conditions", err));
    RF_TRY(RF_NEW_ARRAY(&cumulative, c, "the conditions", err));
    rfi_condition_columns(setup->layout, offsets, spans);
    rfi_condition_cumulative(setup->layout, setup->condition_counts, log_frequency, cumulative);
    RF_TRY(rf_device_write(setup->device, m->condition_offsets, offsets, (n + 1) * sizeof *offsets, err));
    if (n) {
        RF_TRY(rf_device_write(setup->device, m->condition_spans, spans, n * sizeof *spans, err));
        RF_TRY(
            rf_device_write(setup->device, m->sampling_cumulative, cumulative, c * sizeof *cumulative, err));
    }
    m->sampling = (rf_condition_table){.n_conditions = (int32_t)n,
                                       .width = m->c,
                                       .offsets = m->condition_offsets,
                                       .cumulative = m->sampling_cumulative};
out:
    rf_free(cumulative);
    rf_free(spans);
    rf_free(offsets);
    return rc;
}

static void make_batch(void *arg); /* rows, below */

static rf_code create(rf_model **out, const rf_model_setup *setup, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ctgan *m = NULL;
    rfi_slab slab = {0};
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&m, 1, "the model", err));
    shape(m, setup);
    m->batches.make = make_batch;
    place_kept(m, &slab);
    RF_TRY(rf_device_alloc(setup->device, &m->kept, slab.used_bytes, err));
    slab = (rfi_slab){.base = m->kept};
    place_kept(m, &slab);
    RF_TRY(write_conditions(m, err));
    rfi_tensors_start(&m->generator.tensors, setup->device, setup->seed, m->zero);
    RF_TRY(rf_device_sync(setup->device, err));
    *out = &m->base;
    m = NULL;
out:
    ctgan_free(m ? &m->base : NULL);
    return rc;
}

/* ------------------------------------------------------------------ the training rows */

/* The row lists, a column at a time so that the host holds one of them only. */
static rf_code write_lists(rfi_ctgan *m, const rf_coded *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_layout *layout = m->base.setup.layout;
    rf_device *device = m->base.setup.device;
    int64_t *starts = NULL;
    uint32_t *list = NULL;
    RF_TRY(RF_NEW_ARRAY(&starts, m->c + 1, "the lists of rows", err));
    RF_TRY(RF_NEW_ARRAY(&list, rows->n_rows, "the lists of rows", err));
    for (int32_t s = 0; s < layout->n_spans; s++) {
        const rf_span *span = &layout->spans[s];
        if (span->condition < 0)
            continue;
        const int64_t base = span->condition * rows->n_rows;
        int64_t *own = starts + span->cond_offset;
        rfi_condition_rows(layout, span, rows, own, list);
        for (int32_t c = 0; c <= span->width; c++)
            own[c] += base;
        RF_TRY(rf_device_write(device, m->list + base, list, (size_t)rows->n_rows * sizeof *list, err));
    }
    RF_TRY(rf_device_write(device, m->list_offsets, starts, ((size_t)m->c + 1) * sizeof *starts, err));
out:
    rf_free(list);
    rf_free(starts);
    return rc;
}

static rf_code write_training_conditions(rfi_ctgan *m, const rf_coded *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_model_setup *setup = &m->base.setup;
    double *cumulative = NULL;
    if (!m->c)
        return RF_OK;
    RF_TRY(RF_NEW_ARRAY(&cumulative, m->c, "the conditions", err));
    rfi_condition_cumulative(setup->layout, setup->condition_counts, setup->params.log_frequency, cumulative);
    RF_TRY(rf_device_write(setup->device, m->training_cumulative, cumulative,
                           (size_t)m->c * sizeof *cumulative, err));
    RF_TRY(write_lists(m, rows, err));
    m->conditions = m->sampling;
    m->conditions.cumulative = m->training_cumulative;
    m->conditions.list_offsets = m->list_offsets;
    m->conditions.list = m->list;
out:
    rf_free(cumulative);
    return rc;
}

static rf_code write_optimisers(rfi_ctgan *m, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_params *params = &m->base.setup.params;
    const rf_adam generator = rfi_adam(params->generator_lr, 0.5, 0.9, params->generator_decay);
    const rf_adam critic = rfi_adam(params->discriminator_lr, 0.5, 0.9, params->discriminator_decay);
    RF_TRY(rf_device_write(m->base.setup.device, m->generator_adam, &generator, sizeof generator, err));
    RF_TRY(rf_device_write(m->base.setup.device, m->critic_adam, &critic, sizeof critic, err));
out:
    return rc;
}

static rf_code attach(rf_model *model, const rf_coded *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ctgan *m = ctgan_of(model);
    rfi_slab slab = {0};
    place_training(m, &slab);
    RF_TRY(rf_device_alloc(m->base.setup.device, &m->training, slab.used_bytes, err));
    slab = (rfi_slab){.base = m->training};
    place_training(m, &slab);
    RF_TRY(rfi_rows_write(model, rows, &m->table, err));
    RF_TRY(write_training_conditions(m, rows, err));
    RF_TRY(write_optimisers(m, err));
    RF_TRY(rfi_critic_start(m, err));
    RF_TRY(rf_device_sync(m->base.setup.device, err));
out:
    return rc;
}

static void detach(rf_model *model)
{
    rfi_ctgan *m = ctgan_of(model);
    rf_device_forget(model->setup.device, m);
    rf_device_free(model->setup.device, m->training);
    m->training = NULL;
}

/* ------------------------------------------------------------------ training */

static rf_draw_rows real_rows(const rfi_ctgan *m)
{
    const uint64_t seed = m->base.setup.seed;
    return (rf_draw_rows){.n = m->b,
                          .entries = m->c ? rfi_entries_of(m, RFI_FOR_CRITIC) : NULL,
                          .out_entries = m->c ? m->real_entries : NULL,
                          .out_scalars = m->real_scalars,
                          .out_codes = m->real_codes,
                          .layout = m->base.setup.layout,
                          .table = &m->table,
                          .conditions = m->c ? &m->conditions : NULL,
                          .noise = {.seed = seed, .step = m->critic_step, .purpose = RF_DRAW_ROWS},
                          .permute = {.seed = seed, .step = m->critic_step, .purpose = RF_DRAW_PERMUTE}};
}

static rfi_generator_draws draws_of(const rfi_ctgan *m, int whose)
{
    const bool critic = whose == RFI_FOR_CRITIC;
    return (rfi_generator_draws){.seed = m->base.setup.seed,
                                 .step = critic ? m->critic_step : m->step,
                                 .noise = critic ? RF_DRAW_NOISE_D : RF_DRAW_NOISE_G,
                                 .condition = critic ? RF_DRAW_COND_D : RF_DRAW_COND_G,
                                 .gumbel = critic ? RF_DRAW_GUMBEL_D : RF_DRAW_GUMBEL_G,
                                 .fixed_entry = -1,
                                 .conditions = &m->conditions};
}

static void generate(rfi_ctgan *m, const rfi_generator_draws *draws, const rf_draw_rows *real)
{
    rfi_generator_forward(m, &m->generator.trained, draws, real);
    rfi_generator_activate(m, draws);
}

/* The same operations with the same arguments each time, so that a device may record it. The generator's weights change at the
 * end only: the critic's batch and the generator's are made at once where there are two, and one after the other where
 * the critic learns several times. */
static void train_step(void *arg)
{
    rfi_ctgan *m = arg;
    const rfi_generator_draws draws[] = {draws_of(m, RFI_FOR_CRITIC), draws_of(m, RFI_FOR_GENERATOR)};
    const rf_draw_rows real = real_rows(m);
    for (int64_t k = 0; k < m->base.setup.params.discriminator_steps; k++) {
        generate(m, draws, &real);
        rfi_critic_learn(m);
    }
    if (m->generator.trained.n == 1)
        generate(m, &draws[1], NULL);
    rfi_critic_judge(m);
    rfi_generator_learn(m);
}

static bool losses_of(const rf_model *model, const float *kept, rf_losses *out)
{
    const bool conditions = model->setup.layout->condition_width > 0;
    out->discriminator = kept[RFI_LOSS_CRITIC];
    out->generator = (double)kept[RFI_LOSS_SCORE] + (conditions ? (double)kept[RFI_LOSS_CONDITION] : 0);
    return isfinite(out->discriminator) && isfinite(out->generator) && isfinite(kept[RFI_LOSS_PENALTY]);
}

static rf_code train(rf_model *model, int64_t n_steps, rf_losses *losses, rf_error *err)
{
    rfi_batches_drop(&ctgan_of(model)->batches);
    return rfi_train_steps(model,
                           &(rfi_training){.step = train_step,
                                           .ring = ctgan_of(model)->ring,
                                           .width = RFI_LOSSES,
                                           .losses = losses_of,
                                           .rates = "generator_lr and discriminator_lr"},
                           n_steps, losses, err);
}

/* ------------------------------------------------------------------ bytes */

static size_t stored_size(const rf_model_setup *setup, bool training)
{
    rfi_ctgan m = {0};
    shape(&m, setup);
    const size_t generator = rfi_tensors_size(&m.generator.tensors, training);
    if (!training)
        return generator;
    return sizeof(int64_t) + generator + rfi_tensors_size(&m.critic.tensors, true) + 2 * RFI_ADAM_BYTES;
}

static rf_code store(rf_model *model, bool training, rf_buf *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ctgan *m = ctgan_of(model);
    rf_device *device = model->setup.device;
    if (training)
        rf_put_i64(out, model->step);
    RF_TRY(rfi_tensors_store(&m->generator.tensors, device, training, out, err));
    if (training) {
        RF_TRY(rfi_tensors_store(&m->critic.tensors, device, true, out, err));
        RF_TRY(rfi_adam_store(device, m->generator_adam, out, err));
        RF_TRY(rfi_adam_store(device, m->critic_adam, out, err));
    }
    RF_TRY(rf_buf_check(out, "the model's bytes", err));
out:
    return rc;
}

static rf_code load(rf_model *model, bool training, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ctgan *m = ctgan_of(model);
    rf_device *device = model->setup.device;
    int64_t step = 0;
    rfi_batches_drop(&m->batches);
    if (training)
        RF_TRY(rfi_step_load(&step, reader, err));
    RF_TRY(rfi_tensors_load(&m->generator.tensors, device, training, reader, err));
    if (training) {
        const uint32_t steps[2] = {(uint32_t)step,
                                   (uint32_t)(step * model->setup.params.discriminator_steps)};
        RF_TRY(rfi_tensors_load(&m->critic.tensors, device, true, reader, err));
        RF_TRY(rfi_adam_load(device, m->generator_adam, reader, err));
        RF_TRY(rfi_adam_load(device, m->critic_adam, reader, err));
        RF_TRY(rf_device_write(device, m->step, &steps[0], sizeof steps[0], err));
        RF_TRY(rf_device_write(device, m->critic_step, &steps[1], sizeof steps[1], err));
        model->step = step;
        model->epoch = (rf_epoch_losses){0};
    }
out:
    return rc;
}

/* ------------------------------------------------------------------ rows */

/* The batch that the counter names. A row's category is the largest of logit + Gumbel noise: the
 * softmax of the training's activation does not move the maximum, so it is left out. */
static void make_batch(void *arg)
{
    rfi_ctgan *m = arg;
    rf_device *device = m->base.setup.device;
    const rfi_batches *batches = &m->batches;
    rfi_generator_forward(m, &m->generator.sampled,
                          &(rfi_generator_draws){.seed = batches->seed,
                                                 .step = batches->counter,
                                                 .noise = RF_DRAW_SAMPLE_NOISE,
                                                 .condition = RF_DRAW_SAMPLE_COND,
                                                 .fixed_entry = batches->condition_entry,
                                                 .conditions = &m->sampling},
                          NULL);
    device->ops->decode(device, &(rf_decode){.logits = rfi_mat(m->generator.sampled.logits, m->b, m->d),
                                             .layout = m->base.setup.layout,
                                             .scalars = batches->scalars,
                                             .codes = batches->codes,
                                             .code_noise = {.seed = batches->seed,
                                                            .step = batches->counter,
                                                            .purpose = RF_DRAW_SAMPLE_GUMBEL},
                                             .slot = batches->counter,
                                             .n_slots = batches->n_slots});
    device->ops->step_tick(device, &(rf_step_tick){.step = batches->counter});
}

static rf_code sample(rf_model *model, const rf_sample_request *request, rf_coded *out, rf_error *err)
{
    return rfi_batches_sample(model, &ctgan_of(model)->batches, request, out, err);
}

static rf_code sample_ahead(rf_model *model, const rf_sample_request *request, rf_error *err)
{
    return rfi_batches_ahead(model, &ctgan_of(model)->batches, request, err);
}

const rf_model_class rfi_ctgan_class = {.kind = RF_MODEL_CTGAN,
                                        .plan = plan,
                                        .plan_sampling = plan_sampling,
                                        .create = create,
                                        .free = ctgan_free,
                                        .attach = attach,
                                        .detach = detach,
                                        .train = train,
                                        .store = store,
                                        .load = load,
                                        .stored_size = stored_size,
                                        .sample = sample,
                                        .sample_ahead = sample_ahead};
