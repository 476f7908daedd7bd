#include "db/db_ops.h"

#include "db/query.h"

/* ------------------------------------------------------------------ the log of deeds */

rf_code rf_db_audit_insert(rf_db_tx *tx, const rf_db_audit *audit, rf_error *err)
{
    int64_t id = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_next_id(tx, "audit", &id, err));
    RF_TRY(rfi_change(tx, RFI_SQL_audit_insert,
                      RFI_VALUES(rfi_int(id), rfi_int(audit->at_ms), rfi_int(audit->user_id),
                                 rfi_text(audit->action), rfi_text(audit->subject), rfi_text(audit->address),
                                 rfi_text(audit->request_id), rfi_text(audit->detail)),
                      NULL, err));
out:
    return rc;
}

static rf_code read_audit(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_db_audit *)element = (rf_db_audit){
        .id = rfi_row_int(row, 0),
        .at_ms = rfi_row_int(row, 1),
        .user_id = rfi_row_int(row, 2),
        .action = rfi_row_text(row, 3, arena),
        .subject = rfi_row_text(row, 4, arena),
        .address = rfi_row_text(row, 5, arena),
        .request_id = rfi_row_text(row, 6, arena),
        .detail = rfi_row_text(row, 7, arena),
    };
    return RF_OK;
}

rf_code rf_db_audit_list(rf_db_tx *tx, int64_t user_id, const char *action, int64_t before_id, int32_t limit,
                         rf_arena *arena, rf_db_audit **out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_audit, .size = sizeof(rf_db_audit)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_audit_list,
                                    RFI_VALUES(rfi_int(before_id ? before_id : INT64_MAX), rfi_int(user_id),
                                               rfi_text(action), rfi_int(limit)),
                                    &list, err);
    *out = (rf_db_audit *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_audit_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n, rf_error *err)
{
    return rfi_query_run(tx, RFI_SQL_audit_purge, RFI_VALUES(rfi_int(before_ms), rfi_int(limit)), NULL, NULL,
                         n, err);
}

/* ------------------------------------------------------------------ paused classes */

rf_code rf_db_pause_set(rf_db_tx *tx, const char *need, bool paused, int64_t user_id, int64_t now_ms,
                        rf_error *err)
{
    if (!paused)
        return rfi_change(tx, RFI_SQL_pause_drop, RFI_VALUES(rfi_text(need)), NULL, err);
    return rfi_change(tx, RFI_SQL_pause_put, RFI_VALUES(rfi_text(need), rfi_int(user_id), rfi_int(now_ms)),
                      NULL, err);
}

static rf_code read_text(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(const char **)element = rfi_row_text(row, 0, arena);
    return RF_OK;
}

rf_code rf_db_pauses_list(rf_db_tx *tx, rf_arena *arena, const char ***out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_text, .size = sizeof(const char *)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_pause_list, NULL, 0, &list, err);
    *out = (const char **)(void *)list.elements;
    *n = list.n;
    return rc;
}

/* ------------------------------------------------------------------ workers */

rf_code rf_db_worker_put(rf_db_tx *tx, const rf_db_worker *worker, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_worker_put,
                      RFI_VALUES(rfi_int(worker->id), rfi_text(worker->host), rfi_text(worker->version),
                                 rfi_text(worker->device), rfi_text(worker->need), rfi_int(worker->pid),
                                 rfi_int(worker->job_id), rfi_int(worker->started_ms),
                                 rfi_int(worker->beat_ms)),
                      NULL, err);
}

static rf_code read_worker(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_db_worker *)element = (rf_db_worker){
        .id = rfi_row_int(row, 0),
        .host = rfi_row_text(row, 1, arena),
        .version = rfi_row_text(row, 2, arena),
        .device = rfi_row_text(row, 3, arena),
        .need = rfi_row_text(row, 4, arena),
        .pid = rfi_row_int(row, 5),
        .job_id = rfi_row_int(row, 6),
        .started_ms = rfi_row_int(row, 7),
        .beat_ms = rfi_row_int(row, 8),
    };
    return RF_OK;
}

rf_code rf_db_workers_list(rf_db_tx *tx, int64_t since_ms, rf_arena *arena, rf_db_worker **out, int32_t *n,
                           rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_worker, .size = sizeof(rf_db_worker)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_worker_list, RFI_VALUES(rfi_int(since_ms)), &list, err);
    *out = (rf_db_worker *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_workers_purge(rf_db_tx *tx, int64_t before_ms, int64_t *n, rf_error *err)
{
    return rfi_query_run(tx, RFI_SQL_worker_purge, RFI_VALUES(rfi_int(before_ms)), NULL, NULL, n, err);
}

/* ------------------------------------------------------------------ small facts */

typedef struct text_slot {
    rf_arena *arena;
    const char *text;
} text_slot;

static rf_code take_text(void *arg, const rfi_row *row, rf_error *err)
{
    text_slot *const slot = arg;
    slot->text = rfi_row_text(row, 0, slot->arena);
    return rf_arena_check(slot->arena, "a fact of the database", err);
}

rf_code rf_db_fact_get(rf_db_tx *tx, const char *name, rf_arena *arena, const char **out, bool *found,
                       rf_error *err)
{
    text_slot slot = {.arena = arena};
    const rf_code rc =
        rfi_query_run(tx, RFI_SQL_fact_get, RFI_VALUES(rfi_text(name)), take_text, &slot, NULL, err);
    *found = rc == RF_OK && slot.text;
    *out = slot.text ? slot.text : "";
    return rc;
}

rf_code rf_db_fact_set(rf_db_tx *tx, const char *name, const char *value, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_fact_set, RFI_VALUES(rfi_text(name), rfi_text(value)), NULL, err);
}
