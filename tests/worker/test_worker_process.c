/* Workers as processes: started, killed at every point, frozen, ended. The test is in the scheduler's place, and is itself the
 * program of its workers: `test_worker_process worker FOLDER`. */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "worker/children.h"
#include "worker_rig.h"

/* ------------------------------------------------------------------ the worker */

static void on_term(int signal_number)
{
    (void)signal_number;
    rf_worker_quiet();
}

static int be_worker(const char *folder)
{
    rf_error err = {0};
    char objects[128], scratch[128];
    rf_queue *queue = NULL;
    rf_storage *storage = NULL;
    snprintf(objects, sizeof objects, "%s/objects", folder);
    snprintf(scratch, sizeof scratch, "%s/scratch", folder);
    signal(SIGTERM, on_term);
    rf_code rc = rf_queue_connect_fd(&queue, RF_CHILD_FD, &err);
    if (rc == RF_OK)
        rc = rf_storage_open_folder(&storage, objects, "", 0, &err);
    const rf_worker_options options = {.queue = queue,
                                       .storage = storage,
                                       .scratch = scratch,
                                       .device = "cpu",
                                       .threads = 1,
                                       .beat_s = 0.1,
                                       .checkpoint_s = 0.02};
    if (rc == RF_OK)
        rc = rf_worker_run(&options, &err);
    rf_queue_close(queue);
    rf_storage_close(storage);
    return rc == RF_OK ? 0 : 1;
}

/* ------------------------------------------------------------------ the rig */

static rf_children *children;

static void start_children(worker_rig *r, int n)
{
    rf_error err = {0};
    const char *const command[] = {"test_worker_process", "worker", r->folder, NULL};
    const rf_children_options options = {.queue = r->queue, .n = n, .command = command};
    assert_ok(rf_children_start(&children, &options, &err));
}

static worker_rig *open_rig(int64_t lease_ms)
{
    rf_error err = {0};
    worker_rig *r = malloc(sizeof *r);
    assert_non_null(r);
    rig_open(r);
    rf_queue_close(r->queue);
    assert_ok(rf_queue_open_memory(&r->queue, &(rf_queue_options){.lease_ms = lease_ms}, &err));
    return r;
}

static void close_rig(worker_rig *r)
{
    rf_children_close(children, 20000);
    children = NULL;
    rig_close(r);
    free(r);
}

static void pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void kill_child(int i)
{
    const pid_t pid = rf_children_pid(children, i);
    if (pid > 0)
        kill(pid, SIGKILL);
}

/* The lease that ended without a word. */
static rf_lease_id await_expired(worker_rig *r)
{
    rf_error err = {0};
    rf_lease_id id;
    for (int32_t n = 0; n == 0; pause_ms(5))
        assert_ok(rf_queue_expired(r->queue, &id, 1, &n, &err));
    return id;
}

/* ------------------------------------------------------------------ kills */

/* Where a word says that the worker is. */
typedef struct point {
    rf_event_kind kind;
    const char *body;
    int times;
} point;

static void await_point(worker_rig *r, const point *at)
{
    for (int seen = 0; seen < at->times;) {
        const rf_event *event = rig_next(r);
        seen += event->kind == at->kind && strstr(event->body, at->body) != NULL;
    }
}

/* The last checkpoint of the job that was told, into the plan. */
static void go_on_from(worker_rig *r, int64_t job_id, rf_plan *plan)
{
    rf_error err = {0};
    for (int32_t i = 0; i < r->n_events; i++) {
        rf_result_checkpoint c;
        if (r->events[i].kind != RF_EVENT_CHECKPOINT || r->events[i].job_id != job_id)
            continue;
        assert_ok(rf_result_read_checkpoint(&c, &r->arena, r->events[i].body, &err));
        plan->has_checkpoint = true;
        plan->checkpoint = (rf_plan_checkpoint){.key = c.key, .sha256 = c.sha256, .step = c.step};
    }
}

/* Words that were sent before the death are taken before the lease is looked at. */
static void drain(worker_rig *r)
{
    rf_error err = {0};
    for (int32_t n = 1; n > 0; r->n_events += n)
        assert_ok(rf_queue_events_take(r->queue, &r->events[r->n_events], 1, 0, &n, &err));
}

static void job_whose_worker_is_killed_anywhere_ends_with_the_same_bytes(void **state)
{
    static const point points[] = {
        {RF_EVENT_STARTED, "", 1},           {RF_EVENT_PROGRESS, "\"read\"", 1},
        {RF_EVENT_PROGRESS, "\"train\"", 1}, {RF_EVENT_CHECKPOINT, "", 1},
        {RF_EVENT_CHECKPOINT, "", 3},        {RF_EVENT_PROGRESS, "\"sample\"", 1},
        {RF_EVENT_PROGRESS, "\"judge\"", 1}, {RF_EVENT_PROGRESS, "\"store\"", 1},
    };
    (void)state;
    worker_rig *r = open_rig(30000);
    const rf_plan plan = rig_generate_plan(r, 600, 60);
    start_children(r, 1);
    rig_offer(r, 1, &plan);
    const rf_result_done undisturbed = rig_done(r, 1);
    for (int i = 0; i < (int)(sizeof points / sizeof points[0]); i++) {
        rf_plan again = plan;
        const int64_t job_id = 10 + i;
        rig_offer(r, job_id, &plan);
        await_point(r, &points[i]);
        kill_child(0);
        const rf_lease_id lost = await_expired(r);
        assert_int_equal(lost.job_id, job_id);
        assert_true(lost.lost);
        drain(r);
        go_on_from(r, job_id, &again);
        rig_offer(r, job_id, &again);
        rf_result_done done = {0};
        for (const rf_event *end = rig_end_of(r, job_id);; end = rig_end_of(r, job_id)) {
            rf_error err = {0};
            assert_int_equal(end->kind, RF_EVENT_DONE);
            if (end->token != r->token)
                continue; /* it had just finished: refused by its token */
            assert_ok(rf_result_read_done(&done, &r->arena, end->body, &err));
            break;
        }
        assert_string_equal(done.data.sha256, undisturbed.data.sha256);
        assert_string_equal(done.model.sha256, undisturbed.model.sha256);
    }
    close_rig(r);
}

static void job_that_kills_its_worker_is_lost_and_another_worker_comes(void **state)
{
    (void)state;
    worker_rig *r = open_rig(30000);
    const rf_plan crash = {.kind = RF_JOB_NOOP, .fails = true, .failure = RF_FAILURE_CRASH};
    const rf_plan fine = {.kind = RF_JOB_NOOP};
    int64_t restarts = 0;
    start_children(r, 1);
    rig_offer(r, 1, &crash);
    assert_true(await_expired(r).lost);
    rig_offer(r, 1, &fine);
    (void)rig_done(r, 1);
    (void)rf_children_alive(children, &restarts);
    assert_int_equal(restarts, 1);
    close_rig(r);
}

static void worker_that_was_frozen_past_its_lease_says_nothing_of_the_job(void **state)
{
    (void)state;
    rf_error err = {0};
    worker_rig *r = open_rig(1200);
    const rf_plan slow = {.kind = RF_JOB_NOOP, .work_ms = 600000}, fine = {.kind = RF_JOB_NOOP};
    start_children(r, 1);
    rig_offer(r, 1, &slow);
    const int64_t first = rig_until(r, 1, RF_EVENT_STARTED)->token;
    const pid_t frozen = rf_children_pid(children, 0);
    kill(frozen, SIGSTOP);
    assert_false(await_expired(r).lost);
    rig_offer(r, 1, &fine);
    kill(frozen, SIGCONT);
    const rf_event *end = rig_end_of(r, 1); /* by the same worker, once it has dropped the other */
    assert_int_equal(end->token, first + 1);
    assert_int_equal(end->kind, RF_EVENT_DONE);
    assert_ok(rf_queue_pause(r->queue, NULL, true, &err));
    drain(r);
    for (int32_t i = 0; i < r->n_events; i++)
        assert_false(r->events[i].token == first && r->events[i].kind != RF_EVENT_STARTED);
    close_rig(r);
}

/* Applies words as the scheduler would: by token. */
static void many_jobs_under_random_kills_end_once_each(void **state)
{
    enum { JOBS = 300, WORKERS = 2 };
    (void)state;
    rf_error err = {0};
    worker_rig *r = open_rig(30000);
    int64_t tokens[JOBS + 1] = {0}, left = JOBS, begun = 0, kills = 0;
    int ended[JOBS + 1] = {0};
    const rf_plan plan = {.kind = RF_JOB_NOOP, .work_ms = 3};
    start_children(r, WORKERS);
    for (int i = 1; i <= JOBS; i++) {
        rig_offer(r, i, &plan);
        tokens[i] = r->token;
    }
    while (left > 0) {
        rf_event event;
        rf_lease_id lost[8];
        int32_t n = 0;
        assert_ok(rf_queue_events_take(r->queue, &event, 1, 20, &n, &err));
        if (n && event.kind == RF_EVENT_DONE && event.token == tokens[event.job_id]) {
            left -= ended[event.job_id]++ == 0;
            const rf_lease_id id = {.job_id = event.job_id, .token = event.token};
            assert_ok(rf_queue_settle(r->queue, &id, 1, &err));
        }
        if (n && event.kind == RF_EVENT_STARTED && ++begun % 12 == 0)
            kill_child((int)(++kills % WORKERS));
        if (n) {
            rf_event_free(&event);
            continue; /* drained first */
        }
        assert_ok(rf_queue_expired(r->queue, lost, 8, &n, &err));
        for (int32_t i = 0; i < n; i++)
            if (ended[lost[i].job_id]) {
                assert_ok(rf_queue_settle(r->queue, &lost[i], 1, &err));
            } else {
                rig_offer(r, lost[i].job_id, &plan);
                tokens[lost[i].job_id] = r->token;
            }
    }
    assert_true(kills >= JOBS / 12);
    close_rig(r);
}

/* ------------------------------------------------------------------ children */

static void wait_for_file(const char *path)
{
    struct stat status;
    while (stat(path, &status) != 0 || status.st_size == 0)
        pause_ms(5);
}

static void start_shell(worker_rig *r, const char *script)
{
    rf_error err = {0};
    const char *const command[] = {"sh", "-c", script, r->folder, NULL};
    const rf_children_options options = {.queue = r->queue, .n = 1, .program = "/bin/sh", .command = command};
    assert_ok(rf_children_start(&children, &options, &err));
}

static void child_gets_its_socket_and_no_secrets(void **state)
{
    (void)state;
    char path[128], *seen;
    worker_rig *r = open_rig(30000);
    setenv("SECRET_KEY", "do not tell", 1);
    setenv("DATABASE_URL", "sqlite:///do-not-tell", 1);
    setenv("LEASE_SECONDS", "17", 1);
    start_shell(r, "(env; readlink /proc/self/fd/3) > $0/new; mv $0/new $0/seen; exec sleep 600");
    snprintf(path, sizeof path, "%s/seen", r->folder);
    wait_for_file(path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    seen = calloc(1, 65536);
    assert_non_null(seen);
    assert_true(fread(seen, 1, 65535, file) > 0);
    fclose(file);
    assert_null(strstr(seen, "do not tell"));
    assert_null(strstr(seen, "do-not-tell"));
    assert_non_null(strstr(seen, "LEASE_SECONDS=17"));
    assert_non_null(strstr(seen, "socket:["));
    free(seen);
    unsetenv("SECRET_KEY");
    unsetenv("DATABASE_URL");
    close_rig(r);
}

static void child_that_does_not_end_is_killed_after_the_grace(void **state)
{
    (void)state;
    char path[128];
    worker_rig *r = open_rig(30000);
    start_shell(r, "trap '' TERM; echo > $0/ready; while :; do sleep 0.1; done");
    snprintf(path, sizeof path, "%s/ready", r->folder);
    wait_for_file(path);
    const pid_t pid = rf_children_pid(children, 0);
    rf_children_close(children, 300);
    children = NULL;
    assert_int_not_equal(kill(pid, 0), 0);
    close_rig(r);
}

static void child_that_dies_at_once_is_started_again_and_again_but_slower(void **state)
{
    (void)state;
    int64_t restarts = 0;
    worker_rig *r = open_rig(30000);
    start_shell(r, "exit 3");
    const double began_s = rf_clock_s();
    while (restarts < 3) { /* after pauses of 0.1, 0.2 and 0.4 seconds */
        (void)rf_children_alive(children, &restarts);
        pause_ms(5);
    }
    assert_true(rf_clock_s() - began_s >= 0.69);
    close_rig(r);
}

static void worker_ends_when_it_is_told_to_be_quiet(void **state)
{
    (void)state;
    worker_rig *r = open_rig(30000);
    const rf_plan slow = {.kind = RF_JOB_NOOP, .work_ms = 600000};
    start_children(r, 1);
    rig_offer(r, 1, &slow);
    (void)rig_until(r, 1, RF_EVENT_STARTED);
    rf_children_quiet(children);
    assert_false(rig_released(r, 1).cancelled);
    while (rf_children_alive(children, NULL) > 0)
        pause_ms(5);
    close_rig(r);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "worker"))
        return be_worker(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_whose_worker_is_killed_anywhere_ends_with_the_same_bytes),
        cmocka_unit_test(job_that_kills_its_worker_is_lost_and_another_worker_comes),
        cmocka_unit_test(worker_that_was_frozen_past_its_lease_says_nothing_of_the_job),
        cmocka_unit_test(many_jobs_under_random_kills_end_once_each),
        cmocka_unit_test(child_gets_its_socket_and_no_secrets),
        cmocka_unit_test(child_that_does_not_end_is_killed_after_the_grace),
        cmocka_unit_test(child_that_dies_at_once_is_started_again_and_again_but_slower),
        cmocka_unit_test(worker_ends_when_it_is_told_to_be_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
