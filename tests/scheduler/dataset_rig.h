/* dataset_rig.h - words about datasets and generations, on top of a house (scheduler_rig.h). */
#ifndef DATASET_RIG_H
#define DATASET_RIG_H

#include "domain/result.h"
#include "scheduler_rig.h"

extern const char *const house_table; /* two rows of age and city         */
extern const char *const house_sum;   /* some digest: 64 digits           */

/* An upload of house_table in two pieces; the dataset's id. */
int64_t house_upload(house *h, int64_t user, const char *name, const rf_idempotency *key,
                     rf_receipt *receipt);
int64_t house_upload_plain(house *h);
rf_dataset house_dataset(house *h, int64_t id);
/* The worker takes the profile that waits and finds so many rows. */
void house_profile(house *h, int64_t n_rows);

rf_generation house_asking(house *h, const rf_params *params, int64_t dataset);
/* Asks for a CTGAN; `assignment` is "name=value", or NULL. */
int64_t house_generate(house *h, int64_t dataset, const char *assignment);
/* An object of that name among the attempt's, as a worker tells it; `key` is filled and lent. */
rf_stored house_stored(house *h, int64_t job, int64_t token, const char *name, char key[64]);
/* The worker takes the generation, stores its files and says so; the attempt's token. */
int64_t house_finish_generation(house *h, int64_t job);

/* How many are stored. */
int32_t house_objects(house *h);

#endif
