/* How a run begins and ends
 *
 *   caller: writes fn, arg, n_tasks, next = 0
 *           opens the run:  state = generation+1 | OPEN | 0 joined        (release)
 *   worker: sees OPEN, adds itself to `joined` by compare-and-swap        (acquire)
 *           takes tasks from `next` until none is left
 *           subtracts itself                                             (release)
 *   caller: takes tasks too; closes the run (clears OPEN); waits for joined == 0
 *
 * A worker that is asleep, or that the system has put aside, is not waited for: when it comes, the run
 * is closed and it goes on waiting for the next. Only who has joined holds the caller up, and it reads
 * the run's fields only between joining and leaving, when the caller does not write them.
 *
 * Sleeping: a worker counts itself into n_sleeping and waits on the word `generation`; the caller
 * changes that word first and looks at n_sleeping second. Both are sequentially consistent, so
 * one of the two sees the other. */
#include "core/pool.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/pause.h"

enum {
    MOST_THREADS = 1024,
    SPIN_NS = 50000,        /* longer than what lies between two operations of a training step */
    CROWDED_SPIN_NS = 2000, /* more threads than processors: spinning takes time from who works */
    PAUSES_PER_LOOK = 16
};

#define OPEN        (UINT64_C(1) << 31)
#define JOINED_MASK (OPEN - 1)

struct rf_pool {
    int n_threads;
    int n_started; /* workers; the caller is not among them */
    int64_t spin_ns;
    pthread_t *workers;
    bool running; /* the caller's own, to catch nesting */

    /* the run, written by the caller while nobody has joined */
    rf_pool_fn fn;
    void *arg;
    int64_t n_tasks;

    alignas(64) _Atomic uint64_t state; /* generation << 32 | OPEN | joined */
    alignas(64) _Atomic int64_t next;   /* the task to be taken next */
    alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t n_sleeping;
    _Atomic uint32_t caller_sleeps;
    atomic_bool stop;
};

/* ---- waiting -------------------------------------------------------------------------------- */

static void futex_wait(_Atomic uint32_t *word, uint32_t while_equal)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_equal, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- workers -------------------------------------------------------------------------------- */

static void take_tasks(rf_pool *pool)
{
    const rf_pool_fn fn = pool->fn;
    void *const arg = pool->arg;
    const int64_t n_tasks = pool->n_tasks;
    for (;;) {
        int64_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (task >= n_tasks)
            return;
        fn(arg, task);
    }
}

/* Joins the open run, if there is one that is newer than `seen`. */
static bool join(rf_pool *pool, uint32_t seen)
{
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_relaxed);
    while ((state & OPEN) && (uint32_t)(state >> 32) != seen)
        if (atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static void leave(rf_pool *pool)
{
    uint64_t before = atomic_fetch_sub(&pool->state, 1);
    bool last_out = !(before & OPEN) && (before & JOINED_MASK) == 1;
    if (last_out && atomic_exchange(&pool->caller_sleeps, 0) == 1)
        futex_wake(&pool->caller_sleeps, 1);
}

/* Returns when the generation is another than `seen`. */
static void wait_for_work(rf_pool *pool, uint32_t seen)
{
    int64_t until_ns = now_ns() + pool->spin_ns;
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (atomic_load_explicit(&pool->generation, memory_order_relaxed) != seen)
                return;
            rf_pause();
        }
    } while (now_ns() < until_ns);
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (atomic_load(&pool->generation) == seen)
        futex_wait(&pool->generation, seen);
    atomic_fetch_sub(&pool->n_sleeping, 1);
}

static void *work(void *arg)
{
    rf_pool *pool = arg;
    uint32_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        wait_for_work(pool, seen);
        uint32_t newest = atomic_load(&pool->generation);
        if (join(pool, seen)) {
            take_tasks(pool);
            leave(pool);
        }
        seen = newest;
    }
    return NULL;
}

/* ---- the caller ----------------------------------------------------------------------------- */

static void wait_for_joined(rf_pool *pool)
{
    if (!(atomic_fetch_and(&pool->state, ~OPEN) & JOINED_MASK))
        return;
    int64_t until_ns = now_ns() + pool->spin_ns;
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (!(atomic_load_explicit(&pool->state, memory_order_acquire) & JOINED_MASK))
                return;
            rf_pause();
        }
    } while (now_ns() < until_ns);
    for (;;) {
        atomic_store(&pool->caller_sleeps, 1);
        if (!(atomic_load(&pool->state) & JOINED_MASK))
            break;
        futex_wait(&pool->caller_sleeps, 1);
    }
    atomic_store(&pool->caller_sleeps, 0);
}

/* Makes the run visible: the workers that spin see it by themselves, sleepers must be called. */
static void open_run(rf_pool *pool, int64_t n_tasks)
{
    uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->state, (uint64_t)generation << 32 | OPEN, memory_order_release);
    atomic_store(&pool->generation, generation);
    uint32_t n_sleeping = atomic_load(&pool->n_sleeping);
    if (n_sleeping)
        futex_wake(&pool->generation, n_tasks - 1 < n_sleeping ? (int)(n_tasks - 1) : (int)n_sleeping);
}

void rf_pool_run(rf_pool *pool, rf_pool_fn fn, void *arg, int64_t n_tasks)
{
    if (!pool || pool->n_started == 0 || n_tasks <= 1) {
        for (int64_t task = 0; task < n_tasks; task++)
            fn(arg, task);
        return;
    }
    assert(!pool->running && "runs of a pool do not nest");
    pool->running = true;
    pool->fn = fn;
    pool->arg = arg;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    open_run(pool, n_tasks);
    take_tasks(pool);
    wait_for_joined(pool);
    pool->running = false;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Signals are for the caller: a worker that took an interrupt would leave the main thread asleep. */
static rf_code start_workers(rf_pool *pool, rf_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    while (!failure && pool->n_started < pool->n_threads - 1) {
        failure = pthread_create(&pool->workers[pool->n_started], NULL, work, pool);
        if (!failure)
            pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failure)
        return RF_OK;
    errno = failure;
    return rf_fail_errno(err, RF_NO_MEMORY, "only %d of %d threads could be started; ask for fewer",
                         pool->n_started + 1, pool->n_threads);
}

rf_code rf_pool_create(rf_pool **out, int n_threads, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_pool *pool = NULL;
    *out = NULL;
    int n_cpus = rf_pool_cpu_count();
    if (n_threads == 0)
        n_threads = n_cpus < MOST_THREADS ? n_cpus : MOST_THREADS;
    if (n_threads < 1 || n_threads > MOST_THREADS)
        return rf_fail(err, RF_USAGE, "%d threads cannot be; choose 1 to %d, or 0 for all processors",
                       n_threads, MOST_THREADS);
    RF_TRY(RF_NEW_ARRAY(&pool, 1, "the team of threads", err));
    pool->n_threads = n_threads;
    pool->spin_ns = n_threads <= n_cpus ? SPIN_NS : CROWDED_SPIN_NS;
    RF_TRY(RF_NEW_ARRAY(&pool->workers, n_threads, "the team of threads", err));
    RF_TRY(start_workers(pool, err));
    *out = pool;
    pool = NULL;
out:
    rf_pool_free(pool);
    return rc;
}

void rf_pool_free(rf_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->generation, 1);
    futex_wake(&pool->generation, MOST_THREADS);
    for (int i = 0; i < pool->n_started; i++)
        pthread_join(pool->workers[i], NULL);
    rf_free(pool->workers);
    rf_free(pool);
}

int rf_pool_threads(const rf_pool *pool)
{
    return pool ? pool->n_threads : 1;
}
