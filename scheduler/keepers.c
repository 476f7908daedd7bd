/* keepers.c - two threads that keep the machine turning: one applies what workers say and looks for the lost, the other does what
 * is due from time to time. */
#include <time.h>

#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ the threads */

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

void rf_scheduler_close(rf_scheduler *s)
{
    if (s)
        rf_scheduler_stop(s);
    rfi_scheduler_free(s);
}
