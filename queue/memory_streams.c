/* memory_streams.c - the updates of jobs for those who watch them, and the thread that tells the listener.
 *
 * A stream keeps its last RFI_STREAM_ENTRIES entries in a ring. Ids are microseconds since 1970, raised where two would
 * be equal: they rise within a job even when its stream was forgotten between, so that somebody who comes back with the
 * last id that he saw misses nothing and sees nothing twice. Ended streams go after an hour, or earlier, the oldest
 * first, when they hold too much; others after a day of silence. A lock of its own: readers do not disturb workers.
 */
#include <pthread.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "queue/memory_state.h"

enum { SLOTS_FIRST = 8 };

struct rfi_stream {
    int64_t job_id, last_id, touched_ms;
    bool ended;
    rfi_link age;  /* in `live` or `ended`, by touched_ms     */
    rfi_link told; /* in `untold`: the listener shall hear    */
    rf_stream_entry *slots;
    int32_t n, capacity, first; /* entry i is slots[(first + i) % capacity] */
    size_t size_bytes;
};

struct rfi_streams {
    pthread_mutex_t lock;
    pthread_cond_t untold_news;
    rfi_id_map by_job;
    rfi_link live, ended, untold;
    size_t ended_bytes;
    void (*wake)(void *arg, int64_t job_id);
    void *wake_arg;
    pthread_t thread;
    bool has_thread, stopping;
};

/* ------------------------------------------------------------------ one stream */

static rf_stream_entry *entry_at(const rfi_stream *s, int32_t i)
{
    return &s->slots[(s->first + i) % s->capacity];
}

static void stream_free(struct rfi_streams *streams, rfi_stream *s)
{
    if (s->ended)
        streams->ended_bytes -= s->size_bytes;
    for (int32_t i = 0; i < s->n; i++)
        rf_free(entry_at(s, i)->json);
    rfi_link_remove(&s->age);
    rfi_link_remove(&s->told);
    rf_free(s->slots);
    rf_free(s);
}

static void drop_first(rfi_stream *s)
{
    s->size_bytes -= strlen(entry_at(s, 0)->json) + 1;
    rf_free(entry_at(s, 0)->json);
    s->first = (s->first + 1) % s->capacity;
    s->n--;
}

static rf_code make_slot(rfi_stream *s, rf_error *err)
{
    rf_stream_entry *slots = NULL;
    if (s->n < s->capacity)
        return RF_OK;
    if (s->n == RFI_STREAM_ENTRIES) {
        drop_first(s);
        return RF_OK;
    }
    const int32_t doubled = s->capacity ? 2 * s->capacity : SLOTS_FIRST;
    const int32_t capacity = doubled < RFI_STREAM_ENTRIES ? doubled : RFI_STREAM_ENTRIES;
    const rf_code rc = RF_NEW_ARRAY(&slots, capacity, "a stream of events", err);
    if (rc != RF_OK)
        return rc;
    for (int32_t i = 0; i < s->n; i++)
        slots[i] = *entry_at(s, i);
    rf_free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
    s->first = 0;
    return RF_OK;
}

static rf_code append(rfi_stream *s, const char *json, size_t size, bool last, rf_error *err)
{
    const rf_code rc = make_slot(s, err);
    if (rc != RF_OK)
        return rc;
    char *copy = rf_malloc(size);
    if (!copy)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for an event of a stream");
    memcpy(copy, json, size);
    const int64_t now_us = rf_clock_wall_us();
    s->last_id = now_us > s->last_id ? now_us : s->last_id + 1;
    s->touched_ms = now_us / 1000;
    *entry_at(s, s->n++) = (rf_stream_entry){.id = s->last_id, .last = last, .json = copy};
    s->size_bytes += size;
    return RF_OK;
}

/* ------------------------------------------------------------------ all of them */

static void forget(struct rfi_streams *streams, rfi_link *link)
{
    rfi_stream *s = RFI_OWNER(link, rfi_stream, age);
    rfi_id_map_remove(&streams->by_job, s->job_id);
    stream_free(streams, s);
}

static void sweep(struct rfi_streams *streams)
{
    const int64_t now_ms = rf_clock_wall_us() / 1000;
    for (rfi_link *link; (link = streams->ended.next) != &streams->ended;) {
        const rfi_stream *s = RFI_OWNER(link, const rfi_stream, age);
        if (s->touched_ms + RFI_STREAM_TTL_MS > now_ms && streams->ended_bytes <= RFI_STREAM_BYTES_MAX)
            break;
        forget(streams, link);
    }
    for (rfi_link *link; (link = streams->live.next) != &streams->live;) {
        if (RFI_OWNER(link, const rfi_stream, age)->touched_ms + RFI_STREAM_SILENCE_MS > now_ms)
            break;
        forget(streams, link);
    }
}

static rf_code find_or_create(struct rfi_streams *streams, int64_t job_id, rfi_stream **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_stream *s = rfi_id_map_find(&streams->by_job, job_id);
    *out = s;
    if (s)
        return RF_OK;
    RF_TRY(RF_NEW_ARRAY(&s, 1, "a stream of events", err));
    s->job_id = job_id;
    s->size_bytes = sizeof *s;
    RF_TRY(rfi_id_map_put(&streams->by_job, job_id, s, err));
    rfi_link_append(&streams->live, &s->age);
    *out = s;
    s = NULL;
out:
    rf_free(s);
    return rc;
}

static void file_by_age(struct rfi_streams *streams, rfi_stream *s, bool last, size_t size_before)
{
    if (s->ended)
        streams->ended_bytes += s->size_bytes - size_before;
    else if (last)
        streams->ended_bytes += s->size_bytes;
    s->ended |= last;
    rfi_link_remove(&s->age);
    rfi_link_append(s->ended ? &streams->ended : &streams->live, &s->age);
}

rf_code rfi_streams_add(rf_queue *q, int64_t job_id, const char *json, bool last, rf_error *err)
{
    struct rfi_streams *streams = ((rfi_memory *)(void *)q)->streams;
    const size_t size = strnlen(json, RFI_STREAM_JSON_MAX) + 1;
    rfi_stream *s = NULL;
    rf_code rc = RF_OK;
    if (size > RFI_STREAM_JSON_MAX)
        return rf_fail(err, RF_USAGE, "an event of job %lld is too large for its stream", (long long)job_id);
    pthread_mutex_lock(&streams->lock);
    RF_TRY(find_or_create(streams, job_id, &s, err));
    const size_t before = s->size_bytes;
    RF_TRY(append(s, json, size, last, err));
    file_by_age(streams, s, last, before);
    if (streams->wake && !s->told.next) {
        rfi_link_append(&streams->untold, &s->told);
        pthread_cond_signal(&streams->untold_news);
    }
    sweep(streams);
out:
    pthread_mutex_unlock(&streams->lock);
    return rc;
}

static rf_code copy_after(const rfi_stream *s, int64_t after_id, rf_stream_entry *out, int32_t max,
                          int32_t *n, rf_error *err)
{
    int32_t from = s->n;
    while (from > 0 && entry_at(s, from - 1)->id > after_id)
        from--;
    for (; from < s->n && *n < max; from++) {
        const rf_stream_entry *entry = entry_at(s, from);
        const size_t size = strlen(entry->json) + 1;
        char *copy = rf_malloc(size);
        if (!copy)
            return rf_fail(err, RF_NO_MEMORY, "there is no memory for the events of a stream");
        memcpy(copy, entry->json, size);
        out[*n] = *entry;
        out[(*n)++].json = copy;
    }
    return RF_OK;
}

rf_code rfi_streams_read(rf_queue *q, int64_t job_id, int64_t after_id, rf_stream_entry *out, int32_t max,
                         int32_t *n, bool *known, rf_error *err)
{
    struct rfi_streams *streams = ((rfi_memory *)(void *)q)->streams;
    rf_code rc = RF_OK;
    *n = 0;
    pthread_mutex_lock(&streams->lock);
    const rfi_stream *s = rfi_id_map_find(&streams->by_job, job_id);
    *known = s != NULL;
    if (s)
        rc = copy_after(s, after_id, out, max, n, err);
    pthread_mutex_unlock(&streams->lock);
    for (; rc != RF_OK && *n > 0; --*n)
        rf_free(out[*n - 1].json);
    return rc;
}

/* ------------------------------------------------------------------ the listener */

static void *tell(void *arg)
{
    struct rfi_streams *streams = arg;
    pthread_mutex_lock(&streams->lock);
    while (!streams->stopping) {
        if (streams->untold.next == &streams->untold) {
            pthread_cond_wait(&streams->untold_news, &streams->lock);
            continue;
        }
        rfi_stream *s = RFI_OWNER(streams->untold.next, rfi_stream, told);
        const int64_t job_id = s->job_id;
        rfi_link_remove(&s->told);
        pthread_mutex_unlock(&streams->lock);
        streams->wake(streams->wake_arg, job_id);
        pthread_mutex_lock(&streams->lock);
    }
    pthread_mutex_unlock(&streams->lock);
    return NULL;
}

static void end_listening(struct rfi_streams *streams)
{
    rfi_streams_stop(streams);
    pthread_mutex_lock(&streams->lock);
    streams->has_thread = streams->stopping = false;
    streams->wake = NULL;
    pthread_mutex_unlock(&streams->lock);
}

rf_code rfi_streams_listen(rf_queue *q, void (*wake)(void *arg, int64_t job_id), void *arg, rf_error *err)
{
    struct rfi_streams *streams = ((rfi_memory *)(void *)q)->streams;
    rf_code rc = RF_OK;
    if (!wake) {
        end_listening(streams);
        return RF_OK;
    }
    pthread_mutex_lock(&streams->lock);
    if (streams->has_thread)
        RF_TRY(rf_fail(err, RF_CONFLICT, "the streams of this queue have a listener already"));
    streams->wake = wake;
    streams->wake_arg = arg;
    if (pthread_create(&streams->thread, NULL, tell, streams) != 0) {
        streams->wake = NULL;
        RF_TRY(rf_fail(err, RF_IO, "no thread can be started for the streams of events"));
    }
    streams->has_thread = true;
out:
    pthread_mutex_unlock(&streams->lock);
    return rc;
}

/* ------------------------------------------------------------------ life */

rf_code rfi_streams_create(struct rfi_streams **out, rf_error *err)
{
    const rf_code rc = RF_NEW_ARRAY(out, 1, "the streams of events", err);
    if (rc != RF_OK)
        return rc;
    struct rfi_streams *streams = *out;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_cond_init(&streams->untold_news, NULL);
    rfi_link_init(&streams->live);
    rfi_link_init(&streams->ended);
    rfi_link_init(&streams->untold);
    return RF_OK;
}

void rfi_streams_stop(struct rfi_streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    const bool join = streams->has_thread && !streams->stopping;
    streams->stopping = true;
    pthread_cond_broadcast(&streams->untold_news);
    pthread_mutex_unlock(&streams->lock);
    if (join)
        pthread_join(streams->thread, NULL);
}

void rfi_streams_free(struct rfi_streams *streams)
{
    if (!streams)
        return;
    rfi_streams_stop(streams);
    size_t at = 0;
    rfi_stream *s;
    while ((s = rfi_id_map_next(&streams->by_job, &at)))
        stream_free(streams, s);
    rfi_id_map_free(&streams->by_job);
    pthread_cond_destroy(&streams->untold_news);
    pthread_mutex_destroy(&streams->lock);
    rf_free(streams);
}
