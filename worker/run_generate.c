/* run_generate.c - from an uploaded table to synthetic rows, a model and a report.
 *
 *      read 0-4 ─► transform 4-7 ─► train 7-90 ─► sample 90-94 ─► judge 94-99 ─► store
 *                                     │
 *                                     └─► checkpoint-<step>, then the word of it
 *
 * The engine writes checkpoints to a scratch file by itself; between two steps the job sees that the file was replaced,
 * stores it and says so. The one before the last is deleted then: whatever the scheduler has noted by now is one of the
 * two. A checkpoint of an earlier attempt that cannot be had or is of something else is no failure: the training starts
 * anew, to the same bytes.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/worker_state.h"

typedef struct generation {
    rfi_job *job;
    rf_table *real;
    rf_fitted *fitted;
    char checkpoint_path[RFI_PATH_MAX], rows_path[RFI_PATH_MAX];
    struct stat checkpoint_seen;        /* of the scratch file, as it was stored last */
    char kept[2][RF_KEY_BYTES_MAX + 1]; /* keys of the last two that were stored      */
    double sample_s;
} generation;

/* ------------------------------------------------------------------ checkpoints */

static bool is_replaced(const generation *g, struct stat *now)
{
    if (stat(g->checkpoint_path, now) != 0)
        return false;
    return now->st_ino != g->checkpoint_seen.st_ino ||
           now->st_mtim.tv_sec != g->checkpoint_seen.st_mtim.tv_sec ||
           now->st_mtim.tv_nsec != g->checkpoint_seen.st_mtim.tv_nsec;
}

static void delete_older(generation *g, const char *key)
{
    rf_error err = {0};
    if (g->kept[0][0])
        (void)!rf_storage_delete(g->job->worker->options.storage, g->kept[0], &err);
    memcpy(g->kept[0], g->kept[1], sizeof g->kept[0]);
    snprintf(g->kept[1], sizeof g->kept[1], "%s", key);
}

static rf_code keep_checkpoint(generation *g, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_checkpoint_info info;
    rf_stored stored;
    char name[64];
    RF_TRY(rf_checkpoint_peek(&info, g->checkpoint_path, err));
    if (info.step < 1)
        goto out;
    snprintf(name, sizeof name, "checkpoint-%lld", (long long)info.step);
    RF_TRY(rfi_keep(g->job, g->checkpoint_path, name, &stored, err));
    const rf_result_checkpoint word = {
        .key = stored.key, .sha256 = stored.sha256, .step = info.step, .size_bytes = stored.size_bytes};
    RF_TRY(rfi_job_checkpoint(g->job, &word, err));
    delete_older(g, stored.key);
out:
    return rc;
}

/* A checkpoint that cannot be stored costs nothing but time, should the worker die. */
static void look_for_checkpoint(generation *g)
{
    struct stat now;
    rf_error err = {0};
    if (!is_replaced(g, &now))
        return;
    g->checkpoint_seen = now;
    if (keep_checkpoint(g, &err) != RF_OK)
        rf_log(RF_LOG_WARNING, "worker", "a checkpoint of job %lld could not be stored: %s",
               (long long)g->job->lease.job_id, err.message);
}

/* The checkpoint that the plan names, to go on from. False: start anew. */
static bool fetch_checkpoint(generation *g)
{
    rf_error err = {0};
    rfi_job *job = g->job;
    const rf_plan_checkpoint *from = &job->plan.checkpoint;
    if (!job->plan.has_checkpoint)
        return false;
    if (rfi_fetch(job, from->key, from->sha256, g->checkpoint_path, &err) == RF_OK &&
        stat(g->checkpoint_path, &g->checkpoint_seen) == 0)
        return true;
    rf_log(RF_LOG_WARNING, "worker", "job %lld starts anew: its checkpoint cannot be had: %s",
           (long long)job->lease.job_id, err.message);
    rf_checkpoint_remove(g->checkpoint_path);
    return false;
}

/* ------------------------------------------------------------------ training */

static double percent_of(const rf_progress *p)
{
    const double share = p->total > 0 ? (double)p->done / (double)p->total : 0;
    if (!strcmp(p->phase, "train"))
        return 7 + 83 * share;
    return !strcmp(p->phase, "sample") ? 90 + 4 * share : 4;
}

static void tell(rfi_job *job, const rf_progress *p)
{
    const bool trains = !strcmp(p->phase, "train");
    rfi_job_progress(job, &(rf_result_progress){.phase = p->phase,
                                                .epoch = p->epoch,
                                                .epochs = p->epochs,
                                                .percent = percent_of(p),
                                                .eta_s = trains && p->eta_s > 0 ? p->eta_s : (double)NAN,
                                                .generator_loss = p->losses.generator,
                                                .discriminator_loss = p->losses.discriminator});
}

static bool on_progress(void *arg, const rf_progress *progress)
{
    generation *g = arg;
    tell(g->job, progress);
    if (!strcmp(progress->phase, "train"))
        look_for_checkpoint(g);
    return !rfi_job_should_stop(g->job);
}

static rf_code train(generation *g, bool resume, rf_error *err)
{
    rfi_job *job = g->job;
    const rf_fit_options options = {
        .params = job->plan.params,
        .seed = job->plan.seed,
        .device = job->worker->device,
        .checkpoint_path = g->checkpoint_path,
        .checkpoint_s = job->worker->options.checkpoint_s,
        .resume = resume,
        .progress = on_progress,
        .progress_arg = g,
        .stop = &job->held->stop,
    };
    return rf_fit(&g->fitted, g->real, &options, &job->notes, err);
}

static rf_code fit(generation *g, rf_error *err)
{
    rf_code rc = RF_OK;
    const bool resume = fetch_checkpoint(g);
    rc = train(g, resume, err);
    if (resume && (rc == RF_CORRUPT || rc == RF_USAGE)) {
        rf_log(RF_LOG_WARNING, "worker", "job %lld starts anew: %s", (long long)g->job->lease.job_id,
               err->message);
        *err = (rf_error){0};
        rf_checkpoint_remove(g->checkpoint_path);
        rc = train(g, false, err);
    }
    if (rc == RF_INTERRUPTED && g->job->stop == RFI_STOP_DRAINED)
        look_for_checkpoint(g); /* the one that was written on the way out */
    return rc;
}

/* ------------------------------------------------------------------ rows */

static rf_code append_rows(void *arg, const rf_table *rows, rf_error *err)
{
    return rf_table_writer_append(arg, rows, err);
}

static rf_code make_rows(generation *g, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_job *job = g->job;
    rf_table_writer *writer = NULL;
    const char *const *where = NULL;
    const double began_s = rf_clock_s();
    RF_TRY(rfi_conditions(job, &where, err));
    const rf_write_options write = {.format = job->plan.output_format, .pool = job->worker->device->pool};
    const rf_sample_options options = {.n_rows = job->plan.rows,
                                       .seed = job->plan.seed,
                                       .where = where,
                                       .n_where = job->plan.n_conditions,
                                       .progress = on_progress,
                                       .progress_arg = g};
    RF_TRY(rf_table_writer_open(&writer, g->rows_path, rf_transform_schema(rf_fitted_transform(g->fitted)),
                                &write, err));
    RF_TRY(rf_fitted_sample(g->fitted, &options, append_rows, writer, err));
    RF_TRY(rf_table_writer_commit(writer, err));
out:
    rf_table_writer_close(writer);
    g->sample_s = rf_clock_s() - began_s;
    return rc;
}

/* ------------------------------------------------------------------ keeping */

static rf_code keep_model(generation *g, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    char path[RFI_PATH_MAX];
    RF_TRY(rfi_scratch_path(g->job, "model.rfm", path, err));
    RF_TRY(rf_fitted_store(g->fitted, path, err));
    RF_TRY(rfi_keep(g->job, path, "model.rfm", &done->model, err));
out:
    return rc;
}

static rf_code keep_all(generation *g, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    const bool tsv = !strcmp(g->job->plan.output_format, "tsv");
    rfi_job_phase(g->job, "store", 99);
    RF_TRY(rfi_job_check(g->job, err));
    RF_TRY(rfi_keep(g->job, g->rows_path, tsv ? "data.tsv" : "data.csv", &done->data, err));
    RF_TRY(keep_model(g, done, err));
    if (g->job->plan.include_metadata)
        RF_TRY(rfi_keep_metadata(g->job, g->real->n_rows, done, err));
    RF_TRY(rfi_job_check(g->job, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ all of it */

static rf_code generate(generation *g, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_job *job = g->job;
    rf_fitted_info info;
    const bool tsv = !strcmp(job->plan.output_format, "tsv");
    RF_TRY(rfi_scratch_path(job, "checkpoint", g->checkpoint_path, err));
    RF_TRY(rfi_scratch_path(job, tsv ? "data.tsv" : "data.csv", g->rows_path, err));
    rfi_job_phase(job, "read", 0);
    RF_TRY(rfi_read_dataset(job, &g->real, err));
    RF_TRY(fit(g, err));
    RF_TRY(make_rows(g, err));
    rf_fitted_describe(g->fitted, &info);
    RF_TRY(rfi_job_check(job, err));
    rfi_job_phase(job, "judge", 94);
    RF_TRY(rfi_judge(job, g->real, g->rows_path, &info, g->sample_s, done, err));
    done->rows = job->plan.rows;
    done->train_s = info.train_seconds;
    done->sample_s = g->sample_s;
    done->generator_loss = info.losses.generator;
    done->discriminator_loss = info.losses.discriminator;
    RF_TRY(keep_all(g, done, err));
out:
    return rc;
}

rf_code rfi_run_generate(rfi_job *job, rf_result_done *done, rf_error *err)
{
    generation *g = NULL;
    rf_code rc = RF_NEW_ARRAY(&g, 1, "the generation", err);
    if (rc != RF_OK)
        return rc;
    g->job = job;
    rc = generate(g, done, err);
    rf_fitted_free(g->fitted);
    rf_table_free(g->real);
    rf_free(g);
    return rc;
}
