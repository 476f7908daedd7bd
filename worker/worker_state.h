/* worker_state.h - what a worker consists of, and what a running job may ask of it. Private to worker/.
 *
 *      main thread                                   pulse thread
 *      lease ─► run ─► end ─► lease …                beat ─► sleep in beat_wait ─► beat …
 *                │       │                             │
 *                │       └── held, ended: said again ◄─┤
 *                └────────── held, running: stop? ◄────┘
 *
 * `held` is what both share: every job whose lease this worker has, the running one and those that ended and were not yet
 * answered with `gone`. Under rf_worker.lock, but for the atomics, which the running job reads between steps.
 */
#ifndef RF_WORKER_WORKER_STATE_H
#define RF_WORKER_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/notes.h"
#include "domain/plan.h"
#include "domain/result.h"
#include "engine/pipeline.h"
#include "kernels/backend.h"
#include "worker/worker.h"

enum { RFI_HELD_MAX = 512 };

/* Why a running job should stop. */
typedef enum rfi_stop {
    RFI_STOP_NO,
    RFI_STOP_CANCELLED, /* asked for: say `released`                       */
    RFI_STOP_DRAINED,   /* the worker ends: checkpoint, then `released`    */
    RFI_STOP_TIMEOUT,   /* say `failed`                                    */
    RFI_STOP_GONE,      /* another's, or the queue is gone: say nothing    */
    RFI_STOP_FENCED     /* may be another's by now: say nothing            */
} rfi_stop;

typedef struct rfi_held {
    int64_t job_id, token;
    atomic_int stop;          /* rfi_stop, told by the pulse                         */
    _Atomic int64_t fence_ms; /* monotonic: from here on the lease may be another's  */
    int64_t credit;           /* parts of a sample that were fetched                 */
    int64_t told_ms;          /* when it was told to stop; 0: it was not             */
    bool ended, gone;
    rf_event_kind end_kind;
    char *end_body;  /* owned */
    int64_t said_ms; /* when the end was last said; 0: it could not be said  */
} rfi_held;

typedef struct rf_worker {
    rf_worker_options options;
    rf_device *device;
    char *folder;  /* this worker's own below options.scratch */
    int folder_fd; /* locked while the worker lives           */
    pthread_t pulse;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* held, credit, wish or id has changed */
    int64_t id;
    int64_t lease_ms; /* of the queue, known from the first lease */
    atomic_int wish;  /* rf_worker_wish */
    bool closed, stopping;
    rfi_held *held[RFI_HELD_MAX];
    int32_t n_held;
    int64_t quiet_since_ms; /* 0: not quiet; of the main thread */
} rf_worker;

/* One leased job while it runs. */
typedef struct rfi_job {
    rf_worker *worker;
    rfi_held *held;
    rf_lease lease;
    rf_plan plan;
    rf_notes notes;
    char *folder;        /* scratch, made at the first use */
    int64_t deadline_ms; /* 0: none */
    rfi_stop stop;       /* why it was stopped, once it was */
    int64_t progress_ms; /* when the last was sent */
    const char *phase;
    double percent;
} rfi_job;

int64_t rfi_now_ms(void); /* monotonic */
bool rfi_is_quiet(void);

/* ------------------------------------------------------------------ pulse.c */

rf_code rfi_pulse_register(rf_worker *w, rf_error *err) RF_MUST_CHECK;
rf_code rfi_pulse_start(rf_worker *w, rf_error *err) RF_MUST_CHECK;
void rfi_pulse_stop(rf_worker *w);
/* Waits until fewer than `most` jobs are held or timeout_ms has passed; false: the latter. */
bool rfi_pulse_wait_held(rf_worker *w, int32_t most, int64_t timeout_ms);
rf_code rfi_held_add(rf_worker *w, const rf_lease *lease, rfi_held **out, rf_error *err) RF_MUST_CHECK;
/* Says the job's end, again and again until it is answered; takes `body` (may be NULL: nothing is said, it is dropped). */
void rfi_held_end(rf_worker *w, rfi_held *held, rf_event_kind kind, char *body);
/* Waits a while for more credit than `known`; what there is now. */
int64_t rfi_held_wait_credit(rf_worker *w, rfi_held *held, int64_t known, int64_t timeout_ms);

/* ------------------------------------------------------------------ words.c: what a job says */

/* Whether to stop, and why (job->stop keeps it). Cheap: ask between steps. */
bool rfi_job_should_stop(rfi_job *job);
/* INTERRUPTED when it should. */
rf_code rfi_job_check(rfi_job *job, rf_error *err) RF_MUST_CHECK;
void rfi_job_progress(rfi_job *job, const rf_result_progress *progress);
/* A phase without epochs: "read", "judge", … */
void rfi_job_phase(rfi_job *job, const char *phase, double percent);
rf_code rfi_job_started(rfi_job *job, rf_error *err) RF_MUST_CHECK;
rf_code rfi_job_checkpoint(rfi_job *job, const rf_result_checkpoint *checkpoint, rf_error *err) RF_MUST_CHECK;
rf_code rfi_job_part(rfi_job *job, const rf_result_part *part, rf_error *err) RF_MUST_CHECK;
void rfi_job_done(rfi_job *job, const rf_result_done *done);
/* The end that belongs to a failed run: failed, released or nothing. */
void rfi_job_end_badly(rfi_job *job, const rf_error *cause);

/* ------------------------------------------------------------------ carry.c: files between scratch and storage */

/* job->folder/name, in the caller's buffer. */
enum { RFI_PATH_MAX = 4096 };
rf_code rfi_scratch_path(rfi_job *job, const char *name, char out[RFI_PATH_MAX], rf_error *err) RF_MUST_CHECK;
/* The stored object as a scratch file; its bytes hash to sha256. */
rf_code rfi_fetch(rfi_job *job, const char *key, const char *sha256, const char *path,
                  rf_error *err) RF_MUST_CHECK;
/* Stores a scratch file as jobs/<job>/<token>/<name>; *out describes it, its texts live in the plan's arena. */
rf_code rfi_keep(rfi_job *job, const char *path, const char *name, rf_stored *out,
                 rf_error *err) RF_MUST_CHECK;
rf_code rfi_keep_bytes(rfi_job *job, const char *key, const void *data, size_t size_bytes, bool transient,
                       rf_stored *out, rf_error *err) RF_MUST_CHECK;
/* The uploaded table, typed as the plan says; checked and read. */
rf_code rfi_read_dataset(rfi_job *job, rf_table **out, rf_error *err) RF_MUST_CHECK;

/* The plan's conditions as the engine takes them, "column=value"; in the plan's arena. */
rf_code rfi_conditions(rfi_job *job, const char *const **out, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ scratch.c */

rf_code rfi_scratch_open(rf_worker *w, rf_error *err) RF_MUST_CHECK;
void rfi_scratch_close(rf_worker *w);
void rfi_remove_tree(const char *path);

/* ------------------------------------------------------------------ the kinds of job */

rf_code rfi_run_noop(rfi_job *job, rf_result_done *done, rf_error *err) RF_MUST_CHECK;
rf_code rfi_run_profile(rfi_job *job, rf_result_done *done, rf_error *err) RF_MUST_CHECK;
rf_code rfi_run_generate(rfi_job *job, rf_result_done *done, rf_error *err) RF_MUST_CHECK;
rf_code rfi_run_sample(rfi_job *job, rf_result_done *done, rf_error *err) RF_MUST_CHECK;
/* run_judge.c: reads the written rows, judges them, writes both reports. */
rf_code rfi_judge(rfi_job *job, const rf_table *real, const char *rows_path, const rf_fitted_info *info,
                  double sample_s, rf_result_done *done, rf_error *err) RF_MUST_CHECK;
/* run_metadata.c: stores what is needed to make the rows again. */
rf_code rfi_keep_metadata(rfi_job *job, int64_t n_real, rf_result_done *done, rf_error *err) RF_MUST_CHECK;

#endif
