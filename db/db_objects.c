#include "db/db_objects.h"

#include "db/query.h"

/* ------------------------------------------------------------------ datasets */

static rf_code read_dataset(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    rf_dataset *const dataset = element;
    int status = 0;
    const rf_code rc = rfi_row_name(row, 7, rf_dataset_status_find, &status, err);
    *dataset = (rf_dataset){
        .id = rfi_row_int(row, 0),
        .user_id = rfi_row_int(row, 1),
        .name = rfi_row_text(row, 2, arena),
        .format = rfi_row_text(row, 3, arena),
        .size_bytes = rfi_row_int(row, 4),
        .sha256 = rfi_row_text(row, 5, arena),
        .key = rfi_row_text(row, 6, arena),
        .status = (rf_dataset_status)status,
        .n_rows = rfi_row_int(row, 8),
        .n_columns = (int32_t)rfi_row_int(row, 9),
        .error = rfi_row_text(row, 10, arena),
        .profile_job_id = rfi_row_int(row, 11),
        .created_ms = rfi_row_int(row, 12),
        .updated_ms = rfi_row_int(row, 13),
        .profile = rfi_row_text(row, 14, arena),
        .kinds = rfi_row_text(row, 15, arena),
    };
    return rc;
}

rf_code rf_db_dataset_insert(rf_db_tx *tx, rf_dataset *dataset, rf_error *err)
{
    rf_code rc = RF_OK;
    if (!dataset->id)
        RF_TRY(rf_db_dataset_id(tx, &dataset->id, err));
    RF_TRY(rfi_change(
        tx, RFI_SQL_dataset_insert,
        RFI_VALUES(rfi_int(dataset->id), rfi_int(dataset->user_id), rfi_text(dataset->name),
                   rfi_text(dataset->format), rfi_int(dataset->size_bytes), rfi_text(dataset->sha256),
                   rfi_text(dataset->key), rfi_text(rf_dataset_status_name(dataset->status)),
                   rfi_int(dataset->n_rows), rfi_int(dataset->n_columns), rfi_text(dataset->error),
                   rfi_int(dataset->profile_job_id), rfi_int(dataset->created_ms),
                   rfi_int(dataset->updated_ms), rfi_text(dataset->profile), rfi_text(dataset->kinds)),
        NULL, err));
out:
    return rc;
}

rf_code rf_db_dataset_id(rf_db_tx *tx, int64_t *out, rf_error *err)
{
    return rfi_next_id(tx, "datasets", out, err);
}

rf_code rf_db_dataset_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_dataset *out,
                           bool *found, rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_dataset_find, RFI_VALUES(rfi_int(id), rfi_int(user_id)), read_dataset,
                        arena, out, found, err);
}

rf_code rf_db_datasets_list(rf_db_tx *tx, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                            rf_dataset **out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_dataset, .size = sizeof(rf_dataset)};
    const rf_code rc = rfi_list_run(
        tx, RFI_SQL_dataset_list,
        RFI_VALUES(rfi_int(user_id), rfi_int(before_id ? before_id : INT64_MAX), rfi_int(limit)), &list, err);
    *out = (rf_dataset *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_dataset_profiled(rf_db_tx *tx, int64_t id, int64_t profile_job_id, int64_t n_rows,
                               int32_t n_columns, const char *profile, int64_t now_ms, bool *changed,
                               rf_error *err)
{
    return rfi_change(tx, RFI_SQL_dataset_profiled,
                      RFI_VALUES(rfi_int(id), rfi_int(profile_job_id), rfi_int(n_rows), rfi_int(n_columns),
                                 rfi_text(profile), rfi_int(now_ms)),
                      changed, err);
}

rf_code rf_db_dataset_invalid(rf_db_tx *tx, int64_t id, int64_t profile_job_id, const char *error,
                              int64_t now_ms, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_dataset_invalid,
                      RFI_VALUES(rfi_int(id), rfi_int(profile_job_id), rfi_text(error), rfi_int(now_ms)),
                      changed, err);
}

rf_code rf_db_dataset_reprofile(rf_db_tx *tx, int64_t id, const char *kinds, int64_t profile_job_id,
                                int64_t now_ms, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_dataset_reprofile,
                      RFI_VALUES(rfi_int(id), rfi_text(kinds), rfi_int(profile_job_id), rfi_int(now_ms)),
                      changed, err);
}

rf_code rf_db_dataset_delete(rf_db_tx *tx, int64_t user_id, int64_t id, int64_t now_ms, bool *changed,
                             rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_change(tx, RFI_SQL_dataset_doom, RFI_VALUES(rfi_int(id), rfi_int(user_id), rfi_int(now_ms)),
                      NULL, err));
    RF_TRY(rfi_change(tx, RFI_SQL_dataset_delete, RFI_VALUES(rfi_int(id), rfi_int(user_id)), changed, err));
out:
    return rc;
}

typedef struct sizes {
    int64_t n, size_bytes;
} sizes;

static rf_code take_sizes(void *arg, const rfi_row *row, rf_error *err)
{
    (void)err;
    *(sizes *)arg = (sizes){.n = rfi_row_int(row, 0), .size_bytes = rfi_row_int(row, 1)};
    return RF_OK;
}

rf_code rf_db_datasets_size(rf_db_tx *tx, int64_t user_id, int64_t *n, int64_t *size_bytes, rf_error *err)
{
    sizes to = {0};
    const rf_code rc =
        rfi_query_run(tx, RFI_SQL_dataset_size, RFI_VALUES(rfi_int(user_id)), take_sizes, &to, NULL, err);
    *n = to.n;
    *size_bytes = to.size_bytes;
    return rc;
}

/* ------------------------------------------------------------------ results */

static rf_code read_artifact(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    int role = 0;
    const rf_code rc = rfi_row_name(row, 3, rf_artifact_role_find, &role, err);
    *(rf_artifact *)element = (rf_artifact){
        .id = rfi_row_int(row, 0),
        .user_id = rfi_row_int(row, 1),
        .job_id = rfi_row_int(row, 2),
        .role = (rf_artifact_role)role,
        .key = rfi_row_text(row, 4, arena),
        .sha256 = rfi_row_text(row, 5, arena),
        .size_bytes = rfi_row_int(row, 6),
        .type = rfi_row_text(row, 7, arena),
        .name = rfi_row_text(row, 8, arena),
        .created_ms = rfi_row_int(row, 9),
    };
    return rc;
}

rf_code rf_db_artifact_insert(rf_db_tx *tx, rf_artifact *artifact, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_next_id(tx, "artifacts", &artifact->id, err));
    RF_TRY(rfi_change(tx, RFI_SQL_artifact_insert,
                      RFI_VALUES(rfi_int(artifact->id), rfi_int(artifact->user_id), rfi_int(artifact->job_id),
                                 rfi_text(rf_artifact_role_name(artifact->role)), rfi_text(artifact->key),
                                 rfi_text(artifact->sha256), rfi_int(artifact->size_bytes),
                                 rfi_text(artifact->type), rfi_text(artifact->name),
                                 rfi_int(artifact->created_ms)),
                      NULL, err));
out:
    return rc;
}

rf_code rf_db_artifact_find(rf_db_tx *tx, int64_t user_id, int64_t job_id, rf_artifact_role role,
                            rf_arena *arena, rf_artifact *out, bool *found, rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_artifact_find,
                        RFI_VALUES(rfi_int(job_id), rfi_text(rf_artifact_role_name(role)), rfi_int(user_id)),
                        read_artifact, arena, out, found, err);
}

rf_code rf_db_object_is_named(rf_db_tx *tx, const char *key, bool *named, rf_error *err)
{
    int64_t one = 0;
    return rfi_number(tx, RFI_SQL_object_is_named, RFI_VALUES(rfi_text(key)), &one, named, err);
}

/* ------------------------------------------------------------------ models */

static rf_code read_model(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_model_card *)element = (rf_model_card){
        .id = rfi_row_int(row, 0),
        .user_id = rfi_row_int(row, 1),
        .job_id = rfi_row_int(row, 2),
        .dataset_id = rfi_row_int(row, 3),
        .model = rfi_row_text(row, 4, arena),
        .dataset_name = rfi_row_text(row, 5, arena),
        .key = rfi_row_text(row, 6, arena),
        .sha256 = rfi_row_text(row, 7, arena),
        .size_bytes = rfi_row_int(row, 8),
        .n_rows = rfi_row_int(row, 9),
        .n_columns = rfi_row_int(row, 10),
        .seed = rfi_row_int(row, 11),
        .params = rfi_row_text(row, 12, arena),
        .quality = rfi_row_text(row, 13, arena),
        .created_ms = rfi_row_int(row, 14),
    };
    return RF_OK;
}

rf_code rf_db_model_insert(rf_db_tx *tx, rf_model_card *model, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_next_id(tx, "models", &model->id, err));
    RF_TRY(rfi_change(tx, RFI_SQL_model_insert,
                      RFI_VALUES(rfi_int(model->id), rfi_int(model->user_id), rfi_int(model->job_id),
                                 rfi_int(model->dataset_id), rfi_text(model->model),
                                 rfi_text(model->dataset_name), rfi_text(model->key), rfi_text(model->sha256),
                                 rfi_int(model->size_bytes), rfi_int(model->n_rows),
                                 rfi_int(model->n_columns), rfi_int(model->seed), rfi_text(model->params),
                                 rfi_text(model->quality), rfi_int(model->created_ms)),
                      NULL, err));
out:
    return rc;
}

rf_code rf_db_model_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_model_card *out,
                         bool *found, rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_model_find, RFI_VALUES(rfi_int(id), rfi_int(user_id)), read_model, arena,
                        out, found, err);
}

rf_code rf_db_models_list(rf_db_tx *tx, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                          rf_model_card **out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_model, .size = sizeof(rf_model_card)};
    const rf_code rc = rfi_list_run(
        tx, RFI_SQL_model_list,
        RFI_VALUES(rfi_int(user_id), rfi_int(before_id ? before_id : INT64_MAX), rfi_int(limit)), &list, err);
    *out = (rf_model_card *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_model_delete(rf_db_tx *tx, int64_t user_id, int64_t id, int64_t now_ms, bool *changed,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_change(tx, RFI_SQL_model_doom, RFI_VALUES(rfi_int(id), rfi_int(user_id), rfi_int(now_ms)),
                      NULL, err));
    RF_TRY(rfi_change(tx, RFI_SQL_model_delete, RFI_VALUES(rfi_int(id), rfi_int(user_id)), changed, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ parts of samples */

static rf_code read_part(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_db_part *)element = (rf_db_part){
        .job_id = rfi_row_int(row, 0),
        .n = rfi_row_int(row, 1),
        .rows = rfi_row_int(row, 2),
        .size_bytes = rfi_row_int(row, 3),
        .key = rfi_row_text(row, 4, arena),
        .sha256 = rfi_row_text(row, 5, arena),
        .sent_ms = rfi_row_int(row, 6),
    };
    return RF_OK;
}

rf_code rf_db_part_insert(rf_db_tx *tx, const rf_db_part *part, bool *inserted, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_part_insert,
                      RFI_VALUES(rfi_int(part->job_id), rfi_int(part->n), rfi_int(part->rows),
                                 rfi_int(part->size_bytes), rfi_text(part->key), rfi_text(part->sha256)),
                      inserted, err);
}

rf_code rf_db_part_doom_twin(rf_db_tx *tx, const rf_db_part *part, int64_t now_ms, rf_error *err)
{
    return rfi_change(
        tx, RFI_SQL_part_doom_twin,
        RFI_VALUES(rfi_text(part->key), rfi_int(now_ms), rfi_int(part->job_id), rfi_int(part->n)), NULL, err);
}

rf_code rf_db_part_next(rf_db_tx *tx, int64_t job_id, rf_arena *arena, rf_db_part *out, bool *found,
                        rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_part_next, RFI_VALUES(rfi_int(job_id)), read_part, arena, out, found,
                        err);
}

rf_code rf_db_part_sent(rf_db_tx *tx, int64_t job_id, int64_t n, int64_t now_ms, bool *changed, rf_error *err)
{
    const rfi_value values[] = {rfi_int(job_id), rfi_int(n), rfi_int(now_ms)};
    rf_code rc = RF_OK;
    RF_TRY(rfi_change(tx, RFI_SQL_part_doom, values, 3, NULL, err));
    RF_TRY(rfi_change(tx, RFI_SQL_part_sent, values, 3, changed, err));
out:
    return rc;
}

rf_code rf_db_parts_count(rf_db_tx *tx, int64_t job_id, int64_t *n, int64_t *unsent, rf_error *err)
{
    sizes to = {0};
    const rf_code rc =
        rfi_query_run(tx, RFI_SQL_part_count, RFI_VALUES(rfi_int(job_id)), take_sizes, &to, NULL, err);
    *n = to.n;
    *unsent = to.size_bytes;
    return rc;
}

rf_code rf_db_parts_drop(rf_db_tx *tx, int64_t job_id, int64_t now_ms, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_change(tx, RFI_SQL_part_doom_job, RFI_VALUES(rfi_int(job_id), rfi_int(now_ms)), NULL, err));
    RF_TRY(rfi_change(tx, RFI_SQL_part_drop, RFI_VALUES(rfi_int(job_id)), NULL, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ doomed objects */

rf_code rf_db_doom(rf_db_tx *tx, const char *key, int64_t now_ms, rf_error *err)
{
    if (!*key)
        return RF_OK;
    return rfi_change(tx, RFI_SQL_doom, RFI_VALUES(rfi_text(key), rfi_int(now_ms)), NULL, err);
}

static rf_code read_key(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(const char **)element = rfi_row_text(row, 0, arena);
    return RF_OK;
}

rf_code rf_db_doomed_list(rf_db_tx *tx, int32_t limit, rf_arena *arena, const char ***out, int32_t *n,
                          rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_key, .size = sizeof(const char *)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_doomed_list, RFI_VALUES(rfi_int(limit)), &list, err);
    *out = (const char **)(void *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_doomed_clear(rf_db_tx *tx, const char *key, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_doomed_clear, RFI_VALUES(rfi_text(key)), NULL, err);
}
