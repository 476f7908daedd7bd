/* job.h - a piece of work that somebody asked for, and the states that it goes through.
 *
 *      submit ──► pending_approval ──► rejected
 *        │               │ approve
 *        ▼               ▼
 *      queued ◄──────────┘           queued: may run once run_at has come, its input is ready and a worker is free
 *        │  ▲
 *  start │  │ worker lost, released, or to be tried again later
 *        ▼  │
 *      running ──► completed | failed | cancelled
 *
 * The database's row is the job; a queue only carries hints of it. Every offer to a queue bears an attempt token,
 * which the scheduler raises; every later word about the job carries the token and changes nothing when it is no
 * longer the row's (docs/queue.md). Only the scheduler writes rows.
 *
 * Numbers are 64-bit; times are milliseconds since 1970 UTC; 0 is "not yet".
 */
#ifndef RF_DOMAIN_JOB_H
#define RF_DOMAIN_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* name in the program, name for people, no way out of it */
#define RF_JOB_STATE_TABLE(X)                                                                                \
    X(PENDING_APPROVAL, "pending_approval", false)                                                           \
    X(QUEUED, "queued", false)                                                                               \
    X(RUNNING, "running", false)                                                                             \
    X(COMPLETED, "completed", true)                                                                          \
    X(FAILED, "failed", true)                                                                                \
    X(CANCELLED, "cancelled", true)                                                                          \
    X(REJECTED, "rejected", true)

typedef enum rf_job_state {
#define RF_JOB_STATE_ENUM(name, text, final) RF_JOB_##name,
    RF_JOB_STATE_TABLE(RF_JOB_STATE_ENUM)
#undef RF_JOB_STATE_ENUM
        RF_JOB_STATE_COUNT
} rf_job_state;

/* name in the program, name in the database and in plans, what a worker does for it */
#define RF_JOB_KIND_TABLE(X)                                                                                 \
    X(PROFILE, "profile", "reads an uploaded table: types, statistics, warnings")                            \
    X(GENERATE, "generate", "trains a model, makes rows, judges them, keeps all three")                      \
    X(SAMPLE, "sample", "makes rows from a kept model, part by part as they are fetched")                    \
    X(NOOP, "noop", "nothing: for tests and benchmarks; not to be asked for over HTTP")

typedef enum rf_job_kind {
#define RF_JOB_KIND_ENUM(name, text, summary) RF_JOB_##name,
    RF_JOB_KIND_TABLE(RF_JOB_KIND_ENUM)
#undef RF_JOB_KIND_ENUM
        RF_JOB_KIND_COUNT
} rf_job_kind;

const char *rf_job_state_name(rf_job_state state);
const char *rf_job_kind_name(rf_job_kind kind);
/* -1 when there is none of that name. */
int rf_job_state_find(const char *name);
int rf_job_kind_find(const char *name);
bool rf_job_state_is_final(rf_job_state state);
/* Whether a job may go from one to the other (the drawing above). */
bool rf_job_state_may_follow(rf_job_state from, rf_job_state to);

enum { RF_PRIORITY_DEFAULT = 5, RF_PRIORITY_MAX = 9 }; /* 9 is the most urgent */

/* Why an attempt ended without a result. */
#define RF_FAILURE_TABLE(X)                                                                                  \
    X(PERMANENT, "permanent", "the input or the parameters; trying again would end the same")                \
    X(INFRASTRUCTURE, "infrastructure", "storage, network or disk; tried again, later and later")            \
    X(MEMORY, "memory", "the machine or the device had too little memory; tried once more")                  \
    X(DEVICE, "device", "the device was lost; given back without counting the attempt")                      \
    X(CRASH, "crash", "the worker died; three of these end the job")                                         \
    X(TIMEOUT, "timeout", "the job took longer than it may")

typedef enum rf_failure {
#define RF_FAILURE_ENUM(name, text, summary) RF_FAILURE_##name,
    RF_FAILURE_TABLE(RF_FAILURE_ENUM)
#undef RF_FAILURE_ENUM
        RF_FAILURE_COUNT
} rf_failure;

const char *rf_failure_name(rf_failure failure);
int rf_failure_find(const char *name);

/* A job's row, open for all to read. Texts are lent by whoever filled it in (an arena, as a rule); "" is "none". */
typedef struct rf_job {
    int64_t id, user_id;
    rf_job_kind kind;
    rf_job_state state;
    int priority;
    int64_t dataset_id, model_id; /* 0: none                                                               */
    int64_t seed, rows, timeout_ms;
    double cost;      /* seconds of a worker, estimated: for fairness between users                      */
    bool blocked;     /* queued, and waits for its dataset's profile                                     */
    bool unlimited;   /* does not count toward its owner's limit                                         */
    const char *need; /* class of worker                                                                 */
    const char *spec; /* JSON: what was asked for                                                        */
    const char *plan; /* JSON: what a worker is told (domain/plan.h); "" until the first offer           */
    int64_t token;    /* the current attempt's                                                           */
    int32_t attempt;  /* attempts that began and count                                                   */
    int32_t crashes;  /* attempts that ended with their worker                                           */
    int32_t memory_failures;
    int64_t worker_id;  /* 0: none has it                                                                  */
    const char *device; /* of the attempt that runs or ran last                                            */
    int64_t created_ms, run_at_ms;
    int64_t started_ms; /* the first time                                                                  */
    int64_t attempt_ms; /* this time                                                                       */
    int64_t cancel_ms;  /* when its end was asked for                                                      */
    int64_t finished_ms;
    const char *cancel_reason; /* "user", "timeout", "abandoned", …                                        */
    const char *progress;      /* JSON (rf_result_progress)                                                */
    const char *checkpoint;    /* JSON (rf_result_checkpoint): the newest                                  */
    const char *result;        /* JSON, once completed                                                     */
    const char *error_class, *error_message, *error_detail; /* error_detail: never shown to clients         */
} rf_job;

#endif
