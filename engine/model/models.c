#include "engine/model/models.h"

#include <math.h>

const rf_model_class *rf_model_class_find(rf_model_kind kind)
{
    static const rf_model_class *const classes[RF_MODEL_COUNT] = {
        [RF_MODEL_CTGAN] = &rfi_ctgan_class,
        [RF_MODEL_TVAE] = &rfi_tvae_class,
    };
    return (unsigned)kind < RF_MODEL_COUNT ? classes[kind] : NULL;
}

/* ------------------------------------------------------------------ the optimiser */

rf_adam rfi_adam(double lr, double beta1, double beta2, double decay)
{
    return (rf_adam){.power1 = 1,
                     .power2 = 1,
                     .lr = (float)lr,
                     .beta1 = (float)beta1,
                     .beta2 = (float)beta2,
                     .eps = 1e-8f,
                     .decay = (float)decay};
}

rf_code rfi_adam_store(rf_device *device, const rf_adam *adam, rf_buf *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_adam host;
    RF_TRY(rf_device_read(device, &host, adam, sizeof host, err));
    rf_put_f64(out, host.power1);
    rf_put_f64(out, host.power2);
    rf_put_f32(out, host.rate);
    rf_put_f32(out, host.root);
out:
    return rc;
}

rf_code rfi_adam_load(rf_device *device, rf_adam *adam, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_adam host;
    RF_TRY(rf_device_read(device, &host, adam, sizeof host, err));
    host.power1 = rf_get_f64(reader);
    host.power2 = rf_get_f64(reader);
    host.rate = rf_get_f32(reader);
    host.root = rf_get_f32(reader);
    if (reader->failed || !(host.power1 >= 0 && host.power1 <= 1) ||
        !(host.power2 >= 0 && host.power2 <= 1) || !isfinite(host.rate) || !isfinite(host.root))
        return rf_fail(err, RF_CORRUPT, "the state of the optimiser is damaged");
    RF_TRY(rf_device_write(device, adam, &host, sizeof host, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ steps */

rf_code rfi_rows_write(const rf_model *model, const rf_coded *rows, rf_coded *to, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_layout *layout = model->setup.layout;
    const size_t n_scalars = (size_t)rows->n_rows * (size_t)layout->n_scalars;
    const size_t n_codes = (size_t)rows->n_rows * (size_t)layout->n_codes;
    to->n_rows = rows->n_rows;
    if (n_scalars)
        RF_TRY(rf_device_write(model->setup.device, to->scalars, rows->scalars,
                               n_scalars * sizeof *rows->scalars, err));
    if (n_codes)
        RF_TRY(
            rf_device_write(model->setup.device, to->codes, rows->codes, n_codes * sizeof *rows->codes, err));
out:
    return rc;
}

rf_code rfi_step_load(int64_t *step, rf_reader *reader, rf_error *err)
{
    *step = rf_get_i64(reader);
    if (reader->failed || *step < 0 || *step > UINT32_MAX)
        return rf_fail(err, RF_CORRUPT, "the number of training steps is damaged");
    return RF_OK;
}

static rf_code diverged(const rf_model *model, const char *rates, rf_error *err)
{
    const int64_t epoch = (model->step + model->steps_per_epoch - 1) / model->steps_per_epoch;
    return rf_fail(
        err, RF_DIVERGED,
        "training diverged in epoch %lld, at step %lld: the losses are not finite; make %s smaller "
        "and start again",
        (long long)epoch, (long long)model->step, rates);
}

/* The step that has just been counted. Sums run in the order of steps, so that it does not matter where a
 * training is cut into calls. */
static void add_losses(rf_model *model, const rf_losses *losses)
{
    rf_epoch_losses *epoch = &model->epoch;
    epoch->sum.generator += losses->generator;
    epoch->sum.discriminator += losses->discriminator;
    epoch->n++;
    const bool ends = model->step % model->steps_per_epoch == 0;
    if (ends || epoch->ended == 0) {
        epoch->mean.generator = epoch->sum.generator / (double)epoch->n;
        epoch->mean.discriminator = epoch->sum.discriminator / (double)epoch->n;
    }
    if (ends) {
        epoch->sum = (rf_losses){0};
        epoch->n = 0;
        epoch->ended++;
    }
}

/* At most as many steps as the ring has places from here to its end. */
static rf_code train_piece(rf_model *model, const rfi_training *training, int64_t n, rf_losses *losses,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    float kept[RFI_RING_STEPS * RFI_RING_WIDTH];
    const size_t width = (size_t)training->width;
    const size_t first = (size_t)(model->step % RFI_RING_STEPS) * width;
    rf_device_repeat(model->setup.device, model, n, training->step, model);
    RF_TRY(rf_device_read(model->setup.device, kept, training->ring + first, (size_t)n * width * sizeof *kept,
                          err));
    for (int64_t i = 0; i < n; i++) {
        model->step++;
        if (!training->losses(model, kept + (size_t)i * width, losses)) {
            rc = diverged(model, training->rates, err);
            goto out;
        }
        add_losses(model, losses);
    }
out:
    return rc;
}

rf_code rfi_train_steps(rf_model *model, const rfi_training *training, int64_t n_steps, rf_losses *losses,
                        rf_error *err)
{
    rf_code rc = RF_OK;
    while (n_steps > 0) {
        const int64_t room = RFI_RING_STEPS - model->step % RFI_RING_STEPS;
        const int64_t n = n_steps < room ? n_steps : room;
        RF_TRY(train_piece(model, training, n, losses, err));
        n_steps -= n;
    }
out:
    return rc;
}
