/* cmd_serve.c - the composition root: everything is opened here, in the order in which it depends on each other, and closed in reverse.
 *
 *     settings ─► data folder, lock, key ─► log ─► database ─► storage ─► queue ─► scheduler, accounts ─► HTTP ─► workers
 *
 * The end comes in steps. First nothing new begins: workers finish the job in hand, and HTTP still answers. When they are idle, or DRAIN_SECONDS
 * have passed, or a second signal came, they end and give back what they have; then HTTP drains, the scheduler takes note of the last words,
 * and what waits stays in the database. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/server.h"
#include "cli/service.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"
#include "queue/queue.h"
#include "scheduler/accounts.h"
#include "scheduler/scheduler.h"
#include "storage/storage.h"
#include "worker/children.h"

static const double END_WORKERS_S = 20, END_REQUESTS_S = 5;

typedef struct house {
    rf_service service;
    rf_db *db;
    rf_storage *storage;
    rf_queue *queue;
    rf_scheduler *scheduler;
    rf_accounts *accounts;
    rf_server *server;
    rf_children *children;
    sigset_t signals;
    char **environment; /* as it was; NULL: untouched */
} house;

/* ------------------------------------------------------------------ opening */

/* SIGTERM and SIGINT wait until the main thread asks for them; threads inherit that. */
static void hold_signals(house *h)
{
    sigemptyset(&h->signals);
    sigaddset(&h->signals, SIGTERM);
    sigaddset(&h->signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &h->signals, NULL);
    signal(SIGHUP, SIG_IGN);
}

/* Many connections, and no memory of ours in a core file. */
static void set_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
}

static rf_code open_scheduler(house *h, rf_error *err)
{
    const rf_settings *s = &h->service.settings;
    const rf_scheduler_options options = {
        .db = h->db,
        .queue = h->queue,
        .storage = h->storage,
        .require_approval = s->require_approval,
        .user_running_limit = (int32_t)s->max_concurrent,
        .user_waiting_limit = (int32_t)s->max_queued,
        .default_epochs = (int32_t)s->default_epochs,
        .min_epochs = (int32_t)s->min_epochs,
        .max_epochs = (int32_t)s->max_epochs,
        .job_timeout_ms = s->job_seconds * 1000,
        .reap_ms = rf_settings_ms(s->reap_s),
        .reconcile_ms = rf_settings_ms(s->reconcile_s),
        .relay_ms = rf_settings_ms(s->relay_s),
        .clean_ms = rf_settings_ms(s->sweep_s),
        .cancel_grace_ms = rf_settings_ms(s->cancel_grace_s),
        .retry_base_ms = rf_settings_ms(s->retry_base_s),
        .retry_cap_ms = rf_settings_ms(s->retry_cap_s),
        .max_attempts = (int32_t)s->max_attempts,
        .max_crashes = (int32_t)s->max_crashes,
        .keep_jobs_ms = s->retention_days * 24 * 3600 * 1000,
        .keep_idempotency_ms = s->temporary_hours * 3600 * 1000,
        .orphan_age_ms = s->temporary_hours * 3600 * 1000,
    };
    return rf_scheduler_open(&h->scheduler, &options, err);
}

static rf_code open_accounts(house *h, rf_error *err)
{
    const rf_settings *s = &h->service.settings;
    const rf_accounts_options options = {.db = h->db,
                                         .password_cost = (int)s->password_cost,
                                         .refresh_ms = s->refresh_days * 24 * 3600 * 1000,
                                         .failures_a_minute =
                                             s->rate_limit ? (int32_t)s->rate_login_failures : 0};
    return rf_accounts_open(&h->accounts, &options, err);
}

/* DOCS_DIR, or docs-ui beside the program. */
static rf_code find_docs(house *h, const char **out, rf_error *err)
{
    rf_settings *s = &h->service.settings;
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "docs-ui");
    *out = *s->docs_dir ? s->docs_dir : NULL;
    if (*out || n <= 0)
        return RF_OK;
    path[n] = 0;
    char *name = strrchr(path, '/') + 1;
    memcpy(name, "docs-ui", sizeof "docs-ui");
    if (access(path, R_OK | X_OK) == 0)
        *out = rf_arena_string(&s->arena, path, strlen(path));
    return rf_arena_check(&s->arena, "the folder of the documents", err);
}

static rf_code open_server(house *h, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *docs_dir = NULL;
    RF_TRY(find_docs(h, &docs_dir, err));
    const rf_server_options options = {.settings = &h->service.settings,
                                       .scheduler = h->scheduler,
                                       .accounts = h->accounts,
                                       .docs_dir = docs_dir};
    RF_TRY(rf_server_open(&h->server, &options, err));
out:
    return rc;
}

/* The children are given the settings as the environment, without secrets; nobody else here reads it any more. */
static rf_code open_children(house *h, rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_settings *s = &h->service.settings;
    int64_t n = 0;
    char threads[16], **environment = NULL;
    RF_TRY(rf_options_int(&cli->options, RF_OPT_WORKERS, 0, RF_CHILDREN_MAX, s->workers, &n, err));
    RF_TRY(rf_settings_environment(s, environ, &environment, err));
    h->environment = environ;
    environ = environment;
    snprintf(threads, sizeof threads, "%d", (int)s->worker_threads);
    const char *const command[] = {"rowforge",
                                   "worker",
                                   "--fd",
                                   "3",
                                   "--device",
                                   s->worker_device,
                                   s->worker_threads ? "--threads" : NULL,
                                   threads,
                                   NULL};
    const rf_children_options options = {.queue = h->queue, .n = (int)n, .command = command};
    RF_TRY(rf_children_start(&h->children, &options, err));
out:
    return rc;
}

static rf_code open_house(house *h, rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *objects = NULL;
    RF_TRY(rf_service_load(&h->service, cli, RF_SERVICE_ALONE, err));
    RF_TRY(rf_service_open_log(&h->service, true, err));
    RF_TRY(rf_service_open_db(&h->service, true, &h->db, err));
    RF_TRY(rf_service_path(&h->service, "objects", &objects, err));
    RF_TRY(rf_storage_open_folder(&h->storage, objects, h->service.settings.secret_key,
                                  strlen(h->service.settings.secret_key), err));
    const rf_queue_options queue = {.lease_ms = rf_settings_ms(h->service.settings.lease_s),
                                    .age_ms = rf_settings_ms(h->service.settings.ageing_s)};
    RF_TRY(rf_queue_open_memory(&h->queue, &queue, err));
    RF_TRY(open_scheduler(h, err));
    RF_TRY(open_accounts(h, err));
    RF_TRY(open_server(h, err));
    RF_TRY(rf_scheduler_start(h->scheduler, err));
    RF_TRY(open_children(h, cli, err));
out:
    return rc;
}

static void close_house(house *h)
{
    if (h->server)
        rf_server_drain(h->server, END_REQUESTS_S);
    if (h->scheduler)
        rf_scheduler_stop(h->scheduler);
    rf_server_close(h->server);
    rf_children_close(h->children, 0);
    rf_scheduler_close(h->scheduler);
    rf_accounts_close(h->accounts);
    rf_queue_close(h->queue);
    rf_storage_close(h->storage);
    rf_db_close(h->db);
    if (h->environment)
        environ = h->environment;
    rf_service_free(&h->service);
}

/* ------------------------------------------------------------------ running */

/* Waits for a signal; true when it is one to end by. */
static bool wait_signal(house *h, double seconds)
{
    const struct timespec timeout = {.tv_sec = (time_t)seconds,
                                     .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    const int number = sigtimedwait(&h->signals, NULL, &timeout);
    return number == SIGTERM || number == SIGINT;
}

/* Tells every worker to take no more; whether all of them are idle. */
static bool are_idle(house *h)
{
    rf_worker_info *workers = NULL;
    int32_t n = 0;
    bool idle = true;
    rf_error failure = {0};
    if (rf_queue_workers(h->queue, &workers, &n, &failure) != RF_OK) {
        rf_log_failure(RF_LOG_ERROR, "serve", &failure);
        return true;
    }
    for (int32_t i = 0; i < n; i++) {
        idle = idle && workers[i].job_id == 0;
        if (workers[i].wish != RF_WORKER_DRAIN &&
            rf_queue_worker_wish(h->queue, workers[i].id, RF_WORKER_DRAIN, &failure) != RF_OK)
            rf_log_failure(RF_LOG_WARNING, "serve", &failure); /* it has just gone */
    }
    rf_free(workers);
    return idle;
}

static void end_workers(house *h)
{
    const double drained_s = rf_clock_s() + h->service.settings.drain_s;
    bool hurry = false;
    while (!are_idle(h) && !hurry && rf_clock_s() < drained_s)
        hurry = wait_signal(h, 0.05);
    const double ended_s = rf_clock_s() + END_WORKERS_S;
    rf_children_quiet(h->children);
    while (rf_children_alive(h->children, NULL) > 0 && rf_clock_s() < ended_s)
        if (wait_signal(h, 0.05) && hurry)
            break;
}

static void announce(house *h)
{
    const rf_settings *s = &h->service.settings;
    const bool is_v6 = strchr(s->host, ':') != NULL;
    printf("http://%s%s%s:%d\n", is_v6 ? "[" : "", s->host, is_v6 ? "]" : "", (int)rf_server_port(h->server));
    fflush(stdout);
    rf_log(RF_LOG_INFO, "serve", "rowforge " RF_VERSION " listens on port %d, process %d, data in %s",
           (int)rf_server_port(h->server), (int)getpid(), s->data_dir);
}

rf_code rf_cmd_serve(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    house h = {.service.lock_fd = -1};
    hold_signals(&h);
    set_limits();
    RF_TRY(rf_options_operands(&cli->options, 0, "no argument", err));
    RF_TRY(open_house(&h, cli, err));
    announce(&h);
    while (!wait_signal(&h, 1.0))
        ;
    rf_log(RF_LOG_INFO, "serve", "asked to end: running jobs may go on for %g seconds",
           h.service.settings.drain_s);
    end_workers(&h);
    rf_log(RF_LOG_INFO, "serve", "ends");
out:
    close_house(&h);
    return rc;
}
