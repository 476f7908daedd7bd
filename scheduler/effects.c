/* effects.c - what follows from a commit: offers, settled leases, updates for those who watch. */
#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

void rfi_effects_init(rfi_effects *effects)
{
    *effects = (rfi_effects){0};
    rf_arena_init(&effects->arena);
}

void rfi_effects_reset(rfi_effects *effects)
{
    rf_arena_free(&effects->arena);
    rfi_effects_init(effects);
}

void rfi_effects_free(rfi_effects *effects)
{
    rf_arena_free(&effects->arena);
}

rf_code rfi_effects_check(const rfi_effects *effects, rf_error *err)
{
    return rf_arena_check(&effects->arena, "what follows from a change", err);
}

/* ------------------------------------------------------------------ lists that grow in the arena */

/* Room for one more; NULL when there is no memory, which the arena remembers. */
static void *add(rf_arena *arena, void **list, int32_t *n, int32_t *room, size_t size)
{
    if (*n == *room) {
        const int32_t wider = *room ? 2 * *room : 8;
        void *const grown = rf_arena_alloc(arena, (size_t)wider, size);
        if (!grown)
            return NULL;
        if (*n)
            memcpy(grown, *list, (size_t)*n * size);
        *list = grown;
        *room = wider;
    }
    return (char *)*list + (size_t)(*n)++ * size;
}

#define ADD(effects, list)                                                                                   \
    add(&(effects)->arena, (void **)&(effects)->list, &(effects)->n_##list, &(effects)->room_##list,         \
        sizeof *(effects)->list)

static const char *keep(rf_arena *arena, const char *text)
{
    return rf_arena_string(arena, text, strlen(text));
}

/* ------------------------------------------------------------------ wishes */

void rfi_effects_offer(rfi_effects *effects, rf_scheduler *s, const rf_job *job)
{
    rf_offer *const offer = ADD(effects, offers);
    if (!offer)
        return;
    *offer = rfi_offer_of(s, job, &effects->arena);
    offer->plan = keep(&effects->arena, offer->plan);
    offer->need = keep(&effects->arena, offer->need);
}

static void add_lease(rf_lease_id *slot, int64_t job_id, int64_t token, int64_t number)
{
    if (slot)
        *slot = (rf_lease_id){.job_id = job_id, .token = token, .worker_id = number};
}

void rfi_effects_settle(rfi_effects *effects, int64_t job_id, int64_t token)
{
    add_lease(ADD(effects, settled), job_id, token, 0);
}

void rfi_effects_withdraw(rfi_effects *effects, int64_t job_id, int64_t token)
{
    add_lease(ADD(effects, withdrawn), job_id, token, 0);
}

void rfi_effects_credit(rfi_effects *effects, int64_t job_id, int64_t token, int64_t parts)
{
    add_lease(ADD(effects, credited), job_id, token, parts);
}

void rfi_effects_update(rfi_effects *effects, const rf_job *job, rf_job_state state, const char *progress)
{
    if (job->kind == RF_JOB_NOOP)
        return;
    rfi_update *const update = ADD(effects, updates);
    if (!update)
        return;
    rf_buf json;
    rf_buf_init(&json);
    rf_buf_printf(&json, "{\"state\":\"%s\",\"attempt\":%d,\"progress\":%s}", rf_job_state_name(state),
                  job->attempt, *progress ? progress : "null");
    *update = (rfi_update){.job_id = job->id, .last = rf_job_state_is_final(state)};
    if (json.failed)
        effects->arena.failed = true;
    else
        update->json = rf_arena_string(&effects->arena, json.data, json.size_bytes);
    rf_buf_free(&json);
}

static void add_ending(rfi_effects *effects, const rf_job *job, rf_job_state state, const char *error_class,
                       const char *message)
{
    rfi_ending *const ending = ADD(effects, ends);
    if (ending)
        *ending = (rfi_ending){.job_id = job->id,
                               .user_id = job->user_id,
                               .kind = job->kind,
                               .state = state,
                               .error_class = keep(&effects->arena, error_class),
                               .message = keep(&effects->arena, message)};
}

void rfi_effects_end(rfi_effects *effects, const rf_job *job, rf_job_state state, const char *error_class,
                     const char *message)
{
    rfi_effects_settle(effects, job->id, job->token);
    rfi_effects_update(effects, job, state, state == RF_JOB_COMPLETED ? "" : job->progress);
    add_ending(effects, job, state, error_class, message);
}

void rfi_effects_again(rfi_effects *effects, const rf_job *job, const char *error_class, const char *message)
{
    rfi_effects_update(effects, job, RF_JOB_QUEUED, "");
    add_ending(effects, job, RF_JOB_QUEUED, error_class, message);
    effects->retries++;
}

/* ------------------------------------------------------------------ carried out */

static void note_failure(rf_code rc, const char *what, rf_error *err)
{
    if (rc == RF_OK)
        return;
    rf_error_context(err, "%s", what);
    rf_log_failure(RF_LOG_WARNING, "scheduler", err);
}

static void log_ending(const rfi_ending *e)
{
    const rf_log_pair pairs[] = {RF_LOG_NUMBER("job", e->job_id),
                                 RF_LOG_TEXT("kind", rf_job_kind_name(e->kind)),
                                 RF_LOG_TEXT("state", rf_job_state_name(e->state)),
                                 RF_LOG_TEXT("class", e->error_class), RF_LOG_TEXT("reason", e->message)};
    rf_log_write(&(rf_log_event){.level = e->state == RF_JOB_FAILED ? RF_LOG_WARNING : RF_LOG_INFO,
                                 .module = "scheduler",
                                 .user_id = e->user_id,
                                 .message = e->state == RF_JOB_QUEUED ? "an attempt ended, the job goes again"
                                                                      : "a job ended",
                                 .metadata = pairs,
                                 .n_metadata = *e->error_class ? 5 : 3});
}

static void count(const rfi_effects *effects, rf_scheduler *s)
{
    for (int32_t i = 0; i < effects->n_ends; i++) {
        const rfi_ending *const e = &effects->ends[i];
        atomic_fetch_add_explicit(&s->ended[e->kind][e->state], 1, memory_order_relaxed);
        if (e->kind != RF_JOB_NOOP) /* its checkpoint, or parts that nobody will fetch */
            rfi_doomed_now(s);
        if (e->kind != RF_JOB_NOOP || e->state == RF_JOB_FAILED)
            log_ending(e);
    }
    atomic_fetch_add_explicit(&s->crashes, effects->crashes, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->retries, effects->retries, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->fenced, effects->fenced, memory_order_relaxed);
}

static void tell_watchers(const rfi_effects *effects, rf_scheduler *s)
{
    for (int32_t i = 0; i < effects->n_updates; i++) {
        const rfi_update *const u = &effects->updates[i];
        rf_error err = {0};
        note_failure(rf_queue_stream_add(s->queue, u->job_id, u->json, u->last, &err), "update", &err);
    }
}

void rfi_effects_run(rfi_effects *effects, rf_scheduler *s)
{
    rf_error err = {0};
    count(effects, s);
    if (effects->n_settled)
        note_failure(rf_queue_settle(s->queue, effects->settled, effects->n_settled, &err), "settle", &err);
    for (int32_t i = 0; i < effects->n_withdrawn; i++)
        note_failure(
            rf_queue_withdraw(s->queue, effects->withdrawn[i].job_id, effects->withdrawn[i].token, &err),
            "withdraw", &err);
    if (effects->n_offers) {
        const rf_code rc = rf_queue_offer(s->queue, effects->offers, effects->n_offers, &err);
        note_failure(rc, "offer", &err);
        for (int32_t i = 0; rc == RF_OK && i < effects->n_offers; i++)
            rfi_outbox_made(s, effects->offers[i].job_id, effects->offers[i].token);
    }
    for (int32_t i = 0; i < effects->n_credited; i++)
        note_failure(rf_queue_credit(s->queue, effects->credited[i].job_id, effects->credited[i].token,
                                     effects->credited[i].worker_id, &err),
                     "credit", &err);
    tell_watchers(effects, s);
}
