#include "api/watch.h"

#include <poll.h>
#include <time.h>

#include "core/alloc.h"
#include "core/clock.h"

struct rfi_watch {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    rfi_watcher *first;
    int64_t n, per_user_max, total_max;
    double ping_s;
    bool stopping, ending;
    pthread_t looker;
};

static int64_t now_us(void)
{
    return (int64_t)(rf_clock_s() * 1e6);
}

static bool client_left(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static void look(rfi_watch *watch)
{
    const int64_t silent_since = now_us() - (int64_t)(watch->ping_s * 1e6);
    for (rfi_watcher *w = watch->first; w; w = w->next) {
        const bool gone = atomic_load(&w->gone) || client_left(w->fd);
        const bool ping = atomic_load(&w->spoke_us) < silent_since;
        if (!gone && !ping)
            continue;
        atomic_store(&w->gone, gone);
        atomic_store(&w->ping, ping);
        rfi_stream_wake(w->stream);
    }
}

static void *keep_looking(void *arg)
{
    rfi_watch *watch = arg;
    const double period_s = watch->ping_s < 4 ? watch->ping_s / 4 : 1;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        const int64_t ns = until.tv_nsec + (int64_t)(period_s * 1e9);
        until.tv_sec += ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
        look(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

rf_code rfi_watch_open(rfi_watch **out, double ping_s, int64_t per_user_max, int64_t total_max, rf_error *err)
{
    pthread_condattr_t attributes;
    rfi_watch *watch = rf_malloc(sizeof *watch);
    if (!watch)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the list of streams");
    *watch = (rfi_watch){.ping_s = ping_s, .per_user_max = per_user_max, .total_max = total_max};
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&watch->looker, NULL, keep_looking, watch) != 0) {
        rf_free(watch);
        return rf_fail(err, RF_UNAVAILABLE, "the thread that watches streams could not be started");
    }
    *out = watch;
    return RF_OK;
}

void rfi_watch_close(rfi_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->looker, NULL);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    rf_free(watch);
}

rf_code rfi_watch_add(rfi_watch *watch, rfi_watcher *watcher, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t of_user = 0, counted = 0;
    pthread_mutex_lock(&watch->lock);
    for (const rfi_watcher *w = watch->first; w; w = w->next) {
        counted += w->counts;
        of_user += w->counts && w->user_id == watcher->user_id;
    }
    if (watcher->counts && of_user >= watch->per_user_max)
        rc = rf_fail(err, RF_RATE_LIMITED, "you have %lld event streams open, the most that are allowed",
                     (long long)of_user);
    else if (watcher->counts && counted >= watch->total_max)
        rc = rf_fail(err, RF_UNAVAILABLE, "the server has as many event streams open as it can");
    else if (watch->ending)
        rc = rf_fail(err, RF_UNAVAILABLE, "the server is about to stop");
    else {
        atomic_store(&watcher->spoke_us, now_us());
        watcher->previous = NULL;
        watcher->next = watch->first;
        if (watcher->next)
            watcher->next->previous = watcher;
        watch->first = watcher;
        watch->n++;
    }
    pthread_mutex_unlock(&watch->lock);
    return rc;
}

void rfi_watch_remove(rfi_watch *watch, rfi_watcher *watcher)
{
    pthread_mutex_lock(&watch->lock);
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        watch->first = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
    watch->n--;
    pthread_mutex_unlock(&watch->lock);
}

void rfi_watch_tell(void *arg, int64_t job_id)
{
    rfi_watch *watch = arg;
    pthread_mutex_lock(&watch->lock);
    for (rfi_watcher *w = watch->first; w; w = w->next)
        if (w->job_id == job_id) {
            atomic_store(&w->told, true);
            rfi_stream_wake(w->stream);
        }
    pthread_mutex_unlock(&watch->lock);
}

void rfi_watch_end(rfi_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    for (rfi_watcher *w = watch->first; w; w = w->next) {
        atomic_store(&w->gone, true);
        rfi_stream_wake(w->stream);
    }
    pthread_mutex_unlock(&watch->lock);
}

int64_t rfi_watch_count(rfi_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    const int64_t n = watch->n;
    pthread_mutex_unlock(&watch->lock);
    return n;
}
