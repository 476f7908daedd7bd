#include "scheduler_rig.h"

#include <ftw.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/alloc.h"
#include "queue/memory_state.h"

static _Atomic int64_t clock_ms;

static int64_t read_clock(void)
{
    return atomic_load(&clock_ms);
}

int64_t house_now(void *arg)
{
    (void)arg;
    return read_clock();
}

void house_pass(int64_t ms)
{
    atomic_fetch_add(&clock_ms, ms);
}

/* ------------------------------------------------------------------ open and close */

static void register_worker(house *h)
{
    rf_error err = {0};
    const rf_worker_info self = {.pid = 1, .need = "cpu", .host = "here"};
    assert_ok(rf_queue_register(h->queue, &self, &h->worker, &err));
}

static void open_house(house *h)
{
    rf_error err = {0};
    char url[128], objects[128];
    snprintf(url, sizeof url, "sqlite:///%s/house.db", h->folder);
    snprintf(objects, sizeof objects, "%s/objects", h->folder);
    assert_ok(rf_db_open(&h->db, &(rf_db_options){.url = url, .readers = 2}, &err));
    assert_ok(rf_db_migrate(h->db, read_clock(), NULL, &err));
    assert_ok(rf_queue_open_memory(&h->queue, &(rf_queue_options){.lease_ms = HOUSE_LEASE_MS}, &err));
    ((rfi_memory *)(void *)h->queue)->now_ms = read_clock;
    assert_ok(rf_storage_open_folder(&h->storage, objects, "0123456789abcdef0123456789abcdef", 32, &err));
    h->options.db = h->db;
    h->options.queue = h->queue;
    h->options.storage = h->storage;
    assert_ok(rf_scheduler_open(&h->s, &h->options, &err));
    register_worker(h);
}

static void close_house(house *h)
{
    rf_scheduler_close(h->s);
    rf_queue_close(h->queue);
    rf_storage_close(h->storage);
    rf_db_close(h->db);
}

static rf_code insert_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_user_insert(tx, arg, err);
}

static int64_t add_user(house *h, const char *email)
{
    rf_error err = {0};
    rf_user user = {.email = email, .name = "", .password_hash = "x", .created_ms = 1};
    assert_ok(rf_db_write(h->db, insert_user, &user, &err));
    return user.id;
}

int house_setup(void **state)
{
    house *const h = calloc(1, sizeof *h);
    assert_non_null(h);
    atomic_store(&clock_ms, INT64_C(1700000000000));
    snprintf(h->folder, sizeof h->folder, "/tmp/rowforge-house-XXXXXX");
    assert_non_null(mkdtemp(h->folder));
    h->options = (rf_scheduler_options){.now_ms = house_now, .random_seed = 7};
    rf_arena_init(&h->arena);
    open_house(h);
    h->user = add_user(h, "a@example.org");
    h->other = add_user(h, "b@example.org");
    rf_error err = {0};
    assert_ok(rf_scheduler_recover(h->s, &err));
    *state = h;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

int house_teardown(void **state)
{
    house *const h = *state;
    close_house(h);
    rf_arena_free(&h->arena);
    nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(h);
    return 0;
}

void house_die_only(house *h)
{
    close_house(h);
    open_house(h);
}

void house_die(house *h)
{
    rf_error err = {0};
    house_die_only(h);
    assert_ok(rf_scheduler_recover(h->s, &err));
}

/* ------------------------------------------------------------------ asking */

int64_t house_noop(house *h, int64_t user)
{
    rf_error err = {0};
    rf_receipt receipt;
    assert_ok(rf_job_submit_noop(h->s, &(rf_noop){.user_id = user}, NULL, &h->arena, &receipt, &err));
    return receipt.id;
}

rf_job house_look(house *h, int64_t id)
{
    rf_error err = {0};
    rf_job job;
    assert_ok(rf_job_get(h->s, 0, id, &h->arena, &job, &err));
    return job;
}

rf_job_state house_state(house *h, int64_t id)
{
    return house_look(h, id).state;
}

int32_t house_attempts(house *h, int64_t job, rf_db_attempt **out)
{
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    int32_t n = 0;
    assert_ok(rf_db_read_begin(h->db, &tx, &err));
    assert_ok(rf_db_attempts_list(tx, job, &h->arena, out, &n, &err));
    rf_db_read_end(tx);
    return n;
}

/* ------------------------------------------------------------------ the worker's side */

int64_t house_lease_plan(house *h, int64_t *token, const char **plan)
{
    rf_error err = {0};
    rf_lease lease = {0};
    if (rf_queue_lease(h->queue, h->worker, 0, &lease, &err) == RF_NOT_FOUND) { /* silent for too long */
        register_worker(h);
        assert_ok(rf_queue_lease(h->queue, h->worker, 0, &lease, &err));
    }
    if (token)
        *token = lease.token;
    if (plan)
        *plan = lease.plan ? rf_arena_string(&h->arena, lease.plan, strlen(lease.plan)) : "";
    rf_lease_free(&lease);
    return lease.job_id;
}

int64_t house_lease(house *h, int64_t *token)
{
    return house_lease_plan(h, token, NULL);
}

void house_send(house *h, rf_event_kind kind, int64_t job, int64_t token, const char *body)
{
    rf_error err = {0};
    char *const copy = rf_malloc(strlen(body) + 1);
    memcpy(copy, body, strlen(body) + 1);
    rf_event event = {.kind = kind, .job_id = job, .token = token, .worker_id = h->worker, .body = copy};
    assert_ok(rf_queue_send(h->queue, &event, &err));
    rf_event_free(&event);
}

rf_beat_answer house_beat(house *h, int64_t job, int64_t token)
{
    rf_error err = {0};
    rf_worker_wish wish;
    rf_beat beat = {.job_id = job, .token = token};
    assert_ok(rf_queue_beat(h->queue, h->worker, 0, &beat, 1, &wish, &err));
    return beat.answer;
}

void house_apply(house *h)
{
    rf_error err = {0};
    int32_t n = 0;
    do
        assert_ok(rf_scheduler_apply(h->s, 0, &n, &err));
    while (n);
}

int64_t house_start(house *h, int64_t job)
{
    int64_t token = 0;
    assert_int_equal(house_lease(h, &token), job);
    house_send(h, RF_EVENT_STARTED, job, token, "{\"device\":\"cpu\"}");
    house_apply(h);
    return token;
}

void house_done(house *h, int64_t job, int64_t token)
{
    house_send(h, RF_EVENT_DONE, job, token, "{\"kind\":\"noop\"}");
}

void house_fail(house *h, int64_t job, int64_t token, const char *failure)
{
    char body[256];
    snprintf(body, sizeof body, "{\"class\":\"%s\",\"message\":\"it failed\",\"detail\":\"\"}", failure);
    house_send(h, RF_EVENT_FAILED, job, token, body);
}

void house_kill_worker(house *h)
{
    /* Silent for longer than a lease and for longer than the queue remembers it. */
    house_pass(2 * HOUSE_LEASE_MS + 1000);
    register_worker(h);
}

int32_t house_reap(house *h)
{
    rf_error err = {0};
    int32_t n = 0;
    assert_ok(rf_scheduler_reap(h->s, &n, &err));
    return n;
}
