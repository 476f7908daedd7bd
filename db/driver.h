/* driver.h - the seam between the questions and a database's own library.
 *
 * A driver is a table of functions over a connection. db.c decides which connection and which transaction; a driver
 * only prepares, binds, steps. It prepares each statement of statements.h once a connection, when it is first run.
 *
 * What a driver promises: parameters are bound by their name $n; a failed run leaves the connection usable, and
 * in_transaction says whether the transaction survived it; errors are translated to the codes of db.h, with the
 * library's own words in `detail` and never in `message`.
 */
#ifndef RF_DB_DRIVER_H
#define RF_DB_DRIVER_H

#include <stddef.h>

#include "db/db.h"
#include "db/statements.h"

typedef enum rfi_type {
    RFI_INT,
    RFI_REAL,
    RFI_TEXT,
    RFI_BLOB,
} rfi_type;

typedef struct rfi_value {
    rfi_type type;
    int64_t integer;
    double real;
    const void *bytes; /* lent until the run returns */
    size_t size_bytes;
} rfi_value;

typedef struct rfi_driver rfi_driver;
typedef struct rfi_connection {
    const rfi_driver *driver; /* the driver's own fields follow */
} rfi_connection;

/* One row of a result, lent during the call of a row function. Columns count from 0. */
typedef struct rfi_row {
    const rfi_driver *driver;
    void *handle; /* the driver's */
    int at;       /* which row, for drivers that hold them all */
} rfi_row;
typedef rf_code (*rfi_row_fn)(void *arg, const rfi_row *row, rf_error *err);

struct rfi_driver {
    const char *scheme; /* "sqlite" */
    rf_code (*connect)(rfi_connection **out, const rf_db_options *options, bool writer, rf_error *err);
    void (*disconnect)(rfi_connection *connection); /* NULL is fine */
    /* Several statements without parameters. */
    rf_code (*script)(rfi_connection *connection, const char *sql, rf_error *err);
    /* The same for a migration, where a driver may choose a type's own spelling. */
    rf_code (*migrate)(rfi_connection *connection, const char *sql, rf_error *err);
    /* One statement; row_fn (may be NULL) for each row until it fails; *changed (may be NULL): rows changed. */
    rf_code (*run)(rfi_connection *connection, rfi_statement statement, const rfi_value *params, int n,
                   rfi_row_fn row_fn, void *arg, int64_t *changed, rf_error *err);
    rf_code (*begin)(rfi_connection *connection, rf_error *err); /* to write */
    rf_code (*commit)(rfi_connection *connection, rf_error *err);
    void (*rollback)(rfi_connection *connection);
    bool (*in_transaction)(rfi_connection *connection);
    int64_t (*row_int)(const rfi_row *row, int column);
    double (*row_real)(const rfi_row *row, int column);
    const char *(*row_text)(const rfi_row *row, int column, size_t *size_bytes); /* never NULL */
};

extern const rfi_driver rfi_driver_sqlite;
/* The driver for a URL; NULL when nobody knows its scheme. */
const rfi_driver *rfi_driver_find(const char *url);

#endif
