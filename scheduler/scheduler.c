/* scheduler.c - the machine itself, which every other file here works on: opened, freed, and its clock and chance. keepers.c
 * turns its steps. */
#include "scheduler/scheduler.h"

#include <stdio.h>
#include <string.h>

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
    rfi_scheduler_free(s);
    return rc;
}

void rfi_scheduler_free(rf_scheduler *s)
{
    if (!s)
        return;
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

bool rfi_stopping(rf_scheduler *s)
{
    pthread_mutex_lock(&s->waking);
    const bool stopping = s->stopping;
    pthread_mutex_unlock(&s->waking);
    return stopping;
}

/* ------------------------------------------------------------------ what storage says */

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
