/* queue_server.c - the queue's end of the workers' sockets: one thread, one epoll, no blocking call under it.
 *
 * A request is answered at once, but for two that may wait: a lease and a beat_wait are parked on their connection and
 * tried again when the queue was stirred (rfi_server_wake) or their time has come. Each connection has at most one of
 * each parked. What cannot be a frame, a verb that does not exist, a worker's name that is another connection's: the
 * connection is closed, and its worker's leases end. So does a peer that does not take its answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "queue/frames.h"
#include "queue/memory_state.h"

enum {
    CONNECTIONS_MAX = 1024,
    READ_BYTES = 64 << 10,
    KEEP_BYTES = 256 << 10, /* a larger buffer is given back when it is empty  */
    SLOW_BYTES = 4 << 20,   /* with so much unsent no more requests are read   */
    OUT_MAX = 32 << 20,     /* with so much unsent the connection is closed    */
    WAIT_MOST_MS = 60 * 1000
};

typedef struct parked {
    bool active;
    uint32_t number;
    int64_t deadline_ms, retry_ms;
} parked;

typedef struct connection {
    int fd;
    int64_t worker_id; /* 0: not registered yet */
    rf_buf in, out;
    size_t sent; /* of out */
    bool waits_to_write, dead;
    parked lease, notice;
} connection;

struct rfi_server {
    rfi_memory *memory;
    int epoll_fd, wake_fd;
    pthread_t thread;
    atomic_bool woken, stopping;
    pthread_mutex_t lock; /* of the list of sockets that have come */
    int *arrived;
    size_t n_arrived, arrived_capacity;
    connection **list; /* of the thread alone */
    size_t n, capacity;
    atomic_size_t n_all;
};

static int64_t now_ms(void)
{
    return (int64_t)(rf_clock_s() * 1000);
}

/* ------------------------------------------------------------------ connections */

static void connection_free(struct rfi_server *server, connection *c)
{
    if (c->worker_id)
        rfi_memory_leave(server->memory, c->worker_id);
    if (c->fd >= 0) {
        /* A child that is being forked holds a copy until its exec: closing alone would leave the events coming. */
        (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        close(c->fd);
    }
    rf_buf_free(&c->in);
    rf_buf_free(&c->out);
    rf_free(c);
    atomic_fetch_sub(&server->n_all, 1);
}

static void watch(struct rfi_server *server, connection *c)
{
    const size_t unsent = c->out.size_bytes - c->sent;
    struct epoll_event event = {.data.ptr = c};
    event.events = (unsent < SLOW_BYTES ? EPOLLIN : 0u) | (unsent ? EPOLLOUT : 0u);
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0)
        c->dead = true;
}

static void flush(struct rfi_server *server, connection *c)
{
    while (!c->dead && c->sent < c->out.size_bytes) {
        const ssize_t n =
            send(c->fd, c->out.data + c->sent, c->out.size_bytes - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0)
            c->dead = true;
        else
            c->sent += (size_t)n;
    }
    if (c->sent == c->out.size_bytes) {
        c->sent = 0;
        rf_buf_clear(&c->out);
        if (c->out.capacity > KEEP_BYTES)
            rf_buf_free(&c->out);
    }
    const bool waits = c->out.size_bytes > c->sent;
    if (c->out.failed || c->out.size_bytes - c->sent > OUT_MAX)
        c->dead = true;
    if (waits || c->waits_to_write)
        watch(server, c);
    c->waits_to_write = waits;
}

/* ------------------------------------------------------------------ requests */

static void answer(connection *c, uint8_t verb, uint32_t number, rf_code code, const rf_error *err)
{
    rfi_frame_answer(&c->out, verb, number, code, err);
}

static bool do_register(struct rfi_server *server, connection *c, rfi_frame *frame)
{
    rf_worker_info self;
    rf_error err = {0};
    int64_t id = 0;
    if (!rfi_get_worker(&frame->body, &self))
        return false;
    if (c->worker_id)
        rfi_memory_leave(server->memory, c->worker_id);
    c->worker_id = 0;
    const rf_code rc = rf_queue_register(&server->memory->base, &self, &id, &err);
    if (rc != RF_OK) {
        answer(c, RFI_REGISTER, frame->number, rc, &err);
        return true;
    }
    c->worker_id = id;
    const size_t at = rfi_frame_begin(&c->out, RFI_REGISTER | RFI_REPLY, frame->number);
    rf_put_u8(&c->out, RF_OK);
    rf_put_i64(&c->out, id);
    rfi_frame_end(&c->out, at);
    return true;
}

static bool park(parked *p, connection *c, rfi_frame *frame)
{
    const int64_t worker_id = rf_get_i64(&frame->body), timeout_ms = rf_get_i64(&frame->body);
    if (!rfi_frame_used(&frame->body) || worker_id != c->worker_id || p->active)
        return false;
    const int64_t bounded = timeout_ms < 0 ? 0 : timeout_ms < WAIT_MOST_MS ? timeout_ms : WAIT_MOST_MS;
    *p = (parked){.active = true, .number = frame->number, .deadline_ms = now_ms() + bounded};
    return true;
}

static void put_beats(rf_buf *out, uint32_t number, rf_worker_wish wish, const rf_beat *beats, uint32_t n)
{
    const size_t at = rfi_frame_begin(out, RFI_BEAT | RFI_REPLY, number);
    rf_put_u8(out, RF_OK);
    rf_put_u8(out, (uint8_t)wish);
    rf_put_u32(out, n);
    for (uint32_t i = 0; i < n; i++) {
        rf_put_u8(out, (uint8_t)beats[i].answer);
        rf_put_i64(out, beats[i].credit);
    }
    rfi_frame_end(out, at);
}

static bool do_beat(struct rfi_server *server, connection *c, rfi_frame *frame)
{
    rf_beat beats[RF_BEATS_MAX];
    rf_error err = {0};
    rf_worker_wish wish = RF_WORKER_RUN;
    rf_reader *body = &frame->body;
    const int64_t worker_id = rf_get_i64(body), rss_bytes = rf_get_i64(body);
    const uint32_t n = rf_get_count(body, 16);
    if (body->failed || n > RF_BEATS_MAX || worker_id != c->worker_id)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        beats[i].job_id = rf_get_i64(body);
        beats[i].token = rf_get_i64(body);
    }
    if (!rfi_frame_used(body))
        return false;
    const rf_code rc =
        rf_queue_beat(&server->memory->base, worker_id, rss_bytes, beats, (int32_t)n, &wish, &err);
    if (rc == RF_OK)
        put_beats(&c->out, frame->number, wish, beats, n);
    else
        answer(c, RFI_BEAT, frame->number, rc, &err);
    return true;
}

static bool do_send(struct rfi_server *server, connection *c, rfi_frame *frame)
{
    rf_event event;
    rf_error err = {0};
    const bool fits = rfi_get_event(&frame->body, &event) && event.worker_id == c->worker_id;
    if (fits)
        answer(c, RFI_SEND, frame->number, rf_queue_send(&server->memory->base, &event, &err), &err);
    rf_event_free(&event);
    return fits;
}

static bool do_frame(struct rfi_server *server, connection *c, rfi_frame *frame)
{
    switch (frame->verb) {
    case RFI_REGISTER:
        return do_register(server, c, frame);
    case RFI_LEASE:
        return park(&c->lease, c, frame);
    case RFI_BEAT:
        return do_beat(server, c, frame);
    case RFI_BEAT_WAIT:
        return park(&c->notice, c, frame);
    case RFI_SEND:
        return do_send(server, c, frame);
    default:
        return false;
    }
}

/* All whole frames that have come; what is left moves to the front. */
static void do_frames(struct rfi_server *server, connection *c)
{
    size_t used = 0;
    rfi_frame frame;
    int whole = 0;
    while (!c->dead && c->out.size_bytes - c->sent < SLOW_BYTES &&
           (whole = rfi_frame_look(&frame, c->in.data + used, c->in.size_bytes - used)) == 1) {
        if (!do_frame(server, c, &frame))
            c->dead = true;
        used += frame.size_bytes;
    }
    if (whole < 0)
        c->dead = true;
    if (used == 0)
        return;
    memmove(c->in.data, c->in.data + used, c->in.size_bytes - used);
    c->in.size_bytes -= used;
    if (c->in.size_bytes == 0 && c->in.capacity > KEEP_BYTES)
        rf_buf_free(&c->in);
}

static void take_in(struct rfi_server *server, connection *c)
{
    if (!rf_buf_reserve(&c->in, READ_BYTES)) {
        c->dead = true;
        return;
    }
    const ssize_t n = recv(c->fd, c->in.data + c->in.size_bytes, READ_BYTES, MSG_DONTWAIT);
    if (n > 0)
        c->in.size_bytes += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->dead = true;
    do_frames(server, c);
}

/* ------------------------------------------------------------------ what waits */

static void try_lease(struct rfi_server *server, connection *c, int64_t now)
{
    rf_lease lease = {0};
    rf_error err = {0};
    int64_t wait_ms = -1;
    parked *p = &c->lease;
    const rf_code rc = rfi_memory_try_lease(server->memory, c->worker_id, &lease, &wait_ms, &err);
    p->retry_ms = wait_ms < 0 ? INT64_MAX : now + wait_ms;
    if (rc == RF_OK && lease.job_id == 0 && now < p->deadline_ms)
        return;
    p->active = false;
    if (rc != RF_OK) {
        answer(c, RFI_LEASE, p->number, rc, &err);
        return;
    }
    const size_t at = rfi_frame_begin(&c->out, RFI_LEASE | RFI_REPLY, p->number);
    rf_put_u8(&c->out, RF_OK);
    rfi_put_lease(&c->out, &lease);
    rfi_frame_end(&c->out, at);
    rf_lease_free(&lease);
}

static void try_notice(struct rfi_server *server, connection *c, int64_t now)
{
    if (!rfi_memory_try_notice(server->memory, c->worker_id) && now < c->notice.deadline_ms)
        return;
    c->notice.active = false;
    answer(c, RFI_BEAT_WAIT, c->notice.number, RF_OK, NULL);
}

static void try_parked(struct rfi_server *server, connection *c, bool stirred, bool fresh)
{
    const int64_t now = now_ms();
    const parked *l = &c->lease, *b = &c->notice;
    if (!c->dead && l->active && (stirred || fresh || now >= l->deadline_ms || now >= l->retry_ms))
        try_lease(server, c, now);
    if (!c->dead && b->active && (stirred || fresh || now >= b->deadline_ms))
        try_notice(server, c, now);
}

static int next_timeout(const struct rfi_server *server)
{
    int64_t at_ms = INT64_MAX;
    const int64_t now = now_ms();
    for (size_t i = 0; i < server->n; i++) {
        const connection *c = server->list[i];
        const int64_t lease_ms =
            c->lease.retry_ms < c->lease.deadline_ms ? c->lease.retry_ms : c->lease.deadline_ms;
        if (c->lease.active && lease_ms < at_ms)
            at_ms = lease_ms;
        if (c->notice.active && c->notice.deadline_ms < at_ms)
            at_ms = c->notice.deadline_ms;
    }
    return at_ms == INT64_MAX ? -1 : at_ms <= now ? 0 : (int)(at_ms - now);
}

/* ------------------------------------------------------------------ the thread */

static void welcome(struct rfi_server *server, int fd)
{
    connection *c = NULL;
    struct epoll_event event = {.events = EPOLLIN};
    if (rf_grow_array((void **)&server->list, &server->capacity, server->n + 1, sizeof *server->list,
                      "the queue's connections", NULL) != RF_OK ||
        RF_NEW_ARRAY(&c, 1, "a connection of the queue", NULL) != RF_OK) {
        close(fd);
        atomic_fetch_sub(&server->n_all, 1);
        return;
    }
    c->fd = fd;
    rf_buf_init(&c->in);
    rf_buf_init(&c->out);
    event.data.ptr = c;
    server->list[server->n++] = c;
    c->dead = epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0;
}

static void welcome_all(struct rfi_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->n_arrived; i++)
        welcome(server, server->arrived[i]);
    server->n_arrived = 0;
    pthread_mutex_unlock(&server->lock);
}

static bool hear_wake(struct rfi_server *server)
{
    uint64_t count;
    (void)!read(server->wake_fd, &count, sizeof count);
    /* Not before the read, which would take the next call's number with it and leave that call's mark: no other would be heard. */
    atomic_store(&server->woken, false);
    welcome_all(server);
    return true;
}

/* Requests that had to wait until answers were taken are done in the rounds after. */
static void round_of_one(struct rfi_server *server, connection *c, bool stirred)
{
    for (size_t before = 0; !c->dead && c->in.size_bytes != before;) {
        before = c->in.size_bytes;
        do_frames(server, c);
        try_parked(server, c, false, true);
        flush(server, c);
    }
    try_parked(server, c, stirred, false);
    flush(server, c);
}

static void round_of_all(struct rfi_server *server, bool stirred)
{
    for (size_t i = 0; i < server->n;) {
        connection *c = server->list[i];
        round_of_one(server, c, stirred);
        if (c->dead) {
            server->list[i] = server->list[--server->n];
            connection_free(server, c);
        } else {
            i++;
        }
    }
}

static void *serve(void *arg)
{
    struct rfi_server *server = arg;
    struct epoll_event events[64];
    while (!atomic_load(&server->stopping)) {
        bool stirred = false;
        const int n = epoll_wait(server->epoll_fd, events, 64, next_timeout(server));
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            if (!c) {
                stirred |= hear_wake(server);
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                take_in(server, c);
            try_parked(server, c, false, true);
        }
        round_of_all(server, stirred);
    }
    return NULL;
}

/* ------------------------------------------------------------------ life */

void rfi_server_wake(struct rfi_server *server)
{
    const uint64_t one = 1;
    if (server && !atomic_exchange(&server->woken, true))
        (void)!write(server->wake_fd, &one, sizeof one);
}

static void server_free(struct rfi_server *server)
{
    for (size_t i = 0; i < server->n; i++)
        connection_free(server, server->list[i]);
    for (size_t i = 0; i < server->n_arrived; i++)
        close(server->arrived[i]);
    if (server->epoll_fd >= 0)
        close(server->epoll_fd);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    pthread_mutex_destroy(&server->lock);
    rf_free(server->arrived);
    rf_free(server->list);
    rf_free(server);
}

rf_code rfi_server_start(rfi_memory *m, struct rfi_server **out, rf_error *err)
{
    rf_code rc = RF_OK;
    struct rfi_server *server = NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    RF_TRY(RF_NEW_ARRAY(&server, 1, "the queue's server", err));
    server->memory = m;
    pthread_mutex_init(&server->lock, NULL);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll_fd < 0 || server->wake_fd < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->wake_fd, &event) != 0)
        RF_TRY(rf_fail_errno(err, RF_IO, "the queue cannot wait for its workers"));
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        RF_TRY(rf_fail(err, RF_IO, "no thread can be started for the queue's workers"));
    *out = server;
    server = NULL;
out:
    if (server)
        server_free(server);
    return rc;
}

rf_code rfi_server_add(struct rfi_server *server, int fd, rf_error *err)
{
    rf_code rc = RF_OK;
    if (atomic_fetch_add(&server->n_all, 1) >= CONNECTIONS_MAX) {
        atomic_fetch_sub(&server->n_all, 1);
        close(fd);
        return rf_fail(err, RF_UNAVAILABLE, "the queue has %d workers; it takes no more", CONNECTIONS_MAX);
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    pthread_mutex_lock(&server->lock);
    rc = rf_grow_array((void **)&server->arrived, &server->arrived_capacity, server->n_arrived + 1,
                       sizeof *server->arrived, "the queue's connections", err);
    if (rc == RF_OK)
        server->arrived[server->n_arrived++] = fd;
    pthread_mutex_unlock(&server->lock);
    if (rc == RF_OK) {
        rfi_server_wake(server);
    } else {
        atomic_fetch_sub(&server->n_all, 1);
        close(fd);
    }
    return rc;
}

void rfi_server_stop(struct rfi_server *server)
{
    atomic_store(&server->stopping, true);
    atomic_store(&server->woken, false);
    rfi_server_wake(server);
    pthread_join(server->thread, NULL);
    server_free(server);
}
