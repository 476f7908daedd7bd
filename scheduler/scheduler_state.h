/* scheduler_state.h - what the files of this folder share.
 *
 * A change to the database and what follows from it outside (an offer to the queue, an update for those who watch) are kept
 * apart: inside the transaction the wish is written into rfi_effects, after the commit rfi_effects_run carries it out. What
 * must happen even if this process dies in between has a note in the database too (the outbox), so running the effects is
 * never more than a short cut.
 */
#ifndef RF_SCHEDULER_SCHEDULER_STATE_H
#define RF_SCHEDULER_SCHEDULER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/log.h"
#include "db/db.h"
#include "db/db_jobs.h"
#include "db/db_objects.h"
#include "db/db_ops.h"
#include "domain/dataset.h"
#include "domain/plan.h"
#include "domain/result.h"
#include "queue/queue.h"
#include "scheduler/datasets.h"
#include "scheduler/jobs.h"
#include "scheduler/scheduler.h"
#include "storage/storage.h"

enum {
    RFI_BATCH = 200,           /* rows or words to a transaction            */
    RFI_PROGRESS_SLOTS = 1024, /* jobs whose last snapshot is remembered    */
    RFI_DEEDS = 256,           /* that wait to be written                   */
    RFI_SNAPSHOT_MS = 2000,    /* progress goes into the database this rare */
};

#define RFI_PROFILE_CANCELLED "its profile was cancelled; upload it again"
#define RFI_ALL_CLASSES       "all" /* in the table of pauses and for admins */

typedef struct rfi_cleared {
    int64_t job_id, token;
} rfi_cleared;

typedef struct rfi_deed {
    int64_t at_ms, user_id, id;
    const char *action, *what; /* constants */
} rfi_deed;

struct rf_scheduler {
    rf_scheduler_options options; /* with the defaults filled in */
    rf_db *db;
    rf_queue *queue;
    rf_storage *storage;

    int64_t wall_at_open_ms;
    double clock_at_open_s;

    pthread_mutex_t applying; /* words are applied in the order of their arrival: one at a time */
    rf_event held[RFI_BATCH]; /* taken from the queue, not yet in the database                  */
    int32_t n_held;
    struct {
        int64_t job_id, at_ms;
    } snapshots[RFI_PROGRESS_SLOTS];

    pthread_mutex_t
        clearing; /* offers that were made: their notes go with the next write; taken last of all */
    rfi_cleared cleared[4 * RFI_BATCH];
    int32_t n_cleared;

    pthread_mutex_t noting;
    rfi_deed deeds[RFI_DEEDS];
    int32_t n_deeds;

    pthread_mutex_t reconciling;
    uint64_t epoch; /* the queue's, when it was last filled; 0: never */

    pthread_mutex_t cleaning;
    char swept_to[RF_KEY_BYTES_MAX + 1]; /* how far the sweep of orphans has come  */
    _Atomic bool doomed;                 /* objects were forgotten just now        */

    pthread_mutex_t waking; /* of the threads */
    pthread_cond_t woken;
    bool stopping, started;
    pthread_t applier, keeper;

    pthread_mutex_t counting; /* of rows, for the metrics: taken by nobody who holds another */
    int64_t unended[RF_JOB_KIND_COUNT][RF_JOB_STATE_COUNT], outbox;
    int64_t counted_ms, counting_took_ms; /* monotonic; 0: never */

    _Atomic uint64_t draws; /* of random numbers */
    _Atomic int64_t ended[RF_JOB_KIND_COUNT][RF_JOB_STATE_COUNT];
    _Atomic int64_t crashes, retries, fenced;
    _Atomic int64_t reaped_ms, reconciled_ms; /* of the monotonic clock */
};

/* ------------------------------------------------------------------ the machine, its clock and chance (scheduler.c) */

/* Its threads (keepers.c) have ended. NULL is fine. */
void rfi_scheduler_free(rf_scheduler *s);

/* Monotonic, for intervals. */
int64_t rfi_monotonic_ms(void);
/* 64 random bits; the same sequence for the same options.random_seed. */
uint64_t rfi_random(rf_scheduler *s);
bool rfi_stopping(rf_scheduler *s);

/* ------------------------------------------------------------------ effects (effects.c) */

/* An update for those who watch a job. */
typedef struct rfi_update {
    int64_t job_id;
    bool last;
    const char *json;
} rfi_update;

/* The end of a job, or of an attempt whose job goes again (state QUEUED). */
typedef struct rfi_ending {
    int64_t job_id, user_id;
    rf_job_kind kind;
    rf_job_state state;
    const char *error_class, *message;
} rfi_ending;

typedef struct rfi_effects {
    rf_arena arena; /* texts of the offers and updates */
    rf_offer *offers;
    rf_lease_id *settled, *withdrawn;
    rf_lease_id *credited; /* worker_id holds the number of parts */
    rfi_update *updates;
    int32_t n_offers, n_settled, n_withdrawn, n_credited, n_updates;
    int32_t room_offers, room_settled, room_withdrawn, room_credited, room_updates;
    rfi_ending *ends;
    int32_t n_ends, room_ends;
    int64_t crashes, retries, fenced;
} rfi_effects;

void rfi_effects_init(rfi_effects *effects);
/* Empty again: a write function may be run more than once, and begins with this. */
void rfi_effects_reset(rfi_effects *effects);
void rfi_effects_free(rfi_effects *effects);

/* Each copies what it needs. Failures stick in the arena: rfi_effects_check at the end of the write function. */
void rfi_effects_offer(rfi_effects *effects, rf_scheduler *s, const rf_job *job);
void rfi_effects_settle(rfi_effects *effects, int64_t job_id, int64_t token);
void rfi_effects_withdraw(rfi_effects *effects, int64_t job_id, int64_t token);
void rfi_effects_credit(rfi_effects *effects, int64_t job_id, int64_t token, int64_t parts);
/* {"state", "attempt", "progress"} for those who watch; bare jobs (noop) are not watched. `progress` is JSON or "". */
void rfi_effects_update(rfi_effects *effects, const rf_job *job, rf_job_state state, const char *progress);
/* The job has ended: settled, the last update, counted, logged. The reason: a class and a sentence, or "" and "". */
void rfi_effects_end(rfi_effects *effects, const rf_job *job, rf_job_state state, const char *error_class,
                     const char *message);
/* An attempt ended for that reason and the job goes again: the update, counted, logged. */
void rfi_effects_again(rfi_effects *effects, const rf_job *job, const char *error_class, const char *message);
rf_code rfi_effects_check(const rfi_effects *effects, rf_error *err) RF_MUST_CHECK;
/* After the commit. What fails is made good by the relay and the reconciler; it is logged. */
void rfi_effects_run(rfi_effects *effects, rf_scheduler *s);

/* ------------------------------------------------------------------ dispatch (dispatch.c) */

/* Offers rows as they are, and has their notes cleared. */
rf_code rfi_offer_jobs(rf_scheduler *s, const rf_job *jobs, int32_t n, rf_error *err) RF_MUST_CHECK;
/* The offer of a row: its texts are the row's, or in the arena when the plan has to take in a checkpoint. */
rf_offer rfi_offer_of(rf_scheduler *s, const rf_job *job, rf_arena *arena);
/* Full jitter: between 0 and base * 2^n, at most the cap. */
int64_t rfi_retry_delay_ms(rf_scheduler *s, int32_t n);
/* Notes of offers that were made go with this transaction. */
rf_code rfi_outbox_flush(rf_scheduler *s, rf_db_tx *tx, rf_error *err) RF_MUST_CHECK;
void rfi_outbox_made(rf_scheduler *s, int64_t job_id, int64_t token);

/* ------------------------------------------------------------------ plans (plans.c) */

/* What was asked for, as the row keeps it. */
rf_code rfi_spec_write(const rf_generation *ask, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_spec_write_sampling(const rf_sampling *ask, rf_buf *out, rf_error *err) RF_MUST_CHECK;
/* Parameters as they will be for a table of so many rows. USAGE names what cannot be. */
rf_code rfi_params_finish(const rf_scheduler *s, rf_params *params, int64_t n_rows,
                          rf_error *err) RF_MUST_CHECK;
/* Conditions (profile_checks.c) and chosen kinds name columns of the profile, and ask for nothing that it knows not to be there.
 * USAGE; the error's context is the field of the request: "conditions.region", "columns.zip". */
rf_code rfi_rows_check(int64_t n_rows, rf_error *err) RF_MUST_CHECK; /* as many as can be learned from */
rf_code rfi_kinds_check(const rf_column_kind *kinds, int32_t n, const char *profile,
                        rf_error *err) RF_MUST_CHECK;
rf_code rfi_conditions_check(const rf_plan_condition *conditions, int32_t n, const char *profile,
                             rf_error *err) RF_MUST_CHECK;
/* Sets job->plan, job->need and job->cost; texts in the arena. USAGE when the table does not allow what was asked. */
rf_code rfi_plan_generate(const rf_scheduler *s, rf_job *job, const rf_dataset *dataset, rf_arena *arena,
                          rf_error *err) RF_MUST_CHECK;
rf_code rfi_plan_profile(rf_job *job, const rf_dataset *dataset, rf_arena *arena,
                         rf_error *err) RF_MUST_CHECK;
rf_code rfi_plan_sampling(rf_job *job, const rf_model_card *model, rf_arena *arena,
                          rf_error *err) RF_MUST_CHECK;
rf_code rfi_plan_noop(rf_job *job, const rf_noop *ask, rf_arena *arena, rf_error *err) RF_MUST_CHECK;
/* The plan with the newest checkpoint in it. */
rf_code rfi_plan_resumed(const rf_job *job, rf_arena *arena, const char **out, rf_error *err) RF_MUST_CHECK;
/* {"column": "kind"} as an array in the arena. */
rf_code rfi_kinds_read(const char *json, rf_arena *arena, rf_plan_kind **out, int32_t *n,
                       rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ submit (submit.c) */

/* A row with the defaults of all kinds: state, priority, times, token 1, need and cost. */
rf_job rfi_job_new(rf_scheduler *s, rf_job_kind kind, int64_t user_id, int32_t priority_plus_1);
/* Takes the key, or finds what was made under it: then *receipt is filled and `repeated`. */
rf_code rfi_idempotency_begin(rf_scheduler *s, rf_db_tx *tx, int64_t user_id,
                              const rf_idempotency *idempotency, rf_arena *arena, rf_receipt *receipt,
                              rf_error *err) RF_MUST_CHECK;
rf_code rfi_idempotency_made(rf_db_tx *tx, int64_t user_id, const rf_idempotency *idempotency,
                             int64_t object_id, rf_error *err) RF_MUST_CHECK;
/* Inserts the row with its outbox note and wishes the offer, when it is queued and not blocked. */
rf_code rfi_job_put(rf_scheduler *s, rf_db_tx *tx, rf_job *job, rfi_effects *effects,
                    rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ how attempts end (outcome.c, results.c) */

/* The end of an attempt without a result, in all its ways. `job` is the row as it was. */
rf_code rfi_attempt_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rf_failure failure,
                           const char *message, const char *detail, rfi_effects *effects,
                           rf_error *err) RF_MUST_CHECK;
/* Given back without fault: at once, and the attempt does not count. A job that was to be ended ends. */
rf_code rfi_attempt_released(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *reason,
                             rfi_effects *effects, rf_error *err) RF_MUST_CHECK;
/* Failed for good, with all that follows from it. */
rf_code rfi_job_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rf_failure failure,
                       const char *message, const char *detail, rfi_effects *effects,
                       rf_error *err) RF_MUST_CHECK;
/* Cancelled, or failed for its time: whatever its end was asked for. */
rf_code rfi_job_ended_as_asked(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, rfi_effects *effects,
                               rf_error *err) RF_MUST_CHECK;
rf_code rfi_outcome_done(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *body,
                         rfi_effects *effects, rf_error *err) RF_MUST_CHECK;
/* There will be no profile: the dataset is invalid, and what waits for it fails with it. */
rf_code rfi_profile_failed(rf_scheduler *s, rf_db_tx *tx, const rf_job *job, const char *message,
                           rfi_effects *effects, int64_t now_ms, rf_error *err) RF_MUST_CHECK;
/* Into the history of attempts, if this one began. */
rf_code rfi_attempt_log(rf_db_tx *tx, const rf_job *job, const char *outcome, const char *error_class,
                        const char *message, int64_t now_ms, rf_error *err) RF_MUST_CHECK;
/* What only an unended job needs goes: its checkpoint and, when asked, parts of a sample that will never be whole. */
rf_code rfi_leavings_doom(rf_db_tx *tx, const rf_job *job, bool parts, int64_t now_ms,
                          rf_error *err) RF_MUST_CHECK;
/* Queued jobs that waited for this dataset go on, or fail with it. */
rf_code rfi_dataset_settled(rf_scheduler *s, rf_db_tx *tx, int64_t dataset_id, rfi_effects *effects,
                            rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ cleaning (janitor.c) */

/* Objects were forgotten: they go within a second rather than at the next cleaning. */
void rfi_doomed_now(rf_scheduler *s);
/* Deletes them, if somebody said so. */
rf_code rfi_clean_doomed(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ the log of deeds (deeds.c) */

/* "dataset 7 was uploaded": in the transaction that did it. id 0: `what` alone is the subject. */
rf_code rfi_deed_note(rf_db_tx *tx, int64_t at_ms, int64_t user_id, const char *action, const char *what,
                      int64_t id, const char *detail, rf_error *err) RF_MUST_CHECK;
/* The same within a second, without waiting; the texts are constants. */
void rfi_deed_later(rf_scheduler *s, int64_t user_id, const char *action, const char *what, int64_t id);
rf_code rfi_deeds_flush(rf_scheduler *s, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ small helps */

/* A failure of storage as a person may see it: storage's own sentences name keys, which are nobody's business. `what` is a
 * sentence without its end, "the file could not be stored"; what storage said goes into the detail. Other failures and RF_OK pass. */
rf_code rfi_storage_said(rf_code rc, const char *what, rf_error *err);

/* Opens a reader, runs the question, gives the reader back: RFI_READ(s, tx, rf_db_…(tx, …)). */
#define RFI_READ(s, tx, question)                                                                            \
    do {                                                                                                     \
        if ((rc = rf_db_read_begin((s)->db, &(tx), err)) == RF_OK) {                                         \
            rc = (question);                                                                                 \
            rf_db_read_end(tx);                                                                              \
        }                                                                                                    \
        if (rc != RF_OK)                                                                                     \
            goto out;                                                                                        \
    } while (0)

#endif
