/* scheduler.h - the use cases, and the life of a job. The only writer of the database.
 *
 *     rf_scheduler *s = NULL;
 *     RF_TRY(rf_scheduler_open(&s, &(rf_scheduler_options){.db = db, .queue = queue, .storage = storage}, err));
 *     RF_TRY(rf_scheduler_start(s, err));        // takes back what a dead process left, then its threads run
 *     … jobs.h, datasets.h, artifacts.h, admin.h, accounts.h: what people ask for …
 *     rf_scheduler_stop(s);                      // threads joined; what waits stays in the database
 *     rf_scheduler_close(s);
 *
 * Two threads do the rest. The first applies what workers say, many words to one transaction, each under the fence of its
 * attempt token; when none is left it reaps the leases that ended without a word. The second offers again what was not
 * taken note of, compares the queue with the database, ends what is overdue and cleans up. Every step is a function
 * below, safe to run twice, at any moment, from any thread: a test runs them by hand, with a clock of its own.
 *
 * What comes out of the functions of this folder lies in the caller's arena. Objects carry their owner: another's is
 * NOT_FOUND. Codes are those of core/error.h: NOT_FOUND, CONFLICT, NOT_READY, USAGE (well-formed but cannot be),
 * RATE_LIMITED, UNAVAILABLE (a dependency does not answer; nothing changed). Threads: any function, from any thread; those
 * marked "reads" are a single look at the database and may run on a thread that serves others.
 */
#ifndef RF_SCHEDULER_SCHEDULER_H
#define RF_SCHEDULER_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/error.h"

struct rf_db;
struct rf_queue;
struct rf_storage;
typedef struct rf_scheduler rf_scheduler;

typedef struct rf_scheduler_options {
    struct rf_db *db; /* lent, all three */
    struct rf_queue *queue;
    struct rf_storage *storage; /* NULL: no datasets, no results; for benchmarks of bare jobs */

    int64_t (*now_ms)(
        void *arg); /* milliseconds since 1970; NULL: the wall clock as it was at open, carried on by the
                                   * monotonic one, so that a clock that is set changes nothing                      */
    void *now_arg;
    uint64_t random_seed; /* of the retries' jitter; 0: from the kernel */

    bool require_approval;          /* new requests wait for an admin              */
    int32_t user_running_limit;     /* requests of one user at a time; 0: 5        */
    int32_t user_waiting_limit;     /* not ended; more is RATE_LIMITED; 0: 200     */
    int32_t default_epochs;         /* beside a given batch size; 0: 100           */
    int32_t min_epochs, max_epochs; /* of what the size of a table chooses; 0: whatever it chooses */
    int64_t job_timeout_ms;         /* of one attempt; 0: 3,600,000                */
    int64_t reap_ms;                /* 0: 5,000                                    */
    int64_t reconcile_ms;           /* 0: 30,000                                   */
    int64_t relay_ms;               /* an offer older than this is made again; 0: 1,000             */
    int64_t clean_ms;               /* 0: 600,000                                  */
    int64_t cancel_grace_ms;        /* a worker that does not let go by then is fenced; 0: 30,000   */
    int64_t retry_base_ms;          /* 0: 2,000                                    */
    int64_t retry_cap_ms;           /* 0: 600,000                                  */
    int32_t max_attempts;           /* 0: 5                                        */
    int32_t max_crashes;            /* 0: 3                                        */
    int64_t keep_jobs_ms;           /* 0: 30 days                                  */
    int64_t keep_idempotency_ms;    /* 0: 24 hours                                 */
    int64_t keep_audit_ms;          /* 0: 90 days                                  */
    int64_t orphan_age_ms;          /* objects that nobody names, 0: a day         */
} rf_scheduler_options;

rf_code rf_scheduler_open(rf_scheduler **out, const rf_scheduler_options *options,
                          rf_error *err) RF_MUST_CHECK;
/* Recovery (rf_scheduler_recover), then the threads. */
rf_code rf_scheduler_start(rf_scheduler *s, rf_error *err) RF_MUST_CHECK;
/* Applies what workers have said so far and ends the threads. Safe to call twice. */
void rf_scheduler_stop(rf_scheduler *s);
void rf_scheduler_close(rf_scheduler *s); /* NULL is fine */

int64_t rf_scheduler_now_ms(const rf_scheduler *s);

/* ------------------------------------------------------------------ the steps, one at a time */

/* Takes and applies up to a batch of words, waiting up to timeout_ms for the first; *n (may be NULL): how many. */
rf_code rf_scheduler_apply(rf_scheduler *s, int64_t timeout_ms, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Applies all words that wait, then takes back the leases that ended; *n: how many. */
rf_code rf_scheduler_reap(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Offers what was written down to be offered and is older than relay_ms. */
rf_code rf_scheduler_relay(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Asks jobs that run too long to end, and ends those that were asked long ago. */
rf_code rf_scheduler_overdue(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Offers every queued job again (what the queue knows it ignores); when the queue has lost its memory, takes the running
 * ones back first, which counts neither as an attempt nor as a crash. */
rf_code rf_scheduler_reconcile(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* Old rows, doomed and orphaned objects. */
rf_code rf_scheduler_clean(rf_scheduler *s, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* What start does first: pauses are told to the queue, samples end (whoever fetched them was connected to the process
 * that died), then rf_scheduler_reconcile. */
rf_code rf_scheduler_recover(rf_scheduler *s, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ replies to repeated requests */

/* Beside a request that makes something. A key that its user has used with another hash is CONFLICT. */
typedef struct rf_idempotency {
    const char *key;  /* the Idempotency-Key; NULL: none   */
    const char *hash; /* of method, path and body          */
} rf_idempotency;

/* What a request made, or made when it came first. */
typedef struct rf_receipt {
    int64_t id;
    bool repeated;  /* nothing was made: this was asked before                                             */
    int32_t status; /* repeated: of the first reply; 0: it was never stored, make it again from the object */
    const char
        *reply; /* repeated: its body; "" with status 0                                                */
} rf_receipt;

/* Keeps the first reply for those that come again; without a key does nothing. */
rf_code rf_scheduler_reply_store(rf_scheduler *s, int64_t user_id, const rf_idempotency *idempotency,
                                 int32_t status, const char *reply, rf_error *err) RF_MUST_CHECK;

#endif
