/* A job goes through its states as the words of workers, the clock and people's wishes take it, and through no others. */
#include "scheduler/scheduler_state.h"
#include "scheduler_rig.h"

#include "core/alloc.h"

/* ------------------------------------------------------------------ the straight way */

static void a_submitted_job_is_on_disk_and_handed_out(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    assert_int_equal(house_state(h, job), RF_JOB_QUEUED);
    int64_t token = 0;
    assert_int_equal(house_lease(h, &token), job);
    assert_int_equal(token, 1);
    assert_int_equal(house_state(h, job), RF_JOB_QUEUED); /* until it said that it began */
}

static void a_job_runs_and_completes(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_RUNNING);
    assert_int_equal(row.attempt, 1);
    assert_string_equal(row.device, "cpu");
    house_pass(500);
    house_done(h, job, token);
    house_apply(h);
    row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_COMPLETED);
    assert_int_equal(row.finished_ms - row.started_ms, 500);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_GONE);
}

static void done_that_overtakes_started_is_applied(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    int64_t token = 0;
    assert_int_equal(house_lease(h, &token), job);
    house_done(h, job, token); /* started was lost */
    house_apply(h);
    const rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_COMPLETED);
    assert_int_equal(row.attempt, 1);
    house_send(h, RF_EVENT_STARTED, job, token, "{\"device\":\"cpu\"}"); /* and comes late */
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
}

static void words_said_twice_count_once(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    house_send(h, RF_EVENT_STARTED, job, token, "{\"device\":\"cpu\"}");
    house_apply(h);
    assert_int_equal(house_look(h, job).attempt, 1);
    for (int i = 0; i < 3; i++) {
        house_done(h, job, token);
        house_apply(h);
    }
    rf_db_attempt *attempts = NULL;
    assert_int_equal(house_attempts(h, job, &attempts), 1);
    assert_string_equal(attempts[0].outcome, "completed");
}

/* ------------------------------------------------------------------ the table of ends */

typedef struct end_case {
    const char *failure;
    rf_job_state state;
    int32_t attempt; /* afterwards */
    bool delayed;
} end_case;

static void each_class_of_failure_ends_as_the_table_says(void **state)
{
    house *const h = *state;
    static const end_case cases[] = {
        {"permanent", RF_JOB_FAILED, 1, false}, {"infrastructure", RF_JOB_QUEUED, 1, true},
        {"memory", RF_JOB_QUEUED, 1, true},     {"device", RF_JOB_QUEUED, 0, true},
        {"crash", RF_JOB_QUEUED, 1, true},      {"timeout", RF_JOB_FAILED, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t job = house_noop(h, h->user);
        const int64_t token = house_start(h, job);
        house_fail(h, job, token, cases[i].failure);
        house_apply(h);
        const rf_job row = house_look(h, job);
        assert_int_equal(row.state, cases[i].state);
        assert_int_equal(row.attempt, cases[i].attempt);
        assert_int_equal(row.token, token + 1);
        assert_string_equal(row.error_class, cases[i].failure);
        if (!cases[i].delayed)
            continue;
        rf_job_state after;
        rf_error err = {0};
        assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err)); /* out of the way of the next */
        assert_int_equal(after, RF_JOB_CANCELLED);
    }
}

static void infrastructure_is_tried_five_times_and_then_dead(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int attempt = 1; attempt <= 5; attempt++) {
        const int64_t token = house_start(h, job);
        assert_int_equal(token, attempt);
        house_fail(h, job, token, "infrastructure");
        house_apply(h);
        assert_int_equal(house_state(h, job), attempt < 5 ? RF_JOB_QUEUED : RF_JOB_FAILED);
        house_pass(700000);
    }
    rf_db_attempt *attempts = NULL;
    assert_int_equal(house_attempts(h, job, &attempts), 5);
}

static void memory_is_tried_once_more(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int attempt = 1; attempt <= 2; attempt++) {
        const int64_t token = house_start(h, job);
        house_fail(h, job, token, "memory");
        house_apply(h);
        assert_int_equal(house_state(h, job), attempt < 2 ? RF_JOB_QUEUED : RF_JOB_FAILED);
        house_pass(700000);
    }
}

static void three_crashes_make_a_job_dead_and_not_immortal(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int crash = 1; crash <= 3; crash++) {
        house_start(h, job);
        house_kill_worker(h);
        assert_int_equal(house_reap(h), 1);
        const rf_job row = house_look(h, job);
        assert_int_equal(row.state, crash < 3 ? RF_JOB_QUEUED : RF_JOB_FAILED);
        assert_string_equal(row.error_class, "crash");
        house_pass(700000);
    }
    assert_int_equal(house_lease(h, NULL), 0);
}

static void delays_are_drawn_between_nothing_and_a_doubling_limit(void **state)
{
    house *const h = *state;
    for (int n = 0; n < 12; n++) {
        const int64_t job = house_noop(h, h->user);
        int64_t most = 2000;
        for (int attempt = 1; attempt <= 4; attempt++) {
            const int64_t token = house_start(h, job);
            house_fail(h, job, token, "infrastructure");
            house_apply(h);
            const rf_job row = house_look(h, job);
            most *= 2;
            assert_in_range(row.run_at_ms - house_now(NULL), 0, most);
            if (row.run_at_ms > house_now(NULL)) {
                assert_int_equal(house_lease(h, NULL), 0); /* not before its time */
                house_pass(row.run_at_ms - house_now(NULL));
            }
        }
        const int64_t token = house_start(h, job);
        house_done(h, job, token);
        house_apply(h);
    }
}

static void a_released_job_goes_again_and_its_attempt_does_not_count(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int i = 0; i < 20; i++) {
        const int64_t token = house_start(h, job);
        house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":false,\"reason\":\"drained\"}");
        house_apply(h);
        const rf_job row = house_look(h, job);
        assert_int_equal(row.state, RF_JOB_QUEUED);
        assert_int_equal(row.attempt, 0);
        assert_int_equal(row.crashes, 0);
    }
}

/* ------------------------------------------------------------------ the fence */

static void a_stale_token_changes_nothing(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    const int64_t old = house_start(h, job);
    house_kill_worker(h); /* stopped past its lease, as by SIGSTOP */
    assert_int_equal(house_reap(h), 1);
    house_pass(700000);
    const int64_t token = house_start(h, job);
    assert_int_equal(token, old + 1);
    static const rf_event_kind kinds[] = {RF_EVENT_STARTED, RF_EVENT_PROGRESS, RF_EVENT_CHECKPOINT,
                                          RF_EVENT_PART,    RF_EVENT_FAILED,   RF_EVENT_RELEASED,
                                          RF_EVENT_DONE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) /* and continued */
        house_send(h, kinds[i], job, old, "{\"kind\":\"noop\"}");
    house_apply(h);
    rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_RUNNING);
    assert_int_equal(row.token, token);
    assert_int_equal(house_beat(h, job, old), RF_BEAT_GONE);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_OK);
    house_done(h, job, token);
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
}

static void a_word_about_a_job_that_never_was_is_answered_gone(void **state)
{
    house *const h = *state;
    house_done(h, 4711, 1);
    house_apply(h);
    assert_int_equal(house_beat(h, 4711, 1), RF_BEAT_GONE);
}

static void a_completed_job_is_not_reaped(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    house_done(h, job, token); /* said, and then the worker dies */
    house_kill_worker(h);
    house_reap(h); /* drains before it reaps */
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
    assert_int_equal(house_look(h, job).crashes, 0);
}

/* ------------------------------------------------------------------ cancel */

static void a_waiting_job_is_cancelled_at_once(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t job = house_noop(h, h->user);
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    assert_int_equal(after, RF_JOB_CANCELLED);
    assert_int_equal(house_lease(h, NULL), 0);
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err)); /* again: as it is */
    assert_int_equal(after, RF_JOB_CANCELLED);
}

static void a_running_job_is_told_and_ends_when_it_lets_go(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    assert_int_equal(after, RF_JOB_RUNNING);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_CANCEL);
    house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":true,\"reason\":\"cancelled\"}");
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_CANCELLED);
}

static void cancel_and_done_meet_and_one_of_them_wins(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    for (int done_first = 0; done_first < 2; done_first++) {
        rf_job_state after;
        const int64_t job = house_noop(h, h->user);
        const int64_t token = house_start(h, job);
        house_done(h, job, token);
        if (done_first)
            house_apply(h);
        assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
        house_apply(h);
        house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":true,\"reason\":\"cancelled\"}");
        house_apply(h);
        assert_int_equal(house_state(h, job), RF_JOB_COMPLETED); /* a result that is there is kept */
        if (done_first)
            assert_int_equal(after, RF_JOB_COMPLETED);
    }
}

static void a_cancelled_job_that_crashes_is_not_tried_again(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t job = house_noop(h, h->user);
    house_start(h, job);
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    house_kill_worker(h);
    house_reap(h);
    assert_int_equal(house_state(h, job), RF_JOB_CANCELLED);
}

static void a_worker_that_ignores_a_cancel_is_fenced(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    int32_t n = 0;
    house_pass(29000);
    assert_ok(rf_scheduler_overdue(h->s, &n, &err));
    assert_int_equal(n, 0);
    house_pass(2000);
    assert_ok(rf_scheduler_overdue(h->s, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(house_state(h, job), RF_JOB_CANCELLED);
    house_done(h, job, token);
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_CANCELLED);
}

static void a_job_that_takes_too_long_is_asked_to_end_and_fails(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    for (int minute = 0; minute < 60; minute++) {
        house_pass(20000);
        assert_int_equal(house_beat(h, job, token), RF_BEAT_OK);
        house_pass(20000);
        assert_int_equal(house_beat(h, job, token), RF_BEAT_OK);
        house_pass(20000);
        assert_int_equal(house_beat(h, job, token), RF_BEAT_OK);
    }
    house_pass(1);
    assert_ok(rf_scheduler_overdue(h->s, NULL, &err));
    assert_int_equal(house_beat(h, job, token), RF_BEAT_CANCEL);
    house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":true,\"reason\":\"cancelled\"}");
    house_apply(h);
    const rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_FAILED);
    assert_string_equal(row.error_class, "timeout");
    assert_non_null(strstr(row.error_message, "3600 s"));
}

static void strangers_cannot_see_or_cancel(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_view view;
    rf_job_state after;
    rf_job_event *events = NULL;
    int32_t n = 0;
    bool known = false;
    const int64_t job = house_noop(h, h->user);
    assert_fails(rf_job_look(h->s, h->other, job, &h->arena, &view, &err), RF_NOT_FOUND, "no request");
    assert_fails(rf_job_cancel(h->s, h->other, job, "user", &after, &err), RF_NOT_FOUND, "no request");
    assert_fails(rf_job_events(h->s, h->other, job, 0, 10, &h->arena, &events, &n, &known, &err),
                 RF_NOT_FOUND, "no request");
    assert_int_equal(house_state(h, job), RF_JOB_QUEUED);
}

/* ------------------------------------------------------------------ asking twice */

static void the_same_key_and_body_makes_one_job(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_receipt first, second;
    const rf_idempotency key = {.key = "k1", .hash = "h1"}, changed = {.key = "k1", .hash = "h2"};
    const rf_noop ask = {.user_id = h->user};
    assert_ok(rf_job_submit_noop(h->s, &ask, &key, &h->arena, &first, &err));
    assert_false(first.repeated);
    assert_ok(
        rf_job_submit_noop(h->s, &ask, &key, &h->arena, &second, &err)); /* before the reply was stored */
    assert_true(second.repeated);
    assert_int_equal(second.id, first.id);
    assert_int_equal(second.status, 0);
    assert_ok(rf_scheduler_reply_store(h->s, h->user, &key, 202, "{\"id\":1}", &err));
    assert_ok(rf_job_submit_noop(h->s, &ask, &key, &h->arena, &second, &err));
    assert_int_equal(second.status, 202);
    assert_string_equal(second.reply, "{\"id\":1}");
    assert_fails(rf_job_submit_noop(h->s, &ask, &changed, &h->arena, &second, &err), RF_CONFLICT,
                 "Idempotency-Key");
    const rf_noop others = {.user_id = h->other}; /* keys are their users' own */
    assert_ok(rf_job_submit_noop(h->s, &others, &changed, &h->arena, &second, &err));
    assert_false(second.repeated);
    house_pass(INT64_C(25) * 3600 * 1000);
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_ok(rf_job_submit_noop(h->s, &ask, &changed, &h->arena, &second, &err)); /* forgotten after a day */
    assert_false(second.repeated);
}

static void too_many_that_have_not_ended_are_refused(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_receipt receipt;
    h->options.user_waiting_limit = 3;
    house_die(h);
    for (int i = 0; i < 3; i++)
        house_noop(h, h->user);
    assert_fails(rf_job_submit_noop(h->s, &(rf_noop){.user_id = h->user}, NULL, &h->arena, &receipt, &err),
                 RF_RATE_LIMITED, "3 of your requests");
    house_noop(h, h->other);
}

static void a_user_with_many_jobs_does_not_stand_in_another_s_way(void **state)
{
    house *const h = *state;
    for (int i = 0; i < 50; i++)
        house_noop(h, h->user);
    const int64_t job = house_noop(h, h->other);
    for (int i = 0; i < 2; i++) { /* within two jobs */
        int64_t token = 0;
        const int64_t got = house_lease(h, &token);
        house_done(h, got, token);
        house_apply(h);
    }
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
}

/* ------------------------------------------------------------------ admins */

static void a_dead_job_may_be_tried_again_with_a_new_budget(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job *dead = NULL;
    int32_t n = 0;
    const int64_t job = house_noop(h, h->user);
    house_fail(h, job, house_start(h, job), "permanent");
    house_apply(h);
    assert_ok(rf_admin_dead_list(h->s, 0, 10, &h->arena, &dead, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(dead[0].id, job);
    assert_ok(rf_admin_dead_retry(h->s, h->user, job, &err));
    assert_fails(rf_admin_dead_retry(h->s, h->user, job, &err), RF_CONFLICT, "not dead");
    const int64_t token = house_start(h, job);
    assert_true(token > 1);
    house_done(h, job, token);
    house_apply(h);
    const rf_job row = house_look(h, job);
    assert_int_equal(row.state, RF_JOB_COMPLETED);
    assert_string_equal(row.error_message, "");
}

static void a_paused_queue_hands_out_nothing_even_after_a_restart(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    assert_fails(rf_admin_queue_pause(h->s, h->user, "gpu-9000", true, &err), RF_NOT_FOUND, "no queue");
    static const char *const names[] = {"cpu", "all"};
    for (int i = 0; i < 2; i++) {
        assert_ok(rf_admin_queue_pause(h->s, h->user, names[i], true, &err));
        const int64_t job = house_noop(h, h->user);
        assert_int_equal(house_lease(h, NULL), 0);
        house_die(h);
        assert_int_equal(house_lease(h, NULL), 0);
        assert_ok(rf_admin_queue_pause(h->s, h->user, names[i], false, &err));
        const int64_t token = house_start(h, job);
        house_done(h, job, token);
        house_apply(h);
    }
}

static void numbers_say_what_happened(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_metrics metrics;
    const int64_t job = house_noop(h, h->user);
    house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    house_done(h, job, token);
    house_done(h, job, token + 7);
    house_apply(h);
    assert_ok(rf_admin_metrics(h->s, &h->arena, &metrics, &err));
    assert_int_equal(metrics.jobs[RF_JOB_NOOP][RF_JOB_COMPLETED], 1);
    assert_int_equal(metrics.jobs[RF_JOB_NOOP][RF_JOB_QUEUED], 1);
    assert_int_equal(metrics.fenced, 1);
    assert_int_equal(metrics.n_workers, 1);
    rf_readiness ready;
    rf_admin_ready(h->s, &ready);
    assert_true(ready.database && ready.queue && ready.storage && ready.threads);
}

static int64_t queued(house *h)
{
    rf_error err = {0};
    rf_metrics metrics;
    assert_ok(rf_admin_metrics(h->s, &h->arena, &metrics, &err));
    return metrics.jobs[RF_JOB_NOOP][RF_JOB_QUEUED];
}

static void jobs_are_counted_anew_unless_counting_takes_long(void **state)
{
    house *const h = *state;
    (void)house_noop(h, h->user);
    assert_int_equal(queued(h), 1);
    (void)house_noop(h, h->user);
    h->s->counting_took_ms = 0;
    assert_int_equal(queued(h), 2);
    (void)house_noop(h, h->user);
    h->s->counting_took_ms = 3600000;
    assert_int_equal(queued(h), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_submitted_job_is_on_disk_and_handed_out),
        TEST(a_job_runs_and_completes),
        TEST(done_that_overtakes_started_is_applied),
        TEST(words_said_twice_count_once),
        TEST(each_class_of_failure_ends_as_the_table_says),
        TEST(infrastructure_is_tried_five_times_and_then_dead),
        TEST(memory_is_tried_once_more),
        TEST(three_crashes_make_a_job_dead_and_not_immortal),
        TEST(delays_are_drawn_between_nothing_and_a_doubling_limit),
        TEST(a_released_job_goes_again_and_its_attempt_does_not_count),
        TEST(a_stale_token_changes_nothing),
        TEST(a_word_about_a_job_that_never_was_is_answered_gone),
        TEST(a_completed_job_is_not_reaped),
        TEST(a_waiting_job_is_cancelled_at_once),
        TEST(a_running_job_is_told_and_ends_when_it_lets_go),
        TEST(cancel_and_done_meet_and_one_of_them_wins),
        TEST(a_cancelled_job_that_crashes_is_not_tried_again),
        TEST(a_worker_that_ignores_a_cancel_is_fenced),
        TEST(a_job_that_takes_too_long_is_asked_to_end_and_fails),
        TEST(strangers_cannot_see_or_cancel),
        TEST(the_same_key_and_body_makes_one_job),
        TEST(too_many_that_have_not_ended_are_refused),
        TEST(a_user_with_many_jobs_does_not_stand_in_another_s_way),
        TEST(a_dead_job_may_be_tried_again_with_a_new_budget),
        TEST(a_paused_queue_hands_out_nothing_even_after_a_restart),
        TEST(numbers_say_what_happened),
        TEST(jobs_are_counted_anew_unless_counting_takes_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
