/* janitor.c - what is old goes: rows by their age, objects that were doomed, objects that nobody names.
 *
 * Each turn does a bounded amount and may be cut short anywhere: what is left is done at the next. An object goes only after
 * the transaction that forgot it; one that nobody ever named (a worker died between storing and saying so) goes by its age,
 * unless it belongs to an attempt that may still speak of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "db/db_accounts.h"
#include "scheduler/scheduler_state.h"

enum {
    PURGE_ROWS = 500, /* to a transaction          */
    DELETE_JOBS = 50, /* to a transaction          */
    TURN_ROUNDS = 40, /* transactions to a turn    */
    TURN_PAGES = 10,  /* of objects, to a turn     */
    OBJECT_PAGE = 200,
};

typedef struct cleaning {
    rf_scheduler *s;
    int64_t now_ms;
    int64_t *job_ids;
    int32_t n_jobs;
    int64_t purged;
    const char *const *keys;
    int32_t n_keys;
} cleaning;

/* ------------------------------------------------------------------ rows */

static rf_code purge_rows(rf_db_tx *tx, void *arg, rf_error *err)
{
    cleaning *const c = arg;
    const rf_scheduler_options *const o = &c->s->options;
    int64_t n = 0;
    rf_code rc = RF_OK;
    c->purged = 0;
    RF_TRY(rf_db_idempotency_purge(tx, c->now_ms - o->keep_idempotency_ms, PURGE_ROWS, &n, err));
    c->purged += n;
    RF_TRY(rf_db_refresh_purge(tx, c->now_ms, PURGE_ROWS, &n, err));
    c->purged += n;
    RF_TRY(rf_db_audit_purge(tx, c->now_ms - o->keep_audit_ms, PURGE_ROWS, &n, err));
    c->purged += n;
    RF_TRY(rf_db_workers_purge(tx, c->now_ms - INT64_C(86400000), &n, err));
out:
    return rc;
}

static rf_code delete_jobs(rf_db_tx *tx, void *arg, rf_error *err)
{
    const cleaning *const c = arg;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < c->n_jobs; i++)
        RF_TRY(rf_db_job_delete(tx, c->job_ids[i], c->now_ms, err));
out:
    return rc;
}

static rf_code clean_rows(cleaning *c, int32_t *n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    for (int round = 0; round < TURN_ROUNDS && !rfi_stopping(c->s); round++) {
        RF_TRY(rf_db_write(c->s->db, purge_rows, c, err));
        *n += (int32_t)c->purged;
        rf_arena_free(&arena);
        RFI_READ(c->s, tx,
                 rf_db_jobs_ended(tx, c->now_ms - c->s->options.keep_jobs_ms, DELETE_JOBS, &arena,
                                  &c->job_ids, &c->n_jobs, err));
        if (c->n_jobs)
            RF_TRY(rf_db_write(c->s->db, delete_jobs, c, err));
        *n += c->n_jobs;
        if (c->purged < PURGE_ROWS && c->n_jobs < DELETE_JOBS)
            break;
    }
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ workers, for those who look later */

typedef struct seen_workers {
    const rf_worker_info *workers;
    int32_t n;
} seen_workers;

static rf_code write_workers(rf_db_tx *tx, void *arg, rf_error *err)
{
    const seen_workers *const seen = arg;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < seen->n; i++) {
        const rf_worker_info *const w = &seen->workers[i];
        const rf_db_worker row = {.id = w->id,
                                  .pid = w->pid,
                                  .started_ms = w->started_ms,
                                  .beat_ms = w->beat_ms,
                                  .job_id = w->job_id,
                                  .host = w->host,
                                  .version = w->version,
                                  .device = w->device,
                                  .need = w->need};
        RF_TRY(rf_db_worker_put(tx, &row, err));
    }
out:
    return rc;
}

static rf_code note_workers(rf_scheduler *s, rf_error *err)
{
    rf_worker_info *workers = NULL;
    seen_workers seen = {0};
    rf_code rc = RF_OK;
    RF_TRY(rf_queue_workers(s->queue, &workers, &seen.n, err));
    seen.workers = workers;
    if (seen.n)
        RF_TRY(rf_db_write(s->db, write_workers, &seen, err));
out:
    rf_free(workers);
    return rc;
}

/* ------------------------------------------------------------------ objects that were forgotten */

static rf_code clear_doomed(rf_db_tx *tx, void *arg, rf_error *err)
{
    const cleaning *const c = arg;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < c->n_keys; i++)
        RF_TRY(rf_db_doomed_clear(tx, c->keys[i], err));
out:
    return rc;
}

static rf_code clean_doomed(cleaning *c, int32_t *n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    const char **keys = NULL;
    int32_t found = 0;
    rf_code rc = RF_OK;
    for (int round = 0; round < TURN_ROUNDS && !rfi_stopping(c->s); round++) {
        rf_arena_free(&arena);
        RFI_READ(c->s, tx, rf_db_doomed_list(tx, OBJECT_PAGE, &arena, &keys, &found, err));
        if (!found)
            break;
        for (int32_t i = 0; i < found; i++)
            RF_TRY(rf_storage_delete(c->s->storage, keys[i], err));
        c->keys = keys;
        c->n_keys = found;
        RF_TRY(rf_db_write(c->s->db, clear_doomed, c, err));
        *n += found;
    }
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ objects that nobody ever named */

/* "jobs/<job>/<token>/…" and "samples/<job>/<token>/…": the attempt; false for other keys. */
static bool attempt_of(const char *key, int64_t *job_id, int64_t *token)
{
    const char *at = strchr(key, '/');
    char *end = NULL;
    if (!at || (strncmp(key, "jobs/", 5) && strncmp(key, "samples/", 8)))
        return false;
    *job_id = strtoll(at + 1, &end, 10);
    if (end == at + 1 || *end != '/')
        return false;
    at = end;
    *token = strtoll(at + 1, &end, 10);
    return end != at + 1 && *end == '/';
}

/* A store may be shared: what we did not name is not ours to judge. */
static bool is_ours(const char *key)
{
    static const char *const folders[] = {"datasets/", "jobs/", "samples/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (!strncmp(key, folders[i], strlen(folders[i])))
            return true;
    return false;
}

/* Whether the attempt may still speak of it, or its job goes on from it. */
static rf_code is_spared(rf_db_tx *tx, const char *key, rf_arena *arena, bool *spared, rf_error *err)
{
    int64_t job_id = 0, token = 0;
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_object_is_named(tx, key, spared, err));
    if (*spared || !attempt_of(key, &job_id, &token))
        goto out;
    RF_TRY(rf_db_job_find(tx, 0, job_id, arena, &job, &found, err));
    if (!found || job.finished_ms)
        goto out;
    *spared = job.token == token || strstr(job.checkpoint, key) != NULL;
out:
    return rc;
}

static rf_code clean_page(cleaning *c, const rf_object *objects, int32_t n_objects, int32_t *n, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < n_objects; i++) {
        bool spared = true;
        if (!is_ours(objects[i].key) || objects[i].changed_ms > c->now_ms - c->s->options.orphan_age_ms)
            continue;
        rf_arena_free(&arena);
        RFI_READ(c->s, tx, is_spared(tx, objects[i].key, &arena, &spared, err));
        if (spared)
            continue;
        RF_TRY(rf_storage_delete(c->s->storage, objects[i].key, err));
        ++*n;
    }
out:
    rf_arena_free(&arena);
    return rc;
}

static rf_code clean_orphans(cleaning *c, int32_t *n, rf_error *err)
{
    rf_object *objects = NULL;
    int32_t found = 0;
    char after[RF_KEY_BYTES_MAX + 1];
    rf_code rc = RF_OK;
    RF_TRY(RF_NEW_ARRAY(&objects, OBJECT_PAGE, "a page of objects", err));
    snprintf(after, sizeof after, "%s", c->s->swept_to);
    for (int page = 0; page < TURN_PAGES && !rfi_stopping(c->s); page++) {
        RF_TRY(rf_storage_list(c->s->storage, "", after, objects, OBJECT_PAGE, &found, err));
        if (!found) {
            *after = 0;
            break;
        }
        snprintf(after, sizeof after, "%s", objects[found - 1].key);
        RF_TRY(clean_page(c, objects, found, n, err));
        if (found < OBJECT_PAGE) {
            *after = 0; /* the end: from the beginning at the next turn */
            break;
        }
    }
    snprintf(c->s->swept_to, sizeof c->s->swept_to, "%s", after);
out:
    rf_free(objects);
    return rc;
}

void rfi_doomed_now(rf_scheduler *s)
{
    atomic_store(&s->doomed, true);
}

rf_code rfi_clean_doomed(rf_scheduler *s, int32_t *n, rf_error *err)
{
    cleaning c = {.s = s};
    int32_t all = 0;
    rf_code rc = RF_OK;
    if (!s->storage || !atomic_exchange(&s->doomed, false))
        return RF_OK;
    pthread_mutex_lock(&s->cleaning);
    rc = clean_doomed(&c, &all, err);
    pthread_mutex_unlock(&s->cleaning);
    if (rc != RF_OK)
        rfi_doomed_now(s);
    if (n)
        *n = all;
    return rc;
}

rf_code rf_scheduler_clean(rf_scheduler *s, int32_t *n, rf_error *err)
{
    cleaning c = {.s = s, .now_ms = rf_scheduler_now_ms(s)};
    int32_t all = 0;
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->cleaning);
    RF_TRY(note_workers(s, err));
    RF_TRY(clean_rows(&c, &all, err));
    if (s->storage) {
        int64_t swept = 0;
        RF_TRY(clean_doomed(&c, &all, err));
        RF_TRY(clean_orphans(&c, &all, err));
        RF_TRY(rf_storage_sweep(s->storage, s->options.orphan_age_ms, &swept, err));
    }
out:
    pthread_mutex_unlock(&s->cleaning);
    if (n)
        *n = all;
    return rc;
}
