/* Memory runs out at every place in turn: the server opens or says why not, a request is answered or its connection
 * closed, and the next one is served as if nothing had been. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/log.h"
#include "rf_test.h"
#include "stub_routes.h"

static const char secret[] = "a secret that is only for tests, 32+";

static rf_settings settings;

static int open_settings(void **state)
{
    (void)state;
    rf_error err = {0};
    assert_ok(rf_log_open(&(rf_log_options){.least = RF_LOG_LEVEL_COUNT}, &err));
    assert_ok(rf_settings_default(&settings, &err));
    settings.secret_key = secret;
    settings.port = 0;
    settings.http_threads = 1;
    return 0;
}

static int close_settings(void **state)
{
    (void)state;
    rf_settings_free(&settings);
    return 0;
}

static rf_code open_server(rf_server **out, rf_error *err)
{
    return rfi_server_open_routes(out, &(rf_server_options){.settings = &settings}, &stub_routes, err);
}

static void opening_without_memory_fails_and_leaves_nothing(void **state)
{
    (void)state;
    int64_t nth = 0;
    rf_code rc = RF_NO_MEMORY;
    while (rc != RF_OK) {
        rf_error err = {0};
        rf_server *server = NULL;
        rf_alloc_fail_at(++nth);
        rc = open_server(&server, &err);
        rf_alloc_fail_at(0);
        assert_true(rc == RF_OK || rc == RF_NO_MEMORY);
        assert_true((rc == RF_OK) == (server != NULL));
        rf_server_close(server);
        assert_true(nth < 100000);
    }
    assert_true(nth > 10);
}

/* The first bytes of the answer; "" when the connection was closed without one. */
static void ask(const rf_server *server, const char *request, char *reply, size_t size)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)rf_server_port(server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t n = 0;
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (ssize_t got = 1; got > 0 && n + 1 < size; n += got > 0 ? (size_t)got : 0)
        got = recv(fd, reply + n, size - 1 - n, 0);
    reply[n] = 0;
    close(fd);
}

#define HEAD "Host: localhost\r\nConnection: close\r\n"
#define FORM                                                                                                 \
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\na,b\r\n--b--\r\n"

static void a_request_without_memory_harms_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } requests[] = {
        {"GET /hello?limit=3 HTTP/1.1\r\n" HEAD "\r\n", "HTTP/1.1 200"},
        {"POST /echo-blocking HTTP/1.1\r\n" HEAD
         "Content-Type: application/json\r\nContent-Length: 24\r\n\r\n"
         "{\"name\":\"a\",\"flag\":true}",
         "HTTP/1.1 200"},
        {"POST /echo HTTP/1.1\r\n" HEAD
         "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"name\":1}",
         "HTTP/1.1 422"},
        {"GET /file HTTP/1.1\r\n" HEAD "Range: bytes=0-9\r\n\r\n", "HTTP/1.1 206"},
        {"GET /endless?bytes=3000 HTTP/1.1\r\n" HEAD "Accept-Encoding: gzip\r\n\r\n", "HTTP/1.1 200"},
        {"GET /large HTTP/1.1\r\n" HEAD "Accept-Encoding: gzip\r\n\r\n", "HTTP/1.1 200"},
        {"POST /upload HTTP/1.1\r\n" HEAD
         "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 82\r\n\r\n" FORM,
         "HTTP/1.1 202"},
        {"GET /nothing HTTP/1.1\r\n" HEAD "\r\n", "HTTP/1.1 404"},
    };
    rf_error err = {0};
    rf_server *server = NULL;
    char reply[8192];
    assert_ok(open_server(&server, &err));
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        ask(server, requests[i].request, reply, sizeof reply);
        assert_memory_equal(reply, requests[i].status, 12);
        for (int64_t nth = 1; nth < 60; nth++) {
            rf_alloc_fail_at(nth);
            ask(server, requests[i].request, reply, sizeof reply);
            rf_alloc_fail_at(0);
            const bool closed = reply[0] == 0, refused = strncmp(reply, "HTTP/1.1 503", 12) == 0;
            if (!closed && !refused && strncmp(reply, requests[i].status, 12) != 0)
                print_error("request %zu, allocation %lld: %.900s\n", i, (long long)nth, reply);
            if (!closed && !refused)
                assert_memory_equal(reply, requests[i].status, 12);
        }
        ask(server, requests[i].request, reply, sizeof reply);
        assert_memory_equal(reply, requests[i].status, 12);
    }
    rf_server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_without_memory_fails_and_leaves_nothing),
        cmocka_unit_test(a_request_without_memory_harms_no_other),
    };
    return cmocka_run_group_tests(tests, open_settings, close_settings);
}
