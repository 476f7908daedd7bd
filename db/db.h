/* db.h - the database: the one truth about users, datasets and jobs, and every SQL statement there is.
 *
 * A machine with two doors. Writes are functions that run inside a transaction; reads take a connection for a moment:
 *
 *     rf_db *db = NULL;
 *     RF_TRY(rf_db_open(&db, &(rf_db_options){.url = "sqlite:////var/lib/rowforge/rowforge.db"}, err));
 *     RF_TRY(rf_db_migrate(db, now_ms, &applied, err));
 *
 *     static rf_code rename_user(rf_db_tx *tx, void *arg, rf_error *err) { … rf_db_user_…(tx, …) … }
 *     RF_TRY(rf_db_write(db, rename_user, &change, err));      // committed when it returns OK
 *
 *     RF_TRY(rf_db_read_begin(db, &tx, err));
 *     RF_TRY(rf_db_user_find(tx, id, &arena, &user, &found, err));
 * out:
 *     rf_db_read_end(tx);
 *
 * The questions are in db_accounts.h, db_jobs.h, db_objects.h and db_ops.h: one function each, over an rf_db_tx of
 * either door (those that change something want a writer's). No column name and no SQL leaves this folder.
 *
 * Group commit: writes of several threads share a transaction. One of the threads that came while the last was being
 * committed runs all that wait, each behind a savepoint of its own: a write that fails is undone alone and hands its
 * error to its caller; a commit that fails hands it to all of them. So a write function runs on whichever thread leads,
 * may be run again, and therefore touches the database and *arg only, waits for nothing, and calls no rf_db_write.
 *
 * Times are parameters, in milliseconds since 1970 UTC; the database is never asked for the time. Texts that come out are
 * copied into the caller's arena and are never NULL.
 *
 * Codes: UNAVAILABLE when the database does not answer or stays locked, or the disk is full (nothing was changed; try
 * again); CONFLICT where a row must be unique; CORRUPT for a damaged file; INTERNAL for a bug. Threads: any function from
 * any thread, an rf_db_tx belongs to one thread.
 */
#ifndef RF_DB_DB_H
#define RF_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/error.h"

typedef struct rf_db rf_db;
typedef struct rf_db_tx rf_db_tx;

typedef struct rf_db_options {
    const char
        *url; /* "sqlite:///relative/path", "sqlite:////absolute/path"; the folder must exist             */
    bool full_sync; /* sync at every commit: nothing is lost to a power cut, at a few milliseconds a commit.
                        * Without it a power cut may lose the last commits, a crash of the process never does.       */
    int readers; /* connections that read; 0: 8                                                              */
    int64_t
        busy_ms; /* how long a lock held by another process is waited for; 0: 5,000                          */
} rf_db_options;

/* Opens or creates (mode 0600). USAGE for a URL that is not understood, IO where the file cannot be had. */
rf_code rf_db_open(rf_db **out, const rf_db_options *options, rf_error *err) RF_MUST_CHECK;
/* No call may be running. NULL is fine. */
void rf_db_close(rf_db *db);

/* ------------------------------------------------------------------ the two doors */

typedef rf_code (*rf_db_write_fn)(rf_db_tx *tx, void *arg, rf_error *err);

/* Runs fn in a transaction and commits. What fn returns comes back; anything but OK undid all that it did. */
rf_code rf_db_write(rf_db *db, rf_db_write_fn fn, void *arg, rf_error *err) RF_MUST_CHECK;

/* A connection to read on. Waits while all are taken: hold it for a few questions, never over a wait. Each question sees
 * the last commit before it. */
rf_code rf_db_read_begin(rf_db *db, rf_db_tx **out, rf_error *err) RF_MUST_CHECK;
void rf_db_read_end(rf_db_tx *tx); /* NULL is fine */

/* OK when the database answers: for /ready. */
rf_code rf_db_ping(rf_db *db, rf_error *err) RF_MUST_CHECK;

typedef struct rf_db_counts {
    int64_t commits, writes; /* writes / commits: how many share one */
    int64_t reads, failures;
} rf_db_counts;
rf_db_counts rf_db_counts_get(rf_db *db);

/* ------------------------------------------------------------------ the schema */

/* Applies what is missing, in order, all in one transaction; *applied may be NULL. CONFLICT when an applied migration is
 * not the one in this program (edited, or from a newer program). */
rf_code rf_db_migrate(rf_db *db, int64_t now_ms, int *applied, rf_error *err) RF_MUST_CHECK;

typedef enum rf_migration_state {
    RF_MIGRATION_PENDING,
    RF_MIGRATION_APPLIED,
    RF_MIGRATION_EDITED,  /* applied in another form than this program has */
    RF_MIGRATION_UNKNOWN, /* applied by a newer program                    */
} rf_migration_state;

typedef struct rf_migration {
    int32_t version;
    const char *name;
    rf_migration_state state;
    int64_t applied_ms;
} rf_migration;

/* All that this program has and all that the database has, by version; in the arena. */
rf_code rf_db_migrations(rf_db *db, rf_arena *arena, rf_migration **out, int *n, rf_error *err) RF_MUST_CHECK;

/* For tests: the nth statement from now (1 = the next) fails with UNAVAILABLE, once; 0 = off. A commit counts as one.
 * rf_db_statement_count says how many ran since the last call of rf_db_fail_at. */
void rf_db_fail_at(rf_db *db, int64_t nth);
int64_t rf_db_statement_count(rf_db *db);

#endif
