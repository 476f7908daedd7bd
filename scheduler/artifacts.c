/* artifacts.c - files on their way out: by stream, by signed URL; models. samples.c has the parts of samples. */
#include "scheduler/artifacts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ find */

static rf_code not_ready(const rf_job *job, rf_error *err)
{
    if (rf_job_state_is_final(job->state))
        return rf_fail(err, RF_NOT_READY, "request %" PRId64 " was %s and left no result", job->id,
                       rf_job_state_name(job->state));
    return rf_fail(err, RF_NOT_READY, "request %" PRId64 " is %s; ask again when it has completed", job->id,
                   rf_job_state_name(job->state));
}

rf_code rf_artifact_get(rf_scheduler *s, int64_t user_id, int64_t job_id, rf_artifact_role role,
                        rf_arena *arena, rf_artifact *out, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_artifact_find(tx, user_id, job_id, role, arena, out, &found, err));
    if (found)
        goto out;
    RFI_READ(s, tx, rf_db_job_glance(tx, user_id, job_id, arena, &job, &found, err));
    if (!found)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no request %" PRId64, job_id);
    else if (job.state != RF_JOB_COMPLETED)
        rc = not_ready(&job, err);
    else
        rc = rf_fail(err, RF_NOT_FOUND, "request %" PRId64 " made no such file", job_id);
out:
    return rc;
}

/* ------------------------------------------------------------------ bytes */

struct rf_download {
    rf_storage_reader *reader;
};

static rf_code open_key(rf_download **out, rf_scheduler *s, const char *key, int64_t offset, int64_t length,
                        rf_error *err)
{
    rf_download *download = NULL;
    const rf_range range = {.offset = offset, .length = length};
    rf_code rc = RF_OK;
    *out = NULL;
    RF_TRY(rf_alloc_array((void **)&download, 1, sizeof *download, "a download", err));
    /* All of it is checked against its sum; a part cannot be. */
    rc = rf_storage_reader_open(s->storage, key, offset == 0 && length < 0 ? NULL : &range, NULL,
                                &download->reader, err);
    RF_TRY(rfi_storage_said(rc, "the stored file cannot be read", err));
    *out = download;
    download = NULL;
out:
    rf_download_close(download);
    return rc;
}

/* A signed URL knows the key alone, which begins with the job: "jobs/7/1/…". */
static int64_t job_of(const rf_artifact *artifact)
{
    if (artifact->job_id || strncmp(artifact->key, "jobs/", 5))
        return artifact->job_id;
    return strtoll(artifact->key + 5, NULL, 10);
}

rf_code rf_artifact_open(rf_download **out, rf_scheduler *s, const rf_artifact *artifact, int64_t offset,
                         int64_t length, rf_error *err)
{
    const rf_code rc = open_key(out, s, artifact->key, offset, length, err);
    if (rc == RF_OK && offset == 0) /* not each range of it */
        rfi_deed_later(s, artifact->user_id, "downloaded", "job", job_of(artifact));
    return rc;
}

rf_code rf_download_read(rf_download *download, void *out, size_t capacity, size_t *n, rf_error *err)
{
    return rf_storage_read(download->reader, out, capacity, n, err);
}

int rf_download_fd(const rf_download *download)
{
    return rf_storage_reader_fd(download->reader);
}

void rf_download_close(rf_download *download)
{
    if (!download)
        return;
    rf_storage_reader_close(download->reader);
    rf_free(download);
}

rf_code rf_artifact_sign(rf_scheduler *s, const rf_artifact *artifact, int64_t ttl_ms, rf_arena *arena,
                         const char **url, int64_t *expires_ms, rf_error *err)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_code rc = RF_OK;
    *expires_ms = rf_scheduler_now_ms(s) + ttl_ms;
    const rf_sign_options options = {
        .expires_ms = *expires_ms, .download_name = artifact->name, .type = artifact->type};
    RF_TRY(rf_storage_sign(s->storage, artifact->key, &options, &text, err));
    RF_TRY(rf_buf_check(&text, "a URL", err));
    *url = rf_arena_string(arena, text.data, text.size_bytes);
    RF_TRY(rf_arena_check(arena, "a URL", err));
    rfi_deed_later(s, artifact->user_id, "url_signed", "job", artifact->job_id);
out:
    rf_buf_free(&text);
    return rc;
}

rf_code rf_artifact_from_token(rf_scheduler *s, const char *token, rf_arena *arena, rf_artifact *out,
                               rf_error *err)
{
    rf_signed named;
    rf_object object;
    rf_code rc = RF_OK;
    RF_TRY(rf_storage_open_token(s->storage, token, rf_scheduler_now_ms(s), &named, err));
    rc = rf_storage_stat(s->storage, named.key, &object, err);
    if (rc == RF_NOT_FOUND)
        RF_TRY(rf_fail(err, rc, "the file of this link was deleted"));
    RF_TRY(rfi_storage_said(rc, "the stored file cannot be read", err));
    *out = (rf_artifact){.key = rf_arena_string(arena, named.key, strlen(named.key)),
                         .sha256 = rf_arena_string(arena, object.sha256, strlen(object.sha256)),
                         .size_bytes = object.size_bytes,
                         .type = rf_arena_string(arena, named.type, strlen(named.type)),
                         .name = rf_arena_string(arena, named.download_name, strlen(named.download_name)),
                         .created_ms = object.changed_ms};
    RF_TRY(rf_arena_check(arena, "a file", err));
out:
    return rc;
}

/* ------------------------------------------------------------------ models */

static rf_code no_such_model(int64_t id, rf_error *err)
{
    return rf_fail(err, RF_NOT_FOUND, "there is no model %" PRId64, id);
}

rf_code rf_model_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_model_card *out,
                     rf_error *err)
{
    rf_db_tx *tx = NULL;
    bool found = false;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_model_find(tx, user_id, id, arena, out, &found, err));
    if (!found)
        rc = no_such_model(id, err);
out:
    return rc;
}

rf_code rf_model_list(rf_scheduler *s, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                      rf_model_card **out, int32_t *n, rf_error *err)
{
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    RFI_READ(s, tx, rf_db_models_list(tx, user_id, before_id, limit, arena, out, n, err));
out:
    return rc;
}

typedef struct model_delete {
    int64_t user_id, id, now_ms;
} model_delete;

static rf_code write_model_delete(rf_db_tx *tx, void *arg, rf_error *err)
{
    const model_delete *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job *jobs = NULL;
    int32_t n = 0;
    bool changed = false;
    rf_model_card model;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_model_find(tx, w->user_id, w->id, &arena, &model, &changed, err));
    if (!changed) {
        rc = no_such_model(w->id, err);
        goto out;
    }
    RF_TRY(rf_db_jobs_using(tx, 0, w->id, &arena, &jobs, &n, err));
    if (n) {
        rc = rf_fail(err, RF_CONFLICT, "a sample of this model has not ended yet; wait, or end it");
        goto out;
    }
    RF_TRY(rf_db_model_delete(tx, w->user_id, w->id, w->now_ms, &changed, err));
    RF_TRY(rfi_deed_note(tx, w->now_ms, w->user_id, "model_deleted", "model", w->id, "", err));
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_model_delete(rf_scheduler *s, int64_t user_id, int64_t id, rf_error *err)
{
    model_delete w = {.user_id = user_id, .id = id, .now_ms = rf_scheduler_now_ms(s)};
    rf_code rc = RF_OK;
    RF_TRY(rf_db_write(s->db, write_model_delete, &w, err));
    rfi_doomed_now(s);
out:
    return rc;
}

/* ------------------------------------------------------------------ samples, part by part */

typedef struct sample_look {
    rf_job job;
    rf_db_part part;
    bool known, has_part;
} sample_look;

static rf_code look_at_sample(rf_db_tx *tx, int64_t user_id, int64_t job_id, rf_arena *arena,
                              sample_look *out, rf_error *err)
{
    rf_code rc = RF_OK;
    /* The job first: when it has completed by then, all its parts are there for the next question. */
    RF_TRY(rf_db_job_glance(tx, user_id, job_id, arena, &out->job, &out->known, err));
    if (!out->known || out->job.kind != RF_JOB_SAMPLE) {
        out->known = false;
        goto out;
    }
    RF_TRY(rf_db_part_next(tx, job_id, arena, &out->part, &out->has_part, err));
out:
    return rc;
}

rf_code rf_sample_next_part(rf_scheduler *s, int64_t user_id, int64_t job_id, rf_arena *arena,
                            rf_sample_next *out, rf_error *err)
{
    rf_db_tx *tx = NULL;
    sample_look look = {0};
    rf_code rc = RF_OK;
    *out = (rf_sample_next){.step = RF_SAMPLE_WAIT, .error = ""};
    RFI_READ(s, tx, look_at_sample(tx, user_id, job_id, arena, &look, err));
    if (!look.known) {
        rc = rf_fail(err, RF_NOT_FOUND, "there is no sample %" PRId64, job_id);
        goto out;
    }
    out->state = look.job.state;
    if (look.has_part) {
        out->step = RF_SAMPLE_PART;
        out->n = look.part.n;
        out->size_bytes = look.part.size_bytes;
        RF_TRY(open_key(&out->download, s, look.part.key, 0, -1, err));
    } else if (look.job.state == RF_JOB_COMPLETED) {
        out->step = RF_SAMPLE_END;
    } else if (rf_job_state_is_final(look.job.state)) {
        out->step = RF_SAMPLE_FAILED;
        out->error = look.job.error_message;
    }
out:
    return rc;
}

typedef struct sent_write {
    int64_t user_id, job_id, n, now_ms;
    int64_t token, sent;
} sent_write;

static rf_code write_sent(rf_db_tx *tx, void *arg, rf_error *err)
{
    sent_write *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job job;
    int64_t all = 0, unsent = 0;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_glance(tx, w->user_id, w->job_id, &arena, &job, &found, err));
    if (!found) {
        rc = rf_fail(err, RF_NOT_FOUND, "there is no sample %" PRId64, w->job_id);
        goto out;
    }
    RF_TRY(rf_db_part_sent(tx, w->job_id, w->n, w->now_ms, &found, err));
    RF_TRY(rf_db_parts_count(tx, w->job_id, &all, &unsent, err));
    w->token = job.token;
    w->sent = all - unsent;
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_sample_sent(rf_scheduler *s, int64_t user_id, int64_t job_id, int64_t n, rf_error *err)
{
    sent_write w = {.user_id = user_id, .job_id = job_id, .n = n, .now_ms = rf_scheduler_now_ms(s)};
    rf_code rc = RF_OK;
    RF_TRY(rf_db_write(s->db, write_sent, &w, err));
    RF_TRY(rf_queue_credit(s->queue, job_id, w.token, w.sent, err));
    rfi_doomed_now(s);
out:
    return rc;
}
