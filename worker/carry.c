/* carry.c - files between scratch and storage. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"
#include "worker/worker_state.h"

static rf_code make_folder(rfi_job *job, rf_error *err)
{
    const rf_worker *w = job->worker;
    if (job->folder)
        return RF_OK;
    const size_t size = strlen(w->folder) + 48;
    job->folder = rf_malloc(size);
    if (!job->folder)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the name of a folder");
    snprintf(job->folder, size, "%s/%lld-%lld", w->folder, (long long)job->lease.job_id,
             (long long)job->lease.token);
    if (mkdir(job->folder, 0700) != 0 && errno != EEXIST)
        return rf_fail_errno(err, RF_IO, "no folder can be made for the job's files");
    return RF_OK;
}

rf_code rfi_scratch_path(rfi_job *job, const char *name, char out[RFI_PATH_MAX], rf_error *err)
{
    const rf_code rc = make_folder(job, err);
    if (rc != RF_OK)
        return rc;
    if (snprintf(out, RFI_PATH_MAX, "%s/%s", job->folder, name) >= RFI_PATH_MAX)
        return rf_fail(err, RF_IO, "the folder for files on their way has too long a name");
    return RF_OK;
}

/* What is not there, or is not what was put there, is the storage's fault and not the person's. */
static rf_code blame_storage(rf_code rc, const char *what, rf_error *err)
{
    if (rc == RF_NOT_FOUND || rc == RF_CORRUPT || rc == RF_USAGE)
        return rf_fail(err, RF_UNAVAILABLE, "the stored %s cannot be read as it was written", what);
    return rc;
}

rf_code rfi_fetch(rfi_job *job, const char *key, const char *sha256, const char *path, rf_error *err)
{
    rf_storage *storage = job->worker->options.storage;
    if (!storage)
        return rf_fail(err, RF_UNAVAILABLE, "this worker has no storage");
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return rf_fail_errno(err, RF_IO, "a file on its way cannot be written");
    rf_code rc = rf_storage_get_fd(storage, key, fd, sha256, NULL, err);
    if (close(fd) != 0 && rc == RF_OK)
        rc = rf_fail_errno(err, RF_IO, "a file on its way cannot be written");
    return blame_storage(rc, "file", err);
}

/* ------------------------------------------------------------------ storing */

static rf_code describe(rfi_job *job, const rf_object *made, rf_stored *out, rf_error *err)
{
    rf_arena *arena = &job->plan.arena;
    *out = (rf_stored){.key = rf_arena_string(arena, made->key, strlen(made->key)),
                       .sha256 = rf_arena_string(arena, made->sha256, strlen(made->sha256)),
                       .size_bytes = made->size_bytes};
    return rf_arena_check(arena, "the names of what was stored", err);
}

rf_code rfi_keep(rfi_job *job, const char *path, const char *name, rf_stored *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_object made;
    char key[RF_KEY_BYTES_MAX + 1];
    rf_storage *storage = job->worker->options.storage;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rf_fail_errno(err, RF_IO, "the result cannot be read back from its scratch file");
    snprintf(key, sizeof key, "jobs/%lld/%lld/%s", (long long)job->lease.job_id, (long long)job->lease.token,
             name);
    RF_TRY(rf_storage_put_fd(storage, key, fd, NULL, &made, err));
    RF_TRY(describe(job, &made, out, err));
out:
    close(fd);
    return rc;
}

rf_code rfi_keep_bytes(rfi_job *job, const char *key, const void *data, size_t size_bytes, bool transient,
                       rf_stored *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_object made;
    const rf_put_options options = {.transient = transient};
    RF_TRY(rf_storage_put_bytes(job->worker->options.storage, key, data, size_bytes, &options, &made, err));
    RF_TRY(describe(job, &made, out, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ the uploaded table */

static rf_code types_of(rfi_job *job, rf_type_override **out, rf_error *err)
{
    const rf_plan_dataset *d = &job->plan.dataset;
    rf_type_override *types = RF_ARENA_ARRAY(&job->plan.arena, rf_type_override, d->n_kinds + 1);
    const rf_code rc = rf_arena_check(&job->plan.arena, "the kinds of the columns", err);
    for (int32_t i = 0; rc == RF_OK && i < d->n_kinds; i++)
        types[i] = (rf_type_override){.column = d->kinds[i].column, .kind = d->kinds[i].kind};
    *out = types;
    return rc;
}

/* The name in messages is the one that the table was uploaded under. */
rf_code rfi_read_dataset(rfi_job *job, rf_table **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    rf_type_override *types = NULL;
    char path[RFI_PATH_MAX];
    const rf_plan_dataset *d = &job->plan.dataset;
    RF_TRY(rfi_scratch_path(job, "dataset", path, err));
    RF_TRY(rfi_fetch(job, d->key, d->sha256, path, err));
    RF_TRY(rfi_job_check(job, err));
    RF_TRY(types_of(job, &types, err));
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    (void)unlink(path); /* the mapping keeps it for as long as it is needed */
    const rf_table_options options = {.format = d->format,
                                      .types = types,
                                      .n_types = d->n_kinds,
                                      .pool = job->worker->device->pool,
                                      .allow_one_row = d->n_kinds == 0 && job->plan.kind == RF_JOB_PROFILE};
    RF_TRY(rf_table_read_bytes(out, *d->name ? d->name : "the table", bytes.data, bytes.size_bytes, &options,
                               &job->notes, err));
    RF_TRY(rfi_job_check(job, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}

/* ------------------------------------------------------------------ conditions */

rf_code rfi_conditions(rfi_job *job, const char *const **out, rf_error *err)
{
    rf_arena *arena = &job->plan.arena;
    const int32_t n = job->plan.n_conditions;
    const char **where = RF_ARENA_ARRAY(arena, const char *, n + 1);
    for (int32_t i = 0; where && i < n; i++) {
        const rf_plan_condition *c = &job->plan.conditions[i];
        const size_t size = strlen(c->column) + strlen(c->value) + 2;
        char *text = RF_ARENA_ARRAY(arena, char, size);
        if (text)
            snprintf(text, size, "%s=%s", c->column, c->value);
        where[i] = text;
    }
    *out = where;
    return rf_arena_check(arena, "the conditions", err);
}
