/* Who comes next: age, priority, fairness between users, limits; and that a long queue is as quick as a short one. */
#include "core/alloc.h"
#include "core/clock.h"
#include "queue_rig.h"

static void older_jobs_of_a_user_come_first(void **state)
{
    rig *r = rig_of(state);
    for (int i = 1; i <= 3; i++)
        rig_offer_as(r,
                     (rf_offer){.job_id = i, .token = 1, .user_id = 1, .priority = 5, .created_ms = 100 - i});
    assert_int_equal(rig_lease(r, 0), 3);
    assert_int_equal(rig_lease(r, 0), 2);
    assert_int_equal(rig_lease(r, 0), 1);
}

static void equal_jobs_come_in_the_order_of_their_ids(void **state)
{
    rig *r = rig_of(state);
    for (int i = 9; i >= 1; i--)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1, .created_ms = 5});
    for (int i = 1; i <= 9; i++)
        assert_int_equal(rig_lease(r, 0), i);
}

static void urgent_job_comes_first_until_others_have_waited_long_enough(void **state)
{
    rig *r = rig_of(state);
    rig_offer_as(r, (rf_offer){.job_id = 1, .token = 1, .user_id = 1, .priority = 5, .created_ms = 0});
    rig_offer_as(
        r, (rf_offer){.job_id = 2, .token = 1, .user_id = 1, .priority = 6, .created_ms = RIG_AGE_MS - 1});
    rig_offer_as(
        r,
        (rf_offer){.job_id = 3, .token = 1, .user_id = 1, .priority = 9, .created_ms = 4 * RIG_AGE_MS + 1});
    assert_int_equal(rig_lease(r, 0), 2); /* one step more urgent, nearly one age younger */
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_lease(r, 0), 3); /* four steps, and more than four ages */
}

static void low_priority_does_not_starve(void **state)
{
    rig *r = rig_of(state);
    rig_offer_as(r, (rf_offer){.job_id = 1, .token = 1, .user_id = 1, .priority = 0, .created_ms = 0});
    int64_t got = 0, created_ms = 0, id = 1;
    for (; got != 1; created_ms += RIG_AGE_MS / 10) { /* an urgent one arrives with each that is taken */
        rig_offer_as(
            r, (rf_offer){.job_id = ++id, .token = 1, .user_id = 1, .priority = 9, .created_ms = created_ms});
        got = rig_lease(r, 0);
        assert_true(created_ms <= 10 * RIG_AGE_MS);
    }
}

static void second_user_need_not_wait_for_the_first_ones_queue(void **state)
{
    rig *r = rig_of(state);
    for (int i = 1; i <= 1000; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1, .created_ms = i});
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(rig_lease(r, 0), 0);
    rig_offer_as(r, (rf_offer){.job_id = 2000, .token = 1, .user_id = 2, .created_ms = 5000});
    const int64_t first = rig_lease(r, 0), second = rig_lease(r, 0);
    assert_true(first == 2000 || second == 2000);
}

/* Jain's index of what each has had: 1 when all have the same. */
static void users_share_in_equal_parts_whatever_their_queues(void **state)
{
    rig *r = rig_of(state);
    double had[5] = {0}, sum = 0, squares = 0;
    int64_t id = 0;
    for (int user = 0; user < 5; user++)
        for (int i = 0; i < 100 * (user + 1); i++)
            rig_offer_as(r, (rf_offer){.job_id = ++id, .token = 1, .user_id = user + 1, .created_ms = id});
    rf_error err = {0};
    for (int i = 0; i < 300; i++) {
        rf_lease lease;
        assert_ok(rf_queue_lease(r->worker, r->worker_id, 0, &lease, &err));
        had[lease.user_id - 1]++;
        rf_lease_free(&lease);
    }
    for (int user = 0; user < 5; user++) {
        sum += had[user];
        squares += had[user] * had[user];
    }
    assert_true(sum * sum / (5 * squares) >= 0.999);
}

static void dear_jobs_count_for_more_than_cheap_ones(void **state)
{
    rig *r = rig_of(state);
    int64_t dear = 0;
    for (int i = 1; i <= 400; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1 + i % 2, .cost = i % 2 ? 3 : 1});
    for (int i = 0; i < 100; i++)
        dear += rig_lease(r, 0) % 2;
    assert_in_range(dear, 24, 26);
}

/* Whatever was estimated: the jobs of one take three times as long as those of the other. */
static void users_are_charged_what_their_jobs_took_in_truth(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    int64_t dear = 0;
    for (int i = 1; i <= 800; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1 + i % 2, .cost = i % 2 ? 1 : 100});
    for (int i = 0; i < 200; i++) {
        rf_lease lease;
        assert_ok(rf_queue_lease(r->worker, r->worker_id, 0, &lease, &err));
        rig_pass(lease.user_id == 2 ? 300 : 100);
        dear += lease.user_id == 2;
        rig_settle(r, lease.job_id, 1);
        rf_lease_free(&lease);
    }
    assert_in_range(dear, 48, 52);
}

static void users_of_jobs_that_take_no_time_take_turns(void **state)
{
    rig *r = rig_of(state);
    int64_t second = 0;
    for (int i = 1; i <= 200; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1 + i % 2});
    for (int i = 0; i < 100; i++) {
        const int64_t job = rig_lease(r, 0);
        second += job % 2;
        rig_settle(r, job, 1);
    }
    assert_in_range(second, 49, 51);
}

static void user_who_was_away_has_earned_nothing(void **state)
{
    rig *r = rig_of(state);
    int64_t second = 0;
    for (int i = 1; i <= 400; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1});
    for (int i = 0; i < 200; i++)
        (void)rig_lease(r, 0);
    for (int i = 1001; i <= 1200; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 2});
    for (int i = 0; i < 100; i++)
        second += rig_lease(r, 0) > 1000;
    assert_in_range(second, 49, 51);
}

static void limit_of_a_user_is_kept_and_does_not_hold_up_others(void **state)
{
    rig *r = rig_of(state);
    for (int i = 1; i <= 5; i++)
        rig_offer_as(r, (rf_offer){.job_id = i, .token = 1, .user_id = 1, .user_limit = 2, .created_ms = i});
    rig_offer_as(r, (rf_offer){.job_id = 6, .token = 1, .user_id = 1, .unlimited = true, .created_ms = 6});
    rig_offer_as(r, (rf_offer){.job_id = 7, .token = 1, .user_id = 2, .user_limit = 2, .created_ms = 7});
    int64_t got = 0;
    for (int i = 0; i < 4; i++)
        got |= INT64_C(1) << rig_lease(r, 0);
    assert_int_equal(got, 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7);
    assert_int_equal(rig_lease(r, 0), 0);
    rig_settle(r, 1, 1);
    assert_int_equal(rig_lease(r, 0), 3);
    assert_int_equal(rig_lease(r, 0), 0);
    rig_offer(r, 2, 2, 1); /* taken back: the place is free, and it stands in line again */
    assert_int_equal(rig_lease(r, 0), 2);
}

static void worker_that_is_lost_frees_its_users_place(void **state)
{
    rig *r = rig_of(state);
    rf_lease_id list[16];
    rig_offer_as(r, (rf_offer){.job_id = 1, .token = 1, .user_id = 1, .user_limit = 1});
    rig_offer_as(r, (rf_offer){.job_id = 2, .token = 1, .user_id = 1, .user_limit = 1});
    assert_int_equal(rig_lease(r, 0), 1);
    assert_int_equal(rig_lease(r, 0), 0);
    rig_pass(RIG_LEASE_MS);
    assert_int_equal(rig_expired(r, list), 1);
    assert_int_equal(rig_lease(r, 0), 2);
}

/* ------------------------------------------------------------------ size */

static void hundred_thousand_jobs_go_through(void **state)
{
    enum { N = 100000, BATCH = 500 };
    rig *r = rig_of(state);
    rf_error err = {0};
    rf_offer *offers = NULL;
    rf_lease_id ended[BATCH];
    assert_ok(RF_NEW_ARRAY(&offers, BATCH, "offers", &err));
    const double began_s = rf_clock_s();
    for (int i = 0; i < N; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            offers[k] = (rf_offer){.job_id = i + k + 1, .token = 1, .user_id = (i + k) % 50, .plan = "{}"};
        assert_ok(rf_queue_offer(r->scheduler, offers, BATCH, &err));
    }
    const double offered_s = rf_clock_s();
    int64_t position = 0;
    assert_ok(rf_queue_position(r->scheduler, N, &position, &err));
    assert_in_range(position, N - 100, N);
    for (int i = 0; i < N; i += BATCH) {
        for (int k = 0; k < BATCH; k++) {
            ended[k] = (rf_lease_id){.job_id = rig_lease(r, 0), .token = 1};
            assert_int_not_equal(ended[k].job_id, 0);
        }
        assert_ok(rf_queue_settle(r->scheduler, ended, BATCH, &err));
    }
    printf("%d jobs: %.0f offers/s, %.0f leases and settles/s\n", N, N / (offered_s - began_s),
           N / (rf_clock_s() - offered_s));
    assert_int_equal(rig_lease(r, 0), 0);
    rf_free(offers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_jobs_of_a_user_come_first),
        cmocka_unit_test(equal_jobs_come_in_the_order_of_their_ids),
        cmocka_unit_test(urgent_job_comes_first_until_others_have_waited_long_enough),
        cmocka_unit_test(low_priority_does_not_starve),
        cmocka_unit_test(second_user_need_not_wait_for_the_first_ones_queue),
        cmocka_unit_test(users_share_in_equal_parts_whatever_their_queues),
        cmocka_unit_test(dear_jobs_count_for_more_than_cheap_ones),
        cmocka_unit_test(users_are_charged_what_their_jobs_took_in_truth),
        cmocka_unit_test(users_of_jobs_that_take_no_time_take_turns),
        cmocka_unit_test(user_who_was_away_has_earned_nothing),
        cmocka_unit_test(limit_of_a_user_is_kept_and_does_not_hold_up_others),
        cmocka_unit_test(worker_that_is_lost_frees_its_users_place),
        cmocka_unit_test(hundred_thousand_jobs_go_through),
    };
    return rig_run(tests, sizeof tests / sizeof tests[0]);
}
