/* Fit: from a table to a trained model. */
#include "engine/pipeline.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "engine/fitted.h"

#include <math.h>
#include <string.h>

rf_model_setup rfi_model_setup(const rf_transform *transform, const rf_params *params, uint64_t seed,
                               bool compat, rf_device *device)
{
    return (rf_model_setup){.device = device,
                            .layout = rf_transform_layout(transform),
                            .condition_counts = rf_transform_condition_counts(transform),
                            .params = *params,
                            .n_rows = rf_transform_rows(transform),
                            .seed = seed,
                            .compat = compat};
}

void rf_fitted_free(rf_fitted *fitted)
{
    if (!fitted)
        return;
    if (fitted->model)
        fitted->model->type->free(fitted->model);
    rf_transform_free(fitted->transform);
    rf_free(fitted);
}

void rf_fitted_describe(const rf_fitted *fitted, rf_fitted_info *out)
{
    *out = fitted->info;
}

const rf_transform *rf_fitted_transform(const rf_fitted *fitted)
{
    return fitted->transform;
}

/* ------------------------------------------------------------------ fit */

/* Draws are addressed by 32-bit step numbers and rows by 32-bit row numbers. */
static rf_code check_counts(const rf_model *model, int64_t n_steps, rf_error *err)
{
    const rf_params *params = &model->setup.params;
    const int64_t passes = params->model == RF_MODEL_CTGAN ? params->discriminator_steps : 1;
    if (model->setup.n_rows > UINT32_MAX)
        return rf_fail(err, RF_INPUT, "the table has %lld rows; at most %lld can be learned from",
                       (long long)model->setup.n_rows, (long long)UINT32_MAX);
    if (n_steps > UINT32_MAX / passes)
        return rf_fail(err, RF_USAGE, "epochs=%lld would take %lld steps; at most %lld are possible",
                       (long long)params->epochs, (long long)n_steps, (long long)(UINT32_MAX / passes));
    return RF_OK;
}

static rf_code say_phase(const rf_fit_options *options, const char *phase, rf_error *err)
{
    const rf_progress progress = {.phase = phase,
                                  .epochs = options->params.epochs,
                                  .losses = {.generator = (double)NAN, .discriminator = (double)NAN}};
    if (options->progress && !options->progress(options->progress_arg, &progress))
        return rf_fail(err, RF_INTERRUPTED, "stopped before the training began");
    return RF_OK;
}

/* What the model plans, and the coded rows that it copies from. */
static size_t planned_bytes(const rf_model_class *type, const rf_model_setup *setup)
{
    const size_t model_bytes = type->plan(setup);
    const size_t row_bytes =
        (size_t)setup->layout->n_scalars * sizeof(float) + (size_t)setup->layout->n_codes * sizeof(uint16_t);
    const size_t coded_bytes = (size_t)setup->n_rows * row_bytes;
    return model_bytes > SIZE_MAX - coded_bytes ? SIZE_MAX : model_bytes + coded_bytes;
}

static rf_code build_model(rf_fitted *fitted, const rf_fit_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_model_class *type = rf_model_class_find(options->params.model);
    const rf_model_setup setup =
        rfi_model_setup(fitted->transform, &options->params, options->seed, options->compat, options->device);
    if (!type)
        return rf_fail(err, RF_USAGE, "there is no model of that kind in this version");
    if (strcmp(options->device->type->kind, "cpu") == 0)
        RF_TRY(rfi_memory_check(planned_bytes(type, &setup), "training this model", err));
    RF_TRY(type->create(&fitted->model, &setup, err));
out:
    return rc;
}

static rf_code resume(rf_model *model, const rf_fit_options *options, const rfi_checkpoint_key *key,
                      rf_notes *notes, rf_error *err)
{
    rf_error missing = {0};
    if (!options->resume || !options->checkpoint_path)
        return RF_OK;
    rf_code rc = rfi_checkpoint_load(options->checkpoint_path, key, model, &missing);
    if (rc == RF_NOT_FOUND) {
        rf_note(notes, "there is no checkpoint at %s: starting anew", options->checkpoint_path);
        return RF_OK;
    }
    if (rc != RF_OK && err)
        *err = missing;
    return rc;
}

/* Codes the table, trains on it and forgets it. */
static rf_code train_on(rf_fitted *fitted, const rf_table *table, const rf_fit_options *options,
                        rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_coded rows = {0};
    rf_model *model = NULL;
    rfi_checkpoint_key key = {.seed = options->seed, .compat = options->compat, .params = &options->params};
    RF_TRY(build_model(fitted, options, err));
    model = fitted->model;
    key.n_rows = model->setup.n_rows;
    key.n_steps = options->params.epochs * model->steps_per_epoch;
    RF_TRY(check_counts(model, key.n_steps, err));
    RF_TRY(rf_transform_apply(fitted->transform, table, options->seed, options->device->pool, &rows, err));
    if (options->checkpoint_path)
        RF_TRY(rfi_data_hash(&key.data_hash, fitted->transform, &rows, err));
    RF_TRY(model->type->attach(model, &rows, err));
    rf_coded_free(&rows);
    RF_TRY(resume(model, options, &key, notes, err));
    const double start_s = rf_clock_s();
    RF_TRY(rfi_train(model, options, &key, &fitted->info.losses, err));
    fitted->info.train_seconds = rf_clock_s() - start_s;
    model->type->detach(model);
out:
    rf_coded_free(&rows);
    return rc;
}

static rf_code check_conditions(const rf_transform *transform, const rf_fit_options *options, rf_error *err)
{
    rf_condition condition;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < options->n_where; i++)
        RF_TRY(rf_transform_condition(transform, options->where[i], &condition, err));
out:
    return rc;
}

rf_code rf_fit(rf_fitted **out, const rf_table *table, const rf_fit_options *options, rf_notes *notes,
               rf_error *err)
{
    rf_code rc = RF_OK;
    rf_fitted *fitted = NULL;
    const rf_transform_options transform_options = {.max_categories = options->max_categories,
                                                    .compat = options->compat,
                                                    .seed = options->seed,
                                                    .stop = options->stop};
    *out = NULL;
    RF_TRY(say_phase(options, "transform", err));
    RF_TRY(RF_NEW_ARRAY(&fitted, 1, "the model", err));
    fitted->device = options->device;
    RF_TRY(
        rf_transform_fit(&fitted->transform, table, &transform_options, options->device->pool, notes, err));
    RF_TRY(check_conditions(fitted->transform, options, err));
    RF_TRY(say_phase(options, "transform", err));
    fitted->info = (rf_fitted_info){.params = options->params,
                                    .seed = options->seed,
                                    .n_rows = table->n_rows,
                                    .epochs_done = options->params.epochs,
                                    .compat = options->compat};
    RF_TRY(train_on(fitted, table, options, notes, err));
    *out = fitted;
    fitted = NULL;
out:
    rf_fitted_free(fitted);
    return rc;
}
