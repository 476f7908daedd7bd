#include "api/crew.h"

#include <pthread.h>

#include "core/alloc.h"

typedef struct work {
    struct work *next;
    rfi_task *task;
    void *arg;
} work;

struct rfi_crew {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t posted;
    work *first, **end;
    int n_waiting, waiting_max, n_threads;
    bool closing;
    pthread_t threads[];
};

static work *take(rfi_crew *crew)
{
    work *next = crew->first;
    if (!next)
        return NULL;
    crew->first = next->next;
    if (!crew->first)
        crew->end = &crew->first;
    crew->n_waiting--;
    return next;
}

static void *serve(void *arg)
{
    rfi_crew *crew = arg;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        work *next = take(crew);
        if (!next && crew->closing)
            break;
        if (!next) {
            pthread_cond_wait(&crew->posted, &crew->lock);
            continue;
        }
        pthread_mutex_unlock(&crew->lock);
        next->task(next->arg);
        rf_free(next);
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

rf_code rfi_crew_open(rfi_crew **out, int n_threads, int waiting_max, rf_error *err)
{
    rfi_crew *crew = rf_malloc(sizeof *crew + (size_t)n_threads * sizeof *crew->threads);
    if (!crew)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the threads that answer");
    *crew = (rfi_crew){.waiting_max = waiting_max};
    crew->end = &crew->first;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->posted, NULL);
    for (int i = 0; i < n_threads; i++) {
        if (pthread_create(&crew->threads[i], NULL, serve, crew) != 0) {
            rfi_crew_close(crew);
            return rf_fail(err, RF_UNAVAILABLE, "the system refused to start a thread");
        }
        crew->n_threads++;
    }
    *out = crew;
    return RF_OK;
}

void rfi_crew_close(rfi_crew *crew)
{
    if (!crew)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->closing = true;
    pthread_cond_broadcast(&crew->posted);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->n_threads; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->posted);
    pthread_mutex_destroy(&crew->lock);
    rf_free(crew);
}

static bool post(rfi_crew *crew, rfi_task *task, void *arg, bool urgent)
{
    work *next = rf_malloc(sizeof *next);
    if (!next)
        return false;
    *next = (work){.task = task, .arg = arg};
    pthread_mutex_lock(&crew->lock);
    const bool taken = urgent || crew->n_waiting < crew->waiting_max;
    if (taken) {
        *crew->end = next;
        crew->end = &next->next;
        crew->n_waiting++;
        pthread_cond_signal(&crew->posted);
    }
    pthread_mutex_unlock(&crew->lock);
    if (!taken)
        rf_free(next);
    return taken;
}

bool rfi_crew_post(rfi_crew *crew, rfi_task *task, void *arg)
{
    return post(crew, task, arg, false);
}

bool rfi_crew_post_urgent(rfi_crew *crew, rfi_task *task, void *arg)
{
    return post(crew, task, arg, true);
}

int rfi_crew_waiting(rfi_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    const int n = crew->n_waiting;
    pthread_mutex_unlock(&crew->lock);
    return n;
}
