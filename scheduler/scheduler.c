/* scheduler.c - opens the machine, and keeps two threads turning its steps. */
#include "scheduler/scheduler.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "crypto/secret.h"
#include "scheduler/scheduler_state.h"

#define DAY_MS  (INT64_C(24) * 3600 * 1000)
#define HOUR_MS (INT64_C(3600) * 1000)

/* ------------------------------------------------------------------ clock and chance */

int64_t rfi_monotonic_ms(void)
{
    return (int64_t)(rf_clock_s() * 1e3);
}

int64_t rf_scheduler_now_ms(const rf_scheduler *s)
{
    if (s->options.now_ms)
        return s->options.now_ms(s->options.now_arg);
    return s->wall_at_open_ms + (int64_t)((rf_clock_s() - s->clock_at_open_s) * 1e3);
}

/* Splitmix64 (Steele, Lea and Flood 2014) over a counter: any thread may draw. */
uint64_t rfi_random(rf_scheduler *s)
{
    uint64_t z = s->options.random_seed + atomic_fetch_add(&s->draws, 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ------------------------------------------------------------------ open and close */

#define DEFAULT(field, value)                                                                                \
    if (!o->field)                                                                                           \
    o->field = (value)

static void fill_defaults(rf_scheduler_options *o)
{
    DEFAULT(user_running_limit, 5);
    DEFAULT(user_waiting_limit, 200);
    DEFAULT(default_epochs, 100);
    DEFAULT(job_timeout_ms, HOUR_MS);
    DEFAULT(reap_ms, 5000);
    DEFAULT(reconcile_ms, 30000);
    DEFAULT(relay_ms, 1000);
    DEFAULT(clean_ms, 600000);
    DEFAULT(cancel_grace_ms, 30000);
    DEFAULT(retry_base_ms, 2000);
    DEFAULT(retry_cap_ms, 600000);
    DEFAULT(max_attempts, 5);
    DEFAULT(max_crashes, 3);
    DEFAULT(keep_jobs_ms, 30 * DAY_MS);
    DEFAULT(keep_idempotency_ms, DAY_MS);
    DEFAULT(keep_audit_ms, 90 * DAY_MS);
    DEFAULT(orphan_age_ms, DAY_MS);
}

rf_code rf_scheduler_open(rf_scheduler **out, const rf_scheduler_options *options, rf_error *err)
{
    rf_scheduler *s = NULL;
    rf_code rc = RF_OK;
    *out = NULL;
    RF_TRY(rf_alloc_array((void **)&s, 1, sizeof *s, "the scheduler", err));
    pthread_mutex_init(&s->applying, NULL);
    pthread_mutex_init(&s->clearing, NULL);
    pthread_mutex_init(&s->noting, NULL);
    pthread_mutex_init(&s->reconciling, NULL);
    pthread_mutex_init(&s->cleaning, NULL);
    pthread_mutex_init(&s->counting, NULL);
    pthread_mutex_init(&s->waking, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->options = *options;
    fill_defaults(&s->options);
    if (!s->options.random_seed)
        RF_TRY(rf_random_bytes(&s->options.random_seed, sizeof s->options.random_seed, err));
    s->db = options->db;
    s->queue = options->queue;
    s->storage = options->storage;
    s->wall_at_open_ms = rf_clock_wall_us() / 1000;
    s->clock_at_open_s = rf_clock_s();
    s->reaped_ms = s->reconciled_ms = rfi_monotonic_ms();
    *out = s;
    s = NULL;
out:
    rf_scheduler_close(s);
    return rc;
}

void rf_scheduler_close(rf_scheduler *s)
{
    if (!s)
        return;
    rf_scheduler_stop(s);
    for (int32_t i = 0; i < s->n_held; i++)
        rf_event_free(&s->held[i]);
    pthread_cond_destroy(&s->woken);
    pthread_mutex_destroy(&s->waking);
    pthread_mutex_destroy(&s->counting);
    pthread_mutex_destroy(&s->cleaning);
    pthread_mutex_destroy(&s->reconciling);
    pthread_mutex_destroy(&s->noting);
    pthread_mutex_destroy(&s->clearing);
    pthread_mutex_destroy(&s->applying);
    rf_free(s);
}

/* ------------------------------------------------------------------ the threads */

rf_code rfi_storage_said(rf_code rc, const char *what, rf_error *err)
{
    if (rc != RF_IO && rc != RF_UNAVAILABLE && rc != RF_NOT_FOUND && rc != RF_CORRUPT && rc != RF_TOO_LARGE)
        return rc;
    rf_error said = {0};
    if (err)
        said = *err;
    const bool full = strstr(said.message, "disk is full") != NULL;
    if (rc == RF_IO)
        rc = RF_UNAVAILABLE;
    if (rc == RF_NOT_FOUND) /* a row names it: it must be there */
        rc = RF_CORRUPT;
    rc = rf_fail(err, rc, "%s%s", what, full ? ": the disk is full" : "");
    if (err)
        snprintf(err->detail, sizeof err->detail, "%.120s; %.120s", said.message, said.detail);
    return rc;
}

bool rfi_stopping(rf_scheduler *s)
{
    pthread_mutex_lock(&s->waking);
    const bool stopping = s->stopping;
    pthread_mutex_unlock(&s->waking);
    return stopping;
}

/* True when the wait was not cut short by the end. */
static bool sleep_ms(rf_scheduler *s, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->waking);
    while (!s->stopping && pthread_cond_timedwait(&s->woken, &s->waking, &until) == 0)
        continue;
    const bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->waking);
    return go_on;
}

/* A step that fails is logged once and tried again at its next turn. */
static bool step(rf_code rc, const char *name, rf_error *err)
{
    if (rc == RF_OK)
        return true;
    rf_error_context(err, "%s", name);
    rf_log_failure(RF_LOG_ERROR, "scheduler", err);
    return false;
}

static void *apply_words(void *arg)
{
    rf_scheduler *const s = arg;
    int64_t next_reap_ms = rfi_monotonic_ms() + s->options.reap_ms;
    while (!rfi_stopping(s)) {
        rf_error err = {0};
        const int64_t left_ms = next_reap_ms - rfi_monotonic_ms();
        bool fine = true;
        if (left_ms > 0) {
            const rf_code rc = rf_scheduler_apply(s, left_ms < 500 ? left_ms : 500, NULL, &err);
            if (rc == RF_INTERRUPTED) /* the queue closes: so do we, soon */
                fine = sleep_ms(s, 20);
            else
                fine = step(rc, "apply", &err);
        } else {
            fine = step(rf_scheduler_reap(s, NULL, &err), "reap", &err);
            next_reap_ms = rfi_monotonic_ms() + s->options.reap_ms;
        }
        if (!fine)
            sleep_ms(s, 200);
    }
    return NULL;
}

typedef struct keeper_turn {
    const char *name;
    rf_code (*step)(rf_scheduler *s, int32_t *n, rf_error *err);
    int64_t every_ms, next_ms;
} keeper_turn;

static void *keep_order(void *arg)
{
    rf_scheduler *const s = arg;
    const rf_scheduler_options *const o = &s->options;
    const int64_t now_ms = rfi_monotonic_ms();
    keeper_turn turns[] = {
        {"relay", rf_scheduler_relay, o->relay_ms, now_ms},
        {"objects", rfi_clean_doomed, o->relay_ms, now_ms},
        {"overdue", rf_scheduler_overdue, o->reap_ms, now_ms},
        {"reconcile", rf_scheduler_reconcile, o->reconcile_ms, now_ms + o->reconcile_ms},
        {"clean", rf_scheduler_clean, o->clean_ms, now_ms + (o->clean_ms < 60000 ? o->clean_ms : 60000)},
    };
    const int n_turns = sizeof turns / sizeof *turns;
    for (;;) {
        int64_t next_ms = turns[0].next_ms;
        for (int i = 1; i < n_turns; i++)
            if (turns[i].next_ms < next_ms)
                next_ms = turns[i].next_ms;
        const int64_t wait_ms = next_ms - rfi_monotonic_ms();
        if (!sleep_ms(s, wait_ms > 0 ? wait_ms : 0))
            return NULL;
        for (int i = 0; i < n_turns; i++) {
            if (turns[i].next_ms > rfi_monotonic_ms())
                continue;
            rf_error err = {0};
            step(turns[i].step(s, NULL, &err), turns[i].name, &err);
            turns[i].next_ms = rfi_monotonic_ms() + turns[i].every_ms;
        }
    }
}

static rf_code start_thread(pthread_t *thread, void *(*run)(void *), rf_scheduler *s, rf_error *err)
{
    const int code = pthread_create(thread, NULL, run, s);
    return code
               ? rf_fail(err, RF_UNAVAILABLE, "the system gives no thread for the scheduler (error %d)", code)
               : RF_OK;
}

rf_code rf_scheduler_start(rf_scheduler *s, rf_error *err)
{
    rf_code rc = RF_OK;
    s->stopping = false;
    RF_TRY(rf_scheduler_recover(s, err));
    RF_TRY(start_thread(&s->applier, apply_words, s, err));
    rc = start_thread(&s->keeper, keep_order, s, err);
    if (rc != RF_OK) {
        pthread_mutex_lock(&s->waking);
        s->stopping = true;
        pthread_mutex_unlock(&s->waking);
        pthread_join(s->applier, NULL);
        goto out;
    }
    s->started = true;
out:
    return rc;
}

void rf_scheduler_stop(rf_scheduler *s)
{
    pthread_mutex_lock(&s->waking);
    const bool running = s->started;
    s->stopping = true;
    s->started = false;
    pthread_cond_broadcast(&s->woken);
    pthread_mutex_unlock(&s->waking);
    if (!running)
        return;
    rf_queue_poke(s->queue);
    pthread_join(s->applier, NULL);
    pthread_join(s->keeper, NULL);
    /* The last words: a worker that was released just now must not count as lost. */
    rf_error err = {0};
    int32_t n = 1;
    while (n > 0 && rf_scheduler_apply(s, 0, &n, &err) == RF_OK)
        continue;
    int32_t flushed = 0;
    if (rf_scheduler_relay(s, &flushed, &err) != RF_OK)
        rf_log_failure(RF_LOG_WARNING, "scheduler", &err);
}
