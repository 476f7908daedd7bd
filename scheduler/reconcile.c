/* reconcile.c - the queue is made to agree with the database.
 *
 * Each queued row is offered, page by page; what the queue knows it ignores. The queue's epoch tells whether it has lost its
 * memory (this process began anew, or the queue was wiped): its leases are gone with it then, and the running rows are taken
 * back first. That is nobody's crash: the attempt is given back. */
#include <inttypes.h>
#include <string.h>

#include "scheduler/scheduler_state.h"

typedef struct taking_back {
    rf_scheduler *s;
    const rf_job *jobs;
    int32_t n;
    rfi_effects effects;
} taking_back;

static rf_code write_taken_back(rf_db_tx *tx, void *arg, rf_error *err)
{
    taking_back *const t = arg;
    rf_code rc = RF_OK;
    rfi_effects_reset(&t->effects);
    for (int32_t i = 0; i < t->n; i++)
        RF_TRY(rfi_attempt_released(t->s, tx, &t->jobs[i], "the server began anew", &t->effects, err));
    RF_TRY(rfi_effects_check(&t->effects, err));
out:
    return rc;
}

/* Goes through all rows of a state, a page at a time. */
static rf_code each_page(rf_scheduler *s, rf_job_state state,
                         rf_code (*page)(rf_scheduler *s, const rf_job *jobs, int32_t n, rf_error *err),
                         int32_t *all, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_job *jobs = NULL;
    int32_t n = 0;
    int64_t after_id = 0;
    rf_code rc = RF_OK;
    do {
        rf_arena_free(&arena);
        RFI_READ(s, tx, rf_db_jobs_page(tx, state, after_id, RFI_BATCH, &arena, &jobs, &n, err));
        if (!n)
            break;
        after_id = jobs[n - 1].id;
        RF_TRY(page(s, jobs, n, err));
        *all += n;
    } while (n == RFI_BATCH && !rfi_stopping(s));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code take_back(rf_scheduler *s, const rf_job *jobs, int32_t n, rf_error *err)
{
    taking_back t = {.s = s, .jobs = jobs, .n = n};
    rf_code rc = RF_OK;
    rfi_effects_init(&t.effects);
    RF_TRY(rf_db_write(s->db, write_taken_back, &t, err));
    rfi_effects_run(&t.effects, s);
out:
    rfi_effects_free(&t.effects);
    return rc;
}

/* ------------------------------------------------------------------ samples that nobody fetches */

static rf_code write_abandoned(rf_db_tx *tx, void *arg, rf_error *err)
{
    taking_back *const t = arg;
    rf_code rc = RF_OK;
    rfi_effects_reset(&t->effects);
    for (int32_t i = 0; i < t->n; i++) {
        rf_job job = t->jobs[i];
        if (job.kind != RF_JOB_SAMPLE)
            continue;
        job.cancel_reason = "abandoned";
        RF_TRY(rfi_job_ended_as_asked(t->s, tx, &job, &t->effects, err));
    }
    RF_TRY(rfi_effects_check(&t->effects, err));
out:
    return rc;
}

static rf_code abandon(rf_scheduler *s, const rf_job *jobs, int32_t n, rf_error *err)
{
    taking_back t = {.s = s, .jobs = jobs, .n = n};
    bool some = false;
    rf_code rc = RF_OK;
    rfi_effects_init(&t.effects);
    for (int32_t i = 0; i < n; i++)
        some |= jobs[i].kind == RF_JOB_SAMPLE;
    if (some)
        RF_TRY(rf_db_write(s->db, write_abandoned, &t, err));
    rfi_effects_run(&t.effects, s);
out:
    rfi_effects_free(&t.effects);
    return rc;
}

/* Who fetched them was connected to the process that died. */
static rf_code end_abandoned(rf_scheduler *s, rf_error *err)
{
    int32_t seen = 0;
    rf_code rc = RF_OK;
    RF_TRY(each_page(s, RF_JOB_QUEUED, abandon, &seen, err));
    RF_TRY(each_page(s, RF_JOB_RUNNING, abandon, &seen, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ reconcile and recover */

rf_code rf_scheduler_reconcile(rf_scheduler *s, int32_t *n, rf_error *err)
{
    uint64_t epoch = 0;
    int32_t all = 0;
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->reconciling);
    RF_TRY(rf_queue_epoch(s->queue, &epoch, err));
    if (epoch != s->epoch) {
        int32_t lost = 0;
        RF_TRY(each_page(s, RF_JOB_RUNNING, take_back, &lost, err));
        if (lost)
            rf_log(RF_LOG_INFO, "scheduler", "%" PRId32 " running jobs were taken back: the queue began anew",
                   lost);
    }
    RF_TRY(each_page(s, RF_JOB_QUEUED, rfi_offer_jobs, &all, err));
    s->epoch = epoch;
    atomic_store(&s->reconciled_ms, rfi_monotonic_ms());
out:
    pthread_mutex_unlock(&s->reconciling);
    if (n)
        *n = all;
    return rc;
}

rf_code rf_scheduler_recover(rf_scheduler *s, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    const char **paused = NULL;
    int32_t n = 0;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_pauses_list(tx, &arena, &paused, &n, err));
    for (int32_t i = 0; i < n; i++)
        RF_TRY(rf_queue_pause(s->queue, strcmp(paused[i], RFI_ALL_CLASSES) ? paused[i] : NULL, true, err));
    RF_TRY(end_abandoned(s, err));
    RF_TRY(rf_scheduler_reconcile(s, NULL, err));
out:
    rf_arena_free(&arena);
    return rc;
}
