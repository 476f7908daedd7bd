/* results.c - a job is done: its results become rows, in the transaction that completes it.
 *
 * What a worker says is read strictly, and it may name only what it stored under its own attempt's name. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ by kind */

static rf_code done_profile(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const rf_result_done *done,
                            rfi_effects *effects, rf_error *err)
{
    bool changed = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_profiled(tx, job->dataset_id, job->id, done->n_rows, done->n_columns,
                                  done->profile_json, rf_scheduler_now_ms(s), &changed, err));
    if (changed)
        RF_TRY(rfi_dataset_settled(s, tx, job->dataset_id, effects, err));
out:
    return rc;
}

static void put_real(json_t *object, const char *name, double value)
{
    json_object_set_new(object, name, isfinite(value) ? json_real(value) : json_null());
}

static json_t *quality_json(const rf_result_quality *quality)
{
    json_t *const json = json_object();
    put_real(json, "overall", quality->overall);
    put_real(json, "column_shapes", quality->column_shapes);
    put_real(json, "column_pair_trends", quality->column_pair_trends);
    put_real(json, "data_validity", quality->data_validity);
    put_real(json, "data_structure", quality->data_structure);
    put_real(json, "copies", quality->copies);
    return json;
}

static const char *dumped(json_t *json, rf_arena *arena)
{
    char *const text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    const char *const kept = text ? rf_arena_string(arena, text, strlen(text)) : NULL;
    if (!kept)
        arena->failed = true;
    free(text);
    return kept ? kept : "";
}

/* A worker stores under its own attempt's name and nowhere else. */
static rf_code check_key(const rf_job *job, const char *folder, const char *key, rf_error *err)
{
    char prefix[96];
    snprintf(prefix, sizeof prefix, "%s/%" PRId64 "/%" PRId64 "/", folder, job->id, job->token);
    if (strncmp(key, prefix, strlen(prefix)) || strstr(key, ".."))
        return rf_fail(err, RF_MALFORMED, "a worker named an object that is not its own");
    return RF_OK;
}

typedef struct made_file {
    rf_artifact_role role;
    const rf_stored *stored;
    const char *type, *suffix;
} made_file;

/* Of a name without its ending, cut between characters so that a word fits behind it. */
static int stem_length(const char *name)
{
    const char *const dot = strrchr(name, '.');
    int length = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    if (length > RF_DOWNLOAD_NAME_BYTES_MAX - 32)
        for (length = RF_DOWNLOAD_NAME_BYTES_MAX - 32;
             length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80;)
            length--;
    return length;
}

static rf_code put_files(rf_db_tx *tx, const rf_job *job, const rf_dataset *dataset, const made_file *files,
                         int n, int64_t now_ms, rf_error *err)
{
    rf_code rc = RF_OK;
    const int stem = stem_length(dataset->name);
    for (int i = 0; i < n; i++) {
        char name[RF_DOWNLOAD_NAME_BYTES_MAX + 1];
        if (!files[i].stored->key)
            continue;
        RF_TRY(check_key(job, "jobs", files[i].stored->key, err));
        snprintf(name, sizeof name, "%.*s-%s", stem, dataset->name, files[i].suffix);
        rf_artifact artifact = {.user_id = job->user_id,
                                .job_id = job->id,
                                .role = files[i].role,
                                .key = files[i].stored->key,
                                .sha256 = files[i].stored->sha256,
                                .size_bytes = files[i].stored->size_bytes,
                                .type = files[i].type,
                                .name = name,
                                .created_ms = now_ms};
        RF_TRY(rf_db_artifact_insert(tx, &artifact, err));
    }
out:
    return rc;
}

/* The finished parameters are in the plan. */
static rf_code put_model(rf_db_tx *tx, const rf_job *job, const rf_dataset *dataset,
                         const rf_result_done *done, const char *quality, rf_arena *arena, int64_t now_ms,
                         int64_t *model_id, rf_error *err)
{
    rf_plan plan = {0};
    rf_buf params;
    rf_buf_init(&params);
    rf_code rc = RF_OK;
    (void)arena;
    RF_TRY(check_key(job, "jobs", done->model.key, err));
    RF_TRY(rf_plan_read(&plan, job->plan, err));
    rf_params_json(&plan.params, &params);
    RF_TRY(rf_buf_check(&params, "the parameters of a model", err));
    rf_model_card model = {.user_id = job->user_id,
                           .job_id = job->id,
                           .dataset_id = job->dataset_id,
                           .model = rf_model_kind_name(plan.params.model),
                           .dataset_name = dataset->name,
                           .key = done->model.key,
                           .sha256 = done->model.sha256,
                           .size_bytes = done->model.size_bytes,
                           .n_rows = dataset->n_rows,
                           .n_columns = dataset->n_columns,
                           .seed = job->seed,
                           .params = params.data,
                           .quality = quality,
                           .created_ms = now_ms};
    RF_TRY(rf_db_model_insert(tx, &model, err));
    *model_id = model.id;
out:
    rf_plan_free(&plan);
    rf_buf_free(&params);
    return rc;
}

static rf_code done_generate(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const rf_result_done *done,
                             rf_arena *arena, const char **result, rf_error *err)
{
    const int64_t now_ms = rf_scheduler_now_ms(s);
    const bool tsv = strstr(job->spec, "\"output_format\":\"tsv\"") != NULL;
    const made_file files[] = {
        {RF_ARTIFACT_DATA, &done->data,
         tsv ? "text/tab-separated-values; charset=utf-8" : "text/csv; charset=utf-8",
         tsv ? "synthetic.tsv" : "synthetic.csv"},
        {RF_ARTIFACT_REPORT_JSON, &done->report_json, "application/json", "report.json"},
        {RF_ARTIFACT_REPORT_HTML, &done->report_html, "text/html; charset=utf-8", "report.html"},
        {RF_ARTIFACT_METADATA, &done->metadata, "application/json", "metadata.json"},
    };
    rf_dataset dataset = {.name = "dataset"};
    json_t *json = NULL, *quality = quality_json(&done->quality);
    int64_t model_id = 0;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_find(tx, 0, job->dataset_id, arena, &dataset, &found, err));
    if (!found)
        dataset = (rf_dataset){.name = "dataset"};
    RF_TRY(put_files(tx, job, &dataset, files, done->has_metadata ? 4 : 3, now_ms, err));
    RF_TRY(put_model(tx, job, &dataset, done, dumped(quality, arena), arena, now_ms, &model_id, err));
    json = json_pack("{s:O, s:I, s:I}", "quality", quality, "rows", (json_int_t)done->rows, "model_id",
                     (json_int_t)model_id);
    put_real(json, "train_s", done->train_s);
    put_real(json, "sample_s", done->sample_s);
    put_real(json, "generator_loss", done->generator_loss);
    put_real(json, "discriminator_loss", done->discriminator_loss);
    *result = dumped(json, arena);
    RF_TRY(rf_arena_check(arena, "a result", err));
out:
    json_decref(json);
    json_decref(quality);
    return rc;
}

static rf_code done_by_kind(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const rf_result_done *done,
                            rf_arena *arena, const char **result, rfi_effects *effects, rf_error *err)
{
    char text[96];
    switch (job->kind) {
    case RF_JOB_PROFILE:
        return done_profile(s, tx, job, done, effects, err);
    case RF_JOB_GENERATE:
        return done_generate(s, tx, job, done, arena, result, err);
    case RF_JOB_SAMPLE:
        snprintf(text, sizeof text, "{\"rows\":%" PRId64 ",\"parts\":%" PRId64 "}", done->rows, done->parts);
        *result = rf_arena_string(arena, text, strlen(text));
        return rf_arena_check(arena, "a result", err);
    default:
        return RF_OK;
    }
}

/* A body that no worker of ours writes: the attempt is not believed, and would say the same again. */
static rf_code refuse_done(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const rf_error *why,
                           rfi_effects *effects, rf_error *err)
{
    return rfi_job_failed(s, tx, job, RF_FAILURE_PERMANENT, "the worker's report could not be read",
                          why->message, effects, err);
}

/* Snapshots are rare: the last one that was kept may be far from the end. */
static rf_code put_last_progress(rf_db_tx *tx, const rf_job *job, const rf_result_done *done, rf_error *err)
{
    rf_plan plan = {0};
    rf_buf text;
    rf_buf_init(&text);
    rf_result_progress last = {
        .phase = "done", .percent = 100, .eta_s = 0, .generator_loss = NAN, .discriminator_loss = NAN};
    rf_code rc = RF_OK;
    if (job->kind == RF_JOB_GENERATE) {
        RF_TRY(rf_plan_read(&plan, job->plan, err));
        last.epoch = last.epochs = plan.params.epochs;
        last.generator_loss = done->generator_loss;
        last.discriminator_loss = done->discriminator_loss;
    }
    RF_TRY(rf_result_write_progress(&last, &text, err));
    RF_TRY(rf_buf_check(&text, "the progress of a request", err));
    RF_TRY(rf_db_job_progress(tx, job->id, job->token, text.data, NULL, err));
out:
    rf_plan_free(&plan);
    rf_buf_free(&text);
    return rc;
}

rf_code rfi_outcome_done(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *body,
                         rfi_effects *effects, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_error why = {0};
    rf_result_done done;
    const char *result = "";
    bool changed = false;
    const int64_t now_ms = rf_scheduler_now_ms(s);
    rf_code rc = rf_result_read_done(&done, &arena, body, &why);
    if (rc == RF_OK && done.kind != job->kind)
        rc = rf_fail(&why, RF_MALFORMED, "the report is of another kind of job");
    if (rc == RF_MALFORMED) {
        rc = refuse_done(s, tx, job, &why, effects, err);
        goto out;
    }
    RF_TRY(rc);
    if (job->kind != RF_JOB_NOOP)
        RF_TRY(put_last_progress(tx, job, &done, err));
    /* The fence: whoever changes the row makes the result; nobody else's rows are written. */
    RF_TRY(rf_db_job_complete(tx, job->id, job->token, "", now_ms, &changed, err));
    if (!changed)
        goto out;
    RF_TRY(done_by_kind(s, tx, job, &done, &arena, &result, effects, err));
    if (*result)
        RF_TRY(rf_db_job_set_result(tx, job->id, result, err));
    RF_TRY(rfi_attempt_log(tx, job, "completed", "", "", now_ms, err));
    RF_TRY(rfi_leavings_doom(tx, job, false, now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_COMPLETED, "", "");
out:
    rf_arena_free(&arena);
    return rc;
}
