/* queue_memory.c - the queue inside the process: one lock around the rules of memory_*.c, and the waiting.
 *
 * The rules set flags (stir_…) for those who might go on; unlock() wakes them, so that no rule needs to know who waits.
 * Workers in other processes wait in queue_server.c, which is woken with the rest and tries again for each: it starts and
 * ends with this queue and asks it under its lock, so that the two files are one module.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "queue/memory_state.h"

enum { LEASE_MS = 30000, AGE_MS = 60000, WORKER_TTL_MS = 60000 };

static const int64_t wait_most_ms = 24 * 3600 * 1000;

static rfi_memory *memory_of(rf_queue *q)
{
    return (rfi_memory *)(void *)q;
}

static int64_t clock_ms(void)
{
    return (int64_t)(rf_clock_s() * 1000);
}

/* ------------------------------------------------------------------ the lock, and waiting under it */

static void lock(rfi_memory *m)
{
    pthread_mutex_lock(&m->lock);
}

/* Wakes whoever the rules have found something for. */
static void stir(rfi_memory *m)
{
    const bool wakes_server = m->stir_work || m->stir_notice;
    if (m->stir_work)
        pthread_cond_broadcast(&m->work);
    if (m->stir_notice)
        pthread_cond_broadcast(&m->notice);
    if (m->stir_news)
        pthread_cond_broadcast(&m->news);
    m->stir_work = m->stir_notice = m->stir_news = false;
    if (wakes_server)
        rfi_server_wake(m->server);
}

static void unlock(rfi_memory *m)
{
    stir(m);
    pthread_mutex_unlock(&m->lock);
}

static int64_t deadline_after(int64_t timeout_ms)
{
    const int64_t bounded = timeout_ms < 0 ? 0 : timeout_ms < wait_most_ms ? timeout_ms : wait_most_ms;
    return clock_ms() + bounded;
}

/* False when the deadline has passed. Others run meanwhile, so what they are owed is woken first. */
static bool wait_until(rfi_memory *m, pthread_cond_t *cond, int64_t deadline_ms)
{
    const struct timespec at = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    if (clock_ms() >= deadline_ms)
        return false;
    stir(m);
    m->n_waiters++;
    (void)pthread_cond_timedwait(cond, &m->lock, &at);
    if (--m->n_waiters == 0 && m->closing)
        pthread_cond_broadcast(&m->idle);
    return true;
}

static rf_code check_open(const rfi_memory *m, rf_error *err)
{
    return m->closing ? rf_fail(err, RF_INTERRUPTED, "the queue is closing") : RF_OK;
}

/* ------------------------------------------------------------------ the scheduler's verbs */

static rf_code memory_offer(rf_queue *q, const rf_offer *offers, int32_t n, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    rf_code rc = RF_OK;
    lock(m);
    for (int32_t i = 0; i < n && rc == RF_OK; i++)
        rc = rfi_jobs_offer(m, &offers[i], err);
    unlock(m);
    return rc;
}

static rf_code memory_settle(rf_queue *q, const rf_lease_id *ended, int32_t n, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    (void)err;
    lock(m);
    for (int32_t i = 0; i < n; i++)
        rfi_jobs_settle(m, &ended[i]);
    unlock(m);
    return RF_OK;
}

static rf_code memory_withdraw(rf_queue *q, int64_t job_id, int64_t token, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    (void)err;
    lock(m);
    rfi_jobs_withdraw(m, job_id, token);
    unlock(m);
    return RF_OK;
}

static rf_code memory_credit(rf_queue *q, int64_t job_id, int64_t token, int64_t parts, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    (void)err;
    lock(m);
    rfi_jobs_credit(m, job_id, token, parts);
    unlock(m);
    return RF_OK;
}

static rf_code memory_expired(rf_queue *q, rf_lease_id *out, int32_t max, int32_t *n, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    (void)err;
    *n = 0;
    lock(m);
    rfi_jobs_expire(m);
    rfi_workers_sweep(m);
    for (const rfi_link *link = m->expired.next; link != &m->expired && *n < max; link = link->next) {
        const rfi_entry *e = RFI_OWNER(link, const rfi_entry, arrival);
        out[(*n)++] =
            (rf_lease_id){.job_id = e->job_id, .token = e->token, .worker_id = e->worker_id, .lost = e->lost};
    }
    unlock(m);
    return RF_OK;
}

static rf_code memory_events_take(rf_queue *q, rf_event *out, int32_t max, int64_t timeout_ms, int32_t *n,
                                  rf_error *err)
{
    rfi_memory *m = memory_of(q);
    const int64_t deadline_ms = deadline_after(timeout_ms);
    rf_code rc = RF_OK;
    *n = 0;
    lock(m);
    while ((rc = check_open(m, err)) == RF_OK && m->n_events == 0 && !m->poked)
        if (!wait_until(m, &m->news, deadline_ms))
            break;
    if (rc == RF_OK) {
        m->poked = false;
        *n = rfi_events_take(m, out, max);
    }
    unlock(m);
    return rc;
}

static void memory_poke(rf_queue *q)
{
    rfi_memory *m = memory_of(q);
    lock(m);
    m->poked = m->stir_news = true;
    unlock(m);
}

static rf_code memory_pause(rf_queue *q, const char *need, bool paused, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    rfi_class *class = NULL;
    rf_code rc = RF_OK;
    lock(m);
    if (!need || !*need) {
        m->all_paused = paused;
    } else {
        RF_TRY(rfi_class_find(m, need, &class, err));
        class->paused = paused;
    }
    m->stir_work |= !paused;
out:
    unlock(m);
    return rc;
}

static rf_code memory_epoch(rf_queue *q, uint64_t *out, rf_error *err)
{
    (void)err;
    *out = memory_of(q)->epoch;
    return RF_OK;
}

static rf_code memory_position(rf_queue *q, int64_t job_id, int64_t *out, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    (void)err;
    lock(m);
    *out = rfi_jobs_position(m, job_id);
    unlock(m);
    return RF_OK;
}

static rf_queue_depth depth_of(const rfi_memory *m, const rfi_class *class)
{
    rf_queue_depth depth = {.waiting = class->n_waiting,
                            .delayed = class->n_delayed,
                            .leased = class->n_leased,
                            .paused = class->paused || m->all_paused};
    memcpy(depth.need, class->name, sizeof depth.need);
    if (class->n_waiting > 0) {
        const rfi_entry *first = RFI_OWNER(class->arrivals.next, const rfi_entry, arrival);
        const int64_t age_ms = rf_clock_wall_us() / 1000 - first->created_ms;
        depth.oldest_ms = age_ms > 0 ? age_ms : 0;
    }
    return depth;
}

static rf_code memory_depths(rf_queue *q, rf_queue_depth **out, int32_t *n, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    *n = 0;
    *out = NULL;
    lock(m);
    rfi_jobs_promote(m);
    const rf_code rc = RF_NEW_ARRAY(out, m->n_classes, "the depths of the queue", err);
    for (int i = 0; rc == RF_OK && i < m->n_classes; i++)
        (*out)[(*n)++] = depth_of(m, m->classes[i]);
    unlock(m);
    return rc;
}

static rf_code memory_workers(rf_queue *q, rf_worker_info **out, int32_t *n, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    lock(m);
    rfi_workers_sweep(m);
    const rf_code rc = rfi_workers_list(m, out, n, err);
    unlock(m);
    return rc;
}

static rf_code memory_worker_wish(rf_queue *q, int64_t worker_id, rf_worker_wish wish, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    rfi_worker *worker = NULL;
    rf_code rc = RF_OK;
    lock(m);
    RF_TRY(rfi_workers_find(m, worker_id, &worker, err));
    worker->info.wish = wish;
    worker->attention = true;
    m->stir_notice = m->stir_work = true;
out:
    unlock(m);
    return rc;
}

/* ------------------------------------------------------------------ a worker's verbs */

static rf_code memory_enlist(rf_queue *q, const rf_worker_info *self, int64_t *worker_id, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    lock(m);
    const rf_code rc = rfi_workers_add(m, self, worker_id, err);
    unlock(m);
    return rc;
}

/* How long until time alone could bring a job; -1: never. */
static int64_t until_due_ms(const rfi_memory *m)
{
    const rfi_due *due = rfi_due_first(&m->delayed);
    const int64_t left_ms = due ? (int64_t)due->key - m->now_ms() : -1;
    return due && left_ms < 1 ? 1 : left_ms;
}

static rf_code try_lease(rfi_memory *m, int64_t worker_id, rf_lease *out, rf_error *err)
{
    rfi_worker *worker = NULL;
    rf_code rc = RF_OK;
    RF_TRY(check_open(m, err));
    RF_TRY(rfi_workers_find(m, worker_id, &worker, err));
    RF_TRY(rfi_jobs_lease(m, worker, out, err));
out:
    return rc;
}

static rf_code memory_lease(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_lease *out, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    const int64_t deadline_ms = deadline_after(timeout_ms);
    rf_code rc;
    lock(m);
    while ((rc = try_lease(m, worker_id, out, err)) == RF_OK && out->job_id == 0) {
        const int64_t due_ms = until_due_ms(m), at_ms = clock_ms() + due_ms;
        if (!wait_until(m, &m->work, due_ms >= 0 && at_ms < deadline_ms ? at_ms : deadline_ms) &&
            clock_ms() >= deadline_ms)
            break;
    }
    unlock(m);
    return rc;
}

rf_code rfi_memory_try_lease(rfi_memory *m, int64_t worker_id, rf_lease *out, int64_t *wait_ms, rf_error *err)
{
    lock(m);
    const rf_code rc = try_lease(m, worker_id, out, err);
    *wait_ms = until_due_ms(m);
    unlock(m);
    return rc;
}

void rfi_memory_leave(rfi_memory *m, int64_t worker_id)
{
    lock(m);
    rfi_workers_remove(m, worker_id);
    m->stir_news = m->poked = true; /* the scheduler need not wait for its next round to find the leases */
    unlock(m);
}

static rf_code memory_beat(rf_queue *q, int64_t worker_id, int64_t rss_bytes, rf_beat *beats, int32_t n,
                           rf_worker_wish *wish, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    rfi_worker *worker = NULL;
    rf_code rc = RF_OK;
    lock(m);
    RF_TRY(check_open(m, err));
    RF_TRY(rfi_workers_find(m, worker_id, &worker, err));
    worker->attention = false;
    worker->heard_ms = m->now_ms();
    worker->info.beat_ms = rf_clock_wall_us() / 1000;
    worker->info.rss_bytes = rss_bytes;
    *wish = worker->info.wish;
    for (int32_t i = 0; i < n; i++)
        rfi_jobs_beat(m, worker, &beats[i]);
out:
    unlock(m);
    return rc;
}

/* A worker that is not there shall notice that too. */
static bool has_notice(const rfi_memory *m, int64_t worker_id)
{
    const rfi_worker *worker = rfi_id_map_find(&m->workers, worker_id);
    return !worker || worker->attention;
}

static rf_code memory_beat_wait(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    const int64_t deadline_ms = deadline_after(timeout_ms);
    rf_code rc;
    lock(m);
    while ((rc = check_open(m, err)) == RF_OK && !has_notice(m, worker_id))
        if (!wait_until(m, &m->notice, deadline_ms))
            break;
    unlock(m);
    return rc;
}

bool rfi_memory_try_notice(rfi_memory *m, int64_t worker_id)
{
    lock(m);
    const bool notice = m->closing || has_notice(m, worker_id);
    unlock(m);
    return notice;
}

static rf_code memory_send(rf_queue *q, const rf_event *event, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    lock(m);
    const rf_code rc = rfi_events_add(m, event, err);
    unlock(m);
    return rc;
}

/* ------------------------------------------------------------------ life */

static rf_code memory_serve_fd(rf_queue *q, int fd, rf_error *err)
{
    rfi_memory *m = memory_of(q);
    rf_code rc = RF_OK;
    struct rfi_server *server = NULL;
    lock(m);
    if (!m->server)
        rc = rfi_server_start(m, &m->server, err);
    server = m->server;
    unlock(m);
    if (rc == RF_OK)
        return rfi_server_add(server, fd, err);
    close(fd);
    return rc;
}

static void wake_all_waiters(rfi_memory *m)
{
    lock(m);
    m->closing = m->stir_work = m->stir_notice = m->stir_news = true;
    unlock(m);
    lock(m);
    while (m->n_waiters > 0)
        pthread_cond_wait(&m->idle, &m->lock);
    unlock(m);
}

static void memory_free(rfi_memory *m)
{
    rfi_events_free(m);
    rfi_jobs_free(m);
    rfi_workers_free(m);
    rfi_lanes_free(m);
    rfi_streams_free(m->streams);
    pthread_cond_destroy(&m->work);
    pthread_cond_destroy(&m->news);
    pthread_cond_destroy(&m->notice);
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    rf_free(m);
}

static void memory_close(rf_queue *q)
{
    rfi_memory *m = memory_of(q);
    wake_all_waiters(m);
    if (m->server)
        rfi_server_stop(m->server);
    m->server = NULL;
    memory_free(m);
}

static const rfi_queue_class memory_class = {
    .name = "memory",
    .close = memory_close,
    .serve_fd = memory_serve_fd,
    .offer = memory_offer,
    .settle = memory_settle,
    .withdraw = memory_withdraw,
    .credit = memory_credit,
    .expired = memory_expired,
    .events_take = memory_events_take,
    .poke = memory_poke,
    .pause = memory_pause,
    .epoch = memory_epoch,
    .position = memory_position,
    .depths = memory_depths,
    .workers = memory_workers,
    .worker_wish = memory_worker_wish,
    .enlist = memory_enlist,
    .lease = memory_lease,
    .beat = memory_beat,
    .beat_wait = memory_beat_wait,
    .send = memory_send,
    .stream_add = rfi_streams_add,
    .stream_read = rfi_streams_read,
    .stream_listen = rfi_streams_listen,
};

static void init_waiting(rfi_memory *m)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->work, &monotonic);
    pthread_cond_init(&m->news, &monotonic);
    pthread_cond_init(&m->notice, &monotonic);
    pthread_cond_init(&m->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static int64_t option(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

rf_code rf_queue_open_memory(rf_queue **out, const rf_queue_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_memory *m = NULL;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&m, 1, "the queue", err));
    RF_TRY(rfi_streams_create(&m->streams, err));
    if (getrandom(&m->epoch, sizeof m->epoch, 0) != (ssize_t)sizeof m->epoch)
        RF_TRY(rf_fail_errno(err, RF_IO, "no random number can be drawn for the queue"));
    m->base.type = &memory_class;
    m->options = (rf_queue_options){
        .lease_ms = option(options ? options->lease_ms : 0, LEASE_MS),
        .age_ms = option(options ? options->age_ms : 0, AGE_MS),
        .worker_ttl_ms = option(options ? options->worker_ttl_ms : 0, WORKER_TTL_MS),
    };
    m->now_ms = clock_ms;
    m->next_worker_id = 1;
    rfi_link_init(&m->expired);
    rfi_link_init(&m->events);
    init_waiting(m);
    *out = &m->base;
    m = NULL;
out:
    if (m)
        rfi_streams_free(m->streams);
    rf_free(m);
    return rc;
}
