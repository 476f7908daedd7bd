/* words.c - what a running job says, and whether it should stop. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/log.h"
#include "core/text.h"
#include "worker/worker_state.h"

enum { PROGRESS_MS = 500 };

/* ------------------------------------------------------------------ stopping */

static atomic_bool quiet;

void rf_worker_quiet(void)
{
    atomic_store(&quiet, true);
}

bool rfi_is_quiet(void)
{
    return atomic_load(&quiet);
}

static rfi_stop drained(rf_worker *w, int64_t now_ms)
{
    if (atomic_load(&w->wish) == RF_WORKER_END)
        return RFI_STOP_DRAINED;
    if (!rfi_is_quiet())
        return RFI_STOP_NO;
    if (!w->quiet_since_ms)
        w->quiet_since_ms = now_ms;
    const double waited_s = (double)(now_ms - w->quiet_since_ms) / 1000;
    return waited_s >= w->options.drain_s ? RFI_STOP_DRAINED : RFI_STOP_NO;
}

bool rfi_job_should_stop(rfi_job *job)
{
    const int64_t now = rfi_now_ms();
    if (job->stop)
        return true;
    job->stop = (rfi_stop)atomic_load(&job->held->stop);
    if (!job->stop && now >= atomic_load(&job->held->fence_ms))
        job->stop = RFI_STOP_FENCED;
    if (!job->stop && job->deadline_ms && now >= job->deadline_ms)
        job->stop = RFI_STOP_TIMEOUT;
    if (!job->stop)
        job->stop = drained(job->worker, now);
    return job->stop != RFI_STOP_NO;
}

rf_code rfi_job_check(rfi_job *job, rf_error *err)
{
    return rfi_job_should_stop(job) ? rf_fail(err, RF_INTERRUPTED, "the job was stopped") : RF_OK;
}

/* ------------------------------------------------------------------ saying */

static rf_code say(rfi_job *job, rf_event_kind kind, char *body, rf_error *err)
{
    rf_worker *w = job->worker;
    pthread_mutex_lock(&w->lock);
    const int64_t id = w->id;
    pthread_mutex_unlock(&w->lock);
    const rf_event event = {
        .kind = kind, .job_id = job->lease.job_id, .token = job->lease.token, .worker_id = id, .body = body};
    return rf_queue_send(w->options.queue, &event, err);
}

/* A watcher may miss one: it costs nothing but a moment of the bar. */
void rfi_job_progress(rfi_job *job, const rf_result_progress *progress)
{
    const int64_t now = rfi_now_ms();
    rf_error err = {0};
    rf_buf body;
    if (job->phase && !strcmp(job->phase, progress->phase) && now - job->progress_ms < PROGRESS_MS)
        return;
    rf_result_progress rising = *progress;
    rising.percent = fmin(fmax(progress->percent, job->percent), 100);
    rf_buf_init(&body);
    if (rf_result_write_progress(&rising, &body, &err) == RF_OK)
        (void)!say(job, RF_EVENT_PROGRESS, body.data, &err);
    rf_buf_free(&body);
    job->phase = progress->phase;
    job->percent = rising.percent;
    job->progress_ms = now;
}

void rfi_job_phase(rfi_job *job, const char *phase, double percent)
{
    rfi_job_progress(job, &(rf_result_progress){.phase = phase,
                                                .percent = percent,
                                                .eta_s = (double)NAN,
                                                .generator_loss = (double)NAN,
                                                .discriminator_loss = (double)NAN});
}

rf_code rfi_job_started(rfi_job *job, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf body;
    rf_buf_init(&body);
    const rf_device *device = job->worker->device;
    const rf_result_started started = {.device = device ? device->summary : "none"};
    RF_TRY(rf_result_write_started(&started, &body, err));
    RF_TRY(say(job, RF_EVENT_STARTED, body.data, err));
out:
    rf_buf_free(&body);
    return rc;
}

rf_code rfi_job_checkpoint(rfi_job *job, const rf_result_checkpoint *checkpoint, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf body;
    rf_buf_init(&body);
    RF_TRY(rf_result_write_checkpoint(checkpoint, &body, err));
    RF_TRY(say(job, RF_EVENT_CHECKPOINT, body.data, err));
out:
    rf_buf_free(&body);
    return rc;
}

rf_code rfi_job_part(rfi_job *job, const rf_result_part *part, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf body;
    rf_buf_init(&body);
    RF_TRY(rf_result_write_part(part, &body, err));
    RF_TRY(say(job, RF_EVENT_PART, body.data, err));
out:
    rf_buf_free(&body);
    return rc;
}

/* ------------------------------------------------------------------ the end */

/* The buffer's memory becomes the pulse's, which frees it with rf_free. */
static void end(rfi_job *job, rf_event_kind kind, rf_buf *body)
{
    rfi_held_end(job->worker, job->held, kind, body->data);
    job->held = NULL;
    rf_buf_init(body);
}

static void end_silently(rfi_job *job)
{
    rfi_held_end(job->worker, job->held, RF_EVENT_RELEASED, NULL);
    job->held = NULL;
}

static rf_failure class_of(const rfi_job *job, const rf_error *cause)
{
    if (job->stop == RFI_STOP_TIMEOUT)
        return RF_FAILURE_TIMEOUT;
    switch (cause->code) {
    case RF_NO_MEMORY:
        return RF_FAILURE_MEMORY;
    case RF_DEVICE:
        return RF_FAILURE_DEVICE;
    case RF_IO:
    case RF_UNAVAILABLE:
    case RF_TOO_LARGE:
    case RF_FORBIDDEN:
        return RF_FAILURE_INFRASTRUCTURE;
    default:
        return RF_FAILURE_PERMANENT;
    }
}

/* A sentence may quote a file's bytes, whatever they are. */
static void make_utf8(char *text)
{
    for (int64_t at; (at = rf_utf8_find_invalid(text, strlen(text))) >= 0;)
        text[at] = '?';
}

/* Our paths and stores are nobody's business: the log has the detail. */
static const char storage_failed[] =
    "the service's storage or disk could not be used; the job is tried again later";

static void say_failed(rfi_job *job, const rf_error *cause)
{
    rf_error err = {0};
    rf_buf body;
    char detail[sizeof cause->message + sizeof cause->detail + 32], timeout[96],
        message[sizeof cause->message];
    rf_buf_init(&body);
    const rf_failure class = class_of(job, cause);
    snprintf(detail, sizeof detail, "%s: %s; %s", rf_code_name(cause->code), cause->message, cause->detail);
    snprintf(message, sizeof message, "%s", cause->message);
    make_utf8(message);
    make_utf8(detail);
    snprintf(timeout, sizeof timeout, "the job took longer than the %lld seconds that it may",
             (long long)job->plan.timeout_s);
    const rf_result_failure failure = {.failure = class,
                                       .message = class == RF_FAILURE_TIMEOUT          ? timeout
                                                  : class == RF_FAILURE_INFRASTRUCTURE ? storage_failed
                                                                                       : message,
                                       .detail = detail};
    rf_log_write(
        &(rf_log_event){.level = RF_LOG_WARNING,
                        .module = "worker",
                        .user_id = job->lease.user_id,
                        .message = "a job failed",
                        .metadata = (rf_log_pair[]){RF_LOG_NUMBER("job", job->lease.job_id),
                                                    RF_LOG_TEXT("class", rf_failure_name(failure.failure)),
                                                    RF_LOG_TEXT("detail", detail)},
                        .n_metadata = 3});
    if (rf_result_write_failure(&failure, &body, &err) == RF_OK) {
        end(job, RF_EVENT_FAILED, &body);
    } else { /* no memory: without words, the lease ends by itself */
        rf_buf_free(&body);
        end_silently(job);
    }
}

static void say_released(rfi_job *job, bool cancelled)
{
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    const rf_result_released released = {.cancelled = cancelled,
                                         .reason = cancelled ? "cancelled" : "drained"};
    if (rf_result_write_released(&released, &body, &err) == RF_OK) {
        end(job, RF_EVENT_RELEASED, &body);
    } else {
        rf_buf_free(&body);
        end_silently(job);
    }
}

void rfi_job_done(rfi_job *job, const rf_result_done *done)
{
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    if (rf_result_write_done(done, &body, &err) == RF_OK) {
        end(job, RF_EVENT_DONE, &body);
    } else {
        rf_buf_free(&body);
        say_failed(job, &err);
    }
}

void rfi_job_end_badly(rfi_job *job, const rf_error *cause)
{
    const bool stopped = cause->code == RF_INTERRUPTED;
    if (stopped) /* the engine may have seen the wish before the job did */
        (void)rfi_job_should_stop(job);
    if (job->stop == RFI_STOP_GONE || job->stop == RFI_STOP_FENCED || (stopped && !job->stop))
        end_silently(job);
    else if (stopped && job->stop == RFI_STOP_CANCELLED)
        say_released(job, true);
    else if (stopped && job->stop == RFI_STOP_DRAINED)
        say_released(job, false);
    else
        say_failed(job, cause);
}
