/* db.c - connections and transactions: who may use which, and when.
 *
 * Writers combine. A write joins a line; whoever finds no leader becomes it, takes all that stand in the line into one
 * transaction, and wakes them when it is committed. Those that arrive meanwhile form the next line, so that the slower a
 * commit is, the more writes share the next one. Behind a savepoint each, one that fails takes nobody along.
 *
 * Order of locks: `line` and `pool` are never held together, and neither while a statement runs. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/alloc.h"
#include "db/query.h"
#include "db/schema.h"

enum { READERS_DEFAULT = 8, READERS_MAX = 64, BATCH_MAX = 256 };

typedef struct write_request {
    rf_db_write_fn fn;
    void *arg;
    rf_error *err;
    rf_code rc;
    bool done;
    struct write_request *next;
} write_request;

struct rf_db {
    const rfi_driver *driver;

    pthread_mutex_t line;
    pthread_cond_t line_moved;
    write_request *first, *last;
    bool led; /* some thread runs a batch */
    rf_db_tx writer;

    pthread_mutex_t pool;
    pthread_cond_t pool_free;
    rf_db_tx readers[READERS_MAX];
    int n_readers;
    rf_db_tx *free_reader;

    _Atomic int64_t commits, writes, reads, failures;
    _Atomic int64_t fail_at, statements; /* tests */
};

/* ------------------------------------------------------------------ open and close */

static void free_connections(rf_db *db)
{
    for (int i = 0; i < db->n_readers; i++)
        db->driver->disconnect(db->readers[i].connection);
    db->driver->disconnect(db->writer.connection); /* last: it folds the log into the file */
}

static rf_code connect_all(rf_db *db, const rf_db_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    const int wanted = options->readers ? options->readers : READERS_DEFAULT;
    RF_TRY(db->driver->connect(&db->writer.connection, options, true, err));
    db->writer.db = db;
    db->writer.writes = true;
    for (int i = 0; i < wanted && i < READERS_MAX; i++) {
        rf_db_tx *const reader = &db->readers[i];
        RF_TRY(db->driver->connect(&reader->connection, options, false, err));
        *reader = (rf_db_tx){.db = db, .connection = reader->connection, .next = db->free_reader};
        db->free_reader = reader;
        db->n_readers = i + 1;
    }
out:
    return rc;
}

rf_code rf_db_open(rf_db **out, const rf_db_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_db *db = NULL;
    *out = NULL;
    const rfi_driver *const driver = rfi_driver_find(options->url);
    if (!driver)
        return rf_fail(err, RF_USAGE,
                       "this version keeps its data in SQLite: write the database URL as sqlite:///path");
    RF_TRY(rf_alloc_array((void **)&db, 1, sizeof *db, "the database", err));
    db->driver = driver;
    pthread_mutex_init(&db->line, NULL);
    pthread_cond_init(&db->line_moved, NULL);
    pthread_mutex_init(&db->pool, NULL);
    pthread_cond_init(&db->pool_free, NULL);
    RF_TRY(connect_all(db, options, err));
    *out = db;
    db = NULL;
out:
    rf_db_close(db);
    return rc;
}

void rf_db_close(rf_db *db)
{
    if (!db)
        return;
    free_connections(db);
    pthread_cond_destroy(&db->pool_free);
    pthread_mutex_destroy(&db->pool);
    pthread_cond_destroy(&db->line_moved);
    pthread_mutex_destroy(&db->line);
    rf_free(db);
}

/* ------------------------------------------------------------------ one statement */

/* Counts a statement, and fails it when a test asked for that. */
static rf_code count_statement(rf_db *db, rf_error *err)
{
    atomic_fetch_add_explicit(&db->statements, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&db->fail_at, memory_order_relaxed) || atomic_fetch_sub(&db->fail_at, 1) != 1)
        return RF_OK;
    return rf_fail(err, RF_UNAVAILABLE, "the database does not answer now; try again in a moment");
}

rf_code rfi_query_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n,
                      rfi_row_fn row_fn, void *arg, int64_t *changed, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(count_statement(tx->db, err));
    RF_TRY(tx->db->driver->run(tx->connection, statement, params, n, row_fn, arg, changed, err));
out:
    if (rc == RF_UNAVAILABLE)
        atomic_fetch_add_explicit(&tx->db->failures, 1, memory_order_relaxed);
    return rc;
}

rf_code rfi_script(rf_db_tx *tx, const char *sql, rf_error *err)
{
    return tx->db->driver->migrate(tx->connection, sql, err);
}

/* ------------------------------------------------------------------ the door to write */

/* Every write of the batch that was fine is not, because what they share was lost. */
static void fail_batch(write_request *batch, const rf_error *cause)
{
    for (write_request *r = batch; r; r = r->next) {
        if (r->rc != RF_OK)
            continue;
        r->rc = cause->code;
        if (r->err)
            *r->err = *cause;
    }
}

/* False when the whole transaction is lost. */
static bool run_one(rf_db *db, write_request *request, bool alone)
{
    rfi_connection *const connection = db->writer.connection;
    if (!alone && (request->rc = db->driver->script(connection, "SAVEPOINT one", request->err)) != RF_OK)
        return db->driver->in_transaction(connection);
    request->rc = request->fn(&db->writer, request->arg, request->err);
    if (!db->driver->in_transaction(connection))
        return false;
    if (alone)
        return request->rc == RF_OK;
    rf_error ignored = {0};
    return db->driver->script(connection,
                              request->rc == RF_OK ? "RELEASE one" : "ROLLBACK TO one; RELEASE one",
                              &ignored) == RF_OK;
}

static rf_code commit_batch(rf_db *db, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(count_statement(db, err));
    RF_TRY(db->driver->commit(db->writer.connection, err));
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
out:
    return rc;
}

static void run_batch(rf_db *db, write_request *batch)
{
    rf_error cause = {0};
    rf_code rc = RF_OK;
    bool refused = false;
    RF_TRY(db->driver->begin(db->writer.connection, &cause));
    for (write_request *r = batch; r; r = r->next) {
        atomic_fetch_add_explicit(&db->writes, 1, memory_order_relaxed);
        if (run_one(db, r, !batch->next))
            continue;
        refused = !batch->next && db->driver->in_transaction(db->writer.connection);
        rc = rf_fail(&cause, RF_UNAVAILABLE,
                     "the database gave up a change that was shared; try again in a moment");
        goto out;
    }
    RF_TRY(commit_batch(db, &cause));
out:
    if (rc == RF_OK)
        return;
    if (!refused) /* by the caller's own rules: that is no failure of the database */
        atomic_fetch_add_explicit(&db->failures, 1, memory_order_relaxed);
    db->driver->rollback(db->writer.connection);
    fail_batch(batch, &cause);
}

/* Cuts the line, or its first BATCH_MAX. The line's mutex is held. */
static write_request *take_batch(rf_db *db)
{
    write_request *const batch = db->first, *end = batch;
    for (int n = 1; n < BATCH_MAX && end->next; n++)
        end = end->next;
    db->first = end->next;
    if (!db->first)
        db->last = NULL;
    end->next = NULL;
    return batch;
}

rf_code rf_db_write(rf_db *db, rf_db_write_fn fn, void *arg, rf_error *err)
{
    write_request mine = {.fn = fn, .arg = arg, .err = err};
    pthread_mutex_lock(&db->line);
    if (db->last)
        db->last->next = &mine;
    else
        db->first = &mine;
    db->last = &mine;
    while (!mine.done && db->led)
        pthread_cond_wait(&db->line_moved, &db->line);
    if (!mine.done) {
        db->led = true;
        while (!mine.done) { /* the line may be longer than a batch */
            write_request *const batch = take_batch(db);
            pthread_mutex_unlock(&db->line);
            run_batch(db, batch);
            pthread_mutex_lock(&db->line);
            for (write_request *r = batch, *next; r; r = next) {
                next = r->next; /* a request that is done may be gone at once */
                r->done = true;
            }
            pthread_cond_broadcast(&db->line_moved);
        }
        db->led = false;
    }
    pthread_mutex_unlock(&db->line);
    return mine.rc;
}

/* ------------------------------------------------------------------ the door to read */

rf_code rf_db_read_begin(rf_db *db, rf_db_tx **out, rf_error *err)
{
    (void)err;
    pthread_mutex_lock(&db->pool);
    while (!db->free_reader)
        pthread_cond_wait(&db->pool_free, &db->pool);
    *out = db->free_reader;
    db->free_reader = (*out)->next;
    pthread_mutex_unlock(&db->pool);
    atomic_fetch_add_explicit(&db->reads, 1, memory_order_relaxed);
    return RF_OK;
}

void rf_db_read_end(rf_db_tx *tx)
{
    if (!tx)
        return;
    rf_db *const db = tx->db;
    pthread_mutex_lock(&db->pool);
    tx->next = db->free_reader;
    db->free_reader = tx;
    pthread_cond_signal(&db->pool_free);
    pthread_mutex_unlock(&db->pool);
}

rf_code rf_db_ping(rf_db *db, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_read_begin(db, &tx, err));
    RF_TRY(rfi_query_run(tx, RFI_SQL_ping, NULL, 0, NULL, NULL, NULL, err));
out:
    rf_db_read_end(tx);
    return rc;
}

/* ------------------------------------------------------------------ numbers and tests */

rf_db_counts rf_db_counts_get(rf_db *db)
{
    return (rf_db_counts){
        .commits = db->commits, .writes = db->writes, .reads = db->reads, .failures = db->failures};
}

void rf_db_fail_at(rf_db *db, int64_t nth)
{
    db->statements = 0;
    db->fail_at = nth;
}

int64_t rf_db_statement_count(rf_db *db)
{
    return db->statements;
}
