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
 * attempt's token; when it changes nothing, somebody else was faster, and what they did stands.
 *
 * results.c has the first line of the table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

enum {
    DEVICES_LOST_MAX = 100
}; /* attempts of a job that may end so: a machine without any device left must not try for ever */

/* ------------------------------------------------------------------ parts of every end */

rf_code rfi_attempt_log(rf_db_tx *tx, const rf_job *job, const char *outcome, const char *error_class,
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
rf_code rfi_leavings_doom(rf_db_tx *tx, const rf_job *job, bool parts, int64_t now_ms, rf_error *err)
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

rf_code rfi_profile_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *message,
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
    RF_TRY(rfi_attempt_log(tx, job, "failed", name, message, end.now_ms, err));
    RF_TRY(rfi_leavings_doom(tx, job, true, end.now_ms, err));
    if (job->kind == RF_JOB_PROFILE)
        RF_TRY(rfi_profile_failed(s, tx, job, message, effects, end.now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_FAILED, name, message);
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
    RF_TRY(rfi_attempt_log(tx, job, "cancelled", "", job->cancel_reason, end.now_ms, err));
    RF_TRY(rfi_leavings_doom(tx, job, true, end.now_ms, err));
    if (job->kind == RF_JOB_PROFILE)
        RF_TRY(rfi_profile_failed(s, tx, job, RFI_PROFILE_CANCELLED, effects, end.now_ms, err));
    rfi_effects_end(effects, job, RF_JOB_CANCELLED, "", "");
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
    RF_TRY(rfi_attempt_log(tx, job, "requeued", how->error_class, how->message, now_ms, err));
    rf_job next = *job;
    next.state = RF_JOB_QUEUED;
    next.token++;
    next.run_at_ms = now_ms + how->delay_ms;
    RF_TRY(rf_db_outbox_put(tx, job->id, next.token, now_ms, err));
    rfi_effects_offer(effects, s, &next);
    rfi_effects_again(effects, job, how->error_class, *how->message ? how->message : how->detail);
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

/* A worker that ends before it can say that it began is nobody's fault at first; if it goes on so, it does so slowly. */
static int64_t unbegun_delay_ms(rf_scheduler *s, const rf_job *job)
{
    return job->token < 3 ? 0 : rfi_retry_delay_ms(s, job->token < 12 ? (int32_t)job->token - 3 : 9);
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
        return job->token < DEVICES_LOST_MAX;
    case RF_FAILURE_CRASH:
        how->crashes = began;
        how->delay_ms = began ? rfi_retry_delay_ms(s, job->crashes) : unbegun_delay_ms(s, job);
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
