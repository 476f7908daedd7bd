/* model.h - what every model is: a small table of functions.
 *
 * A network trained by gradients and a circuit trained by EM stand behind the same one. The trainer, the
 * sampler, the checkpoint and the model file know nothing else.
 *
 *     const rf_model_class *type = rf_model_class_find(RF_MODEL_CTGAN);
 *     RF_TRY(type->create(&model, &setup, err));
 *     RF_TRY(type->attach(model, &coded, err));                        // the training rows
 *     while (model->step < n_steps) RF_TRY(type->train(model, 10, &losses, err));
 *     RF_TRY(type->sample(model, &request, &rows, err));
 *
 * A step's draws are addressed by its number, so training may be cut anywhere: train(10) is train(3) then
 * train(7), and a model stored at step s and loaded elsewhere goes on to the same bytes.
 *
 * Threads: a model and its device belong to one thread at a time. Codes: NO_MEMORY, DEVICE and what the
 * functions say.
 */
#ifndef RF_ENGINE_MODEL_MODEL_H
#define RF_ENGINE_MODEL_MODEL_H

#include "core/buf.h"
#include "core/error.h"
#include "domain/params.h"
#include "kernels/backend.h"
#include "kernels/span.h"

/* What a model is built from. Pointers are lent for its whole life. */
typedef struct rf_model_setup {
    rf_device *device;
    const rf_layout *layout;
    const int64_t *condition_counts; /* (layout->condition_width) rows of the table that hold each entry */
    rf_params params;
    int64_t n_rows; /* of the training table */
    uint64_t seed;
    bool compat; /* the public reference's own behaviour where we repair it */
} rf_model_setup;

typedef struct rf_losses {
    double generator, discriminator; /* TVAE: generator = total loss, discriminator = NaN */
} rf_losses;

/* Means over an epoch say where a training goes; the losses of one batch only waver. */
typedef struct rf_epoch_losses {
    rf_losses mean; /* over the last epoch that ended, of which a resumed training has the steps since; until
                       one has ended, over the steps so far                                             */
    rf_losses sum;  /* over the n steps of the epoch under way                                          */
    int64_t n, ended;
} rf_epoch_losses;

typedef struct rf_sample_request {
    uint64_t seed;
    int64_t first_row; /* of the whole result; a multiple of the batch size: batches are numbered from 0 */
    int64_t n_rows;    /* wanted; a multiple of the batch size unless it is the last piece */
    int32_t condition_entry; /* entry of the condition vector set in every row, or -1 */
} rf_sample_request;

struct rf_model_class;

/* The part that all models share; each begins with it. */
typedef struct rf_model {
    const struct rf_model_class *type;
    rf_model_setup setup;
    int64_t step; /* finished steps */
    int64_t steps_per_epoch;
    rf_epoch_losses epoch;
} rf_model;

typedef struct rf_model_class {
    rf_model_kind kind;
    /* Bytes that create + attach will take, on the device and here together; known before either. */
    size_t (*plan)(const rf_model_setup *setup);
    /* The part of it that create takes: enough to load weights and sample. */
    size_t (*plan_sampling)(const rf_model_setup *setup);
    /* Fresh, with its seeded initial weights. */
    rf_code (*create)(rf_model **out, const rf_model_setup *setup, rf_error *err);
    void (*free)(rf_model *model);
    /* Hands over the training rows; `rows` may be freed after the call. */
    rf_code (*attach)(rf_model *model, const rf_coded *rows, rf_error *err);
    /* Gives back what only training needs: from here on the model can be stored without its training state,
     * and sampled. */
    void (*detach)(rf_model *model);
    /* Takes n steps; the device keeps each one's losses, and they are read together at the end. losses: of the last
     * step. DIVERGED, naming the first step whose losses are not finite, and its epoch. */
    rf_code (*train)(rf_model *model, int64_t n_steps, rf_losses *losses, rf_error *err);
    /* Weights only, or everything that training needs to go on (moments, step, critic). */
    rf_code (*store)(rf_model *model, bool training, rf_buf *out, rf_error *err);
    rf_code (*load)(rf_model *model, bool training, rf_reader *reader, rf_error *err);
    /* Bytes that store will write, known from the setup alone, so that a file which cannot be right is
     * refused before anything is allocated for it; 0 when a kind of model cannot tell beforehand. */
    size_t (*stored_size)(const rf_model_setup *setup, bool training);
    /* Rows in coded form; `out` has request->n_rows rows allocated. */
    rf_code (*sample)(rf_model *model, const rf_sample_request *request, rf_coded *out, rf_error *err);
    /* Asks for the rows that a later sample() of the same request will want, so that a GPU makes them while the
     * host works on others. Changes no row; a device that does everything at once does nothing here. */
    rf_code (*sample_ahead)(rf_model *model, const rf_sample_request *request, rf_error *err);
} rf_model_class;

const rf_model_class *rf_model_class_find(rf_model_kind kind);

#endif
