/* outcome.c - how an attempt ends, and what follows.
 *
 *     the attempt        the job
 *     done               completed; its results are rows now
 *     permanent          failed
 *     infrastructure     queued again after a drawn delay, until max_attempts began; then failed
 *     memory             queued again once; then failed
 *     device             queued again; the attempt does not count
 *     crash              queued again after a drawn delay, until max_crashes; then failed
 *     timeout            failed
 *     released           queued again at once; the attempt does not count
 *
 * Whatever the attempt says: if the job's end was asked for, it ends as it was asked to. Every move bears the fence of the
 * attempt's token; when it changes nothing, somebody else was faster, and what they did stands. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ parts of every end */

static rf_code log_attempt(rf_db_tx *tx, const rf_job *job, const char *outcome, const char *error_class,
                           const char *message, int64_t now_ms, rf_error *err)
{
    if (!job->attempt_ms)
        return RF_OK; /* it never began */
    const rf_db_attempt attempt = {.job_id = job->id,
                                   .token = job->token,
                                   .worker_id = job->worker_id,
                                   .device = job->device,
                                   .started_ms = job->attempt_ms,
                                   .ended_ms = now_ms,
                                   .outcome = outcome,
                                   .error_class = error_class,
                                   .message = message};
    return rf_db_attempt_insert(tx, &attempt, err);
}

/* What only an unended job needs: its checkpoint, and parts of a sample that will never be whole. */
static rf_code doom_leavings(rf_db_tx *tx, const rf_job *job, bool parts, int64_t now_ms, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_checkpoint checkpoint;
    rf_code rc = RF_OK;
    if (*job->checkpoint && rf_result_read_checkpoint(&checkpoint, &arena, job->checkpoint, NULL) == RF_OK)
        RF_TRY(rf_db_doom(tx, checkpoint.key, now_ms, err));
    if (parts && job->kind == RF_JOB_SAMPLE)
        RF_TRY(rf_db_parts_drop(tx, job->id, now_ms, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code profile_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *message,
                              rfi_effects *effects, int64_t now_ms, rf_error *err)
{
    bool changed = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_invalid(tx, job->dataset_id, job->id, message, now_ms, &changed, err));
    if (changed)
        RF_TRY(rfi_dataset_settled(s, tx, job->dataset_id, effects, err));
out:
    return rc;
}

rf_code rfi_job_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rf_failure failure,
                       const char *message, const char *detail, rfi_effects *effects, rf_error *err)
{
    const char *const name = rf_failure_name(failure);
    const rf_db_job_end end = {.id = job->id,
                               .token = job->token,
                               .error_class = name,
                               .error_message = message,
                               .error_detail = detail,
                               .now_ms = rf_scheduler_now_ms(s)};
    bool changed = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_fail(tx, &end, &changed, err));
    if (!changed)
        goto out;
    RF_TRY(log_attempt(tx, job, "failed", name, message, end.now_ms, err));
    RF_TRY(doom_leavings(tx, job, true, end.now_ms, err));
    if (job->kind == RF_JOB_PROFILE)
        RF_TRY(profile_failed(s, tx, job, message, effects, end.now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_FAILED);
out:
    return rc;
}

static rf_code cancelled(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rfi_effects *effects,
                         rf_error *err)
{
    const rf_db_job_end end = {.id = job->id, .token = job->token, .now_ms = rf_scheduler_now_ms(s)};
    bool changed = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_cancelled(tx, &end, &changed, err));
    if (!changed)
        goto out;
    RF_TRY(log_attempt(tx, job, "cancelled", "", job->cancel_reason, end.now_ms, err));
    RF_TRY(doom_leavings(tx, job, true, end.now_ms, err));
    if (job->kind == RF_JOB_PROFILE)
        RF_TRY(profile_failed(s, tx, job, "the table was not profiled: its profile was cancelled", effects,
                              end.now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_CANCELLED);
out:
    return rc;
}

rf_code rfi_job_ended_as_asked(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rfi_effects *effects,
                               rf_error *err)
{
    if (strcmp(job->cancel_reason, "timeout"))
        return cancelled(s, tx, job, effects, err);
    char message[128];
    snprintf(message, sizeof message, "it took longer than the %" PRId64 " s that a request may take",
             job->timeout_ms / 1000);
    return rfi_job_failed(s, tx, job, RF_FAILURE_TIMEOUT, message, "", effects, err);
}

/* ------------------------------------------------------------------ again */

typedef struct again {
    int64_t delay_ms;
    int attempts, crashes, memory_failures; /* added to the row's */
    const char *error_class, *message, *detail;
} again;

static rf_code requeue(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const again *how,
                       rfi_effects *effects, rf_error *err)
{
    const int64_t now_ms = rf_scheduler_now_ms(s);
    const rf_db_job_end end = {.id = job->id,
                               .token = job->token,
                               .error_class = how->error_class,
                               .error_message = how->message,
                               .error_detail = how->detail,
                               .now_ms = now_ms};
    bool changed = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_requeue(tx, &end, now_ms + how->delay_ms, how->attempts, how->crashes,
                             how->memory_failures, &changed, err));
    if (!changed)
        goto out;
    RF_TRY(log_attempt(tx, job, "requeued", how->error_class, how->message, now_ms, err));
    rf_job next = *job;
    next.state = RF_JOB_QUEUED;
    next.token++;
    next.run_at_ms = now_ms + how->delay_ms;
    RF_TRY(rf_db_outbox_put(tx, job->id, next.token, now_ms, err));
    rfi_effects_offer(effects, s, &next);
    rfi_effects_update(effects, job, RF_JOB_QUEUED, "");
    effects->retries++;
out:
    return rc;
}

rf_code rfi_attempt_released(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *reason,
                             rfi_effects *effects, rf_error *err)
{
    if (job->cancel_ms)
        return rfi_job_ended_as_asked(s, tx, job, effects, err);
    const again how = {.attempts = job->state == RF_JOB_RUNNING ? -1 : 0,
                       .error_class = "",
                       .message = "",
                       .detail = reason};
    return requeue(s, tx, job, &how, effects, err);
}

/* Whether a failure of that class may be tried again, and how. */
static bool may_try_again(rf_scheduler *s, const rf_job *job, rf_failure failure, again *how)
{
    const int began = job->state == RF_JOB_RUNNING;
    switch (failure) {
    case RF_FAILURE_INFRASTRUCTURE:
        how->delay_ms = rfi_retry_delay_ms(s, job->attempt);
        return job->attempt < s->options.max_attempts;
    case RF_FAILURE_MEMORY:
        how->memory_failures = 1;
        how->delay_ms = rfi_retry_delay_ms(s, job->attempt);
        return job->memory_failures < 1;
    case RF_FAILURE_DEVICE:
        how->attempts = -began;
        how->delay_ms = rfi_retry_delay_ms(s, 0);
        return true;
    case RF_FAILURE_CRASH:
        how->crashes = began;
        how->delay_ms = began ? rfi_retry_delay_ms(s, job->crashes) : 0;
        return job->crashes + began < s->options.max_crashes;
    default:
        return false;
    }
}

rf_code rfi_attempt_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rf_failure failure,
                           const char *message, const char *detail, rfi_effects *effects, rf_error *err)
{
    again how = {.error_class = rf_failure_name(failure), .message = message, .detail = detail};
    if (failure == RF_FAILURE_CRASH && job->state == RF_JOB_RUNNING)
        effects->crashes++;
    if (job->cancel_ms)
        return rfi_job_ended_as_asked(s, tx, job, effects, err);
    if (may_try_again(s, job, failure, &how))
        return requeue(s, tx, job, &how, effects, err);
    return rfi_job_failed(s, tx, job, failure, message, detail, effects, err);
}

/* ------------------------------------------------------------------ a dataset's profile is there, or will not be */

static rf_code unblock(rf_scheduler *s, rf_db_tx *tx, rf_job *job, const rf_dataset *dataset, rf_arena *arena,
                       rfi_effects *effects, rf_error *err)
{
    rf_error why = {0};
    bool changed = false;
    rf_code rc = rfi_plan_generate(s, job, dataset, arena, &why);
    if (rc == RF_NO_MEMORY)
        return rf_fail(err, rc, "%s", why.message);
    if (rc != RF_OK)
        return rfi_job_failed(s, tx, job, RF_FAILURE_PERMANENT, why.message, why.detail, effects, err);
    RF_TRY(rf_db_job_set_plan(tx, job->id, job->plan, job->need, job->cost, &changed, err));
    if (!changed)
        goto out;
    job->blocked = false;
    RF_TRY(rf_db_outbox_put(tx, job->id, job->token, rf_scheduler_now_ms(s), err));
    rfi_effects_offer(effects, s, job);
out:
    return rc;
}

rf_code rfi_dataset_settled(rf_scheduler *s, rf_db_tx *tx, int64_t dataset_id, rfi_effects *effects,
                            rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_dataset dataset;
    rf_job *jobs = NULL;
    int32_t n = 0;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_find(tx, 0, dataset_id, &arena, &dataset, &found, err));
    RF_TRY(rf_db_jobs_using(tx, dataset_id, 0, &arena, &jobs, &n, err));
    for (int32_t i = 0; i < n; i++) {
        if (jobs[i].kind != RF_JOB_GENERATE || jobs[i].state != RF_JOB_QUEUED || !jobs[i].blocked)
            continue;
        if (found && dataset.status == RF_DATASET_READY) {
            RF_TRY(unblock(s, tx, &jobs[i], &dataset, &arena, effects, err));
        } else {
            char message[256];
            snprintf(message, sizeof message, "its dataset cannot be used: %.200s",
                     found ? dataset.error : "it was deleted");
            RF_TRY(rfi_job_failed(s, tx, &jobs[i], RF_FAILURE_PERMANENT, message, "", effects, err));
        }
    }
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ done */

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

rf_code rfi_outcome_done(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *body, rfi_effects *effects,
                     rf_error *err)
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
    /* The fence first: whoever changes the row makes the result; nobody else's rows are written. */
    RF_TRY(rf_db_job_complete(tx, job->id, job->token, "", now_ms, &changed, err));
    if (!changed)
        goto out;
    RF_TRY(done_by_kind(s, tx, job, &done, &arena, &result, effects, err));
    if (*result)
        RF_TRY(rf_db_job_set_result(tx, job->id, result, err));
    RF_TRY(log_attempt(tx, job, "completed", "", "", now_ms, err));
    RF_TRY(doom_leavings(tx, job, false, now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_COMPLETED);
out:
    rf_arena_free(&arena);
    return rc;
}
