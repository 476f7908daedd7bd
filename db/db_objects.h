/* db_objects.h - questions about what is stored: datasets, results, models, parts of samples. Each carries its owner;
 * a stranger's is not found (user_id 0 asks for anybody's: the scheduler itself). db.h says how to ask.
 *
 * An object in storage is deleted in two steps, so that no crash leaves one behind: the transaction that forgets it
 * writes its key down as doomed, and the janitor deletes what is doomed.
 */
#ifndef RF_DB_DB_OBJECTS_H
#define RF_DB_DB_OBJECTS_H

#include "db/db.h"
#include "domain/dataset.h"

/* ------------------------------------------------------------------ datasets */

/* The next id, for those who put it into a key before the row is there. */
rf_code rf_db_dataset_id(rf_db_tx *tx, int64_t *out, rf_error *err) RF_MUST_CHECK;
/* Sets id unless it is set. */
rf_code rf_db_dataset_insert(rf_db_tx *tx, rf_dataset *dataset, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_dataset_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_dataset *out,
                           bool *found, rf_error *err) RF_MUST_CHECK;
/* Newest first, ids below before_id (0: from the top), without profile and kinds. */
rf_code rf_db_datasets_list(rf_db_tx *tx, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                            rf_dataset **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* What the profile job `profile_job_id` found; *changed is false when a newer one has taken its place. */
rf_code rf_db_dataset_profiled(rf_db_tx *tx, int64_t id, int64_t profile_job_id, int64_t n_rows,
                               int32_t n_columns, const char *profile, int64_t now_ms, bool *changed,
                               rf_error *err) RF_MUST_CHECK;
rf_code rf_db_dataset_invalid(rf_db_tx *tx, int64_t id, int64_t profile_job_id, const char *error,
                              int64_t now_ms, bool *changed, rf_error *err) RF_MUST_CHECK;
/* A new profile is to be made, with these kinds ("" leaves them). */
rf_code rf_db_dataset_reprofile(rf_db_tx *tx, int64_t id, const char *kinds, int64_t profile_job_id,
                                int64_t now_ms, bool *changed, rf_error *err) RF_MUST_CHECK;
/* Forgets it and dooms its object. */
rf_code rf_db_dataset_delete(rf_db_tx *tx, int64_t user_id, int64_t id, int64_t now_ms, bool *changed,
                             rf_error *err) RF_MUST_CHECK;
rf_code rf_db_datasets_size(rf_db_tx *tx, int64_t user_id, int64_t *n, int64_t *size_bytes,
                            rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ results */

rf_code rf_db_artifact_insert(rf_db_tx *tx, rf_artifact *artifact, rf_error *err) RF_MUST_CHECK; /* sets id */
rf_code rf_db_artifact_find(rf_db_tx *tx, int64_t user_id, int64_t job_id, rf_artifact_role role,
                            rf_arena *arena, rf_artifact *out, bool *found, rf_error *err) RF_MUST_CHECK;
/* Whether any dataset, artifact, model, part or checkpoint of an unended job names this key. */
rf_code rf_db_object_is_named(rf_db_tx *tx, const char *key, bool *named, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ models */

rf_code rf_db_model_insert(rf_db_tx *tx, rf_model_card *model, rf_error *err) RF_MUST_CHECK; /* sets id */
rf_code rf_db_model_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_model_card *out,
                         bool *found, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_models_list(rf_db_tx *tx, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                          rf_model_card **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_model_delete(rf_db_tx *tx, int64_t user_id, int64_t id, int64_t now_ms, bool *changed,
                           rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ parts of samples */

typedef struct rf_db_part {
    int64_t job_id, n, rows, size_bytes;
    const char *key, *sha256;
    int64_t sent_ms; /* 0: not yet */
} rf_db_part;
/* A part that is there already stays as it is. */
rf_code rf_db_part_insert(rf_db_tx *tx, const rf_db_part *part, bool *inserted, rf_error *err) RF_MUST_CHECK;
/* A part that was made again under another key: dooms that one. */
rf_code rf_db_part_doom_twin(rf_db_tx *tx, const rf_db_part *part, int64_t now_ms,
                             rf_error *err) RF_MUST_CHECK;
/* The first that was not sent. */
rf_code rf_db_part_next(rf_db_tx *tx, int64_t job_id, rf_arena *arena, rf_db_part *out, bool *found,
                        rf_error *err) RF_MUST_CHECK;
/* Sent: its object is doomed. */
rf_code rf_db_part_sent(rf_db_tx *tx, int64_t job_id, int64_t n, int64_t now_ms, bool *changed,
                        rf_error *err) RF_MUST_CHECK;
/* How many there are and how many of them were not sent. */
rf_code rf_db_parts_count(rf_db_tx *tx, int64_t job_id, int64_t *n, int64_t *unsent,
                          rf_error *err) RF_MUST_CHECK;
/* Dooms and forgets all that was not sent. */
rf_code rf_db_parts_drop(rf_db_tx *tx, int64_t job_id, int64_t now_ms, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ doomed objects */

rf_code rf_db_doom(rf_db_tx *tx, const char *key, int64_t now_ms,
                   rf_error *err) RF_MUST_CHECK; /* "" does nothing */
rf_code rf_db_doomed_list(rf_db_tx *tx, int32_t limit, rf_arena *arena, const char ***out, int32_t *n,
                          rf_error *err) RF_MUST_CHECK;
rf_code rf_db_doomed_clear(rf_db_tx *tx, const char *key, rf_error *err) RF_MUST_CHECK;

#endif
