#include "domain/result.h"

#include <stdlib.h>
#include <string.h>

#include "domain/fields.h"

enum { SHORT_TEXT = 256, SENTENCE = 1024, VALUE_SHOWN = 200, EPOCHS_MOST = 1 << 30, COLUMNS_MOST = 10000 };

/* ------------------------------------------------------------------ pieces */

static json_t *stored_json(const rf_stored *stored, bool *failed)
{
    json_t *object = json_object();
    rfi_put(object, "key", json_string(stored->key), failed);
    rfi_put(object, "sha256", json_string(stored->sha256), failed);
    rfi_put(object, "size_bytes", json_integer(stored->size_bytes), failed);
    return object;
}

static rf_code print(json_t *object, bool failed, const char *what, rf_buf *out, rf_error *err)
{
    return rfi_fields_print(object, failed, what, RF_RESULT_BYTES_MAX, RFI_DIGITS_PLAIN, out, err);
}

static rf_stored get_stored(rfi_fields *fields, const char *name)
{
    rfi_fields inner = rfi_field_object(fields, name);
    const rf_stored stored = {.key = rfi_field_text(&inner, "key", RF_OBJECT_KEY_MAX),
                              .sha256 = rfi_field_hex(&inner, "sha256"),
                              .size_bytes = rfi_field_int(&inner, "size_bytes", 0, INT64_MAX)};
    rfi_fields_join(fields, &inner);
    return stored;
}

/* What every reading has around its fields. */
#define READ(what, object, fields, body)                                                                     \
    json_t *object = NULL;                                                                                   \
    rf_code rc = rfi_fields_parse(&object, what, json, RF_RESULT_BYTES_MAX, err);                            \
    memset(out, 0, sizeof *out);                                                                             \
    if (rc == RF_OK) {                                                                                       \
        rfi_fields fields = rfi_fields_begin(object, what, arena, err);                                      \
        body;                                                                                                \
        rc = rfi_fields_end(&fields);                                                                        \
    }                                                                                                        \
    json_decref(object);                                                                                     \
    return rc

/* ------------------------------------------------------------------ started, progress */

rf_code rf_result_write_started(const rf_result_started *from, rf_buf *out, rf_error *err)
{
    bool failed = false;
    json_t *object = json_object();
    rfi_put(object, "device", json_string(from->device), &failed);
    return print(object, failed, "the word that a job was begun", out, err);
}

rf_code rf_result_read_started(rf_result_started *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("started", object, fields, out->device = rfi_field_text(&fields, "device", SHORT_TEXT));
}

rf_code rf_result_write_progress(const rf_result_progress *from, rf_buf *out, rf_error *err)
{
    bool failed = false;
    json_t *object = json_object();
    rfi_put(object, "phase", json_string(from->phase), &failed);
    rfi_put(object, "epoch", json_integer(from->epoch), &failed);
    rfi_put(object, "epochs", json_integer(from->epochs), &failed);
    rfi_put(object, "percent", rfi_json_real(from->percent), &failed);
    rfi_put(object, "eta_s", rfi_json_real(from->eta_s), &failed);
    rfi_put(object, "generator_loss", rfi_json_real(from->generator_loss), &failed);
    rfi_put(object, "discriminator_loss", rfi_json_real(from->discriminator_loss), &failed);
    return print(object, failed, "a progress", out, err);
}

static void get_progress(rfi_fields *fields, rf_result_progress *out)
{
    out->phase = rfi_field_text(fields, "phase", 32);
    out->epoch = rfi_field_int(fields, "epoch", 0, EPOCHS_MOST);
    out->epochs = rfi_field_int(fields, "epochs", 0, EPOCHS_MOST);
    out->percent = rfi_field_real(fields, "percent");
    out->eta_s = rfi_field_real(fields, "eta_s");
    out->generator_loss = rfi_field_real(fields, "generator_loss");
    out->discriminator_loss = rfi_field_real(fields, "discriminator_loss");
    if (!(out->percent >= 0 && out->percent <= 100))
        rfi_fields_fault(fields, "percent", "from 0 to 100");
}

rf_code rf_result_read_progress(rf_result_progress *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("progress", object, fields, get_progress(&fields, out));
}

/* ------------------------------------------------------------------ checkpoint, part */

rf_code rf_result_write_checkpoint(const rf_result_checkpoint *from, rf_buf *out, rf_error *err)
{
    const rf_stored stored = {.key = from->key, .sha256 = from->sha256, .size_bytes = from->size_bytes};
    bool failed = false;
    json_t *object = stored_json(&stored, &failed);
    rfi_put(object, "step", json_integer(from->step), &failed);
    return print(object, failed, "the word of a checkpoint", out, err);
}

static void get_checkpoint(rfi_fields *fields, rf_result_checkpoint *out)
{
    out->key = rfi_field_text(fields, "key", RF_OBJECT_KEY_MAX);
    out->sha256 = rfi_field_hex(fields, "sha256");
    out->size_bytes = rfi_field_int(fields, "size_bytes", 0, INT64_MAX);
    out->step = rfi_field_int(fields, "step", 1, INT64_MAX);
}

rf_code rf_result_read_checkpoint(rf_result_checkpoint *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("checkpoint", object, fields, get_checkpoint(&fields, out));
}

rf_code rf_result_write_part(const rf_result_part *from, rf_buf *out, rf_error *err)
{
    const rf_stored stored = {.key = from->key, .sha256 = from->sha256, .size_bytes = from->size_bytes};
    bool failed = false;
    json_t *object = stored_json(&stored, &failed);
    rfi_put(object, "n", json_integer(from->n), &failed);
    rfi_put(object, "rows", json_integer(from->rows), &failed);
    return print(object, failed, "the word of a part", out, err);
}

static void get_part(rfi_fields *fields, rf_result_part *out)
{
    out->n = rfi_field_int(fields, "n", 0, INT64_MAX);
    out->rows = rfi_field_int(fields, "rows", 0, RF_PLAN_ROWS_MAX);
    out->key = rfi_field_text(fields, "key", RF_OBJECT_KEY_MAX);
    out->sha256 = rfi_field_hex(fields, "sha256");
    out->size_bytes = rfi_field_int(fields, "size_bytes", 0, INT64_MAX);
}

rf_code rf_result_read_part(rf_result_part *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("part", object, fields, get_part(&fields, out));
}

/* ------------------------------------------------------------------ failed, released */

rf_code rf_result_write_failure(const rf_result_failure *from, rf_buf *out, rf_error *err)
{
    bool failed = false;
    json_t *object = json_object();
    rfi_put(object, "class", json_string(rf_failure_name(from->failure)), &failed);
    rfi_put(object, "message", json_string(from->message), &failed);
    rfi_put(object, "detail", json_string(from->detail ? from->detail : ""), &failed);
    return print(object, failed, "a failure", out, err);
}

static void get_failure(rfi_fields *fields, rf_result_failure *out)
{
    const int failure = rf_failure_find(rfi_field_text(fields, "class", SHORT_TEXT));
    if (failure < 0)
        rfi_fields_fault(fields, "class", "a class of failure");
    out->failure = (rf_failure)(failure < 0 ? 0 : failure);
    out->message = rfi_field_text(fields, "message", SENTENCE);
    out->detail = rfi_field_text(fields, "detail", SENTENCE);
}

rf_code rf_result_read_failure(rf_result_failure *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("failed", object, fields, get_failure(&fields, out));
}

rf_code rf_result_write_released(const rf_result_released *from, rf_buf *out, rf_error *err)
{
    bool failed = false;
    json_t *object = json_object();
    rfi_put(object, "cancelled", json_boolean(from->cancelled), &failed);
    rfi_put(object, "reason", json_string(from->reason), &failed);
    return print(object, failed, "a release", out, err);
}

static void get_released(rfi_fields *fields, rf_result_released *out)
{
    out->cancelled = rfi_field_flag(fields, "cancelled");
    out->reason = rfi_field_text(fields, "reason", SHORT_TEXT);
}

rf_code rf_result_read_released(rf_result_released *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("released", object, fields, get_released(&fields, out));
}

/* ------------------------------------------------------------------ done: a profile, cut to size */

/* A long category is shown by its beginning, cut before a letter's later bytes. */
static json_t *shortened(const char *text)
{
    size_t n = VALUE_SHOWN;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return json_sprintf("%.*s…", (int)n, text);
}

static void cut_values(json_t *column, bool *failed)
{
    size_t i;
    json_t *top = json_object_get(column, "top"), *entry;
    json_array_foreach(top, i, entry)
    {
        json_t *value = json_object_get(entry, "value");
        if (json_string_length(value) > VALUE_SHOWN)
            rfi_put(entry, "value", shortened(json_string_value(value)), failed);
    }
}

/* So wide a table's categories are not listed at all. */
enum { WIDE = 2000 };

static json_t *profile_cut(const char *text, bool *failed)
{
    size_t i;
    json_t *profile = json_loads(text, 0, NULL), *columns = json_object_get(profile, "columns"), *column;
    json_array_foreach(columns, i, column)
    {
        if (json_array_size(columns) > WIDE)
            json_object_del(column, "top");
        else
            cut_values(column, failed);
    }
    return profile;
}

static void get_profile(rfi_fields *fields, rf_result_done *out)
{
    json_t *profile = rfi_field(fields, "profile"), *columns = json_object_get(profile, "columns");
    out->n_rows = rfi_field_int(fields, "n_rows", 0, RF_PLAN_ROWS_MAX);
    out->n_columns = (int32_t)rfi_field_int(fields, "n_columns", 0, COLUMNS_MOST);
    if (!json_is_array(columns) || json_array_size(columns) != (size_t)out->n_columns ||
        !json_is_array(json_object_get(profile, "warnings")) ||
        json_integer_value(json_object_get(profile, "n_rows")) != out->n_rows) {
        rfi_fields_fault(fields, "profile", "a profile with as many rows and columns as were said");
        return;
    }
    char *text = json_dumps(profile, JSON_COMPACT | JSON_REAL_PRECISION(RFI_DIGITS_PLAIN));
    out->profile_json = text ? rf_arena_string(fields->arena, text, strlen(text)) : NULL;
    free(text);
    if (!out->profile_json && fields->rc == RF_OK)
        fields->rc = rf_fail(fields->err, RF_NO_MEMORY, "there is no memory for a profile");
}

/* ------------------------------------------------------------------ done: a generation */

static json_t *quality_json(const rf_result_quality *q, bool *failed)
{
    json_t *object = json_object();
    rfi_put(object, "overall", rfi_json_real(q->overall), failed);
    rfi_put(object, "column_shapes", rfi_json_real(q->column_shapes), failed);
    rfi_put(object, "column_pair_trends", rfi_json_real(q->column_pair_trends), failed);
    rfi_put(object, "data_validity", rfi_json_real(q->data_validity), failed);
    rfi_put(object, "data_structure", rfi_json_real(q->data_structure), failed);
    rfi_put(object, "copies", rfi_json_real(q->copies), failed);
    return object;
}

static rf_result_quality get_quality(rfi_fields *fields)
{
    rfi_fields inner = rfi_field_object(fields, "quality");
    const rf_result_quality quality = {
        .overall = rfi_field_real(&inner, "overall"),
        .column_shapes = rfi_field_real(&inner, "column_shapes"),
        .column_pair_trends = rfi_field_real(&inner, "column_pair_trends"),
        .data_validity = rfi_field_real(&inner, "data_validity"),
        .data_structure = rfi_field_real(&inner, "data_structure"),
        .copies = rfi_field_real(&inner, "copies"),
    };
    rfi_fields_join(fields, &inner);
    return quality;
}

static void put_generated(json_t *object, const rf_result_done *from, bool *failed)
{
    rfi_put(object, "data", stored_json(&from->data, failed), failed);
    rfi_put(object, "model", stored_json(&from->model, failed), failed);
    rfi_put(object, "report_json", stored_json(&from->report_json, failed), failed);
    rfi_put(object, "report_html", stored_json(&from->report_html, failed), failed);
    rfi_put(object, "metadata", from->has_metadata ? stored_json(&from->metadata, failed) : json_null(),
            failed);
    rfi_put(object, "quality", quality_json(&from->quality, failed), failed);
    rfi_put(object, "train_s", rfi_json_real(from->train_s), failed);
    rfi_put(object, "sample_s", rfi_json_real(from->sample_s), failed);
    rfi_put(object, "generator_loss", rfi_json_real(from->generator_loss), failed);
    rfi_put(object, "discriminator_loss", rfi_json_real(from->discriminator_loss), failed);
}

static void get_generated(rfi_fields *fields, rf_result_done *out)
{
    out->data = get_stored(fields, "data");
    out->model = get_stored(fields, "model");
    out->report_json = get_stored(fields, "report_json");
    out->report_html = get_stored(fields, "report_html");
    out->has_metadata = !rfi_field_is_null(fields, "metadata");
    if (out->has_metadata)
        out->metadata = get_stored(fields, "metadata");
    out->quality = get_quality(fields);
    out->train_s = rfi_field_real(fields, "train_s");
    out->sample_s = rfi_field_real(fields, "sample_s");
    out->generator_loss = rfi_field_real(fields, "generator_loss");
    out->discriminator_loss = rfi_field_real(fields, "discriminator_loss");
}

/* ------------------------------------------------------------------ done */

rf_code rf_result_write_done(const rf_result_done *from, rf_buf *out, rf_error *err)
{
    bool failed = false;
    json_t *object = json_object();
    rfi_put(object, "kind", json_string(rf_job_kind_name(from->kind)), &failed);
    if (from->kind == RF_JOB_PROFILE) {
        rfi_put(object, "n_rows", json_integer(from->n_rows), &failed);
        rfi_put(object, "n_columns", json_integer(from->n_columns), &failed);
        rfi_put(object, "profile", profile_cut(from->profile_json, &failed), &failed);
    }
    if (from->kind == RF_JOB_GENERATE || from->kind == RF_JOB_SAMPLE)
        rfi_put(object, "rows", json_integer(from->rows), &failed);
    if (from->kind == RF_JOB_GENERATE)
        put_generated(object, from, &failed);
    if (from->kind == RF_JOB_SAMPLE)
        rfi_put(object, "parts", json_integer(from->parts), &failed);
    return print(object, failed, "the result", out, err);
}

static void get_done(rfi_fields *fields, rf_result_done *out)
{
    const int kind = rf_job_kind_find(rfi_field_text(fields, "kind", SHORT_TEXT));
    if (kind < 0)
        rfi_fields_fault(fields, "kind", "a kind of job");
    out->kind = (rf_job_kind)(kind < 0 ? 0 : kind);
    if (fields->rc != RF_OK)
        return;
    if (out->kind == RF_JOB_PROFILE)
        get_profile(fields, out);
    if (out->kind == RF_JOB_GENERATE || out->kind == RF_JOB_SAMPLE)
        out->rows = rfi_field_int(fields, "rows", 0, RF_PLAN_ROWS_MAX);
    if (out->kind == RF_JOB_GENERATE)
        get_generated(fields, out);
    if (out->kind == RF_JOB_SAMPLE)
        out->parts = rfi_field_int(fields, "parts", 0, INT64_MAX);
}

rf_code rf_result_read_done(rf_result_done *out, rf_arena *arena, const char *json, rf_error *err)
{
    READ("the result", object, fields, get_done(&fields, out));
}
