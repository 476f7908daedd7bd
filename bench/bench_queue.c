/* bench_queue - jobs of no work through the whole of the embedded service below HTTP, one JSON object a line.
 *
 * throughput: threads submit, each with a commit it waits for; two worker processes lease over socket pairs, begin, end;
 * the scheduler applies their words. The clock runs from the first submit to the last job's end in the database. Checked
 * before it is told: every job completed, with one attempt each.
 * idle: one job at a time into an empty queue; from the call of submit until a worker at the other end of a socket has it.
 * recover: a start with 100,000 jobs that wait in the database and a queue that knows none of them, then one that knows all.
 * Beside them, as the machine's limit: commits of one small row a second, by the same database.
 *
 *     bench_queue [jobs] [full]       full: synchronous=FULL
 */
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_clock.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/log.h"
#include "db/db.h"
#include "db/db_accounts.h"
#include "db/db_jobs.h"
#include "db/db_ops.h"
#include "queue/queue.h"
#include "scheduler/admin.h"
#include "scheduler/jobs.h"
#include "scheduler/scheduler.h"
#include "worker/worker.h"

enum { WORKERS = 2, SUBMITTERS = 8, RUNS = 3, IDLE_JOBS = 300, RAW_COMMITS = 2000, WAITING = 100000 };

typedef struct bench {
    char folder[64];
    rf_db *db;
    rf_queue *queue;
    rf_scheduler *s;
    int64_t user;
    int64_t n_jobs;
    _Atomic int64_t submitted;
    pid_t workers[WORKERS];
    int fds[WORKERS]; /* our ends */
} bench;

static void check(rf_code rc, const rf_error *err)
{
    if (rc == RF_OK)
        return;
    fprintf(stderr, "bench_queue: %s (%s)\n", err->message, err->detail);
    _exit(1);
}

/* ---- workers, as processes ------------------------------------------------------------------ */

static void run_worker(int fd, const char *folder)
{
    rf_error err = {0};
    rf_queue *queue = NULL;
    char scratch[96];
    snprintf(scratch, sizeof scratch, "%s/work", folder);
    check(rf_queue_connect_fd(&queue, fd, &err), &err);
    const rf_worker_options options = {.queue = queue, .scratch = scratch, .device = "cpu", .threads = 1};
    const rf_code rc = rf_worker_run(&options, &err);
    _exit(rc == RF_OK || rc == RF_INTERRUPTED ? 0 : 1);
}

/* Before any thread of ours begins. */
static void fork_workers(bench *b)
{
    for (int i = 0; i < WORKERS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            _exit(1);
        b->workers[i] = fork();
        if (b->workers[i] == 0) {
            close(pair[0]);
            for (int j = 0; j < i; j++)
                close(b->fds[j]);
            run_worker(pair[1], b->folder);
        }
        close(pair[1]);
        b->fds[i] = pair[0];
    }
}

/* ---- the service ---------------------------------------------------------------------------- */

static rf_code add_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_user user = {.email = "bench@example.org", .name = "", .password_hash = "x"};
    const rf_code rc = rf_db_user_insert(tx, &user, err);
    *(int64_t *)arg = user.id;
    return rc;
}

static void open_service(bench *b, bool full)
{
    rf_error err = {0};
    char url[128];
    snprintf(url, sizeof url, "sqlite:///%s/bench.db", b->folder);
    check(rf_db_open(&b->db, &(rf_db_options){.url = url, .full_sync = full}, &err), &err);
    check(rf_db_migrate(b->db, 1, NULL, &err), &err);
    check(rf_db_write(b->db, add_user, &b->user, &err), &err);
    check(rf_queue_open_memory(&b->queue, &(rf_queue_options){0}, &err), &err);
    check(rf_scheduler_open(&b->s, &(rf_scheduler_options){.db = b->db, .queue = b->queue}, &err), &err);
    check(rf_scheduler_start(b->s, &err), &err);
}

static int64_t submit(bench *b)
{
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    rf_receipt receipt;
    const rf_noop ask = {.user_id = b->user, .unlimited = true};
    check(rf_job_submit_noop(b->s, &ask, NULL, &arena, &receipt, &err), &err);
    rf_arena_free(&arena);
    return receipt.id;
}

static int64_t count_completed(bench *b)
{
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    rf_metrics metrics;
    check(rf_admin_metrics(b->s, &arena, &metrics, &err), &err);
    rf_arena_free(&arena);
    return metrics.jobs[RF_JOB_NOOP][RF_JOB_COMPLETED];
}

/* ---- throughput ----------------------------------------------------------------------------- */

static void *submit_many(void *arg)
{
    bench *const b = arg;
    while (atomic_fetch_add(&b->submitted, 1) < b->n_jobs)
        submit(b);
    return NULL;
}

static void check_all_completed(bench *b, int64_t n)
{
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    rf_job_filter filter = {.state = -1, .kind = -1, .limit = 200};
    int64_t seen = 0;
    for (;;) {
        rf_job_view *views = NULL;
        int32_t page = 0;
        rf_arena_free(&arena);
        check(rf_job_list(b->s, &filter, &arena, &views, &page, &err), &err);
        for (int32_t i = 0; i < page; i++)
            if (views[i].job.state != RF_JOB_COMPLETED || views[i].job.attempt != 1) {
                fprintf(stderr, "bench_queue: job %lld is %s\n", (long long)views[i].job.id,
                        rf_job_state_name(views[i].job.state));
                _exit(1);
            }
        seen += page;
        if (!page)
            break;
        filter.before_id = views[page - 1].job.id;
    }
    rf_arena_free(&arena);
    if (seen != n)
        _exit(1);
}

static void run_throughput(bench *b)
{
    pthread_t threads[SUBMITTERS];
    const int64_t before = count_completed(b);
    const rf_db_counts earlier = rf_db_counts_get(b->db);
    const double start_s = rf_clock_s();
    b->submitted = 0;
    for (int i = 0; i < SUBMITTERS; i++)
        if (pthread_create(&threads[i], NULL, submit_many, b) != 0)
            _exit(1);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    const double submitted_s = rf_clock_s() - start_s;
    while (count_completed(b) - before < b->n_jobs)
        usleep(1000);
    const double all_s = rf_clock_s() - start_s;
    const rf_db_counts counts = rf_db_counts_get(b->db);
    printf("{\"bench\":\"queue\",\"case\":\"throughput\",\"jobs\":%lld,\"submit_per_s\":%.0f,"
           "\"submit_and_complete_per_s\":%.0f,\"writes_per_commit\":%.1f}\n",
           (long long)b->n_jobs, (double)b->n_jobs / submitted_s, (double)b->n_jobs / all_s,
           (double)(counts.writes - earlier.writes) / (double)(counts.commits - earlier.commits));
    fflush(stdout);
}

/* ---- idle ----------------------------------------------------------------------------------- */

typedef struct idle_worker {
    rf_queue *queue;
    int64_t id;
    _Atomic int64_t leased; /* the job that was handed out last */
    _Atomic double at_s;
} idle_worker;

static void *lease_idle(void *arg)
{
    idle_worker *const w = arg;
    rf_error err = {0};
    for (;;) {
        rf_lease lease = {0};
        if (rf_queue_lease(w->queue, w->id, 1000, &lease, &err) != RF_OK)
            return NULL;
        if (!lease.job_id)
            continue;
        w->at_s = rf_clock_s();
        w->leased = lease.job_id;
        char body[] = "{\"kind\":\"noop\"}";
        const rf_event done = {.kind = RF_EVENT_DONE,
                               .job_id = lease.job_id,
                               .token = lease.token,
                               .worker_id = w->id,
                               .body = body};
        rf_lease_free(&lease);
        if (rf_queue_send(w->queue, &done, &err) != RF_OK)
            return NULL;
    }
}

static void run_idle(bench *b)
{
    rf_error err = {0};
    int pair[2];
    double ms[IDLE_JOBS];
    pthread_t thread;
    idle_worker w = {0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        _exit(1);
    check(rf_queue_serve_fd(b->queue, pair[0], &err), &err);
    check(rf_queue_connect_fd(&w.queue, pair[1], &err), &err);
    check(rf_queue_register(w.queue, &(rf_worker_info){.pid = 1, .need = "cpu"}, &w.id, &err), &err);
    if (pthread_create(&thread, NULL, lease_idle, &w) != 0)
        _exit(1);
    for (int i = 0; i < IDLE_JOBS; i++) {
        usleep(3000);
        const int64_t before = count_completed(b);
        const double start_s = rf_clock_s();
        const int64_t job = submit(b);
        while (w.leased != job)
            usleep(50);
        ms[i] = (w.at_s - start_s) * 1e3;
        while (count_completed(b) == before)
            usleep(500);
    }
    qsort(ms, IDLE_JOBS, sizeof *ms, by_value);
    printf(
        "{\"bench\":\"queue\",\"case\":\"idle_submit_to_start\",\"jobs\":%d,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
        "\"max_ms\":%.3f}\n",
        IDLE_JOBS, ms[IDLE_JOBS / 2], ms[IDLE_JOBS * 99 / 100], ms[IDLE_JOBS - 1]);
    rf_queue_close(w.queue);
    pthread_join(thread, NULL);
}

/* ---- the machine's limit -------------------------------------------------------------------- */

static rf_code set_fact(rf_db_tx *tx, void *arg, rf_error *err)
{
    char value[24];
    snprintf(value, sizeof value, "%d", *(int *)arg);
    return rf_db_fact_set(tx, "bench", value, err);
}

static void run_raw(bench *b)
{
    rf_error err = {0};
    const double start_s = rf_clock_s();
    for (int i = 0; i < RAW_COMMITS; i++)
        check(rf_db_write(b->db, set_fact, &i, &err), &err);
    printf("{\"bench\":\"queue\",\"case\":\"commits_of_one_row\",\"per_s\":%.0f}\n",
           RAW_COMMITS / (rf_clock_s() - start_s));
}

/* ---- a start with much to do ---------------------------------------------------------------- */

static rf_code insert_waiting(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t user = *(const int64_t *)arg;
    for (int i = 0; i < WAITING && rc == RF_OK; i++) {
        rf_job job = {.user_id = user,
                      .kind = RF_JOB_NOOP,
                      .state = RF_JOB_QUEUED,
                      .priority = RF_PRIORITY_DEFAULT,
                      .unlimited = true,
                      .need = "cpu",
                      .plan =
                          "{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null}",
                      .token = 1,
                      .created_ms = 1};
        rc = rf_db_job_insert(tx, &job, err);
    }
    return rc;
}

/* Rows that wait, and a queue that has never heard of them. */
static void run_recovery(const bench *b)
{
    rf_error err = {0};
    bench second = {0};
    char url[128];
    snprintf(url, sizeof url, "sqlite:///%s/second.db", b->folder);
    check(rf_db_open(&second.db, &(rf_db_options){.url = url}, &err), &err);
    check(rf_db_migrate(second.db, 1, NULL, &err), &err);
    check(rf_db_write(second.db, add_user, &second.user, &err), &err);
    check(rf_db_write(second.db, insert_waiting, &second.user, &err), &err);
    check(rf_queue_open_memory(&second.queue, &(rf_queue_options){0}, &err), &err);
    check(rf_scheduler_open(&second.s, &(rf_scheduler_options){.db = second.db, .queue = second.queue}, &err),
          &err);
    double recover_s[2];
    for (int i = 0; i < 2; i++) { /* the second time the queue knows them all */
        const double start_s = rf_clock_s();
        check(rf_scheduler_recover(second.s, &err), &err);
        recover_s[i] = rf_clock_s() - start_s;
    }
    rf_queue_depth *depths = NULL;
    int32_t n = 0;
    check(rf_queue_depths(second.queue, &depths, &n, &err), &err);
    if (n != 1 || depths[0].waiting != WAITING)
        _exit(1);
    rf_free(depths);
    printf("{\"bench\":\"queue\",\"case\":\"recover\",\"jobs\":%d,\"offered_per_s\":%.0f,\"known_per_s\":%."
           "0f}\n",
           WAITING, WAITING / recover_s[0], WAITING / recover_s[1]);
    rf_scheduler_close(second.s);
    rf_queue_close(second.queue);
    rf_db_close(second.db);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    bench b = {.n_jobs = argc > 1 ? atoll(argv[1]) : 10000};
    const bool full = argc > 2 && !strcmp(argv[2], "full");
    rf_error err = {0};
    signal(SIGPIPE, SIG_IGN);
    snprintf(b.folder, sizeof b.folder, "/tmp/rowforge-bench-XXXXXX");
    if (!mkdtemp(b.folder) || b.n_jobs < 1)
        return 1;
    fork_workers(&b);
    open_service(&b, full);
    run_raw(&b);
    run_recovery(&b);
    run_idle(&b);
    for (int i = 0; i < WORKERS; i++)
        check(rf_queue_serve_fd(b.queue, b.fds[i], &err), &err);
    for (int run = 0; run < RUNS; run++)
        run_throughput(&b);
    check_all_completed(&b, IDLE_JOBS + RUNS * b.n_jobs);
    rf_scheduler_stop(b.s);
    rf_scheduler_close(b.s);
    rf_queue_close(b.queue);
    rf_db_close(b.db);
    for (int i = 0; i < WORKERS; i++)
        waitpid(b.workers[i], NULL, 0);
    nftw(b.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
