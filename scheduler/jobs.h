/* jobs.h - asking for work, and asking about it. scheduler.h says how these functions behave.
 *
 *     rf_generation ask = {.user_id = me, .dataset_id = 7, .rows = 5000, .params = &params, .output_format = "csv"};
 *     RF_TRY(rf_job_submit_generation(s, &ask, &idempotency, &arena, &receipt, err));      // 202 with receipt.id
 *     RF_TRY(rf_job_look(s, me, receipt.id, &arena, &view, err));                          // reads
 *     RF_TRY(rf_job_cancel(s, me, receipt.id, "user", &state, err));
 *
 * A request is on disk when submit returns. It may be made while its dataset is still being profiled: it stays queued
 * until the profile is there, and fails with the dataset's error when there will be none. Parameters that nobody gave
 * are chosen by the dataset's size at that moment; a seed that nobody gave is drawn at submit.
 */
#ifndef RF_SCHEDULER_JOBS_H
#define RF_SCHEDULER_JOBS_H

#include "core/notes.h"
#include "domain/cost.h"
#include "domain/job.h"
#include "domain/params.h"
#include "domain/plan.h"
#include "scheduler/scheduler.h"

/* ------------------------------------------------------------------ submit */

typedef struct rf_generation {
    int64_t user_id, dataset_id;
    int64_t rows;
    const rf_params *params; /* as given: not finished (rf_params_set on rf_params_init)    */
    bool has_seed;
    int64_t seed;              /* 0..INT64_MAX                                                */
    const char *output_format; /* "csv", "tsv"; NULL: csv                                     */
    bool include_metadata;
    int32_t n_conditions;
    const rf_plan_condition *conditions;
    int32_t priority_plus_1; /* priority 0..9 plus 1; 0: the default                        */
} rf_generation;

/* NOT_FOUND: no such dataset. USAGE: it is invalid, or a parameter or condition cannot be; the sentence names the field.
 * RATE_LIMITED: too many that have not ended. CONFLICT: the key was used for something else. */
rf_code rf_job_submit_generation(rf_scheduler *s, const rf_generation *ask, const rf_idempotency *idempotency,
                                 rf_arena *arena, rf_receipt *out, rf_error *err) RF_MUST_CHECK;
typedef struct rf_generation_check {
    bool
        ready; /* false: there is no profile yet, only what was given was checked, and the rest is not known */
    int64_t n_rows;
    int32_t n_columns;
    rf_params params; /* finished, by the dataset's size */
    rf_cost cost;
} rf_generation_check;
/* Reads. As submit would, and changes nothing. `warnings` (may be NULL) takes what is allowed and hardly meant: a batch that is larger
 * than the table, a cost beyond the time that a job may take. */
rf_code rf_job_check_generation(rf_scheduler *s, const rf_generation *ask, rf_generation_check *out,
                                rf_notes *warnings, rf_error *err) RF_MUST_CHECK;

typedef struct rf_sampling {
    int64_t user_id, model_id;
    int64_t rows;
    bool has_seed;
    int64_t seed;
    const char *format; /* "csv", "ndjson"; NULL: csv */
    int32_t n_conditions;
    const rf_plan_condition *conditions;
} rf_sampling;
/* Fetched part by part (artifacts.h); a client that leaves cancels it ("abandoned"). NOT_FOUND: no such model. */
rf_code rf_job_submit_sampling(rf_scheduler *s, const rf_sampling *ask, const rf_idempotency *idempotency,
                               rf_arena *arena, rf_receipt *out, rf_error *err) RF_MUST_CHECK;

/* For tests and benchmarks: work that takes so long and ends so. */
typedef struct rf_noop {
    int64_t user_id;
    int64_t work_ms;
    bool fails;
    rf_failure failure;
    int32_t priority_plus_1;
    bool unlimited; /* counts toward no limit */
    double cost;    /* 0: 1 */
} rf_noop;
rf_code rf_job_submit_noop(rf_scheduler *s, const rf_noop *ask, const rf_idempotency *idempotency,
                           rf_arena *arena, rf_receipt *out, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ look */

typedef struct rf_job_view {
    rf_job job;             /* without spec, plan and checkpoint unless said otherwise                     */
    int64_t queue_position; /* queued: where it stands in its class, 1 first; 0: not known, not waiting    */
} rf_job_view;

/* Reads. user_id 0: an admin asks. */
rf_code rf_job_look(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_job_view *out,
                    rf_error *err) RF_MUST_CHECK;
/* Reads. The whole row, spec and plan too. */
rf_code rf_job_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out,
                   rf_error *err) RF_MUST_CHECK;

typedef struct rf_job_filter {
    int64_t user_id;   /* 0: of all (admins)                                          */
    int state;         /* an rf_job_state; -1: any                                    */
    int kind;          /* an rf_job_kind; -1: any                                     */
    int64_t before_id; /* 0: from the newest                                          */
    int32_t limit;     /* 1..200                                                      */
} rf_job_filter;
/* Reads. Newest first; ask with the last id for the next page. */
rf_code rf_job_list(rf_scheduler *s, const rf_job_filter *filter, rf_arena *arena, rf_job_view **out,
                    int32_t *n, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ watch */

/* One thing that happened to a job, newest last. `json`: {"state", "attempt", "progress": {…}|null}; the fields of
 * progress are those of rf_result_progress (domain/result.h). */
typedef struct rf_job_event {
    int64_t id;
    bool last;
    const char *json;
} rf_job_event;
/* Events after `after_id`, up to max, without waiting. *known false: there is no stream of it (any more): rf_job_look says
 * all that is left. NOT_FOUND for another's job. */
rf_code rf_job_events(rf_scheduler *s, int64_t user_id, int64_t id, int64_t after_id, int32_t max,
                      rf_arena *arena, rf_job_event **out, int32_t *n, bool *known,
                      rf_error *err) RF_MUST_CHECK;
/* `wake(arg, job_id)` is called from a thread of the queue's after each event: one listener, set before start; it must not
 * block and must not call this folder. */
rf_code rf_job_events_listen(rf_scheduler *s, void (*wake)(void *arg, int64_t job_id), void *arg,
                             rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ end */

/* One UPDATE decides: a waiting job is cancelled when this returns; a running one is told, lets go within a second or two
 * and is cancelled then, unless it completed first. *state: what it is now. A job that has ended stays as it is, and that
 * is OK too. `reason`: "user", "abandoned", "admin". user_id 0: an admin asks. */
rf_code rf_job_cancel(rf_scheduler *s, int64_t user_id, int64_t id, const char *reason, rf_job_state *state,
                      rf_error *err) RF_MUST_CHECK;

#endif
