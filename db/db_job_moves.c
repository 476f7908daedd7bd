/* db_job_moves.c - a job goes from state to state. Each move is one UPDATE that names where it may come from. */
#include "db/db_jobs.h"
#include "db/db_rows.h"

/* ------------------------------------------------------------------ an attempt's words */

rf_code rf_db_job_start(rf_db_tx *tx, int64_t id, int64_t token, int64_t worker_id, const char *device,
                        int64_t now_ms, bool *changed, rf_error *err)
{
    return rfi_change(
        tx, RFI_SQL_job_start,
        RFI_VALUES(rfi_int(id), rfi_int(token), rfi_int(worker_id), rfi_text(device), rfi_int(now_ms)),
        changed, err);
}

rf_code rf_db_job_progress(rf_db_tx *tx, int64_t id, int64_t token, const char *progress, bool *changed,
                           rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_progress, RFI_VALUES(rfi_int(id), rfi_int(token), rfi_text(progress)),
                      changed, err);
}

rf_code rf_db_job_checkpoint(rf_db_tx *tx, int64_t id, int64_t token, const char *checkpoint, bool *changed,
                             rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_checkpoint,
                      RFI_VALUES(rfi_int(id), rfi_int(token), rfi_text(checkpoint)), changed, err);
}

rf_code rf_db_job_complete(rf_db_tx *tx, int64_t id, int64_t token, const char *result, int64_t now_ms,
                           bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_complete,
                      RFI_VALUES(rfi_int(id), rfi_int(token), rfi_text(result), rfi_int(now_ms)), changed,
                      err);
}

rf_code rf_db_job_set_result(rf_db_tx *tx, int64_t id, const char *result, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_set_result, RFI_VALUES(rfi_int(id), rfi_text(result)), NULL, err);
}

static rf_code end_job(rf_db_tx *tx, rfi_statement statement, const rf_db_job_end *end, bool *changed,
                       rf_error *err)
{
    return rfi_change(tx, statement,
                      RFI_VALUES(rfi_int(end->id), rfi_int(end->token), rfi_int(end->now_ms),
                                 rfi_text(end->error_class), rfi_text(end->error_message),
                                 rfi_text(end->error_detail)),
                      changed, err);
}

rf_code rf_db_job_fail(rf_db_tx *tx, const rf_db_job_end *end, bool *changed, rf_error *err)
{
    return end_job(tx, RFI_SQL_job_fail, end, changed, err);
}

rf_code rf_db_job_cancelled(rf_db_tx *tx, const rf_db_job_end *end, bool *changed, rf_error *err)
{
    return end_job(tx, RFI_SQL_job_cancelled, end, changed, err);
}

rf_code rf_db_job_requeue(rf_db_tx *tx, const rf_db_job_end *end, int64_t run_at_ms, int attempts,
                          int crashes, int memory_failures, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_requeue,
                      RFI_VALUES(rfi_int(end->id), rfi_int(end->token), rfi_int(run_at_ms), rfi_int(attempts),
                                 rfi_int(crashes), rfi_int(memory_failures), rfi_text(end->error_class),
                                 rfi_text(end->error_message), rfi_text(end->error_detail)),
                      changed, err);
}

/* ------------------------------------------------------------------ people's wishes */

static rf_code take_cancelled(void *arg, const rfi_row *row, rf_error *err)
{
    rf_db_job_cancel *const cancel = arg;
    int state = 0;
    const rf_code rc = rfi_row_name(row, 0, rf_job_state_find, &state, err);
    cancel->state = (rf_job_state)state;
    cancel->token = rfi_row_int(row, 1);
    cancel->changed = true;
    return rc;
}

/* It was not to be cancelled: how it stands. */
static rf_code look_at_uncancelled(rf_db_tx *tx, rf_db_job_cancel *cancel, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_glance(tx, cancel->user_id, cancel->id, &arena, &job, &found, err));
    cancel->state = found ? job.state : RF_JOB_STATE_COUNT;
    cancel->token = found ? job.token : 0;
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_db_job_cancel_ask(rf_db_tx *tx, rf_db_job_cancel *cancel, rf_error *err)
{
    rf_code rc = RF_OK;
    cancel->changed = false;
    RF_TRY(rfi_query_run(tx, RFI_SQL_job_cancel_ask,
                         RFI_VALUES(rfi_int(cancel->id), rfi_int(cancel->user_id), rfi_int(cancel->now_ms),
                                    rfi_text(cancel->reason)),
                         take_cancelled, cancel, NULL, err));
    if (!cancel->changed)
        RF_TRY(look_at_uncancelled(tx, cancel, err));
out:
    return rc;
}

rf_code rf_db_job_approve(rf_db_tx *tx, int64_t id, bool approved, const char *reason, int64_t now_ms,
                          bool *changed, rf_error *err)
{
    if (approved)
        return rfi_change(tx, RFI_SQL_job_approve, RFI_VALUES(rfi_int(id)), changed, err);
    return rfi_change(tx, RFI_SQL_job_reject, RFI_VALUES(rfi_int(id), rfi_text(reason), rfi_int(now_ms)),
                      changed, err);
}

rf_code rf_db_job_revive(rf_db_tx *tx, int64_t id, int64_t now_ms, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_revive, RFI_VALUES(rfi_int(id), rfi_int(now_ms)), changed, err);
}

/* ------------------------------------------------------------------ time and history */

rf_code rf_db_jobs_overdue(rf_db_tx *tx, int64_t now_ms, int64_t cancel_before_ms, int32_t limit,
                           rf_arena *arena, rf_job **out, int32_t *n, rf_error *err)
{
    return rfi_list_jobs(tx, RFI_SQL_job_overdue,
                         RFI_VALUES(rfi_int(now_ms), rfi_int(cancel_before_ms), rfi_int(limit)), arena, out,
                         n, err);
}

rf_code rf_db_job_mark_cancel(rf_db_tx *tx, int64_t id, int64_t token, const char *reason, int64_t now_ms,
                              bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_mark_cancel,
                      RFI_VALUES(rfi_int(id), rfi_int(token), rfi_int(now_ms), rfi_text(reason)), changed,
                      err);
}

rf_code rf_db_attempt_insert(rf_db_tx *tx, const rf_db_attempt *attempt, rf_error *err)
{
    return rfi_change(
        tx, RFI_SQL_attempt_insert,
        RFI_VALUES(rfi_int(attempt->job_id), rfi_int(attempt->token), rfi_int(attempt->worker_id),
                   rfi_text(attempt->device), rfi_int(attempt->started_ms), rfi_int(attempt->ended_ms),
                   rfi_text(attempt->outcome), rfi_text(attempt->error_class), rfi_text(attempt->message)),
        NULL, err);
}

static rf_code read_attempt(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_db_attempt *)element = (rf_db_attempt){
        .job_id = rfi_row_int(row, 0),
        .token = rfi_row_int(row, 1),
        .worker_id = rfi_row_int(row, 2),
        .device = rfi_row_text(row, 3, arena),
        .started_ms = rfi_row_int(row, 4),
        .ended_ms = rfi_row_int(row, 5),
        .outcome = rfi_row_text(row, 6, arena),
        .error_class = rfi_row_text(row, 7, arena),
        .message = rfi_row_text(row, 8, arena),
    };
    return RF_OK;
}

rf_code rf_db_attempts_list(rf_db_tx *tx, int64_t job_id, rf_arena *arena, rf_db_attempt **out, int32_t *n,
                            rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_attempt, .size = sizeof(rf_db_attempt)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_attempt_list, RFI_VALUES(rfi_int(job_id)), &list, err);
    *out = (rf_db_attempt *)list.elements;
    *n = list.n;
    return rc;
}

static rf_code read_id(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)arena, (void)err;
    *(int64_t *)element = rfi_row_int(row, 0);
    return RF_OK;
}

rf_code rf_db_jobs_ended(rf_db_tx *tx, int64_t before_ms, int32_t limit, rf_arena *arena, int64_t **out,
                         int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_id, .size = sizeof(int64_t)};
    const rf_code rc =
        rfi_list_run(tx, RFI_SQL_job_ended, RFI_VALUES(rfi_int(before_ms), rfi_int(limit)), &list, err);
    *out = (int64_t *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_job_delete(rf_db_tx *tx, int64_t id, int64_t now_ms, rf_error *err)
{
    static const rfi_statement by_id[] = {RFI_SQL_job_delete_attempts, RFI_SQL_job_delete_artifacts,
                                          RFI_SQL_job_delete_parts, RFI_SQL_job_delete_outbox,
                                          RFI_SQL_job_delete};
    rf_code rc = RF_OK;
    RF_TRY(rfi_change(tx, RFI_SQL_artifact_doom_job, RFI_VALUES(rfi_int(id), rfi_int(now_ms)), NULL, err));
    RF_TRY(rfi_change(tx, RFI_SQL_part_doom_job, RFI_VALUES(rfi_int(id), rfi_int(now_ms)), NULL, err));
    for (size_t i = 0; i < sizeof by_id / sizeof *by_id; i++)
        RF_TRY(rfi_change(tx, by_id[i], RFI_VALUES(rfi_int(id)), NULL, err));
out:
    return rc;
}
