/* submit.c - a request becomes a row, a note that it is to be offered, and a promise to answer the same again. */
#include <stdio.h>
#include <string.h>

#include "scheduler/scheduler_state.h"

/* Larger than any default: small tables are trained with it as they are. */
enum { SMALL_BATCH = 1000 };

/* ------------------------------------------------------------------ parts of every submit */

rf_job rfi_job_new(rf_scheduler *s, rf_job_kind kind, int64_t user_id, int32_t priority_plus_1)
{
    const int64_t now_ms = rf_scheduler_now_ms(s);
    return (rf_job){
        .user_id = user_id,
        .kind = kind,
        .state = RF_JOB_QUEUED,
        .priority = priority_plus_1 ? priority_plus_1 - 1 : RF_PRIORITY_DEFAULT,
        .timeout_ms = s->options.job_timeout_ms,
        .cost = 1.0,
        .need = "cpu",
        .spec = "",
        .plan = "",
        .checkpoint = "",
        .progress = "",
        .device = "",
        .token = 1,
        .created_ms = now_ms,
        .run_at_ms = now_ms,
    };
}

rf_code rfi_idempotency_begin(rf_scheduler *s, rf_db_tx *tx, int64_t user_id,
                              const rf_idempotency *idempotency, rf_arena *arena, rf_receipt *receipt,
                              rf_error *err)
{
    *receipt = (rf_receipt){.reply = ""};
    if (!idempotency || !idempotency->key)
        return RF_OK;
    const rf_db_idempotency row = {.user_id = user_id,
                                   .key = idempotency->key,
                                   .hash = idempotency->hash,
                                   .reply = "",
                                   .created_ms = rf_scheduler_now_ms(s)};
    rf_db_idempotency first;
    bool inserted = false, found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_idempotency_insert(tx, &row, &inserted, err));
    if (inserted)
        goto out;
    RF_TRY(rf_db_idempotency_find(tx, user_id, idempotency->key, arena, &first, &found, err));
    if (!found || strcmp(first.hash, idempotency->hash)) {
        rc = rf_fail(err, RF_CONFLICT, "this Idempotency-Key was used for another request; take a new one");
        goto out;
    }
    *receipt =
        (rf_receipt){.id = first.object_id, .repeated = true, .status = first.status, .reply = first.reply};
out:
    return rc;
}

rf_code rfi_idempotency_made(rf_db_tx *tx, int64_t user_id, const rf_idempotency *idempotency,
                             int64_t object_id, rf_error *err)
{
    if (!idempotency || !idempotency->key)
        return RF_OK;
    return rf_db_idempotency_set_object(tx, user_id, idempotency->key, object_id, err);
}

rf_code rfi_job_put(rf_scheduler *s, rf_db_tx *tx, rf_job *job, rfi_effects *effects, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_db_job_insert(tx, job, err));
    if (job->state == RF_JOB_QUEUED && !job->blocked) {
        RF_TRY(rf_db_outbox_put(tx, job->id, job->token, job->created_ms, err));
        rfi_effects_offer(effects, s, job);
    }
    rfi_effects_update(effects, job, job->state, "");
    RF_TRY(rfi_effects_check(effects, err));
out:
    return rc;
}

static rf_code check_waiting(rf_scheduler *s, rf_db_tx *tx, int64_t user_id, rf_error *err)
{
    int64_t active = 0;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_jobs_active(tx, user_id, &active, err));
    if (active >= s->options.user_waiting_limit)
        rc = rf_fail(err, RF_RATE_LIMITED,
                     "%lld of your requests have not ended yet, and that is the most; wait or cancel some",
                     (long long)active);
out:
    return rc;
}

/* As large as a number may be that every reader of JSON keeps exactly. */
static int64_t drawn_seed(rf_scheduler *s)
{
    return (int64_t)(rfi_random(s) >> 11);
}

/* Commits what fn does, and carries out what follows from it. */
static rf_code commit(rf_scheduler *s, rf_db_write_fn fn, void *arg, rfi_effects *effects, rf_error *err)
{
    const rf_code rc = rf_db_write(s->db, fn, arg, err);
    if (rc == RF_OK)
        rfi_effects_run(effects, s);
    rfi_effects_free(effects);
    return rc;
}

/* ------------------------------------------------------------------ generations */

typedef struct generation_write {
    rf_scheduler *s;
    const rf_generation *ask;
    const rf_idempotency *idempotency;
    rf_arena *arena; /* the caller's: the receipt lives there */
    int64_t seed;
    rf_receipt receipt;
    rfi_effects effects;
} generation_write;

static rf_code check_sizes(const rf_generation *ask, rf_error *err)
{
    if (ask->rows < 1 || ask->rows > RF_PLAN_ROWS_MAX)
        return rf_fail(err, RF_USAGE, "sample_size: %lld rows cannot be made; at least 1",
                       (long long)ask->rows);
    if (ask->has_seed && ask->seed < 0)
        return rf_fail(err, RF_USAGE, "seed: it is a whole number from 0 to 2^63 - 1");
    if (ask->priority_plus_1 < 0 || ask->priority_plus_1 > RF_PRIORITY_MAX + 1)
        return rf_fail(err, RF_USAGE, "priority: from 0 to %d", RF_PRIORITY_MAX);
    if (ask->output_format && strcmp(ask->output_format, "csv") && strcmp(ask->output_format, "tsv"))
        return rf_fail(err, RF_USAGE, "output_format: csv or tsv");
    return RF_OK;
}

/* What is wrong whatever the table's size is. */
static rf_code check_unsized(const rf_scheduler *s, const rf_params *params, rf_error *err)
{
    static const int64_t sizes[] = {100, 5000, 50000};
    rf_code rc = RF_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rf_params copy = *params;
        rc = rfi_params_finish(s, &copy, sizes[i], err);
        if (rc == RF_OK)
            break;
    }
    return rc;
}

static rf_code find_usable(rf_db_tx *tx, const rf_generation *ask, rf_arena *arena, rf_dataset *out,
                           rf_error *err)
{
    bool found = false;
    rf_code rc = RF_OK;
    RF_TRY(rf_db_dataset_find(tx, ask->user_id, ask->dataset_id, arena, out, &found, err));
    if (!found)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no dataset %lld", (long long)ask->dataset_id);
    else if (out->status == RF_DATASET_INVALID)
        rc = rf_fail(err, RF_USAGE, "dataset_id: the dataset cannot be used: %.180s", out->error);
out:
    return rc;
}

static rf_code generation_row(generation_write *w, const rf_dataset *dataset, rf_arena *arena, rf_job *job,
                              rf_error *err)
{
    const rf_generation *const ask = w->ask;
    rf_buf spec;
    rf_buf_init(&spec);
    rf_code rc = RF_OK;
    *job = rfi_job_new(w->s, RF_JOB_GENERATE, ask->user_id, ask->priority_plus_1);
    job->dataset_id = ask->dataset_id;
    job->rows = ask->rows;
    job->seed = w->seed;
    RF_TRY(rfi_spec_write(ask, &spec, err));
    job->spec = rf_arena_string(arena, spec.data, spec.size_bytes);
    RF_TRY(rf_arena_check(arena, "a request", err));
    if (w->s->options.require_approval)
        job->state = RF_JOB_PENDING_APPROVAL;
    job->blocked = dataset->status != RF_DATASET_READY;
    if (job->blocked)
        RF_TRY(check_unsized(w->s, ask->params, err));
    else
        RF_TRY(rfi_plan_generate(w->s, job, dataset, arena, err));
out:
    rf_buf_free(&spec);
    return rc;
}

static rf_code write_generation(rf_db_tx *tx, void *arg, rf_error *err)
{
    generation_write *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_dataset dataset;
    rf_job job;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rfi_idempotency_begin(w->s, tx, w->ask->user_id, w->idempotency, w->arena, &w->receipt, err));
    if (w->receipt.repeated)
        goto out;
    RF_TRY(check_waiting(w->s, tx, w->ask->user_id, err));
    RF_TRY(find_usable(tx, w->ask, &arena, &dataset, err));
    RF_TRY(generation_row(w, &dataset, &arena, &job, err));
    RF_TRY(rfi_job_put(w->s, tx, &job, &w->effects, err));
    RF_TRY(rfi_idempotency_made(tx, w->ask->user_id, w->idempotency, job.id, err));
    w->receipt.id = job.id;
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_job_submit_generation(rf_scheduler *s, const rf_generation *ask, const rf_idempotency *idempotency,
                                 rf_arena *arena, rf_receipt *out, rf_error *err)
{
    generation_write w = {.s = s, .ask = ask, .idempotency = idempotency, .arena = arena};
    rf_code rc = RF_OK;
    *out = (rf_receipt){.reply = ""};
    RF_TRY(check_sizes(ask, err));
    w.seed = ask->has_seed ? ask->seed : drawn_seed(s);
    rfi_effects_init(&w.effects);
    RF_TRY(commit(s, write_generation, &w, &w.effects, err));
    *out = w.receipt;
out:
    return rc;
}

static void warn(const rf_scheduler *s, const rf_generation_check *check, rf_notes *warnings)
{
    const long long batch = check->params.batch_size, rows = check->n_rows;
    const double limit_s = (double)s->options.job_timeout_ms / 1000;
    if (batch > rows && batch > SMALL_BATCH)
        rf_note(warnings,
                "batch_size %lld is more than the %lld rows of the table: each step draws rows again and "
                "again and takes longer, and no more is learned",
                batch, rows);
    if (limit_s > 0 && check->cost.seconds > limit_s)
        rf_note(warnings,
                "about %.0f s of two processor cores are estimated, and a job is stopped after %.0f s: ask "
                "for fewer epochs, a smaller batch_size or smaller layers, unless a faster worker is there",
                check->cost.seconds, limit_s);
}

rf_code rf_job_check_generation(rf_scheduler *s, const rf_generation *ask, rf_generation_check *out,
                                rf_notes *warnings, rf_error *err)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_db_tx *tx = NULL;
    rf_dataset dataset = {0};
    rf_code rc = RF_OK;
    *out = (rf_generation_check){.params = *ask->params};
    RF_TRY(check_sizes(ask, err));
    RFI_READ(s, tx, find_usable(tx, ask, &arena, &dataset, err));
    if (dataset.status != RF_DATASET_READY) {
        RF_TRY(check_unsized(s, ask->params, err));
        goto out;
    }
    RF_TRY(rfi_rows_check(dataset.n_rows, err));
    RF_TRY(rfi_params_finish(s, &out->params, dataset.n_rows, err));
    RF_TRY(rfi_conditions_check(ask->conditions, ask->n_conditions, dataset.profile, err));
    out->ready = true;
    out->n_rows = dataset.n_rows;
    out->n_columns = dataset.n_columns;
    out->cost = rf_cost_generate(&out->params, dataset.n_rows, dataset.n_columns, ask->rows);
    warn(s, out, warnings);
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ samples */

typedef struct sampling_write {
    rf_scheduler *s;
    const rf_sampling *ask;
    const rf_idempotency *idempotency;
    rf_arena *arena;
    int64_t seed;
    rf_receipt receipt;
    rfi_effects effects;
} sampling_write;

static rf_code sampling_row(sampling_write *w, const rf_model_card *model, rf_arena *arena, rf_job *job,
                            rf_error *err)
{
    rf_buf spec;
    rf_buf_init(&spec);
    rf_code rc = RF_OK;
    *job = rfi_job_new(w->s, RF_JOB_SAMPLE, w->ask->user_id, 0);
    /* Somebody waits for it with an open connection. */
    job->priority = RF_PRIORITY_MAX;
    /* It lasts as long as its reader takes, for any number of rows; a reader that is too slow is the connection's affair. */
    job->timeout_ms = 0;
    job->model_id = model->id;
    job->rows = w->ask->rows;
    job->seed = w->seed;
    RF_TRY(rfi_spec_write_sampling(w->ask, &spec, err));
    job->spec = rf_arena_string(arena, spec.data, spec.size_bytes);
    RF_TRY(rf_arena_check(arena, "a request", err));
    RF_TRY(rfi_plan_sampling(job, model, arena, err));
out:
    rf_buf_free(&spec);
    return rc;
}

static rf_code write_sampling(rf_db_tx *tx, void *arg, rf_error *err)
{
    sampling_write *const w = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    rf_model_card model;
    rf_job job;
    bool found = false;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rfi_idempotency_begin(w->s, tx, w->ask->user_id, w->idempotency, w->arena, &w->receipt, err));
    if (w->receipt.repeated)
        goto out;
    RF_TRY(check_waiting(w->s, tx, w->ask->user_id, err));
    RF_TRY(rf_db_model_find(tx, w->ask->user_id, w->ask->model_id, &arena, &model, &found, err));
    if (!found) {
        rc = rf_fail(err, RF_NOT_FOUND, "there is no model %lld", (long long)w->ask->model_id);
        goto out;
    }
    RF_TRY(sampling_row(w, &model, &arena, &job, err));
    RF_TRY(rfi_job_put(w->s, tx, &job, &w->effects, err));
    RF_TRY(rfi_idempotency_made(tx, w->ask->user_id, w->idempotency, job.id, err));
    w->receipt.id = job.id;
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_job_submit_sampling(rf_scheduler *s, const rf_sampling *ask, const rf_idempotency *idempotency,
                               rf_arena *arena, rf_receipt *out, rf_error *err)
{
    sampling_write w = {.s = s, .ask = ask, .idempotency = idempotency, .arena = arena};
    rf_code rc = RF_OK;
    *out = (rf_receipt){.reply = ""};
    if (ask->rows < 1 || ask->rows > RF_PLAN_ROWS_MAX)
        return rf_fail(err, RF_USAGE, "rows: %lld rows cannot be made; at least 1", (long long)ask->rows);
    if (ask->has_seed && ask->seed < 0)
        return rf_fail(err, RF_USAGE, "seed: it is a whole number from 0 to 2^63 - 1");
    if (ask->format && strcmp(ask->format, "csv") && strcmp(ask->format, "ndjson"))
        return rf_fail(err, RF_USAGE, "format: csv or ndjson");
    w.seed = ask->has_seed ? ask->seed : drawn_seed(s);
    rfi_effects_init(&w.effects);
    RF_TRY(commit(s, write_sampling, &w, &w.effects, err));
    *out = w.receipt;
out:
    return rc;
}

/* ------------------------------------------------------------------ bare jobs */

typedef struct noop_write {
    rf_scheduler *s;
    const rf_noop *ask;
    const rf_idempotency *idempotency;
    rf_arena *arena;
    rf_job job;
    rf_receipt receipt;
    rfi_effects effects;
} noop_write;

static rf_code write_noop(rf_db_tx *tx, void *arg, rf_error *err)
{
    noop_write *const w = arg;
    rf_code rc = RF_OK;
    rfi_effects_reset(&w->effects);
    RF_TRY(rfi_idempotency_begin(w->s, tx, w->ask->user_id, w->idempotency, w->arena, &w->receipt, err));
    if (w->receipt.repeated)
        goto out;
    if (!w->ask->unlimited)
        RF_TRY(check_waiting(w->s, tx, w->ask->user_id, err));
    RF_TRY(rfi_job_put(w->s, tx, &w->job, &w->effects, err));
    RF_TRY(rfi_idempotency_made(tx, w->ask->user_id, w->idempotency, w->job.id, err));
    w->receipt.id = w->job.id;
out:
    return rc;
}

rf_code rf_job_submit_noop(rf_scheduler *s, const rf_noop *ask, const rf_idempotency *idempotency,
                           rf_arena *arena, rf_receipt *out, rf_error *err)
{
    noop_write w = {.s = s, .ask = ask, .idempotency = idempotency, .arena = arena};
    rf_code rc = RF_OK;
    *out = (rf_receipt){.reply = ""};
    w.job = rfi_job_new(s, RF_JOB_NOOP, ask->user_id, ask->priority_plus_1);
    w.job.unlimited = ask->unlimited;
    RF_TRY(rfi_plan_noop(&w.job, ask, arena, err));
    rfi_effects_init(&w.effects);
    RF_TRY(commit(s, write_noop, &w, &w.effects, err));
    *out = w.receipt;
out:
    return rc;
}

/* ------------------------------------------------------------------ the first reply, for those that come again */

typedef struct reply_write {
    int64_t user_id;
    const char *key, *reply;
    int32_t status;
} reply_write;

static rf_code write_reply(rf_db_tx *tx, void *arg, rf_error *err)
{
    const reply_write *const w = arg;
    return rf_db_idempotency_store(tx, w->user_id, w->key, w->status, w->reply, err);
}

rf_code rf_scheduler_reply_store(rf_scheduler *s, int64_t user_id, const rf_idempotency *idempotency,
                                 int32_t status, const char *reply, rf_error *err)
{
    if (!idempotency || !idempotency->key)
        return RF_OK;
    reply_write w = {.user_id = user_id, .key = idempotency->key, .reply = reply, .status = status};
    return rf_db_write(s->db, write_reply, &w, err);
}
