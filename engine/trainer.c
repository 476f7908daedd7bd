/* The loop around the steps: it cuts them into pieces short enough that people hear of them and can stop
 * them, and keeps checkpoints. Where it cuts moves no bit of the result. */
#include "engine/fitted.h"

#include <math.h>

#include "core/clock.h"

/* How often the caller hears of the training; however short it is, some tens of times. */
static const double piece_s = 0.1;
enum { PIECES_MIN = 32 };

typedef struct trainer {
    rf_model *model;
    const rf_fit_options *options;
    const rfi_checkpoint_key *key;
    double start_s, checkpoint_at_s, checkpoint_every_s;
    int64_t first_step; /* where this call began: rates are of its own steps */
    rf_losses losses;   /* of the last step: what the model file keeps, wherever the training was cut */
} trainer;

/* The number of steps that takes about piece_s, from how long the last piece took. */
static int64_t next_piece(const trainer *t, int64_t steps, double took_s)
{
    const double most = (double)(t->key->n_steps / PIECES_MIN + 1);
    const double wanted = took_s > 0 ? (double)steps * piece_s / took_s : most;
    return wanted >= most ? (int64_t)most : wanted < 1 ? 1 : (int64_t)wanted;
}

static rf_progress progress_of(const trainer *t)
{
    const rf_model *model = t->model;
    const double seconds = rf_clock_s() - t->start_s;
    const double own = (double)(model->step - t->first_step);
    const double rate = seconds > 0 ? own / seconds : 0;
    const rf_losses unknown = {.generator = (double)NAN, .discriminator = (double)NAN};
    return (rf_progress){.phase = "train",
                         .epoch = model->step / model->steps_per_epoch,
                         .epochs = t->key->n_steps / model->steps_per_epoch,
                         .done = model->step,
                         .total = t->key->n_steps,
                         .losses = own > 0 ? model->epoch.mean : unknown,
                         .rows_per_s = rate * (double)model->setup.params.batch_size,
                         .seconds = seconds,
                         .eta_s = rate > 0 ? (double)(t->key->n_steps - model->step) / rate : 0};
}

static rf_code save(trainer *t, rf_error *err)
{
    rf_code rc = RF_OK;
    if (!t->options->checkpoint_path)
        return RF_OK;
    RF_TRY(rfi_checkpoint_store(t->options->checkpoint_path, t->key, t->model, err));
    t->checkpoint_at_s = rf_clock_s();
out:
    return rc;
}

static rf_code stop(trainer *t, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_progress progress = progress_of(t);
    RF_TRY(save(t, err));
    if (t->options->checkpoint_path)
        rc = rf_fail(err, RF_INTERRUPTED, "stopped in epoch %lld of %lld; a checkpoint is at %s",
                     (long long)progress.epoch + 1, (long long)progress.epochs, t->options->checkpoint_path);
    else
        rc = rf_fail(err, RF_INTERRUPTED, "stopped in epoch %lld of %lld", (long long)progress.epoch + 1,
                     (long long)progress.epochs);
out:
    return rc;
}

/* Tells the caller; INTERRUPTED when it asks to stop before the end. */
static rf_code tell(trainer *t, rf_error *err)
{
    const rf_progress progress = progress_of(t);
    if (!t->options->progress || t->options->progress(t->options->progress_arg, &progress))
        return RF_OK;
    return progress.done < progress.total ? stop(t, err) : RF_OK;
}

static rf_code run(trainer *t, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_model *model = t->model;
    int64_t piece = 1;
    RF_TRY(tell(t, err));
    while (model->step < t->key->n_steps) {
        const int64_t left = t->key->n_steps - model->step;
        const int64_t steps = piece < left ? piece : left;
        const double before_s = rf_clock_s();
        RF_TRY(model->type->train(model, steps, &t->losses, err));
        const double now_s = rf_clock_s();
        RF_TRY(tell(t, err));
        /* One piece early, so that no two checkpoints are further apart than was asked for. */
        if (now_s + (now_s - before_s) - t->checkpoint_at_s >= t->checkpoint_every_s && steps < left)
            RF_TRY(save(t, err));
        piece = next_piece(t, steps, now_s - before_s);
    }
out:
    return rc;
}

rf_code rfi_train(rf_model *model, const rf_fit_options *options, const rfi_checkpoint_key *key,
                  rf_losses *losses, rf_error *err)
{
    const double now_s = rf_clock_s();
    trainer t = {.model = model,
                 .options = options,
                 .key = key,
                 .start_s = now_s,
                 .checkpoint_at_s = now_s,
                 .checkpoint_every_s = options->checkpoint_s > 0 ? options->checkpoint_s : 10,
                 .first_step = model->step,
                 .losses = {.generator = (double)NAN, .discriminator = (double)NAN}};
    const rf_code rc = run(&t, err);
    *losses = t.losses;
    return rc;
}
