/* jobs.c - looking at jobs, watching them, ending them. submit.c makes them. */
#include "scheduler/jobs.h"

#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ look */

static rf_code no_such_job(int64_t id, rf_error *err)
{
    return rf_fail(err, RF_NOT_FOUND, "there is no request %lld", (long long)id);
}

static rf_code add_position(rf_scheduler *s, rf_job_view *view, rf_error *err)
{
    view->queue_position = 0;
    if (view->job.state != RF_JOB_QUEUED || view->job.blocked)
        return RF_OK;
    const rf_code rc = rf_queue_position(s->queue, view->job.id, &view->queue_position, err);
    /* on its way to a worker that has not said yet that it began */
    if (rc == RF_OK && !view->queue_position && view->job.run_at_ms <= rf_scheduler_now_ms(s))
        view->queue_position = 1;
    return rc;
}

rf_code rf_job_look(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_job_view *out,
                    rf_error *err)
{
    rf_db_tx *tx = NULL;
    bool found = false;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_job_glance(tx, user_id, id, arena, &out->job, &found, err));
    if (!found) {
        rc = no_such_job(id, err);
        goto out;
    }
    RF_TRY(add_position(s, out, err));
out:
    return rc;
}

rf_code rf_job_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out, rf_error *err)
{
    rf_db_tx *tx = NULL;
    bool found = false;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_job_find(tx, user_id, id, arena, out, &found, err));
    if (!found)
        rc = no_such_job(id, err);
out:
    return rc;
}

rf_code rf_job_list(rf_scheduler *s, const rf_job_filter *filter, rf_arena *arena, rf_job_view **out,
                    int32_t *n, rf_error *err)
{
    const rf_db_job_filter wanted = {.user_id = filter->user_id,
                                     .state = filter->state,
                                     .kind = filter->kind,
                                     .before_id = filter->before_id,
                                     .limit = filter->limit};
    rf_db_tx *tx = NULL;
    rf_job *jobs = NULL;
    rf_code rc = RF_OK;
    *out = NULL;
    *n = 0;
    RFI_READ(s, tx, rf_db_jobs_list(tx, &wanted, arena, &jobs, n, err));
    rf_job_view *const views = RF_ARENA_ARRAY(arena, rf_job_view, *n ? *n : 1);
    RF_TRY(rf_arena_check(arena, "a list of requests", err));
    for (int32_t i = 0; i < *n; i++) {
        views[i].job = jobs[i];
        RF_TRY(add_position(s, &views[i], err));
    }
    *out = views;
out:
    return rc;
}

/* ------------------------------------------------------------------ watch */

static rf_code take_entries(rf_stream_entry *entries, int32_t n, rf_arena *arena, rf_job_event **out,
                            rf_error *err)
{
    rf_job_event *const events = RF_ARENA_ARRAY(arena, rf_job_event, n ? n : 1);
    for (int32_t i = 0; i < n; i++) {
        if (events)
            events[i] =
                (rf_job_event){.id = entries[i].id,
                               .last = entries[i].last,
                               .json = rf_arena_string(arena, entries[i].json, strlen(entries[i].json))};
        rf_free(entries[i].json);
    }
    *out = events;
    return rf_arena_check(arena, "updates of a request", err);
}

rf_code rf_job_events(rf_scheduler *s, int64_t user_id, int64_t id, int64_t after_id, int32_t max,
                      rf_arena *arena, rf_job_event **out, int32_t *n, bool *known, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_job job;
    rf_stream_entry *entries = NULL;
    bool found = false;
    rf_code rc = RF_OK;
    *out = NULL;
    *n = 0;
    *known = false;
    RFI_READ(s, tx, rf_db_job_glance(tx, user_id, id, arena, &job, &found, err));
    if (!found) {
        rc = no_such_job(id, err);
        goto out;
    }
    entries = RF_ARENA_ARRAY(arena, rf_stream_entry, max);
    RF_TRY(rf_arena_check(arena, "updates of a request", err));
    RF_TRY(rf_queue_stream_read(s->queue, id, after_id, entries, max, n, known, err));
    RF_TRY(take_entries(entries, *n, arena, out, err));
out:
    return rc;
}

rf_code rf_job_events_listen(rf_scheduler *s, void (*wake)(void *arg, int64_t job_id), void *arg,
                             rf_error *err)
{
    return rf_queue_stream_listen(s->queue, wake, arg, err);
}

/* ------------------------------------------------------------------ end */

typedef struct cancel_write {
    rf_scheduler *s;
    rf_db_job_cancel ask;
    rfi_effects effects;
} cancel_write;

static rf_code write_cancel(rf_db_tx *tx, void *arg, rf_error *err)
{
    cancel_write *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rf_db_job_cancel_ask(tx, &w->ask, err));
    if (w->ask.state == RF_JOB_STATE_COUNT) {
        rc = no_such_job(w->ask.id, err);
        goto out;
    }
    RF_TRY(rf_db_job_find(tx, 0, w->ask.id, &arena, &job, &found, err));
    if (w->ask.changed && w->ask.state == RF_JOB_CANCELLED) {
        rfi_effects_end(&w->effects, &job, RF_JOB_CANCELLED, "", "");
        RF_TRY(rfi_leavings_doom(tx, &job, true, w->ask.now_ms, err));
        if (job.kind == RF_JOB_PROFILE)
            RF_TRY(
                rfi_profile_failed(w->s, tx, &job, RFI_PROFILE_CANCELLED, &w->effects, w->ask.now_ms, err));
    } else if (rf_job_state_is_final(w->ask.state)) {
        if (job.kind == RF_JOB_SAMPLE) /* made in full, and nobody fetches it */
            RF_TRY(rf_db_parts_drop(tx, job.id, w->ask.now_ms, err));
    }
    if (w->ask.changed)
        rfi_effects_withdraw(&w->effects, job.id, job.token);
    RF_TRY(rfi_effects_check(&w->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_job_cancel(rf_scheduler *s, int64_t user_id, int64_t id, const char *reason, rf_job_state *state,
                      rf_error *err)
{
    cancel_write w = {
        .s = s, .ask = {.user_id = user_id, .id = id, .reason = reason, .now_ms = rf_scheduler_now_ms(s)}};
    rf_code rc = RF_OK;
    rfi_effects_init(&w.effects);
    RF_TRY(rf_db_write(s->db, write_cancel, &w, err));
    rfi_effects_run(&w.effects, s);
    *state = w.ask.state;
out:
    rfi_effects_free(&w.effects);
    return rc;
}
