/* scheduler_rig.h - a scheduler with everything below it, and a worker played by the test.
 *
 * The database is a file, the queue is inside the process, objects lie in a folder: all in a folder of the test's own. One
 * clock drives all of it and stands until house_pass moves it. No thread runs: a test turns the steps by hand.
 *
 * house_die is a kill -9 of the server: the queue's memory is gone, what was not committed is gone, the database stays. */
#ifndef SCHEDULER_RIG_H
#define SCHEDULER_RIG_H

#include "db/db.h"
#include "db/db_accounts.h"
#include "db/db_jobs.h"
#include "db/db_objects.h"
#include "queue/queue.h"
#include "rf_test.h"
#include "scheduler/admin.h"
#include "scheduler/artifacts.h"
#include "scheduler/datasets.h"
#include "scheduler/jobs.h"
#include "scheduler/scheduler.h"
#include "storage/storage.h"

typedef struct house {
    char folder[64];
    rf_db *db;
    rf_queue *queue;
    rf_storage *storage;
    rf_scheduler *s;
    rf_scheduler_options options; /* what open uses: change it, then house_die */
    rf_arena arena;
    int64_t user, other, worker;
} house;

enum { HOUSE_LEASE_MS = 30000 };

int house_setup(void **state);
int house_teardown(void **state);
/* The process dies and comes again: recovery has run, and a worker has registered. */
void house_die(house *h);
/* Without recovery: what start would do first is the test's to do. */
void house_die_only(house *h);
void house_pass(int64_t ms);
int64_t house_now(void *arg);

/* ---- asking ---- */
int64_t house_noop(house *h, int64_t user);
rf_job house_look(house *h, int64_t job);
rf_job_state house_state(house *h, int64_t job);
int32_t house_attempts(house *h, int64_t job, rf_db_attempt **out);

/* ---- the worker's side ---- */
/* The job that is handed out, 0 when there is none. The token of it in *token (may be NULL). */
int64_t house_lease(house *h, int64_t *token);
/* Its plan too: the caller's arena keeps it. */
int64_t house_lease_plan(house *h, int64_t *token, const char **plan);
void house_send(house *h, rf_event_kind kind, int64_t job, int64_t token, const char *body);
rf_beat_answer house_beat(house *h, int64_t job, int64_t token);
/* Applies all that was said. */
void house_apply(house *h);
/* Leases, starts, and applies that: the job must be handed out. Its token. */
int64_t house_start(house *h, int64_t job);
void house_done(house *h, int64_t job, int64_t token);
void house_fail(house *h, int64_t job, int64_t token, const char *failure);
/* The worker's process dies. */
void house_kill_worker(house *h);
int32_t house_reap(house *h);

#endif
