/* lifecycle.c - the words of workers, applied.
 *
 * Words are taken from the queue in the order of their arrival and applied many to a transaction. Each is judged by the row
 * as it is then: a word whose token is not the row's, or that comes after the end, changes nothing and settles its lease, so
 * that the worker's next beat answers `gone`. A word about a queued row with the right token proves that the attempt
 * began, even if `started` was lost: the token was given to nobody else.
 *
 * Taken words are held until they are in the database: when it does not answer they wait here, in order. When something
 * else is wrong with one of a batch, the batch is taken apart and applied word by word, so that it is alone in failing. */
#include <string.h>

#include "scheduler/scheduler_state.h"

typedef struct word_batch {
    rf_scheduler *s;
    const rf_event *words;
    int32_t n;
    rfi_effects effects;
} word_batch;

/* ------------------------------------------------------------------ one word */

/* Nothing to change: the worker is told to let go. */
static void refuse(const rf_event *word, rfi_effects *effects)
{
    rfi_effects_settle(effects, word->job_id, word->token);
    effects->fenced++;
}

static rf_code start(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const char *device, rf_job *job,
                     rfi_effects *effects, rf_error *err)
{
    const int64_t now_ms = rf_scheduler_now_ms(s);
    bool changed = false;
    int64_t parts = 0, unsent = 0;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_start(tx, job->id, job->token, word->worker_id, device, now_ms, &changed, err));
    if (!changed)
        goto out;
    job->state = RF_JOB_RUNNING;
    job->attempt++;
    job->attempt_ms = now_ms;
    job->worker_id = word->worker_id;
    job->device = device;
    rfi_effects_update(effects, job, RF_JOB_RUNNING, "");
    if (job->kind == RF_JOB_SAMPLE) { /* what an earlier attempt delivered counts */
        RF_TRY(rf_db_parts_count(tx, job->id, &parts, &unsent, err));
        if (parts > unsent)
            rfi_effects_credit(effects, job->id, job->token, parts - unsent);
    }
out:
    return rc;
}

static rf_code started(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, rf_job *job, rfi_effects *effects,
                       rf_error *err)
{
    if (job->state == RF_JOB_RUNNING)
        return RF_OK; /* said twice */
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_started body;
    const char *device = "";
    if (rf_result_read_started(&body, &arena, word->body, NULL) == RF_OK)
        device = body.device;
    const rf_code rc = start(s, tx, word, device, job, effects, err);
    job->device = "";
    rf_arena_free(&arena);
    return rc;
}

/* Into the database now and then, to those who watch always. */
static rf_code progress(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const rf_job *job,
                        rfi_effects *effects, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_progress body;
    rf_code rc = RF_OK;
    const int64_t now_ms = rfi_monotonic_ms();
    const size_t slot = (size_t)job->id % RFI_PROGRESS_SLOTS;
    if (rf_result_read_progress(&body, &arena, word->body, NULL) != RF_OK)
        goto out;
    rfi_effects_update(effects, job, RF_JOB_RUNNING, word->body);
    if (s->snapshots[slot].job_id == job->id && now_ms - s->snapshots[slot].at_ms < RFI_SNAPSHOT_MS)
        goto out;
    s->snapshots[slot].job_id = job->id;
    s->snapshots[slot].at_ms = now_ms;
    RF_TRY(rf_db_job_progress(tx, job->id, job->token, word->body, NULL, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code checkpoint(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const rf_job *job,
                          rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_checkpoint now, before;
    bool changed = false;
    rf_code rc = RF_OK;
    if (rf_result_read_checkpoint(&now, &arena, word->body, NULL) != RF_OK)
        goto out;
    const bool has_before =
        *job->checkpoint && rf_result_read_checkpoint(&before, &arena, job->checkpoint, NULL) == RF_OK;
    if (has_before && before.step >= now.step)
        goto out; /* said twice, or out of order */
    RF_TRY(rf_db_job_checkpoint(tx, job->id, job->token, word->body, &changed, err));
    if (changed && has_before && strcmp(before.key, now.key))
        RF_TRY(rf_db_doom(tx, before.key, rf_scheduler_now_ms(s), err));
out:
    rf_arena_free(&arena);
    return rc;
}

/* An attempt that begins anew makes the parts anew, with the same bytes: those that are known stay. */
static rf_code part(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const rf_job *job,
                    rfi_effects *effects, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_part body;
    bool inserted = false;
    rf_code rc = RF_OK;
    if (rf_result_read_part(&body, &arena, word->body, NULL) != RF_OK)
        goto out;
    const rf_db_part row = {.job_id = job->id,
                            .n = body.n,
                            .rows = body.rows,
                            .size_bytes = body.size_bytes,
                            .key = body.key,
                            .sha256 = body.sha256};
    RF_TRY(rf_db_part_insert(tx, &row, &inserted, err));
    if (!inserted)
        RF_TRY(rf_db_part_doom_twin(tx, &row, rf_scheduler_now_ms(s), err));
    rfi_effects_update(effects, job, RF_JOB_RUNNING, job->progress);
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code failed(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const rf_job *job,
                      rfi_effects *effects, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_failure body;
    if (rf_result_read_failure(&body, &arena, word->body, NULL) != RF_OK)
        body = (rf_result_failure){.failure = RF_FAILURE_INFRASTRUCTURE,
                                   .message = "the worker's report could not be read",
                                   .detail = ""};
    const rf_code rc = rfi_attempt_failed(s, tx, job, body.failure, body.message, body.detail, effects, err);
    rf_arena_free(&arena);
    return rc;
}

static rf_code released(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, const rf_job *job,
                        rfi_effects *effects, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_result_released body;
    const char *reason = "released";
    if (rf_result_read_released(&body, &arena, word->body, NULL) == RF_OK)
        reason = body.reason;
    const rf_code rc = rfi_attempt_released(s, tx, job, reason, effects, err);
    rf_arena_free(&arena);
    return rc;
}

static rf_code apply_to(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, rf_job *job,
                        rfi_effects *effects, rf_error *err)
{
    rf_code rc = RF_OK;
    if (job->state == RF_JOB_QUEUED && word->kind != RF_EVENT_STARTED && word->kind != RF_EVENT_RELEASED)
        RF_TRY(start(s, tx, word, "", job, effects, err));
    switch (word->kind) {
    case RF_EVENT_STARTED:
        return started(s, tx, word, job, effects, err);
    case RF_EVENT_PROGRESS:
        return progress(s, tx, word, job, effects, err);
    case RF_EVENT_CHECKPOINT:
        return checkpoint(s, tx, word, job, err);
    case RF_EVENT_PART:
        return part(s, tx, word, job, effects, err);
    case RF_EVENT_DONE:
        return rfi_outcome_done(s, tx, job, word->body, effects, err);
    case RF_EVENT_FAILED:
        return failed(s, tx, word, job, effects, err);
    case RF_EVENT_RELEASED:
        return released(s, tx, word, job, effects, err);
    case RF_EVENT_KIND_COUNT:
        break;
    }
out:
    return rc;
}

static rf_code apply_word(rf_scheduler *s, rf_db_tx *tx, const rf_event *word, rfi_effects *effects,
                          rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_find(tx, 0, word->job_id, &arena, &job, &found, err));
    if (!found || job.token != word->token || (job.state != RF_JOB_QUEUED && job.state != RF_JOB_RUNNING))
        refuse(word, effects);
    else
        RF_TRY(apply_to(s, tx, word, &job, effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ a batch of them */

static rf_code write_words(rf_db_tx *tx, void *arg, rf_error *err)
{
    word_batch *const batch = arg;
    rf_code rc = RF_OK;
    rfi_effects_reset(&batch->effects);
    RF_TRY(rfi_outbox_flush(batch->s, tx, err));
    for (int32_t i = 0; i < batch->n; i++)
        RF_TRY(apply_word(batch->s, tx, &batch->words[i], &batch->effects, err));
    RF_TRY(rfi_effects_check(&batch->effects, err));
out:
    return rc;
}

static rf_code apply_batch(rf_scheduler *s, const rf_event *words, int32_t n, rf_error *err)
{
    word_batch batch = {.s = s, .words = words, .n = n};
    rfi_effects_init(&batch.effects);
    const rf_code rc = rf_db_write(s->db, write_words, &batch, err);
    if (rc == RF_OK)
        rfi_effects_run(&batch.effects, s);
    rfi_effects_free(&batch.effects);
    return rc;
}

/* A word that cannot be applied must not be said for ever: its job fails, with the reason in the log. */
static rf_code write_refusal(rf_db_tx *tx, void *arg, rf_error *err)
{
    word_batch *const batch = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&batch->effects);
    RF_TRY(rf_db_job_find(tx, 0, batch->words->job_id, &arena, &job, &found, err));
    if (found && job.token == batch->words->token)
        RF_TRY(rfi_job_failed(batch->s, tx, &job, RF_FAILURE_PERMANENT,
                              "the worker's result could not be kept", "", &batch->effects, err));
    RF_TRY(rfi_effects_check(&batch->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static bool is_passing(rf_code rc)
{
    return rc == RF_UNAVAILABLE || rc == RF_NO_MEMORY;
}

static rf_code apply_alone(rf_scheduler *s, const rf_event *word, rf_error *err)
{
    rf_code rc = apply_batch(s, word, 1, err);
    if (rc == RF_OK || is_passing(rc))
        return rc;
    rf_error_context(err, "word \"%s\" about job %lld", rf_event_kind_name(word->kind),
                     (long long)word->job_id);
    rf_log_failure(RF_LOG_ERROR, "scheduler", err);
    if (word->kind != RF_EVENT_DONE && word->kind != RF_EVENT_FAILED)
        return RF_OK; /* dropped */
    word_batch batch = {.s = s, .words = word, .n = 1};
    rfi_effects_init(&batch.effects);
    rc = rf_db_write(s->db, write_refusal, &batch, err);
    if (rc == RF_OK)
        rfi_effects_run(&batch.effects, s);
    rfi_effects_free(&batch.effects);
    return is_passing(rc) ? rc : RF_OK;
}

/* Forgets the first n held words. */
static void drop_held(rf_scheduler *s, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        rf_event_free(&s->held[i]);
    s->n_held -= n;
    memmove(s->held, s->held + n, (size_t)s->n_held * sizeof *s->held);
}

static rf_code apply_held(rf_scheduler *s, rf_error *err)
{
    rf_code rc = apply_batch(s, s->held, s->n_held, err);
    if (rc == RF_OK) {
        drop_held(s, s->n_held);
        return RF_OK;
    }
    if (is_passing(rc))
        return rc;
    while (s->n_held > 0) {
        RF_TRY(apply_alone(s, &s->held[0], err));
        drop_held(s, 1);
    }
    rc = RF_OK;
out:
    return rc;
}

rf_code rf_scheduler_apply(rf_scheduler *s, int64_t timeout_ms, int32_t *n, rf_error *err)
{
    int32_t taken = 0;
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->applying);
    if (s->n_held == 0) {
        RF_TRY(rf_queue_events_take(s->queue, s->held, RFI_BATCH, timeout_ms, &taken, err));
        s->n_held = taken;
    }
    taken = s->n_held;
    if (taken)
        RF_TRY(apply_held(s, err));
out:
    pthread_mutex_unlock(&s->applying);
    if (n)
        *n = rc == RF_OK ? taken : 0;
    return rc;
}
