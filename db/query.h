/* query.h - how the question files ask: values in, rows out. */
#ifndef RF_DB_QUERY_H
#define RF_DB_QUERY_H

#include <string.h>

#include "db/driver.h"

struct rf_db_tx {
    rf_db *db;
    rfi_connection *connection;
    bool writes;
    struct rf_db_tx *next; /* readers that wait to be taken */
};

static inline rfi_value rfi_int(int64_t value)
{
    return (rfi_value){.type = RFI_INT, .integer = value};
}

static inline rfi_value rfi_real(double value)
{
    return (rfi_value){.type = RFI_REAL, .real = value};
}

/* NULL is "". */
static inline rfi_value rfi_text(const char *value)
{
    return (rfi_value){
        .type = RFI_TEXT, .bytes = value ? value : "", .size_bytes = value ? strlen(value) : 0};
}

#define RFI_VALUES(...)                                                                                      \
    (const rfi_value[]){__VA_ARGS__}, (int)(sizeof((const rfi_value[]){__VA_ARGS__}) / sizeof(rfi_value))

/* Runs one statement. row_fn may be NULL, changed too. */
rf_code rfi_query_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n,
                      rfi_row_fn row_fn, void *arg, int64_t *changed, rf_error *err) RF_MUST_CHECK;
/* One that only changes rows: how many, as a truth. `changed` may be NULL. */
rf_code rfi_change(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n, bool *changed,
                   rf_error *err) RF_MUST_CHECK;
/* The first column of the first row; *found (may be NULL) is false and *out 0 without one. */
rf_code rfi_number(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n, int64_t *out,
                   bool *found, rf_error *err) RF_MUST_CHECK;
/* The next id of a kind of thing. */
rf_code rfi_next_id(rf_db_tx *tx, const char *sequence, int64_t *out, rf_error *err) RF_MUST_CHECK;

static inline int64_t rfi_row_int(const rfi_row *row, int column)
{
    return row->driver->row_int(row, column);
}

static inline double rfi_row_real(const rfi_row *row, int column)
{
    return row->driver->row_real(row, column);
}

/* A copy in the arena; "" for nothing. A failed arena gives "" too: rfi_query_run's caller checks the arena. */
const char *rfi_row_text(const rfi_row *row, int column, rf_arena *arena);
/* The column as a name of a list; CORRUPT when it is none. */
rf_code rfi_row_name(const rfi_row *row, int column, int (*find)(const char *name), int *out,
                     rf_error *err) RF_MUST_CHECK;

/* Rows into an array in an arena: `read` fills the next element of `size` bytes. */
typedef struct rfi_list {
    rf_arena *arena;
    rf_code (*read)(const rfi_row *row, rf_arena *arena, void *element, rf_error *err);
    size_t size;
    char *elements;
    int32_t n, capacity;
} rfi_list;
rf_code rfi_list_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                     rfi_list *list, rf_error *err) RF_MUST_CHECK;
/* One row or none. */
rf_code rfi_find_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                     rf_code (*read)(const rfi_row *row, rf_arena *arena, void *element, rf_error *err),
                     rf_arena *arena, void *out, bool *found, rf_error *err) RF_MUST_CHECK;

#endif
