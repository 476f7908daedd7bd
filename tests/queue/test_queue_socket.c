/* The socket between queue and worker: what a worker's death means, and what a bad peer may do. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "queue/frames.h"
#include "queue_rig.h"

static int set_up(void **state)
{
    static rig r;
    rig_open(&r, 1);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

/* A bare end of a socket that the queue serves. */
static int open_peer(rig *r)
{
    rf_error err = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_ok(rf_queue_serve_fd(r->scheduler, pair[0], &err));
    return pair[1];
}

static int32_t n_workers(rig *r)
{
    rf_error err = {0};
    rf_worker_info *list = NULL;
    int32_t n = 0;
    assert_ok(rf_queue_workers(r->scheduler, &list, &n, &err));
    rf_free(list);
    return n;
}

/* Waits until the other end has closed; what it said before is dropped. */
static void await_end(int fd)
{
    char bytes[4096];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (poll(&wait, 1, 60000) == 1 && recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    assert_true(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0);
    close(fd);
}

static void leases_of_a_worker_that_dies_end_at_once(void **state)
{
    rig *r = *state;
    rf_error err = {0};
    rf_lease_id list[16];
    rf_event events[1];
    int32_t n = 0;
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rf_queue_close(r->worker);
    assert_ok(rf_queue_events_take(r->scheduler, events, 1, 60000, &n, &err)); /* it wakes for the loss */
    assert_int_equal(n, 0);
    assert_int_equal(rig_expired(r, list), 1);
    assert_true(list[0].lost);
    assert_int_equal(list[0].worker_id, r->worker_id);
    r->worker = r->scheduler; /* for the tear-down */
}

static void words_said_before_the_death_are_delivered(void **state)
{
    rig *r = *state;
    rf_error err = {0};
    rf_event event;
    int32_t n = 0;
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    rig_send(r, RF_EVENT_DONE, 1, 1, "{}");
    rf_queue_close(r->worker);
    r->worker = r->scheduler;
    assert_ok(rf_queue_events_take(r->scheduler, &event, 1, 60000, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(event.kind, RF_EVENT_DONE);
    rf_event_free(&event);
}

static void *lease_for_ever(void *arg)
{
    rig *r = arg;
    rf_error err = {0};
    rf_lease lease;
    const rf_code rc = rf_queue_lease(r->worker, r->worker_id, 3600000, &lease, &err);
    return rc == RF_INTERRUPTED ? arg : NULL;
}

static void worker_that_waits_is_interrupted_when_the_queue_closes(void **state)
{
    rig *r = *state;
    pthread_t thread;
    void *got = NULL;
    assert_int_equal(pthread_create(&thread, NULL, lease_for_ever, r), 0);
    rf_queue_close(r->scheduler);
    pthread_join(thread, &got);
    assert_ptr_equal(got, r);
    rf_queue_close(r->worker);
    rig_open(r, 1);
}

static void bad_frames_close_the_connection_and_nothing_else(void **state)
{
    rig *r = *state;
    static const struct {
        size_t n;
        unsigned char bytes[24];
    } rows[] = {
        {4, {0xff, 0xff, 0xff, 0xff}},                              /* far too long              */
        {4, {1, 0, 0, 0}},                                          /* shorter than a head       */
        {9, {5, 0, 0, 0, 99, 1, 0, 0, 0}},                          /* no such verb              */
        {9, {5, 0, 0, 0, 1, 1, 0, 0, 0}},                           /* register without fields   */
        {13, {9, 0, 0, 0, 1, 1, 0, 0, 0, 9, 0, 0, 0}},              /* another protocol          */
        {9, {5, 0, 0, 0, 2, 1, 0, 0, 0}},                           /* lease without a worker    */
        {9, {5, 0, 0, 0, 0x82, 1, 0, 0, 0}},                        /* an answer                 */
        {13, {9, 0, 0, 0, 5, 1, 0, 0, 0, 99, 0, 0, 0}},             /* an event of no kind       */
        {17, {13, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, /* half a beat               */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int fd = open_peer(r);
        assert_int_equal(send(fd, rows[i].bytes, rows[i].n, 0), rows[i].n);
        await_end(fd);
    }
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
}

/* The name of another connection's worker opens nothing. */
static void worker_cannot_speak_for_another(void **state)
{
    rig *r = *state;
    rf_buf frame;
    rf_buf_init(&frame);
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 0), 1);
    const rf_event event = {.kind = RF_EVENT_DONE, .job_id = 1, .token = 1, .worker_id = r->worker_id};
    const size_t at = rfi_frame_begin(&frame, RFI_SEND, 1);
    rfi_put_event(&frame, &event);
    rfi_frame_end(&frame, at);
    const int fd = open_peer(r);
    assert_int_equal(send(fd, frame.data, frame.size_bytes, 0), frame.size_bytes);
    await_end(fd);
    rf_buf_free(&frame);
}

static void random_bytes_end_their_own_connection_only(void **state)
{
    rig *r = *state;
    const int32_t before = n_workers(r);
    for (uint32_t trial = 0; trial < 200; trial++) {
        unsigned char bytes[64];
        const rf_draw draw = {.seed = trial, .purpose = RF_DRAW_DEMO};
        const size_t n = 1 + rf_philox_u32(draw, 100) % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)rf_philox_u32(draw, (uint32_t)i);
        if (trial % 2 && n > 4) /* half of them with a length that could be */
            bytes[0] = (unsigned char)(n - 4), bytes[1] = bytes[2] = bytes[3] = 0;
        const int fd = open_peer(r);
        assert_int_equal(send(fd, bytes, n, 0), n);
        (void)shutdown(fd, SHUT_WR);
        await_end(fd);
    }
    assert_int_equal(n_workers(r), before);
}

/* A frame in pieces of one byte is a frame. */
static void frames_may_come_in_pieces(void **state)
{
    rig *r = *state;
    rf_buf frame;
    rf_worker_info self = {.pid = 5, .need = "cpu"};
    rfi_frame answer;
    char bytes[64];
    rf_buf_init(&frame);
    const size_t at = rfi_frame_begin(&frame, RFI_REGISTER, 77);
    rfi_put_worker(&frame, &self);
    rfi_frame_end(&frame, at);
    const int fd = open_peer(r);
    for (size_t i = 0; i < frame.size_bytes; i++)
        assert_int_equal(send(fd, frame.data + i, 1, 0), 1);
    const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    assert_true(n > 0);
    assert_int_equal(rfi_frame_look(&answer, bytes, (size_t)n), 1);
    assert_int_equal(answer.verb, RFI_REGISTER | RFI_REPLY);
    assert_int_equal(answer.number, 77);
    assert_int_equal(rf_get_u8(&answer.body), RF_OK);
    close(fd);
    rf_buf_free(&frame);
}

/* A worker that never reads: its answers are held back, then it is closed; others go on. */
static void peer_that_takes_no_answers_is_closed(void **state)
{
    rig *r = *state;
    rf_buf frame;
    rf_buf_init(&frame);
    const int fd = open_peer(r);
    rf_worker_info self = {.need = "cpu"};
    for (uint32_t i = 0; i < 1000; i++) {
        const size_t at = rfi_frame_begin(&frame, RFI_REGISTER, i);
        rfi_put_worker(&frame, &self);
        rfi_frame_end(&frame, at);
    }
    for (int i = 0; i < 50; i++)
        if (send(fd, frame.data, frame.size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
            break;
    rig_offer(r, 1, 1, 1);
    assert_int_equal(rig_lease(r, 60000), 1);
    close(fd);
    rf_buf_free(&frame);
}

typedef struct caller {
    rig *r;
    int64_t first;
} caller;

static void *send_many(void *arg)
{
    const caller *c = arg;
    for (int64_t i = 0; i < 300; i++)
        rig_send(c->r, RF_EVENT_STARTED, c->first + i, 1, "{}");
    return NULL;
}

static void threads_of_a_worker_share_its_connection(void **state)
{
    enum { THREADS = 4 };
    rig *r = *state;
    pthread_t threads[THREADS];
    caller callers[THREADS];
    rf_event events[64];
    rf_error err = {0};
    int32_t got = 0, n = 0;
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (caller){.r = r, .first = 1000 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &callers[i]), 0);
    }
    while (got < THREADS * 300) {
        assert_ok(rf_queue_events_take(r->scheduler, events, 64, 60000, &n, &err));
        for (int32_t i = 0; i < n; i++)
            rf_event_free(&events[i]);
        got += n;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

typedef struct stirrer {
    rig *r;
    atomic_bool enough;
} stirrer;

static void *stir(void *arg)
{
    stirrer *s = arg;
    for (int64_t id = 1; !atomic_load(&s->enough); id++) {
        rig_offer(s->r, id, 1, 1);
        rig_settle(s->r, id, 1);
    }
    return NULL;
}

static void connection_is_heard_of_however_often_the_queue_is_stirred(void **state)
{
    enum { CONNECTIONS = 6000 };
    stirrer s = {.r = *state};
    pthread_t thread;
    int heard = 0;
    assert_int_equal(pthread_create(&thread, NULL, stir, &s), 0);
    for (; heard < CONNECTIONS; heard++) {
        const int fd = open_peer(s.r);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        (void)shutdown(fd, SHUT_WR); /* the other end closes when it hears of this */
        const int ready = poll(&wait, 1, 20000);
        close(fd);
        if (ready != 1)
            break;
    }
    atomic_store(&s.enough, true);
    pthread_join(thread, NULL);
    assert_int_equal(heard, CONNECTIONS);
}

static void scheduler_has_no_verbs_at_the_workers_end(void **state)
{
    rig *r = *state;
    rf_error err = {0};
    uint64_t epoch;
    assert_fails(rf_queue_epoch(r->worker, &epoch, &err), RF_NOT_AVAILABLE, "worker's");
    rf_queue *other;
    assert_fails(rf_queue_connect_fd(&other, STDIN_FILENO, &err), RF_USAGE, "socket");
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RIG(leases_of_a_worker_that_dies_end_at_once),
        WITH_RIG(words_said_before_the_death_are_delivered),
        WITH_RIG(worker_that_waits_is_interrupted_when_the_queue_closes),
        WITH_RIG(bad_frames_close_the_connection_and_nothing_else),
        WITH_RIG(worker_cannot_speak_for_another),
        WITH_RIG(random_bytes_end_their_own_connection_only),
        WITH_RIG(frames_may_come_in_pieces),
        WITH_RIG(peer_that_takes_no_answers_is_closed),
        WITH_RIG(threads_of_a_worker_share_its_connection),
        WITH_RIG(connection_is_heard_of_however_often_the_queue_is_stirred),
        WITH_RIG(scheduler_has_no_verbs_at_the_workers_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
