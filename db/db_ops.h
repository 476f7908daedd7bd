/* db_ops.h - questions of those who run the service: the log of deeds, paused classes, workers, small facts. db.h says
 * how to ask.
 */
#ifndef RF_DB_DB_OPS_H
#define RF_DB_DB_OPS_H

#include "db/db.h"

/* ------------------------------------------------------------------ what was done, by whom: admins' deeds and security */

typedef struct rf_db_audit {
    int64_t id, at_ms;
    int64_t user_id;     /* who did it; 0: nobody known                       */
    const char *action;  /* "login_failed", "job_approved", …                 */
    const char *subject; /* "user 12", "job 7"; ""                            */
    const char *address, *request_id, *detail;
} rf_db_audit;
rf_code rf_db_audit_insert(rf_db_tx *tx, const rf_db_audit *audit, rf_error *err) RF_MUST_CHECK;
/* Newest first; "" and 0 do not filter. */
rf_code rf_db_audit_list(rf_db_tx *tx, int64_t user_id, const char *action, int64_t before_id, int32_t limit,
                         rf_arena *arena, rf_db_audit **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_audit_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n,
                          rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ classes of jobs that are not handed out */

rf_code rf_db_pause_set(rf_db_tx *tx, const char *need, bool paused, int64_t user_id, int64_t now_ms,
                        rf_error *err) RF_MUST_CHECK;
rf_code rf_db_pauses_list(rf_db_tx *tx, rf_arena *arena, const char ***out, int32_t *n,
                          rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ workers, as they were seen last */

typedef struct rf_db_worker {
    int64_t id, pid, started_ms, beat_ms, job_id;
    const char *host, *version, *device, *need;
} rf_db_worker;
rf_code rf_db_worker_put(rf_db_tx *tx, const rf_db_worker *worker, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_workers_list(rf_db_tx *tx, int64_t since_ms, rf_arena *arena, rf_db_worker **out, int32_t *n,
                           rf_error *err) RF_MUST_CHECK;
rf_code rf_db_workers_purge(rf_db_tx *tx, int64_t before_ms, int64_t *n, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ small facts by name: the queue's epoch, … */

rf_code rf_db_fact_get(rf_db_tx *tx, const char *name, rf_arena *arena, const char **out, bool *found,
                       rf_error *err) RF_MUST_CHECK;
rf_code rf_db_fact_set(rf_db_tx *tx, const char *name, const char *value, rf_error *err) RF_MUST_CHECK;

#endif
