/* queue_rig.h - a queue and a worker's end of it, for tests that do not care which side they are given.
 *
 * Each side fills one row of rig_sides; a suite runs all its tests once for each. The queue's clock is the test's own:
 * it stands until rig_pass moves it.
 */
#ifndef QUEUE_RIG_H
#define QUEUE_RIG_H

#include "queue/queue.h"
#include "rf_test.h"

typedef struct rig {
    rf_queue *scheduler, *worker; /* the same, or two ends of a socket */
    int64_t worker_id;
} rig;

enum { RIG_LEASE_MS = 30000, RIG_AGE_MS = 60000, RIG_TTL_MS = 60000 };

typedef struct rig_side {
    const char *name;
    bool real_end; /* the worker's end can be closed by itself */
} rig_side;
extern const rig_side rig_sides[];
extern const int rig_n_sides;

void rig_open(rig *r, int side);
void rig_close(rig *r);
/* One more worker at the same queue: its end, to be closed by the caller unless it is r->scheduler. */
rf_queue *rig_connect(rig *r);
int64_t rig_register(rf_queue *worker, const char *need);
void rig_pass(int64_t ms);

/* ---- words that tests use ---- */
void rig_offer(rig *r, int64_t job_id, int64_t token, int64_t user_id);
void rig_offer_as(rig *r, rf_offer offer);     /* plan "{}" when it has none */
int64_t rig_lease(rig *r, int64_t timeout_ms); /* the job's id, 0: none */
int64_t rig_lease_for(rf_queue *worker, int64_t worker_id, int64_t timeout_ms);
rf_beat_answer rig_beat(rig *r, int64_t job_id, int64_t token);
void rig_settle(rig *r, int64_t job_id, int64_t token);
void rig_send(rig *r, rf_event_kind kind, int64_t job_id, int64_t token, const char *body);
int32_t rig_expired(rig *r, rf_lease_id out[16]);

/* Runs the tests once for each side; returns what main returns. */
int rig_run(const struct CMUnitTest *tests, size_t n);
/* The rig of the running test. */
rig *rig_of(void **state);

#endif
