/* reaper.c - what ended without a word: leases whose worker died or fell silent, and jobs that outstay their time.
 *
 * Words are drained first: a worker that said `done` and died has done its job. Only the database decides; the queue's list
 * of expired leases is a hint, and a hint that is out of date changes nothing. */
#include "scheduler/scheduler_state.h"

typedef struct reaping {
    rf_scheduler *s;
    const rf_lease_id *leases;
    int32_t n;
    rfi_effects effects;
} reaping;

static rf_code reap_one(rf_scheduler *s, rf_db_tx *tx, const rf_lease_id *lease, rfi_effects *effects,
                        rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_find(tx, 0, lease->job_id, &arena, &job, &found, err));
    if (!found || job.token != lease->token || (job.state != RF_JOB_QUEUED && job.state != RF_JOB_RUNNING)) {
        rfi_effects_settle(effects, lease->job_id, lease->token);
        goto out;
    }
    RF_TRY(rfi_attempt_failed(s, tx, &job, RF_FAILURE_CRASH,
                              lease->lost ? "the worker that had it ended"
                                          : "the worker that had it fell silent",
                              "", effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code write_reaped(rf_db_tx *tx, void *arg, rf_error *err)
{
    reaping *const r = arg;
    rf_code rc = RF_OK;
    rfi_effects_reset(&r->effects);
    for (int32_t i = 0; i < r->n; i++)
        RF_TRY(reap_one(r->s, tx, &r->leases[i], &r->effects, err));
    RF_TRY(rfi_effects_check(&r->effects, err));
out:
    return rc;
}

static rf_code reap_expired(rf_scheduler *s, int32_t *n, rf_error *err)
{
    rf_lease_id leases[RFI_BATCH];
    reaping r = {.s = s, .leases = leases};
    rf_code rc = RF_OK;
    rfi_effects_init(&r.effects);
    RF_TRY(rf_queue_expired(s->queue, leases, RFI_BATCH, &r.n, err));
    *n = r.n;
    if (!r.n)
        goto out;
    RF_TRY(rf_db_write(s->db, write_reaped, &r, err));
    rfi_effects_run(&r.effects, s);
out:
    rfi_effects_free(&r.effects);
    return rc;
}

rf_code rf_scheduler_reap(rf_scheduler *s, int32_t *n, rf_error *err)
{
    int32_t words = 0, found = 0, all = 0;
    rf_code rc = RF_OK;
    do
        RF_TRY(rf_scheduler_apply(s, 0, &words, err));
    while (words > 0);
    do {
        RF_TRY(reap_expired(s, &found, err));
        all += found;
    } while (found == RFI_BATCH);
    atomic_store(&s->reaped_ms, rfi_monotonic_ms());
out:
    if (n)
        *n = all;
    return rc;
}

/* ------------------------------------------------------------------ too long */

typedef struct overdue_write {
    rf_scheduler *s;
    const rf_job *job;
    rfi_effects effects;
    bool fenced;
} overdue_write;

static rf_code write_overdue(rf_db_tx *tx, void *arg, rf_error *err)
{
    overdue_write *const w = arg;
    const rf_job *const job = w->job;
    bool changed = false, found = false;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job whole;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    w->fenced = false;
    if (!job->cancel_ms) { /* the way of a cancel: it is told, and lets go */
        RF_TRY(rf_db_job_mark_cancel(tx, job->id, job->token, "timeout", rf_scheduler_now_ms(w->s), &changed,
                                     err));
        if (changed)
            rfi_effects_withdraw(&w->effects, job->id, job->token);
    } else { /* it was told long ago, and is not waited for any longer */
        RF_TRY(rf_db_job_find(tx, 0, job->id, &arena, &whole, &found, err));
        if (found && whole.token == job->token && whole.state == RF_JOB_RUNNING) {
            RF_TRY(rfi_job_ended_as_asked(w->s, tx, &whole, &w->effects, err));
            w->fenced = true;
        }
    }
    RF_TRY(rfi_effects_check(&w->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code end_overdue(rf_scheduler *s, const rf_job *job, rf_error *err)
{
    overdue_write w = {.s = s, .job = job};
    rf_code rc = RF_OK;
    rfi_effects_init(&w.effects);
    RF_TRY(rf_db_write(s->db, write_overdue, &w, err));
    rfi_effects_run(&w.effects, s);
    if (w.fenced) { /* whatever it hangs in, a new process does not */
        rf_error ignored = {0};
        rf_log(RF_LOG_WARNING, "scheduler", "worker %lld did not let go of job %lld and is asked to end",
               (long long)job->worker_id, (long long)job->id);
        if (rf_queue_worker_wish(s->queue, job->worker_id, RF_WORKER_END, &ignored) != RF_OK)
            rf_log(RF_LOG_INFO, "scheduler", "worker %lld is gone already", (long long)job->worker_id);
    }
out:
    rfi_effects_free(&w.effects);
    return rc;
}

rf_code rf_scheduler_overdue(rf_scheduler *s, int32_t *n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_job *jobs = NULL;
    int32_t found = 0;
    rf_code rc = RF_OK;
    const int64_t now_ms = rf_scheduler_now_ms(s);
    RFI_READ(s, tx,
             rf_db_jobs_overdue(tx, now_ms, now_ms - s->options.cancel_grace_ms, RFI_BATCH, &arena, &jobs,
                                &found, err));
    for (int32_t i = 0; i < found; i++)
        RF_TRY(end_overdue(s, &jobs[i], err));
out:
    rf_arena_free(&arena);
    if (n)
        *n = found;
    return rc;
}
