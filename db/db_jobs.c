/* db_jobs.c - jobs come in, and are looked at. db_job_moves.c changes them. */
#include "db/db_jobs.h"

#include "db/db_rows.h"

/* ------------------------------------------------------------------ a row */

static void read_texts(const rfi_row *row, rf_arena *arena, rf_job *job)
{
    job->need = rfi_row_text(row, 13, arena);
    job->device = rfi_row_text(row, 19, arena);
    job->cancel_reason = rfi_row_text(row, 26, arena);
    job->progress = rfi_row_text(row, 27, arena);
    job->result = rfi_row_text(row, 28, arena);
    job->error_class = rfi_row_text(row, 29, arena);
    job->error_message = rfi_row_text(row, 30, arena);
    job->error_detail = rfi_row_text(row, 31, arena);
    job->spec = rfi_row_text(row, 32, arena);
    job->plan = rfi_row_text(row, 33, arena);
    job->checkpoint = rfi_row_text(row, 34, arena);
}

rf_code rfi_read_job(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    rf_job *const job = element;
    int kind = 0, state = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_row_name(row, 2, rf_job_kind_find, &kind, err));
    RF_TRY(rfi_row_name(row, 3, rf_job_state_find, &state, err));
    *job = (rf_job){
        .id = rfi_row_int(row, 0),
        .user_id = rfi_row_int(row, 1),
        .kind = (rf_job_kind)kind,
        .state = (rf_job_state)state,
        .priority = (int)rfi_row_int(row, 4),
        .dataset_id = rfi_row_int(row, 5),
        .model_id = rfi_row_int(row, 6),
        .seed = rfi_row_int(row, 7),
        .rows = rfi_row_int(row, 8),
        .timeout_ms = rfi_row_int(row, 9),
        .cost = rfi_row_real(row, 10),
        .blocked = rfi_row_int(row, 11) != 0,
        .unlimited = rfi_row_int(row, 12) != 0,
        .token = rfi_row_int(row, 14),
        .attempt = (int32_t)rfi_row_int(row, 15),
        .crashes = (int32_t)rfi_row_int(row, 16),
        .memory_failures = (int32_t)rfi_row_int(row, 17),
        .worker_id = rfi_row_int(row, 18),
        .created_ms = rfi_row_int(row, 20),
        .run_at_ms = rfi_row_int(row, 21),
        .started_ms = rfi_row_int(row, 22),
        .attempt_ms = rfi_row_int(row, 23),
        .cancel_ms = rfi_row_int(row, 24),
        .finished_ms = rfi_row_int(row, 25),
    };
    read_texts(row, arena, job);
out:
    return rc;
}

rf_code rfi_list_jobs(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                      rf_arena *arena, rf_job **out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = rfi_read_job, .size = sizeof(rf_job)};
    const rf_code rc = rfi_list_run(tx, statement, params, n_params, &list, err);
    *out = (rf_job *)list.elements;
    *n = list.n;
    return rc;
}

/* ------------------------------------------------------------------ submit */

rf_code rf_db_job_insert(rf_db_tx *tx, rf_job *job, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_next_id(tx, "jobs", &job->id, err));
    RF_TRY(rfi_change(
        tx, RFI_SQL_job_insert,
        RFI_VALUES(rfi_int(job->id), rfi_int(job->user_id), rfi_text(rf_job_kind_name(job->kind)),
                   rfi_text(rf_job_state_name(job->state)), rfi_int(job->priority), rfi_int(job->dataset_id),
                   rfi_int(job->model_id), rfi_int(job->seed), rfi_int(job->rows), rfi_int(job->timeout_ms),
                   rfi_real(job->cost), rfi_int(job->blocked), rfi_int(job->unlimited), rfi_text(job->need),
                   rfi_text(job->spec), rfi_text(job->plan), rfi_int(job->token), rfi_int(job->created_ms),
                   rfi_int(job->run_at_ms)),
        NULL, err));
out:
    return rc;
}

rf_code rf_db_idempotency_insert(rf_db_tx *tx, const rf_db_idempotency *row, bool *inserted, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_idempotency_insert,
                      RFI_VALUES(rfi_int(row->user_id), rfi_text(row->key), rfi_text(row->hash),
                                 rfi_int(row->object_id), rfi_int(row->status), rfi_text(row->reply),
                                 rfi_int(row->created_ms)),
                      inserted, err);
}

static rf_code read_idempotency(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_db_idempotency *)element = (rf_db_idempotency){
        .user_id = rfi_row_int(row, 0),
        .key = rfi_row_text(row, 1, arena),
        .hash = rfi_row_text(row, 2, arena),
        .object_id = rfi_row_int(row, 3),
        .status = (int32_t)rfi_row_int(row, 4),
        .reply = rfi_row_text(row, 5, arena),
        .created_ms = rfi_row_int(row, 6),
    };
    return RF_OK;
}

rf_code rf_db_idempotency_find(rf_db_tx *tx, int64_t user_id, const char *key, rf_arena *arena,
                               rf_db_idempotency *out, bool *found, rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_idempotency_find, RFI_VALUES(rfi_int(user_id), rfi_text(key)),
                        read_idempotency, arena, out, found, err);
}

rf_code rf_db_idempotency_set_object(rf_db_tx *tx, int64_t user_id, const char *key, int64_t object_id,
                                     rf_error *err)
{
    return rfi_change(tx, RFI_SQL_idempotency_set_object,
                      RFI_VALUES(rfi_int(user_id), rfi_text(key), rfi_int(object_id)), NULL, err);
}

rf_code rf_db_idempotency_store(rf_db_tx *tx, int64_t user_id, const char *key, int32_t status,
                                const char *reply, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_idempotency_store,
                      RFI_VALUES(rfi_int(user_id), rfi_text(key), rfi_int(status), rfi_text(reply)), NULL,
                      err);
}

rf_code rf_db_idempotency_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n, rf_error *err)
{
    return rfi_query_run(tx, RFI_SQL_idempotency_purge, RFI_VALUES(rfi_int(before_ms), rfi_int(limit)), NULL,
                         NULL, n, err);
}

/* ------------------------------------------------------------------ look */

rf_code rf_db_job_find(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out, bool *found,
                       rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_job_find, RFI_VALUES(rfi_int(id), rfi_int(user_id)), rfi_read_job, arena,
                        out, found, err);
}

rf_code rf_db_job_glance(rf_db_tx *tx, int64_t user_id, int64_t id, rf_arena *arena, rf_job *out, bool *found,
                         rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_job_glance, RFI_VALUES(rfi_int(id), rfi_int(user_id)), rfi_read_job,
                        arena, out, found, err);
}

rf_code rf_db_jobs_list(rf_db_tx *tx, const rf_db_job_filter *filter, rf_arena *arena, rf_job **out,
                        int32_t *n, rf_error *err)
{
    const rfi_value before = rfi_int(filter->before_id ? filter->before_id : INT64_MAX);
    const rfi_value limit = rfi_int(filter->limit);
    const rfi_value state = rfi_text(filter->state < 0 ? "" : rf_job_state_name((rf_job_state)filter->state));
    const rfi_value kind = rfi_text(filter->kind < 0 ? "" : rf_job_kind_name((rf_job_kind)filter->kind));
    if (filter->user_id)
        return rfi_list_jobs(tx, RFI_SQL_job_list_user,
                             RFI_VALUES(rfi_int(filter->user_id), before, state, kind, limit), arena, out, n,
                             err);
    if (filter->state == RF_JOB_FAILED) /* few among many, with an index of their own */
        return rfi_list_jobs(tx, RFI_SQL_job_list_failed, RFI_VALUES(before, kind, limit), arena, out, n,
                             err);
    return rfi_list_jobs(tx, RFI_SQL_job_list_all, RFI_VALUES(before, state, kind, limit), arena, out, n,
                         err);
}

rf_code rf_db_jobs_active(rf_db_tx *tx, int64_t user_id, int64_t *out, rf_error *err)
{
    return rfi_number(tx, RFI_SQL_job_active, RFI_VALUES(rfi_int(user_id)), out, NULL, err);
}

rf_code rf_db_jobs_using(rf_db_tx *tx, int64_t dataset_id, int64_t model_id, rf_arena *arena, rf_job **out,
                         int32_t *n, rf_error *err)
{
    return rfi_list_jobs(tx, dataset_id ? RFI_SQL_job_using_dataset : RFI_SQL_job_using_model,
                         RFI_VALUES(rfi_int(dataset_id ? dataset_id : model_id)), arena, out, n, err);
}

static rf_code read_count(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)arena;
    rf_db_job_count *const count = element;
    int kind = 0, state = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_row_name(row, 0, rf_job_kind_find, &kind, err));
    RF_TRY(rfi_row_name(row, 1, rf_job_state_find, &state, err));
    *count =
        (rf_db_job_count){.kind = (rf_job_kind)kind, .state = (rf_job_state)state, .n = rfi_row_int(row, 2)};
out:
    return rc;
}

rf_code rf_db_jobs_count(rf_db_tx *tx, rf_arena *arena, rf_db_job_count **out, int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_count, .size = sizeof(rf_db_job_count)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_job_count, NULL, 0, &list, err);
    *out = (rf_db_job_count *)list.elements;
    *n = list.n;
    return rc;
}

/* ------------------------------------------------------------------ dispatch */

rf_code rf_db_outbox_put(rf_db_tx *tx, int64_t job_id, int64_t token, int64_t now_ms, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_outbox_put, RFI_VALUES(rfi_int(job_id), rfi_int(token), rfi_int(now_ms)),
                      NULL, err);
}

rf_code rf_db_outbox_clear(rf_db_tx *tx, int64_t job_id, int64_t token, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_outbox_clear, RFI_VALUES(rfi_int(job_id), rfi_int(token)), NULL, err);
}

rf_code rf_db_outbox_list(rf_db_tx *tx, int64_t before_ms, int32_t limit, rf_arena *arena, rf_job **out,
                          int32_t *n, rf_error *err)
{
    return rfi_list_jobs(tx, RFI_SQL_outbox_list, RFI_VALUES(rfi_int(before_ms), rfi_int(limit)), arena, out,
                         n, err);
}

rf_code rf_db_outbox_sweep(rf_db_tx *tx, int64_t *n, rf_error *err)
{
    return rfi_query_run(tx, RFI_SQL_outbox_sweep, NULL, 0, NULL, NULL, n, err);
}

rf_code rf_db_outbox_count(rf_db_tx *tx, int64_t *out, rf_error *err)
{
    return rfi_number(tx, RFI_SQL_outbox_count, NULL, 0, out, NULL, err);
}

rf_code rf_db_jobs_page(rf_db_tx *tx, rf_job_state state, int64_t after_id, int32_t limit, rf_arena *arena,
                        rf_job **out, int32_t *n, rf_error *err)
{
    return rfi_list_jobs(tx, RFI_SQL_job_page,
                         RFI_VALUES(rfi_text(rf_job_state_name(state)), rfi_int(after_id), rfi_int(limit)),
                         arena, out, n, err);
}

rf_code rf_db_job_set_plan(rf_db_tx *tx, int64_t id, const char *plan, const char *need, double cost,
                           bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_job_set_plan,
                      RFI_VALUES(rfi_int(id), rfi_text(plan), rfi_text(need), rfi_real(cost)), changed, err);
}
