/* memory_workers.c - who works here, and what they are asked to be. */
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "queue/memory_state.h"

static void forget(rfi_memory *m, rfi_worker *worker)
{
    rfi_jobs_lose(m, worker);
    rfi_id_map_remove(&m->workers, worker->info.id);
    rf_free(worker);
    m->stir_notice = m->stir_work = true; /* its own waits end with NOT_FOUND */
}

rf_code rfi_workers_add(rfi_memory *m, const rf_worker_info *self, int64_t *id, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_worker *worker = NULL;
    RF_TRY(RF_NEW_ARRAY(&worker, 1, "a worker of the queue", err));
    worker->info = *self;
    worker->info.id = m->next_worker_id;
    worker->info.wish = RF_WORKER_RUN;
    worker->info.job_id = 0;
    worker->info.started_ms = worker->info.beat_ms = rf_clock_wall_us() / 1000;
    worker->heard_ms = m->now_ms();
    rfi_link_init(&worker->leases);
    RF_TRY(rfi_class_find(m, self->need, &worker->class, err));
    memcpy(worker->info.need, worker->class->name, sizeof worker->info.need);
    RF_TRY(rfi_id_map_put(&m->workers, worker->info.id, worker, err));
    m->next_worker_id++;
    *id = worker->info.id;
    worker = NULL;
out:
    rf_free(worker);
    return rc;
}

void rfi_workers_remove(rfi_memory *m, int64_t id)
{
    rfi_worker *worker = rfi_id_map_find(&m->workers, id);
    if (worker)
        forget(m, worker);
}

rf_code rfi_workers_find(rfi_memory *m, int64_t id, rfi_worker **out, rf_error *err)
{
    *out = rfi_id_map_find(&m->workers, id);
    return *out ? RF_OK
                : rf_fail(err, RF_NOT_FOUND, "there is no worker %lld; it must register", (long long)id);
}

/* Removing moves slots of the map: after each the walk begins anew. Few are ever silent. */
void rfi_workers_sweep(rfi_memory *m)
{
    const int64_t before_ms = m->now_ms() - m->options.worker_ttl_ms;
    rfi_worker *worker;
    for (size_t at = 0; (worker = rfi_id_map_next(&m->workers, &at));)
        if (worker->heard_ms < before_ms) {
            forget(m, worker);
            at = 0;
        }
}

/* The job in hand is the one that was leased last. */
static int64_t job_of(const rfi_worker *worker)
{
    const rfi_link *last = worker->leases.prev;
    return last == &worker->leases ? 0 : RFI_OWNER(last, const rfi_entry, of_worker)->job_id;
}

static void sort_by_id(rf_worker_info *list, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        const rf_worker_info info = list[i];
        int32_t k = i;
        for (; k > 0 && list[k - 1].id > info.id; k--)
            list[k] = list[k - 1];
        list[k] = info;
    }
}

rf_code rfi_workers_list(rfi_memory *m, rf_worker_info **out, int32_t *n, rf_error *err)
{
    size_t at = 0;
    const rfi_worker *worker;
    *n = 0;
    const rf_code rc = RF_NEW_ARRAY(out, m->workers.n, "the list of workers", err);
    if (rc != RF_OK)
        return rc;
    while ((worker = rfi_id_map_next(&m->workers, &at))) {
        (*out)[*n] = worker->info;
        (*out)[(*n)++].job_id = job_of(worker);
    }
    sort_by_id(*out, *n);
    return RF_OK;
}

void rfi_workers_free(rfi_memory *m)
{
    size_t at = 0;
    rfi_worker *worker;
    while ((worker = rfi_id_map_next(&m->workers, &at)))
        rf_free(worker);
    rfi_id_map_free(&m->workers);
}
