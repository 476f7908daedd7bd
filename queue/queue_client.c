/* queue_client.c - a worker's end of the socket: calls from any thread over one connection.
 *
 * Each call writes its request and waits for the reply with its number. Whoever waits first also reads, for everybody:
 * it hands replies to their owners, and when its own has come the next waiter reads on. So the beating thread may sleep
 * in beat_wait while the main thread leases and sends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/alloc.h"
#include "queue/frames.h"
#include "queue/queue_seam.h"

enum { READ_BYTES = 64 << 10, KEEP_BYTES = 256 << 10 };

typedef struct waiting {
    uint32_t number;
    uint8_t verb;
    bool done;
    rf_buf reply; /* fields, the code first */
    struct waiting *next;
} waiting;

typedef struct client {
    rf_queue base;
    int fd;
    pthread_mutex_t lock;       /* of all below                                      */
    pthread_mutex_t write_lock; /* one frame at a time; taken without `lock` held     */
    pthread_cond_t moved;       /* a reply came, or the reader's place is free        */
    bool reading, closed, closing;
    int n_inside;
    uint32_t next_number;
    waiting *list;
    rf_buf in; /* the reader's */
} client;

static client *client_of(rf_queue *q)
{
    return (client *)(void *)q;
}

static rf_code gone(rf_error *err)
{
    return rf_fail(err, RF_INTERRUPTED, "the queue at the other end of the socket has closed");
}

/* ------------------------------------------------------------------ writing */

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_frame(client *c, const rf_buf *frame)
{
    pthread_mutex_lock(&c->write_lock);
    const bool written = write_all(c->fd, frame->data, frame->size_bytes);
    pthread_mutex_unlock(&c->write_lock);
    return written;
}

/* ------------------------------------------------------------------ reading */

/* Under the lock. A reply that nobody waits for is a fault of the other end. */
static bool deliver(client *c, rfi_frame *frame)
{
    for (waiting *w = c->list; w; w = w->next)
        if (w->number == frame->number && !w->done) {
            if (frame->verb != (w->verb | RFI_REPLY))
                return false;
            rf_buf_append(&w->reply, frame->body.at, rf_reader_left(&frame->body));
            w->done = true;
            return true;
        }
    return false;
}

static bool deliver_all(client *c)
{
    size_t used = 0;
    rfi_frame frame;
    int whole;
    while ((whole = rfi_frame_look(&frame, c->in.data + used, c->in.size_bytes - used)) == 1) {
        if (!deliver(c, &frame))
            return false;
        used += frame.size_bytes;
    }
    if (used > 0) {
        memmove(c->in.data, c->in.data + used, c->in.size_bytes - used);
        c->in.size_bytes -= used;
    }
    if (c->in.size_bytes == 0 && c->in.capacity > KEEP_BYTES)
        rf_buf_free(&c->in);
    return whole == 0;
}

/* What was said cannot be trusted, or not be heard: the other end shall know too. */
static void hang_up(client *c)
{
    c->closed = true;
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* Called with the lock held and `reading` set; gives the lock back while it waits. */
static void read_some(client *c)
{
    ssize_t n = -1;
    const bool room = rf_buf_reserve(&c->in, READ_BYTES);
    if (room) {
        char *at = c->in.data + c->in.size_bytes;
        pthread_mutex_unlock(&c->lock);
        do
            n = recv(c->fd, at, READ_BYTES, 0);
        while (n < 0 && errno == EINTR);
        pthread_mutex_lock(&c->lock);
    }
    if (n > 0)
        c->in.size_bytes += (size_t)n;
    if (n <= 0 || !deliver_all(c))
        hang_up(c);
}

static void await(client *c, const waiting *w)
{
    while (!w->done && !c->closed) {
        if (c->reading) {
            pthread_cond_wait(&c->moved, &c->lock);
            continue;
        }
        c->reading = true;
        read_some(c);
        c->reading = false;
        pthread_cond_broadcast(&c->moved);
    }
}

/* ------------------------------------------------------------------ one call */

static void enter(client *c, waiting *w, uint8_t verb)
{
    pthread_mutex_lock(&c->lock);
    *w = (waiting){.verb = verb, .number = c->next_number++, .next = c->list};
    rf_buf_init(&w->reply);
    c->list = w;
    c->n_inside++;
    pthread_mutex_unlock(&c->lock);
}

static void leave(client *c, const waiting *w)
{
    pthread_mutex_lock(&c->lock);
    waiting **at = &c->list;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (--c->n_inside == 0)
        pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
}

/* The reply's code, and its sentence when it is a failure. */
static rf_code take_code(rf_reader *reader, rf_error *err)
{
    char message[sizeof err->message];
    const uint8_t code = rf_get_u8(reader);
    if (reader->failed || code >= RF_CODE_COUNT)
        return rf_fail(err, RF_INTERNAL, "the queue's answer cannot be read");
    if (code == RF_OK)
        return RF_OK;
    if (!rfi_get_text(reader, message, sizeof message))
        message[0] = '\0';
    return rf_fail(err, (rf_code)code, "%s", message);
}

/* Sends `request`, which was begun with w's number, and waits. On RF_OK `reply` reads the fields. */
static rf_code call(client *c, waiting *w, rf_buf *request, size_t at, rf_reader *reply, rf_error *err)
{
    rfi_frame_end(request, at);
    if (request->failed)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for a word to the queue");
    if (request->size_bytes - at > RFI_FRAME_MAX)
        return rf_fail(err, RF_USAGE, "a word to the queue has more than %d bytes", (int)RFI_FRAME_MAX);
    const bool written = write_frame(c, request);
    pthread_mutex_lock(&c->lock);
    if (!written)
        hang_up(c);
    await(c, w);
    const bool done = w->done && !w->reply.failed;
    pthread_mutex_unlock(&c->lock);
    if (!done)
        return gone(err);
    rf_reader_init(reply, w->reply.data, w->reply.size_bytes);
    return take_code(reply, err);
}

static rf_code unreadable(rf_error *err)
{
    return rf_fail(err, RF_INTERNAL, "the queue's answer cannot be read");
}

/* What every call has around its fields. */
#define CALL_BEGIN(verb)                                                                                     \
    client *c = client_of(q);                                                                                \
    waiting w;                                                                                               \
    rf_buf request;                                                                                          \
    rf_reader reply;                                                                                         \
    rf_code rc = RF_OK;                                                                                      \
    rf_buf_init(&request);                                                                                   \
    enter(c, &w, verb);                                                                                      \
    const size_t at = rfi_frame_begin(&request, verb, w.number)
#define CALL_END                                                                                             \
    leave(c, &w);                                                                                            \
    rf_buf_free(&w.reply);                                                                                   \
    rf_buf_free(&request);                                                                                   \
    return rc

/* ------------------------------------------------------------------ the verbs */

static rf_code client_enlist(rf_queue *q, const rf_worker_info *self, int64_t *worker_id, rf_error *err)
{
    CALL_BEGIN(RFI_REGISTER);
    rfi_put_worker(&request, self);
    RF_TRY(call(c, &w, &request, at, &reply, err));
    *worker_id = rf_get_i64(&reply);
    if (!rfi_frame_used(&reply))
        RF_TRY(unreadable(err));
out:
    CALL_END;
}

static rf_code client_lease(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_lease *out, rf_error *err)
{
    CALL_BEGIN(RFI_LEASE);
    rf_put_i64(&request, worker_id);
    rf_put_i64(&request, timeout_ms);
    RF_TRY(call(c, &w, &request, at, &reply, err));
    if (!rfi_get_lease(&reply, out)) {
        rf_lease_free(out);
        RF_TRY(unreadable(err));
    }
    if (out->job_id == 0)
        rf_lease_free(out);
out:
    CALL_END;
}

static bool get_beats(rf_reader *reply, rf_beat *beats, int32_t n, rf_worker_wish *wish)
{
    const uint8_t wanted = rf_get_u8(reply);
    if (rf_get_u32(reply) != (uint32_t)n || wanted > RF_WORKER_END)
        return false;
    *wish = (rf_worker_wish)wanted;
    for (int32_t i = 0; i < n; i++) {
        const uint8_t answer = rf_get_u8(reply);
        beats[i].credit = rf_get_i64(reply);
        if (answer > RF_BEAT_GONE)
            return false;
        beats[i].answer = (rf_beat_answer)answer;
    }
    return rfi_frame_used(reply);
}

static rf_code client_beat(rf_queue *q, int64_t worker_id, int64_t rss_bytes, rf_beat *beats, int32_t n,
                           rf_worker_wish *wish, rf_error *err)
{
    CALL_BEGIN(RFI_BEAT);
    rf_put_i64(&request, worker_id);
    rf_put_i64(&request, rss_bytes);
    rf_put_u32(&request, (uint32_t)n);
    for (int32_t i = 0; i < n; i++) {
        rf_put_i64(&request, beats[i].job_id);
        rf_put_i64(&request, beats[i].token);
    }
    RF_TRY(call(c, &w, &request, at, &reply, err));
    if (!get_beats(&reply, beats, n, wish))
        RF_TRY(unreadable(err));
out:
    CALL_END;
}

static rf_code client_beat_wait(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_error *err)
{
    CALL_BEGIN(RFI_BEAT_WAIT);
    rf_put_i64(&request, worker_id);
    rf_put_i64(&request, timeout_ms);
    RF_TRY(call(c, &w, &request, at, &reply, err));
out:
    CALL_END;
}

static rf_code client_send(rf_queue *q, const rf_event *event, rf_error *err)
{
    CALL_BEGIN(RFI_SEND);
    rfi_put_event(&request, event);
    RF_TRY(call(c, &w, &request, at, &reply, err));
out:
    CALL_END;
}

/* ------------------------------------------------------------------ life */

static void client_close(rf_queue *q)
{
    client *c = client_of(q);
    pthread_mutex_lock(&c->lock);
    c->closing = c->closed = true;
    (void)shutdown(c->fd, SHUT_RDWR); /* whoever reads or writes returns */
    pthread_cond_broadcast(&c->moved);
    while (c->n_inside > 0)
        pthread_cond_wait(&c->moved, &c->lock);
    pthread_mutex_unlock(&c->lock);
    close(c->fd);
    rf_buf_free(&c->in);
    pthread_cond_destroy(&c->moved);
    pthread_mutex_destroy(&c->write_lock);
    pthread_mutex_destroy(&c->lock);
    rf_free(c);
}

static const rfi_queue_class client_class = {
    .name = "worker's",
    .close = client_close,
    .enlist = client_enlist,
    .lease = client_lease,
    .beat = client_beat,
    .beat_wait = client_beat_wait,
    .send = client_send,
};

rf_code rf_queue_connect_fd(rf_queue **out, int fd, rf_error *err)
{
    rf_code rc = RF_OK;
    client *c = NULL;
    int type = 0;
    socklen_t size = sizeof type;
    *out = NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
        return rf_fail(err, RF_USAGE, "descriptor %d is no socket to a queue", fd);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    RF_TRY(RF_NEW_ARRAY(&c, 1, "the connection to the queue", err));
    c->base.type = &client_class;
    c->fd = fd;
    c->next_number = 1;
    rf_buf_init(&c->in);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->write_lock, NULL);
    pthread_cond_init(&c->moved, NULL);
    *out = &c->base;
out:
    return rc;
}
