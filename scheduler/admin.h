/* admin.h - for those who run the service: approval, queues, dead letters, workers, numbers. scheduler.h says how these
 * functions behave. Who may call them is decided above; each deed is written into the log of deeds with `admin_id`.
 */
#ifndef RF_SCHEDULER_ADMIN_H
#define RF_SCHEDULER_ADMIN_H

#include "domain/job.h"
#include "queue/queue.h"
#include "scheduler/scheduler.h"

/* ------------------------------------------------------------------ requests */

/* pending_approval → queued, or rejected with a reason that its owner sees. CONFLICT in any other state. */
rf_code rf_admin_approve(rf_scheduler *s, int64_t admin_id, int64_t job_id, rf_error *err) RF_MUST_CHECK;
rf_code rf_admin_reject(rf_scheduler *s, int64_t admin_id, int64_t job_id, const char *reason,
                        rf_error *err) RF_MUST_CHECK;

/* Dead letters are failed jobs. Reads; newest first. */
rf_code rf_admin_dead_list(rf_scheduler *s, int64_t before_id, int32_t limit, rf_arena *arena, rf_job **out,
                           int32_t *n, rf_error *err) RF_MUST_CHECK;
/* failed → queued with a new budget of attempts. CONFLICT when it is not failed, or what it needs is gone. */
rf_code rf_admin_dead_retry(rf_scheduler *s, int64_t admin_id, int64_t job_id, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ queues */

typedef struct rf_queue_view {
    rf_queue_depth depth;
    int64_t completed, failed; /* since this process began */
} rf_queue_view;
rf_code rf_admin_queues(rf_scheduler *s, rf_arena *arena, rf_queue_view **out, int32_t *n,
                        rf_error *err) RF_MUST_CHECK;
/* A class ("cpu", …) or "all". It stays so through restarts. NOT_FOUND for a class that nothing knows. */
rf_code rf_admin_queue_pause(rf_scheduler *s, int64_t admin_id, const char *need, bool paused,
                             rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ workers */

rf_code rf_admin_workers(rf_scheduler *s, rf_arena *arena, rf_worker_info **out, int32_t *n,
                         rf_error *err) RF_MUST_CHECK;
/* RF_WORKER_DRAIN: finish the job in hand and take no more; RF_WORKER_RUN: take jobs again. NOT_FOUND: no such worker. */
rf_code rf_admin_worker_wish(rf_scheduler *s, int64_t admin_id, int64_t worker_id, rf_worker_wish wish,
                             rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ the log of deeds */

typedef struct rf_deed {
    int64_t user_id;                  /* who; 0: nobody known                 */
    const char *action, *subject;     /* "job_approved", "job 7"              */
    const char *address, *request_id; /* may be NULL                          */
    const char *detail;               /* may be NULL                          */
} rf_deed;
rf_code rf_admin_note(rf_scheduler *s, const rf_deed *deed, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ numbers */

typedef struct rf_metrics {
    int32_t n_queues; /* by class */
    rf_queue_depth *queues;
    int32_t n_workers;
    rf_worker_info *workers;
    /* Not ended: how many there are, or were when they were counted last (some seconds ago when there are many);
     * ended: since this process began. */
    int64_t jobs[RF_JOB_KIND_COUNT][RF_JOB_STATE_COUNT];
    int64_t crashes, retries, fenced; /* attempts, since this process began                            */
    int64_t outbox;                   /* offers that were not made yet, counted with the jobs          */
    double since_reap_s,
        since_reconcile_s; /* a number that keeps growing is a stuck thread                 */
    int64_t db_commits, db_writes, db_reads, db_failures;
} rf_metrics;
rf_code rf_admin_metrics(rf_scheduler *s, rf_arena *arena, rf_metrics *out, rf_error *err) RF_MUST_CHECK;

/* What /ready tells: each dependency with a word when it does not answer. */
typedef struct rf_readiness {
    bool database, queue, storage, threads; /* threads: reaped within the last minute */
    char why[256];                          /* the first that is not, as a sentence   */
} rf_readiness;
void rf_admin_ready(rf_scheduler *s, rf_readiness *out);

#endif
