/* Whichever process dies when: each job ends once, nothing is lost, nothing runs twice in effect.
 *
 * "Dies" is house_die: the queue's memory is gone and so is what was not committed. The first test fails every statement of
 * a job's whole life in turn, and lets the server die there; the others are the rows of the crash table, one by one. */
#include "scheduler_rig.h"

#include "core/alloc.h"

/* Plays worker and server until the job has ended; at most some rounds. Failures of the database pass. */
static void live_on(house *h, int64_t job)
{
    rf_error err = {0};
    for (int round = 0; round < 40; round++) {
        int64_t token = 0;
        if (rf_job_state_is_final(house_state(h, job)))
            return;
        const int64_t got = house_lease(h, &token);
        if (got) {
            house_send(h, RF_EVENT_STARTED, got, token, "{\"device\":\"cpu\"}");
            house_done(h, got, token);
        }
        for (int i = 0; i < 3 && rf_scheduler_apply(h->s, 0, NULL, &err) != RF_OK; i++)
            continue;
        house_pass(2000);
        if (rf_scheduler_relay(h->s, NULL, &err) != RF_OK || rf_scheduler_reap(h->s, NULL, &err) != RF_OK)
            continue;
    }
}

static void check_ended_once(house *h, int64_t job)
{
    rf_db_attempt *attempts = NULL;
    int completed = 0;
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
    const int32_t n = house_attempts(h, job, &attempts);
    for (int32_t i = 0; i < n; i++)
        completed += !strcmp(attempts[i].outcome, "completed");
    assert_int_equal(completed, 1);
}

static int64_t newest_job(house *h)
{
    rf_error err = {0};
    rf_job_view *views = NULL;
    int32_t n = 0;
    const rf_job_filter all = {.state = -1, .kind = -1, .limit = 1};
    assert_ok(rf_job_list(h->s, &all, &h->arena, &views, &n, &err));
    return n ? views[0].job.id : 0;
}

/* One life of a job, in which the nth statement fails; with `dies` the server dies at the end of that step. */
static bool live_with_a_fault(house *h, int64_t nth, bool dies)
{
    rf_error err = {0};
    rf_receipt receipt;
    const int64_t before = newest_job(h);
    rf_db_fail_at(h->db, nth);
    const rf_code rc =
        rf_job_submit_noop(h->s, &(rf_noop){.user_id = h->user}, NULL, &h->arena, &receipt, &err);
    const bool in_submit = rc != RF_OK;
    if (in_submit) { /* refused: nothing of it is there */
        assert_int_equal(rc, RF_UNAVAILABLE);
        rf_db_fail_at(h->db, 0);
        assert_int_equal(newest_job(h), before);
        return true;
    }
    int64_t token = 0;
    assert_int_equal(house_lease(h, &token), receipt.id);
    house_send(h, RF_EVENT_STARTED, receipt.id, token, "{\"device\":\"cpu\"}");
    bool failed = rf_scheduler_apply(h->s, 0, NULL, &err) != RF_OK;
    if (failed && dies)
        house_die(h);
    else
        house_done(h, receipt.id, token);
    failed |= rf_scheduler_apply(h->s, 0, NULL, &err) != RF_OK;
    if (failed && dies)
        house_die(h);
    const bool reached = rf_db_statement_count(h->db) >= nth || failed;
    rf_db_fail_at(h->db, 0);
    live_on(h, receipt.id);
    check_ended_once(h, receipt.id);
    return reached;
}

static void any_statement_may_fail_and_each_job_ends_once(void **state)
{
    house *const h = *state;
    for (int dies = 0; dies < 2; dies++) {
        int64_t nth = 1;
        while (live_with_a_fault(h, nth, dies))
            nth++;
        assert_true(nth > 8); /* it reached into the end */
    }
}

/* As live_with_a_fault, with the nth piece of memory that is not there. */
static bool live_without_memory(house *h, int64_t nth, int64_t *submitted)
{
    rf_error err = {0};
    rf_receipt receipt = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    rf_alloc_fail_at(nth);
    const rf_code rc = rf_job_submit_noop(h->s, &(rf_noop){.user_id = h->user}, NULL, &arena, &receipt, &err);
    bool reached = rf_alloc_count() >= nth;
    rf_alloc_fail_at(0);
    rf_arena_free(&arena);
    if (rc != RF_OK)
        return true;
    ++*submitted;
    int64_t token = 0;
    const int64_t got = house_lease(h, &token); /* not offered: the relay will */
    if (got) {
        house_send(h, RF_EVENT_STARTED, got, token, "{\"device\":\"cpu\"}");
        house_done(h, got, token);
    }
    rf_alloc_fail_at(nth);
    if (rf_scheduler_apply(h->s, 0, NULL, &err) != RF_OK)
        reached = true;
    reached |= rf_alloc_count() >= nth;
    rf_alloc_fail_at(0);
    live_on(h, receipt.id);
    check_ended_once(h, receipt.id);
    return reached;
}

static void any_allocation_may_fail_and_each_job_ends_once(void **state)
{
    house *const h = *state;
    int64_t nth = 1, submitted = 0;
    while (live_without_memory(h, nth, &submitted))
        nth++;
    assert_true(nth > 5 && submitted > 3);
}

/* ------------------------------------------------------------------ row by row */

static void committed_and_not_offered_is_found_by_the_relay(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    house_die_only(h); /* the queue never heard of it */
    assert_int_equal(house_lease(h, NULL), 0);
    house_pass(1500);
    int32_t n = 0;
    assert_ok(rf_scheduler_relay(h->s, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(house_lease(h, NULL), job);
    house_pass(1500);
    assert_ok(rf_scheduler_relay(h->s, &n, &err)); /* the note is gone */
    assert_int_equal(n, 0);
}

static void notes_that_came_to_nothing_do_not_stand_in_the_way(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    h->options.user_waiting_limit = 1000;
    house_die(h);
    for (int i = 0; i < 300; i++) { /* more than the relay takes at a time */
        const int64_t job = house_noop(h, h->user);
        assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    }
    const int64_t last = house_noop(h, h->user);
    house_die_only(h); /* no note was cleared, and the queue is empty */
    house_pass(1500);
    assert_ok(rf_scheduler_relay(h->s, NULL, &err));
    assert_int_equal(house_lease(h, NULL), last);
}

static void offered_twice_is_handed_out_once(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    house_pass(1500);
    assert_ok(rf_scheduler_relay(h->s, NULL, &err));
    assert_ok(rf_scheduler_reconcile(h->s, NULL, &err));
    assert_int_equal(house_lease(h, NULL), job);
    assert_int_equal(house_lease(h, NULL), 0);
    assert_ok(rf_scheduler_reconcile(h->s, NULL, &err));
    assert_int_equal(house_lease(h, NULL), 0);
}

static void leased_and_never_begun_is_handed_out_again_and_is_no_crash(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int i = 0; i < 5; i++) {
        int64_t token = 0;
        assert_int_equal(house_lease(h, &token), job);
        assert_int_equal(token, i + 1);
        house_kill_worker(h);
        assert_int_equal(house_reap(h), 1);
        const rf_job row = house_look(h, job);
        assert_int_equal(row.crashes, 0);
        assert_true(i > 1 || row.run_at_ms == house_now(NULL)); /* at once, at first */
        house_pass(row.run_at_ms - house_now(NULL));
    }
    live_on(h, job);
    check_ended_once(h, job);
}

static void running_when_its_worker_dies_goes_on_from_its_checkpoint(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    house_send(h, RF_EVENT_CHECKPOINT, job, token,
               "{\"key\":\"jobs/1/1/checkpoint-10\",\"step\":10,\"size_bytes\":5,"
               "\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}");
    house_send(h, RF_EVENT_CHECKPOINT, job, token, /* out of order: the newest stays */
               "{\"key\":\"jobs/1/1/checkpoint-5\",\"step\":5,\"size_bytes\":5,"
               "\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}");
    house_apply(h);
    house_kill_worker(h);
    assert_int_equal(house_reap(h), 1);
    assert_non_null(strstr(house_look(h, job).checkpoint, "checkpoint-10"));
}

static void the_server_s_own_death_gives_the_attempt_back(void **state)
{
    house *const h = *state;
    const int64_t job = house_noop(h, h->user);
    for (int i = 0; i < 10; i++) { /* more often than a job may crash or be tried */
        house_start(h, job);
        house_die(h);
        const rf_job row = house_look(h, job);
        assert_int_equal(row.state, RF_JOB_QUEUED);
        assert_int_equal(row.attempt, 0);
        assert_int_equal(row.crashes, 0);
    }
    live_on(h, job);
    check_ended_once(h, job);
}

static void done_taken_and_lost_is_said_again(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    rf_event words[4];
    int32_t n = 0;
    house_done(h, job, token);
    assert_ok(rf_queue_events_take(h->queue, words, 4, 0, &n, &err)); /* a scheduler that dies with it */
    assert_int_equal(n, 1);
    rf_event_free(&words[0]);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_OK); /* not applied: say it again */
    house_done(h, job, token);
    house_apply(h);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_GONE);
    check_ended_once(h, job);
}

static void a_database_that_does_not_answer_keeps_words_waiting_in_order(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    int64_t token = 0;
    assert_int_equal(house_lease(h, &token), job);
    house_send(h, RF_EVENT_STARTED, job, token, "{\"device\":\"cpu\"}");
    house_done(h, job, token);
    for (int i = 0; i < 5; i++) {
        rf_db_fail_at(h->db, 2);
        assert_fails(rf_scheduler_apply(h->s, 0, NULL, &err), RF_UNAVAILABLE, "does not answer");
        assert_int_equal(house_state(h, job), RF_JOB_QUEUED);
    }
    rf_db_fail_at(h->db, 0);
    house_apply(h);
    check_ended_once(h, job);
}

static void applied_and_not_settled_is_settled_when_it_is_said_again(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t job = house_noop(h, h->user);
    const int64_t token = house_start(h, job);
    rf_db_tx *tx = NULL;
    bool found = false;
    rf_job row;
    house_done(h, job, token);
    house_apply(h);
    assert_ok(rf_db_read_begin(h->db, &tx, &err));
    assert_ok(rf_db_job_find(tx, 0, job, &h->arena, &row, &found, &err));
    rf_db_read_end(tx);
    /* The settle was lost: the queue offers it once more, as an old copy of a queue would. */
    const rf_offer ghost = {
        .job_id = job, .token = token, .user_id = h->user, .kind = RF_JOB_NOOP, .plan = row.plan};
    assert_ok(rf_queue_offer(h->queue, &ghost, 1, &err));
    int64_t again = 0;
    if (house_lease(h, &again) == job) {
        house_send(h, RF_EVENT_STARTED, job, again, "{\"device\":\"cpu\"}");
        house_apply(h);
        assert_int_equal(house_beat(h, job, again), RF_BEAT_GONE);
    }
    check_ended_once(h, job);
}

static void two_schedulers_that_both_lead_do_no_harm(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_scheduler *second = NULL;
    assert_ok(rf_scheduler_open(&second, &h->options, &err));
    const int64_t job = house_noop(h, h->user);
    house_start(h, job);
    house_kill_worker(h);
    assert_ok(rf_scheduler_reap(h->s, NULL, &err));
    assert_ok(rf_scheduler_reap(second, NULL, &err));
    assert_int_equal(house_look(h, job).crashes, 1);
    house_pass(700000);
    assert_ok(rf_scheduler_relay(second, NULL, &err));
    assert_ok(rf_scheduler_relay(h->s, NULL, &err));
    live_on(h, job);
    check_ended_once(h, job);
    rf_scheduler_close(second);
}

static void a_clock_that_jumps_changes_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    /* Without a clock of its own a scheduler carries the wall clock on by the monotonic one. */
    rf_scheduler_options options = h->options;
    options.now_ms = NULL;
    rf_scheduler *own = NULL;
    assert_ok(rf_scheduler_open(&own, &options, &err));
    const int64_t first = rf_scheduler_now_ms(own);
    const int64_t later = rf_scheduler_now_ms(own);
    assert_in_range(later - first, 0, 60000);
    rf_scheduler_close(own);
    /* A retry that was written under a clock an hour ahead waits no longer than a retry may. */
    const int64_t job = house_noop(h, h->user);
    house_fail(h, job, house_start(h, job), "infrastructure");
    house_apply(h);
    house_pass(-INT64_C(3600000));
    house_die(h);
    house_pass(600001);
    live_on(h, job);
    check_ended_once(h, job);
}

static void a_hundred_jobs_survive_any_mixture(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    int64_t jobs[100];
    uint64_t draw = 12345;
    for (int i = 0; i < 100; i++)
        jobs[i] = house_noop(h, i % 2 ? h->user : h->other);
    for (int step = 0; step < 1200; step++) {
        int64_t token = 0;
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        switch (draw >> 60) {
        case 0:
            house_die(h);
            break;
        case 1:
            house_kill_worker(h);
            if (rf_scheduler_reap(h->s, NULL, &err) != RF_OK)
                break;
            break;
        case 2:
            rf_db_fail_at(h->db, (int64_t)(draw >> 40 & 15) + 1);
            break;
        case 3:
            house_pass(5000);
            if (rf_scheduler_relay(h->s, NULL, &err) != RF_OK)
                break;
            break;
        default: {
            const int64_t got = house_lease(h, &token);
            if (!got)
                break;
            if (draw >> 50 & 1)
                house_send(h, RF_EVENT_STARTED, got, token, "{\"device\":\"cpu\"}");
            if (draw >> 51 & 1)
                house_done(h, got, token);
            if (draw >> 52 & 1)
                house_done(h, got, token);
            if (rf_scheduler_apply(h->s, 0, NULL, &err) != RF_OK)
                break;
        }
        }
    }
    rf_db_fail_at(h->db, 0);
    int completed = 0, failed = 0;
    for (int i = 0; i < 100; i++) {
        for (int round = 0; round < 30 && !rf_job_state_is_final(house_state(h, jobs[i])); round++) {
            house_kill_worker(h);
            live_on(h, jobs[i]);
        }
        completed += house_state(h, jobs[i]) == RF_JOB_COMPLETED;
        failed += house_state(h, jobs[i]) == RF_JOB_FAILED; /* three workers died of it */
    }
    assert_int_equal(completed + failed, 100);
    assert_true(completed > 80);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_statement_may_fail_and_each_job_ends_once),
        TEST(any_allocation_may_fail_and_each_job_ends_once),
        TEST(committed_and_not_offered_is_found_by_the_relay),
        TEST(notes_that_came_to_nothing_do_not_stand_in_the_way),
        TEST(offered_twice_is_handed_out_once),
        TEST(leased_and_never_begun_is_handed_out_again_and_is_no_crash),
        TEST(running_when_its_worker_dies_goes_on_from_its_checkpoint),
        TEST(the_server_s_own_death_gives_the_attempt_back),
        TEST(done_taken_and_lost_is_said_again),
        TEST(a_database_that_does_not_answer_keeps_words_waiting_in_order),
        TEST(applied_and_not_settled_is_settled_when_it_is_said_again),
        TEST(two_schedulers_that_both_lead_do_no_harm),
        TEST(a_clock_that_jumps_changes_nothing),
        TEST(a_hundred_jobs_survive_any_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
