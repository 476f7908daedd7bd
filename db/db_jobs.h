/* db_jobs.h - questions about jobs. Those that change a job name the state that it must be in (domain/job.h), and
 * those that speak for an attempt its token: *changed is false, and nothing happened, when the row is in another state or
 * its token has moved on. db.h says how to ask.
 */
#ifndef RF_DB_DB_JOBS_H
#define RF_DB_DB_JOBS_H

#include "db/db.h"
#include "domain/job.h"

/* ------------------------------------------------------------------ submit */

/* Sets job->id; takes kind, state, user, spec, plan, times, token and the like from it. */
rf_code rf_db_job_insert(rf_db_tx *tx, rf_job *job, rf_error *err) RF_MUST_CHECK;

/* The first reply to a request that carried an Idempotency-Key. */
typedef struct rf_db_idempotency {
    int64_t user_id;
    const char *key;   /* the client's                                   */
    const char *hash;  /* of method, path and body                       */
    int64_t object_id; /* what the request made                          */
    int32_t status;    /* of the reply; 0: not stored yet                */
    const char *reply; /* its body; ""                                   */
    int64_t created_ms;
} rf_db_idempotency;
/* *inserted is false when the user has used that key before: then ask for the row. */
rf_code rf_db_idempotency_insert(rf_db_tx *tx, const rf_db_idempotency *row, bool *inserted,
                                 rf_error *err) RF_MUST_CHECK;
rf_code rf_db_idempotency_find(rf_db_tx *tx, int64_t user_id, const char *key, rf_arena *arena,
                               rf_db_idempotency *out, bool *found, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_idempotency_set_object(rf_db_tx *tx, int64_t user_id, const char *key, int64_t object_id,
                                     rf_error *err) RF_MUST_CHECK;
rf_code rf_db_idempotency_store(rf_db_tx *tx, int64_t user_id, const char *key, int32_t status,
                                const char *reply, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_idempotency_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n,
                                rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ look */

/* The whole row. user_id 0 asks for anybody's: admins and the scheduler itself. */
rf_code rf_db_job_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out, bool *found,
                       rf_error *err) RF_MUST_CHECK;
/* As rf_db_job_find, without spec, plan and checkpoint (they are ""): for those who poll. */
rf_code rf_db_job_glance(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out, bool *found,
                         rf_error *err) RF_MUST_CHECK;

typedef struct rf_db_job_filter {
    int64_t user_id;   /* 0: of all                     */
    int state;         /* an rf_job_state, -1: any      */
    int kind;          /* an rf_job_kind, -1: any       */
    int64_t before_id; /* ids below it; 0: from the top */
    int32_t limit;
} rf_db_job_filter;
/* Newest first, without spec, plan and checkpoint. */
rf_code rf_db_jobs_list(rf_db_tx *tx, const rf_db_job_filter *filter, rf_arena *arena, rf_job **out,
                        int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Jobs of a user that have not ended and count toward limits. */
rf_code rf_db_jobs_active(rf_db_tx *tx, int64_t user_id, int64_t *out, rf_error *err) RF_MUST_CHECK;
/* Of a dataset or a model (the other 0): jobs that have not ended, whole, oldest first. */
rf_code rf_db_jobs_using(rf_db_tx *tx, int64_t dataset_id, int64_t model_id, rf_arena *arena, rf_job **out,
                         int32_t *n, rf_error *err) RF_MUST_CHECK;
typedef struct rf_db_job_count {
    rf_job_kind kind;
    rf_job_state state;
    int64_t n;
} rf_db_job_count;
/* Of those that have not ended, by kind and state. */
rf_code rf_db_jobs_count(rf_db_tx *tx, rf_arena *arena, rf_db_job_count **out, int32_t *n,
                         rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ dispatch */

/* The note that a job is to be offered to the queue; known by job, the higher token stays. */
rf_code rf_db_outbox_put(rf_db_tx *tx, int64_t job_id, int64_t token, int64_t now_ms,
                         rf_error *err) RF_MUST_CHECK;
/* Offered: forgets the note unless its token is higher. */
rf_code rf_db_outbox_clear(rf_db_tx *tx, int64_t job_id, int64_t token, rf_error *err) RF_MUST_CHECK;
/* Whole rows of queued jobs that have a note from before then, oldest note first. */
rf_code rf_db_outbox_list(rf_db_tx *tx, int64_t before_ms, int32_t limit, rf_arena *arena, rf_job **out,
                          int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Notes of jobs that are not queued any more go. */
rf_code rf_db_outbox_sweep(rf_db_tx *tx, int64_t *n, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_outbox_count(rf_db_tx *tx, int64_t *out, rf_error *err) RF_MUST_CHECK;

/* Whole rows in one state with id > after_id, in order of ids: pages for the reconciler. Blocked ones are left out. */
rf_code rf_db_jobs_page(rf_db_tx *tx, rf_job_state state, int64_t after_id, int32_t limit, rf_arena *arena,
                        rf_job **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* queued → queued: the plan is written, and the job is not blocked any more. */
rf_code rf_db_job_set_plan(rf_db_tx *tx, int64_t id, const char *plan, const char *need, double cost,
                           bool *changed, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ moves */

rf_code rf_db_job_start(rf_db_tx *tx, int64_t id, int64_t token, int64_t worker_id, const char *device,
                        int64_t now_ms, bool *changed, rf_error *err) RF_MUST_CHECK; /* queued → running */
rf_code rf_db_job_progress(rf_db_tx *tx, int64_t id, int64_t token, const char *progress, bool *changed,
                           rf_error *err) RF_MUST_CHECK; /* running */
rf_code rf_db_job_checkpoint(rf_db_tx *tx, int64_t id, int64_t token, const char *checkpoint, bool *changed,
                             rf_error *err) RF_MUST_CHECK; /* running */
rf_code rf_db_job_complete(rf_db_tx *tx, int64_t id, int64_t token, const char *result, int64_t now_ms,
                           bool *changed, rf_error *err) RF_MUST_CHECK; /* running → completed */

/* Of a completed job: what it came to, written in the transaction that completed it. */
rf_code rf_db_job_set_result(rf_db_tx *tx, int64_t id, const char *result, rf_error *err) RF_MUST_CHECK;

/* How an attempt that gave no result goes on. */
typedef struct rf_db_job_end {
    int64_t id, token;
    const char *error_class, *error_message, *error_detail;
    int64_t now_ms;
} rf_db_job_end;
/* queued, running → failed; the token rises. */
rf_code rf_db_job_fail(rf_db_tx *tx, const rf_db_job_end *end, bool *changed, rf_error *err) RF_MUST_CHECK;
/* queued, running → cancelled, under the fence: the worker has let go, or is not waited for any longer. */
rf_code rf_db_job_cancelled(rf_db_tx *tx, const rf_db_job_end *end, bool *changed,
                            rf_error *err) RF_MUST_CHECK;
/* queued, running → queued, not before run_at_ms; the token rises. `attempts`, `crashes` and `memory_failures` are added. */
rf_code rf_db_job_requeue(rf_db_tx *tx, const rf_db_job_end *end, int64_t run_at_ms, int attempts,
                          int crashes, int memory_failures, bool *changed, rf_error *err) RF_MUST_CHECK;

/* Cancel, in one UPDATE: waiting → cancelled at once, running → running with cancel_ms set. *state is what it is now
 * (RF_JOB_STATE_COUNT: no such job of that user's; unchanged when it had ended before) and *token the attempt's that the
 * queue knows. user_id 0: anybody's. */
typedef struct rf_db_job_cancel {
    int64_t user_id, id;
    const char *reason;
    int64_t now_ms;
    rf_job_state state; /* out */
    int64_t token;      /* out: as it was before */
    bool changed;       /* out */
} rf_db_job_cancel;
rf_code rf_db_job_cancel_ask(rf_db_tx *tx, rf_db_job_cancel *cancel, rf_error *err) RF_MUST_CHECK;
/* pending_approval → queued or rejected. */
rf_code rf_db_job_approve(rf_db_tx *tx, int64_t id, bool approved, const char *reason, int64_t now_ms,
                          bool *changed, rf_error *err) RF_MUST_CHECK;
/* failed → queued: an admin's wish; a new budget of attempts, a higher token. */
rf_code rf_db_job_revive(rf_db_tx *tx, int64_t id, int64_t now_ms, bool *changed,
                         rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ time and history */

/* Running jobs that have had longer than they may, and those whose end was asked for before cancel_before_ms and has not
 * come. Without spec, plan and checkpoint. */
rf_code rf_db_jobs_overdue(rf_db_tx *tx, int64_t now_ms, int64_t cancel_before_ms, int32_t limit,
                           rf_arena *arena, rf_job **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Asks a running job to end with this reason, if nobody asked before. */
rf_code rf_db_job_mark_cancel(rf_db_tx *tx, int64_t id, int64_t token, const char *reason, int64_t now_ms,
                              bool *changed, rf_error *err) RF_MUST_CHECK;

typedef struct rf_db_attempt {
    int64_t job_id, token, worker_id;
    const char *device;
    int64_t started_ms, ended_ms;
    const char *outcome; /* "completed", "failed", "cancelled", "requeued" */
    const char *error_class, *message;
} rf_db_attempt;
rf_code rf_db_attempt_insert(rf_db_tx *tx, const rf_db_attempt *attempt, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_attempts_list(rf_db_tx *tx, int64_t job_id, rf_arena *arena, rf_db_attempt **out, int32_t *n,
                            rf_error *err) RF_MUST_CHECK;

/* Ids of up to limit jobs that ended before then, oldest first. */
rf_code rf_db_jobs_ended(rf_db_tx *tx, int64_t before_ms, int32_t limit, rf_arena *arena, int64_t **out,
                         int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Forgets a job that has ended, with its attempts and parts; its objects are doomed (db_ops.h). */
rf_code rf_db_job_delete(rf_db_tx *tx, int64_t id, int64_t now_ms, rf_error *err) RF_MUST_CHECK;

#endif
