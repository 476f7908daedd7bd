/* pipeline.h - the engine's whole work in four calls: fit, store, load, sample.
 *
 *     rf_fit_options options = {.params = params, .seed = 7, .device = device};
 *     RF_TRY(rf_fit(&fitted, table, &options, notes, err));
 *     RF_TRY(rf_fitted_store(fitted, "model.rfm", err));
 *     RF_TRY(rf_fitted_sample(fitted, &request, write_rows, writer, &summary, err));
 *     rf_fitted_free(fitted);
 *
 * This is what the command line calls, and what a worker will. The model file is described byte by byte in
 * docs/model-file.md.
 *
 * Threads: one at a time for a fitted model and its device; the team of threads is inside the device.
 */
#ifndef RF_ENGINE_PIPELINE_H
#define RF_ENGINE_PIPELINE_H

#include "core/notes.h"
#include "domain/params.h"
#include "engine/model/model.h"
#include "engine/table/table.h"
#include "engine/transform/transform.h"
#include "kernels/backend.h"

typedef struct rf_progress {
    const char *phase;     /* "transform", "train", "sample" */
    int64_t epoch, epochs; /* train: finished and all        */
    int64_t done, total;   /* train: steps; sample: rows     */
    rf_losses losses;      /* train: means over the last epoch that ended (until one has: over the steps so
                              far), the same wherever the training is cut; NaN before the first step      */
    double rows_per_s, seconds, eta_s;
} rf_progress;

/* Called between steps, at most some ten times a second. False asks to stop: the call ends with INTERRUPTED,
 * after a checkpoint when there is a path for one. */
typedef bool (*rf_progress_fn)(void *arg, const rf_progress *progress);

typedef struct rf_fit_options {
    rf_params params; /* finished (rf_params_finish)                               */
    uint64_t seed;
    bool compat;
    int32_t max_categories; /* 0: the transform's default                                */
    const char *const
        *where; /* conditions that samples will be asked for ("column=value"): one that cannot be
                                 met is refused here, before the training */
    int32_t n_where;
    rf_device *device;
    const char *checkpoint_path; /* NULL: none. Written at least every checkpoint_s seconds   */
    double checkpoint_s;         /* 0: 10                                                     */
    bool resume;                 /* go on at checkpoint_path; if it is not there, start anew and note so.
                                    USAGE when it is of other data, parameters or seed        */
    rf_progress_fn progress;     /* or NULL */
    void *progress_arg;
    const atomic_int *stop; /* or NULL; once it is not 0 no further column is fitted: INTERRUPTED */
} rf_fit_options;

typedef struct rf_fitted rf_fitted;

/* Codes the table and trains. *out is the caller's (rf_fitted_free) and holds no row of `table`, which is
 * only read. INPUT for a table that cannot be learned from or a condition that it never meets, NO_MEMORY with both numbers when the plan does
 * not fit, DIVERGED naming the epoch, CORRUPT for a damaged checkpoint. The checkpoint is removed by the
 * caller once the result is safe (rf_checkpoint_remove). */
rf_code rf_fit(rf_fitted **out, const rf_table *table, const rf_fit_options *options, rf_notes *notes,
               rf_error *err) RF_MUST_CHECK;
void rf_fitted_free(rf_fitted *fitted);
void rf_checkpoint_remove(const char *path);

/* The seed of a checkpoint, so that --resume needs no --seed, and how far it came. NOT_FOUND when there is no
 * file, CORRUPT when it is damaged or something else. */
typedef struct rf_checkpoint_info {
    uint64_t seed;
    int64_t step, n_steps;
} rf_checkpoint_info;
rf_code rf_checkpoint_peek(rf_checkpoint_info *out, const char *path, rf_error *err) RF_MUST_CHECK;

rf_code rf_fitted_store(rf_fitted *fitted, const char *path, rf_error *err) RF_MUST_CHECK;
/* CORRUPT for a truncated, altered or foreign file, or one of another version. `device` is lent for the life
 * of the result. */
rf_code rf_fitted_load(rf_fitted **out, const char *path, rf_device *device, rf_error *err) RF_MUST_CHECK;

typedef struct rf_fitted_info {
    rf_params params;
    uint64_t seed;
    int64_t n_rows; /* of the training table */
    int64_t epochs_done;
    bool compat;
    double train_seconds;
    rf_losses losses; /* of the last step */
} rf_fitted_info;
void rf_fitted_describe(const rf_fitted *fitted, rf_fitted_info *out);
const rf_transform *rf_fitted_transform(const rf_fitted *fitted); /* lent */

typedef struct rf_sample_options {
    int64_t n_rows;
    uint64_t seed;
    const char *const *where; /* "column=value" */
    int32_t n_where;
    rf_progress_fn progress;
    void *progress_arg;
} rf_sample_options;

/* Receives pieces of the result in order; the table is lent for the call. */
typedef rf_code (*rf_rows_fn)(void *arg, const rf_table *rows, rf_error *err);

/* Every row meets all conditions. One discrete condition of a CTGAN (the rarest) sets its bit; the rest is by
 * rejection. After 1,000 batches without enough rows, or for a result of more than ten batches a hundred
 * times as many as it has: EXHAUSTED with the share found. INPUT for a condition on a column or value that
 * the table did not have; INTERRUPTED when the progress callback says so; what `rows` returns otherwise.
 * Pieces are of some 32,768 rows; the memory does not grow with n_rows. The same bytes however often it is
 * called, and for any thread count. */
rf_code rf_fitted_sample(rf_fitted *fitted, const rf_sample_options *options, rf_rows_fn rows, void *arg,
                         rf_error *err) RF_MUST_CHECK;

#endif
