/* Tables come in, generations wait for their profiles, results and samples are fetched, and what is deleted goes. */
#include "scheduler_rig.h"

#include "core/buf.h"
#include "db/db_ops.h"
#include "domain/plan.h"
#include "domain/result.h"

static const char *const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char *const table = "age,city\n1,a\n2,b\n";

/* ------------------------------------------------------------------ words of this file */

static int64_t upload(house *h, int64_t user, const char *name, const rf_idempotency *key,
                      rf_receipt *receipt)
{
    rf_error err = {0};
    rf_upload *up = NULL;
    rf_dataset dataset;
    assert_ok(rf_upload_open(&up, h->s, user, name, &err));
    assert_ok(rf_upload_write(up, table, 5, &err));
    assert_ok(rf_upload_write(up, table + 5, strlen(table) - 5, &err));
    assert_int_equal(rf_upload_size(up), strlen(table));
    assert_ok(rf_upload_commit(up, key, &h->arena, receipt, &dataset, &err));
    rf_upload_close(up);
    assert_int_equal(dataset.status, RF_DATASET_PROFILING);
    assert_int_equal(strlen(dataset.sha256), 64);
    return dataset.id;
}

static int64_t upload_plain(house *h)
{
    rf_receipt receipt;
    return upload(h, h->user, "people.csv", NULL, &receipt);
}

static rf_dataset dataset_of(house *h, int64_t id)
{
    rf_error err = {0};
    rf_dataset dataset;
    assert_ok(rf_dataset_get(h->s, h->user, id, &h->arena, &dataset, &err));
    return dataset;
}

/* The worker takes the profile that waits and finds so many rows. */
static void profile(house *h, int64_t n_rows)
{
    int64_t token = 0;
    const int64_t job = house_lease(h, &token);
    assert_int_equal(house_look(h, job).kind, RF_JOB_PROFILE);
    char body[512];
    snprintf(
        body, sizeof body,
        "{\"kind\":\"profile\",\"n_rows\":%lld,\"n_columns\":2,\"profile\":{\"n_rows\":%lld,\"columns\":["
        "{\"name\":\"age\",\"label\":\"age\",\"kind\":\"integer\"},"
        "{\"name\":\"city\",\"label\":\"city\",\"kind\":\"categorical\"}],\"warnings\":[]}}",
        (long long)n_rows, (long long)n_rows);
    house_send(h, RF_EVENT_DONE, job, token, body);
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
}

static rf_generation asking(house *h, const rf_params *params, int64_t dataset)
{
    return (rf_generation){.user_id = h->user, .dataset_id = dataset, .rows = 100, .params = params};
}

static int64_t generate(house *h, int64_t dataset, const char *assignment)
{
    rf_error err = {0};
    rf_params params;
    rf_receipt receipt;
    rf_params_init(&params, RF_MODEL_CTGAN);
    if (assignment)
        assert_ok(rf_params_assign(&params, assignment, &err));
    const rf_generation ask = asking(h, &params, dataset);
    assert_ok(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err));
    return receipt.id;
}

static rf_stored stored(house *h, int64_t job, int64_t token, const char *name, char key[64])
{
    rf_error err = {0};
    rf_object object;
    snprintf(key, 64, "jobs/%lld/%lld/%s", (long long)job, (long long)token, name);
    assert_ok(rf_storage_put_bytes(h->storage, key, name, strlen(name), NULL, &object, &err));
    return (rf_stored){.key = key, .sha256 = sum, .size_bytes = (int64_t)strlen(name)};
}

/* The worker takes the generation, stores its files and says so. */
static int64_t finish_generation(house *h, int64_t job)
{
    rf_error err = {0};
    char keys[5][64];
    rf_buf body;
    rf_buf_init(&body);
    const int64_t token = house_start(h, job);
    const rf_result_done done = {.kind = RF_JOB_GENERATE,
                                 .rows = 100,
                                 .data = stored(h, job, token, "data.csv", keys[0]),
                                 .model = stored(h, job, token, "model.rfm", keys[1]),
                                 .report_json = stored(h, job, token, "report.json", keys[2]),
                                 .report_html = stored(h, job, token, "report.html", keys[3]),
                                 .has_metadata = true,
                                 .metadata = stored(h, job, token, "metadata.json", keys[4]),
                                 .quality = {.overall = 0.9, .copies = 0}};
    assert_ok(rf_result_write_done(&done, &body, &err));
    house_send(h, RF_EVENT_DONE, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
    return token;
}

static int32_t objects(house *h)
{
    rf_error err = {0};
    rf_object list[64];
    int32_t n = 0;
    assert_ok(rf_storage_list(h->storage, "", "", list, 64, &n, &err));
    return n;
}

/* ------------------------------------------------------------------ upload */

static void an_upload_is_stored_hashed_and_profiled(void **state)
{
    house *const h = *state;
    const int64_t id = upload_plain(h);
    assert_int_equal(objects(h), 1);
    profile(h, 2);
    const rf_dataset dataset = dataset_of(h, id);
    assert_int_equal(dataset.status, RF_DATASET_READY);
    assert_int_equal(dataset.n_rows, 2);
    assert_int_equal(dataset.n_columns, 2);
    assert_non_null(strstr(dataset.profile, "\"city\""));
}

static void an_upload_that_breaks_off_leaves_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_upload *up = NULL;
    assert_ok(rf_upload_open(&up, h->s, h->user, "people.csv", &err));
    assert_ok(rf_upload_write(up, table, 5, &err));
    rf_upload_close(up); /* the client left */
    assert_int_equal(objects(h), 0);
    rf_dataset *list = NULL;
    int32_t n = 0;
    assert_ok(rf_dataset_list(h->s, h->user, 0, 50, &h->arena, &list, &n, &err));
    assert_int_equal(n, 0);
}

static void an_upload_whose_row_cannot_be_written_leaves_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    for (int64_t nth = 1; nth < 6; nth++) {
        rf_upload *up = NULL;
        rf_receipt receipt;
        rf_dataset dataset;
        assert_ok(rf_upload_open(&up, h->s, h->user, "people.csv", &err));
        assert_ok(rf_upload_write(up, table, 5, &err));
        rf_db_fail_at(h->db, nth);
        assert_fails(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err), RF_UNAVAILABLE,
                     "database");
        rf_db_fail_at(h->db, 0);
        rf_upload_close(up);
        assert_int_equal(objects(h), 0);
    }
}

static void names_and_empty_files_are_refused_with_a_sentence(void **state)
{
    house *const h = *state;
    static const struct {
        const char *name;
        rf_code code;
        const char *says;
    } cases[] = {
        {"a.xlsx", RF_UNSUPPORTED_TYPE, ".csv, .tsv"},
        {"csv", RF_UNSUPPORTED_TYPE, "end with"},
        {"", RF_MALFORMED, "needs a name"},
        {"dir/", RF_MALFORMED, "needs a name"},
        {"a\nb.csv", RF_MALFORMED, "control"},
        {"\xff.csv", RF_MALFORMED, "UTF-8"},
    };
    rf_error err = {0};
    rf_upload *up = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(rf_upload_open(&up, h->s, h->user, cases[i].name, &err), cases[i].code, cases[i].says);
    rf_receipt receipt;
    rf_dataset dataset;
    assert_ok(rf_upload_open(&up, h->s, h->user, "../../etc/passwd.CSV", &err));
    assert_fails(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err), RF_INPUT, "empty");
    assert_ok(rf_upload_write(up, table, 5, &err));
    assert_ok(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err));
    assert_string_equal(dataset.name, "passwd.CSV"); /* the path is gone, and was never a key */
    assert_non_null(strstr(dataset.key, "datasets/"));
    rf_upload_close(up);
}

static void the_same_upload_twice_is_one_dataset(void **state)
{
    house *const h = *state;
    rf_receipt first, second;
    const rf_idempotency key = {.key = "k", .hash = "h"};
    const int64_t a = upload(h, h->user, "people.csv", &key, &first);
    const int64_t b = upload(h, h->user, "people.csv", &key, &second);
    assert_int_equal(a, b);
    assert_true(second.repeated && !first.repeated);
    rf_error err = {0};
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), 1);
}

static void a_table_that_cannot_be_read_makes_an_invalid_dataset(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t id = upload_plain(h);
    const int64_t waiting = generate(h, id, NULL);
    int64_t token = 0;
    const int64_t job = house_lease(h, &token);
    house_send(h, RF_EVENT_FAILED, job, token,
               "{\"class\":\"permanent\",\"message\":\"line 3 has 7 fields\",\"detail\":\"\"}");
    house_apply(h);
    const rf_dataset dataset = dataset_of(h, id);
    assert_int_equal(dataset.status, RF_DATASET_INVALID);
    assert_string_equal(dataset.error, "line 3 has 7 fields");
    const rf_job row = house_look(h, waiting); /* what waited for it fails with it */
    assert_int_equal(row.state, RF_JOB_FAILED);
    assert_non_null(strstr(row.error_message, "line 3 has 7 fields"));
    rf_params params;
    rf_receipt receipt;
    rf_params_init(&params, RF_MODEL_CTGAN);
    const rf_generation ask = asking(h, &params, id);
    assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE, "line 3");
}

/* ------------------------------------------------------------------ generations */

static void a_generation_waits_for_its_profile_and_takes_its_defaults_from_it(void **state)
{
    house *const h = *state;
    static const struct {
        int64_t rows, epochs, batch;
    } sizes[] = {{999, 200, 100}, {10000, 150, 500}, {10001, 100, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rf_error err = {0};
        const int64_t id = upload_plain(h);
        const int64_t job = generate(h, id, NULL);
        assert_int_equal(house_state(h, job), RF_JOB_QUEUED);
        assert_true(house_look(h, job).blocked);
        profile(h, sizes[i].rows);
        assert_false(house_look(h, job).blocked);
        int64_t token = 0;
        const char *text = NULL;
        assert_int_equal(house_lease_plan(h, &token, &text), job);
        rf_plan plan;
        assert_ok(rf_plan_read(&plan, text, &err));
        assert_int_equal(plan.params.epochs, sizes[i].epochs);
        assert_int_equal(plan.params.batch_size, sizes[i].batch);
        assert_int_equal(plan.seed, house_look(h, job).seed);
        assert_string_equal(plan.dataset.name, "people.csv");
        rf_plan_free(&plan);
        rf_job_state after;
        assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    }
}

static void parameters_that_cannot_be_are_refused_at_submit(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_params params;
    rf_receipt receipt;
    const int64_t id = upload_plain(h);
    for (int ready = 0; ready < 2; ready++) {
        rf_params_init(&params, RF_MODEL_CTGAN);
        assert_ok(rf_params_assign(&params, "batch_size=502", &err)); /* no multiple of pac */
        rf_generation ask = asking(h, &params, id);
        assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE, "pac");
        rf_params_init(&params, RF_MODEL_CTGAN);
        ask.rows = 0;
        assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE,
                     "sample_size");
        ask.rows = 10;
        ask.output_format = "parquet";
        assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE,
                     "output_format");
        if (!ready)
            profile(h, 2);
    }
    const rf_plan_condition nowhere = {.column = "town", .value = "x"};
    rf_generation ask = asking(h, &params, id);
    ask.conditions = &nowhere;
    ask.n_conditions = 1;
    assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE, "\"town\"");
    ask = asking(h, &params, id);
    ask.user_id = h->other;
    assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_NOT_FOUND,
                 "no dataset");
}

static void validation_tells_what_submit_would_and_changes_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_params params;
    rf_generation_check check;
    const int64_t id = upload_plain(h);
    rf_params_init(&params, RF_MODEL_TVAE);
    assert_ok(rf_params_assign(&params, "batch_size=200", &err));
    const rf_generation ask = asking(h, &params, id);
    assert_ok(rf_job_check_generation(h->s, &ask, &check, &err));
    assert_false(check.ready);
    profile(h, 500);
    assert_ok(rf_job_check_generation(h->s, &ask, &check, &err));
    assert_true(check.ready);
    assert_int_equal(check.n_rows, 500);
    assert_int_equal(check.cost.steps, 200);
    assert_true(check.cost.seconds > 0);
    assert_int_equal(check.params.epochs,
                     100); /* one was given: the other takes its default, whatever the size */
    assert_int_equal(house_lease(h, NULL), 0);
}

static void a_result_can_be_fetched_by_its_owner(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_artifact artifact;
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, "epochs=7");
    assert_fails(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err),
                 RF_NOT_READY, "is queued");
    finish_generation(h, job);
    const rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_COMPLETED);
    assert_non_null(strstr(row.result, "\"overall\":0.9"));
    assert_ok(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err));
    assert_string_equal(artifact.name, "people-synthetic.csv");
    assert_fails(rf_artifact_get(h->s, h->other, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err),
                 RF_NOT_FOUND, "no request");
    assert_ok(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err));

    rf_download *download = NULL;
    char bytes[32];
    size_t n = 0;
    assert_ok(rf_artifact_open(&download, h->s, &artifact, 5, 2, &err));
    assert_ok(rf_download_read(download, bytes, sizeof bytes, &n, &err));
    assert_int_equal(n, 2);
    assert_memory_equal(bytes, "cs", 2); /* of "data.csv" */
    rf_download_close(download);

    const char *url = NULL;
    int64_t expires_ms = 0;
    rf_artifact named;
    assert_ok(rf_artifact_sign(h->s, &artifact, 60000, &h->arena, &url, &expires_ms, &err));
    assert_int_equal(expires_ms, house_now(NULL) + 60000);
    const char *const token = strrchr(url, '/') + 1;
    assert_ok(rf_artifact_from_token(h->s, token, &h->arena, &named, &err));
    assert_string_equal(named.key, artifact.key);
    assert_string_equal(named.name, artifact.name);
    house_pass(60001);
    assert_fails(rf_artifact_from_token(h->s, token, &h->arena, &named, &err), RF_FORBIDDEN, "");
}

static void a_worker_cannot_name_what_is_not_its_own(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    const rf_stored foreign = {.key = "datasets/1/data", .sha256 = sum, .size_bytes = 1};
    const rf_result_done done = {.kind = RF_JOB_GENERATE,
                                 .rows = 1,
                                 .data = foreign,
                                 .model = foreign,
                                 .report_json = foreign,
                                 .report_html = foreign};
    assert_ok(rf_result_write_done(&done, &body, &err));
    house_send(h, RF_EVENT_DONE, job, token, body.data);
    const int64_t beside = house_noop(h, h->other); /* the same batch: not taken along */
    int64_t other_token = 0;
    assert_int_equal(house_lease(h, &other_token), beside);
    house_done(h, beside, other_token);
    house_apply(h);
    rf_buf_free(&body);
    assert_int_equal(house_state(h, job), RF_JOB_FAILED);
    assert_int_equal(house_state(h, beside), RF_JOB_COMPLETED);
    rf_artifact artifact;
    assert_fails(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err),
                 RF_NOT_READY, "failed");
}

static void a_checkpoint_is_in_the_next_plan_and_goes_with_the_job(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    char key[64];
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    const rf_stored made = stored(h, job, token, "checkpoint-30", key);
    const rf_result_checkpoint at = {
        .key = made.key, .sha256 = made.sha256, .step = 30, .size_bytes = made.size_bytes};
    assert_ok(rf_result_write_checkpoint(&at, &body, &err));
    house_send(h, RF_EVENT_CHECKPOINT, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
    house_kill_worker(h);
    assert_int_equal(house_reap(h), 1);
    house_pass(INT64_C(2) * 24 * 3600 * 1000);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err)); /* the sweeper spares it */
    assert_int_equal(objects(h), 2);
    const char *text = NULL;
    int64_t next = 0;
    rf_plan plan;
    assert_int_equal(house_lease_plan(h, &next, &text), job);
    assert_int_equal(next, token + 1);
    assert_ok(rf_plan_read(&plan, text, &err));
    assert_true(plan.has_checkpoint);
    assert_int_equal(plan.checkpoint.step, 30);
    assert_string_equal(plan.checkpoint.key, key);
    rf_plan_free(&plan);
    rf_job_state after;
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), 1); /* the table */
}

static void objects_of_lost_attempts_are_swept(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    char key[64];
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    stored(h, job, token, "data.csv", key); /* stored, and then the worker dies */
    assert_ok(rf_storage_put_bytes(h->storage, "notes/of-somebody-else", "x", 1, NULL, NULL, &err));
    house_kill_worker(h);
    assert_int_equal(house_reap(h), 1);
    house_pass(700000);
    finish_generation(h, job);
    assert_int_equal(objects(h), 8);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), 8); /* too young */
    h->options.orphan_age_ms = 1;
    house_die(h);
    house_pass(INT64_C(5) * 365 * 24 * 3600 * 1000); /* storage goes by the real clock */
    h->options.keep_jobs_ms = INT64_MAX / 4;
    house_die(h);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), 7); /* the stranger's, table, rows, model, two reports, metadata */
}

static void old_jobs_go_with_their_objects(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    finish_generation(h, job);
    house_pass(INT64_C(31) * 24 * 3600 * 1000);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    rf_job row;
    assert_fails(rf_job_get(h->s, h->user, job, &h->arena, &row, &err), RF_NOT_FOUND, "no request");
    assert_int_equal(objects(h), 2); /* the table and the model are their owner's to delete */
}

/* ------------------------------------------------------------------ approval */

static void a_request_waits_for_approval_and_then_for_its_profile(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    h->options.require_approval = true;
    house_die(h);
    const int64_t id = upload_plain(h);
    const int64_t early = generate(h, id, NULL), rejected = generate(h, id, NULL);
    assert_int_equal(house_state(h, early), RF_JOB_PENDING_APPROVAL);
    assert_ok(rf_admin_approve(h->s, h->user, early, &err));
    assert_int_equal(house_state(h, early), RF_JOB_QUEUED);
    assert_true(house_look(h, early).blocked);
    const int64_t late = generate(h, id, NULL);
    profile(h, 2);
    assert_int_equal(house_lease(h, NULL), early);
    assert_int_equal(house_lease(h, NULL), 0);
    assert_ok(rf_admin_approve(h->s, h->user, late, &err));
    assert_int_equal(house_lease(h, NULL), late);
    assert_fails(rf_admin_approve(h->s, h->user, late, &err), RF_CONFLICT, "does not wait");
    assert_ok(rf_admin_reject(h->s, h->user, rejected, "too large", &err));
    const rf_job row = house_look(h, rejected);
    assert_int_equal(row.state, RF_JOB_REJECTED);
    assert_string_equal(row.error_message, "too large");
}

/* ------------------------------------------------------------------ other kinds, delete */

static void other_kinds_are_profiled_anew(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_dataset dataset;
    const int64_t id = upload_plain(h);
    const rf_column_kind kinds[] = {{"age", RF_KIND_CATEGORICAL}}, unknown[] = {{"nope", RF_KIND_ID}};
    assert_fails(rf_dataset_set_kinds(h->s, h->user, id, kinds, 1, &h->arena, &dataset, &err), RF_NOT_READY,
                 "profiled");
    profile(h, 2);
    assert_fails(rf_dataset_set_kinds(h->s, h->user, id, unknown, 1, &h->arena, &dataset, &err), RF_USAGE,
                 "nope");
    assert_fails(rf_dataset_set_kinds(h->s, h->other, id, kinds, 1, &h->arena, &dataset, &err), RF_NOT_FOUND,
                 "no");
    assert_ok(rf_dataset_set_kinds(h->s, h->user, id, kinds, 1, &h->arena, &dataset, &err));
    assert_int_equal(dataset.status, RF_DATASET_PROFILING);
    const char *text = NULL;
    int64_t token = 0;
    rf_plan plan;
    const int64_t job = house_lease_plan(h, &token, &text);
    assert_ok(rf_plan_read(&plan, text, &err));
    assert_int_equal(plan.dataset.n_kinds, 1);
    assert_string_equal(plan.dataset.kinds[0].column, "age");
    assert_int_equal(plan.dataset.kinds[0].kind, RF_KIND_CATEGORICAL);
    rf_plan_free(&plan);
    assert_true(job > 0);
}

static void a_dataset_in_use_stays_and_then_goes_with_its_object(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    rf_dataset dataset;
    const int64_t id = upload_plain(h);
    const int64_t job = generate(h, id, NULL);
    assert_fails(rf_dataset_delete(h->s, h->user, id, &err), RF_CONFLICT, "1 request that uses it");
    assert_fails(rf_dataset_delete(h->s, h->other, id, &err), RF_NOT_FOUND, "no dataset");
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    assert_ok(rf_dataset_delete(h->s, h->user, id, &err)); /* its profile, which waits, is stopped */
    assert_int_equal(house_lease(h, NULL), 0);
    assert_fails(rf_dataset_get(h->s, h->user, id, &h->arena, &dataset, &err), RF_NOT_FOUND, "no dataset");
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), 0);
}

/* ------------------------------------------------------------------ models and samples */

static int64_t a_model(house *h)
{
    rf_error err = {0};
    rf_model_card *models = NULL;
    int32_t n = 0;
    const int64_t id = upload_plain(h);
    profile(h, 2);
    finish_generation(h, generate(h, id, "epochs=7"));
    assert_ok(rf_model_list(h->s, h->user, 0, 50, &h->arena, &models, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(models[0].model, "ctgan");
    assert_non_null(strstr(models[0].params, "\"epochs\":7"));
    return models[0].id;
}

static int64_t sample(house *h, int64_t model)
{
    rf_error err = {0};
    rf_receipt receipt;
    const rf_sampling ask = {.user_id = h->user, .model_id = model, .rows = 1000};
    assert_ok(rf_job_submit_sampling(h->s, &ask, NULL, &h->arena, &receipt, &err));
    return receipt.id;
}

static void send_part(house *h, int64_t job, int64_t token, int64_t n)
{
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    char key[64];
    snprintf(key, sizeof key, "samples/%lld/%lld/%lld", (long long)job, (long long)token, (long long)n);
    char bytes[32];
    snprintf(bytes, sizeof bytes, "part %lld", (long long)n);
    assert_ok(rf_storage_put_bytes(h->storage, key, bytes, strlen(bytes), NULL, NULL, &err));
    const rf_result_part part = {
        .n = n, .rows = 10, .key = key, .sha256 = sum, .size_bytes = (int64_t)strlen(bytes)};
    assert_ok(rf_result_write_part(&part, &body, &err));
    house_send(h, RF_EVENT_PART, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
}

static rf_sample_next next_part(house *h, int64_t job)
{
    rf_error err = {0};
    rf_sample_next next;
    assert_ok(rf_sample_next_part(h->s, h->user, job, &h->arena, &next, &err));
    return next;
}

static void parts_are_sent_in_order_once_and_then_deleted(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t model = a_model(h);
    const int64_t job = sample(h, model);
    assert_int_equal(next_part(h, job).step, RF_SAMPLE_WAIT);
    const int64_t token = house_start(h, job);
    send_part(h, job, token, 0);
    send_part(h, job, token, 1);
    send_part(h, job, token, 1); /* said twice */
    const int32_t before = objects(h);
    for (int64_t n = 0; n < 2; n++) {
        rf_sample_next next = next_part(h, job);
        char bytes[32], wanted[32];
        size_t got = 0;
        assert_int_equal(next.step, RF_SAMPLE_PART);
        assert_int_equal(next.n, n);
        assert_ok(rf_download_read(next.download, bytes, sizeof bytes, &got, &err));
        snprintf(wanted, sizeof wanted, "part %lld", (long long)n);
        assert_int_equal(got, strlen(wanted));
        assert_memory_equal(bytes, wanted, got);
        rf_download_close(next.download);
        assert_ok(rf_sample_sent(h->s, h->user, job, n, &err));
    }
    assert_int_equal(next_part(h, job).step, RF_SAMPLE_WAIT);
    house_send(h, RF_EVENT_DONE, job, token, "{\"kind\":\"sample\",\"rows\":20,\"parts\":2}");
    house_apply(h);
    assert_int_equal(next_part(h, job).step, RF_SAMPLE_END);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), before - 2);
    rf_sample_next next;
    assert_fails(rf_sample_next_part(h->s, h->other, job, &h->arena, &next, &err), RF_NOT_FOUND, "no sample");
}

static void a_sample_whose_worker_dies_goes_on_where_its_reader_is(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t model = a_model(h);
    const int64_t job = sample(h, model);
    int64_t token = house_start(h, job);
    send_part(h, job, token, 0);
    send_part(h, job, token, 1);
    rf_download_close(next_part(h, job).download);
    assert_ok(rf_sample_sent(h->s, h->user, job, 0, &err));
    house_kill_worker(h);
    assert_int_equal(house_reap(h), 1);
    house_pass(700000);
    token = house_start(h, job);
    rf_beat beat = {.job_id = job, .token = token};
    rf_worker_wish wish;
    assert_ok(rf_queue_beat(h->queue, h->worker, 0, &beat, 1, &wish, &err));
    assert_int_equal(beat.credit, 1); /* what was fetched before counts */
    for (int64_t n = 0; n < 3; n++)
        send_part(h, job, token, n);
    for (int64_t n = 1; n < 3; n++) {
        rf_sample_next next = next_part(h, job);
        assert_int_equal(next.n, n);
        rf_download_close(next.download);
        assert_ok(rf_sample_sent(h->s, h->user, job, n, &err));
    }
    house_send(h, RF_EVENT_DONE, job, token, "{\"kind\":\"sample\",\"rows\":30,\"parts\":3}");
    house_apply(h);
    assert_int_equal(next_part(h, job).step, RF_SAMPLE_END);
    const int32_t before = objects(h);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), before - 5); /* three parts and the two that were made twice */
}

static void a_reader_that_leaves_takes_the_parts_along(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t model = a_model(h);
    const int32_t before = objects(h);
    const int64_t job = sample(h, model);
    const int64_t token = house_start(h, job);
    send_part(h, job, token, 0);
    assert_fails(rf_model_delete(h->s, h->user, model, &err), RF_CONFLICT, "sample");
    assert_ok(rf_job_cancel(h->s, h->user, job, "abandoned", &after, &err));
    house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":true,\"reason\":\"cancelled\"}");
    house_apply(h);
    assert_int_equal(next_part(h, job).step, RF_SAMPLE_FAILED);
    const int64_t second = sample(h, model); /* completed before its reader left */
    const int64_t second_token = house_start(h, second);
    send_part(h, second, second_token, 0);
    house_send(h, RF_EVENT_DONE, second, second_token, "{\"kind\":\"sample\",\"rows\":10,\"parts\":1}");
    house_apply(h);
    assert_ok(rf_job_cancel(h->s, h->user, second, "abandoned", &after, &err));
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), before);
    assert_ok(rf_model_delete(h->s, h->user, model, &err));
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), before - 1);
}

static void a_sample_ends_with_the_server_that_sent_it(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t model = a_model(h);
    const int32_t before = objects(h);
    const int64_t waiting = sample(h, model), running = sample(h, model);
    send_part(h, waiting, house_start(h, waiting), 0);
    house_die(h);
    assert_int_equal(house_state(h, waiting), RF_JOB_CANCELLED);
    assert_int_equal(house_state(h, running), RF_JOB_CANCELLED);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(objects(h), before);
}

static void a_sample_may_last_as_long_as_its_reader_takes(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const char *text = NULL;
    int64_t token = 0;
    int32_t n = -1;
    rf_plan plan;
    const int64_t job = sample(h, a_model(h));
    assert_int_equal(house_lease_plan(h, &token, &text), job);
    assert_ok(rf_plan_read(&plan, text, &err));
    assert_int_equal(plan.timeout_s, 0);
    rf_plan_free(&plan);
    house_send(h, RF_EVENT_STARTED, job, token, "{\"device\":\"cpu\"}");
    house_apply(h);
    house_pass(INT64_C(365) * 24 * 3600 * 1000);
    assert_ok(rf_scheduler_overdue(h->s, &n, &err));
    assert_int_equal(n, 0);
}

static void a_profile_that_is_cancelled_leaves_nothing_waiting_for_it(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t id = upload_plain(h);
    const int64_t job = generate(h, id, NULL);
    assert_ok(rf_job_cancel(h->s, h->user, dataset_of(h, id).profile_job_id, "user", &after, &err));
    assert_int_equal(after, RF_JOB_CANCELLED);
    assert_int_equal(dataset_of(h, id).status, RF_DATASET_INVALID);
    assert_int_equal(house_state(h, job), RF_JOB_FAILED);
}

static int32_t deeds(house *h, const char *action)
{
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    rf_db_audit *rows = NULL;
    int32_t n = 0;
    assert_ok(rf_scheduler_relay(h->s, NULL, &err));
    assert_ok(rf_db_read_begin(h->db, &tx, &err));
    assert_ok(rf_db_audit_list(tx, 0, action, 0, 100, &h->arena, &rows, &n, &err));
    rf_db_read_end(tx);
    return n;
}

static void the_log_of_deeds_tells_who_brought_and_took_what(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_artifact artifact;
    rf_download *download = NULL;
    const char *url = NULL;
    int64_t expires_ms = 0;
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    finish_generation(h, job);
    assert_ok(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err));
    assert_ok(rf_artifact_sign(h->s, &artifact, 60000, &h->arena, &url, &expires_ms, &err));
    for (int64_t offset = 0; offset < 3; offset++) {
        assert_ok(rf_artifact_open(&download, h->s, &artifact, offset, 1, &err));
        rf_download_close(download);
    }
    assert_int_equal(deeds(h, "dataset_uploaded"), 1);
    assert_int_equal(deeds(h, "url_signed"), 1);
    assert_int_equal(deeds(h, "downloaded"), 1);
    assert_ok(rf_dataset_delete(h->s, h->user, id, &err));
    assert_int_equal(deeds(h, "dataset_deleted"), 1);
    assert_ok(
        rf_admin_note(h->s, &(rf_deed){.user_id = h->user, .action = "looked", .subject = "user 2"}, &err));
    assert_int_equal(deeds(h, "looked"), 1);
    house_pass(INT64_C(91) * 24 * 3600 * 1000);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(deeds(h, ""), 0);
}

static void those_who_watch_see_each_step_and_the_end(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_event *events = NULL;
    int32_t n = 0;
    bool known = false;
    const int64_t id = upload_plain(h);
    profile(h, 2);
    const int64_t job = generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    house_send(h, RF_EVENT_PROGRESS, job, token,
               "{\"phase\":\"train\",\"epoch\":3,\"epochs\":10,\"percent\":30.0,\"eta_s\":null,"
               "\"generator_loss\":1.5,\"discriminator_loss\":null}");
    house_apply(h);
    assert_non_null(strstr(house_look(h, job).progress, "\"epoch\":3"));
    house_send(h, RF_EVENT_FAILED, job, token,
               "{\"class\":\"permanent\",\"message\":\"no\",\"detail\":\"\"}");
    house_apply(h);
    assert_ok(rf_job_events(h->s, h->user, job, 0, 100, &h->arena, &events, &n, &known, &err));
    assert_true(known);
    static const char *const states[] = {"queued", "running", "running", "failed"};
    assert_int_equal(n, 4);
    for (int32_t i = 0; i < n; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "{\"state\":\"%s\",\"attempt\":", states[i]);
        assert_memory_equal(events[i].json, wanted, strlen(wanted));
        assert_int_equal(events[i].last, i == 3);
    }
    assert_non_null(strstr(events[2].json, "\"progress\":{\"phase\":\"train\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upload_is_stored_hashed_and_profiled),
        TEST(an_upload_that_breaks_off_leaves_nothing),
        TEST(an_upload_whose_row_cannot_be_written_leaves_nothing),
        TEST(names_and_empty_files_are_refused_with_a_sentence),
        TEST(the_same_upload_twice_is_one_dataset),
        TEST(a_table_that_cannot_be_read_makes_an_invalid_dataset),
        TEST(a_generation_waits_for_its_profile_and_takes_its_defaults_from_it),
        TEST(parameters_that_cannot_be_are_refused_at_submit),
        TEST(validation_tells_what_submit_would_and_changes_nothing),
        TEST(a_result_can_be_fetched_by_its_owner),
        TEST(a_worker_cannot_name_what_is_not_its_own),
        TEST(a_checkpoint_is_in_the_next_plan_and_goes_with_the_job),
        TEST(objects_of_lost_attempts_are_swept),
        TEST(old_jobs_go_with_their_objects),
        TEST(a_request_waits_for_approval_and_then_for_its_profile),
        TEST(other_kinds_are_profiled_anew),
        TEST(a_dataset_in_use_stays_and_then_goes_with_its_object),
        TEST(parts_are_sent_in_order_once_and_then_deleted),
        TEST(a_sample_whose_worker_dies_goes_on_where_its_reader_is),
        TEST(a_reader_that_leaves_takes_the_parts_along),
        TEST(a_sample_ends_with_the_server_that_sent_it),
        TEST(a_sample_may_last_as_long_as_its_reader_takes),
        TEST(a_profile_that_is_cancelled_leaves_nothing_waiting_for_it),
        TEST(the_log_of_deeds_tells_who_brought_and_took_what),
        TEST(those_who_watch_see_each_step_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
