/* Streams of the real routes while their jobs go on: the server's threads, the queue's, those of several clients, and a worker
 * that the test plays. Under ThreadSanitizer this is the test that streams are handed from thread to thread as they should be. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/server_internal.h"
#include "core/clock.h"
#include "core/log.h"
#include "domain/result.h"
#include "scheduler_rig.h"

static const char secret[] = "a secret that is only for tests, 32+";
static const char sum[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
enum { WATCHERS = 4, PROGRESSES = 25, PARTS = 12, REPLY_BYTES = 1 << 20 };

typedef struct street {
    house *h;
    rf_settings settings;
    rf_server *server;
    char token[1024];
} street;

/* ------------------------------------------------------------------ the server and its clients */

static void open_street(street *st, house *h)
{
    rf_error err = {0};
    rf_jwt *jwt = NULL;
    rf_buf token;
    rfi_routes routes = *rfi_service_routes();
    routes.identify = NULL;
    *st = (street){.h = h};
    rf_buf_init(&token);
    assert_ok(rf_log_open(&(rf_log_options){.least = RF_LOG_LEVEL_COUNT}, &err));
    assert_ok(rf_settings_default(&st->settings, &err));
    st->settings.secret_key = secret;
    st->settings.port = 0;
    st->settings.ping_s = 0.1;
    assert_ok(rfi_server_open_routes(
        &st->server, &(rf_server_options){.settings = &st->settings, .scheduler = h->s}, &routes, &err));
    assert_ok(rf_job_events_listen(h->s, rfi_watch_tell, st->server->watch, &err));
    assert_ok(rf_jwt_open(&jwt, secret, strlen(secret), &err));
    assert_ok(rf_jwt_issue(jwt, &(rf_claims){.user_id = h->user, .family_id = 1},
                           rf_clock_wall_us() / 1000000, 3600, &token, &err));
    snprintf(st->token, sizeof st->token, "%s", token.data);
    rf_buf_free(&token);
    rf_jwt_close(jwt);
}

static void close_street(street *st)
{
    rf_error err = {0};
    assert_ok(rf_job_events_listen(st->h->s, NULL, NULL, &err));
    rf_server_close(st->server);
    rf_settings_free(&st->settings);
}

typedef struct client {
    const street *st;
    char request[2048];
    size_t enough; /* leaves after so many bytes; 0: stays to the end */
    char *reply;
    _Atomic size_t n;
    pthread_t thread;
} client;

static void *talk(void *arg)
{
    client *c = arg;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)rf_server_port(c->st->server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t got = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                  send(fd, c->request, strlen(c->request), MSG_NOSIGNAL) > 0;
    while (got > 0 && c->n + 1 < REPLY_BYTES && (c->enough == 0 || c->n < c->enough)) {
        got = recv(fd, c->reply + c->n, REPLY_BYTES - 1 - c->n, 0);
        c->n += got > 0 ? (size_t)got : 0;
    }
    c->reply[c->n] = 0;
    close(fd);
    return NULL;
}

static void start_client(client *c, const street *st, size_t enough, const char *line, const char *headers,
                         const char *body)
{
    *c = (client){.st = st, .enough = enough, .reply = calloc(1, REPLY_BYTES)};
    snprintf(c->request, sizeof c->request,
             "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
             "%s\r\n%sContent-Length: "
             "%zu\r\n\r\n%s",
             line, st->token, headers, strlen(body), body);
    assert_int_equal(pthread_create(&c->thread, NULL, talk, c), 0);
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static void wait_for_streams(const street *st, int64_t n)
{
    const double until_s = rf_clock_s() + 60;
    while (rfi_watch_count(st->server->watch) != n && rf_clock_s() < until_s)
        usleep(1000);
    assert_int_equal(rfi_watch_count(st->server->watch), n);
}

/* A stream is counted before its first bytes are sent. */
static void wait_for_reply(const client *c)
{
    const double until_s = rf_clock_s() + 60;
    while (c->n == 0 && rf_clock_s() < until_s)
        usleep(1000);
    assert_true(c->n > 0);
}

/* ------------------------------------------------------------------ the worker */

static rf_stored stored(house *h, int64_t job, int64_t token, const char *name, char key[64])
{
    rf_error err = {0};
    snprintf(key, 64, "jobs/%lld/%lld/%s", (long long)job, (long long)token, name);
    assert_ok(rf_storage_put_bytes(h->storage, key, name, strlen(name), NULL, NULL, &err));
    return (rf_stored){.key = key, .sha256 = sum, .size_bytes = (int64_t)strlen(name)};
}

static int64_t make_dataset(house *h)
{
    rf_error err = {0};
    rf_upload *up = NULL;
    rf_dataset dataset;
    rf_receipt receipt;
    int64_t token = 0;
    assert_ok(rf_upload_open(&up, h->s, h->user, "people.csv", &err));
    assert_ok(rf_upload_write(up, "age\n1\n2\n", 8, &err));
    assert_ok(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err));
    rf_upload_close(up);
    const int64_t job = house_lease(h, &token);
    house_send(h, RF_EVENT_DONE, job, token,
               "{\"kind\":\"profile\",\"n_rows\":2,\"n_columns\":1,\"profile\":{\"n_rows\":2,\"columns\":[{"
               "\"name\":\"age\","
               "\"label\":\"age\",\"kind\":\"integer\"}],\"warnings\":[]}}");
    house_apply(h);
    return dataset.id;
}

static int64_t ask_for_rows(house *h, int64_t dataset)
{
    rf_error err = {0};
    rf_params params;
    rf_receipt receipt;
    rf_params_init(&params, RF_MODEL_CTGAN);
    const rf_generation ask = {.user_id = h->user, .dataset_id = dataset, .rows = 100, .params = &params};
    assert_ok(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err));
    return receipt.id;
}

static void tell_progress(house *h, int64_t job, int64_t token, int n)
{
    rf_error err = {0};
    rf_buf body;
    rf_buf_init(&body);
    const rf_result_progress progress = {
        .phase = "train", .epoch = n, .epochs = PROGRESSES, .percent = 100.0 * n / PROGRESSES, .eta_s = 1};
    assert_ok(rf_result_write_progress(&progress, &body, &err));
    house_send(h, RF_EVENT_PROGRESS, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
}

static void finish(house *h, int64_t job, int64_t token)
{
    rf_error err = {0};
    char keys[4][64];
    rf_buf body;
    rf_buf_init(&body);
    const rf_result_done done = {.kind = RF_JOB_GENERATE,
                                 .rows = 100,
                                 .data = stored(h, job, token, "data.csv", keys[0]),
                                 .model = stored(h, job, token, "model.rfm", keys[1]),
                                 .report_json = stored(h, job, token, "report.json", keys[2]),
                                 .report_html = stored(h, job, token, "report.html", keys[3]),
                                 .quality = {.overall = 0.9}};
    assert_ok(rf_result_write_done(&done, &body, &err));
    house_send(h, RF_EVENT_DONE, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
}

static int64_t wait_for_job(house *h, int64_t *token)
{
    const double until_s = rf_clock_s() + 60;
    int64_t job = 0;
    while ((job = house_lease(h, token)) == 0 && rf_clock_s() < until_s)
        usleep(1000);
    assert_int_not_equal(job, 0);
    house_send(h, RF_EVENT_STARTED, job, *token, "{\"device\":\"cpu\"}");
    house_apply(h);
    return job;
}

static void send_part(house *h, int64_t job, int64_t token, int64_t n)
{
    rf_error err = {0};
    rf_buf body;
    char key[64], bytes[32];
    rf_buf_init(&body);
    snprintf(key, sizeof key, "samples/%lld/%lld/%lld", (long long)job, (long long)token, (long long)n);
    snprintf(bytes, sizeof bytes, "part %02lld\n", (long long)n);
    assert_ok(rf_storage_put_bytes(h->storage, key, bytes, strlen(bytes), NULL, NULL, &err));
    const rf_result_part part = {
        .n = n, .rows = 1, .key = key, .sha256 = sum, .size_bytes = (int64_t)strlen(bytes)};
    assert_ok(rf_result_write_part(&part, &body, &err));
    house_send(h, RF_EVENT_PART, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
}

static int64_t make_model(house *h)
{
    rf_error err = {0};
    rf_model_card *models = NULL;
    int32_t n = 0;
    const int64_t job = ask_for_rows(h, make_dataset(h));
    finish(h, job, house_start(h, job));
    assert_ok(rf_model_list(h->s, h->user, 0, 50, &h->arena, &models, &n, &err));
    assert_int_equal(n, 1);
    return models[0].id;
}

/* A client asks for twelve rows of a model in a street of their own, and the worker has taken that job. */
static int64_t begin_sample(street *st, house *h, client *c, size_t enough, const char *headers,
                            int64_t *token)
{
    char line[64], all[128];
    const int64_t model = make_model(h);
    open_street(st, h);
    snprintf(line, sizeof line, "POST /models/%lld/sample", (long long)model);
    snprintf(all, sizeof all, "Content-Type: application/json\r\n%s", headers);
    start_client(c, st, enough, line, all, "{\"rows\":12}");
    return wait_for_job(h, token);
}

static void watch_job(client *c, const street *st, int64_t job, size_t enough)
{
    char line[64];
    snprintf(line, sizeof line, "GET /generation/events/%lld", (long long)job);
    start_client(c, st, enough, line, "", "");
}

/* ------------------------------------------------------------------ what is seen */

static void all_who_watch_see_the_end_and_one_who_leaves_harms_nobody(void **state)
{
    house *const h = *state;
    street st;
    client clients[WATCHERS], leaver;
    open_street(&st, h);
    const int64_t job = ask_for_rows(h, make_dataset(h));
    for (int i = 0; i < WATCHERS; i++)
        watch_job(&clients[i], &st, job, 0);
    wait_for_streams(&st, WATCHERS);
    watch_job(&leaver, &st, job, 600);
    const int64_t token = house_start(h, job);
    for (int n = 1; n <= PROGRESSES; n++)
        tell_progress(h, job, token, n);
    finish(h, job, token);
    for (int i = 0; i < WATCHERS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_memory_equal(clients[i].reply, "HTTP/1.1 200", 12);
        assert_int_equal(count(clients[i].reply, "event: end\n"), 1);
        assert_int_equal(count(clients[i].reply, "\"status\":\"completed\""), 1);
        assert_true(count(clients[i].reply, "event: status\n") >= 3);
        free(clients[i].reply);
    }
    pthread_join(leaver.thread, NULL);
    free(leaver.reply);
    wait_for_streams(&st, 0);
    close_street(&st);
}

static void a_sample_is_sent_while_it_is_made(void **state)
{
    house *const h = *state;
    street st;
    client c;
    int64_t token = 0;
    const int64_t job = begin_sample(&st, h, &c, 0, "", &token);
    for (int64_t n = 0; n < PARTS; n++)
        send_part(h, job, token, n);
    house_send(h, RF_EVENT_DONE, job, token, "{\"kind\":\"sample\",\"rows\":12,\"parts\":12}");
    house_apply(h);
    pthread_join(c.thread, NULL);
    assert_memory_equal(c.reply, "HTTP/1.1 200", 12);
    assert_int_equal(count(c.reply, "part "), PARTS);
    assert_non_null(strstr(c.reply, "part 11\n"));
    free(c.reply);
    wait_for_streams(&st, 0);
    close_street(&st);
}

static void a_sample_that_fails_before_its_first_part_says_why(void **state)
{
    house *const h = *state;
    street st;
    client c;
    int64_t token = 0;
    const int64_t job = begin_sample(&st, h, &c, 0, "Accept-Encoding: gzip\r\n", &token);
    house_send(h, RF_EVENT_FAILED, job, token,
               "{\"class\":\"permanent\",\"message\":\"there is no column zz\",\"detail\":\"\"}");
    house_apply(h);
    pthread_join(c.thread, NULL);
    assert_memory_equal(c.reply, "HTTP/1.1 422", 12);
    assert_non_null(strstr(c.reply, "there is no column zz"));
    free(c.reply);
    close_street(&st);
}

static void a_client_that_leaves_cancels_its_sample(void **state)
{
    house *const h = *state;
    street st;
    client c;
    int64_t token = 0;
    const int64_t job = begin_sample(&st, h, &c, 20, "", &token);
    send_part(h, job, token, 0);
    const double until_s = rf_clock_s() + 60;
    while (house_beat(h, job, token) == RF_BEAT_OK && rf_clock_s() < until_s)
        usleep(1000);
    assert_int_equal(house_beat(h, job, token), RF_BEAT_CANCEL);
    house_send(h, RF_EVENT_RELEASED, job, token, "{\"cancelled\":true,\"reason\":\"cancelled\"}");
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_CANCELLED);
    pthread_join(c.thread, NULL);
    free(c.reply);
    wait_for_streams(&st, 0);
    close_street(&st);
}

static void a_server_that_ends_leaves_no_stream_behind(void **state)
{
    house *const h = *state;
    street st;
    client watching, sampling;
    int64_t token = 0;
    const int64_t sampled = begin_sample(&st, h, &sampling, 0, "", &token);
    send_part(h, sampled, token, 0);
    watch_job(&watching, &st, ask_for_rows(h, make_dataset(h)), 0);
    wait_for_streams(&st, 2);
    wait_for_reply(&watching);
    close_street(&st);
    pthread_join(watching.thread, NULL);
    pthread_join(sampling.thread, NULL);
    assert_memory_equal(watching.reply, "HTTP/1.1 200", 12);
    assert_int_equal(count(watching.reply, "event: end"), 0);
    free(watching.reply);
    free(sampling.reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_who_watch_see_the_end_and_one_who_leaves_harms_nobody,
                                        house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(a_sample_is_sent_while_it_is_made, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(a_sample_that_fails_before_its_first_part_says_why, house_setup,
                                        house_teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_cancels_its_sample, house_setup, house_teardown),
        cmocka_unit_test_setup_teardown(a_server_that_ends_leaves_no_stream_behind, house_setup,
                                        house_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
