/* models.h - the models there are, and the few things that both of them do. */
#ifndef RF_ENGINE_MODEL_MODELS_H
#define RF_ENGINE_MODEL_MODELS_H

#include "engine/model/model.h"
#include "kernels/ops.h"

extern const rf_model_class rfi_ctgan_class, rfi_tvae_class;

/* Adam before its first step. */
rf_adam rfi_adam(double lr, double beta1, double beta2, double decay);

/* What of Adam moves: the powers of the betas and the two factors that follow from them. */
enum { RFI_ADAM_BYTES = 2 * 8 + 2 * 4 };
rf_code rfi_adam_store(rf_device *device, const rf_adam *adam, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_adam_load(rf_device *device, rf_adam *adam, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

/* Copies the training rows into their place on the device, which `to` points to. */
rf_code rfi_rows_write(const rf_model *model, const rf_coded *rows, rf_coded *to,
                       rf_error *err) RF_MUST_CHECK;

/* The number of finished steps at the head of a training state. */
rf_code rfi_step_load(int64_t *step, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

/* The sentence for losses that are not finite; `rates` names the parameters to make smaller. */
rf_code rfi_diverged(const rf_model *model, const char *rates, rf_error *err) RF_MUST_CHECK;

/* Sampling, batch by batch: sets the device's batch counter for the rows from request->first_row + done on,
 * and copies the batch's rows into their place in `out` (fewer than a batch at the end of the request). */
rf_code rfi_batch_begin(const rf_model *model, const rf_sample_request *request, int64_t done,
                        uint32_t *counter, rf_error *err) RF_MUST_CHECK;
rf_code rfi_batch_read(const rf_model *model, const rf_sample_request *request, int64_t done,
                       const float *scalars, const uint16_t *codes, rf_coded *out,
                       rf_error *err) RF_MUST_CHECK;

#endif
