/* run_noop.c - a job that only takes time, or fails as it is told: for tests and benchmarks. */
#include <signal.h>
#include <time.h>

#include "worker/worker_state.h"

enum { SLICE_MS = 20 };

/* One that is to fail of its time hangs: it does not look up. */
static bool hangs(const rfi_job *job)
{
    return job->plan.fails && job->plan.failure == RF_FAILURE_TIMEOUT;
}

static rf_code take_time(rfi_job *job, rf_error *err)
{
    const int64_t until_ms = rfi_now_ms() + job->plan.work_ms;
    rf_code rc = RF_OK;
    while (rc == RF_OK && rfi_now_ms() < until_ms) {
        const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
        const struct timespec rest = {.tv_nsec = (until_ms - rfi_now_ms()) * 1000000L};
        (void)nanosleep(until_ms - rfi_now_ms() < SLICE_MS ? &rest : &slice, NULL);
        rc = hangs(job) ? RF_OK : rfi_job_check(job, err);
    }
    return rc;
}

rf_code rfi_run_noop(rfi_job *job, rf_result_done *done, rf_error *err)
{
    static const rf_code codes[RF_FAILURE_COUNT] = {
        [RF_FAILURE_PERMANENT] = RF_INPUT,  [RF_FAILURE_INFRASTRUCTURE] = RF_UNAVAILABLE,
        [RF_FAILURE_MEMORY] = RF_NO_MEMORY, [RF_FAILURE_DEVICE] = RF_DEVICE,
        [RF_FAILURE_CRASH] = RF_INTERNAL,   [RF_FAILURE_TIMEOUT] = RF_INTERRUPTED};
    (void)done;
    const rf_code rc = take_time(job, err);
    if (rc != RF_OK || !job->plan.fails)
        return rc;
    if (job->plan.failure == RF_FAILURE_CRASH)
        (void)raise(SIGKILL);
    if (job->plan.failure == RF_FAILURE_TIMEOUT)
        job->stop = RFI_STOP_TIMEOUT;
    return rf_fail(err, codes[job->plan.failure], "this job fails because it was told to");
}
