/* event.h - what a worker says about a job, on its way to the scheduler.
 *
 * Each carries the attempt token under which the job was leased; the scheduler applies it only while that is still
 * the job's. `body` is one JSON object (docs/queue.md gives its fields by kind), "" when there is nothing to add.
 */
#ifndef RF_DOMAIN_EVENT_H
#define RF_DOMAIN_EVENT_H

#include <stdint.h>

/* name in the program, name on the wire, what it says */
#define RF_EVENT_KIND_TABLE(X)                                                                               \
    X(STARTED, "started", "the worker has begun")                                                            \
    X(PROGRESS, "progress", "phase, epoch, losses, percent, time left; at most two a second")                \
    X(CHECKPOINT, "checkpoint", "{key, step, sha256}: stored, and may be gone on from")                      \
    X(PART, "part", "{n, key, size_bytes, sha256, rows}: one more part of a sample is stored")               \
    X(DONE, "done", "the result: keys, sizes, sums, quality; repeated until a beat says gone")               \
    X(FAILED, "failed", "{class, message, detail}; repeated until a beat says gone")                         \
    X(RELEASED, "released", "given back unfinished: drained, or cancelled at the scheduler's wish")

typedef enum rf_event_kind {
#define RF_EVENT_KIND_ENUM(name, text, summary) RF_EVENT_##name,
    RF_EVENT_KIND_TABLE(RF_EVENT_KIND_ENUM)
#undef RF_EVENT_KIND_ENUM
        RF_EVENT_KIND_COUNT
} rf_event_kind;

typedef struct rf_event {
    rf_event_kind kind;
    int64_t job_id, token;
    int64_t worker_id;
    char *body; /* owned; rf_event_free */
} rf_event;

const char *rf_event_kind_name(rf_event_kind kind);
int rf_event_kind_find(const char *name); /* -1: none */
void rf_event_free(rf_event *event);

#endif
