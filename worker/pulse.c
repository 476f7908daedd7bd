/* pulse.c - the signs of life, from a thread that does nothing else.
 *
 * Each beat names every job that is held. Its answer says of each: go on, stop, or gone; of the worker, what it is asked
 * to be. The time from which a lease must be feared lost is counted from the moment before the beat was sent.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/worker_state.h"

enum { SLICE_MS = 200, FENCE_MARGIN_MS = 10000, RETRY_MS = 200 };

int64_t rfi_now_ms(void)
{
    return (int64_t)(rf_clock_s() * 1000);
}

/* Ten seconds before the lease ends, or a third of a short one. */
static int64_t fence_after(int64_t from_ms, int64_t lease_ms)
{
    const int64_t third = lease_ms / 3;
    return from_ms + lease_ms - (third < FENCE_MARGIN_MS ? third : FENCE_MARGIN_MS);
}

static int64_t resident_bytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ------------------------------------------------------------------ registering */

static int64_t machine_memory_bytes(void)
{
    return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

rf_code rfi_pulse_register(rf_worker *w, rf_error *err)
{
    rf_worker_info self = {.pid = getpid(), .memory_bytes = machine_memory_bytes()};
    int64_t id = 0;
    self.rss_bytes = resident_bytes();
    if (gethostname(self.host, sizeof self.host - 1) != 0)
        snprintf(self.host, sizeof self.host, "unknown");
    snprintf(self.version, sizeof self.version, "%s", RF_VERSION);
    snprintf(self.device, sizeof self.device, "%.95s", w->device ? w->device->summary : "none");
    snprintf(self.need, sizeof self.need, "%s", w->options.need ? w->options.need : "cpu");
    const rf_code rc = rf_queue_register(w->options.queue, &self, &id, err);
    if (rc != RF_OK)
        return rc;
    pthread_mutex_lock(&w->lock);
    w->id = id;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    return RF_OK;
}

/* ------------------------------------------------------------------ held jobs; all under the lock */

static void held_free(rfi_held *held)
{
    rf_free(held->end_body);
    rf_free(held);
}

static void tell_to_stop(rfi_held *held, rfi_stop why)
{
    int none = RFI_STOP_NO;
    if (!held->told_ms)
        held->told_ms = rfi_now_ms();
    if (why == RFI_STOP_GONE)
        atomic_store(&held->stop, why);
    else
        (void)atomic_compare_exchange_strong(&held->stop, &none, why);
}

static void held_gone(rf_worker *w, int32_t i)
{
    rfi_held *held = w->held[i];
    if (held->ended) {
        w->held[i] = w->held[--w->n_held];
        held_free(held);
    } else {
        tell_to_stop(held, RFI_STOP_GONE);
        held->gone = true;
    }
}

/* The queue has forgotten this worker, or is itself gone: nothing that is held is ours any more. */
static void drop_all(rf_worker *w)
{
    for (int32_t i = w->n_held; i-- > 0;)
        held_gone(w, i);
}

rf_code rfi_held_add(rf_worker *w, const rf_lease *lease, rfi_held **out, rf_error *err)
{
    rfi_held *held = NULL;
    const rf_code rc = RF_NEW_ARRAY(&held, 1, "a leased job", err);
    if (rc != RF_OK)
        return rc;
    held->job_id = lease->job_id;
    held->token = lease->token;
    atomic_init(&held->stop, RFI_STOP_NO);
    atomic_init(&held->fence_ms, fence_after(rfi_now_ms(), lease->lease_ms));
    pthread_mutex_lock(&w->lock);
    w->lease_ms = lease->lease_ms;
    w->held[w->n_held++] = held; /* the main loop leases only while there is room */
    pthread_mutex_unlock(&w->lock);
    *out = held;
    return RF_OK;
}

static rf_code say(rf_worker *w, int64_t worker_id, const rfi_held *held, char *body, rf_error *err)
{
    const rf_event event = {.kind = held->end_kind,
                            .job_id = held->job_id,
                            .token = held->token,
                            .worker_id = worker_id,
                            .body = body};
    return rf_queue_send(w->options.queue, &event, err);
}

void rfi_held_end(rf_worker *w, rfi_held *held, rf_event_kind kind, char *body)
{
    rf_error err = {0};
    held->end_kind = kind; /* before `ended` nobody else looks at these */
    pthread_mutex_lock(&w->lock);
    const int64_t id = w->id;
    const bool silent = held->gone || !body;
    pthread_mutex_unlock(&w->lock);
    const bool said = !silent && say(w, id, held, body, &err) == RF_OK;
    if (!silent && !said)
        rf_log(RF_LOG_WARNING, "worker", "the end of job %lld will be said again: %s",
               (long long)held->job_id, err.message);
    pthread_mutex_lock(&w->lock);
    held->said_ms = said ? rfi_now_ms() : 0;
    held->end_body = body;
    held->ended = true;
    for (int32_t i = 0; (silent || held->gone) && i < w->n_held; i++)
        if (w->held[i] == held) {
            held_gone(w, i);
            break;
        }
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

static struct timespec time_after(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

int64_t rfi_held_wait_credit(rf_worker *w, rfi_held *held, int64_t known, int64_t timeout_ms)
{
    const struct timespec until = time_after(timeout_ms);
    pthread_mutex_lock(&w->lock);
    while (held->credit <= known && atomic_load(&held->stop) == RFI_STOP_NO)
        if (pthread_cond_timedwait(&w->moved, &w->lock, &until) != 0)
            break;
    const int64_t credit = held->credit;
    pthread_mutex_unlock(&w->lock);
    return credit;
}

bool rfi_pulse_wait_held(rf_worker *w, int32_t most, int64_t timeout_ms)
{
    const struct timespec until = time_after(timeout_ms);
    pthread_mutex_lock(&w->lock);
    while (w->n_held >= most && !w->closed)
        if (pthread_cond_timedwait(&w->moved, &w->lock, &until) != 0)
            break;
    const bool few = w->n_held < most;
    pthread_mutex_unlock(&w->lock);
    return few;
}

/* ------------------------------------------------------------------ one beat */

typedef struct beat_run {
    rf_beat beats[RFI_HELD_MAX];
    int32_t n;
    int64_t id;
    rf_worker_wish wish;
} beat_run;

static void collect(rf_worker *w, beat_run *run)
{
    pthread_mutex_lock(&w->lock);
    run->n = 0;
    run->id = w->id;
    for (int32_t i = 0; i < w->n_held; i++)
        if (!w->held[i]->gone)
            run->beats[run->n++] = (rf_beat){.job_id = w->held[i]->job_id, .token = w->held[i]->token};
    pthread_mutex_unlock(&w->lock);
}

static int32_t held_index(const rf_worker *w, const rf_beat *beat)
{
    for (int32_t i = 0; i < w->n_held; i++)
        if (w->held[i]->job_id == beat->job_id && w->held[i]->token == beat->token)
            return i;
    return -1;
}

static void apply(rf_worker *w, const beat_run *run, int64_t sent_ms)
{
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->wish, run->wish);
    for (int32_t k = 0; k < run->n; k++) {
        const rf_beat *beat = &run->beats[k];
        const int32_t i = held_index(w, beat);
        if (i < 0)
            continue;
        rfi_held *held = w->held[i];
        atomic_store(&held->fence_ms, fence_after(sent_ms, w->lease_ms));
        held->credit = beat->credit > held->credit ? beat->credit : held->credit;
        if (beat->answer == RF_BEAT_CANCEL)
            tell_to_stop(held, RFI_STOP_CANCELLED);
        if (beat->answer == RF_BEAT_GONE)
            held_gone(w, i);
    }
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

/* The first end that was said a beat ago and not answered, or could not be said, is said again; false: there is none, or it
 * was in vain. */
static bool say_again(rf_worker *w, int64_t every_ms)
{
    rf_error err = {0};
    char *body = NULL;
    rfi_held copy;
    pthread_mutex_lock(&w->lock);
    const int64_t now = rfi_now_ms(), id = w->id;
    for (int32_t i = 0; i < w->n_held && !body; i++) {
        rfi_held *held = w->held[i];
        if (!held->ended || (held->said_ms && now - held->said_ms < every_ms))
            continue;
        const size_t size = strlen(held->end_body) + 1;
        body = rf_malloc(size);
        if (body) {
            memcpy(body, held->end_body, size);
            copy.job_id = held->job_id;
            copy.token = held->token;
            copy.end_kind = held->end_kind;
            held->said_ms = now;
        }
    }
    pthread_mutex_unlock(&w->lock);
    const bool said = body && say(w, id, &copy, body, &err) == RF_OK;
    if (body && !said)
        rf_log(RF_LOG_WARNING, "worker", "the end of job %lld will be said again: %s", (long long)copy.job_id,
               err.message);
    rf_free(body);
    return said;
}

/* ------------------------------------------------------------------ a job that does not let go */

/* A job that was told to stop long ago and is still in the same step; each is found once. */
static bool find_stuck(rf_worker *w, rfi_held *copy)
{
    const int64_t late_ms = rfi_now_ms() - (int64_t)(w->options.let_go_s * 1000);
    bool found = false;
    pthread_mutex_lock(&w->lock);
    for (int32_t i = 0; i < w->n_held && !found; i++) {
        rfi_held *held = w->held[i];
        if (held->ended || !held->told_ms || held->told_ms > late_ms)
            continue;
        copy->job_id = held->job_id;
        copy->token = held->token;
        copy->gone = held->gone;
        copy->end_kind = RF_EVENT_RELEASED;
        held->told_ms = INT64_MAX;
        found = true;
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

/* What a training computes in one step may take half a minute, and a driver may hang for ever. The result is not wanted any
 * more, so the word is said here, and the process, its memory and its device are given back. */
static void end_if_stuck(rf_worker *w, int64_t id)
{
    rf_error err = {0};
    rfi_held copy;
    rf_buf body;
    if (!w->options.end_process || !find_stuck(w, &copy))
        return;
    rf_buf_init(&body);
    const rf_result_released released = {.cancelled = true, .reason = "cancelled"};
    const bool said = !copy.gone && rf_result_write_released(&released, &body, &err) == RF_OK &&
                      say(w, id, &copy, body.data, &err) == RF_OK;
    rf_buf_free(&body);
    rf_log(RF_LOG_WARNING, "worker", "job %lld does not let go%s; its process ends", (long long)copy.job_id,
           said ? " of what was cancelled" : "");
    w->options.end_process();
}

/* ------------------------------------------------------------------ the thread */

static void close_down(rf_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    drop_all(w);
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

static void begin_anew(rf_worker *w)
{
    rf_error err = {0};
    rf_log(RF_LOG_WARNING, "worker", "the queue has forgotten this worker; it registers anew");
    pthread_mutex_lock(&w->lock);
    drop_all(w);
    pthread_mutex_unlock(&w->lock);
    const rf_code rc = rfi_pulse_register(w, &err);
    if (rc == RF_INTERRUPTED)
        close_down(w);
    else if (rc != RF_OK)
        pause_ms(RETRY_MS);
}

static bool goes_on(rf_worker *w)
{
    pthread_mutex_lock(&w->lock);
    const bool on = !w->closed && !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return on;
}

/* Sleeps until the next beat is due, or something asks for one. In slices, so that the end of the worker is seen. */
static rf_code sleep_between(rf_worker *w, int64_t id, int64_t until_ms, bool *asked, rf_error *err)
{
    rf_code rc = RF_OK;
    *asked = false;
    while (rc == RF_OK && !*asked && goes_on(w)) {
        const int64_t left = until_ms - rfi_now_ms(), slice = left < SLICE_MS ? left : SLICE_MS;
        if (left <= 0)
            break;
        const int64_t before = rfi_now_ms();
        rc = rf_queue_beat_wait(w->options.queue, id, slice, err);
        *asked = rfi_now_ms() - before < slice;
        end_if_stuck(w, id);
    }
    return rc;
}

static void *pulse(void *arg)
{
    rf_worker *w = arg;
    static _Thread_local beat_run run;
    const int64_t beat_ms = (int64_t)(w->options.beat_s * 1000);
    while (goes_on(w)) {
        rf_error err = {0};
        bool asked = false;
        collect(w, &run);
        const int64_t sent_ms = rfi_now_ms();
        rf_code rc =
            rf_queue_beat(w->options.queue, run.id, resident_bytes(), run.beats, run.n, &run.wish, &err);
        if (rc == RF_OK) {
            apply(w, &run, sent_ms);
            while (say_again(w, beat_ms))
                ;
            rc = sleep_between(w, run.id, sent_ms + beat_ms, &asked, &err);
        }
        if (rc == RF_NOT_FOUND)
            begin_anew(w);
        else if (rc == RF_INTERRUPTED)
            close_down(w);
        else if (rc != RF_OK)
            pause_ms(RETRY_MS);
    }
    return NULL;
}

rf_code rfi_pulse_start(rf_worker *w, rf_error *err)
{
    if (pthread_create(&w->pulse, NULL, pulse, w) != 0)
        return rf_fail(err, RF_IO, "no thread can be started for the worker's signs of life");
    return RF_OK;
}

void rfi_pulse_stop(rf_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->pulse, NULL);
}
