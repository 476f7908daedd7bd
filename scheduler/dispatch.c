/* dispatch.c - jobs on their way to the queue.
 *
 * A queued row is offered when it is written, when its retry is due, when the relay finds its note, and by the
 * reconciler. The queue ignores what it knows; a higher token wins. So an offer too many does nothing and an offer too few
 * is made good within a second (relay) or half a minute (reconciler). */
#include <string.h>

#include "scheduler/scheduler_state.h"

int64_t rfi_retry_delay_ms(rf_scheduler *s, int32_t n)
{
    int64_t most = s->options.retry_base_ms;
    for (int32_t i = 0; i < n && most < s->options.retry_cap_ms; i++)
        most *= 2;
    if (most > s->options.retry_cap_ms)
        most = s->options.retry_cap_ms;
    return (int64_t)(rfi_random(s) % (uint64_t)(most + 1));
}

/* ------------------------------------------------------------------ offers */

rf_offer rfi_offer_of(rf_scheduler *s, const rf_job *job, rf_arena *arena)
{
    const int64_t wait_ms = job->run_at_ms - rf_scheduler_now_ms(s);
    const char *plan = job->plan;
    if (*job->checkpoint) {
        rf_error err = {0};
        const char *resumed = NULL;
        if (rfi_plan_resumed(job, arena, &resumed, &err) == RF_OK)
            plan = resumed;
        else
            rf_log_failure(RF_LOG_ERROR, "scheduler", &err); /* it begins anew: slower, and the same bytes */
    }
    return (rf_offer){
        .job_id = job->id,
        .token = job->token,
        .user_id = job->user_id,
        .kind = job->kind,
        .priority = job->priority,
        .created_ms = job->created_ms,
        /* A clock that was set back must not put a retry off for ever. */
        .delay_ms = wait_ms < 0                         ? 0
                    : wait_ms > s->options.retry_cap_ms ? s->options.retry_cap_ms
                                                        : wait_ms,
        .user_limit = job->unlimited ? 0 : s->options.user_running_limit,
        .unlimited = job->unlimited,
        .cost = job->cost,
        .need = job->need,
        .plan = plan,
    };
}

rf_code rfi_offer_jobs(rf_scheduler *s, const rf_job *jobs, int32_t n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_code rc = RF_OK;
    rf_offer *const offers = RF_ARENA_ARRAY(&arena, rf_offer, n);
    RF_TRY(rf_arena_check(&arena, "offers", err));
    for (int32_t i = 0; i < n; i++)
        offers[i] = rfi_offer_of(s, &jobs[i], &arena);
    RF_TRY(rf_arena_check(&arena, "offers", err));
    RF_TRY(rf_queue_offer(s->queue, offers, n, err));
    for (int32_t i = 0; i < n; i++)
        rfi_outbox_made(s, jobs[i].id, jobs[i].token);
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ the outbox */

void rfi_outbox_made(rf_scheduler *s, int64_t job_id, int64_t token)
{
    pthread_mutex_lock(&s->clearing);
    /* Full: the note stays, the relay offers once more and the queue ignores it. */
    if (s->n_cleared < (int32_t)(sizeof s->cleared / sizeof *s->cleared))
        s->cleared[s->n_cleared++] = (rfi_cleared){.job_id = job_id, .token = token};
    pthread_mutex_unlock(&s->clearing);
}

rf_code rfi_outbox_flush(rf_scheduler *s, rf_db_tx *tx, rf_error *err)
{
    rfi_cleared made[RFI_BATCH];
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->clearing);
    const int32_t n = s->n_cleared < RFI_BATCH ? s->n_cleared : RFI_BATCH;
    memcpy(made, s->cleared, (size_t)n * sizeof *made);
    s->n_cleared -= n;
    memmove(s->cleared, s->cleared + n, (size_t)s->n_cleared * sizeof *s->cleared);
    pthread_mutex_unlock(&s->clearing);
    /* Undone with its transaction, a note is offered once more: no harm. */
    for (int32_t i = 0; i < n; i++)
        RF_TRY(rf_db_outbox_clear(tx, made[i].job_id, made[i].token, err));
out:
    return rc;
}

static rf_code flush_only(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rfi_outbox_flush(arg, tx, err);
}

static rf_code sweep_notes(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_outbox_sweep(tx, arg, err);
}

/* Notes of jobs that are not queued any more: they were offered by a process that died before it could say so. */
static rf_code sweep_if_any(rf_scheduler *s, rf_error *err)
{
    rf_db_tx *tx = NULL;
    int64_t n = 0;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_outbox_count(tx, &n, err));
    if (n)
        RF_TRY(rf_db_write(s->db, sweep_notes, &n, err));
out:
    return rc;
}

static bool has_cleared(rf_scheduler *s)
{
    pthread_mutex_lock(&s->clearing);
    const bool some = s->n_cleared > 0;
    pthread_mutex_unlock(&s->clearing);
    return some;
}

rf_code rf_scheduler_relay(rf_scheduler *s, int32_t *n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_job *jobs = NULL;
    int32_t found = 0, all = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_deeds_flush(s, err));
    do {
        while (has_cleared(s))
            RF_TRY(rf_db_write(s->db, flush_only, s, err));
        rf_arena_free(&arena);
        RFI_READ(s, tx,
                 rf_db_outbox_list(tx, rf_scheduler_now_ms(s) - s->options.relay_ms, RFI_BATCH, &arena, &jobs,
                                   &found, err));
        if (found)
            RF_TRY(rfi_offer_jobs(s, jobs, found, err));
        all += found;
    } while (found == RFI_BATCH && !rfi_stopping(s));
    while (has_cleared(s))
        RF_TRY(rf_db_write(s->db, flush_only, s, err));
    RF_TRY(sweep_if_any(s, err));
out:
    rf_arena_free(&arena);
    if (n)
        *n = all;
    return rc;
}
