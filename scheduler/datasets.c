/* datasets.c - a table comes in, is profiled, and goes again. */
#include "scheduler/datasets.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "scheduler/scheduler_state.h"

enum { NAME_BYTES_MAX = 255 };

/* ------------------------------------------------------------------ names and formats */

static const struct suffix {
    const char *end, *format;
} suffixes[] = {{".csv", "csv"}, {".tsv", "tsv"}, {".tab", "tsv"}};

static rf_code find_format(const char *name, const char **out, rf_error *err)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const size_t end = strlen(suffixes[i].end);
        if (length > end && rf_text_equal_nocase(name + length - end, end, suffixes[i].end)) {
            *out = suffixes[i].format;
            return RF_OK;
        }
    }
    return rf_fail(err, RF_UNSUPPORTED_TYPE,
                   "the name of the file must end with .csv, .tsv or .tab: these are read");
}

/* What comes after the last slash of either kind, without anything that could begin a line or end a header. */
static rf_code clean_name(const char *name, char out[NAME_BYTES_MAX + 1], rf_error *err)
{
    for (const char *at = name; *at; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    const size_t length = strlen(name);
    if (!length || length > NAME_BYTES_MAX)
        return rf_fail(err, RF_MALFORMED, "the file needs a name of 1 to %d bytes", NAME_BYTES_MAX);
    if (rf_utf8_find_invalid(name, length) >= 0)
        return rf_fail(err, RF_MALFORMED, "the name of the file is not UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return rf_fail(err, RF_MALFORMED, "the name of the file holds control characters");
    memcpy(out, name, length + 1);
    return RF_OK;
}

/* ------------------------------------------------------------------ upload */

static const char not_stored[] = "the file could not be stored";

struct rf_upload {
    rf_scheduler *s;
    rf_storage_writer *writer;
    rf_sha256 *hash;
    bool hashed;
    char sha256[RF_SHA256_HEX_SIZE];
    char name[NAME_BYTES_MAX + 1], key[64];
    const char *format;
    int64_t user_id, dataset_id, size_bytes;
};

typedef struct id_write {
    int64_t id;
} id_write;

static rf_code take_id(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_dataset_id(tx, &((id_write *)arg)->id, err);
}

rf_code rf_upload_open(rf_upload **out, rf_scheduler *s, int64_t user_id, const char *name, rf_error *err)
{
    rf_upload *upload = NULL;
    id_write taken = {0};
    rf_code rc = RF_OK;
    *out = NULL;
    RF_TRY(rf_alloc_array((void **)&upload, 1, sizeof *upload, "an upload", err));
    upload->s = s;
    upload->user_id = user_id;
    RF_TRY(clean_name(name, upload->name, err));
    RF_TRY(find_format(upload->name, &upload->format, err));
    /* The key is made of ids, never of a person's words. */
    RF_TRY(rf_db_write(s->db, take_id, &taken, err));
    upload->dataset_id = taken.id;
    snprintf(upload->key, sizeof upload->key, "datasets/%" PRId64 "/data", taken.id);
    RF_TRY(rf_sha256_open(&upload->hash, err));
    RF_TRY(rfi_storage_said(rf_storage_writer_open(s->storage, upload->key, NULL, &upload->writer, err),
                            not_stored, err));
    *out = upload;
    upload = NULL;
out:
    rf_upload_close(upload);
    return rc;
}

rf_code rf_upload_write(rf_upload *upload, const void *data, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_storage_said(rf_storage_write(upload->writer, data, size_bytes, err), not_stored, err));
    rf_sha256_update(upload->hash, data, size_bytes);
    upload->size_bytes += (int64_t)size_bytes;
out:
    return rc;
}

int64_t rf_upload_size(const rf_upload *upload)
{
    return upload->size_bytes;
}

const char *rf_upload_format(const rf_upload *upload)
{
    return upload->format;
}

rf_code rf_upload_sha256(rf_upload *upload, char out[65], rf_error *err)
{
    rf_code rc = RF_OK;
    if (!upload->hashed)
        RF_TRY(rf_sha256_finish_hex(upload->hash, upload->sha256, err));
    upload->hashed = true;
    memcpy(out, upload->sha256, sizeof upload->sha256);
out:
    return rc;
}

void rf_upload_close(rf_upload *upload)
{
    if (!upload)
        return;
    rf_storage_writer_close(upload->writer);
    rf_sha256_close(upload->hash);
    rf_free(upload);
}

/* ------------------------------------------------------------------ the rows of an upload */

typedef struct upload_write {
    rf_upload *upload;
    const rf_idempotency *idempotency;
    rf_arena *arena;
    rf_receipt receipt;
    rf_dataset dataset;
    rfi_effects effects;
} upload_write;

/* A profile is its owner's wait, not their quota: it counts toward no limit and goes before what is queued. */
static rf_code put_profile_job(rf_scheduler *s, rf_db_tx *tx, rf_dataset *dataset, rfi_effects *effects,
                               rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job = rfi_job_new(s, RF_JOB_PROFILE, dataset->user_id, RF_PRIORITY_MAX + 1);
    rf_code rc = RF_OK;
    job.dataset_id = dataset->id;
    job.unlimited = true;
    RF_TRY(rfi_plan_profile(&job, dataset, &arena, err));
    RF_TRY(rfi_job_put(s, tx, &job, effects, err));
    dataset->profile_job_id = job.id;
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code find_first(rf_db_tx *tx, upload_write *w, rf_error *err)
{
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_find(tx, w->upload->user_id, w->receipt.id, w->arena, &w->dataset, &found, err));
    if (!found)
        rc = rf_fail(err, RF_CONFLICT,
                     "the dataset that this request made was deleted since; take a new Idempotency-Key");
out:
    return rc;
}

static rf_code write_upload(rf_db_tx *tx, void *arg, rf_error *err)
{
    upload_write *const w = arg;
    rf_upload *const upload = w->upload;
    const int64_t now_ms = rf_scheduler_now_ms(upload->s);
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rfi_idempotency_begin(upload->s, tx, upload->user_id, w->idempotency, w->arena, &w->receipt, err));
    if (w->receipt.repeated) {
        RF_TRY(find_first(tx, w, err));
        RF_TRY(rf_db_doom(tx, upload->key, now_ms, err));
        goto out;
    }
    w->dataset = (rf_dataset){
        .id = upload->dataset_id,
        .user_id = upload->user_id,
        .name = rf_arena_string(w->arena, upload->name, strlen(upload->name)),
        .format = upload->format,
        .size_bytes = upload->size_bytes,
        .sha256 = rf_arena_string(w->arena, upload->sha256, strlen(upload->sha256)),
        .key = rf_arena_string(w->arena, upload->key, strlen(upload->key)),
        .status = RF_DATASET_PROFILING,
        .profile = "",
        .kinds = "",
        .error = "",
        .created_ms = now_ms,
        .updated_ms = now_ms,
    };
    RF_TRY(rf_arena_check(w->arena, "a dataset", err));
    RF_TRY(put_profile_job(upload->s, tx, &w->dataset, &w->effects, err));
    RF_TRY(rf_db_dataset_insert(tx, &w->dataset, err));
    RF_TRY(rfi_idempotency_made(tx, upload->user_id, w->idempotency, w->dataset.id, err));
    RF_TRY(rfi_deed_note(tx, now_ms, upload->user_id, "dataset_uploaded", "dataset", w->dataset.id, "", err));
    w->receipt.id = w->dataset.id;
    RF_TRY(rfi_effects_check(&w->effects, err));
out:
    return rc;
}

rf_code rf_upload_commit(rf_upload *upload, const rf_idempotency *idempotency, rf_arena *arena,
                         rf_receipt *receipt, rf_dataset *out, rf_error *err)
{
    upload_write w = {.upload = upload, .idempotency = idempotency, .arena = arena};
    rf_object stored;
    char sum[RF_SHA256_HEX_SIZE];
    rf_code rc = RF_OK;
    rfi_effects_init(&w.effects);
    if (!upload->size_bytes) {
        rc = rf_fail(err, RF_INPUT, "the file is empty");
        rf_error_context(err, "file");
        goto out;
    }
    RF_TRY(rf_upload_sha256(upload, sum, err));
    RF_TRY(rfi_storage_said(rf_storage_writer_commit(upload->writer, &stored, err), not_stored, err));
    rc = rf_db_write(upload->s->db, write_upload, &w, err);
    if (rc != RF_OK) { /* what is left is an orphan otherwise, and goes by its age */
        rf_error ignored = {0};
        if (rf_storage_delete(upload->s->storage, upload->key, &ignored) != RF_OK)
            rf_log_failure(RF_LOG_WARNING, "scheduler", &ignored);
        goto out;
    }
    rfi_effects_run(&w.effects, upload->s);
    if (w.receipt.repeated)
        rfi_doomed_now(upload->s);
    *receipt = w.receipt;
    *out = w.dataset;
out:
    rfi_effects_free(&w.effects);
    return rc;
}

/* ------------------------------------------------------------------ look */

static rf_code no_such_dataset(int64_t id, rf_error *err)
{
    return rf_fail(err, RF_NOT_FOUND, "there is no dataset %" PRId64, id);
}

rf_code rf_dataset_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_dataset *out,
                       rf_error *err)
{
    rf_db_tx *tx = NULL;
    bool found = false;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_dataset_find(tx, user_id, id, arena, out, &found, err));
    if (!found)
        rc = no_such_dataset(id, err);
out:
    return rc;
}

rf_code rf_dataset_list(rf_scheduler *s, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                        rf_dataset **out, int32_t *n, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_datasets_list(tx, user_id, before_id, limit, arena, out, n, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ other kinds */

static rf_code count_users_of(rf_db_tx *tx, int64_t dataset_id, rf_arena *arena, rf_job **jobs, int32_t *n,
                              int32_t *requests, rf_error *err)
{
    rf_code rc = RF_OK;
    *requests = 0;
    RF_TRY(rf_db_jobs_using(tx, dataset_id, 0, arena, jobs, n, err));
    for (int32_t i = 0; i < *n; i++)
        *requests += (*jobs)[i].kind == RF_JOB_GENERATE;
out:
    return rc;
}

static rf_code in_use(int32_t requests, rf_error *err)
{
    return rf_fail(err, RF_CONFLICT, "%" PRId32 " %s not ended yet; wait, or cancel %s", requests,
                   requests == 1 ? "request that uses it has" : "requests that use it have",
                   requests == 1 ? "it" : "them");
}

typedef struct kinds_write {
    rf_scheduler *s;
    int64_t user_id, id;
    const rf_column_kind *kinds;
    int32_t n;
    rf_arena *arena;
    rf_dataset dataset;
    rfi_effects effects;
} kinds_write;

static rf_code merge_kinds(kinds_write *w, rf_error *err)
{
    json_t *json = json_loads(*w->dataset.kinds ? w->dataset.kinds : "{}", 0, NULL);
    char *text = NULL;
    rf_code rc = RF_OK;
    RF_TRY(rfi_kinds_check(w->kinds, w->n, w->dataset.profile, err));
    for (int32_t i = 0; i < w->n; i++)
        json_object_set_new(json, w->kinds[i].column, json_string(rf_kind_name(w->kinds[i].kind)));
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    w->dataset.kinds = text ? rf_arena_string(w->arena, text, strlen(text)) : NULL;
    if (!w->dataset.kinds)
        rc = rf_fail(err, RF_NO_MEMORY, "there is no memory for the kinds of columns");
out:
    free(text);
    json_decref(json);
    return rc;
}

static rf_code write_kinds(rf_db_tx *tx, void *arg, rf_error *err)
{
    kinds_write *const w = arg;
    rf_job *jobs = NULL;
    int32_t n = 0, requests = 0;
    bool found = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rf_db_dataset_find(tx, w->user_id, w->id, w->arena, &w->dataset, &found, err));
    if (!found)
        return no_such_dataset(w->id, err);
    if (w->dataset.status == RF_DATASET_PROFILING)
        return rf_fail(err, RF_NOT_READY, "the dataset is being profiled; ask again when it is ready");
    if (!*w->dataset.profile)
        return rf_fail(err, RF_CONFLICT, "the dataset cannot be used: %.200s", w->dataset.error);
    RF_TRY(count_users_of(tx, w->id, w->arena, &jobs, &n, &requests, err));
    if (requests)
        return in_use(requests, err);
    RF_TRY(merge_kinds(w, err));
    RF_TRY(put_profile_job(w->s, tx, &w->dataset, &w->effects, err));
    RF_TRY(rf_db_dataset_reprofile(tx, w->id, w->dataset.kinds, w->dataset.profile_job_id,
                                   rf_scheduler_now_ms(w->s), &found, err));
    w->dataset.status = RF_DATASET_PROFILING;
    RF_TRY(rfi_effects_check(&w->effects, err));
out:
    return rc;
}

rf_code rf_dataset_set_kinds(rf_scheduler *s, int64_t user_id, int64_t id, const rf_column_kind *kinds,
                             int32_t n, rf_arena *arena, rf_dataset *out, rf_error *err)
{
    kinds_write w = {.s = s, .user_id = user_id, .id = id, .kinds = kinds, .n = n, .arena = arena};
    rf_code rc = RF_OK;
    rfi_effects_init(&w.effects);
    RF_TRY(rf_db_write(s->db, write_kinds, &w, err));
    rfi_effects_run(&w.effects, s);
    *out = w.dataset;
out:
    rfi_effects_free(&w.effects);
    return rc;
}

/* ------------------------------------------------------------------ delete */

typedef struct delete_write {
    rf_scheduler *s;
    int64_t user_id, id;
    rfi_effects effects;
} delete_write;

/* Its dataset goes: whatever the profile finds, nobody wants it. */
static rf_code stop_profile(delete_write *w, rf_db_tx *tx, const rf_job *job, rf_error *err)
{
    rf_db_job_cancel cancel = {.id = job->id, .reason = "deleted", .now_ms = rf_scheduler_now_ms(w->s)};
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_cancel_ask(tx, &cancel, err));
    if (cancel.changed && cancel.state == RF_JOB_CANCELLED)
        rfi_effects_end(&w->effects, job, RF_JOB_CANCELLED, "", "");
    if (cancel.changed)
        rfi_effects_withdraw(&w->effects, job->id, job->token);
out:
    return rc;
}

static rf_code write_delete(rf_db_tx *tx, void *arg, rf_error *err)
{
    delete_write *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_dataset dataset;
    rf_job *jobs = NULL;
    int32_t n = 0, requests = 0;
    bool found = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rf_db_dataset_find(tx, w->user_id, w->id, &arena, &dataset, &found, err));
    if (!found) {
        rc = no_such_dataset(w->id, err);
        goto out;
    }
    RF_TRY(count_users_of(tx, w->id, &arena, &jobs, &n, &requests, err));
    if (requests) {
        rc = in_use(requests, err);
        goto out;
    }
    for (int32_t i = 0; i < n; i++)
        RF_TRY(stop_profile(w, tx, &jobs[i], err));
    const int64_t now_ms = rf_scheduler_now_ms(w->s);
    RF_TRY(rf_db_dataset_delete(tx, w->user_id, w->id, now_ms, &found, err));
    RF_TRY(rfi_deed_note(tx, now_ms, w->user_id, "dataset_deleted", "dataset", w->id, "", err));
    RF_TRY(rfi_effects_check(&w->effects, err));
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_dataset_delete(rf_scheduler *s, int64_t user_id, int64_t id, rf_error *err)
{
    delete_write w = {.s = s, .user_id = user_id, .id = id};
    rf_code rc = RF_OK;
    rfi_effects_init(&w.effects);
    RF_TRY(rf_db_write(s->db, write_delete, &w, err));
    rfi_effects_run(&w.effects, s);
    rfi_doomed_now(s);
out:
    rfi_effects_free(&w.effects);
    return rc;
}
