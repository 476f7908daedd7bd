/* statements.h - every SQL statement there is, one text for SQLite and PostgreSQL alike.
 *
 * Rules that keep it one text (a test reads the table and insists):
 *   - parameters are $1 … $n, bound by that name: SQLite numbers them by first appearance, PostgreSQL by the digit;
 *   - a parameter meets a column before it meets a number, so that PostgreSQL takes the column's type for it;
 *   - no casts with colons, no question marks, no double quotes, no functions of time: times are parameters;
 *   - truth is 0 and 1 in a BIGINT; ids come from `sequences`; a text that is not there is '';
 *   - no LIMIT on DELETE and UPDATE: the rows are chosen by a SELECT.
 */
#ifndef RF_DB_STATEMENTS_H
#define RF_DB_STATEMENTS_H

/* A job's columns in the order that read_job (db_jobs.c) takes them in; the last three are long. */
#define JOB_SHORT                                                                                            \
    "id, user_id, kind, state, priority, dataset_id, model_id, seed, n_rows, timeout_ms, cost, blocked, "    \
    "unlimited, need, token, attempt, crashes, memory_failures, worker_id, device, created_ms, run_at_ms, "  \
    "started_ms, attempt_ms, cancel_ms, finished_ms, cancel_reason, progress, result, error_class, "         \
    "error_message, error_detail, "
#define JOB_WHOLE  JOB_SHORT "spec, plan, checkpoint"
#define JOB_GLANCE JOB_SHORT "'', '', ''"

#define DATASET_SHORT                                                                                        \
    "id, user_id, name, format, size_bytes, sha256, object_key, status, n_rows, n_columns, error, "          \
    "profile_job_id, created_ms, updated_ms, "
#define ARTIFACT_WHOLE "id, user_id, job_id, role, object_key, sha256, size_bytes, type, name, created_ms"
#define MODEL_WHOLE                                                                                          \
    "id, user_id, job_id, dataset_id, model, dataset_name, object_key, sha256, size_bytes, n_rows, "         \
    "n_columns, "                                                                                            \
    "seed, params, quality, created_ms"

/* what an attempt's word may change: the row as it was when the word was true */
#define FENCED(states) "WHERE id = $1 AND token = $2 AND state IN (" states ")"

/* name, text */
#define RFI_STATEMENT_TABLE(X)                                                                               \
    /* ---- the schema and small facts */                                                                    \
    X(migration_list, "SELECT version, name, sha256, applied_ms FROM schema_migrations ORDER BY version")    \
    X(migration_insert,                                                                                      \
      "INSERT INTO schema_migrations (version, name, sha256, applied_ms) VALUES ($1, $2, $3, $4)")           \
    X(ping, "SELECT 1")                                                                                      \
    X(sequence_next, "UPDATE sequences SET last = last + 1 WHERE name = $1 RETURNING last")                  \
    X(fact_get, "SELECT value FROM facts WHERE name = $1")                                                   \
    X(fact_set, "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = "  \
                "excluded.value")                                                                            \
    /* ---- people */                                                                                        \
    X(user_insert, "INSERT INTO users (id, email, name, password_hash, role, disabled, created_ms) "         \
                   "VALUES ($1, $2, $3, $4, $5, $6, $7)")                                                    \
    X(user_find,                                                                                             \
      "SELECT id, email, name, password_hash, role, disabled, created_ms FROM users WHERE id = $1")          \
    X(user_find_email,                                                                                       \
      "SELECT id, email, name, password_hash, role, disabled, created_ms FROM users WHERE email = $1")       \
    X(user_list,                                                                                             \
      "SELECT id, email, name, password_hash, role, disabled, created_ms FROM users WHERE id < $1 "          \
      "ORDER BY id DESC LIMIT $2")                                                                           \
    X(user_count, "SELECT COUNT(*) FROM users")                                                              \
    X(user_set_disabled, "UPDATE users SET disabled = $2 WHERE id = $1")                                     \
    X(user_set_password, "UPDATE users SET password_hash = $2 WHERE id = $1")                                \
    X(user_set_role, "UPDATE users SET role = $2 WHERE id = $1")                                             \
    X(refresh_insert,                                                                                        \
      "INSERT INTO refresh_tokens (hash, family_id, user_id, created_ms, expires_ms, used_ms, revoked_ms) "  \
      "VALUES ($1, $2, $3, $4, $5, $6, $7)")                                                                 \
    X(refresh_find,                                                                                          \
      "SELECT hash, family_id, user_id, created_ms, expires_ms, used_ms, revoked_ms FROM refresh_tokens "    \
      "WHERE hash = $1")                                                                                     \
    X(refresh_use, "UPDATE refresh_tokens SET used_ms = $2 "                                                 \
                   "WHERE hash = $1 AND used_ms = 0 AND revoked_ms = 0 AND expires_ms > $2")                 \
    X(refresh_revoke_family,                                                                                 \
      "UPDATE refresh_tokens SET revoked_ms = $2 WHERE family_id = $1 AND revoked_ms = 0")                   \
    X(refresh_revoke_user,                                                                                   \
      "UPDATE refresh_tokens SET revoked_ms = $2 WHERE user_id = $1 AND revoked_ms = 0")                     \
    X(refresh_family_alive,                                                                                  \
      "SELECT 1 FROM refresh_tokens WHERE family_id = $1 AND revoked_ms = 0 AND expires_ms > $2 LIMIT 1")    \
    X(refresh_purge, "DELETE FROM refresh_tokens WHERE hash IN "                                             \
                     "(SELECT hash FROM refresh_tokens WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)") \
    /* ---- jobs: submit */                                                                                  \
    X(job_insert,                                                                                            \
      "INSERT INTO jobs (id, user_id, kind, state, priority, dataset_id, model_id, seed, n_rows, "           \
      "timeout_ms, "                                                                                         \
      "cost, blocked, unlimited, need, spec, plan, token, created_ms, run_at_ms, attempt, crashes, "         \
      "memory_failures, worker_id, device, started_ms, attempt_ms, cancel_ms, finished_ms, cancel_reason, "  \
      "progress, checkpoint, result, error_class, error_message, error_detail) "                             \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 0, 0, " \
      "0, 0, '', 0, 0, 0, 0, '', '', '', '', '', '', '')")                                                   \
    X(idempotency_insert,                                                                                    \
      "INSERT INTO idempotency (user_id, idem_key, hash, object_id, status, reply, created_ms) "             \
      "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, idem_key) DO NOTHING")                      \
    X(idempotency_find,                                                                                      \
      "SELECT user_id, idem_key, hash, object_id, status, reply, created_ms FROM idempotency "               \
      "WHERE user_id = $1 AND idem_key = $2")                                                                \
    X(idempotency_set_object, "UPDATE idempotency SET object_id = $3 WHERE user_id = $1 AND idem_key = $2")  \
    X(idempotency_store,                                                                                     \
      "UPDATE idempotency SET status = $3, reply = $4 WHERE user_id = $1 AND idem_key = $2 AND status = 0")  \
    X(idempotency_purge,                                                                                     \
      "DELETE FROM idempotency WHERE (user_id, idem_key) IN "                                                \
      "(SELECT user_id, idem_key FROM idempotency WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)")      \
    /* ---- jobs: look */                                                                                    \
    X(job_find, "SELECT " JOB_WHOLE " FROM jobs WHERE id = $1 AND (user_id = $2 OR $2 = 0)")                 \
    X(job_glance, "SELECT " JOB_GLANCE " FROM jobs WHERE id = $1 AND (user_id = $2 OR $2 = 0)")              \
    X(job_list_user,                                                                                         \
      "SELECT " JOB_GLANCE " FROM jobs WHERE user_id = $1 AND id < $2 AND (state = $3 OR $3 = '') "          \
      "AND (kind = $4 OR $4 = '') ORDER BY id DESC LIMIT $5")                                                \
    X(job_list_all, "SELECT " JOB_GLANCE                                                                     \
                    " FROM jobs WHERE id < $1 AND (state = $2 OR $2 = '') AND (kind = $3 OR $3 = '') "       \
                    "ORDER BY id DESC LIMIT $4")                                                             \
    X(job_list_failed,                                                                                       \
      "SELECT " JOB_GLANCE " FROM jobs WHERE state = 'failed' AND id < $1 AND (kind = $2 OR $2 = '') "       \
      "ORDER BY id DESC LIMIT $3")                                                                           \
    X(job_active, "SELECT COUNT(*) FROM jobs WHERE user_id = $1 AND finished_ms = 0 AND unlimited = 0")      \
    X(job_using_dataset,                                                                                     \
      "SELECT " JOB_WHOLE                                                                                    \
      " FROM jobs WHERE dataset_id = $1 AND finished_ms = 0 AND dataset_id > 0 ORDER BY id")                 \
    X(job_using_model,                                                                                       \
      "SELECT " JOB_WHOLE " FROM jobs WHERE model_id = $1 AND finished_ms = 0 AND model_id > 0 ORDER BY id") \
    X(job_count, "SELECT kind, state, COUNT(*) FROM jobs WHERE finished_ms = 0 GROUP BY kind, state "        \
                 "ORDER BY kind, state")                                                                     \
    /* ---- jobs: dispatch */                                                                                \
    X(outbox_put,                                                                                            \
      "INSERT INTO outbox (job_id, token, created_ms) VALUES ($1, $2, $3) ON CONFLICT (job_id) DO UPDATE "   \
      "SET token = excluded.token, created_ms = excluded.created_ms WHERE outbox.token <= excluded.token")   \
    X(outbox_clear, "DELETE FROM outbox WHERE job_id = $1 AND token <= $2")                                  \
    X(outbox_list,                                                                                           \
      "SELECT " JOB_WHOLE " FROM jobs WHERE id IN (SELECT job_id FROM outbox WHERE created_ms < $1 "         \
      "AND EXISTS (SELECT 1 FROM jobs AS j WHERE j.id = outbox.job_id AND j.state = 'queued' "               \
      "AND j.blocked = 0) ORDER BY job_id LIMIT $2) ORDER BY id")                                            \
    X(outbox_sweep, "DELETE FROM outbox WHERE NOT EXISTS "                                                   \
                    "(SELECT 1 FROM jobs WHERE jobs.id = outbox.job_id AND jobs.state = 'queued')")          \
    X(outbox_count, "SELECT COUNT(*) FROM outbox")                                                           \
    X(job_page,                                                                                              \
      "SELECT " JOB_WHOLE " FROM jobs WHERE state = $1 AND id > $2 AND finished_ms = 0 AND blocked = 0 "     \
      "ORDER BY id LIMIT $3")                                                                                \
    X(job_set_plan,                                                                                          \
      "UPDATE jobs SET plan = $2, need = $3, cost = $4, blocked = 0 WHERE id = $1 AND state = 'queued'")     \
    /* ---- jobs: moves */                                                                                   \
    X(job_start, "UPDATE jobs SET state = 'running', attempt = attempt + 1, worker_id = $3, device = $4, "   \
                 "attempt_ms = $5, "                                                                         \
                 "started_ms = CASE WHEN started_ms = 0 THEN $5 ELSE started_ms END " FENCED("'queued'"))    \
    X(job_progress, "UPDATE jobs SET progress = $3 " FENCED("'running'"))                                    \
    X(job_checkpoint, "UPDATE jobs SET checkpoint = $3 " FENCED("'running'"))                                \
    X(job_complete, "UPDATE jobs SET state = 'completed', result = $3, finished_ms = $4, checkpoint = '', "  \
                    "error_class = '', "                                                                     \
                    "error_message = '', error_detail = '' " FENCED("'running'"))                            \
    X(job_set_result, "UPDATE jobs SET result = $2 WHERE id = $1 AND state = 'completed'")                   \
    X(job_fail, "UPDATE jobs SET state = 'failed', token = token + 1, finished_ms = $3, error_class = $4, "  \
                "error_message = $5, error_detail = $6 " FENCED("'queued', 'running'"))                      \
    X(job_cancelled,                                                                                         \
      "UPDATE jobs SET state = 'cancelled', token = token + 1, finished_ms = $3, error_class = $4, "         \
      "error_message = $5, error_detail = $6 " FENCED("'queued', 'running'"))                                \
    X(job_requeue,                                                                                           \
      "UPDATE jobs SET state = 'queued', token = token + 1, run_at_ms = $3, attempt = attempt + $4, "        \
      "crashes = crashes + $5, memory_failures = memory_failures + $6, error_class = $7, error_message = "   \
      "$8, "                                                                                                 \
      "error_detail = $9, worker_id = 0, attempt_ms = 0, progress = '' " FENCED("'queued', 'running'"))      \
    X(job_cancel_ask,                                                                                        \
      "UPDATE jobs SET finished_ms = CASE WHEN state = 'running' THEN 0 ELSE $3 END, "                       \
      "state = CASE WHEN state = 'running' THEN 'running' ELSE 'cancelled' END, "                            \
      "cancel_ms = $3, cancel_reason = $4 WHERE id = $1 AND (user_id = $2 OR $2 = 0) "                       \
      "AND state IN ('pending_approval', 'queued', 'running') AND cancel_ms = 0 RETURNING state, token")     \
    X(job_approve, "UPDATE jobs SET state = 'queued' WHERE id = $1 AND state = 'pending_approval'")          \
    X(job_reject, "UPDATE jobs SET state = 'rejected', error_message = $2, finished_ms = $3 "                \
                  "WHERE id = $1 AND state = 'pending_approval'")                                            \
    X(job_revive,                                                                                            \
      "UPDATE jobs SET state = 'queued', token = token + 1, run_at_ms = $2, finished_ms = 0, attempt = 0, "  \
      "crashes = 0, memory_failures = 0, cancel_ms = 0, cancel_reason = '', error_class = '', "              \
      "error_message = '', error_detail = '', progress = '', worker_id = 0 WHERE id = $1 AND state = "       \
      "'failed'")                                                                                            \
    /* ---- jobs: time and history */                                                                        \
    X(job_overdue, "SELECT " JOB_GLANCE " FROM jobs WHERE state = 'running' AND finished_ms = 0 AND "        \
                   "((cancel_ms = 0 AND timeout_ms > 0 AND attempt_ms + timeout_ms < $1) OR "                \
                   "(cancel_ms > 0 AND cancel_ms < $2)) ORDER BY id LIMIT $3")                               \
    X(job_mark_cancel,                                                                                       \
      "UPDATE jobs SET cancel_ms = $3, cancel_reason = $4 " FENCED("'running'") " AND cancel_ms = 0")        \
    X(attempt_insert,                                                                                        \
      "INSERT INTO attempts (job_id, token, worker_id, device, started_ms, ended_ms, outcome, error_class, " \
      "message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (job_id, token) DO NOTHING")         \
    X(attempt_list,                                                                                          \
      "SELECT job_id, token, worker_id, device, started_ms, ended_ms, outcome, error_class, message "        \
      "FROM attempts WHERE job_id = $1 ORDER BY token")                                                      \
    X(job_ended,                                                                                             \
      "SELECT id FROM jobs WHERE finished_ms > 0 AND finished_ms < $1 ORDER BY finished_ms, id LIMIT $2")    \
    X(job_delete_attempts, "DELETE FROM attempts WHERE job_id = $1")                                         \
    X(job_delete_artifacts, "DELETE FROM artifacts WHERE job_id = $1")                                       \
    X(job_delete_parts, "DELETE FROM sample_parts WHERE job_id = $1")                                        \
    X(job_delete_outbox, "DELETE FROM outbox WHERE job_id = $1")                                             \
    X(job_delete, "DELETE FROM jobs WHERE id = $1 AND finished_ms > 0")                                      \
    /* ---- datasets */                                                                                      \
    X(dataset_insert,                                                                                        \
      "INSERT INTO datasets (id, user_id, name, format, size_bytes, sha256, object_key, status, n_rows, "    \
      "n_columns, error, profile_job_id, created_ms, updated_ms, profile, kinds) "                           \
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)")                      \
    X(dataset_find,                                                                                          \
      "SELECT " DATASET_SHORT "profile, kinds FROM datasets WHERE id = $1 AND (user_id = $2 OR $2 = 0)")     \
    X(dataset_list, "SELECT " DATASET_SHORT                                                                  \
                    "'', '' FROM datasets WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")         \
    X(dataset_profiled,                                                                                      \
      "UPDATE datasets SET status = 'ready', n_rows = $3, n_columns = $4, profile = $5, error = '', "        \
      "updated_ms = $6 WHERE id = $1 AND profile_job_id = $2 AND status = 'profiling'")                      \
    X(dataset_invalid, "UPDATE datasets SET status = 'invalid', error = $3, updated_ms = $4 "                \
                       "WHERE id = $1 AND profile_job_id = $2 AND status = 'profiling'")                     \
    X(dataset_reprofile,                                                                                     \
      "UPDATE datasets SET status = 'profiling', kinds = $2, profile_job_id = $3, updated_ms = $4 "          \
      "WHERE id = $1")                                                                                       \
    X(dataset_doom, "INSERT INTO doomed_objects (object_key, created_ms) SELECT object_key, CAST($3 AS "     \
                    "BIGINT) FROM datasets "                                                                 \
                    "WHERE id = $1 AND (user_id = $2 OR $2 = 0) ON CONFLICT (object_key) DO NOTHING")        \
    X(dataset_delete, "DELETE FROM datasets WHERE id = $1 AND (user_id = $2 OR $2 = 0)")                     \
    X(dataset_size, "SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM datasets WHERE user_id = $1")        \
    /* ---- results and models */                                                                            \
    X(artifact_insert,                                                                                       \
      "INSERT INTO artifacts (" ARTIFACT_WHOLE ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")         \
    X(artifact_find, "SELECT " ARTIFACT_WHOLE                                                                \
                     " FROM artifacts WHERE job_id = $1 AND role = $2 AND (user_id = $3 OR $3 = 0)")         \
    X(artifact_doom_job, "INSERT INTO doomed_objects (object_key, created_ms) SELECT object_key, CAST($2 "   \
                         "AS BIGINT) FROM artifacts "                                                        \
                         "WHERE job_id = $1 ON CONFLICT (object_key) DO NOTHING")                            \
    X(object_is_named, "SELECT 1 WHERE EXISTS (SELECT 1 FROM datasets WHERE object_key = $1) "               \
                       "OR EXISTS (SELECT 1 FROM artifacts WHERE object_key = $1) "                          \
                       "OR EXISTS (SELECT 1 FROM models WHERE object_key = $1) "                             \
                       "OR EXISTS (SELECT 1 FROM sample_parts WHERE object_key = $1 AND sent_ms = 0)")       \
    X(model_insert, "INSERT INTO models (" MODEL_WHOLE ") "                                                  \
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")             \
    X(model_find, "SELECT " MODEL_WHOLE " FROM models WHERE id = $1 AND (user_id = $2 OR $2 = 0)")           \
    X(model_list,                                                                                            \
      "SELECT " MODEL_WHOLE " FROM models WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")         \
    X(model_doom, "INSERT INTO doomed_objects (object_key, created_ms) SELECT object_key, CAST($3 AS "       \
                  "BIGINT) FROM models "                                                                     \
                  "WHERE id = $1 AND (user_id = $2 OR $2 = 0) ON CONFLICT (object_key) DO NOTHING")          \
    X(model_delete, "DELETE FROM models WHERE id = $1 AND (user_id = $2 OR $2 = 0)")                         \
    /* ---- parts of samples */                                                                              \
    X(part_insert, "INSERT INTO sample_parts (job_id, n, n_rows, size_bytes, object_key, sha256, sent_ms) "  \
                   "VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (job_id, n) DO NOTHING")                  \
    X(part_doom_twin,                                                                                        \
      "INSERT INTO doomed_objects (object_key, created_ms) SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT) "     \
      "FROM sample_parts WHERE job_id = $3 AND n = $4 AND object_key <> $1 ON CONFLICT (object_key) DO "     \
      "NOTHING")                                                                                             \
    X(part_next, "SELECT job_id, n, n_rows, size_bytes, object_key, sha256, sent_ms FROM sample_parts "      \
                 "WHERE job_id = $1 AND sent_ms = 0 ORDER BY n LIMIT 1")                                     \
    X(part_doom, "INSERT INTO doomed_objects (object_key, created_ms) SELECT object_key, CAST($3 AS "        \
                 "BIGINT) FROM sample_parts "                                                                \
                 "WHERE job_id = $1 AND n = $2 AND sent_ms = 0 ON CONFLICT (object_key) DO NOTHING")         \
    X(part_sent, "UPDATE sample_parts SET sent_ms = $3 WHERE job_id = $1 AND n = $2 AND sent_ms = 0")        \
    X(part_count,                                                                                            \
      "SELECT COUNT(*), COALESCE(SUM(CASE WHEN sent_ms = 0 THEN 1 ELSE 0 END), 0) FROM sample_parts "        \
      "WHERE job_id = $1")                                                                                   \
    X(part_doom_job, "INSERT INTO doomed_objects (object_key, created_ms) SELECT object_key, CAST($2 AS "    \
                     "BIGINT) FROM sample_parts "                                                            \
                     "WHERE job_id = $1 AND sent_ms = 0 ON CONFLICT (object_key) DO NOTHING")                \
    X(part_drop, "DELETE FROM sample_parts WHERE job_id = $1 AND sent_ms = 0")                               \
    /* ---- doomed objects */                                                                                \
    X(doom, "INSERT INTO doomed_objects (object_key, created_ms) VALUES ($1, $2) ON CONFLICT (object_key) "  \
            "DO NOTHING")                                                                                    \
    X(doomed_list, "SELECT object_key FROM doomed_objects ORDER BY created_ms, object_key LIMIT $1")         \
    X(doomed_clear, "DELETE FROM doomed_objects WHERE object_key = $1")                                      \
    /* ---- operations */                                                                                    \
    X(audit_insert, "INSERT INTO audit (id, at_ms, user_id, action, subject, address, request_id, detail) "  \
                    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")                                               \
    X(audit_list,                                                                                            \
      "SELECT id, at_ms, user_id, action, subject, address, request_id, detail FROM audit WHERE id < $1 "    \
      "AND (user_id = $2 OR $2 = 0) AND (action = $3 OR $3 = '') ORDER BY id DESC LIMIT $4")                 \
    X(audit_purge,                                                                                           \
      "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)")       \
    X(pause_put, "INSERT INTO paused_classes (need, user_id, created_ms) VALUES ($1, $2, $3) ON CONFLICT "   \
                 "(need) DO NOTHING")                                                                        \
    X(pause_drop, "DELETE FROM paused_classes WHERE need = $1")                                              \
    X(pause_list, "SELECT need FROM paused_classes ORDER BY need")                                           \
    X(worker_put, "INSERT INTO workers (id, host, version, device, need, pid, job_id, started_ms, beat_ms) " \
                  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET job_id = "     \
                  "excluded.job_id, "                                                                        \
                  "beat_ms = excluded.beat_ms")                                                              \
    X(worker_list, "SELECT id, host, version, device, need, pid, job_id, started_ms, beat_ms FROM workers "  \
                   "WHERE beat_ms >= $1 ORDER BY id")                                                        \
    X(worker_purge, "DELETE FROM workers WHERE beat_ms < $1")

typedef enum rfi_statement {
#define RFI_STATEMENT_ENUM(name, text) RFI_SQL_##name,
    RFI_STATEMENT_TABLE(RFI_STATEMENT_ENUM)
#undef RFI_STATEMENT_ENUM
        RFI_STATEMENT_COUNT
} rfi_statement;

extern const char *const rfi_statement_names[RFI_STATEMENT_COUNT];
extern const char *const rfi_statement_texts[RFI_STATEMENT_COUNT];

enum { RFI_PARAMS_MAX = 24 };

#endif
