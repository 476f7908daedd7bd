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

/* The losses of this many steps lie on the device until somebody reads them. */
enum { RFI_RING_STEPS = 1024, RFI_RING_WIDTH = 4 };

/* How a model trains: its step, and where that leaves losses (step_tick keeps them in `ring`). */
typedef struct rfi_training {
    rf_step_fn step;
    const float *ring; /* (RFI_RING_STEPS, width), device */
    int32_t width;     /* at most RFI_RING_WIDTH          */
    /* What one step's losses mean; false when one of them is not finite. */
    bool (*losses)(const rf_model *model, const float *kept, rf_losses *out);
    const char *rates; /* the parameters to make smaller when it diverges */
} rfi_training;

/* rf_model_class.train: n steps, their losses read once, or once in RFI_RING_STEPS. */
rf_code rfi_train_steps(rf_model *model, const rfi_training *training, int64_t n_steps, rf_losses *losses,
                        rf_error *err) RF_MUST_CHECK;

#endif
