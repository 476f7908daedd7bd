/* A worker's life with each kind of job, the test in the scheduler's place. */
#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "worker_rig.h"

static int set_up(void **state)
{
    worker_rig *r = malloc(sizeof *r);
    assert_non_null(r);
    rig_open(r);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

static const rf_plan noop = {.kind = RF_JOB_NOOP};

/* ------------------------------------------------------------------ noop */

static void job_is_begun_and_done(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    rig_offer(r, 1, &noop);
    const rf_event *first = rig_next(r);
    assert_int_equal(first->kind, RF_EVENT_STARTED);
    assert_non_null(strstr(first->body, "cpu"));
    assert_int_equal(rig_done(r, 1).kind, RF_JOB_NOOP);
}

static void done_is_repeated_until_a_beat_answers_gone(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    rig_offer(r, 1, &noop);
    for (int i = 0; i < 3; i++) /* taken and lost, as by a scheduler that dies */
        (void)rig_until(r, 1, RF_EVENT_DONE);
    (void)rig_done(r, 1);
    rig_offer(r, 2, &noop);
    (void)rig_done(r, 2);
}

static void next_job_begins_while_the_last_is_not_yet_answered(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    rig_offer(r, 1, &noop);
    (void)rig_until(r, 1, RF_EVENT_DONE);
    rig_offer(r, 2, &noop);
    (void)rig_until(r, 2, RF_EVENT_DONE);
    (void)rig_done(r, 1);
    (void)rig_done(r, 2);
}

static void failures_carry_their_class(void **state)
{
    static const rf_failure classes[] = {RF_FAILURE_PERMANENT, RF_FAILURE_INFRASTRUCTURE, RF_FAILURE_MEMORY,
                                         RF_FAILURE_DEVICE, RF_FAILURE_TIMEOUT};
    worker_rig *r = *state;
    rig_start(r);
    for (int i = 0; i < 5; i++) {
        const rf_plan plan = {.kind = RF_JOB_NOOP, .fails = true, .failure = classes[i]};
        rig_offer(r, i + 1, &plan);
        assert_int_equal(rig_failure(r, i + 1).failure, classes[i]);
    }
}

static void plan_that_cannot_be_read_is_a_permanent_failure(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    rig_start(r);
    const rf_offer offer = {
        .job_id = 1, .token = 1, .user_id = 1, .kind = RF_JOB_NOOP, .plan = "{\"kind\":\"rm\"}"};
    assert_ok(rf_queue_offer(r->queue, &offer, 1, &err));
    assert_int_equal(rig_failure(r, 1).failure, RF_FAILURE_PERMANENT);
}

static void job_that_takes_too_long_is_stopped(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    const rf_plan plan = {.kind = RF_JOB_NOOP, .work_ms = 600000, .timeout_s = 1};
    rig_offer(r, 1, &plan);
    const rf_result_failure failure = rig_failure(r, 1);
    assert_int_equal(failure.failure, RF_FAILURE_TIMEOUT);
    assert_non_null(strstr(failure.message, "1 seconds"));
}

static void cancelled_job_is_released(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    rig_start(r);
    const rf_plan plan = {.kind = RF_JOB_NOOP, .work_ms = 600000};
    rig_offer(r, 1, &plan);
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    assert_ok(rf_queue_withdraw(r->queue, 1, r->token, &err));
    assert_true(rig_released(r, 1).cancelled);
}

static atomic_int n_ends;

static void count_end(void)
{
    atomic_fetch_add(&n_ends, 1);
}

static void job_that_does_not_look_up_is_released_in_its_place_and_its_process_is_to_end(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    r->options.let_go_s = 0.01;
    r->options.end_process = count_end;
    atomic_store(&n_ends, 0);
    rig_start(r);
    const rf_plan plan = {.kind = RF_JOB_NOOP, .work_ms = 3000, .fails = true, .failure = RF_FAILURE_TIMEOUT};
    rig_offer(r, 1, &plan);
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    assert_ok(rf_queue_withdraw(r->queue, 1, r->token, &err));
    assert_true(rig_released(r, 1).cancelled);
    rig_offer(r, 2, &noop); /* here the process goes on, and so does the worker in the end */
    (void)rig_end_of(r, 2);
    assert_int_equal(atomic_load(&n_ends), 1);
}

static void job_that_another_attempt_took_over_is_dropped_in_silence(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    const rf_plan slow = {.kind = RF_JOB_NOOP, .work_ms = 600000};
    rig_offer(r, 1, &slow);
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    rig_offer(r, 1, &noop); /* a higher token: the worker, told gone, takes it next */
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    assert_int_equal(rig_end_of(r, 1)->token, r->token);
}

static void worker_that_is_to_end_gives_its_job_back(void **state)
{
    worker_rig *r = *state;
    rig_start(r);
    const rf_plan slow = {.kind = RF_JOB_NOOP, .work_ms = 600000};
    rig_offer(r, 1, &slow);
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    rig_end_worker(r);
    const rf_result_released released = rig_released(r, 1);
    assert_false(released.cancelled);
    assert_string_equal(released.reason, "drained");
}

/* ------------------------------------------------------------------ profile */

static rf_plan profile_plan(worker_rig *r, const char *text, char sum[65])
{
    rig_put(r, "datasets/1/data", text, strlen(text), sum);
    return (rf_plan){.kind = RF_JOB_PROFILE,
                     .dataset = {.key = "datasets/1/data", .sha256 = sum, .name = "t.csv", .format = "csv"}};
}

static void profile_tells_columns_and_kinds(void **state)
{
    worker_rig *r = *state;
    rf_buf table;
    char sum[65];
    rig_table(&table, 500);
    const rf_plan plan = profile_plan(r, table.data, sum);
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_result_done done = rig_done(r, 1);
    assert_int_equal(done.n_rows, 500);
    assert_int_equal(done.n_columns, 3);
    assert_non_null(strstr(done.profile_json, "\"name\":\"region\""));
    assert_non_null(strstr(done.profile_json, "\"type\":\"categorical\""));
    rf_buf_free(&table);
}

static void kinds_of_the_owner_win_over_the_inferred(void **state)
{
    worker_rig *r = *state;
    rf_buf table;
    char sum[65];
    const rf_plan_kind kind = {.column = "age", .kind = RF_KIND_CATEGORICAL};
    rig_table(&table, 500);
    rf_plan plan = profile_plan(r, table.data, sum);
    plan.dataset.kinds = &kind;
    plan.dataset.n_kinds = 1;
    rig_start(r);
    rig_offer(r, 1, &plan);
    const char *age = strstr(rig_done(r, 1).profile_json, "\"label\":\"age\"");
    assert_non_null(age);
    static const char wanted[] = "\"label\":\"age\",\"type\":\"categorical\"";
    assert_memory_equal(age, wanted, sizeof wanted - 1);
    rf_buf_free(&table);
}

static void table_that_cannot_be_read_fails_with_the_engines_sentence(void **state)
{
    worker_rig *r = *state;
    char sum[65];
    const rf_plan plan = profile_plan(r, "a,b\n1,2\n3\n", sum);
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_result_failure failure = rig_failure(r, 1);
    assert_int_equal(failure.failure, RF_FAILURE_PERMANENT);
    assert_non_null(strstr(failure.message, "t.csv"));
    assert_null(strstr(failure.message, "/tmp"));
}

static void dataset_with_other_bytes_is_not_used(void **state)
{
    worker_rig *r = *state;
    char sum[65];
    rf_plan plan = profile_plan(r, "a,b\n1,2\n3,4\n", sum);
    sum[0] = sum[0] == 'a' ? 'b' : 'a';
    rig_start(r);
    rig_offer(r, 1, &plan);
    assert_int_equal(rig_failure(r, 1).failure, RF_FAILURE_INFRASTRUCTURE);
    plan.dataset.key = "datasets/2/data";
    rig_offer(r, 2, &plan);
    assert_int_equal(rig_failure(r, 2).failure, RF_FAILURE_INFRASTRUCTURE);
}

/* ------------------------------------------------------------------ generate */

static int64_t lines_of(const rf_buf *text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text->size_bytes; i++)
        n += text->data[i] == '\n';
    return n;
}

static void generation_keeps_rows_model_and_reports(void **state)
{
    worker_rig *r = *state;
    rf_buf data, report, page, metadata;
    const rf_plan plan = rig_generate_plan(r, 600, 3);
    rig_start(r);
    rig_offer(r, 7, &plan);
    const rf_result_done done = rig_done(r, 7);
    assert_int_equal(done.rows, 200);
    assert_string_equal(done.data.key, "jobs/7/1/data.csv");
    rig_get(r, &done.data, &data);
    assert_int_equal(lines_of(&data), 201);
    rig_get(r, &done.report_json, &report);
    assert_non_null(strstr(report.data, "\"people.csv\""));
    rig_get(r, &done.report_html, &page);
    assert_non_null(strstr(page.data, "<html"));
    assert_true(done.has_metadata);
    rig_get(r, &done.metadata, &metadata);
    assert_non_null(strstr(metadata.data, plan.dataset.sha256));
    assert_true(done.quality.overall > 0 && done.quality.overall <= 1);
    assert_true(isfinite(done.generator_loss));
    rf_buf_free(&data);
    rf_buf_free(&report);
    rf_buf_free(&page);
    rf_buf_free(&metadata);
}

static void progress_never_goes_backwards(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    double percent = 0;
    const rf_plan plan = rig_generate_plan(r, 600, 20);
    rig_start(r);
    rig_offer(r, 1, &plan);
    (void)rig_done(r, 1);
    int32_t n = 0;
    for (int32_t i = 0; i < r->n_events; i++) {
        rf_result_progress progress;
        if (r->events[i].kind != RF_EVENT_PROGRESS)
            continue;
        assert_ok(rf_result_read_progress(&progress, &r->arena, r->events[i].body, &err));
        assert_true(progress.percent >= percent);
        percent = progress.percent;
        n++;
    }
    assert_true(n > 0);
}

static void training_goes_on_at_its_checkpoint_to_the_same_bytes(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    rf_result_checkpoint checkpoint;
    r->options.checkpoint_s = 0.01;
    rf_plan plan = rig_generate_plan(r, 600, 60);
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_result_done undisturbed = rig_done(r, 1);
    rig_offer(r, 2, &plan);
    const rf_event *event = rig_until(r, 2, RF_EVENT_CHECKPOINT);
    assert_ok(rf_result_read_checkpoint(&checkpoint, &r->arena, event->body, &err));
    assert_ok(rf_queue_withdraw(r->queue, 2, r->token, &err));
    assert_true(rig_released(r, 2).cancelled);
    /* the last that was said is there still */
    for (int32_t i = 0; i < r->n_events; i++)
        if (r->events[i].kind == RF_EVENT_CHECKPOINT && r->events[i].job_id == 2)
            assert_ok(rf_result_read_checkpoint(&checkpoint, &r->arena, r->events[i].body, &err));
    plan.has_checkpoint = true;
    plan.checkpoint =
        (rf_plan_checkpoint){.key = checkpoint.key, .sha256 = checkpoint.sha256, .step = checkpoint.step};
    rig_offer(r, 2, &plan);
    const rf_result_done resumed = rig_done(r, 2);
    assert_string_equal(resumed.data.sha256, undisturbed.data.sha256);
    assert_string_equal(resumed.model.sha256, undisturbed.model.sha256);
}

static void training_whose_checkpoint_is_gone_starts_anew_to_the_same_bytes(void **state)
{
    worker_rig *r = *state;
    rf_plan plan = rig_generate_plan(r, 600, 3);
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_result_done undisturbed = rig_done(r, 1);
    plan.has_checkpoint = true;
    plan.checkpoint =
        (rf_plan_checkpoint){.key = "jobs/2/1/checkpoint-5", .sha256 = plan.dataset.sha256, .step = 5};
    rig_offer(r, 2, &plan);
    assert_string_equal(rig_done(r, 2).data.sha256, undisturbed.data.sha256);
    /* something else under that name */
    plan.checkpoint.key = "datasets/1/data";
    rig_offer(r, 3, &plan);
    assert_string_equal(rig_done(r, 3).data.sha256, undisturbed.data.sha256);
}

static void worker_that_is_to_end_stores_a_checkpoint_before_it_gives_back(void **state)
{
    worker_rig *r = *state;
    r->options.checkpoint_s = 3600;
    const rf_plan plan = rig_generate_plan(r, 600, 100000);
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_event *progress;
    do
        progress = rig_until(r, 1, RF_EVENT_PROGRESS);
    while (!strstr(progress->body, "\"train\"") || strstr(progress->body, "\"epoch\":0"));
    rig_end_worker(r);
    (void)rig_until(r, 1, RF_EVENT_CHECKPOINT);
    assert_string_equal(rig_released(r, 1).reason, "drained");
}

static void conditions_hold_in_every_row(void **state)
{
    worker_rig *r = *state;
    rf_buf data;
    const rf_plan_condition condition = {.column = "region", .value = "east"};
    rf_plan plan = rig_generate_plan(r, 600, 3);
    plan.conditions = &condition;
    plan.n_conditions = 1;
    rig_start(r);
    rig_offer(r, 1, &plan);
    const rf_result_done done = rig_done(r, 1);
    rig_get(r, &done.data, &data);
    assert_null(strstr(data.data, "north"));
    assert_null(strstr(data.data, "south"));
    rf_buf_free(&data);
    const rf_plan_condition never = {.column = "region", .value = "west"};
    plan.conditions = &never;
    rig_offer(r, 2, &plan);
    const rf_result_failure failure = rig_failure(r, 2);
    assert_int_equal(failure.failure, RF_FAILURE_PERMANENT);
    assert_non_null(strstr(failure.message, "west"));
}

/* ------------------------------------------------------------------ sample */

/* Of the model that `plan` trains. */
static rf_plan sample_plan_of(worker_rig *r, const rf_plan *plan, const char *format, int64_t rows)
{
    rig_offer(r, 100, plan);
    const rf_result_done done = rig_done(r, 100);
    return (rf_plan){.kind = RF_JOB_SAMPLE,
                     .model = {.key = done.model.key, .sha256 = done.model.sha256},
                     .rows = rows,
                     .seed = 3,
                     .output_format = format};
}

static rf_plan sample_plan(worker_rig *r, const char *format, int64_t rows)
{
    const rf_plan plan = rig_generate_plan(r, 600, 2);
    return sample_plan_of(r, &plan, format, rows);
}

/* All parts of a job, fetched as they come. */
static void fetch_parts(worker_rig *r, int64_t job_id, rf_buf *out, int64_t *n_parts, int64_t *n_rows)
{
    rf_error err = {0};
    rf_buf_init(out);
    *n_parts = *n_rows = 0;
    for (;;) {
        const rf_event *event = rig_next(r);
        rf_result_part part;
        if (event->kind == RF_EVENT_DONE) {
            const rf_lease_id id = {.job_id = job_id, .token = event->token};
            assert_ok(rf_queue_settle(r->queue, &id, 1, &err));
            return;
        }
        if (event->kind != RF_EVENT_PART)
            continue;
        assert_ok(rf_result_read_part(&part, &r->arena, event->body, &err));
        assert_int_equal(part.n, *n_parts);
        assert_true(part.size_bytes <= RF_PART_BYTES_MAX);
        assert_ok(rf_storage_get_bytes(r->storage, part.key, RF_PART_BYTES_MAX, out, &err));
        *n_parts += 1;
        *n_rows += part.rows;
        assert_ok(rf_queue_credit(r->queue, job_id, r->token, *n_parts, &err));
    }
}

static void parts_of_a_sample_are_the_whole_table(void **state)
{
    worker_rig *r = *state;
    rf_buf text, again;
    int64_t n_parts, n_rows;
    rig_start(r);
    const rf_plan plan = sample_plan(r, "csv", 20000);
    rig_offer(r, 1, &plan);
    fetch_parts(r, 1, &text, &n_parts, &n_rows);
    assert_int_equal(n_rows, 20000);
    assert_true(n_parts >= 2);
    assert_int_equal(lines_of(&text), 20001);
    assert_int_equal(strncmp(text.data, "age,income,region\n", 18), 0);
    rig_offer(r, 2, &plan);
    fetch_parts(r, 2, &again, &n_parts, &n_rows);
    assert_int_equal(again.size_bytes, text.size_bytes);
    assert_memory_equal(again.data, text.data, text.size_bytes);
    rf_buf_free(&text);
    rf_buf_free(&again);
}

static void sample_as_lines_has_an_object_a_row(void **state)
{
    worker_rig *r = *state;
    rf_buf text;
    int64_t n_parts, n_rows;
    rig_start(r);
    const rf_plan plan = sample_plan(r, "ndjson", 300);
    rig_offer(r, 1, &plan);
    fetch_parts(r, 1, &text, &n_parts, &n_rows);
    assert_int_equal(lines_of(&text), 300);
    assert_int_equal(strncmp(text.data, "{\"age\":", 7), 0);
    assert_non_null(strstr(text.data, "\"region\":\"north\"}\n"));
    rf_buf_free(&text);
}

static void worker_waits_while_eight_parts_are_not_fetched(void **state)
{
    worker_rig *r = *state;
    rf_error err = {0};
    rig_start(r);
    const rf_plan trained = rig_generate_wide_plan(r, 600, 2);
    const rf_plan plan = sample_plan_of(r, &trained, "csv", 50000);
    rig_offer(r, 1, &plan);
    for (int i = 0; i < RF_PARTS_UNSENT_MAX; i++)
        (void)rig_until(r, 1, RF_EVENT_PART);
    int32_t n = 0;
    rf_event event;
    /* so long as nothing is fetched nothing but a progress can come */
    assert_ok(rf_queue_events_take(r->queue, &event, 1, 1500, &n, &err));
    if (n) {
        assert_int_equal(event.kind, RF_EVENT_PROGRESS);
        rf_event_free(&event);
    }
    assert_ok(rf_queue_credit(r->queue, 1, r->token, 1, &err));
    assert_non_null(strstr(rig_until(r, 1, RF_EVENT_PART)->body, "\"n\":8"));
    assert_ok(rf_queue_withdraw(r->queue, 1, r->token, &err));
    assert_true(rig_released(r, 1).cancelled);
}

/* ------------------------------------------------------------------ what is left behind */

static int entries_of(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static void scratch_is_empty_after_each_job_and_at_the_end(void **state)
{
    worker_rig *r = *state;
    const rf_plan plan = rig_generate_plan(r, 600, 1);
    rig_start(r);
    rig_offer(r, 1, &plan);
    (void)rig_done(r, 1);
    rig_end_worker(r);
    pthread_join(r->thread, NULL);
    r->running = false;
    assert_int_equal(entries_of(r->scratch), 0);
}

/* Each operation on the storage fails once, as on a full disk: the job is tried again later, or done all the same. */
static void storage_that_fails_anywhere_is_no_fault_of_the_job(void **state)
{
    worker_rig *r = *state;
    const rf_plan plan = rig_generate_plan(r, 200, 1);
    rig_start(r);
    rig_offer(r, 1, &plan);
    rf_storage_fail_at(0);
    (void)rig_done(r, 1);
    const int64_t n = rf_storage_op_count();
    assert_true(n > 3);
    for (int64_t i = 1; i <= n; i++) {
        rf_storage_fail_at(i);
        rig_offer(r, 1 + i, &plan);
        const rf_event *end = rig_end_of(r, 1 + i);
        if (end->kind != RF_EVENT_DONE)
            assert_non_null(strstr(end->body, "\"class\":\"infrastructure\""));
    }
    rf_storage_fail_at(0);
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RIG(job_is_begun_and_done),
        WITH_RIG(done_is_repeated_until_a_beat_answers_gone),
        WITH_RIG(next_job_begins_while_the_last_is_not_yet_answered),
        WITH_RIG(failures_carry_their_class),
        WITH_RIG(plan_that_cannot_be_read_is_a_permanent_failure),
        WITH_RIG(job_that_takes_too_long_is_stopped),
        WITH_RIG(cancelled_job_is_released),
        WITH_RIG(job_that_does_not_look_up_is_released_in_its_place_and_its_process_is_to_end),
        WITH_RIG(job_that_another_attempt_took_over_is_dropped_in_silence),
        WITH_RIG(worker_that_is_to_end_gives_its_job_back),
        WITH_RIG(profile_tells_columns_and_kinds),
        WITH_RIG(kinds_of_the_owner_win_over_the_inferred),
        WITH_RIG(table_that_cannot_be_read_fails_with_the_engines_sentence),
        WITH_RIG(dataset_with_other_bytes_is_not_used),
        WITH_RIG(generation_keeps_rows_model_and_reports),
        WITH_RIG(scratch_is_empty_after_each_job_and_at_the_end),
    };
    const struct CMUnitTest trainings[] = {
        WITH_RIG(progress_never_goes_backwards),
        WITH_RIG(training_goes_on_at_its_checkpoint_to_the_same_bytes),
        WITH_RIG(training_whose_checkpoint_is_gone_starts_anew_to_the_same_bytes),
        WITH_RIG(worker_that_is_to_end_stores_a_checkpoint_before_it_gives_back),
        WITH_RIG(conditions_hold_in_every_row),
        WITH_RIG(parts_of_a_sample_are_the_whole_table),
        WITH_RIG(sample_as_lines_has_an_object_a_row),
        WITH_RIG(worker_waits_while_eight_parts_are_not_fetched),
        WITH_RIG(storage_that_fails_anywhere_is_no_fault_of_the_job),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
#ifdef __SANITIZE_THREAD__
    const bool patient = false; /* a training takes minutes there, and its threads meet above too */
#else
    const bool patient = true;
#endif
    if (patient)
        failed += cmocka_run_group_tests(trainings, NULL, NULL);
    return failed;
}
