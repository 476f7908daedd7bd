/* queue.h - delivery: jobs to workers, words about them back, and nothing that is true only here.
 *
 * The database says what a job is; a queue holds hints of it and may be wiped at any moment: the reconciler offers
 * again what is missing. One header, two sides: the queue inside the process (queue_memory.c), which child workers
 * reach over a socket pair, and Redis (later). Callers never ask which side they were given.
 *
 *     scheduler                                     worker
 *     rf_queue_open_memory(&q, &options, err)       rf_queue_connect_fd(&q, fd, err)
 *     rf_queue_offer(q, offers, n, err)             rf_queue_register(q, &self, &worker_id, err)
 *     rf_queue_events_take(q, list, 200, 50, &n)    rf_queue_lease(q, worker_id, 1000, &lease, err)
 *     … apply them to the database …                rf_queue_send(q, &event, err)          started
 *     rf_queue_settle(q, settled, n, err)           rf_queue_beat(q, worker_id, beats, n, &order, err)
 *     rf_queue_expired(q, leases, 100, &n, err)     rf_queue_send(q, &event, err)          done, until `gone`
 *
 * An offer is known by (job, token): the same again does nothing, a higher token wins, a lower one does nothing.
 * A job is leased to one worker at a time; the lease ends by its deadline (monotonic clock of the queue), by settle,
 * or at once when the worker's connection closes. Times of offers are the database's, in ms since 1970.
 *
 * Threads: any function, from any thread. Everything handed in is copied; what comes out is the caller's to free.
 */
#ifndef RF_QUEUE_QUEUE_H
#define RF_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "domain/event.h"
#include "domain/job.h"

typedef struct rf_queue rf_queue;

enum { RF_CLASS_BYTES = 16 }; /* "cpu", "gpu-8g", …; what a job needs and a worker has */

typedef struct rf_queue_options {
    int64_t lease_ms;      /* 0: 30,000                                                         */
    int64_t age_ms;        /* a waiting job gains one priority in this time; 0: 60,000         */
    int64_t worker_ttl_ms; /* a silent worker is forgotten; 0: 60,000                          */
} rf_queue_options;

/* The queue inside this process. */
rf_code rf_queue_open_memory(rf_queue **out, const rf_queue_options *options, rf_error *err) RF_MUST_CHECK;
/* A worker's end of a socket pair. The queue owns fd. When the other end closes every call answers INTERRUPTED. */
rf_code rf_queue_connect_fd(rf_queue **out, int fd, rf_error *err) RF_MUST_CHECK;
/* Serves the worker at the other end of fd until it closes; its leases then end at once (rf_queue_expired lists
 * them with `lost`). Memory side only; returns when served by a thread of the queue's own, which owns fd. */
rf_code rf_queue_serve_fd(rf_queue *queue, int fd, rf_error *err) RF_MUST_CHECK;
/* Wakes every waiter with INTERRUPTED, joins the queue's threads, frees. NULL is fine. */
void rf_queue_close(rf_queue *queue);

/* ------------------------------------------------------------------ the scheduler's verbs */

typedef struct rf_offer {
    int64_t job_id, token, user_id;
    rf_job_kind kind;
    int priority;       /* 0..9                                                            */
    int64_t created_ms; /* with priority: the order within a user                         */
    int64_t delay_ms;   /* not before this long from now; 0: at once                       */
    int32_t user_limit; /* leased jobs of this user at a time; 0: no limit                 */
    bool unlimited;     /* does not count toward the limit (profiles)                      */
    double cost;        /* seconds of a worker, estimated, for fairness; 0: 1              */
    const char *need;   /* class, "cpu" when NULL                                          */
    const char *plan;   /* JSON for the worker (domain/plan.h)                             */
} rf_offer;

rf_code rf_queue_offer(rf_queue *queue, const rf_offer *offers, int32_t n, rf_error *err) RF_MUST_CHECK;

typedef struct rf_lease_id {
    int64_t job_id, token;
    int64_t worker_id; /* expired: who held it */
    bool lost;         /* expired: its worker is gone (else the deadline passed)     */
} rf_lease_id;

/* The scheduler has applied (or refused) the end of these: leases and entries go, the next beat answers gone. A token
 * lower than the queue's does nothing. */
rf_code rf_queue_settle(rf_queue *queue, const rf_lease_id *ended, int32_t n, rf_error *err) RF_MUST_CHECK;
/* Not to be run any more: a waiting entry goes; of a leased one the worker is told at once (its beat answers cancel). */
rf_code rf_queue_withdraw(rf_queue *queue, int64_t job_id, int64_t token, rf_error *err) RF_MUST_CHECK;
/* So many parts of a sampling job have been fetched by now, all in all: at most RF_PARTS_UNSENT_MAX ahead of them its
 * worker waits. The number never falls; for a job that is not leased under this token it does nothing. */
rf_code rf_queue_credit(rf_queue *queue, int64_t job_id, int64_t token, int64_t parts,
                        rf_error *err) RF_MUST_CHECK;
/* Leases past their deadline or lost with their worker, up to max; they stay listed until offered anew or settled. */
rf_code rf_queue_expired(rf_queue *queue, rf_lease_id *out, int32_t max, int32_t *n,
                         rf_error *err) RF_MUST_CHECK;
/* Events in order of arrival, up to max, waiting up to timeout_ms for the first. Taken is gone from the queue: crash
 * before they are applied is made good by workers, who repeat done and failed. Free each (rf_event_free). */
rf_code rf_queue_events_take(rf_queue *queue, rf_event *out, int32_t max, int64_t timeout_ms, int32_t *n,
                             rf_error *err) RF_MUST_CHECK;
/* Wakes a waiting rf_queue_events_take, which returns with what there is. */
void rf_queue_poke(rf_queue *queue);
/* No leases of this class ("" or NULL: of any) until resumed. Waiting and running jobs stay. */
rf_code rf_queue_pause(rf_queue *queue, const char *need, bool paused, rf_error *err) RF_MUST_CHECK;
/* A random number, new whenever the queue has lost its memory: the reconciler offers everything again. */
rf_code rf_queue_epoch(rf_queue *queue, uint64_t *out, rf_error *err) RF_MUST_CHECK;
/* Where a waiting job stands within its class, 1 first; 0 when it is not waiting. An estimate. */
rf_code rf_queue_position(rf_queue *queue, int64_t job_id, int64_t *out, rf_error *err) RF_MUST_CHECK;

typedef struct rf_queue_depth {
    char need[RF_CLASS_BYTES];
    int64_t waiting, delayed, leased;
    int64_t oldest_ms; /* age of the oldest waiting job                                            */
    bool paused;
} rf_queue_depth;
/* *out is the caller's (rf_free), one for each class that is known. */
rf_code rf_queue_depths(rf_queue *queue, rf_queue_depth **out, int32_t *n, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ workers, seen from the scheduler */

/* What a worker is asked to be; it follows within a beat. */
typedef enum rf_worker_wish {
    RF_WORKER_RUN,
    RF_WORKER_DRAIN, /* finish the job in hand, take no more; RUN undoes it        */
    RF_WORKER_END,   /* release what it has at the next safe point and end         */
} rf_worker_wish;

typedef struct rf_worker_info {
    int64_t id;
    char host[64], version[24], device[96]; /* device: "cpu, 8 threads", "cuda:0 NVIDIA …" */
    char need[RF_CLASS_BYTES];              /* the class it serves                         */
    int64_t pid;
    int64_t memory_bytes, device_memory_bytes, rss_bytes;
    int64_t job_id;              /* 0: idle */
    int64_t started_ms, beat_ms; /* since 1970, of the queue's clock                        */
    rf_worker_wish wish;
} rf_worker_info;
rf_code rf_queue_workers(rf_queue *queue, rf_worker_info **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* NOT_FOUND for a worker that is not there. */
rf_code rf_queue_worker_wish(rf_queue *queue, int64_t worker_id, rf_worker_wish wish,
                             rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ a worker's verbs */

/* Fields of `self` that describe the process and its device; *worker_id is new at each call. */
rf_code rf_queue_register(rf_queue *queue, const rf_worker_info *self, int64_t *worker_id,
                          rf_error *err) RF_MUST_CHECK;

typedef struct rf_lease {
    int64_t job_id, token, user_id;
    rf_job_kind kind;
    int64_t lease_ms; /* beat well before this has passed                                   */
    char *plan;       /* owned; rf_lease_free                                               */
} rf_lease;
/* Waits up to timeout_ms for a job. Without one, out->job_id is 0 and the call is OK. */
rf_code rf_queue_lease(rf_queue *queue, int64_t worker_id, int64_t timeout_ms, rf_lease *out,
                       rf_error *err) RF_MUST_CHECK;
void rf_lease_free(rf_lease *lease);

typedef enum rf_beat_answer {
    RF_BEAT_OK,     /* the lease goes on                                                        */
    RF_BEAT_CANCEL, /* stop at the next step and send `released` {cancelled: true}              */
    RF_BEAT_GONE,   /* applied or fenced: drop the job, send nothing more about it              */
} rf_beat_answer;
typedef struct rf_beat {
    int64_t job_id, token;
    rf_beat_answer answer; /* out                                                               */
    int64_t credit;        /* out: parts that have been fetched (rf_queue_credit)               */
} rf_beat;
enum { RF_BEATS_MAX = 1024 };
/* Extends the leases of `beats` (n may be 0: the worker lives; at most RF_BEATS_MAX). NOT_FOUND when the queue has
 * forgotten the worker: register anew. *wish: what it is asked to be. */
rf_code rf_queue_beat(rf_queue *queue, int64_t worker_id, int64_t rss_bytes, rf_beat *beats, int32_t n,
                      rf_worker_wish *wish, rf_error *err) RF_MUST_CHECK;
/* Blocks until something asks for attention before the next regular beat (a cancel, a wish, an answer to done, a credit) or
 * timeout_ms has passed: the beating thread sleeps here. */
rf_code rf_queue_beat_wait(rf_queue *queue, int64_t worker_id, int64_t timeout_ms,
                           rf_error *err) RF_MUST_CHECK;
/* Says something about a job. A progress takes the place of the job's last one that was not yet taken, and a done or
 * failed that still waits is not queued twice. UNAVAILABLE when too much waits: a progress may be dropped, anything
 * else is said again later. USAGE for a body of more than RF_RESULT_BYTES_MAX (domain/result.h). */
rf_code rf_queue_send(rf_queue *queue, const rf_event *event, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ streams for those who watch */

/* One update of a job, as JSON, for whoever watches it; ids rise within a job. Streams are capped (the last 1,000) and
 * end an hour after their last word. */
rf_code rf_queue_stream_add(rf_queue *queue, int64_t job_id, const char *json, bool last,
                            rf_error *err) RF_MUST_CHECK;
typedef struct rf_stream_entry {
    int64_t id;
    bool last;
    char *json; /* owned */
} rf_stream_entry;
/* Entries after `after_id`, up to max. `*n` = 0 when there are none yet. *known is false when the queue has no such
 * stream (never had, or forgot it): ask the database instead. */
rf_code rf_queue_stream_read(rf_queue *queue, int64_t job_id, int64_t after_id, rf_stream_entry *out,
                             int32_t max, int32_t *n, bool *known, rf_error *err) RF_MUST_CHECK;
/* `wake(arg, job_id)` is called, from a thread of the queue's, after each rf_queue_stream_add. One listener a queue;
 * `wake` NULL ends that: it is not called any more once this has returned. */
rf_code rf_queue_stream_listen(rf_queue *queue, void (*wake)(void *arg, int64_t job_id), void *arg,
                               rf_error *err) RF_MUST_CHECK;

#endif
