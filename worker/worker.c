#include "worker/worker.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/log.h"
#include "worker/worker_state.h"

enum { LEASE_WAIT_MS = 250, FAREWELL_MS = 10000, RETRY_MS = 200, HELD_PATIENCE_MS = 200 };

static const double beat_s = 10, checkpoint_s = 10, let_go_s = 1;

/* ------------------------------------------------------------------ one job */

static rf_code run_kind(rfi_job *job, rf_result_done *done, rf_error *err)
{
    switch (job->plan.kind) {
    case RF_JOB_NOOP:
        return rfi_run_noop(job, done, err);
    case RF_JOB_PROFILE:
        return rfi_run_profile(job, done, err);
    case RF_JOB_GENERATE:
        return rfi_run_generate(job, done, err);
    case RF_JOB_SAMPLE:
        return rfi_run_sample(job, done, err);
    case RF_JOB_KIND_COUNT:
        break;
    }
    return rf_fail(err, RF_INTERNAL, "there is no such kind of job");
}

/* A device that failed is opened anew for the next job; when that fails too the worker ends, and whoever started it sees
 * that. */
static rf_code open_device(rf_worker *w, rf_error *err)
{
    rf_device_close(w->device);
    w->device = NULL;
    return rf_device_open(&w->device, w->options.device ? w->options.device : "auto", w->options.threads,
                          err);
}

/* The plan is checked before the job is said to have begun. */
static rf_code run_plan(rfi_job *job, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_plan_read(&job->plan, job->lease.plan, err));
    if (job->plan.kind != job->lease.kind)
        RF_TRY(rf_fail(err, RF_INTERNAL, "the plan is of another kind than its job"));
    if (job->plan.timeout_s > 0)
        job->deadline_ms = rfi_now_ms() + job->plan.timeout_s * 1000;
    done->kind = job->plan.kind;
    RF_TRY(rfi_job_started(job, err));
    RF_TRY(run_kind(job, done, err));
out:
    return rc;
}

static void job_close(rfi_job *job)
{
    if (job->folder)
        rfi_remove_tree(job->folder);
    rf_free(job->folder);
    rf_notes_free(&job->notes);
    rf_plan_free(&job->plan);
    rf_lease_free(&job->lease);
}

static rf_code run_job(rf_worker *w, rf_lease *lease, rf_error *err)
{
    rfi_job job = {.worker = w, .lease = *lease};
    rf_error cause = {0};
    rf_result_done done;
    memset(&done, 0, sizeof done);
    rf_notes_init(&job.notes);
    rf_code rc = rfi_held_add(w, lease, &job.held, err);
    if (rc != RF_OK) {
        job_close(&job);
        return rc;
    }
    const rf_code ran = run_plan(&job, &done, &cause);
    if (ran == RF_OK)
        rfi_job_done(&job, &done);
    else
        rfi_job_end_badly(&job, &cause);
    if (ran == RF_DEVICE)
        rc = open_device(w, err);
    job_close(&job);
    return rc;
}

/* ------------------------------------------------------------------ the loop */

static bool is_closed(rf_worker *w, int64_t *id)
{
    pthread_mutex_lock(&w->lock);
    const bool closed = w->closed;
    *id = w->id;
    pthread_mutex_unlock(&w->lock);
    return closed;
}

static void pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static rf_code work(rf_worker *w, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t id;
    while (rc == RF_OK && !is_closed(w, &id) && !rfi_is_quiet() && atomic_load(&w->wish) != RF_WORKER_END) {
        rf_lease lease = {0};
        rf_error lost = {0};
        if (!rfi_pulse_wait_held(w, RFI_HELD_MAX, HELD_PATIENCE_MS))
            continue;
        const rf_code got = rf_queue_lease(w->options.queue, id, LEASE_WAIT_MS, &lease, &lost);
        if (got == RF_INTERRUPTED)
            break;
        if (got != RF_OK) /* forgotten: the pulse registers anew; or no memory just now */
            pause_ms(RETRY_MS);
        else if (lease.job_id)
            rc = run_job(w, &lease, err);
    }
    return rc;
}

/* ------------------------------------------------------------------ life */

static void init_waiting(rf_worker *w)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void worker_free(rf_worker *w)
{
    rfi_scratch_close(w);
    rf_device_close(w->device);
    for (int32_t i = 0; i < w->n_held; i++) {
        rf_free(w->held[i]->end_body);
        rf_free(w->held[i]);
    }
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
    rf_free(w);
}

/* Signals are the main thread's: a pulse that is interrupted would beat late. */
static rf_code start_pulse(rf_worker *w, rf_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const rf_code rc = rfi_pulse_start(w, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static rf_code begin_and_work(rf_worker *w, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_scratch_open(w, err));
    if (w->options.storage)
        RF_TRY(open_device(w, err));
    RF_TRY(rfi_pulse_register(w, err));
    RF_TRY(start_pulse(w, err));
    rc = work(w, err);
    if (!rfi_pulse_wait_held(w, 1, FAREWELL_MS))
        rf_log(RF_LOG_WARNING, "worker",
               "the scheduler did not answer for every job before the worker's end");
    rfi_pulse_stop(w);
out:
    return rc == RF_INTERRUPTED ? RF_OK : rc;
}

rf_code rf_worker_run(const rf_worker_options *options, rf_error *err)
{
    rf_worker *w = NULL;
    rf_code rc = RF_NEW_ARRAY(&w, 1, "the worker", err);
    if (rc != RF_OK)
        return rc;
    w->options = *options;
    w->options.beat_s = options->beat_s > 0 ? options->beat_s : beat_s;
    w->options.checkpoint_s = options->checkpoint_s > 0 ? options->checkpoint_s : checkpoint_s;
    w->options.let_go_s = options->let_go_s > 0 ? options->let_go_s : let_go_s;
    w->folder_fd = -1;
    atomic_init(&w->wish, RF_WORKER_RUN);
    init_waiting(w);
    rc = begin_and_work(w, err);
    worker_free(w);
    return rc;
}
