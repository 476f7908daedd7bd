/* queue.c - the header's verbs, handed to whichever side the caller was given. */
#include "queue/queue.h"

#include <string.h>

#include "core/alloc.h"
#include "domain/result.h"
#include "queue/queue_seam.h"

static rf_code not_here(const rf_queue *queue, const char *verb, rf_error *err)
{
    return rf_fail(err, RF_NOT_AVAILABLE, "the %s side of the queue does not %s", queue->type->name, verb);
}

#define PASS(verb, what, ...)                                                                                \
    return queue->type->verb ? queue->type->verb(queue, __VA_ARGS__) : not_here(queue, what, err)

void rf_queue_close(rf_queue *queue)
{
    if (queue)
        queue->type->close(queue);
}

void rf_lease_free(rf_lease *lease)
{
    if (!lease)
        return;
    rf_free(lease->plan);
    lease->plan = NULL;
}

rf_code rf_queue_serve_fd(rf_queue *queue, int fd, rf_error *err)
{
    PASS(serve_fd, "serve sockets", fd, err);
}

/* ------------------------------------------------------------------ the scheduler's verbs */

rf_code rf_queue_offer(rf_queue *queue, const rf_offer *offers, int32_t n, rf_error *err)
{
    PASS(offer, "take offers", offers, n, err);
}

rf_code rf_queue_settle(rf_queue *queue, const rf_lease_id *ended, int32_t n, rf_error *err)
{
    PASS(settle, "settle", ended, n, err);
}

rf_code rf_queue_withdraw(rf_queue *queue, int64_t job_id, int64_t token, rf_error *err)
{
    PASS(withdraw, "withdraw", job_id, token, err);
}

rf_code rf_queue_credit(rf_queue *queue, int64_t job_id, int64_t token, int64_t parts, rf_error *err)
{
    PASS(credit, "take credit", job_id, token, parts, err);
}

rf_code rf_queue_expired(rf_queue *queue, rf_lease_id *out, int32_t max, int32_t *n, rf_error *err)
{
    PASS(expired, "list leases", out, max, n, err);
}

rf_code rf_queue_events_take(rf_queue *queue, rf_event *out, int32_t max, int64_t timeout_ms, int32_t *n,
                             rf_error *err)
{
    PASS(events_take, "hand out events", out, max, timeout_ms, n, err);
}

void rf_queue_poke(rf_queue *queue)
{
    if (queue->type->poke)
        queue->type->poke(queue);
}

rf_code rf_queue_pause(rf_queue *queue, const char *need, bool paused, rf_error *err)
{
    PASS(pause, "pause", need, paused, err);
}

rf_code rf_queue_epoch(rf_queue *queue, uint64_t *out, rf_error *err)
{
    PASS(epoch, "tell its epoch", out, err);
}

rf_code rf_queue_position(rf_queue *queue, int64_t job_id, int64_t *out, rf_error *err)
{
    PASS(position, "tell positions", job_id, out, err);
}

rf_code rf_queue_depths(rf_queue *queue, rf_queue_depth **out, int32_t *n, rf_error *err)
{
    PASS(depths, "tell depths", out, n, err);
}

rf_code rf_queue_workers(rf_queue *queue, rf_worker_info **out, int32_t *n, rf_error *err)
{
    PASS(workers, "list workers", out, n, err);
}

rf_code rf_queue_worker_wish(rf_queue *queue, int64_t worker_id, rf_worker_wish wish, rf_error *err)
{
    PASS(worker_wish, "steer workers", worker_id, wish, err);
}

/* ------------------------------------------------------------------ a worker's verbs */

rf_code rf_queue_register(rf_queue *queue, const rf_worker_info *self, int64_t *worker_id, rf_error *err)
{
    PASS(enlist, "register workers", self, worker_id, err);
}

rf_code rf_queue_lease(rf_queue *queue, int64_t worker_id, int64_t timeout_ms, rf_lease *out, rf_error *err)
{
    *out = (rf_lease){0};
    PASS(lease, "lease", worker_id, timeout_ms, out, err);
}

rf_code rf_queue_beat(rf_queue *queue, int64_t worker_id, int64_t rss_bytes, rf_beat *beats, int32_t n,
                      rf_worker_wish *wish, rf_error *err)
{
    if (n < 0 || n > RF_BEATS_MAX)
        return rf_fail(err, RF_USAGE, "a beat is of at most %d jobs, not %d", RF_BEATS_MAX, (int)n);
    PASS(beat, "take beats", worker_id, rss_bytes, beats, n, wish, err);
}

rf_code rf_queue_beat_wait(rf_queue *queue, int64_t worker_id, int64_t timeout_ms, rf_error *err)
{
    PASS(beat_wait, "let beats wait", worker_id, timeout_ms, err);
}

rf_code rf_queue_send(rf_queue *queue, const rf_event *event, rf_error *err)
{
    if (event->body && strnlen(event->body, RF_RESULT_BYTES_MAX + 1) > RF_RESULT_BYTES_MAX)
        return rf_fail(err, RF_USAGE, "an event of job %lld has more than %d bytes", (long long)event->job_id,
                       (int)RF_RESULT_BYTES_MAX);
    PASS(send, "take events", event, err);
}

/* ------------------------------------------------------------------ streams */

rf_code rf_queue_stream_add(rf_queue *queue, int64_t job_id, const char *json, bool last, rf_error *err)
{
    PASS(stream_add, "keep streams", job_id, json, last, err);
}

rf_code rf_queue_stream_read(rf_queue *queue, int64_t job_id, int64_t after_id, rf_stream_entry *out,
                             int32_t max, int32_t *n, bool *known, rf_error *err)
{
    PASS(stream_read, "keep streams", job_id, after_id, out, max, n, known, err);
}

rf_code rf_queue_stream_listen(rf_queue *queue, void (*wake)(void *arg, int64_t job_id), void *arg,
                               rf_error *err)
{
    PASS(stream_listen, "keep streams", wake, arg, err);
}
