/* admin.c - approval, queues, dead letters, workers, numbers: what the people who run the service ask for. */
#include "scheduler/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ requests */

typedef struct verdict {
    rf_scheduler *s;
    int64_t admin_id, job_id;
    const char *reason;
    bool approved;
    rfi_effects effects;
} verdict;

static rf_code find_job(rf_db_tx *tx, int64_t id, rf_arena *arena, rf_job *out, rf_error *err)
{
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_find(tx, 0, id, arena, out, &found, err));
    if (!found)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no request %" PRId64, id);
out:
    return rc;
}

/* Queued now: offered when its input is there, planned when it was not yet. */
static rf_code queue_job(rf_scheduler *s, rf_db_tx *tx, rf_job *job, rf_arena *arena, rfi_effects *effects,
                         rf_error *err)
{
    rf_dataset dataset;
    bool found = false, changed = false;
    rf_code rc = RF_OK;
    job->state = RF_JOB_QUEUED;
    if (job->blocked) {
        RF_TRY(rf_db_dataset_find(tx, 0, job->dataset_id, arena, &dataset, &found, err));
        if (found && dataset.status == RF_DATASET_PROFILING)
            goto out; /* it waits for its profile, as any other */
        RF_TRY(rfi_dataset_settled(s, tx, job->dataset_id, effects, err));
        goto out;
    }
    (void)changed;
    RF_TRY(rf_db_outbox_put(tx, job->id, job->token, rf_scheduler_now_ms(s), err));
    rfi_effects_offer(effects, s, job);
out:
    return rc;
}

static rf_code write_verdict(rf_db_tx *tx, void *arg, rf_error *err)
{
    verdict *const v = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool changed = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&v->effects);
    RF_TRY(find_job(tx, v->job_id, &arena, &job, err));
    if (job.kind != RF_JOB_GENERATE) /* profiles and samples are nobody's requests */
        RF_TRY(rf_fail(err, RF_NOT_FOUND, "there is no request %" PRId64, v->job_id));
    RF_TRY(
        rf_db_job_approve(tx, v->job_id, v->approved, v->reason, rf_scheduler_now_ms(v->s), &changed, err));
    if (!changed) {
        rc = rf_fail(err, RF_CONFLICT, "request %" PRId64 " is %s, and does not wait for approval", v->job_id,
                     rf_job_state_name(job.state));
        goto out;
    }
    if (v->approved) {
        rfi_effects_update(&v->effects, &job, RF_JOB_QUEUED, "");
        RF_TRY(queue_job(v->s, tx, &job, &arena, &v->effects, err));
    } else {
        rfi_effects_end(&v->effects, &job, RF_JOB_REJECTED, "", "");
    }
    RF_TRY(rfi_deed_note(tx, rf_scheduler_now_ms(v->s), v->admin_id,
                         v->approved ? "job_approved" : "job_rejected", "job", v->job_id, v->reason, err));
    RF_TRY(rfi_effects_check(&v->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code judge(rf_scheduler *s, int64_t admin_id, int64_t job_id, bool approved, const char *reason,
                     rf_error *err)
{
    verdict v = {
        .s = s, .admin_id = admin_id, .job_id = job_id, .approved = approved, .reason = reason ? reason : ""};
    rf_code rc = RF_OK;
    rfi_effects_init(&v.effects);
    RF_TRY(rf_db_write(s->db, write_verdict, &v, err));
    rfi_effects_run(&v.effects, s);
out:
    rfi_effects_free(&v.effects);
    return rc;
}

rf_code rf_admin_approve(rf_scheduler *s, int64_t admin_id, int64_t job_id, rf_error *err)
{
    return judge(s, admin_id, job_id, true, "", err);
}

rf_code rf_admin_reject(rf_scheduler *s, int64_t admin_id, int64_t job_id, const char *reason, rf_error *err)
{
    return judge(s, admin_id, job_id, false, reason, err);
}

rf_code rf_admin_dead_list(rf_scheduler *s, int64_t before_id, int32_t limit, rf_arena *arena, rf_job **out,
                           int32_t *n, rf_error *err)
{
    const rf_db_job_filter filter = {
        .state = RF_JOB_FAILED, .kind = -1, .before_id = before_id, .limit = limit};
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_jobs_list(tx, &filter, arena, out, n, err));
out:
    return rc;
}

/* What a job that comes back still has: its table as it was, or its model. */
static rf_code check_input(rf_db_tx *tx, const rf_job *job, rf_arena *arena, rf_error *err)
{
    rf_dataset dataset;
    rf_model_card model;
    bool found = true;
    rf_code rc = RF_OK;
    if (job->dataset_id)
        RF_TRY(rf_db_dataset_find(tx, 0, job->dataset_id, arena, &dataset, &found, err));
    else if (job->model_id)
        RF_TRY(rf_db_model_find(tx, 0, job->model_id, arena, &model, &found, err));
    if (!found || (job->kind != RF_JOB_NOOP && !*job->plan))
        rc = rf_fail(err, RF_CONFLICT, "job %" PRId64 " cannot be tried again: what it works on is gone",
                     job->id);
    else if (job->kind == RF_JOB_PROFILE)
        rc = rf_fail(err, RF_CONFLICT, "job %" PRId64 " is a profile: upload the table again", job->id);
out:
    return rc;
}

static rf_code write_revival(rf_db_tx *tx, void *arg, rf_error *err)
{
    verdict *const v = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool changed = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&v->effects);
    RF_TRY(find_job(tx, v->job_id, &arena, &job, err));
    if (job.state != RF_JOB_FAILED) {
        rc = rf_fail(err, RF_CONFLICT, "job %" PRId64 " is %s, and not dead", job.id,
                     rf_job_state_name(job.state));
        goto out;
    }
    RF_TRY(check_input(tx, &job, &arena, err));
    RF_TRY(rf_db_job_revive(tx, job.id, rf_scheduler_now_ms(v->s), &changed, err));
    RF_TRY(find_job(tx, v->job_id, &arena, &job, err));
    RF_TRY(queue_job(v->s, tx, &job, &arena, &v->effects, err));
    RF_TRY(rfi_deed_note(tx, rf_scheduler_now_ms(v->s), v->admin_id, "job_retried", "job", job.id, "", err));
    RF_TRY(rfi_effects_check(&v->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_admin_dead_retry(rf_scheduler *s, int64_t admin_id, int64_t job_id, rf_error *err)
{
    verdict v = {.s = s, .admin_id = admin_id, .job_id = job_id};
    rf_code rc = RF_OK;
    rfi_effects_init(&v.effects);
    RF_TRY(rf_db_write(s->db, write_revival, &v, err));
    rfi_effects_run(&v.effects, s);
out:
    rfi_effects_free(&v.effects);
    return rc;
}

/* ------------------------------------------------------------------ queues */

static rf_code take_depths(rf_scheduler *s, rf_arena *arena, rf_queue_depth **out, int32_t *n, rf_error *err)
{
    rf_queue_depth *depths = NULL;
    rf_code rc = RF_OK;
    RF_TRY(rf_queue_depths(s->queue, &depths, n, err));
    *out = RF_ARENA_ARRAY(arena, rf_queue_depth, *n ? *n : 1);
    RF_TRY(rf_arena_check(arena, "the depths of the queues", err));
    if (*n)
        memcpy(*out, depths, (size_t)*n * sizeof **out);
out:
    rf_free(depths);
    return rc;
}

static int64_t ended_as(rf_scheduler *s, rf_job_state state)
{
    int64_t sum = 0;
    for (int kind = 0; kind < RF_JOB_KIND_COUNT; kind++)
        sum += atomic_load_explicit(&s->ended[kind][state], memory_order_relaxed);
    return sum;
}

rf_code rf_admin_queues(rf_scheduler *s, rf_arena *arena, rf_queue_view **out, int32_t *n, rf_error *err)
{
    rf_queue_depth *depths = NULL;
    rf_code rc = RF_OK;
    *out = NULL;
    *n = 0;
    RF_TRY(take_depths(s, arena, &depths, n, err));
    rf_queue_view *const views = RF_ARENA_ARRAY(arena, rf_queue_view, *n ? *n : 1);
    RF_TRY(rf_arena_check(arena, "the depths of the queues", err));
    for (int32_t i = 0; i < *n; i++) /* every class there is today is the processor's */
        views[i] = (rf_queue_view){.depth = depths[i],
                                   .completed = ended_as(s, RF_JOB_COMPLETED),
                                   .failed = ended_as(s, RF_JOB_FAILED)};
    *out = views;
out:
    return rc;
}

typedef struct pause_write {
    rf_scheduler *s;
    int64_t admin_id;
    const char *need;
    bool paused;
} pause_write;

static rf_code write_pause(rf_db_tx *tx, void *arg, rf_error *err)
{
    const pause_write *const w = arg;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_pause_set(tx, w->need, w->paused, w->admin_id, rf_scheduler_now_ms(w->s), err));
    RF_TRY(rfi_deed_note(tx, rf_scheduler_now_ms(w->s), w->admin_id,
                         w->paused ? "queue_paused" : "queue_resumed", "queue", 0, w->need, err));
out:
    return rc;
}

static rf_code check_class(rf_scheduler *s, const char *need, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_queue_depth *depths = NULL;
    int32_t n = 0;
    bool known = !strcmp(need, RFI_ALL_CLASSES) || !strcmp(need, "cpu");
    rf_code rc = RF_OK;
    RF_TRY(take_depths(s, &arena, &depths, &n, err));
    for (int32_t i = 0; i < n; i++)
        known |= !strcmp(depths[i].need, need);
    if (!known)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no queue \"%.40s\"", need);
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_admin_queue_pause(rf_scheduler *s, int64_t admin_id, const char *need, bool paused, rf_error *err)
{
    pause_write w = {.s = s, .admin_id = admin_id, .need = need, .paused = paused};
    rf_code rc = RF_OK;
    RF_TRY(check_class(s, need, err));
    RF_TRY(rf_db_write(s->db, write_pause, &w, err));
    RF_TRY(rf_queue_pause(s->queue, strcmp(need, RFI_ALL_CLASSES) ? need : NULL, paused, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ workers */

rf_code rf_admin_workers(rf_scheduler *s, rf_arena *arena, rf_worker_info **out, int32_t *n, rf_error *err)
{
    rf_worker_info *workers = NULL;
    rf_code rc = RF_OK;
    *n = 0;
    RF_TRY(rf_queue_workers(s->queue, &workers, n, err));
    *out = RF_ARENA_ARRAY(arena, rf_worker_info, *n ? *n : 1);
    RF_TRY(rf_arena_check(arena, "the workers", err));
    if (*n)
        memcpy(*out, workers, (size_t)*n * sizeof **out);
out:
    rf_free(workers);
    return rc;
}

typedef struct wish_write {
    rf_scheduler *s;
    int64_t admin_id, worker_id;
    rf_worker_wish wish;
} wish_write;

static rf_code write_wish(rf_db_tx *tx, void *arg, rf_error *err)
{
    static const char *const actions[] = {[RF_WORKER_RUN] = "worker_resumed",
                                          [RF_WORKER_DRAIN] = "worker_drained",
                                          [RF_WORKER_END] = "worker_ended"};
    const wish_write *const w = arg;
    return rfi_deed_note(tx, rf_scheduler_now_ms(w->s), w->admin_id, actions[w->wish], "worker", w->worker_id,
                         "", err);
}

rf_code rf_admin_worker_wish(rf_scheduler *s, int64_t admin_id, int64_t worker_id, rf_worker_wish wish,
                             rf_error *err)
{
    wish_write w = {.s = s, .admin_id = admin_id, .worker_id = worker_id, .wish = wish};
    rf_code rc = RF_OK;
    rc = rf_queue_worker_wish(s->queue, worker_id, wish, err);
    if (rc == RF_NOT_FOUND) /* the queue's own words are for the worker */
        rc = rf_fail(err, rc, "there is no worker %lld", (long long)worker_id);
    RF_TRY(rc);
    RF_TRY(rf_db_write(s->db, write_wish, &w, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ numbers */

/* Counting looks at every row that has not ended: a fifth of a second for 100,000. A count is good for twenty times as long
 * as it took, so that asking costs no more than a twentieth of one processor however often it is done, and a short queue is
 * counted anew each time. */
enum { COUNT_KEEPS = 20 };

static rf_code read_counts(rf_db_tx *tx, rf_scheduler *s, rf_arena *arena, rf_error *err)
{
    rf_db_job_count *counts = NULL;
    int32_t n = 0;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_jobs_count(tx, arena, &counts, &n, err));
    RF_TRY(rf_db_outbox_count(tx, &s->outbox, err));
    memset(s->unended, 0, sizeof s->unended);
    for (int32_t i = 0; i < n; i++)
        s->unended[counts[i].kind][counts[i].state] = counts[i].n;
out:
    return rc;
}

static rf_code count_jobs(rf_scheduler *s, rf_arena *arena, rf_metrics *out, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->counting);
    const int64_t begun_ms = rfi_monotonic_ms();
    if (!s->counted_ms || begun_ms - s->counted_ms >= COUNT_KEEPS * s->counting_took_ms) {
        RFI_READ(s, tx, read_counts(tx, s, arena, err));
        s->counted_ms = rfi_monotonic_ms();
        s->counting_took_ms = s->counted_ms - begun_ms;
    }
    memcpy(out->jobs, s->unended, sizeof out->jobs);
    out->outbox = s->outbox;
out:
    pthread_mutex_unlock(&s->counting);
    return rc;
}

rf_code rf_admin_metrics(rf_scheduler *s, rf_arena *arena, rf_metrics *out, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_metrics){0};
    RF_TRY(take_depths(s, arena, &out->queues, &out->n_queues, err));
    RF_TRY(rf_admin_workers(s, arena, &out->workers, &out->n_workers, err));
    RF_TRY(count_jobs(s, arena, out, err));
    for (int kind = 0; kind < RF_JOB_KIND_COUNT; kind++)
        for (int state = 0; state < RF_JOB_STATE_COUNT; state++)
            if (rf_job_state_is_final((rf_job_state)state))
                out->jobs[kind][state] = atomic_load_explicit(&s->ended[kind][state], memory_order_relaxed);
    out->crashes = atomic_load_explicit(&s->crashes, memory_order_relaxed);
    out->retries = atomic_load_explicit(&s->retries, memory_order_relaxed);
    out->fenced = atomic_load_explicit(&s->fenced, memory_order_relaxed);
    out->since_reap_s = (double)(rfi_monotonic_ms() - atomic_load(&s->reaped_ms)) / 1e3;
    out->since_reconcile_s = (double)(rfi_monotonic_ms() - atomic_load(&s->reconciled_ms)) / 1e3;
    const rf_db_counts counts = rf_db_counts_get(s->db);
    out->db_commits = counts.commits;
    out->db_writes = counts.writes;
    out->db_reads = counts.reads;
    out->db_failures = counts.failures;
out:
    return rc;
}

/* The first that does not answer gives the sentence. */
static bool answers(rf_code rc, const rf_error *why, rf_readiness *out)
{
    if (rc != RF_OK && !*out->why)
        snprintf(out->why, sizeof out->why, "%s", why->message);
    return rc == RF_OK;
}

void rf_admin_ready(rf_scheduler *s, rf_readiness *out)
{
    rf_error err = {0};
    uint64_t epoch = 0;
    *out = (rf_readiness){0};
    out->database = answers(rf_db_ping(s->db, &err), &err, out);
    out->queue = answers(rf_queue_epoch(s->queue, &epoch, &err), &err, out);
    out->storage = !s->storage || answers(rf_storage_check(s->storage, &err), &err, out);
    out->threads = rfi_monotonic_ms() - atomic_load(&s->reaped_ms) < 60000 + 2 * s->options.reap_ms;
    if (!out->threads && !*out->why)
        snprintf(out->why, sizeof out->why, "no lost jobs were looked for in the last minute");
}
