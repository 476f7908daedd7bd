#include "api/present.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "crypto/base64url.h"

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

void rfi_put_user(rf_buf *out, const rf_user *user, bool listed)
{
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", user->id);
    rfi_json_put_text(out, "email", user->email);
    rfi_json_put_text(out, "name", or_null(user->name));
    rfi_json_put_text(out, "role", rf_role_name(user->role));
    if (listed)
        rfi_json_put_flag(out, "disabled", user->disabled);
    rfi_json_put_time(out, "created_at", user->created_ms);
    rfi_json_close(out, '}');
}

/* ---- datasets --------------------------------------------------------------------------------- */

static void put_member(rf_buf *out, const char *key, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    rfi_json_put_raw(out, key, text);
    free(text);
}

/* The types that the owner chose stand in the profile only after it was made anew. */
static void apply_kinds(json_t *columns, const char *kinds_text)
{
    json_t *kinds = json_loads(kinds_text, 0, NULL), *column;
    size_t i;
    json_array_foreach(columns, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        json_t *kind = name ? json_object_get(kinds, name) : NULL;
        if (kind) {
            json_object_set(column, "type", kind);
            json_object_set_new(column, "chosen", json_true());
        }
    }
    json_decref(kinds);
}

static void put_profile(rf_buf *out, const rf_dataset *dataset)
{
    json_t *profile = *dataset->profile ? json_loads(dataset->profile, 0, NULL) : NULL;
    json_t *columns = json_object_get(profile, "columns");
    const json_t *warnings = json_object_get(profile, "warnings");
    if (columns && or_null(dataset->kinds))
        apply_kinds(columns, dataset->kinds);
    put_member(out, "columns", columns);
    if (warnings)
        put_member(out, "warnings", warnings);
    else
        rfi_json_put_raw(out, "warnings", "[]");
    json_decref(profile);
}

void rfi_put_dataset(rf_buf *out, const rf_dataset *dataset, bool whole)
{
    const bool known = dataset->status == RF_DATASET_READY;
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", dataset->id);
    rfi_json_put_text(out, "name", dataset->name);
    rfi_json_put_int(out, "size_bytes", dataset->size_bytes);
    rfi_json_put_text(out, "sha256", dataset->sha256);
    rfi_json_put_text(out, "status", rf_dataset_status_name(dataset->status));
    rfi_json_key(out, "n_rows");
    if (known)
        rfi_json_int(out, dataset->n_rows);
    else
        rfi_json_null(out);
    rfi_json_key(out, "n_columns");
    if (known)
        rfi_json_int(out, dataset->n_columns);
    else
        rfi_json_null(out);
    rfi_json_put_text(out, "error", or_null(dataset->error));
    rfi_json_put_time(out, "created_at", dataset->created_ms);
    rfi_json_put_time(out, "updated_at", dataset->updated_ms);
    if (whole)
        put_profile(out, dataset);
    rfi_json_close(out, '}');
}

/* ---- jobs ------------------------------------------------------------------------------------- */

/* A completed job's result is a document of the worker's; the client sees its scores. */
static void put_quality(rf_buf *out, const rf_job *job)
{
    json_t *result =
        job->state == RF_JOB_COMPLETED && or_null(job->result) ? json_loads(job->result, 0, NULL) : NULL;
    put_member(out, "quality", json_object_get(result, "quality"));
    json_decref(result);
}

static void put_error(rf_buf *out, const rf_job *job)
{
    const bool told = job->state == RF_JOB_FAILED || job->state == RF_JOB_REJECTED;
    rfi_json_put_text(out, "error", told ? or_null(job->error_message) : NULL);
}

void rfi_put_status(rf_buf *out, const rf_job_view *view, bool for_admin)
{
    const rf_job *job = &view->job;
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", job->id);
    rfi_json_put_text(out, "status", rf_job_state_name(job->state));
    rfi_json_put_raw(out, "progress", job->progress);
    rfi_json_key(out, "queue_position");
    if (view->queue_position > 0)
        rfi_json_int(out, view->queue_position);
    else
        rfi_json_null(out);
    put_quality(out, job);
    put_error(out, job);
    rfi_json_put_int(out, "attempt", job->attempt);
    rfi_json_put_int(out, "dataset_id", job->dataset_id);
    rfi_json_put_int(out, "sample_size", job->rows);
    if (for_admin)
        rfi_json_put_int(out, "user_id", job->user_id);
    rfi_json_put_time(out, "created_at", job->created_ms);
    rfi_json_put_time(out, "started_at", job->started_ms);
    rfi_json_put_time(out, "finished_at", job->finished_ms);
    rfi_json_close(out, '}');
}

void rfi_put_model(rf_buf *out, const rf_model_card *card)
{
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", card->id);
    rfi_json_put_int(out, "request_id", card->job_id);
    rfi_json_put_int(out, "dataset_id", card->dataset_id);
    rfi_json_put_text(out, "dataset_name", card->dataset_name ? card->dataset_name : "");
    rfi_json_put_text(out, "model_type", card->model);
    rfi_json_put_int(out, "n_rows", card->n_rows);
    rfi_json_put_int(out, "n_columns", card->n_columns);
    rfi_json_put_int(out, "size_bytes", card->size_bytes);
    rfi_json_put_int(out, "seed", card->seed);
    rfi_json_put_raw(out, "parameters", card->params);
    rfi_json_put_raw(out, "quality", card->quality);
    rfi_json_put_time(out, "created_at", card->created_ms);
    rfi_json_close(out, '}');
}

/* ---- pages ------------------------------------------------------------------------------------ */

enum { PAGE_DEFAULT = 50 };

/* A cursor is the id before which the next page begins, dressed so that nobody reckons with it. */
rf_code rfi_page_begin(const rfi_call *call, int64_t *before_id, int32_t *limit, rf_error *err)
{
    const char *cursor = rfi_query_text(call, "cursor", NULL);
    char text[32];
    size_t length = 0;
    *limit = (int32_t)rfi_query_int(call, "limit", PAGE_DEFAULT);
    *before_id = 0;
    if (!cursor)
        return RF_OK;
    if (!rf_base64url_decode(text, sizeof text, &length, cursor, strlen(cursor)) || length < 3 ||
        memcmp(text, "c:", 2) != 0 || !rf_parse_i64(text + 2, length - 2, before_id) || *before_id < 1) {
        rf_fail(err, RF_USAGE, "this is no cursor of ours; take next_cursor as it came");
        rf_error_context(err, "cursor");
        return RF_USAGE;
    }
    return RF_OK;
}

void rfi_page_end(rf_buf *out, int32_t n, int32_t limit, int64_t last_id)
{
    char text[32], cursor[RF_BASE64URL_LENGTH(sizeof text) + 1];
    rfi_json_close(out, ']');
    if (n == limit && last_id > 1) {
        const int length = snprintf(text, sizeof text, "c:%lld", (long long)last_id);
        rf_base64url_encode(cursor, text, (size_t)length);
        rfi_json_put_text(out, "next_cursor", cursor);
    } else
        rfi_json_put_text(out, "next_cursor", NULL);
    rfi_json_close(out, '}');
}
