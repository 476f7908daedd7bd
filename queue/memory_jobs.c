/* memory_jobs.c - a job's way through the queue: offered, delayed, waiting, leased, expired, gone.
 *
 * Room for every entry in both heaps and in the map is made when it is offered: after that no change of place can
 * fail, so that no job is ever left between two.
 */
#include <assert.h>
#include <string.h>

#include "core/alloc.h"
#include "domain/plan.h"
#include "queue/memory_state.h"

/* ------------------------------------------------------------------ places */

static void take_from_worker(rfi_memory *m, rfi_entry *e)
{
    rfi_due_remove(&m->leases, &e->due);
    rfi_link_remove(&e->of_worker);
    e->class->n_leased--;
    e->worker->attention = true;
    e->worker = NULL;
    m->stir_notice = true;
    rfi_lane_correct(e->lane, e->cost, (double)(m->now_ms() - e->leased_ms) / 1e3);
    if (!e->held.next)
        return;
    rfi_link_remove(&e->held);
    e->user->n_held--;
    rfi_user_settle(e->user);
    m->stir_work = true;
}

static void entry_unplace(rfi_memory *m, rfi_entry *e)
{
    switch (e->place) {
    case RFI_NOWHERE:
        break;
    case RFI_DELAYED:
        rfi_due_remove(&m->delayed, &e->due);
        e->class->n_delayed--;
        break;
    case RFI_WAITING:
        rfi_link_remove(&e->arrival);
        e->class->n_waiting--;
        rfi_lane_remove(e->lane, e);
        break;
    case RFI_LEASED:
        take_from_worker(m, e);
        break;
    case RFI_EXPIRED:
        rfi_link_remove(&e->arrival);
        break;
    }
    e->place = RFI_NOWHERE;
}

static void place_delayed(rfi_memory *m, rfi_entry *e, int64_t due_ms)
{
    rfi_due_push(&m->delayed, &e->due, (double)due_ms);
    e->class->n_delayed++;
    e->place = RFI_DELAYED;
}

static void place_waiting(rfi_memory *m, rfi_entry *e)
{
    e->class->n_waiting++;
    rfi_link_append(&e->class->arrivals, &e->arrival);
    rfi_lane_add(e->lane, e);
    e->place = RFI_WAITING;
    m->stir_work = true;
}

static void place_leased(rfi_memory *m, rfi_entry *e, rfi_worker *worker)
{
    rfi_due_push(&m->leases, &e->due, (double)(m->now_ms() + m->options.lease_ms));
    rfi_link_append(&worker->leases, &e->of_worker);
    e->worker = worker;
    e->worker_id = worker->info.id;
    e->leased_ms = m->now_ms();
    e->class->n_leased++;
    e->place = RFI_LEASED;
    if (e->unlimited)
        return;
    rfi_link_append(&e->user->held, &e->held);
    e->user->n_held++;
    rfi_user_settle(e->user);
}

static void place_expired(rfi_memory *m, rfi_entry *e, bool lost)
{
    rfi_link_append(&m->expired, &e->arrival);
    e->lost = lost;
    e->place = RFI_EXPIRED;
}

/* ------------------------------------------------------------------ entries */

/* What was said of an earlier attempt still waits to be taken, but is nobody's to replace. */
static void forget_words(rfi_entry *e)
{
    if (e->progress)
        e->progress->entry = NULL;
    if (e->end)
        e->end->entry = NULL;
    e->progress = e->end = NULL;
}

static void entry_leave_user(rfi_memory *m, rfi_entry *e)
{
    rfi_user *user = e->user;
    e->user = NULL;
    e->lane = NULL;
    if (!user)
        return;
    user->n_entries--;
    (void)rfi_user_forget(m, user);
}

static void entry_end(rfi_memory *m, rfi_entry *e)
{
    entry_unplace(m, e);
    forget_words(e);
    rfi_id_map_remove(&m->entries, e->job_id);
    entry_leave_user(m, e);
    rf_free(e->plan);
    rf_free(e);
}

static rf_code make_room(rfi_memory *m, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_due_reserve(&m->delayed, m->entries.n + 1, err));
    RF_TRY(rfi_due_reserve(&m->leases, m->entries.n + 1, err));
out:
    return rc;
}

static rf_code entry_create(rfi_memory *m, int64_t job_id, rfi_entry **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_entry *e = NULL;
    RF_TRY(make_room(m, err));
    RF_TRY(RF_NEW_ARRAY(&e, 1, "a job of the queue", err));
    e->job_id = e->due.id = e->rank.id = job_id;
    RF_TRY(rfi_id_map_put(&m->entries, job_id, e, err));
    *out = e;
    e = NULL;
out:
    rf_free(e);
    return rc;
}

static rf_code check_offer(const rf_offer *offer, size_t *plan_size, rf_error *err)
{
    *plan_size = offer->plan ? strnlen(offer->plan, RF_PLAN_BYTES_MAX + 1) : 0;
    if (offer->job_id < 1 || offer->token < 0)
        return rf_fail(err, RF_USAGE, "an offer needs a job and a token");
    if (offer->priority < 0 || offer->priority > RF_PRIORITY_MAX)
        return rf_fail(err, RF_USAGE, "priority %d of job %lld is not within 0 to %d", offer->priority,
                       (long long)offer->job_id, RF_PRIORITY_MAX);
    if (*plan_size > RF_PLAN_BYTES_MAX)
        return rf_fail(err, RF_USAGE, "the plan of job %lld is too large", (long long)offer->job_id);
    return RF_OK;
}

static void entry_fill(rfi_entry *e, const rf_offer *offer, char *plan, rfi_lane *lane, int64_t age_ms)
{
    rf_free(e->plan);
    e->plan = plan;
    e->token = offer->token;
    e->kind = offer->kind;
    e->unlimited = offer->unlimited;
    e->user_limit = offer->user_limit;
    e->priority = offer->priority;
    e->created_ms = offer->created_ms;
    e->cost = offer->cost > 0 && offer->cost < 1e12 ? offer->cost : 1;
    e->cancelled = e->lost = false;
    e->credit = 0;
    e->rank.score = offer->created_ms - age_ms * offer->priority;
    e->lane = lane;
    e->class = lane->class;
}

static void entry_renew(rfi_memory *m, rfi_entry *e, const rf_offer *offer, char *plan, rfi_lane *lane)
{
    rfi_user *before = e->user;
    entry_unplace(m, e);
    forget_words(e);
    entry_fill(e, offer, plan, lane, m->options.age_ms);
    e->user = lane->user;
    e->user->n_entries++;
    if (before && --before->n_entries == 0 && before != e->user)
        (void)rfi_user_forget(m, before);
    if (offer->delay_ms > 0)
        place_delayed(m, e, m->now_ms() + offer->delay_ms);
    else
        place_waiting(m, e);
}

rf_code rfi_jobs_offer(rfi_memory *m, const rf_offer *offer, rf_error *err)
{
    rf_code rc = RF_OK;
    size_t plan_size = 0;
    rfi_class *class = NULL;
    rfi_lane *lane = NULL;
    char *plan = NULL;
    rfi_entry *e = rfi_id_map_find(&m->entries, offer->job_id);
    RF_TRY(check_offer(offer, &plan_size, err));
    if (e && offer->token <= e->token)
        goto out;
    RF_TRY(rfi_class_find(m, offer->need, &class, err));
    RF_TRY(rfi_lane_find(m, class, offer->user_id, &lane, err));
    plan = rf_malloc(plan_size + 1);
    if (!plan)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory for a job's plan"));
    memcpy(plan, plan_size ? offer->plan : "", plan_size);
    plan[plan_size] = '\0';
    if (!e)
        RF_TRY(entry_create(m, offer->job_id, &e, err));
    entry_renew(m, e, offer, plan, lane);
    plan = NULL;
out:
    rf_free(plan);
    return rc;
}

/* ------------------------------------------------------------------ the scheduler's other verbs */

void rfi_jobs_settle(rfi_memory *m, const rf_lease_id *ended)
{
    rfi_entry *e = rfi_id_map_find(&m->entries, ended->job_id);
    if (e && ended->token >= e->token)
        entry_end(m, e);
}

void rfi_jobs_withdraw(rfi_memory *m, int64_t job_id, int64_t token)
{
    rfi_entry *e = rfi_id_map_find(&m->entries, job_id);
    if (!e || token < e->token)
        return;
    if (e->place == RFI_WAITING || e->place == RFI_DELAYED) {
        entry_end(m, e);
    } else if (e->place == RFI_LEASED) {
        e->cancelled = true;
        e->worker->attention = true;
        m->stir_notice = true;
    }
}

void rfi_jobs_credit(rfi_memory *m, int64_t job_id, int64_t token, int64_t parts)
{
    rfi_entry *e = rfi_id_map_find(&m->entries, job_id);
    if (!e || e->token != token || e->place != RFI_LEASED || parts <= e->credit)
        return;
    e->credit = parts;
    e->worker->attention = true;
    m->stir_notice = true;
}

void rfi_jobs_expire(rfi_memory *m)
{
    const double now = (double)m->now_ms();
    for (rfi_due *due; (due = rfi_due_first(&m->leases)) && due->key <= now;) {
        rfi_entry *e = RFI_OWNER(due, rfi_entry, due);
        entry_unplace(m, e);
        place_expired(m, e, false);
    }
}

void rfi_jobs_lose(rfi_memory *m, rfi_worker *worker)
{
    while (worker->leases.next != &worker->leases) {
        rfi_entry *e = RFI_OWNER(worker->leases.next, rfi_entry, of_worker);
        entry_unplace(m, e);
        place_expired(m, e, true);
    }
}

void rfi_jobs_promote(rfi_memory *m)
{
    const double now = (double)m->now_ms();
    for (rfi_due *due; (due = rfi_due_first(&m->delayed)) && due->key <= now;) {
        rfi_entry *e = RFI_OWNER(due, rfi_entry, due);
        entry_unplace(m, e);
        place_waiting(m, e);
    }
}

int64_t rfi_jobs_position(rfi_memory *m, int64_t job_id)
{
    const rfi_entry *e = rfi_id_map_find(&m->entries, job_id);
    return e && e->place == RFI_WAITING ? rfi_lane_position(e->lane, e) : 0;
}

/* ------------------------------------------------------------------ a worker's verbs */

static bool may_lease(const rfi_memory *m, const rfi_worker *worker)
{
    return worker->info.wish == RF_WORKER_RUN && !m->all_paused && !worker->class->paused;
}

rf_code rfi_jobs_lease(rfi_memory *m, rfi_worker *worker, rf_lease *out, rf_error *err)
{
    rfi_jobs_promote(m);
    rfi_entry *e = may_lease(m, worker) ? rfi_class_next(worker->class) : NULL;
    if (!e)
        return RF_OK;
    const size_t size = strlen(e->plan) + 1;
    char *plan = rf_malloc(size);
    if (!plan)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for a job's plan");
    memcpy(plan, e->plan, size);
    rfi_lane_charge(e->lane, e->cost);
    entry_unplace(m, e);
    place_leased(m, e, worker);
    *out = (rf_lease){.job_id = e->job_id,
                      .token = e->token,
                      .user_id = e->user->id,
                      .kind = e->kind,
                      .lease_ms = m->options.lease_ms,
                      .plan = plan};
    return RF_OK;
}

void rfi_jobs_beat(rfi_memory *m, rfi_worker *worker, rf_beat *beat)
{
    rfi_entry *e = rfi_id_map_find(&m->entries, beat->job_id);
    beat->credit = 0;
    beat->answer = RF_BEAT_GONE;
    if (!e || e->token != beat->token || e->place != RFI_LEASED || e->worker != worker)
        return;
    rfi_due_move(&m->leases, &e->due, (double)(m->now_ms() + m->options.lease_ms));
    beat->answer = e->cancelled ? RF_BEAT_CANCEL : RF_BEAT_OK;
    beat->credit = e->credit;
}

void rfi_jobs_free(rfi_memory *m)
{
    size_t at = 0;
    rfi_entry *e;
    while ((e = rfi_id_map_next(&m->entries, &at))) {
        rf_free(e->plan);
        rf_free(e);
    }
    rfi_id_map_free(&m->entries);
    rfi_due_free(&m->delayed);
    rfi_due_free(&m->leases);
}
