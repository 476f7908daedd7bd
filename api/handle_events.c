/* A job's life as Server-Sent Events (WHATWG HTML, section 9.2).
 *
 *     id: 17                      the queue's number of the event: Last-Event-ID goes on behind it
 *     event: status
 *     data: {…}                   as GET /generation/status/{id}
 *
 *     event: end                  nothing comes after this
 *
 * A client that comes without Last-Event-ID gets the present state first. When the queue has forgotten the job's events, the
 * database's row is all that is left to tell. The stream sleeps between events; a comment goes out when it was silent
 * for long, so that those between do not take it for dead. */
#include <string.h>

#include "api/handlers.h"
#include "api/present.h"
#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/text.h"

enum { EVENTS_A_TIME = 64 };

typedef struct events {
    rfi_stream stream;
    rfi_watcher watcher;
    rf_server *server;
    rf_claims who;
    int64_t last_id;
    rf_buf pending; /* written, and not yet taken */
    size_t taken;
    bool begun, ended;
} events;

/* ---- writing ---------------------------------------------------------------------------------- */

static void put_status_event(events *e, const rf_job_view *view)
{
    rf_buf_printf(&e->pending, "id: %lld\nevent: status\ndata: ", (long long)e->last_id);
    rf_buf data;
    rf_buf_init(&data);
    rfi_put_status(&data, view, false);
    if (!data.failed)
        rf_buf_append(&e->pending, data.data, data.size_bytes);
    rf_buf_puts(&e->pending, "\n\n");
    rf_buf_free(&data);
    if (rf_job_state_is_final(view->job.state) && !e->ended) {
        rf_buf_puts(&e->pending, "event: end\ndata: {}\n\n");
        e->ended = true;
    }
}

/* An event knows its own state and progress; the rest is as the row has it now. The last one is the row. */
static void put_event(events *e, const rf_job_event *event, const rf_job_view *now)
{
    rf_job_view view = *now;
    json_t *json = json_loads(event->json, 0, NULL);
    const char *state = json_string_value(json_object_get(json, "state"));
    const int found = state ? rf_job_state_find(state) : -1;
    const json_t *progress = json_object_get(json, "progress");
    char *text = json_is_object(progress) ? json_dumps(progress, JSON_COMPACT) : NULL;
    e->last_id = event->id;
    if (!event->last && found >= 0 && !rf_job_state_is_final((rf_job_state)found)) {
        view.job.state = (rf_job_state)found;
        view.job.attempt = (int32_t)rfi_json_integer(json_object_get(json, "attempt"), view.job.attempt);
        view.job.progress = text ? text : "";
        view.queue_position = found == RF_JOB_QUEUED ? view.queue_position : 0;
        view.job.finished_ms = 0;
    }
    put_status_event(e, &view);
    free(text);
    json_decref(json);
}

/* ---- collecting ------------------------------------------------------------------------------- */

static rf_code collect(events *e, rf_arena *arena, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_event *list = NULL;
    rf_job_view view;
    int32_t n = 0;
    bool known = false;
    rf_scheduler *s = e->server->scheduler;
    RF_TRY(rf_job_events(s, e->watcher.user_id, e->watcher.job_id, e->last_id, EVENTS_A_TIME, arena, &list,
                         &n, &known, err));
    const bool must_look = n > 0 || !e->begun || atomic_exchange(&e->watcher.ping, false) || !known;
    if (!must_look)
        goto out;
    RF_TRY(rf_job_look(s, e->watcher.user_id, e->watcher.job_id, arena, &view, err));
    if (n == 0 && (!e->begun || rf_job_state_is_final(view.job.state)))
        put_status_event(e, &view);
    for (int32_t i = 0; i < n && !e->ended; i++)
        put_event(e, &list[i], &view);
    e->begun = true;
    RF_TRY(rf_buf_check(&e->pending, "an event stream", err));
out:
    return rc;
}

static void ping_if_silent(events *e)
{
    const int64_t silent_us = (int64_t)(rf_clock_s() * 1e6) - atomic_load(&e->watcher.spoke_us);
    if (silent_us > (int64_t)(e->server->set->ping_s * 1e6))
        rf_buf_puts(&e->pending, ": ping\n\n");
}

static ssize_t take_pending(events *e, char *out, size_t capacity)
{
    const size_t left = e->pending.size_bytes - e->taken, n = left < capacity ? left : capacity;
    memcpy(out, e->pending.data + e->taken, n);
    e->taken += n;
    if (e->taken == e->pending.size_bytes) {
        rf_buf_clear(&e->pending);
        e->taken = 0;
    }
    atomic_store(&e->watcher.spoke_us, (int64_t)(rf_clock_s() * 1e6));
    return (ssize_t)n;
}

static ssize_t read_events(rfi_stream *stream, char *out, size_t capacity)
{
    events *e = (events *)stream;
    rf_error err = {0};
    rf_arena arena;
    if (e->pending.size_bytes > e->taken)
        return take_pending(e, out, capacity);
    if (e->ended || atomic_load(&e->watcher.gone) || !rfi_is_welcome(e->server, &e->who))
        return RFI_STREAM_END;
    rf_arena_init(&arena);
    atomic_store(&e->watcher.told, false);
    const rf_code rc = collect(e, &arena, &err);
    rf_arena_free(&arena);
    if (rc == RF_NOT_FOUND)
        return RFI_STREAM_END; /* deleted meanwhile */
    if (rc != RF_OK)
        rf_log_failure(RF_LOG_WARNING, "api", &err); /* the next ping tries again */
    if (e->pending.size_bytes == 0)
        ping_if_silent(e);
    return e->pending.size_bytes > 0 ? take_pending(e, out, capacity) : 0;
}

static void close_events(rfi_stream *stream)
{
    events *e = (events *)stream;
    rfi_watch_remove(e->server->watch, &e->watcher);
    rf_buf_free(&e->pending);
    rfi_stream_destroy(stream);
    rf_free(e);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* Where the present state stands among the events, so that what is told first is not told again. */
static rf_code skip_to_now(rfi_call *call, int64_t job_id, int64_t *last_id, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_event *list = NULL;
    int32_t n = 0;
    bool known = true;
    do {
        RF_TRY(rf_job_events(call->server->scheduler, call->who.user_id, job_id, *last_id, EVENTS_A_TIME,
                             &call->arena, &list, &n, &known, err));
        *last_id = n > 0 ? list[n - 1].id : *last_id;
    } while (n == EVENTS_A_TIME);
out:
    return rc;
}

static rf_code open_events(rfi_call *call, int64_t job_id, int64_t last_id, bool begun, rf_error *err)
{
    rf_code rc = RF_OK;
    events *e = rf_malloc(sizeof *e);
    if (!e)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for an event stream now");
    *e = (events){.server = call->server, .who = call->who, .last_id = last_id, .begun = begun};
    rfi_stream_init(&e->stream, read_events, close_events);
    rf_buf_init(&e->pending);
    rf_buf_puts(&e->pending, "retry: 2000\n\n");
    e->watcher.stream = &e->stream;
    e->watcher.job_id = job_id;
    e->watcher.user_id = call->who.user_id;
    e->watcher.fd = call->peer ? call->peer->fd : -1;
    e->watcher.counts = true;
    RF_TRY(rfi_watch_add(call->server->watch, &e->watcher, err));
    rfi_reply_stream(call, "text/event-stream; charset=utf-8", &e->stream);
    rfi_reply_header(call, "X-Accel-Buffering", "no");
    return RF_OK;
out:
    rf_buf_free(&e->pending);
    rfi_stream_destroy(&e->stream);
    rf_free(e);
    return rc;
}

rf_code rfi_events(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view view;
    const char *header = rfi_header(call, "Last-Event-ID");
    int64_t after_id = -1, newest_id = 0;
    RF_TRY(rfi_find_request(call, call->who.user_id, &view, err));
    if (header && (!rf_parse_i64(header, strlen(header), &after_id) || after_id < 0))
        after_id = -1;
    RF_TRY(skip_to_now(call, view.job.id, &newest_id, err));
    if (after_id >= newest_id && after_id > 0 && rf_job_state_is_final(view.job.state)) {
        call->reply.kind = RFI_REPLY_TEXT; /* all was told: 204 asks the browser not to come again */
        call->reply.status = 204;
        return RF_OK;
    }
    if (call->is_head) {
        call->reply.kind = RFI_REPLY_TEXT;
        call->reply.status = 200;
        call->reply.type = "text/event-stream; charset=utf-8";
        return RF_OK;
    }
    rc = open_events(call, view.job.id, after_id < 0 ? newest_id : after_id, after_id >= 0, err);
out:
    return rc;
}
