#include "api/present.h"

#include <jansson.h>
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

/* As it was read: the library's own writer would spell 0.1 as 0.10000000000000001. */
static void put_value(rf_buf *out, const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        rfi_json_open(out, '{');
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
            rfi_json_key(out, name);
            put_value(out, member);
        }
        rfi_json_close(out, '}');
        break;
    case JSON_ARRAY:
        rfi_json_open(out, '[');
        json_array_foreach(value, i, member) put_value(out, member);
        rfi_json_close(out, ']');
        break;
    case JSON_STRING:
        rfi_json_text_n(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        rfi_json_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        rfi_real_json(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        rfi_json_flag(out, json_is_true(value));
        break;
    case JSON_NULL:
        rfi_json_null(out);
        break;
    }
}

static void put_member(rf_buf *out, const char *key, const json_t *value)
{
    rfi_json_key(out, key);
    put_value(out, value);
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

/* The last progress that was written down may be older than the end: a completed job has done all of it. */
static void put_progress(rf_buf *out, const rf_job *job, const json_t *result)
{
    if (job->state != RF_JOB_COMPLETED) {
        rfi_json_put_raw(out, "progress", job->progress);
        return;
    }
    rfi_json_put_raw(out, "progress",
                     "{\"phase\":\"done\",\"epoch\":null,\"epochs\":null,\"percent\":100,\"eta_s\":0");
    put_member(out, "generator_loss", json_object_get(result, "generator_loss"));
    put_member(out, "discriminator_loss", json_object_get(result, "discriminator_loss"));
    rfi_json_close(out, '}');
}

static void put_error(rf_buf *out, const rf_job *job)
{
    const bool told = job->state == RF_JOB_FAILED || job->state == RF_JOB_REJECTED;
    rfi_json_put_text(out, "error", told ? or_null(job->error_message) : NULL);
}

void rfi_put_status(rf_buf *out, const rf_job_view *view, bool for_admin)
{
    const rf_job *job = &view->job;
    /* a document of the worker's, of which the client sees the scores */
    const bool done = job->state == RF_JOB_COMPLETED && or_null(job->result);
    json_t *result = done ? json_loads(job->result, 0, NULL) : NULL;
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", job->id);
    rfi_json_put_text(out, "status", rf_job_state_name(job->state));
    put_progress(out, job, result);
    rfi_json_key(out, "queue_position");
    if (view->queue_position > 0)
        rfi_json_int(out, view->queue_position);
    else
        rfi_json_null(out);
    put_member(out, "quality", json_object_get(result, "quality"));
    json_decref(result);
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
