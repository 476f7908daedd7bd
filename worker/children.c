#include "worker/children.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/log.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_KILLED_MS = 400, PAUSE_MOST_MS = 10000, LIVED_MS = 2000 };

/* A worker has no use for them: it holds no credentials of anything but its socket. */
static const char *const not_handed_on[] = {
    "SECRET_KEY=",   "SECRET_KEY_FILE=",   "DATABASE_URL=",  "REDIS_URL=",
    "SUPABASE_KEY=", "SUPABASE_KEY_FILE=", "METRICS_TOKEN=", "METRICS_TOKEN_FILE="};

typedef struct child {
    rf_children *all;
    int index;
    pthread_t thread;
    bool has_thread;
    pid_t pid; /* 0: none */
} child;

struct rf_children {
    rf_queue *queue;
    int n;
    const char *program;
    char **argv, **envp;
    rf_arena arena;
    pthread_mutex_t lock; /* of pids, quiet, n_ended, restarts */
    pthread_cond_t moved;
    bool quiet;
    int n_ended; /* threads that have nothing more to start */
    int64_t restarts;
    child list[RF_CHILDREN_MAX];
};

static int64_t now_ms(void)
{
    return (int64_t)(rf_clock_s() * 1000);
}

/* ------------------------------------------------------------------ starting one */

/* Between fork and exec only what a signal handler might do, too: other threads may have held any lock. */
static void become(const rf_children *all, int fd, pid_t parent)
{
    sigset_t none;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before it could be asked to take this one along */
        _exit(1);
    for (int signal_number = 1; signal_number < 32; signal_number++)
        (void)sigaction(signal_number, &plain, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (fd == RF_CHILD_FD)
        (void)fcntl(fd, F_SETFD, 0);
    else if (dup2(fd, RF_CHILD_FD) < 0)
        _exit(1);
    (void)execve(all->program, all->argv, all->envp);
    _exit(127);
}

static rf_code spawn(child *c, rf_error *err)
{
    int pair[2];
    rf_children *all = c->all;
    const pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return rf_fail_errno(err, RF_IO, "no socket can be made for a worker");
    pthread_mutex_lock(&all->lock);
    const bool may = !all->quiet;
    const pid_t pid = may ? fork() : -1;
    if (pid == 0)
        become(all, pair[1], parent);
    if (pid > 0)
        c->pid = pid;
    pthread_mutex_unlock(&all->lock);
    close(pair[1]);
    if (pid > 0)
        return rf_queue_serve_fd(all->queue, pair[0], err);
    close(pair[0]);
    return may ? rf_fail_errno(err, RF_IO, "no process can be started for a worker") : RF_OK;
}

/* ------------------------------------------------------------------ its life */

/* Waits for its end; whether a signal was the cause. */
static bool wait_for(child *c)
{
    int status = 0;
    siginfo_t info;
    const pid_t pid = c->pid;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&c->all->lock); /* no signal may be sent to the number once it is free */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    const bool expected = c->all->quiet;
    pthread_mutex_unlock(&c->all->lock);
    if (!expected || status != 0)
        rf_log(expected ? RF_LOG_INFO : RF_LOG_WARNING, "children", "worker %d (pid %d) ended: %s %d",
               c->index, (int)pid, WIFSIGNALED(status) ? "signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return WIFSIGNALED(status);
}

/* False: there is nothing more to start. */
static bool pause_before_next(rf_children *all, int64_t pause_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pause_ms / 1000;
    until.tv_nsec += pause_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&all->lock);
    while (!all->quiet && pause_ms > 0)
        if (pthread_cond_timedwait(&all->moved, &all->lock, &until) != 0)
            break;
    const bool on = !all->quiet;
    all->restarts += on;
    pthread_mutex_unlock(&all->lock);
    return on;
}

static void *keep_alive(void *arg)
{
    child *c = arg;
    rf_children *all = c->all;
    int64_t pause_ms = 0;
    do {
        rf_error err = {0};
        const int64_t began_ms = now_ms();
        if (spawn(c, &err) != RF_OK)
            rf_log(RF_LOG_ERROR, "children", "worker %d cannot be started: %s", c->index, err.message);
        const bool killed = c->pid > 0 && wait_for(c);
        const bool lived = now_ms() - began_ms >= LIVED_MS;
        const int64_t doubled = pause_ms ? 2 * pause_ms : PAUSE_FIRST_MS;
        const int64_t most = killed ? PAUSE_KILLED_MS : PAUSE_MOST_MS;
        pause_ms = lived ? 0 : doubled < most ? doubled : most;
    } while (pause_before_next(all, pause_ms));
    pthread_mutex_lock(&all->lock);
    all->n_ended++;
    pthread_cond_broadcast(&all->moved);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ------------------------------------------------------------------ all of them */

extern char **environ;

static bool is_handed_on(const char *variable)
{
    for (size_t i = 0; i < sizeof not_handed_on / sizeof not_handed_on[0]; i++)
        if (!strncmp(variable, not_handed_on[i], strlen(not_handed_on[i])))
            return false;
    return true;
}

/* `keep` NULL: all of them. */
static char **copy_texts(rf_arena *arena, const char *const *texts, bool (*keep)(const char *text))
{
    size_t n = 0, kept = 0;
    while (texts[n])
        n++;
    char **copies = RF_ARENA_ARRAY(arena, char *, n + 1);
    for (size_t i = 0; copies && i < n; i++)
        if (!keep || keep(texts[i]))
            copies[kept++] = rf_arena_string(arena, texts[i], strlen(texts[i]));
    return copies;
}

static void children_free(rf_children *all)
{
    pthread_cond_destroy(&all->moved);
    pthread_mutex_destroy(&all->lock);
    rf_arena_free(&all->arena);
    rf_free(all);
}

static void init_waiting(rf_children *all)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static rf_code start_all(rf_children *all, rf_error *err)
{
    for (int i = 0; i < all->n; i++) {
        child *c = &all->list[i];
        c->all = all;
        c->index = i;
        if (pthread_create(&c->thread, NULL, keep_alive, c) != 0)
            return rf_fail(err, RF_IO, "no thread can be started to look after a worker");
        c->has_thread = true;
    }
    return RF_OK;
}

rf_code rf_children_start(rf_children **out, const rf_children_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_children *all = NULL;
    *out = NULL;
    if (options->n < 0 || options->n > RF_CHILDREN_MAX)
        return rf_fail(err, RF_USAGE, "there can be 0 to %d workers, not %d", RF_CHILDREN_MAX, options->n);
    RF_TRY(RF_NEW_ARRAY(&all, 1, "the workers", err));
    init_waiting(all);
    rf_arena_init(&all->arena);
    all->queue = options->queue;
    all->n = options->n;
    all->program = options->program ? options->program : "/proc/self/exe";
    all->program = rf_arena_string(&all->arena, all->program, strlen(all->program));
    all->argv = copy_texts(&all->arena, options->command, NULL);
    all->envp = copy_texts(&all->arena, (const char *const *)environ, is_handed_on);
    RF_TRY(rf_arena_check(&all->arena, "the workers", err));
    RF_TRY(start_all(all, err));
    *out = all;
    all = NULL;
out:
    if (all)
        rf_children_close(all, 0);
    return rc;
}

static void signal_all(rf_children *all, int signal_number)
{
    for (int i = 0; i < all->n; i++)
        if (all->list[i].pid > 0)
            (void)kill(all->list[i].pid, signal_number);
}

void rf_children_quiet(rf_children *all)
{
    pthread_mutex_lock(&all->lock);
    all->quiet = true;
    signal_all(all, SIGTERM);
    pthread_cond_broadcast(&all->moved);
    pthread_mutex_unlock(&all->lock);
}

static int n_threads(const rf_children *all)
{
    int n = 0;
    for (int i = 0; i < all->n; i++)
        n += all->list[i].has_thread;
    return n;
}

static void wait_ended(rf_children *all, int64_t grace_ms)
{
    const int64_t until_ms = now_ms() + grace_ms;
    pthread_mutex_lock(&all->lock);
    while (all->n_ended < n_threads(all) && now_ms() < until_ms) {
        const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        (void)pthread_cond_timedwait(&all->moved, &all->lock, &until);
    }
    signal_all(all, SIGKILL);
    pthread_mutex_unlock(&all->lock);
}

void rf_children_close(rf_children *all, int64_t grace_ms)
{
    if (!all)
        return;
    rf_children_quiet(all);
    wait_ended(all, grace_ms);
    for (int i = 0; i < all->n; i++)
        if (all->list[i].has_thread)
            pthread_join(all->list[i].thread, NULL);
    children_free(all);
}

int rf_children_alive(rf_children *all, int64_t *restarts)
{
    int alive = 0;
    pthread_mutex_lock(&all->lock);
    for (int i = 0; i < all->n; i++)
        alive += all->list[i].pid > 0;
    if (restarts)
        *restarts = all->restarts;
    pthread_mutex_unlock(&all->lock);
    return alive;
}

pid_t rf_children_pid(rf_children *all, int i)
{
    pthread_mutex_lock(&all->lock);
    const pid_t pid = i >= 0 && i < all->n ? all->list[i].pid : 0;
    pthread_mutex_unlock(&all->lock);
    return pid;
}
