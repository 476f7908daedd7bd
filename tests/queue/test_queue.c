/* The verbs of queue.h, one behaviour each, on every side. */
#include <pthread.h>

#include "core/alloc.h"
#include "queue_rig.h"

/* ------------------------------------------------------------------ offers and leases */

static void job_that_is_offered_is_leased_with_its_plan(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_lease lease = {0};
    rig_offer_as(
        r, (rf_offer){.job_id = 7, .token = 3, .user_id = 5, .kind = RF_JOB_PROFILE, .plan = "{\"a\":1}"});
    assert_ok(rf_queue_lease(r->worker, r->worker_id, 1000, &lease, &err));
    assert_int_equal(lease.job_id, 7);
    assert_int_equal(lease.token, 3);
    assert_int_equal(lease.user_id, 5);
    assert_int_equal(lease.kind, RF_JOB_PROFILE);
    assert_int_equal(lease.lease_ms, RIG_LEASE_MS);
    assert_string_equal(lease.plan, "{\"a\":1}");
    rf_lease_free(&lease);
}

static void lease_without_jobs_answers_none_when_its_time_is_up(void **state)
{
    assert_int_equal(rig_lease(rig_of(state), 1), 0);
}

static void job_is_leased_to_one_worker_only(void **state)
{
    rig *r = rig_of(state);
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_lease(r, 0), 0);
}

static void same_offer_again_does_nothing(void **state)
{
    rig *r = rig_of(state);
    rig_offer(r, 1, 1, 1);
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 0);
}

static void higher_token_takes_the_job_from_its_worker(void **state)
{
    rig *r = rig_of(state);
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_offer(r, 1, 2, 1);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_beat(r, 1, 2), RF_BEAT_OK);
}

static void lower_token_does_nothing(void **state)
{
    rig *r = rig_of(state);
    rig_offer(r, 1, 5, 1);
    rig_offer(r, 1, 4, 1);
    rig_settle(r, 1, 4);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_beat(r, 1, 5), RF_BEAT_OK);
}

static void job_that_cannot_be_is_refused(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    const rf_offer no_job = {.token = 1}, urgent = {.job_id = 1, .token = 1, .priority = 10},
                   class = {.job_id = 1, .token = 1, .need = "no such class!"};
    assert_fails(rf_queue_offer(r->scheduler, &no_job, 1, &err), RF_USAGE, "a job and a token");
    assert_fails(rf_queue_offer(r->scheduler, &urgent, 1, &err), RF_USAGE, "priority 10");
    assert_fails(rf_queue_offer(r->scheduler, &class, 1, &err), RF_USAGE, "class");
}

static void delayed_job_comes_when_its_time_has_come(void **state)
{
    rig *r = rig_of(state);
    rig_offer_as(r, (rf_offer){.job_id = 1, .token = 1, .delay_ms = 5000});
    rig_pass(4999);
    assert_int_equal(rig_lease(r, 0), 0);
    rig_pass(1);
    assert_int_equal(rig_lease(r, 0), 1);
}

/* While the test may already wait. */
static void *offer_later(void *arg)
{
    rig_offer(arg, 1, 1, 1);
    return NULL;
}

static void waiting_lease_gets_the_job_that_is_offered_meanwhile(void **state)
{
    rig *r = rig_of(state);
    pthread_t thread;
    rig_offer_as(r, (rf_offer){.job_id = 9, .token = 1, .delay_ms = 1 << 30});
    assert_int_equal(pthread_create(&thread, NULL, offer_later, r), 0);
    assert_int_equal(rig_lease(r, 60000), 1);
    pthread_join(thread, NULL);
}

static void worker_gets_jobs_of_its_own_class_only(void **state)
{
    rig *r = rig_of(state);
    rig_offer_as(r, (rf_offer){.job_id = 1, .token = 1, .need = "gpu-8g"});
    assert_int_equal(rig_lease(r, 0), 0);
    rf_queue *other = rig_connect(r);
    const int64_t id = rig_register(other, "gpu-8g");
    assert_int_equal(rig_lease_for(other, id, 1000), 1);
    if (other != r->scheduler)
        rf_queue_close(other);
}

static void paused_class_gives_nothing_until_resumed(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rig_offer(r, 1, 1, 1);
    assert_ok(rf_queue_pause(r->scheduler, "cpu", true, &err));
    assert_int_equal(rig_lease(r, 0), 0);
    assert_ok(rf_queue_pause(r->scheduler, "cpu", false, &err));
    assert_ok(rf_queue_pause(r->scheduler, NULL, true, &err));
    assert_int_equal(rig_lease(r, 0), 0);
    assert_ok(rf_queue_pause(r->scheduler, "", false, &err));
    assert_int_equal(rig_lease(r, 0), 1);
}

/* ------------------------------------------------------------------ beats and ends */

static void beats_extend_a_lease_past_its_deadline(void **state)
{
    rig *r = rig_of(state);
    rf_lease_id list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    for (int i = 0; i < 5; i++) {
        rig_pass(RIG_LEASE_MS - 1);
        assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_OK);
    }
    assert_int_equal(rig_expired(r, list), 0);
}

static void lease_that_expires_is_listed_until_it_is_offered_anew(void **state)
{
    rig *r = rig_of(state);
    rf_lease_id list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_pass(RIG_LEASE_MS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_expired(r, list), 1);
        assert_int_equal(list[0].job_id, 1);
        assert_int_equal(list[0].token, 1);
        assert_int_equal(list[0].worker_id, r->worker_id);
        assert_false(list[0].lost);
    }
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
    assert_int_equal(rig_lease(r, 0), 0);
    rig_offer(r, 1, 2, 1);
    assert_int_equal(rig_expired(r, list), 0);
    assert_int_equal(rig_lease(r, 0), 1);
}

static void settled_job_is_gone(void **state)
{
    rig *r = rig_of(state);
    rf_lease_id list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_settle(r, 1, 1);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
    rig_pass(RIG_LEASE_MS);
    assert_int_equal(rig_expired(r, list), 0);
}

static void withdrawn_job_that_waits_is_never_leased(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rig_offer(r, 1, 1, 1);
    rig_offer_as(r, (rf_offer){.job_id = 2, .token = 1, .delay_ms = 10});
    assert_ok(rf_queue_withdraw(r->scheduler, 1, 1, &err));
    assert_ok(rf_queue_withdraw(r->scheduler, 2, 1, &err));
    rig_pass(10);
    assert_int_equal(rig_lease(r, 0), 0);
}

static void withdrawn_job_that_runs_is_cancelled_by_the_next_beat(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_ok(rf_queue_withdraw(r->scheduler, 1, 1, &err));
    assert_ok(rf_queue_beat_wait(r->worker, r->worker_id, 60000, &err)); /* at once */
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_CANCEL);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_CANCEL);
    rig_settle(r, 1, 1);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
}

static void credit_comes_with_the_beat_and_never_falls(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_worker_wish wish;
    rf_beat beat = {.job_id = 1, .token = 1};
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_ok(rf_queue_credit(r->scheduler, 1, 1, 5, &err));
    assert_ok(rf_queue_credit(r->scheduler, 1, 1, 3, &err));
    assert_ok(rf_queue_credit(r->scheduler, 1, 2, 9, &err));
    assert_ok(rf_queue_beat_wait(r->worker, r->worker_id, 60000, &err));
    assert_ok(rf_queue_beat(r->worker, r->worker_id, 0, &beat, 1, &wish, &err));
    assert_int_equal(beat.credit, 5);
}

static void *settle_later(void *arg)
{
    rig_settle(arg, 1, 1);
    return NULL;
}

static void sleeping_beat_wakes_when_its_job_is_settled(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    pthread_t thread;
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_OK);
    assert_int_equal(pthread_create(&thread, NULL, settle_later, r), 0);
    assert_ok(rf_queue_beat_wait(r->worker, r->worker_id, 600000, &err));
    pthread_join(thread, NULL);
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
}

/* ------------------------------------------------------------------ workers */

static void drained_worker_gets_no_job_until_it_may_run_again(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_worker_wish wish;
    rig_offer(r, 1, 1, 1);
    assert_ok(rf_queue_worker_wish(r->scheduler, r->worker_id, RF_WORKER_DRAIN, &err));
    assert_int_equal(rig_lease(r, 0), 0);
    assert_ok(rf_queue_beat(r->worker, r->worker_id, 0, NULL, 0, &wish, &err));
    assert_int_equal(wish, RF_WORKER_DRAIN);
    assert_ok(rf_queue_worker_wish(r->scheduler, r->worker_id, RF_WORKER_RUN, &err));
    assert_int_equal(rig_lease(r, 0), 1);
    assert_fails(rf_queue_worker_wish(r->scheduler, 999, RF_WORKER_RUN, &err), RF_NOT_FOUND, "999");
}

static void worker_is_listed_with_its_job_and_memory(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_worker_wish wish;
    rf_worker_info *list = NULL;
    int32_t n = 0;
    rig_offer(r, 4, 1, 1);
    assert_int_equal(rig_lease(r, 0), 4);
    assert_ok(rf_queue_beat(r->worker, r->worker_id, 12345, NULL, 0, &wish, &err));
    assert_ok(rf_queue_workers(r->scheduler, &list, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].id, r->worker_id);
    assert_int_equal(list[0].job_id, 4);
    assert_int_equal(list[0].rss_bytes, 12345);
    assert_string_equal(list[0].need, "cpu");
    assert_string_equal(list[0].host, "here");
    rf_free(list);
}

static void silent_worker_is_forgotten_and_its_job_is_lost(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_lease_id list[16];
    rf_worker_wish wish;
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_pass(RIG_TTL_MS + 1);
    assert_int_equal(rig_expired(r, list), 1);
    assert_fails(rf_queue_beat(r->worker, r->worker_id, 0, NULL, 0, &wish, &err), RF_NOT_FOUND, "register");
    r->worker_id = rig_register(r->worker, "cpu");
    assert_int_equal(rig_beat(r, 1, 1), RF_BEAT_GONE);
}

/* ------------------------------------------------------------------ events */

static int32_t take(rig *r, rf_event out[16], int64_t timeout_ms)
{
    rf_error err = {0};
    int32_t n = 0;
    assert_ok(rf_queue_events_take(r->scheduler, out, 16, timeout_ms, &n, &err));
    return n;
}

static void events_come_in_order_with_all_that_was_said(void **state)
{
    rig *r = rig_of(state);
    rf_event list[16];
    rig_send(r, RF_EVENT_STARTED, 1, 2, "{\"device\":\"cpu\"}");
    rig_send(r, RF_EVENT_DONE, 1, 2, "");
    assert_int_equal(take(r, list, 1000), 2);
    assert_int_equal(list[0].kind, RF_EVENT_STARTED);
    assert_string_equal(list[0].body, "{\"device\":\"cpu\"}");
    assert_int_equal(list[0].token, 2);
    assert_int_equal(list[0].worker_id, r->worker_id);
    assert_int_equal(list[1].kind, RF_EVENT_DONE);
    assert_string_equal(list[1].body, "");
    rf_event_free(&list[0]);
    rf_event_free(&list[1]);
    assert_int_equal(take(r, list, 0), 0);
}

static void newer_progress_takes_the_place_of_the_older(void **state)
{
    rig *r = rig_of(state);
    rf_event list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    for (int i = 0; i < 50; i++)
        rig_send(r, RF_EVENT_PROGRESS, 1, 1, i == 49 ? "last" : "earlier");
    assert_int_equal(take(r, list, 0), 1);
    assert_string_equal(list[0].body, "last");
    rf_event_free(&list[0]);
}

static void end_that_is_repeated_waits_once(void **state)
{
    rig *r = rig_of(state);
    rf_event list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    for (int i = 0; i < 3; i++)
        rig_send(r, RF_EVENT_DONE, 1, 1, "{}");
    rig_send(r, RF_EVENT_PROGRESS, 1, 1, "too late");
    assert_int_equal(take(r, list, 0), 1);
    rf_event_free(&list[0]);
    rig_send(r, RF_EVENT_DONE, 1, 1, "{}");
    assert_int_equal(take(r, list, 0), 1);
    rf_event_free(&list[0]);
}

static void words_of_an_attempt_that_was_replaced_are_still_delivered(void **state)
{
    rig *r = rig_of(state);
    rf_event list[16];
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_send(r, RF_EVENT_DONE, 1, 1, "{}");
    rig_offer(r, 1, 2, 1);
    rig_send(r, RF_EVENT_DONE, 1, 2, "{}");
    assert_int_equal(take(r, list, 0), 2);
    assert_int_equal(list[0].token, 1);
    assert_int_equal(list[1].token, 2);
    rf_event_free(&list[0]);
    rf_event_free(&list[1]);
}

static void poke_wakes_who_waits_for_events(void **state)
{
    rig *r = rig_of(state);
    rf_event list[16];
    rf_queue_poke(r->scheduler);
    assert_int_equal(take(r, list, 600000), 0);
}

static void event_that_is_too_large_is_refused(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    const size_t size = ((size_t)8 << 20) + 1;
    rf_event event = {.kind = RF_EVENT_DONE, .job_id = 1, .token = 1, .worker_id = r->worker_id};
    event.body = rf_malloc(size + 1);
    memset(event.body, 'x', size);
    event.body[size] = '\0';
    assert_fails(rf_queue_send(r->worker, &event, &err), RF_USAGE, "8388608 bytes");
    rf_event_free(&event);
}

/* ------------------------------------------------------------------ numbers */

static void depths_count_by_class_and_place(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_queue_depth *list = NULL;
    int32_t n = 0;
    for (int i = 1; i <= 3; i++)
        rig_offer(r, i, 1, 1);
    rig_offer_as(r, (rf_offer){.job_id = 4, .token = 1, .delay_ms = 1000});
    assert_int_equal(rig_lease(r, 0), 1);
    assert_ok(rf_queue_depths(r->scheduler, &list, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(list[0].need, "cpu");
    assert_int_equal(list[0].waiting, 2);
    assert_int_equal(list[0].delayed, 1);
    assert_int_equal(list[0].leased, 1);
    assert_false(list[0].paused);
    assert_true(list[0].oldest_ms > 0);
    rf_free(list);
}

static int64_t position(rig *r, int64_t job_id)
{
    rf_error err = {0};
    int64_t out = -1;
    assert_ok(rf_queue_position(r->scheduler, job_id, &out, &err));
    return out;
}

static void position_counts_from_one_and_is_zero_elsewhere(void **state)
{
    rig *r = rig_of(state);
    for (int i = 1; i <= 3; i++)
        rig_offer(r, i, 1, 1);
    assert_int_equal(position(r, 1), 1);
    assert_int_equal(position(r, 3), 3);
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(position(r, 1), 0);
    assert_int_equal(position(r, 3), 2);
    assert_int_equal(position(r, 99), 0);
}

static void epoch_stays_while_the_queue_does(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    uint64_t a = 0, b = 1;
    assert_ok(rf_queue_epoch(r->scheduler, &a, &err));
    assert_ok(rf_queue_epoch(r->scheduler, &b, &err));
    assert_true(a == b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_that_is_offered_is_leased_with_its_plan),
        cmocka_unit_test(lease_without_jobs_answers_none_when_its_time_is_up),
        cmocka_unit_test(job_is_leased_to_one_worker_only),
        cmocka_unit_test(same_offer_again_does_nothing),
        cmocka_unit_test(higher_token_takes_the_job_from_its_worker),
        cmocka_unit_test(lower_token_does_nothing),
        cmocka_unit_test(job_that_cannot_be_is_refused),
        cmocka_unit_test(delayed_job_comes_when_its_time_has_come),
        cmocka_unit_test(waiting_lease_gets_the_job_that_is_offered_meanwhile),
        cmocka_unit_test(worker_gets_jobs_of_its_own_class_only),
        cmocka_unit_test(paused_class_gives_nothing_until_resumed),
        cmocka_unit_test(beats_extend_a_lease_past_its_deadline),
        cmocka_unit_test(lease_that_expires_is_listed_until_it_is_offered_anew),
        cmocka_unit_test(settled_job_is_gone),
        cmocka_unit_test(withdrawn_job_that_waits_is_never_leased),
        cmocka_unit_test(withdrawn_job_that_runs_is_cancelled_by_the_next_beat),
        cmocka_unit_test(credit_comes_with_the_beat_and_never_falls),
        cmocka_unit_test(sleeping_beat_wakes_when_its_job_is_settled),
        cmocka_unit_test(drained_worker_gets_no_job_until_it_may_run_again),
        cmocka_unit_test(worker_is_listed_with_its_job_and_memory),
        cmocka_unit_test(silent_worker_is_forgotten_and_its_job_is_lost),
        cmocka_unit_test(events_come_in_order_with_all_that_was_said),
        cmocka_unit_test(newer_progress_takes_the_place_of_the_older),
        cmocka_unit_test(end_that_is_repeated_waits_once),
        cmocka_unit_test(words_of_an_attempt_that_was_replaced_are_still_delivered),
        cmocka_unit_test(poke_wakes_who_waits_for_events),
        cmocka_unit_test(event_that_is_too_large_is_refused),
        cmocka_unit_test(depths_count_by_class_and_place),
        cmocka_unit_test(position_counts_from_one_and_is_zero_elsewhere),
        cmocka_unit_test(epoch_stays_while_the_queue_does),
    };
    return rig_run(tests, sizeof tests / sizeof tests[0]);
}
