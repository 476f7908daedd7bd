/* A kept model is sampled: parts go out in order, once, and are gone with whoever fetched them. */
#include "dataset_rig.h"

#include "core/buf.h"
#include "domain/plan.h"
#include "domain/result.h"

static int64_t a_model(house *h)
{
    rf_error err = {0};
    rf_model_card *models = NULL;
    int32_t n = 0;
    const int64_t id = house_upload_plain(h);
    house_profile(h, 2);
    house_finish_generation(h, house_generate(h, id, "epochs=7"));
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
        .n = n, .rows = 10, .key = key, .sha256 = house_sum, .size_bytes = (int64_t)strlen(bytes)};
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
    const int32_t before = house_objects(h);
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
    assert_int_equal(house_objects(h), before - 2);
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
    const int32_t before = house_objects(h);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), before - 5); /* three parts and the two that were made twice */
}

static void a_reader_that_leaves_takes_the_parts_along(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t model = a_model(h);
    const int32_t before = house_objects(h);
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
    assert_int_equal(house_objects(h), before);
    assert_ok(rf_model_delete(h->s, h->user, model, &err));
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), before - 1);
}

static void a_sample_ends_with_the_server_that_sent_it(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t model = a_model(h);
    const int32_t before = house_objects(h);
    const int64_t waiting = sample(h, model), running = sample(h, model);
    send_part(h, waiting, house_start(h, waiting), 0);
    house_die(h);
    assert_int_equal(house_state(h, waiting), RF_JOB_CANCELLED);
    assert_int_equal(house_state(h, running), RF_JOB_CANCELLED);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), before);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_are_sent_in_order_once_and_then_deleted),
        TEST(a_sample_whose_worker_dies_goes_on_where_its_reader_is),
        TEST(a_reader_that_leaves_takes_the_parts_along),
        TEST(a_sample_ends_with_the_server_that_sent_it),
        TEST(a_sample_may_last_as_long_as_its_reader_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
