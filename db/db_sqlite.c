/* db_sqlite.c - the driver on SQLite, and the only file that includes its header.
 *
 * One file in WAL mode: a writer and readers do not wait for each other. A connection is used by one thread at a time
 * (db.c sees to it), so SQLite's own mutexes are off. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "db/driver.h"

#define SCHEME "sqlite:///"

typedef struct prepared {
    sqlite3_stmt *statement;
    int n_params;
    int index[RFI_PARAMS_MAX]; /* SQLite's number of $1, $2, … : by first appearance, not by the digit */
} prepared;

typedef struct sqlite_connection {
    rfi_connection base;
    sqlite3 *handle;
    prepared statements[RFI_STATEMENT_COUNT];
} sqlite_connection;

/* ------------------------------------------------------------------ errors */

static rf_code translate(int code, const char **message)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        *message = "the database is busy; try again in a moment";
        return RF_UNAVAILABLE;
    case SQLITE_FULL:
        *message = "the disk that holds the database is full";
        return RF_UNAVAILABLE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        *message = "the database cannot be read or written now";
        return RF_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        *message = "the database file is damaged, or is no database of rowforge";
        return RF_CORRUPT;
    case SQLITE_NOMEM:
        *message = "there is no memory left to ask the database";
        return RF_NO_MEMORY;
    case SQLITE_CONSTRAINT:
        if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
            code == SQLITE_CONSTRAINT_ROWID) {
            *message = "there is one already";
            return RF_CONFLICT;
        }
        *message = "the database refused a row that breaks its rules";
        return RF_INTERNAL;
    default:
        *message = "the database did not understand a question";
        return RF_INTERNAL;
    }
}

static rf_code fail(sqlite3 *handle, int code, const char *doing, rf_error *err)
{
    const char *message = NULL;
    const rf_code rc = translate(code, &message);
    rf_fail(err, rc, "%s", message);
    if (err)
        snprintf(err->detail, sizeof err->detail, "%s: %s (%d)", doing,
                 handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code), code);
    return rc;
}

/* ------------------------------------------------------------------ connections */

static void configure(void)
{
    /* The count of bytes in use would be a lock that all readers share. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static rf_code script(rfi_connection *base, const char *sql, rf_error *err)
{
    sqlite_connection *const connection = (sqlite_connection *)base;
    const int code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? RF_OK : fail(connection->handle, code, "script", err);
}

/* To SQLite an INTEGER PRIMARY KEY is the row's own number, of 64 bits, and needs no index beside the table: a fifth of what a
 * submit writes. To PostgreSQL INTEGER has 32 bits. So migrations say BIGINT, and here it is read as INTEGER. */
static rf_code migrate_script(rfi_connection *base, const char *sql, rf_error *err)
{
    static const char theirs[] = "BIGINT PRIMARY KEY", ours[] = "INTEGER PRIMARY KEY";
    rf_buf text;
    rf_buf_init(&text);
    rf_code rc = RF_OK;
    for (const char *at; (at = strstr(sql, theirs)) != NULL; sql = at + strlen(theirs)) {
        rf_buf_append(&text, sql, (size_t)(at - sql));
        rf_buf_puts(&text, ours);
    }
    rf_buf_puts(&text, sql);
    RF_TRY(rf_buf_check(&text, "a migration", err));
    RF_TRY(script(base, text.data, err));
out:
    rf_buf_free(&text);
    return rc;
}

static void disconnect(rfi_connection *base)
{
    sqlite_connection *const connection = (sqlite_connection *)base;
    if (!connection)
        return;
    for (int i = 0; i < RFI_STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i].statement);
    sqlite3_close(connection->handle);
    rf_free(connection);
}

/* SQLite creates its files as the umask allows; a database of people's mail addresses wants less. */
static rf_code create_private(const char *path, rf_error *err)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rf_fail_errno(
            err, RF_IO, "the database %s cannot be opened: see that its folder exists and may be written",
            path);
    close(fd);
    return RF_OK;
}

static rf_code set_up(sqlite_connection *connection, const rf_db_options *options, bool writer, rf_error *err)
{
    char pragmas[512];
    /* The checkpoint at every 1,000 pages syncs twice: rarer ones cost a longer log, not safety. */
    snprintf(
        pragmas, sizeof pragmas,
        "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
        "PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; %s",
        options->full_sync ? "FULL" : "NORMAL",
        writer ? "" : "PRAGMA query_only = ON; PRAGMA cache_size = -512;");
    sqlite3_busy_timeout(connection->handle, options->busy_ms ? (int)options->busy_ms : 5000);
    rf_code rc = RF_OK;
    if (writer)
        RF_TRY(script(&connection->base, "PRAGMA journal_mode = WAL", err));
    RF_TRY(script(&connection->base, pragmas, err));
out:
    return rc;
}

static rf_code connect_file(rfi_connection **out, const rf_db_options *options, bool writer, rf_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);

    rf_code rc = RF_OK;
    sqlite_connection *connection = NULL;
    const char *const path = options->url + strlen(SCHEME);
    if (!*path)
        return rf_fail(err, RF_USAGE, "the database URL \"%s\" names no file; write sqlite:///path",
                       options->url);
    if (writer)
        RF_TRY(create_private(path, err));
    RF_TRY(rf_alloc_array((void **)&connection, 1, sizeof *connection, "a connection to the database", err));
    connection->base.driver = &rfi_driver_sqlite;
    const int code = sqlite3_open_v2(
        path, &connection->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) {
        rc = fail(connection->handle, code, path, err);
        goto out;
    }
    RF_TRY(set_up(connection, options, writer, err));
    *out = &connection->base;
    connection = NULL;
out:
    if (connection)
        disconnect(&connection->base);
    return rc;
}

/* ------------------------------------------------------------------ statements */

static rf_code prepare(sqlite_connection *connection, rfi_statement id, rf_error *err)
{
    prepared *const p = &connection->statements[id];
    const int code = sqlite3_prepare_v3(connection->handle, rfi_statement_texts[id], -1,
                                        SQLITE_PREPARE_PERSISTENT, &p->statement, NULL);
    if (code != SQLITE_OK)
        return fail(connection->handle, code, rfi_statement_names[id], err);
    p->n_params = sqlite3_bind_parameter_count(p->statement);
    for (int i = 0; i < p->n_params && i < RFI_PARAMS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "$%d", i + 1);
        p->index[i] = sqlite3_bind_parameter_index(p->statement, name);
    }
    return RF_OK;
}

static int bind_one(sqlite3_stmt *statement, int at, const rfi_value *value)
{
    switch (value->type) {
    case RFI_INT:
        return sqlite3_bind_int64(statement, at, value->integer);
    case RFI_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case RFI_TEXT:
        return sqlite3_bind_text64(statement, at, value->bytes, value->size_bytes, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case RFI_BLOB:
        return sqlite3_bind_blob64(statement, at, value->bytes, value->size_bytes, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static rf_code bind_all(sqlite_connection *connection, rfi_statement id, const rfi_value *params, int n,
                        rf_error *err)
{
    const prepared *const p = &connection->statements[id];
    if (n != p->n_params)
        return rf_fail(err, RF_INTERNAL, "the statement %s takes %d values and was given %d",
                       rfi_statement_names[id], p->n_params, n);
    for (int i = 0; i < n; i++) {
        const int code = bind_one(p->statement, p->index[i], &params[i]);
        if (code != SQLITE_OK)
            return fail(connection->handle, code, rfi_statement_names[id], err);
    }
    return RF_OK;
}

static rf_code step_all(sqlite_connection *connection, rfi_statement id, rfi_row_fn row_fn, void *arg,
                        rf_error *err)
{
    sqlite3_stmt *const statement = connection->statements[id].statement;
    const rfi_row row = {.driver = &rfi_driver_sqlite, .handle = statement};
    rf_code rc = RF_OK;
    for (;;) {
        const int code = sqlite3_step(statement);
        if (code == SQLITE_DONE)
            break;
        if (code != SQLITE_ROW) {
            rc = fail(connection->handle, code, rfi_statement_names[id], err);
            break;
        }
        if (row_fn && (rc = row_fn(arg, &row, err)) != RF_OK)
            break;
    }
    return rc;
}

static rf_code run(rfi_connection *base, rfi_statement id, const rfi_value *params, int n, rfi_row_fn row_fn,
                   void *arg, int64_t *changed, rf_error *err)
{
    sqlite_connection *const connection = (sqlite_connection *)base;
    prepared *const p = &connection->statements[id];
    rf_code rc = RF_OK;
    if (!p->statement)
        RF_TRY(prepare(connection, id, err));
    const int64_t before = changed ? sqlite3_total_changes64(connection->handle) : 0;
    RF_TRY(bind_all(connection, id, params, n, err));
    RF_TRY(step_all(connection, id, row_fn, arg, err));
    if (changed)
        *changed = sqlite3_total_changes64(connection->handle) - before;
out:
    if (p->statement) {
        sqlite3_reset(p->statement);
        sqlite3_clear_bindings(p->statement); /* the values were lent */
    }
    return rc;
}

/* ------------------------------------------------------------------ transactions and rows */

static rf_code begin(rfi_connection *connection, rf_error *err)
{
    return script(connection, "BEGIN IMMEDIATE", err);
}

static rf_code commit(rfi_connection *connection, rf_error *err)
{
    return script(connection, "COMMIT", err);
}

static void rollback(rfi_connection *base)
{
    /* A failure here means that there is none to roll back: SQLite did it when the disk was full. */
    sqlite3_exec(((sqlite_connection *)base)->handle, "ROLLBACK", NULL, NULL, NULL);
}

static bool in_transaction(rfi_connection *base)
{
    return !sqlite3_get_autocommit(((sqlite_connection *)base)->handle);
}

static int64_t row_int(const rfi_row *row, int column)
{
    return sqlite3_column_int64(row->handle, column);
}

static double row_real(const rfi_row *row, int column)
{
    return sqlite3_column_double(row->handle, column);
}

static const char *row_text(const rfi_row *row, int column, size_t *size_bytes)
{
    const char *const text = (const char *)sqlite3_column_text(row->handle, column);
    *size_bytes = text ? (size_t)sqlite3_column_bytes(row->handle, column) : 0;
    return text ? text : "";
}

const rfi_driver rfi_driver_sqlite = {
    .scheme = "sqlite",
    .connect = connect_file,
    .disconnect = disconnect,
    .script = script,
    .migrate = migrate_script,
    .run = run,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .row_int = row_int,
    .row_real = row_real,
    .row_text = row_text,
};

const rfi_driver *rfi_driver_find(const char *url)
{
    return strncmp(url, SCHEME, strlen(SCHEME)) ? NULL : &rfi_driver_sqlite;
}
