/* batches.h - sampled rows, batch after batch, without waiting for each.
 *
 * A device makes a run of batches into a ring, whose slot the batch's number names, and copies them to the host together:
 *
 *     run k    [batch][batch] … [batch]  copy            one wait
 *     run k+1                                  [batch][batch] …      meanwhile the host works on run k
 *
 * A batch ends by counting on, so that its operations are the same each time and may be recorded.
 */
#ifndef RF_ENGINE_MODEL_BATCHES_H
#define RF_ENGINE_MODEL_BATCHES_H

#include "engine/model/model.h"
#include "engine/model/slab.h"

/* Batches first .. first + n - 1 of a result, asked for and on their way to `host`. */
typedef struct rfi_run {
    bool pending;
    uint64_t seed;
    int32_t condition_entry;
    int64_t first, n;
    uint8_t *host; /* shared memory for a whole ring: scalars, then codes; NULL until it is needed */
} rfi_run;

typedef struct rfi_batches {
    rf_step_fn make;   /* the batch *counter into the ring's slot *counter % n_slots, then *counter += 1 */
    uint32_t *counter; /* device                                                                         */
    float *scalars;    /* device: (n_slots * batch_size, n_scalars)                                      */
    uint16_t *codes;   /* device: (n_slots * batch_size, n_codes)                                        */
    int32_t n_slots;
    uint64_t seed;           /* of the batches asked for,              */
    int32_t condition_entry; /* their condition,                       */
    int64_t next;            /* and what *counter will hold after them */
    rfi_run runs[RF_DEVICE_MARKS];
} rfi_batches;

/* Takes its part of the slab: as many slots as the sampler asks for at once, or what fits a few megabytes. */
void rfi_batches_place(rfi_batches *batches, const rf_model_setup *setup, rfi_slab *slab);
/* Bytes of the host that sampling takes besides. */
size_t rfi_batches_host_bytes(const rf_model_setup *setup);
void rfi_batches_free(rfi_batches *batches, rf_device *device);

/* Whoever changes the weights lets go of rows that were begun with the old ones. */
void rfi_batches_drop(rfi_batches *batches);

/* rf_model_class.sample and sample_ahead. */
rf_code rfi_batches_sample(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                           rf_coded *out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_batches_ahead(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                          rf_error *err) RF_MUST_CHECK;

#endif
