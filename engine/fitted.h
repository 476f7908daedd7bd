/* fitted.h - what the pipeline's files share: the fitted model, and the steps that make, keep and read it. */
#ifndef RF_ENGINE_FITTED_H
#define RF_ENGINE_FITTED_H

#include "core/buf.h"
#include "engine/pipeline.h"

struct rf_fitted {
    rf_device *device;
    rf_transform *transform;
    rf_model *model;
    rf_fitted_info info;
};

/* The setup of a model over this transform; pointers are the transform's. */
rf_model_setup rfi_model_setup(const rf_transform *transform, const rf_params *params, uint64_t seed,
                               bool compat, rf_device *device);

/* ------------------------------------------------------------------ machine_memory.c */

/* Bytes that this process may still take: what the machine has free, within the limit of its control group.
 * SIZE_MAX when nothing says. */
size_t rfi_memory_available(void);
/* NO_MEMORY with both numbers when `needed` does not fit; `what` begins the sentence ("training this model") */
rf_code rfi_memory_check(size_t needed, const char *what, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ model_file.c */

/* The bytes of a model file, and back. `name` stands for the file in messages. */
rf_code rfi_model_file_format(rf_fitted *fitted, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_model_file_parse(rf_fitted **out, const char *name, const char *data, size_t size_bytes,
                             rf_device *device, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ checkpoint.c */

/* What a checkpoint belongs to; it goes on only where all of it is the same. */
typedef struct rfi_checkpoint_key {
    uint64_t seed, data_hash;
    bool compat;
    int64_t n_rows, n_steps;
    const rf_params *params;
} rfi_checkpoint_key;

/* A fingerprint of the transform and every coded row. */
rf_code rfi_data_hash(uint64_t *out, const rf_transform *transform, const rf_coded *rows,
                      rf_error *err) RF_MUST_CHECK;

rf_code rfi_checkpoint_store(const char *path, const rfi_checkpoint_key *key, rf_model *model,
                             rf_error *err) RF_MUST_CHECK;
/* USAGE naming what differs, CORRUPT, NOT_FOUND when there is none. */
rf_code rfi_checkpoint_load(const char *path, const rfi_checkpoint_key *key, rf_model *model,
                            rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ trainer.c */

/* Steps until key->n_steps, with progress and checkpoints as the options ask. */
rf_code rfi_train(rf_model *model, const rf_fit_options *options, const rfi_checkpoint_key *key,
                  rf_losses *losses, rf_error *err) RF_MUST_CHECK;

#endif
