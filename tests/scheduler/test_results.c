/* Generations wait for their profiles and for approval; their results are fetched and go; who did what is told. */
#include "dataset_rig.h"

#include "core/buf.h"
#include "db/db_ops.h"
#include "domain/plan.h"
#include "domain/result.h"

static void a_generation_waits_for_its_profile_and_takes_its_defaults_from_it(void **state)
{
    house *const h = *state;
    static const struct {
        int64_t rows, epochs, batch;
    } sizes[] = {{999, 200, 100}, {10000, 150, 500}, {10001, 100, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rf_error err = {0};
        const int64_t id = house_upload_plain(h);
        const int64_t job = house_generate(h, id, NULL);
        assert_int_equal(house_state(h, job), RF_JOB_QUEUED);
        assert_true(house_look(h, job).blocked);
        house_profile(h, sizes[i].rows);
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
    const int64_t id = house_upload_plain(h);
    for (int ready = 0; ready < 2; ready++) {
        rf_params_init(&params, RF_MODEL_CTGAN);
        assert_ok(rf_params_assign(&params, "batch_size=502", &err)); /* no multiple of pac */
        rf_generation ask = house_asking(h, &params, id);
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
            house_profile(h, 2);
    }
    const rf_plan_condition nowhere = {.column = "town", .value = "x"};
    rf_generation ask = house_asking(h, &params, id);
    ask.conditions = &nowhere;
    ask.n_conditions = 1;
    assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE, "\"town\"");
    ask = house_asking(h, &params, id);
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
    rf_notes warnings;
    rf_notes_init(&warnings);
    const int64_t id = house_upload_plain(h);
    rf_params_init(&params, RF_MODEL_TVAE);
    assert_ok(rf_params_assign(&params, "batch_size=200", &err));
    const rf_generation ask = house_asking(h, &params, id);
    assert_ok(rf_job_check_generation(h->s, &ask, &check, &warnings, &err));
    assert_false(check.ready);
    house_profile(h, 500);
    assert_ok(rf_job_check_generation(h->s, &ask, &check, &warnings, &err));
    assert_true(check.ready);
    assert_int_equal(check.n_rows, 500);
    assert_int_equal(check.cost.steps, 200);
    assert_true(check.cost.seconds > 0);
    assert_int_equal(check.params.epochs,
                     100); /* one was given: the other takes its default, whatever the size */
    assert_int_equal(house_lease(h, NULL), 0);
    assert_int_equal(warnings.n, 0);
    assert_ok(rf_params_assign(&params, "batch_size=1000000", &err));
    assert_ok(rf_params_assign(&params, "epochs=100000", &err));
    assert_ok(rf_job_check_generation(h->s, &ask, &check, &warnings, &err));
    assert_int_equal(warnings.n, 2);
    assert_non_null(strstr(warnings.texts[0], "batch_size 1000000 is more than the 500 rows"));
    assert_non_null(strstr(warnings.texts[1], "a job is stopped after"));
    rf_notes_free(&warnings);
}

static void a_result_can_be_fetched_by_its_owner(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_artifact artifact;
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, "epochs=7");
    assert_fails(rf_artifact_get(h->s, h->user, job, RF_ARTIFACT_DATA, &h->arena, &artifact, &err),
                 RF_NOT_READY, "is queued");
    house_finish_generation(h, job);
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
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    const rf_stored foreign = {.key = "datasets/1/data", .sha256 = house_sum, .size_bytes = 1};
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
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    const rf_stored made = house_stored(h, job, token, "checkpoint-30", key);
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
    assert_int_equal(house_objects(h), 2);
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
    assert_int_equal(house_objects(h), 1); /* the table */
}

static void objects_of_lost_attempts_are_swept(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    char key[64];
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
    const int64_t token = house_start(h, job);
    house_stored(h, job, token, "data.csv", key); /* stored, and then the worker dies */
    assert_ok(rf_storage_put_bytes(h->storage, "notes/of-somebody-else", "x", 1, NULL, NULL, &err));
    house_kill_worker(h);
    assert_int_equal(house_reap(h), 1);
    house_pass(700000);
    house_finish_generation(h, job);
    assert_int_equal(house_objects(h), 8);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), 8); /* too young */
    h->options.orphan_age_ms = 1;
    house_die(h);
    house_pass(INT64_C(5) * 365 * 24 * 3600 * 1000); /* storage goes by the real clock */
    h->options.keep_jobs_ms = INT64_MAX / 4;
    house_die(h);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), 7); /* the stranger's, table, rows, model, two reports, metadata */
}

static void old_jobs_go_with_their_objects(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
    house_finish_generation(h, job);
    house_pass(INT64_C(31) * 24 * 3600 * 1000);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    rf_job row;
    assert_fails(rf_job_get(h->s, h->user, job, &h->arena, &row, &err), RF_NOT_FOUND, "no request");
    assert_int_equal(house_objects(h), 2); /* the table and the model are their owner's to delete */
}

static void a_request_waits_for_approval_and_then_for_its_profile(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    h->options.require_approval = true;
    house_die(h);
    const int64_t id = house_upload_plain(h);
    const int64_t early = house_generate(h, id, NULL), rejected = house_generate(h, id, NULL);
    assert_int_equal(house_state(h, early), RF_JOB_PENDING_APPROVAL);
    assert_ok(rf_admin_approve(h->s, h->user, early, &err));
    assert_int_equal(house_state(h, early), RF_JOB_QUEUED);
    assert_true(house_look(h, early).blocked);
    const int64_t late = house_generate(h, id, NULL);
    house_profile(h, 2);
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
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
    house_finish_generation(h, job);
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
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    const int64_t job = house_generate(h, id, NULL);
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
        TEST(a_generation_waits_for_its_profile_and_takes_its_defaults_from_it),
        TEST(parameters_that_cannot_be_are_refused_at_submit),
        TEST(validation_tells_what_submit_would_and_changes_nothing),
        TEST(a_result_can_be_fetched_by_its_owner),
        TEST(a_worker_cannot_name_what_is_not_its_own),
        TEST(a_checkpoint_is_in_the_next_plan_and_goes_with_the_job),
        TEST(objects_of_lost_attempts_are_swept),
        TEST(old_jobs_go_with_their_objects),
        TEST(a_request_waits_for_approval_and_then_for_its_profile),
        TEST(the_log_of_deeds_tells_who_brought_and_took_what),
        TEST(those_who_watch_see_each_step_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
