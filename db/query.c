#include "db/query.h"

#include <stdio.h>

#include "core/alloc.h"

rf_code rfi_change(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n, bool *changed,
                   rf_error *err)
{
    int64_t rows = 0;
    const rf_code rc = rfi_query_run(tx, statement, params, n, NULL, NULL, &rows, err);
    if (changed)
        *changed = rc == RF_OK && rows > 0;
    return rc;
}

typedef struct number {
    int64_t value;
    bool found;
} number;

static rf_code take_number(void *arg, const rfi_row *row, rf_error *err)
{
    (void)err;
    number *const to = arg;
    if (!to->found)
        to->value = rfi_row_int(row, 0);
    to->found = true;
    return RF_OK;
}

rf_code rfi_number(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n, int64_t *out,
                   bool *found, rf_error *err)
{
    number to = {0};
    const rf_code rc = rfi_query_run(tx, statement, params, n, take_number, &to, NULL, err);
    *out = to.value;
    if (found)
        *found = to.found;
    return rc;
}

rf_code rfi_next_id(rf_db_tx *tx, const char *sequence, int64_t *out, rf_error *err)
{
    bool found = false;
    const rf_code rc =
        rfi_number(tx, RFI_SQL_sequence_next, RFI_VALUES(rfi_text(sequence)), out, &found, err);
    if (rc == RF_OK && !found)
        return rf_fail(err, RF_INTERNAL, "the database has no sequence called %s", sequence);
    return rc;
}

const char *rfi_row_text(const rfi_row *row, int column, rf_arena *arena)
{
    size_t size = 0;
    const char *const text = row->driver->row_text(row, column, &size);
    const char *const copy = size ? rf_arena_string(arena, text, size) : "";
    return copy ? copy : "";
}

rf_code rfi_row_name(const rfi_row *row, int column, int (*find)(const char *name), int *out, rf_error *err)
{
    size_t size = 0;
    const char *const text = row->driver->row_text(row, column, &size);
    *out = find(text);
    if (*out >= 0)
        return RF_OK;
    rf_fail(err, RF_CORRUPT, "the database holds a word that this version does not know");
    if (err)
        snprintf(err->detail, sizeof err->detail, "%.200s", text);
    return RF_CORRUPT;
}

static rf_code grow_list(rfi_list *list, rf_error *err)
{
    const int32_t capacity = list->capacity ? 2 * list->capacity : 16;
    char *const elements = rf_arena_alloc(list->arena, (size_t)capacity, list->size);
    if (!elements)
        return rf_arena_check(list->arena, "rows of the database", err);
    if (list->n)
        memcpy(elements, list->elements, (size_t)list->n * list->size);
    list->elements = elements;
    list->capacity = capacity;
    return RF_OK;
}

static rf_code take_row(void *arg, const rfi_row *row, rf_error *err)
{
    rfi_list *const list = arg;
    rf_code rc = RF_OK;
    if (list->n == list->capacity)
        RF_TRY(grow_list(list, err));
    RF_TRY(list->read(row, list->arena, list->elements + (size_t)list->n * list->size, err));
    list->n++;
out:
    return rc;
}

rf_code rfi_list_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                     rfi_list *list, rf_error *err)
{
    list->elements = NULL;
    list->n = list->capacity = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_query_run(tx, statement, params, n_params, take_row, list, NULL, err));
    RF_TRY(rf_arena_check(list->arena, "rows of the database", err));
out:
    return rc;
}

typedef struct one {
    rf_code (*read)(const rfi_row *row, rf_arena *arena, void *element, rf_error *err);
    rf_arena *arena;
    void *out;
    bool found;
} one;

static rf_code take_one(void *arg, const rfi_row *row, rf_error *err)
{
    one *const to = arg;
    to->found = true;
    return to->read(row, to->arena, to->out, err);
}

rf_code rfi_find_run(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                     rf_code (*read)(const rfi_row *row, rf_arena *arena, void *element, rf_error *err),
                     rf_arena *arena, void *out, bool *found, rf_error *err)
{
    one to = {.read = read, .arena = arena, .out = out};
    rf_code rc = RF_OK;
    *found = false;
    RF_TRY(rfi_query_run(tx, statement, params, n_params, take_one, &to, NULL, err));
    RF_TRY(rf_arena_check(arena, "a row of the database", err));
    *found = to.found;
out:
    return rc;
}
