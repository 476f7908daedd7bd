/* The stream is in one of these phases; whose turn it is to touch the rest of it follows from the phase.
 *
 *     WAITING ──told, or a ping──► FETCHING ──a part──► SENDING ──all sent──► FETCHING ──no more──► ENDED
 *        ▲                            │                                          │
 *        └────────none yet────────────┘                                          └──failed──► FAILED
 *
 * FETCHING belongs to a task of the crew (it asks the database), every other phase to the event thread. The two hand the
 * stream to each other through the phase alone; the task's own hold on it keeps it alive when the client leaves meanwhile. */
#include "api/sampled.h"

#include <stdatomic.h>

#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/log.h"
#include "scheduler/artifacts.h"
#include "scheduler/jobs.h"

typedef enum phase { WAITING, FETCHING, SENDING, ENDED, FAILED } phase;

typedef struct sampled {
    rfi_stream stream;
    rfi_watcher watcher;
    rf_server *server;
    rf_claims who;
    _Atomic int phase;
    bool has_conditions;
    int64_t part; /* that is being sent, or was; -1: none */
    rf_error why; /* of FAILED */
    rf_download *download;
    _Atomic int holders;
    pthread_mutex_t
        lock; /* of `closed`, and held while a task wakes the stream; never taken under the stream's */
    bool closed;
} sampled;

static void let_go(sampled *s)
{
    if (atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    rf_download_close(s->download);
    rfi_stream_destroy(&s->stream);
    pthread_mutex_destroy(&s->lock);
    rf_free(s);
}

/* ---- on the crew -------------------------------------------------------------------------------- */

/* The worker found something wrong with what was asked, or something happened to it. */
static void note_failure(sampled *s, const rf_sample_next *next, rf_arena *arena)
{
    rf_job_view view;
    rf_error err = {0};
    const char *message = next->error && *next->error ? next->error : "the sample was ended";
    const bool found =
        rf_job_look(s->server->scheduler, s->watcher.user_id, s->watcher.job_id, arena, &view, &err) == RF_OK;
    const bool permanent = found && rf_failure_find(view.job.error_class) == RF_FAILURE_PERMANENT;
    const rf_code code = next->state == RF_JOB_CANCELLED ? RF_CONFLICT
                         : permanent                     ? RF_INPUT
                                                         : RF_UNAVAILABLE;
    s->why = (rf_error){0};
    s->why.code = rf_fail(&s->why, code, "%s", message);
    if (code == RF_INPUT && s->has_conditions)
        rf_error_context(&s->why, "conditions");
}

static phase fetch_next(sampled *s)
{
    rf_error err = {0};
    rf_arena arena;
    rf_sample_next next = {0};
    rf_scheduler *scheduler = s->server->scheduler;
    phase then = FAILED;
    rf_arena_init(&arena);
    if (!rfi_is_welcome(s->server, &s->who)) {
        s->why.code = rf_fail(&s->why, RF_UNAUTHENTICATED, "this session has ended; log in again");
        rf_arena_free(&arena);
        return FAILED;
    }
    rf_code rc =
        s->part < 0 ? RF_OK : rf_sample_sent(scheduler, s->watcher.user_id, s->watcher.job_id, s->part, &err);
    if (rc == RF_OK) {
        s->part = -1;
        rc = rf_sample_next_part(scheduler, s->watcher.user_id, s->watcher.job_id, &arena, &next, &err);
    }
    if (rc != RF_OK) {
        rf_log_failure(RF_LOG_ERROR, "api", &err);
        s->why = err;
    } else if (next.step == RF_SAMPLE_PART) {
        s->part = next.n;
        s->download = next.download;
        then = SENDING;
    } else if (next.step == RF_SAMPLE_WAIT)
        then = WAITING;
    else if (next.step == RF_SAMPLE_END)
        then = ENDED;
    else
        note_failure(s, &next, &arena);
    rf_arena_free(&arena);
    return then;
}

static void fetch(void *arg)
{
    sampled *s = arg;
    const phase then = fetch_next(s);
    atomic_store(&s->phase, then);
    pthread_mutex_lock(&s->lock);
    if (!s->closed)
        rfi_stream_wake(&s->stream);
    pthread_mutex_unlock(&s->lock);
    let_go(s);
}

/* Cancels a job whose client has left; one that has ended stays as it is. */
typedef struct farewell {
    rf_scheduler *scheduler;
    int64_t user_id, job_id;
} farewell;

static void abandon(void *arg)
{
    const farewell *f = arg;
    rf_error err = {0};
    rf_job_state state;
    if (rf_job_cancel(f->scheduler, f->user_id, f->job_id, "abandoned", &state, &err) != RF_OK)
        rf_log_failure(RF_LOG_WARNING, "api", &err);
    rf_free(arg);
}

/* ---- on the event thread -------------------------------------------------------------------------- */

static void begin_fetch(sampled *s)
{
    atomic_fetch_add(&s->holders, 1);
    atomic_store(&s->phase, FETCHING);
    if (!rfi_crew_post_urgent(s->server->crew, fetch, s)) {
        atomic_store(&s->phase, FAILED);
        let_go(s);
    }
}

/* Both are taken note of: a ping beside news would ask twice. */
static bool has_news(sampled *s)
{
    const bool told = atomic_exchange(&s->watcher.told, false);
    const bool ping = atomic_exchange(&s->watcher.ping, false);
    return told || ping;
}

static ssize_t send_part(sampled *s, char *out, size_t capacity)
{
    rf_error err = {0};
    size_t n = 0;
    if (rf_download_read(s->download, out, capacity, &n, &err) != RF_OK) {
        rf_log_failure(RF_LOG_ERROR, "api", &err);
        return RFI_STREAM_BROKEN;
    }
    if (n > 0)
        return (ssize_t)n;
    rf_download_close(s->download);
    s->download = NULL;
    begin_fetch(s);
    return 0;
}

static ssize_t read_sampled(rfi_stream *stream, char *out, size_t capacity)
{
    sampled *s = (sampled *)stream;
    if (atomic_load(&s->watcher.gone))
        return RFI_STREAM_BROKEN;
    switch ((phase)atomic_load(&s->phase)) {
    case WAITING:
        if (has_news(s))
            begin_fetch(s);
        return 0;
    case FETCHING:
        return 0;
    case SENDING:
        return send_part(s, out, capacity);
    case ENDED:
        return RFI_STREAM_END;
    case FAILED:
        break;
    }
    return RFI_STREAM_BROKEN;
}

/* Nothing is sent before it is known that there is something to send. */
static bool decide_sampled(rfi_call *call)
{
    sampled *s = (sampled *)call->reply.stream;
    const phase now = (phase)atomic_load(&s->phase);
    const bool gone = atomic_load(&s->watcher.gone);
    if (!gone && (now == WAITING || now == FETCHING)) {
        if (now == WAITING && has_news(s))
            begin_fetch(s);
        return false;
    }
    if (gone || now == FAILED) {
        call->reply.stream = NULL;
        call->reply.n_headers = 0;
        if (gone)
            rfi_reply_failure(call, RFI_UNAVAILABLE, "the server is about to stop", NULL);
        else
            rfi_reply_error(call, &s->why);
        s->stream.close(&s->stream);
    }
    return true;
}

static void close_sampled(rfi_stream *stream)
{
    sampled *s = (sampled *)stream;
    rfi_watch_remove(s->server->watch, &s->watcher);
    if (atomic_load(&s->phase) != ENDED) {
        farewell *f = rf_malloc(sizeof *f);
        if (f) {
            *f = (farewell){s->server->scheduler, s->watcher.user_id, s->watcher.job_id};
            if (!rfi_crew_post_urgent(s->server->crew, abandon, f))
                rf_free(f);
        }
    }
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    let_go(s);
}

rf_code rfi_reply_sampled(rfi_call *call, int64_t job_id, const char *type, rf_error *err)
{
    rf_code rc = RF_OK;
    sampled *s = rf_malloc(sizeof *s);
    if (!s)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the sample now");
    *s = (sampled){.server = call->server,
                   .who = call->who,
                   .has_conditions = json_object_size(json_object_get(call->json, "conditions")) > 0,
                   .part = -1};
    rfi_stream_init(&s->stream, read_sampled, close_sampled);
    pthread_mutex_init(&s->lock, NULL);
    atomic_store(&s->phase, WAITING);
    atomic_store(&s->holders, 1);
    s->watcher.stream = &s->stream;
    s->watcher.job_id = job_id;
    s->watcher.user_id = call->who.user_id;
    s->watcher.fd = call->peer ? call->peer->fd : -1;
    atomic_store(&s->watcher.told, true); /* parts may be there already */
    rc = rfi_watch_add(call->server->watch, &s->watcher, err);
    if (rc == RF_OK) {
        rfi_reply_stream(call, type, &s->stream);
        call->decide = decide_sampled;
    } else
        let_go(s);
    return rc;
}
