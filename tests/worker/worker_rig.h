/* worker_rig.h - a worker in a thread, and the test in the scheduler's place.
 *
 *     rig_start(&r);                            queue, storage and scratch in a folder of the test's own
 *     rig_put(&r, "datasets/1/data", bytes, …)
 *     rig_offer_plan(&r, 1, &plan);
 *     rig_end_of(&r, 1, &end);                  takes words until that job's end; settles it
 *     rig_stop(&r);
 */
#ifndef WORKER_RIG_H
#define WORKER_RIG_H

#include <pthread.h>
#include <stdbool.h>

#include "domain/plan.h"
#include "domain/result.h"
#include "queue/queue.h"
#include "rf_test.h"
#include "storage/storage.h"
#include "worker/worker.h"

enum { RIG_EVENTS_MAX = 4096 };

typedef struct worker_rig {
    char folder[64];
    rf_queue *queue;
    rf_storage *storage;
    pthread_t thread;
    bool running;
    rf_code ended; /* what rf_worker_run gave */
    rf_worker_options options;
    char scratch[96];
    rf_arena arena;                  /* of what was read from events */
    rf_event events[RIG_EVENTS_MAX]; /* all that came, in order */
    int32_t n_events;
    int64_t token; /* of the last offer */
} worker_rig;

void rig_open(worker_rig *r);       /* without a worker yet: options may be changed */
void rig_start(worker_rig *r);      /* the worker's thread                          */
void rig_end_worker(worker_rig *r); /* asks it to end, and waits               */
void rig_close(worker_rig *r);

/* Stores bytes; `sha256` gets their sum. */
void rig_put(worker_rig *r, const char *key, const char *bytes, size_t size, char sha256[65]);
/* The bytes of an object; rf_buf_free. */
void rig_get(worker_rig *r, const rf_stored *stored, rf_buf *out);

void rig_offer(worker_rig *r, int64_t job_id, const rf_plan *plan);
/* Takes one more word, waiting for it. */
const rf_event *rig_next(worker_rig *r);
/* Takes words until one of this kind comes for the job. */
const rf_event *rig_until(worker_rig *r, int64_t job_id, rf_event_kind kind);
/* Takes words until the job's end comes, whatever it is, and settles the job. */
const rf_event *rig_end_of(worker_rig *r, int64_t job_id);
rf_result_done rig_done(worker_rig *r, int64_t job_id);       /* fails the test when it is another end */
rf_result_failure rig_failure(worker_rig *r, int64_t job_id); /* the same */
rf_result_released rig_released(worker_rig *r, int64_t job_id);

/* A table of `n` rows with a number, a whole number and a category, that depend on each other. */
void rig_table(rf_buf *out, int n);
/* A plan for it; the dataset is stored under datasets/1/data. */
rf_plan rig_generate_plan(worker_rig *r, int n_rows, int epochs);
/* The same with rows of a kilobyte: where bytes count and rows do not. */
rf_plan rig_generate_wide_plan(worker_rig *r, int n_rows, int epochs);

#endif
