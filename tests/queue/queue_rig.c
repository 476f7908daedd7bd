#include "queue_rig.h"

#include <stdatomic.h>
#include <sys/socket.h>

#include "core/alloc.h"
#include "queue/memory_state.h"

const rig_side rig_sides[] = {{"in the process", false}, {"over a socket", true}};
const int rig_n_sides = sizeof rig_sides / sizeof rig_sides[0];

static _Atomic int64_t clock_now_ms;

static int64_t read_clock(void)
{
    return atomic_load(&clock_now_ms);
}

void rig_pass(int64_t ms)
{
    atomic_fetch_add(&clock_now_ms, ms);
}

int64_t rig_register(rf_queue *worker, const char *need)
{
    rf_error err = {0};
    rf_worker_info self = {.pid = 1};
    int64_t id = 0;
    snprintf(self.need, sizeof self.need, "%s", need);
    snprintf(self.host, sizeof self.host, "here");
    assert_ok(rf_queue_register(worker, &self, &id, &err));
    assert_true(id > 0);
    return id;
}

rf_queue *rig_connect(rig *r)
{
    rf_error err = {0};
    int pair[2];
    rf_queue *worker = NULL;
    if (r->worker == r->scheduler)
        return r->scheduler;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_ok(rf_queue_serve_fd(r->scheduler, pair[0], &err));
    assert_ok(rf_queue_connect_fd(&worker, pair[1], &err));
    return worker;
}

void rig_open(rig *r, int side)
{
    rf_error err = {0};
    const rf_queue_options options = {
        .lease_ms = RIG_LEASE_MS, .age_ms = RIG_AGE_MS, .worker_ttl_ms = RIG_TTL_MS};
    *r = (rig){0};
    atomic_store(&clock_now_ms, 1000);
    assert_ok(rf_queue_open_memory(&r->scheduler, &options, &err));
    ((rfi_memory *)(void *)r->scheduler)->now_ms = read_clock;
    r->worker = rig_sides[side].real_end ? NULL : r->scheduler;
    r->worker = rig_connect(r);
    r->worker_id = rig_register(r->worker, "cpu");
}

void rig_close(rig *r)
{
    if (r->worker != r->scheduler)
        rf_queue_close(r->worker);
    rf_queue_close(r->scheduler);
}

/* ------------------------------------------------------------------ words */

void rig_offer_as(rig *r, rf_offer offer)
{
    rf_error err = {0};
    if (!offer.plan)
        offer.plan = "{}";
    assert_ok(rf_queue_offer(r->scheduler, &offer, 1, &err));
}

void rig_offer(rig *r, int64_t job_id, int64_t token, int64_t user_id)
{
    rig_offer_as(r, (rf_offer){.job_id = job_id,
                               .token = token,
                               .user_id = user_id,
                               .kind = RF_JOB_NOOP,
                               .priority = RF_PRIORITY_DEFAULT,
                               .created_ms = job_id});
}

int64_t rig_lease_for(rf_queue *worker, int64_t worker_id, int64_t timeout_ms)
{
    rf_error err = {0};
    rf_lease lease = {0};
    assert_ok(rf_queue_lease(worker, worker_id, timeout_ms, &lease, &err));
    if (lease.job_id)
        assert_non_null(lease.plan);
    rf_lease_free(&lease);
    return lease.job_id;
}

int64_t rig_lease(rig *r, int64_t timeout_ms)
{
    return rig_lease_for(r->worker, r->worker_id, timeout_ms);
}

rf_beat_answer rig_beat(rig *r, int64_t job_id, int64_t token)
{
    rf_error err = {0};
    rf_worker_wish wish;
    rf_beat beat = {.job_id = job_id, .token = token};
    assert_ok(rf_queue_beat(r->worker, r->worker_id, 0, &beat, 1, &wish, &err));
    return beat.answer;
}

void rig_settle(rig *r, int64_t job_id, int64_t token)
{
    rf_error err = {0};
    const rf_lease_id id = {.job_id = job_id, .token = token};
    assert_ok(rf_queue_settle(r->scheduler, &id, 1, &err));
}

void rig_send(rig *r, rf_event_kind kind, int64_t job_id, int64_t token, const char *body)
{
    rf_error err = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", body);
    const rf_event event = {
        .kind = kind, .job_id = job_id, .token = token, .worker_id = r->worker_id, .body = copy};
    assert_ok(rf_queue_send(r->worker, &event, &err));
}

int32_t rig_expired(rig *r, rf_lease_id out[16])
{
    rf_error err = {0};
    int32_t n = 0;
    assert_ok(rf_queue_expired(r->scheduler, out, 16, &n, &err));
    return n;
}

/* ------------------------------------------------------------------ running */

static int side_now;

static int set_up(void **state)
{
    static rig r;
    rig_open(&r, side_now);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

rig *rig_of(void **state)
{
    return *state;
}

int rig_run(const struct CMUnitTest *tests, size_t n)
{
    int failed = 0;
    struct CMUnitTest with_rig[64];
    assert_true(n <= 64);
    for (side_now = 0; side_now < rig_n_sides; side_now++) {
        for (size_t i = 0; i < n; i++) {
            with_rig[i] = tests[i];
            with_rig[i].setup_func = set_up;
            with_rig[i].teardown_func = tear_down;
        }
        printf("the queue %s\n", rig_sides[side_now].name);
        failed += _cmocka_run_group_tests(rig_sides[side_now].name, with_rig, n, NULL, NULL);
    }
    return failed;
}
