/* All of it at once: submits, cancels, looks, two workers and the scheduler's own threads. Each job ends once. Run under
 * ThreadSanitizer this is the test that the locks are where they should be. */
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "core/alloc.h"
#include "scheduler_rig.h"

enum { SUBMITTERS = 4, WORKERS = 2, JOBS_EACH = 60, JOBS = SUBMITTERS * JOBS_EACH };

typedef struct crowd {
    char folder[64];
    rf_db *db;
    rf_queue *queue;
    rf_scheduler *s;
    int64_t user;
    _Atomic int64_t jobs[JOBS];
    _Atomic int n_jobs;
    _Atomic bool over;
    _Atomic int wrong;
} crowd;

static rf_code insert_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_user_insert(tx, arg, err);
}

static void open_crowd(crowd *c)
{
    rf_error err = {0};
    char url[128];
    rf_user user = {.email = "a@example.org", .name = "", .password_hash = "x"};
    snprintf(c->folder, sizeof c->folder, "/tmp/rowforge-crowd-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    snprintf(url, sizeof url, "sqlite:///%s/crowd.db", c->folder);
    assert_ok(rf_db_open(&c->db, &(rf_db_options){.url = url}, &err));
    assert_ok(rf_db_migrate(c->db, 1, NULL, &err));
    assert_ok(rf_db_write(c->db, insert_user, &user, &err));
    c->user = user.id;
    assert_ok(rf_queue_open_memory(&c->queue, &(rf_queue_options){.lease_ms = 60000}, &err));
    const rf_scheduler_options options = {
        .db = c->db, .queue = c->queue, .reap_ms = 20, .relay_ms = 10, .reconcile_ms = 30, .clean_ms = 25};
    assert_ok(rf_scheduler_open(&c->s, &options, &err));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

/* ------------------------------------------------------------------ who is there */

static void *submit_jobs(void *arg)
{
    crowd *const c = arg;
    for (int i = 0; i < JOBS_EACH; i++) {
        rf_arena arena;
        rf_arena_init(&arena);
        rf_error err = {0};
        rf_receipt receipt;
        const rf_noop ask = {.user_id = c->user, .unlimited = true};
        if (rf_job_submit_noop(c->s, &ask, NULL, &arena, &receipt, &err) == RF_OK)
            c->jobs[atomic_fetch_add(&c->n_jobs, 1)] = receipt.id;
        else
            c->wrong++;
        rf_arena_free(&arena);
    }
    return NULL;
}

static void *cancel_some(void *arg)
{
    crowd *const c = arg;
    while (!c->over) {
        rf_error err = {0};
        rf_job_state state;
        const int n = c->n_jobs;
        const int64_t job = n ? c->jobs[(n * 7 / 9) % JOBS] : 0;
        if (job && rf_job_cancel(c->s, c->user, job, "user", &state, &err) != RF_OK)
            c->wrong++;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return NULL;
}

static void *look_around(void *arg)
{
    crowd *const c = arg;
    while (!c->over) {
        rf_arena arena;
        rf_arena_init(&arena);
        rf_error err = {0};
        rf_metrics metrics;
        rf_job_view *views = NULL;
        int32_t n = 0;
        const rf_job_filter filter = {.user_id = c->user, .state = -1, .kind = -1, .limit = 50};
        if (rf_admin_metrics(c->s, &arena, &metrics, &err) != RF_OK ||
            rf_job_list(c->s, &filter, &arena, &views, &n, &err) != RF_OK)
            c->wrong++;
        rf_arena_free(&arena);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void *work(void *arg)
{
    crowd *const c = arg;
    rf_error err = {0};
    int64_t me = 0;
    char started[] = "{\"device\":\"cpu\"}", done[] = "{\"kind\":\"noop\"}";
    if (rf_queue_register(c->queue, &(rf_worker_info){.pid = 1, .need = "cpu"}, &me, &err) != RF_OK)
        c->wrong++;
    while (!c->over) {
        rf_lease lease = {0};
        if (rf_queue_lease(c->queue, me, 20, &lease, &err) != RF_OK)
            break;
        if (!lease.job_id)
            continue;
        rf_event word = {.job_id = lease.job_id, .token = lease.token, .worker_id = me};
        word.kind = RF_EVENT_STARTED;
        word.body = started;
        const rf_code first = rf_queue_send(c->queue, &word, &err);
        word.kind = RF_EVENT_DONE;
        word.body = done;
        if (first != RF_OK || rf_queue_send(c->queue, &word, &err) != RF_OK)
            c->wrong++;
        rf_lease_free(&lease);
    }
    return NULL;
}

/* ------------------------------------------------------------------ */

static bool all_ended(crowd *c)
{
    rf_arena arena;
    rf_arena_init(&arena);
    rf_error err = {0};
    bool ended = c->n_jobs + c->wrong >= JOBS;
    for (int i = 0; ended && i < c->n_jobs; i++) {
        rf_job job;
        ended = c->jobs[i] && rf_job_get(c->s, 0, c->jobs[i], &arena, &job, &err) == RF_OK &&
                rf_job_state_is_final(job.state);
    }
    rf_arena_free(&arena);
    return ended;
}

static void everything_at_once_ends_each_job_once(void **state)
{
    (void)state;
    static crowd c;
    rf_error err = {0};
    pthread_t submitters[SUBMITTERS], workers[WORKERS], others[2];
    open_crowd(&c);
    assert_ok(rf_scheduler_start(c.s, &err));
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i], NULL, submit_jobs, &c), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, work, &c), 0);
    assert_int_equal(pthread_create(&others[0], NULL, cancel_some, &c), 0);
    assert_int_equal(pthread_create(&others[1], NULL, look_around, &c), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i], NULL);
    while (!all_ended(&c))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    c.over = true;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    rf_scheduler_stop(c.s);
    assert_int_equal(c.wrong, 0);

    rf_arena arena;
    rf_arena_init(&arena);
    int completed = 0, cancelled = 0;
    for (int i = 0; i < JOBS; i++) {
        rf_job job;
        assert_ok(rf_job_get(c.s, 0, c.jobs[i], &arena, &job, &err));
        completed += job.state == RF_JOB_COMPLETED;
        cancelled += job.state == RF_JOB_CANCELLED;
    }
    rf_arena_free(&arena);
    assert_int_equal(completed + cancelled, JOBS);
    assert_true(completed > 0);
    rf_scheduler_close(c.s);
    rf_queue_close(c.queue);
    rf_db_close(c.db);
    nftw(c.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once_ends_each_job_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
