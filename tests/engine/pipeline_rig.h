/* pipeline_rig.h - a small table of ours, quick options, and results as one text. */
#ifndef PIPELINE_RIG_H
#define PIPELINE_RIG_H

#include "engine/pipeline.h"

/* 600 rows: age (integer, some missing), city (3 categories), height (decimals), day (a date), member
 * (boolean), id. The city decides most of the height, and missing ages are all in one city. */
rf_table *rig_table(uint64_t seed);

/* A device, and options for some epochs of a small network. */
rf_device *rig_device(int n_threads);
rf_fit_options rig_options(rf_model_kind kind, rf_device *device, int64_t epochs);

rf_fitted *rig_fit(const rf_table *table, const rf_fit_options *options);

/* `n_rows` sampled rows as CSV text; free(). */
char *rig_sample(rf_fitted *fitted, int64_t n_rows, uint64_t seed, const char *const *where, int32_t n_where);

/* The bytes of a model file, as they would be stored. */
rf_buf rig_bytes(rf_fitted *fitted);

/* A path in a folder of this process's own, made on first use and removed by rig_clean. */
const char *rig_path(const char *name);
void rig_clean(void);

#endif
